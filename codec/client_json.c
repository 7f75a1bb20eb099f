/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes frames and commands of the client protocol in JSON. */
#include "codec/client_json.h"

#include "codec/json_fields.h"

void client_json_lines_begin(struct client_json_lines *lines, struct span frame)
{
    *lines = (struct client_json_lines){.rest = frame, .started = false};
}

enum json_result client_json_lines_next(struct client_json_lines *lines, struct span *line)
{
    if (lines->rest.len == 0) {
        return lines->started ? JSON_DONE : JSON_ERROR_EMPTY;
    }
    size_t len = span_index_of(lines->rest, '\n');
    if (len == 0) {
        return JSON_ERROR_EMPTY;
    }
    *line = span_of(lines->rest.at, len);
    lines->rest = span_skip(lines->rest, len + 1);
    lines->started = true;
    return JSON_OK;
}

static const struct json_field subscribe_list[] = {
    JSON_FIELD(client_subscribe_request, "channel", STRING, channel),
    JSON_FIELD(client_subscribe_request, "token", STRING, token),
    JSON_FIELD(client_subscribe_request, "recover", BOOL, recover),
    JSON_FIELD(client_subscribe_request, "epoch", STRING, epoch),
    JSON_FIELD(client_subscribe_request, "offset", U64, offset),
    JSON_FIELD(client_subscribe_request, "data", RAW, data),
    JSON_FIELD(client_subscribe_request, "positioned", BOOL, positioned),
    JSON_FIELD(client_subscribe_request, "recoverable", BOOL, recoverable),
    JSON_FIELD(client_subscribe_request, "join_leave", BOOL, join_leave),
    JSON_FIELD(client_subscribe_request, "delta", STRING, delta),
    JSON_FIELD(client_subscribe_request, "tf", RAW_OBJECT, tf),
    JSON_FIELD(client_subscribe_request, "flag", I64, flag),
    JSON_FIELD(client_subscribe_request, "type", I32, type),
    JSON_FIELD(client_subscribe_request, "phase", I32, phase),
    JSON_FIELD(client_subscribe_request, "cursor", STRING, cursor),
    JSON_FIELD(client_subscribe_request, "limit", I32, limit),
    JSON_FIELD(client_subscribe_request, "asc", BOOL, asc),
};
static const struct json_fields subscribe_fields = JSON_FIELDS(subscribe_list);

/* One entry of `subs`; a channel whose request is null asks for nothing in particular. */
static enum json_result read_sub(struct json_reader *reader, struct scratch *scratch,
                                 struct client_subscribe_request *out)
{
    *out = (struct client_subscribe_request){0};
    return json_read_null(reader) ? JSON_OK
                                  : json_read_fields(reader, scratch, &subscribe_fields, out);
}

/* Checks each entry as if it were to be kept, but keeps the slice alone. */
static enum json_result read_subs(struct json_reader *reader, struct scratch *scratch, void *at)
{
    if (json_read_null(reader)) {
        return JSON_OK;
    }
    enum json_result result = json_enter_object(reader);
    if (result != JSON_OK) {
        return result;
    }
    const uint8_t *start = reader->at - 1;
    struct span key_raw;
    while ((result = json_next_member(reader, &key_raw)) == JSON_OK) {
        struct scratch unused = *scratch;
        struct client_subscribe_request request;
        struct span channel;
        result = json_key_decode(key_raw, &unused, &channel);
        if (result == JSON_OK) {
            result = read_sub(reader, &unused, &request);
        }
        if (result != JSON_OK) {
            return result;
        }
    }
    if (result != JSON_DONE) {
        return result;
    }
    *(struct span *)at = span_between(start, reader->at);
    return JSON_OK;
}

static const struct json_field connect_list[] = {
    JSON_FIELD(client_connect_request, "token", STRING, token),
    JSON_FIELD(client_connect_request, "data", RAW, data),
    JSON_FIELD_READ_BY(client_connect_request, "subs", subs, read_subs),
    JSON_FIELD(client_connect_request, "name", STRING, name),
    JSON_FIELD(client_connect_request, "version", STRING, version),
    JSON_FIELD(client_connect_request, "headers", MAP, headers),
    JSON_FIELD(client_connect_request, "flag", I64, flag),
};

