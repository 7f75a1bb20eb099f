/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of webhooks and their signature. */
#include "codec/webhook.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "codec/json_writer.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

static struct span type_text(enum webhook_event_type type)
{
    static const struct span texts[WEBHOOK_EVENT_TYPES] = {
#define WEBHOOK_TEXT(name, text) [WEBHOOK_##name] = {(const uint8_t *)(text), sizeof(text) - 1},
        WEBHOOK_EVENTS(WEBHOOK_TEXT)
#undef WEBHOOK_TEXT
    };
    return texts[type];
}

static void write_client(struct json_writer *json, const struct webhook_event *event)
{
    JSON_WRITE_KEY(json, "client");
    json_write_string(json, event->client);
    JSON_WRITE_KEY(json, "user");
    json_write_string(json, event->user);
    json_write_field_string(json, SPAN_LITERAL("transport"), event->transport);
    json_write_field_string(json, SPAN_LITERAL("protocol"), event->protocol);
    json_write_field_string(json, SPAN_LITERAL("name"), event->name);
    json_write_field_string(json, SPAN_LITERAL("version"), event->version);
    json_write_field_raw(json, SPAN_LITERAL("meta"), event->meta);
    if (event->type == WEBHOOK_DISCONNECTED) {
        json_write_field_i64(json, SPAN_LITERAL("connected_ms"), event->connected_ms);
        json_write_field_u64(json, SPAN_LITERAL("code"), event->code);
        json_write_field_string(json, SPAN_LITERAL("reason"), event->reason);
    }
}

void webhook_encode_event(struct writer *out, const struct webhook_event *event)
{
    struct json_writer json = json_writer_of(out);
    json_write_object_begin(&json);
    JSON_WRITE_KEY(&json, "time_ms");
    json_write_i64(&json, event->time_ms);
    JSON_WRITE_KEY(&json, "type");
    json_write_string(&json, type_text(event->type));
    if (webhook_is_about_node(event->type)) {
        JSON_WRITE_KEY(&json, "run");
        json_write_string(&json, event->run);
    } else if (event->type == WEBHOOK_OCCUPIED || event->type == WEBHOOK_VACATED) {
        JSON_WRITE_KEY(&json, "channel");
        json_write_string(&json, event->channel);
    } else {
        write_client(&json, event);
    }
    json_write_object_end(&json);
}

/* ---- batches ---- */

struct webhook_batch webhook_batch_begin(struct writer *out)
{
    writer_put_literal(out, "{\"events\":[");
    return (struct webhook_batch){.out = out};
}

void webhook_batch_add(struct webhook_batch *batch, struct span event)
{
    if (batch->comma) {
        writer_put_byte(batch->out, ',');
    }
    writer_put(batch->out, event);
    batch->comma = true;
}

void webhook_batch_begin_nodes(struct webhook_batch *batch)
{
    writer_put_literal(batch->out, "],\"nodes\":[");
    batch->comma = false;
}

void webhook_batch_end(struct webhook_batch *batch, const struct webhook_source *source)
{
    struct json_writer json = {.out = batch->out, .comma = true};
    writer_put_byte(batch->out, ']');
    JSON_WRITE_KEY(&json, "node");
    json_write_string(&json, source->node);
    JSON_WRITE_KEY(&json, "run");
    json_write_string(&json, source->run);
    JSON_WRITE_KEY(&json, "source");
    json_write_u64(&json, source->number);
    JSON_WRITE_KEY(&json, "seq");
    json_write_u64(&json, source->seq);
    JSON_WRITE_KEY(&json, "lost");
    json_write_u64(&json, source->lost);
    json_write_object_end(&json);
}

/* ---- trust ---- */

/* HMAC_Init_ex and its like fail for want of memory alone; then nothing is written, and a receiver
 * that asks for a signature refuses the batch, which comes again. */
static bool sign(struct span secret, struct span time, struct span body,
                 uint8_t mac[EVP_MAX_MD_SIZE])
{
    HMAC_CTX context;
    unsigned len = 0;
    HMAC_CTX_init(&context);
    const bool is_signed = HMAC_Init_ex(&context, secret.at, secret.len, EVP_sha256(), NULL) == 1 &&
                           HMAC_Update(&context, time.at, time.len) == 1 &&
                           HMAC_Update(&context, (const uint8_t *)".", 1) == 1 &&
                           HMAC_Update(&context, body.at, body.len) == 1 &&
                           HMAC_Final(&context, mac, &len) == 1;
    HMAC_CTX_cleanup(&context);
    return is_signed;
}

void webhook_write_signature(struct writer *out, struct span secret, int64_t now_s,
                             struct span body)
{
    uint8_t room[WRITER_I64_LEN_MAX];
    uint8_t mac[EVP_MAX_MD_SIZE];
    char text[2 * SHA256_DIGEST_LENGTH];
    struct writer time = writer_of(room, sizeof(room));
    writer_put_i64(&time, now_s);
    if (!sign(secret, writer_written(&time), body, mac)) {
        return;
    }
    hex_write(mac, SHA256_DIGEST_LENGTH, text);
    writer_put_literal(out, "X-Roost-Signature: t=");
    writer_put(out, writer_written(&time));
    writer_put_literal(out, ",v1=");
    writer_put(out, span_of(text, sizeof(text)));
    writer_put_literal(out, "\r\n");
}

bool webhook_is_taken(unsigned status, struct span body)
{
    struct json_reader reader;
    struct span key;
    if (status < 200 || status > 299) {
        return false;
    }
    json_reader_begin(&reader, body);
    if (json_enter_object(&reader) != JSON_OK) {
        return true; /* Nothing that could say otherwise. */
    }
    const struct span name = SPAN_LITERAL("error");
    while (json_next_member(&reader, &key) == JSON_OK) {
        const bool is_error = json_key_find(key, &name, 1) == 0;
        if (is_error && !json_read_null(&reader)) {
            return false;
        }
        if (!is_error && json_skip_value(&reader) != JSON_OK) {
            break;
        }
    }
    return true;
}
