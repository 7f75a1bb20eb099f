/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes replies and pushes of the client protocol in Protobuf, fields in the order of numbers. */
#include "codec/client_protobuf.h"

#include "codec/json.h"
#include "codec/json_text.h"

/* A member of a JSON object of strings, as it stands between its quotes. */
struct tag {
    struct span key_inner;
    struct span value_inner;
};

static void put_text(struct writer *out, uint32_t number, struct span inner)
{
    if (span_index_of(inner, '\\') == inner.len) {
        protobuf_put_bytes(out, number, inner);
        return;
    }
    struct writer measure = writer_for_measuring();
    json_put_text(&measure, inner);
    if (measure.overflow > 0) {
        protobuf_put_varint(out, (uint64_t)number << 3 | PROTOBUF_BYTES);
        protobuf_put_varint(out, measure.overflow);
        json_put_text(out, inner);
    }
}

static void encode_tag(struct writer *out, const void *value)
{
    const struct tag *tag = value;
    put_text(out, 1, tag->key_inner);
    put_text(out, 2, tag->value_inner);
}

static void put_tags(struct writer *out, uint32_t number, struct span tags)
{
    struct json_reader reader;
    struct json_value value;
    struct tag tag;
    json_reader_begin(&reader, tags);
    if (tags.len == 0 || json_enter_object(&reader) != JSON_OK) {
        return;
    }
    while (json_next_member(&reader, &tag.key_inner) == JSON_OK &&
           json_read_value(&reader, &value) == JSON_OK) {
        if (value.type == JSON_STRING) {
            tag.value_inner = span_of(value.raw.at + 1, value.raw.len - 2);
        } else if (value.type == JSON_NULL) {
            tag.value_inner = SPAN_EMPTY;
        } else {
            continue;
        }
        protobuf_put_message(out, number, encode_tag, &tag);
    }
}

static void encode_info(struct writer *out, const void *value)
{
    const struct client_info *info = value;
    protobuf_put_bytes(out, 1, info->user);
    protobuf_put_bytes(out, 2, info->client);
    protobuf_put_bytes(out, 3, info->conn_info);
    protobuf_put_bytes(out, 4, info->chan_info);
}

static void encode_publication(struct writer *out, const void *value)
{
    const struct client_publication *publication = value;
    protobuf_put_bytes(out, 4, publication->data);
    if (publication->info != NULL) {
        protobuf_put_message(out, 5, encode_info, publication->info);
    }
    protobuf_put_u64(out, 6, publication->offset);
    put_tags(out, 7, publication->tags);
    protobuf_put_bool(out, 8, publication->delta);
    protobuf_put_i64(out, 9, publication->time_ms);
    protobuf_put_bytes(out, 10, publication->channel);
    protobuf_put_bytes(out, 11, publication->key);
    protobuf_put_bool(out, 12, publication->removed);
    protobuf_put_s64(out, 13, publication->score);
    protobuf_put_bytes(out, 14, publication->epoch);
    protobuf_put_u64(out, 16, publication->version);
}

static void put_publications(struct writer *out, uint32_t number,
                             const struct client_publication *publications, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        protobuf_put_message(out, number, encode_publication, &publications[i]);
    }
}

static void encode_subscribe(struct writer *out, const void *value)
{
    const struct client_subscribe_result *result = value;
    protobuf_put_bool(out, 1, result->expires);
    protobuf_put_u64(out, 2, result->ttl_s);
    protobuf_put_bool(out, 3, result->recoverable);
    protobuf_put_bytes(out, 6, result->epoch);
    put_publications(out, 7, result->publications, result->publication_count);
    protobuf_put_bool(out, 8, result->recovered);
    protobuf_put_u64(out, 9, result->offset);
    protobuf_put_bool(out, 10, result->positioned);
    protobuf_put_bytes(out, 11, result->data);
    protobuf_put_bool(out, 12, result->was_recovering);
    protobuf_put_bool(out, 13, result->delta);
    protobuf_put_i64(out, 14, result->id);
    protobuf_put_i64(out, 15, result->type);
    protobuf_put_i64(out, 16, result->phase);
    protobuf_put_bytes(out, 17, result->cursor);
    put_publications(out, 18, result->state, result->state_count);
    protobuf_put_u64(out, 19, result->publish_debounce_ms);
}