static const struct json_field channel_list[] = {
    JSON_FIELD(client_channel_request, "channel", STRING, channel),
};

static const struct json_field publish_list[] = {
    JSON_FIELD(client_publish_request, "channel", STRING, channel),
    JSON_FIELD(client_publish_request, "data", PAYLOAD, data),
    JSON_FIELD(client_publish_request, "type", I32, type),
    JSON_FIELD(client_publish_request, "key", STRING, key),
    JSON_FIELD(client_publish_request, "removed", BOOL, removed),
};

static const struct json_field since_list[] = {
    JSON_FIELD(client_history_request, "offset", U64, since_offset),
    JSON_FIELD(client_history_request, "epoch", STRING, since_epoch),
};
static const struct json_fields since_fields = JSON_FIELDS(since_list);

static const struct json_field history_list[] = {
    JSON_FIELD(client_history_request, "channel", STRING, channel),
    JSON_FIELD(client_history_request, "limit", I32, limit),
    JSON_FIELD_OF_NESTED(client_history_request, "since", since_present, &since_fields),
    JSON_FIELD(client_history_request, "reverse", BOOL, reverse),
};

static const struct json_field rpc_list[] = {
    JSON_FIELD(client_rpc_request, "data", RAW, data),
    JSON_FIELD(client_rpc_request, "method", STRING, method),
};

static const struct json_field send_list[] = {
    JSON_FIELD(client_send_request, "data", RAW, data),
};

static const struct json_field refresh_list[] = {
    JSON_FIELD(client_refresh_request, "token", STRING, token),
};

static const struct json_field sub_refresh_list[] = {
    JSON_FIELD(client_sub_refresh_request, "channel", STRING, channel),
    JSON_FIELD(client_sub_refresh_request, "token", STRING, token),
    JSON_FIELD(client_sub_refresh_request, "type", I32, type),
    JSON_FIELD(client_sub_refresh_request, "track", RAW_ARRAY, track),
    JSON_FIELD(client_sub_refresh_request, "untrack", STRINGS, untrack),
};

static const struct json_field emulation_list[] = {
    JSON_FIELD(client_emulation_request, "node", STRING, node),
    JSON_FIELD(client_emulation_request, "session", STRING, session),
    JSON_FIELD(client_emulation_request, "data", STRING, data),
};
static const struct json_fields emulation_fields = JSON_FIELDS(emulation_list);

/* The requests of a union all begin at one place, so that a method needs its fields alone. */
static const struct json_fields request_fields[CLIENT_METHOD_COUNT] = {
    [CLIENT_METHOD_CONNECT] = JSON_FIELDS(connect_list),
    [CLIENT_METHOD_SUBSCRIBE] = JSON_FIELDS(subscribe_list),
    [CLIENT_METHOD_UNSUBSCRIBE] = JSON_FIELDS(channel_list),
    [CLIENT_METHOD_PUBLISH] = JSON_FIELDS(publish_list),
    [CLIENT_METHOD_PRESENCE] = JSON_FIELDS(channel_list),
    [CLIENT_METHOD_PRESENCE_STATS] = JSON_FIELDS(channel_list),
    [CLIENT_METHOD_HISTORY] = JSON_FIELDS(history_list),
    [CLIENT_METHOD_RPC] = JSON_FIELDS(rpc_list),
    [CLIENT_METHOD_SEND] = JSON_FIELDS(send_list),
    [CLIENT_METHOD_REFRESH] = JSON_FIELDS(refresh_list),
    [CLIENT_METHOD_SUB_REFRESH] = JSON_FIELDS(sub_refresh_list),
    [CLIENT_METHOD_PING] = {NULL, 0},
};

