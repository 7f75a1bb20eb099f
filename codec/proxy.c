/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of proxies: requests written field by field, answers read by tables. */
#include "codec/proxy.h"

#include "codec/base64.h"
#include "codec/json_fields.h"
#include "codec/json_writer.h"

#include <string.h>

const char *proxy_kind_name(enum proxy_kind kind)
{
    static const char *const names[PROXY_KIND_COUNT] = {
#define PROXY_NAME(name, text) [PROXY_##name] = text,
        PROXY_KINDS(PROXY_NAME)
#undef PROXY_NAME
    };
    return (unsigned)kind < PROXY_KIND_COUNT ? names[kind] : "unknown";
}

/* ---- requests ---- */

static void write_data(struct json_writer *json, const struct proxy_request *request)
{
    if (span_is_empty(request->data)) {
        return;
    }
    if (!request->is_binary) {
        JSON_WRITE_KEY(json, "data");
        json_write_raw(json, request->data);
        return;
    }
    JSON_WRITE_KEY(json, "b64data");
    writer_put_byte(json->out, '"');
    base64_encode(json->out, request->data);
    writer_put_byte(json->out, '"');
    json->comma = true;
}

/* The keys of an object that was checked, as they stand in it. */
static void write_channels(struct json_writer *json, struct span subs)
{
    struct json_reader reader;
    struct span key;
    json_reader_begin(&reader, subs);
    if (span_is_empty(subs) || json_enter_object(&reader) != JSON_OK) {
        return;
    }
    JSON_WRITE_KEY(json, "channels");
    json_write_array_begin(json);
    while (json_next_member(&reader, &key) == JSON_OK && json_skip_value(&reader) == JSON_OK) {
        if (json->comma) {
            writer_put_byte(json->out, ',');
        }
        writer_put_byte(json->out, '"');
        writer_put(json->out, key);
        writer_put_byte(json->out, '"');
        json->comma = true;
    }
    json_write_array_end(json);
}

void proxy_encode_request(struct writer *out, enum proxy_kind kind,
                          const struct proxy_request *request)
{
    struct json_writer json = json_writer_of(out);
    json_write_object_begin(&json);
    JSON_WRITE_KEY(&json, "client");
    json_write_string(&json, request->client);
    JSON_WRITE_KEY(&json, "transport");
    json_write_string(&json, request->transport);
    JSON_WRITE_KEY(&json, "protocol");
    json_write_string(&json, request->protocol);
    JSON_WRITE_KEY(&json, "encoding");
    json_write_string(&json, request->is_binary ? SPAN_LITERAL("binary") : SPAN_LITERAL("json"));
    if (kind != PROXY_CONNECT) {
        JSON_WRITE_KEY(&json, "user");
        json_write_string(&json, request->user);
    }
    json_write_field_string(&json, SPAN_LITERAL("channel"), request->channel);
    if (kind == PROXY_MAP_PUBLISH || kind == PROXY_MAP_REMOVE) {
        json_write_field_string(&json, SPAN_LITERAL("key"), request->key);
    }
    if (kind == PROXY_RPC) {
        JSON_WRITE_KEY(&json, "method");
        json_write_string(&json, request->method);
    }
    json_write_field_string(&json, SPAN_LITERAL("token"), request->token);
    write_data(&json, request);
    json_write_field_string(&json, SPAN_LITERAL("name"), request->name);
    json_write_field_string(&json, SPAN_LITERAL("version"), request->version);
    write_channels(&json, request->subs);
    json_write_field_raw(&json, SPAN_LITERAL("meta"), request->meta);
    json_write_object_end(&json);
}

/* ---- answers ---- */

struct body {
    struct proxy_answer answer;
    struct span b64info;
    struct span b64data;
    struct span b64stream_data;
    struct span caps;
    struct span labels;
    struct span allow;
    struct span server_tags_filter;
};

static const struct json_field error_list[] = {
    JSON_FIELD(body, "code", U32, answer.error_code),
    JSON_FIELD(body, "message", STRING, answer.error_message),
    JSON_FIELD(body, "temporary", BOOL, answer.error_is_temporary),
};
static const struct json_fields error_fields = JSON_FIELDS(error_list);

