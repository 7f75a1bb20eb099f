/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of polls: a request with its keys, and an answer whose items are read one by one. */
#include "codec/proxy_poll.h"

#include "codec/json_fields.h"
#include "codec/json_writer.h"

void proxy_encode_poll(struct writer *out, const struct proxy_poll_request *request)
{
    struct json_writer json = json_writer_of(out);
    json_write_object_begin(&json);
    JSON_WRITE_KEY(&json, "channel");
    json_write_string(&json, request->channel);
    JSON_WRITE_KEY(&json, "items");
    json_write_array_begin(&json);
    for (size_t i = 0; i < request->keys_len; i++) {
        json_write_object_begin(&json);
        JSON_WRITE_KEY(&json, "key");
        json_write_string(&json, request->keys[i].key);
        json_write_field_u64(&json, SPAN_LITERAL("version"), request->keys[i].version);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
}

/* ---- answers ---- */

struct body {
    struct proxy_poll_answer answer;
    bool has_result;
};

static const struct json_field error_list[] = {
    JSON_FIELD(body, "code", U32, answer.error_code),
    JSON_FIELD(body, "message", STRING, answer.error_message),
};
static const struct json_fields error_fields = JSON_FIELDS(error_list);

static const struct json_field result_list[] = {
    JSON_FIELD(body, "items", RAW_ARRAY, answer.items),
    JSON_FIELD(body, "epoch", STRING, answer.epoch),
};
static const struct json_fields result_fields = JSON_FIELDS(result_list);

static const struct json_field body_list[] = {
    JSON_FIELD_OF_NESTED(body, "result", has_result, &result_fields),
    JSON_FIELD_OF_NESTED(body, "error", answer.has_error, &error_fields),
};
static const struct json_fields body_fields = JSON_FIELDS(body_list);

enum json_result proxy_decode_poll(struct span text, struct scratch *scratch,
                                   struct proxy_poll_answer *out)
{
    struct body body = {0};
    const enum json_result result = json_decode_fields(text, scratch, &body_fields, &body);
    *out = body.answer;
    return result;
}

static const struct json_field item_list[] = {
    JSON_FIELD(proxy_poll_item, "key", STRING, key),
    JSON_FIELD(proxy_poll_item, "data", PAYLOAD, data),
    JSON_FIELD(proxy_poll_item, "version", U64, version),
    JSON_FIELD(proxy_poll_item, "removed", BOOL, removed),
};
static const struct json_fields item_fields = JSON_FIELDS(item_list);

void proxy_poll_items_begin(struct json_walk *walk, struct span items)
{
    json_strings_begin(walk, items);
}

enum json_result proxy_poll_items_next(struct json_walk *walk, struct scratch *scratch,
                                       struct proxy_poll_item *out)
{
    *out = (struct proxy_poll_item){0};
    return json_next_fields(walk, scratch, &item_fields, out);
}