static void encode_subscription(struct writer *out, const void *value)
{
    const struct client_subscription *subscription = value;
    protobuf_put_bytes(out, 1, subscription->channel);
    protobuf_put_message(out, 2, encode_subscribe, &subscription->result);
}

static void put_subscriptions(struct writer *out, uint32_t number,
                              const struct client_connect_result *result)
{
    for (size_t i = 0; i < result->sub_count; i++) {
        protobuf_put_message(out, number, encode_subscription, &result->subs[i]);
    }
}

static void encode_connect(struct writer *out, const void *value)
{
    const struct client_connect_result *result = value;
    protobuf_put_bytes(out, 1, result->client);
    protobuf_put_bytes(out, 2, result->version);
    protobuf_put_bool(out, 3, result->expires);
    protobuf_put_u64(out, 4, result->ttl_s);
    protobuf_put_bytes(out, 5, result->data);
    put_subscriptions(out, 6, result);
    protobuf_put_u64(out, 7, result->ping_s);
    protobuf_put_bool(out, 8, result->pong);
    protobuf_put_bytes(out, 9, result->session);
    protobuf_put_bytes(out, 10, result->node);
    protobuf_put_i64(out, 11, result->time_ms);
}

/* The push has the values of the result under other numbers. */
static void encode_connect_push(struct writer *out, const void *value)
{
    const struct client_connect_result *result = value;
    protobuf_put_bytes(out, 1, result->client);
    protobuf_put_bytes(out, 2, result->version);
    protobuf_put_bytes(out, 3, result->data);
    put_subscriptions(out, 4, result);
    protobuf_put_bool(out, 5, result->expires);
    protobuf_put_u64(out, 6, result->ttl_s);
    protobuf_put_u64(out, 7, result->ping_s);
    protobuf_put_bool(out, 8, result->pong);
    protobuf_put_bytes(out, 9, result->session);
    protobuf_put_bytes(out, 10, result->node);
    protobuf_put_i64(out, 11, result->time_ms);
}

/* An entry of a presence map: under its `client`. */
static void encode_present(struct writer *out, const void *value)
{
    const struct client_info *info = value;
    protobuf_put_bytes(out, 1, info->client);
    protobuf_put_message(out, 2, encode_info, info);
}

static void encode_presence(struct writer *out, const void *value)
{
    const struct client_presence_result *result = value;
    for (size_t i = 0; i < result->client_count; i++) {
        protobuf_put_message(out, 1, encode_present, &result->clients[i]);
    }
}

static void encode_presence_stats(struct writer *out, const void *value)
{
    const struct client_presence_stats_result *result = value;
    protobuf_put_u64(out, 1, result->client_count);
    protobuf_put_u64(out, 2, result->user_count);
}

static void encode_history(struct writer *out, const void *value)
{
    const struct client_history_result *result = value;
    put_publications(out, 1, result->publications, result->publication_count);
    protobuf_put_bytes(out, 2, result->epoch);
    protobuf_put_u64(out, 3, result->offset);
}

static void encode_rpc(struct writer *out, const void *value)
{
    const struct client_rpc_result *result = value;
    protobuf_put_bytes(out, 1, result->data);
}

static void encode_refresh(struct writer *out, const void *value)
{
    const struct client_refresh_result *result = value;
    protobuf_put_bytes(out, 1, result->client);
    protobuf_put_bytes(out, 2, result->version);
    protobuf_put_bool(out, 3, result->expires);
    protobuf_put_u64(out, 4, result->ttl_s);
}

/* That of a subscription, and of a push. */
static void encode_short_refresh(struct writer *out, const void *value)
{
    const struct client_refresh_result *result = value;
    protobuf_put_bool(out, 1, result->expires);
    protobuf_put_u64(out, 2, result->ttl_s);
}

static void encode_error(struct writer *out, const void *value)
{
    const struct client_error_reply *error = value;
    protobuf_put_u64(out, 1, error->code);
    protobuf_put_bytes(out, 2, error->message);
    protobuf_put_bool(out, 3, error->temporary);
}

static void encode_nothing(struct writer *out, const void *value)
{
    (void)out;
    (void)value;
}

