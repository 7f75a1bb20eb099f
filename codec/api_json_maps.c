/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the server API that are about maps: bodies into requests, results into bodies. */
#include "codec/api_json.h"
#include "codec/json_fields.h"
#include "codec/json_writer.h"

#define KEY(text) SPAN_LITERAL(text)

/* ---- requests ---- */

/* Fields that are given either as JSON or as base64, before it is decided between the two. */
struct map_publish_body {
    struct api_map_publish_request request;
    struct span b64data;
};

static const struct json_field publish_list[] = {
    JSON_FIELD(map_publish_body, "channel", STRING, request.channel),
    JSON_FIELD(map_publish_body, "key", STRING, request.key),
    JSON_FIELD(map_publish_body, "data", PAYLOAD, request.data),
    JSON_FIELD(map_publish_body, "b64data", BASE64, b64data),
    JSON_FIELD(map_publish_body, "tags", MAP, request.tags),
    JSON_FIELD(map_publish_body, "idempotency_key", STRING, request.idempotency_key),
    JSON_FIELD(map_publish_body, "delta", BOOL, request.delta),
    JSON_FIELD(map_publish_body, "version", U64, request.version),
    JSON_FIELD(map_publish_body, "version_epoch", STRING, request.version_epoch),
    JSON_FIELD(map_publish_body, "score", I64, request.score),
    JSON_FIELD(map_publish_body, "key_mode", STRING, request.key_mode),
};
static const struct json_fields publish_fields = JSON_FIELDS(publish_list);

enum json_result api_json_decode_map_publish(struct span body, struct scratch *scratch,
                                             struct api_map_publish_request *out)
{
    struct map_publish_body decoded = {0};
    const enum json_result result = json_decode_fields(body, scratch, &publish_fields, &decoded);
    *out = decoded.request;
    if (decoded.b64data.len > 0) {
        out->data = decoded.b64data;
        out->data_is_binary = true;
    }
    return result;
}

static const struct json_field remove_list[] = {
    JSON_FIELD(api_map_publish_request, "channel", STRING, channel),
    JSON_FIELD(api_map_publish_request, "key", STRING, key),
    JSON_FIELD(api_map_publish_request, "idempotency_key", STRING, idempotency_key),
};
static const struct json_fields remove_fields = JSON_FIELDS(remove_list);

enum json_result api_json_decode_map_remove(struct span body, struct scratch *scratch,
                                            struct api_map_publish_request *out)
{
    *out = (struct api_map_publish_request){0};
    return json_decode_fields(body, scratch, &remove_fields, out);
}

static const struct json_field read_state_list[] = {
    JSON_FIELD(api_map_read_state_request, "channel", STRING, channel),
    JSON_FIELD(api_map_read_state_request, "cursor", STRING, cursor),
    JSON_FIELD(api_map_read_state_request, "limit", I32, limit),
    JSON_FIELD(api_map_read_state_request, "key", STRING, key),
    JSON_FIELD(api_map_read_state_request, "asc", BOOL, asc),
    JSON_FIELD(api_map_read_state_request, "revision_offset", U64, revision_offset),
    JSON_FIELD(api_map_read_state_request, "revision_epoch", STRING, revision_epoch),
};
static const struct json_fields read_state_fields = JSON_FIELDS(read_state_list);

enum json_result api_json_decode_map_read_state(struct span body, struct scratch *scratch,
                                                struct api_map_read_state_request *out)
{
    *out = (struct api_map_read_state_request){0};
    return json_decode_fields(body, scratch, &read_state_fields, out);
}

static const struct json_field read_stream_list[] = {
    JSON_FIELD(api_map_read_stream_request, "channel", STRING, channel),
    JSON_FIELD(api_map_read_stream_request, "since_offset", U64, since_offset),
    JSON_FIELD(api_map_read_stream_request, "since_epoch", STRING, since_epoch),
    JSON_FIELD(api_map_read_stream_request, "limit", I32, limit),
    JSON_FIELD(api_map_read_stream_request, "reverse", BOOL, reverse),
};
static const struct json_fields read_stream_fields = JSON_FIELDS(read_stream_list);

enum json_result api_json_decode_map_read_stream(struct span body, struct scratch *scratch,
                                                 struct api_map_read_stream_request *out)
{
    *out = (struct api_map_read_stream_request){0};
    return json_decode_fields(body, scratch, &read_stream_fields, out);
}

/* ---- results ---- */

static struct json_writer begin_result(struct writer *out)
{
    struct json_writer json = json_writer_of(out);
    json_write_object_begin(&json);
    JSON_WRITE_KEY(&json, "result");
    json_write_object_begin(&json);
    return json;
}

static void end_result(struct json_writer *json)
{
    json_write_object_end(json);
    json_write_object_end(json);
}

void api_json_encode_map_publish(struct writer *out, const struct api_map_publish_result *result)
{
    struct json_writer json = begin_result(out);
    json_write_field_u64(&json, KEY("offset"), result->offset);
    json_write_field_string(&json, KEY("epoch"), result->epoch);
    json_write_field_bool(&json, KEY("suppressed"), !span_is_empty(result->suppress_reason));
    json_write_field_string(&json, KEY("suppress_reason"), result->suppress_reason);
    end_result(&json);
}

/* Who published it is not told; a removed key has no data. */
static void write_entry(struct json_writer *json, const struct client_publication *entry)
{
    json_write_object_begin(json);
    json_write_field_string(json, KEY("key"), entry->key);
    json_write_field_raw(json, KEY("data"), entry->data);
    json_write_field_raw(json, KEY("tags"), entry->tags);
    json_write_field_u64(json, KEY("offset"), entry->offset);
    json_write_field_i64(json, KEY("score"), entry->score);
    json_write_field_bool(json, KEY("removed"), entry->removed);
    json_write_field_i64(json, KEY("time"), entry->time_ms);
    json_write_object_end(json);
}

void api_json_encode_map_page(struct writer *out, const struct api_map_page_result *result)
{
    struct json_writer json = begin_result(out);
    if (result->entry_count > 0) {
        JSON_WRITE_KEY(&json, "entries");
        json_write_array_begin(&json);
        for (size_t i = 0; i < result->entry_count; i++) {
            write_entry(&json, &result->entries[i]);
        }
        json_write_array_end(&json);
    }
    json_write_field_u64(&json, KEY("offset"), result->offset);
    json_write_field_string(&json, KEY("epoch"), result->epoch);
    json_write_field_string(&json, KEY("cursor"), result->cursor);
    end_result(&json);
}

void api_json_encode_map_stats(struct writer *out, uint32_t key_count)
{
    struct json_writer json = begin_result(out);
    json_write_field_u64(&json, KEY("num_keys"), key_count);
    end_result(&json);
}