static const struct json_field disconnect_list[] = {
    JSON_FIELD(body, "code", U32, answer.disconnect_code),
    JSON_FIELD(body, "reason", STRING, answer.disconnect_reason),
};
static const struct json_fields disconnect_fields = JSON_FIELDS(disconnect_list);

static const struct json_field result_list[] = {
    JSON_FIELD(body, "user", STRING, answer.user),
    JSON_FIELD(body, "expired", BOOL, answer.expired),
    JSON_FIELD(body, "expire_at", I64, answer.expire_at_s),
    JSON_FIELD(body, "info", RAW, answer.info),
    JSON_FIELD(body, "b64info", BASE64, b64info),
    JSON_FIELD(body, "data", RAW, answer.data),
    JSON_FIELD(body, "b64data", BASE64, b64data),
    JSON_FIELD(body, "meta", RAW, answer.meta),
    JSON_FIELD(body, "channels", STRINGS, answer.channels),
    JSON_FIELD(body, "subs", RAW_OBJECT, answer.subs),
    JSON_FIELD_READ_BY(body, "override", answer.override, jwt_override_read),
    JSON_FIELD(body, "skip_history", BOOL, answer.skip_history),
    JSON_FIELD(body, "tags", MAP, answer.tags),
    JSON_FIELD(body, "idempotency_key", STRING, answer.idempotency_key),
    JSON_FIELD(body, "delta", BOOL, answer.delta),
    JSON_FIELD(body, "version", U64, answer.version),
    JSON_FIELD(body, "version_epoch", STRING, answer.version_epoch),
    JSON_FIELD(body, "key", STRING, answer.key),
    JSON_FIELD(body, "key_mode", STRING, answer.key_mode),
    JSON_FIELD(body, "score", I64, answer.score),
    JSON_FIELD(body, "stream_data", RAW, answer.stream_data),
    JSON_FIELD(body, "b64stream_data", BASE64, b64stream_data),
    JSON_FIELD(body, "caps", RAW, caps),
    JSON_FIELD(body, "labels", RAW, labels),
    JSON_FIELD(body, "allow", RAW, allow),
    JSON_FIELD(body, "server_tags_filter", RAW, server_tags_filter),
};
static const struct json_fields result_fields = JSON_FIELDS(result_list);

static const struct json_field body_list[] = {
    JSON_FIELD_OF_NESTED(body, "result", answer.has_result, &result_fields),
    JSON_FIELD_OF_NESTED(body, "error", answer.has_error, &error_fields),
    JSON_FIELD_OF_NESTED(body, "disconnect", answer.has_disconnect, &disconnect_fields),
};
static const struct json_fields body_fields = JSON_FIELDS(body_list);

static struct span find_unsupported(const struct body *body)
{
    return !span_is_empty(body->caps)                 ? SPAN_LITERAL("caps")
           : !span_is_empty(body->labels)             ? SPAN_LITERAL("labels")
           : !span_is_empty(body->allow)              ? SPAN_LITERAL("allow")
           : !span_is_empty(body->server_tags_filter) ? SPAN_LITERAL("server_tags_filter")
                                                      : SPAN_EMPTY;
}

enum json_result proxy_decode_answer(struct span text, struct scratch *scratch,
                                     struct proxy_answer *out)
{
    struct body body = {0};
    const enum json_result result = json_decode_fields(text, scratch, &body_fields, &body);
    *out = body.answer;
    if (!span_is_empty(body.b64info)) {
        out->info = body.b64info;
    }
    out->data_is_binary = !span_is_empty(body.b64data);
    if (out->data_is_binary) {
        out->data = body.b64data;
    }
    out->stream_data_is_binary = !span_is_empty(body.b64stream_data);
    if (out->stream_data_is_binary) {
        out->stream_data = body.b64stream_data;
    }
    out->has_data = !span_is_empty(out->data);
    out->unsupported = find_unsupported(&body);
    return result;
}
