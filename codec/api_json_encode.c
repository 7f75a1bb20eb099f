/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes the results and errors of the server API. */
#include "codec/api_json.h"

#include "codec/client_json.h"
#include "codec/json_writer.h"

#define KEY(text) SPAN_LITERAL(text)

static void write_error(struct json_writer *json, enum api_error error)
{
    json_write_object_begin(json);
    JSON_WRITE_KEY(json, "code");
    json_write_u64(json, (uint32_t)error);
    JSON_WRITE_KEY(json, "message");
    json_write_string(json, api_error_message(error));
    json_write_object_end(json);
}

static void write_error_body(struct json_writer *json, enum api_error error)
{
    json_write_object_begin(json);
    JSON_WRITE_KEY(json, "error");
    write_error(json, error);
    json_write_object_end(json);
}

void api_json_encode_error(struct writer *out, enum api_error error)
{
    struct json_writer json = json_writer_of(out);
    write_error_body(&json, error);
}

void api_json_encode_transport_error(struct writer *out, enum api_error error)
{
    struct json_writer json = json_writer_of(out);
    write_error(&json, error);
}

void api_json_encode_empty(struct writer *out)
{
    writer_put_literal(out, "{\"result\":{}}");
}

/* Behind it stands the result, one value, and then the end of the object. */
static void write_result_key(struct json_writer *json)
{
    json_write_object_begin(json);
    JSON_WRITE_KEY(json, "result");
}

/* The same where the result is an object whose fields stand behind it. */
static void begin_result(struct json_writer *json)
{
    write_result_key(json);
    json_write_object_begin(json);
}

static void end_result(struct json_writer *json)
{
    json_write_object_end(json);
    json_write_object_end(json);
}

static void write_publish_body(struct json_writer *json, const struct api_publish_result *result)
{
    begin_result(json);
    json_write_field_u64(json, KEY("offset"), result->offset);
    json_write_field_string(json, KEY("epoch"), result->epoch);
    end_result(json);
}

void api_json_encode_publish(struct writer *out, const struct api_publish_result *result)
{
    struct json_writer json = json_writer_of(out);
    write_publish_body(&json, result);
}

void api_json_encode_presence_stats(struct writer *out,
                                    const struct client_presence_stats_result *result)
{
    struct json_writer json = json_writer_of(out);
    write_result_key(&json);
    client_json_write_presence_stats(&json, result);
    json_write_object_end(&json);
}

void api_json_encode_history(struct writer *out, const struct client_history_result *result)
{
    struct json_writer json = json_writer_of(out);
    write_result_key(&json);
    client_json_write_history(&json, result);
    json_write_object_end(&json);
}

void api_json_encode_map_publish(struct writer *out, const struct api_map_publish_result *result)
{
    struct json_writer json = json_writer_of(out);
    begin_result(&json);
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
    struct json_writer json = json_writer_of(out);
    begin_result(&json);
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
    struct json_writer json = json_writer_of(out);
    begin_result(&json);
    json_write_field_u64(&json, KEY("num_keys"), key_count);
    end_result(&json);
}

/* An item continues a container that an earlier call left open: a comma is due unless it is first.
 */
static struct json_writer item_writer_of(struct writer *out, bool first)
{
    return (struct json_writer){out, !first};
}

void api_json_encode_broadcast_begin(struct writer *out)
{
    writer_put_literal(out, "{\"result\":{\"responses\":[");
}

void api_json_encode_broadcast_item(struct writer *out, bool first,
                                    const struct api_publish_outcome *outcome)
{
    struct json_writer json = item_writer_of(out, first);
    if (outcome->error == API_ERROR_NONE) {
        write_publish_body(&json, &outcome->result);
    } else {
        write_error_body(&json, outcome->error);
    }
}

void api_json_encode_broadcast_end(struct writer *out)
{
    writer_put_literal(out, "]}}");
}

void api_json_encode_presence_begin(struct writer *out)
{
    writer_put_literal(out, "{\"result\":{\"presence\":{");
}

void api_json_encode_presence_item(struct writer *out, bool first, const struct client_info *info)
{
    struct json_writer json = item_writer_of(out, first);
    json_write_key_text(&json, info->client);
    client_json_write_info(&json, info);
}

void api_json_encode_presence_end(struct writer *out)
{
    writer_put_literal(out, "}}}");
}

void api_json_encode_channels_begin(struct writer *out)
{
    writer_put_literal(out, "{\"result\":{\"channels\":{");
}

void api_json_encode_channels_item(struct writer *out, bool first, struct span channel,
                                   uint32_t client_count)
{
    struct json_writer json = item_writer_of(out, first);
    json_write_key_text(&json, channel);
    json_write_object_begin(&json);
    json_write_field_u64(&json, KEY("num_clients"), client_count);
    json_write_object_end(&json);
}

void api_json_encode_channels_end(struct writer *out)
{
    writer_put_literal(out, "}}}");
}

void api_json_encode_info_begin(struct writer *out)
{
    writer_put_literal(out, "{\"result\":{\"nodes\":[");
}

void api_json_encode_info_item(struct writer *out, bool first, const struct api_node_result *node)
{
    struct json_writer json = item_writer_of(out, first);
    json_write_object_begin(&json);
    JSON_WRITE_KEY(&json, "uid");
    json_write_string(&json, node->uid);
    JSON_WRITE_KEY(&json, "name");
    json_write_string(&json, node->name);
    JSON_WRITE_KEY(&json, "version");
    json_write_string(&json, node->version);
    JSON_WRITE_KEY(&json, "num_clients");
    json_write_u64(&json, node->client_count);
    JSON_WRITE_KEY(&json, "num_users");
    json_write_u64(&json, node->user_count);
    JSON_WRITE_KEY(&json, "num_channels");
    json_write_u64(&json, node->channel_count);
    json_write_field_u64(&json, KEY("uptime"), node->uptime_s);
    if (!span_is_empty(node->client_address)) {
        JSON_WRITE_KEY(&json, "address");
        json_write_string(&json, node->client_address);
    }
    JSON_WRITE_KEY(&json, "num_subs");
    json_write_u64(&json, node->sub_count);
    json_write_object_end(&json);
}

void api_json_encode_info_end(struct writer *out)
{
    writer_put_literal(out, "]}}");
}