/* The fields of a command; `id` stands where the enum has the pong, which has no field. */
static const struct span command_names[CLIENT_METHOD_COUNT] = {
    [CLIENT_METHOD_PONG] = JSON_FIELD_NAME("id"),
    [CLIENT_METHOD_CONNECT] = JSON_FIELD_NAME("connect"),
    [CLIENT_METHOD_SUBSCRIBE] = JSON_FIELD_NAME("subscribe"),
    [CLIENT_METHOD_UNSUBSCRIBE] = JSON_FIELD_NAME("unsubscribe"),
    [CLIENT_METHOD_PUBLISH] = JSON_FIELD_NAME("publish"),
    [CLIENT_METHOD_PRESENCE] = JSON_FIELD_NAME("presence"),
    [CLIENT_METHOD_PRESENCE_STATS] = JSON_FIELD_NAME("presence_stats"),
    [CLIENT_METHOD_HISTORY] = JSON_FIELD_NAME("history"),
    [CLIENT_METHOD_RPC] = JSON_FIELD_NAME("rpc"),
    [CLIENT_METHOD_SEND] = JSON_FIELD_NAME("send"),
    [CLIENT_METHOD_REFRESH] = JSON_FIELD_NAME("refresh"),
    [CLIENT_METHOD_SUB_REFRESH] = JSON_FIELD_NAME("sub_refresh"),
    [CLIENT_METHOD_PING] = JSON_FIELD_NAME("ping"),
};

/* A request that another one outranks is read all the same: a wrong type in it is an error. */
static enum json_result read_request(struct json_reader *reader, struct scratch *scratch,
                                     enum client_method method, struct client_command *out)
{
    if (json_read_null(reader)) {
        return JSON_OK;
    }
    struct client_command outranked;
    struct client_command *command = out;
    if (out->method == CLIENT_METHOD_PONG || method < out->method) {
        *out = (struct client_command){.id = out->id, .method = method};
    } else if (method > out->method) {
        outranked = (struct client_command){.method = method};
        command = &outranked;
    }
    return json_read_fields(reader, scratch, &request_fields[method], &command->connect);
}

enum json_result client_json_decode_command(struct span line, struct scratch *scratch,
                                            struct client_command *out)
{
    *out = (struct client_command){.method = CLIENT_METHOD_PONG};
    struct json_reader reader;
    json_reader_begin(&reader, line);
    enum json_result result = json_enter_object(&reader);
    if (result != JSON_OK) {
        return result;
    }
    struct span key;
    while ((result = json_next_member(&reader, &key)) == JSON_OK) {
        size_t found = json_key_find(key, command_names, CLIENT_METHOD_COUNT);
        if (found == CLIENT_METHOD_COUNT) {
            result = json_skip_value(&reader);
        } else if (found == CLIENT_METHOD_PONG) {
            result = json_read_u32(&reader, &out->id);
        } else {
            result = read_request(&reader, scratch, (enum client_method)found, out);
        }
        if (result != JSON_OK) {
            return result;
        }
    }
    return result == JSON_DONE ? json_reader_end(&reader) : result;
}

enum json_result client_json_decode_connect(struct span text, struct scratch *scratch,
                                            struct client_connect_request *out)
{
    *out = (struct client_connect_request){0};
    return json_decode_fields(text, scratch, &request_fields[CLIENT_METHOD_CONNECT], out);
}

enum json_result client_json_decode_emulation(struct span text, struct scratch *scratch,
                                              struct client_emulation_request *out)
{
    *out = (struct client_emulation_request){0};
    return json_decode_fields(text, scratch, &emulation_fields, out);
}

void client_json_subs_begin(struct json_walk *walk, struct span subs)
{
    json_map_begin(walk, subs);
}

enum json_result client_json_subs_next(struct json_walk *walk, struct scratch *scratch,
                                       struct client_subscribe_request *request)
{
    if (walk->empty) {
        return JSON_DONE;
    }
    struct span key_raw;
    struct span channel;
    enum json_result result = json_next_member(&walk->reader, &key_raw);
    if (result != JSON_OK) {
        walk->empty = result == JSON_DONE;
        return result;
    }
    result = json_key_decode(key_raw, scratch, &channel);
    if (result == JSON_OK) {
        result = read_sub(&walk->reader, scratch, request);
        request->channel = channel;
    }
    return result;
}
