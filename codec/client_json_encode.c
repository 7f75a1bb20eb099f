/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes replies and pushes of the client protocol in JSON, fields in the order of the schema. */
#include "codec/client_json.h"

#define KEY(text) SPAN_LITERAL(text)

void client_json_write_info(struct json_writer *json, const struct client_info *info)
{
    json_write_object_begin(json);
    JSON_WRITE_KEY(json, "user");
    json_write_string(json, info->user);
    JSON_WRITE_KEY(json, "client");
    json_write_string(json, info->client);
    json_write_field_raw(json, KEY("conn_info"), info->conn_info);
    json_write_field_raw(json, KEY("chan_info"), info->chan_info);
    json_write_object_end(json);
}

void client_json_write_publication(struct json_writer *json,
                                   const struct client_publication *publication)
{
    json_write_object_begin(json);
    json_write_field_raw(json, KEY("data"), publication->data);
    if (publication->info != NULL) {
        JSON_WRITE_KEY(json, "info");
        client_json_write_info(json, publication->info);
    }
    json_write_field_u64(json, KEY("offset"), publication->offset);
    json_write_field_raw(json, KEY("tags"), publication->tags);
    json_write_field_bool(json, KEY("delta"), publication->delta);
    json_write_field_i64(json, KEY("time"), publication->time_ms);
    json_write_field_string(json, KEY("channel"), publication->channel);
    json_write_field_string(json, KEY("key"), publication->key);
    json_write_field_bool(json, KEY("removed"), publication->removed);
    json_write_field_i64(json, KEY("score"), publication->score);
    json_write_field_string(json, KEY("epoch"), publication->epoch);
    json_write_field_u64(json, KEY("version"), publication->version);
    json_write_object_end(json);
}

static void write_publications(struct json_writer *json,
                               const struct client_publication *publications, size_t count)
{
    json_write_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        client_json_write_publication(json, &publications[i]);
    }
    json_write_array_end(json);
}

void client_json_write_presence(struct json_writer *json,
                                const struct client_presence_result *result)
{
    json_write_object_begin(json);
    JSON_WRITE_KEY(json, "presence");
    json_write_object_begin(json);
    for (size_t i = 0; i < result->client_count; i++) {
        json_write_key_text(json, result->clients[i].client);
        client_json_write_info(json, &result->clients[i]);
    }
    json_write_object_end(json);
    json_write_object_end(json);
}

void client_json_write_presence_stats(struct json_writer *json,
                                      const struct client_presence_stats_result *result)
{
    json_write_object_begin(json);
    JSON_WRITE_KEY(json, "num_clients");
    json_write_u64(json, result->client_count);
    JSON_WRITE_KEY(json, "num_users");
    json_write_u64(json, result->user_count);
    json_write_object_end(json);
}

void client_json_write_history(struct json_writer *json, const struct client_history_result *result)
{
    json_write_object_begin(json);
    JSON_WRITE_KEY(json, "publications");
    write_publications(json, result->publications, result->publication_count);
    JSON_WRITE_KEY(json, "epoch");
    json_write_string(json, result->epoch);
    JSON_WRITE_KEY(json, "offset");
    json_write_u64(json, result->offset);
    json_write_object_end(json);
}

static void write_subscribe(struct json_writer *json, const struct client_subscribe_result *result)
{
    json_write_object_begin(json);
    json_write_field_bool(json, KEY("expires"), result->expires);
    json_write_field_u64(json, KEY("ttl"), result->ttl_s);
    json_write_field_bool(json, KEY("recoverable"), result->recoverable);
    json_write_field_string(json, KEY("epoch"), result->epoch);
    if (result->publication_count > 0) {
        JSON_WRITE_KEY(json, "publications");
        write_publications(json, result->publications, result->publication_count);
    }
    json_write_field_bool(json, KEY("recovered"), result->recovered);
    json_write_field_u64(json, KEY("offset"), result->offset);
    json_write_field_bool(json, KEY("positioned"), result->positioned);
    json_write_field_raw(json, KEY("data"), result->data);
    json_write_field_bool(json, KEY("was_recovering"), result->was_recovering);
    json_write_field_bool(json, KEY("delta"), result->delta);
    json_write_field_i64(json, KEY("id"), result->id);
    json_write_field_i64(json, KEY("type"), result->type);
    json_write_field_i64(json, KEY("phase"), result->phase);
    json_write_field_string(json, KEY("cursor"), result->cursor);
    if (result->state_count > 0) {
        JSON_WRITE_KEY(json, "state");
        write_publications(json, result->state, result->state_count);
    }
    json_write_field_u64(json, KEY("publish_debounce"), result->publish_debounce_ms);
    json_write_object_end(json);
}