static void encode_info_push(struct writer *out, const void *value)
{
    protobuf_put_message(out, 1, encode_info, value);
}

static void encode_unsubscribe_push(struct writer *out, const void *value)
{
    const struct client_code_and_reason *push = value;
    protobuf_put_u64(out, 2, push->code);
    protobuf_put_bytes(out, 3, push->reason);
}

static void encode_disconnect_push(struct writer *out, const void *value)
{
    const struct client_code_and_reason *push = value;
    protobuf_put_u64(out, 1, push->code);
    protobuf_put_bytes(out, 2, push->reason);
}

static void encode_message_push(struct writer *out, const void *value)
{
    const struct client_message_push *push = value;
    protobuf_put_bytes(out, 1, push->data);
}

static void encode_subscribe_push(struct writer *out, const void *value)
{
    const struct client_subscribe_push *push = value;
    protobuf_put_bool(out, 1, push->recoverable);
    protobuf_put_bytes(out, 4, push->epoch);
    protobuf_put_u64(out, 5, push->offset);
    protobuf_put_bool(out, 6, push->positioned);
    protobuf_put_bytes(out, 7, push->data);
}

/* The number of a value within its envelope, and what writes it. */
struct encoding {
    uint32_t number;
    protobuf_encode_function *encode;
};

/* The values of a union all begin at one place, so that a kind needs its encoding alone. */
static void encode_push(struct writer *out, const void *value)
{
    static const struct encoding encodings[CLIENT_PUSH_COUNT] = {
        [CLIENT_PUSH_PUBLICATION] = {4, encode_publication},
        [CLIENT_PUSH_JOIN] = {5, encode_info_push},
        [CLIENT_PUSH_LEAVE] = {6, encode_info_push},
        [CLIENT_PUSH_UNSUBSCRIBE] = {7, encode_unsubscribe_push},
        [CLIENT_PUSH_MESSAGE] = {8, encode_message_push},
        [CLIENT_PUSH_SUBSCRIBE] = {9, encode_subscribe_push},
        [CLIENT_PUSH_CONNECT] = {10, encode_connect_push},
        [CLIENT_PUSH_DISCONNECT] = {11, encode_disconnect_push},
        [CLIENT_PUSH_REFRESH] = {12, encode_short_refresh},
    };
    const struct client_push *push = value;
    const struct encoding *encoding = &encodings[push->kind];
    protobuf_put_bytes(out, 2, push->channel);
    protobuf_put_message(out, encoding->number, encoding->encode, &push->publication);
}

static void encode_reply(struct writer *out, const void *value)
{
    static const struct encoding encodings[CLIENT_REPLY_COUNT] = {
        [CLIENT_REPLY_ERROR] = {2, encode_error},
        [CLIENT_REPLY_PUSH] = {4, encode_push},
        [CLIENT_REPLY_CONNECT] = {5, encode_connect},
        [CLIENT_REPLY_SUBSCRIBE] = {6, encode_subscribe},
        [CLIENT_REPLY_UNSUBSCRIBE] = {7, encode_nothing},
        [CLIENT_REPLY_PUBLISH] = {8, encode_nothing},
        [CLIENT_REPLY_PRESENCE] = {9, encode_presence},
        [CLIENT_REPLY_PRESENCE_STATS] = {10, encode_presence_stats},
        [CLIENT_REPLY_HISTORY] = {11, encode_history},
        [CLIENT_REPLY_RPC] = {13, encode_rpc},
        [CLIENT_REPLY_REFRESH] = {14, encode_refresh},
        [CLIENT_REPLY_SUB_REFRESH] = {15, encode_short_refresh},
    };
    const struct client_reply *reply = value;
    if (reply->kind == CLIENT_REPLY_PING) {
        return;
    }
    const struct encoding *encoding = &encodings[reply->kind];
    protobuf_put_u64(out, 1, reply->id);
    protobuf_put_message(out, encoding->number, encoding->encode, &reply->error);
}

void client_protobuf_encode_reply(struct writer *out, const struct client_reply *reply)
{
    protobuf_put_delimited(out, encode_reply, reply);
}

void client_protobuf_encode_push(struct writer *out, const struct client_push *push)
{
    protobuf_put_delimited(out, encode_push, push);
}