static void write_connect(struct json_writer *json, const struct client_connect_result *result)
{
    json_write_object_begin(json);
    json_write_field_string(json, KEY("client"), result->client);
    json_write_field_string(json, KEY("version"), result->version);
    json_write_field_bool(json, KEY("expires"), result->expires);
    json_write_field_u64(json, KEY("ttl"), result->ttl_s);
    json_write_field_raw(json, KEY("data"), result->data);
    if (result->sub_count > 0) {
        JSON_WRITE_KEY(json, "subs");
        json_write_object_begin(json);
        for (size_t i = 0; i < result->sub_count; i++) {
            json_write_key_text(json, result->subs[i].channel);
            write_subscribe(json, &result->subs[i].result);
        }
        json_write_object_end(json);
    }
    json_write_field_u64(json, KEY("ping"), result->ping_s);
    json_write_field_bool(json, KEY("pong"), result->pong);
    json_write_field_string(json, KEY("session"), result->session);
    json_write_field_string(json, KEY("node"), result->node);
    json_write_field_i64(json, KEY("time"), result->time_ms);
    json_write_object_end(json);
}

static void write_refresh(struct json_writer *json, const struct client_refresh_result *result)
{
    json_write_object_begin(json);
    json_write_field_string(json, KEY("client"), result->client);
    json_write_field_string(json, KEY("version"), result->version);
    json_write_field_bool(json, KEY("expires"), result->expires);
    json_write_field_u64(json, KEY("ttl"), result->ttl_s);
    json_write_object_end(json);
}

static void write_error(struct json_writer *json, const struct client_error_reply *error)
{
    json_write_object_begin(json);
    json_write_field_u64(json, KEY("code"), error->code);
    json_write_field_string(json, KEY("message"), error->message);
    json_write_field_bool(json, KEY("temporary"), error->temporary);
    json_write_object_end(json);
}

static void write_data(struct json_writer *json, struct span data)
{
    json_write_object_begin(json);
    json_write_field_raw(json, KEY("data"), data);
    json_write_object_end(json);
}

static void write_empty(struct json_writer *json)
{
    json_write_object_begin(json);
    json_write_object_end(json);
}

static void write_info_push(struct json_writer *json, const struct client_info *info)
{
    json_write_object_begin(json);
    JSON_WRITE_KEY(json, "info");
    client_json_write_info(json, info);
    json_write_object_end(json);
}

static void write_code_and_reason(struct json_writer *json,
                                  const struct client_code_and_reason *value)
{
    json_write_object_begin(json);
    json_write_field_u64(json, KEY("code"), value->code);
    json_write_field_string(json, KEY("reason"), value->reason);
    json_write_object_end(json);
}

static void write_subscribe_push(struct json_writer *json, const struct client_subscribe_push *push)
{
    json_write_object_begin(json);
    json_write_field_bool(json, KEY("recoverable"), push->recoverable);
    json_write_field_string(json, KEY("epoch"), push->epoch);
    json_write_field_u64(json, KEY("offset"), push->offset);
    json_write_field_bool(json, KEY("positioned"), push->positioned);
    json_write_field_raw(json, KEY("data"), push->data);
    json_write_object_end(json);
}

static void write_push(struct json_writer *json, const struct client_push *push)
{
    static const char *const names[CLIENT_PUSH_COUNT] = {
        [CLIENT_PUSH_PUBLICATION] = "pub", [CLIENT_PUSH_JOIN] = "join",
        [CLIENT_PUSH_LEAVE] = "leave",     [CLIENT_PUSH_UNSUBSCRIBE] = "unsubscribe",
        [CLIENT_PUSH_MESSAGE] = "message", [CLIENT_PUSH_SUBSCRIBE] = "subscribe",
        [CLIENT_PUSH_CONNECT] = "connect", [CLIENT_PUSH_DISCONNECT] = "disconnect",
        [CLIENT_PUSH_REFRESH] = "refresh",
    };
    json_write_object_begin(json);
    json_write_field_string(json, KEY("channel"), push->channel);
    json_write_key(json, span_of_text(names[push->kind]));
    switch (push->kind) {
    case CLIENT_PUSH_PUBLICATION:
        client_json_write_publication(json, &push->publication);
        break;
    case CLIENT_PUSH_JOIN:
        write_info_push(json, &push->join);
        break;
    case CLIENT_PUSH_LEAVE:
        write_info_push(json, &push->leave);
        break;
    case CLIENT_PUSH_UNSUBSCRIBE:
        write_code_and_reason(json, &push->unsubscribe);
        break;
    case CLIENT_PUSH_MESSAGE:
        write_data(json, push->message.data);
        break;
    case CLIENT_PUSH_SUBSCRIBE:
        write_subscribe_push(json, &push->subscribe);
        break;
    case CLIENT_PUSH_CONNECT:
        write_connect(json, &push->connect);
        break;
    case CLIENT_PUSH_DISCONNECT:
        write_code_and_reason(json, &push->disconnect);
        break;
    case CLIENT_PUSH_REFRESH:
        write_refresh(json, &push->refresh);
        break;
    case CLIENT_PUSH_COUNT:
        break;
    }
    json_write_object_end(json);
}

void client_json_encode_push(struct writer *out, const struct client_push *push)
{
    struct json_writer json = json_writer_of(out);
    write_push(&json, push);
}

static void write_reply_value(struct json_writer *json, const struct client_reply *reply)
{
    switch (reply->kind) {
    case CLIENT_REPLY_ERROR:
        write_error(json, &reply->error);
        break;
    case CLIENT_REPLY_PUSH:
        write_push(json, &reply->push);
        break;
    case CLIENT_REPLY_CONNECT:
        write_connect(json, &reply->connect);
        break;
    case CLIENT_REPLY_SUBSCRIBE:
        write_subscribe(json, &reply->subscribe);
        break;
    case CLIENT_REPLY_PRESENCE:
        client_json_write_presence(json, &reply->presence);
        break;
    case CLIENT_REPLY_PRESENCE_STATS:
        client_json_write_presence_stats(json, &reply->presence_stats);
        break;
    case CLIENT_REPLY_HISTORY:
        client_json_write_history(json, &reply->history);
        break;
    case CLIENT_REPLY_RPC:
        write_data(json, reply->rpc.data);
        break;
    case CLIENT_REPLY_REFRESH:
        write_refresh(json, &reply->refresh);
        break;
    case CLIENT_REPLY_SUB_REFRESH:
        write_refresh(json, &reply->sub_refresh);
        break;
    case CLIENT_REPLY_UNSUBSCRIBE:
    case CLIENT_REPLY_PUBLISH:
    case CLIENT_REPLY_PING:
    case CLIENT_REPLY_COUNT:
        write_empty(json);
        break;
    }
}

void client_json_encode_reply(struct writer *out, const struct client_reply *reply)
{
    static const char *const names[CLIENT_REPLY_COUNT] = {
        [CLIENT_REPLY_ERROR] = "error",
        [CLIENT_REPLY_PUSH] = "push",
        [CLIENT_REPLY_CONNECT] = "connect",
        [CLIENT_REPLY_SUBSCRIBE] = "subscribe",
        [CLIENT_REPLY_UNSUBSCRIBE] = "unsubscribe",
        [CLIENT_REPLY_PUBLISH] = "publish",
        [CLIENT_REPLY_PRESENCE] = "presence",
        [CLIENT_REPLY_PRESENCE_STATS] = "presence_stats",
        [CLIENT_REPLY_HISTORY] = "history",
        [CLIENT_REPLY_RPC] = "rpc",
        [CLIENT_REPLY_REFRESH] = "refresh",
        [CLIENT_REPLY_SUB_REFRESH] = "sub_refresh",
    };
    if (reply->kind == CLIENT_REPLY_PING) {
        writer_put_literal(out, CLIENT_JSON_PING);
        return;
    }
    struct json_writer json = json_writer_of(out);
    json_write_object_begin(&json);
    json_write_field_u64(&json, KEY("id"), reply->id);
    json_write_key(&json, span_of_text(names[reply->kind]));
    write_reply_value(&json, reply);
    json_write_object_end(&json);
}
