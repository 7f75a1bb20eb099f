/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes the bodies of server API requests. */
#include "codec/api_json.h"

#include "codec/json_fields.h"

/* Fields that are given either as JSON or as base64, before it is decided between the two. */
struct publish_body {
    struct api_publish_request request;
    struct span b64data;
};

struct map_publish_body {
    struct api_map_publish_request request;
    struct span b64data;
};

struct shared_poll_publish_body {
    struct api_shared_poll_publish_request request;
    struct span b64data;
};

struct subscribe_body {
    struct api_subscribe_request request;
    struct span b64data;
    struct span b64info;
};

struct disconnect_body {
    struct api_disconnect_request request;
    bool has_disconnect;
};

struct empty_body {
    bool unused;
};

/* Where no field is required, people send no body at all. */
enum need { BODY_NEEDED, BODY_OPTIONAL };

static enum json_result decode(struct span body, struct scratch *scratch,
                               const struct json_fields *fields, enum need need, void *out)
{
    const enum json_result result = json_decode_fields(body, scratch, fields, out);
    return result == JSON_ERROR_EMPTY && need == BODY_OPTIONAL ? JSON_OK : result;
}

/* A request that is its fields, those of <name>_list, and nothing else. */
#define PLAIN_REQUEST(name, type, need) \
    enum json_result api_json_decode_##name(struct span body, struct scratch *scratch, \
                                            struct type *out) \
    { \
        static const struct json_fields fields = JSON_FIELDS(name##_list); \
        *out = (struct type){0}; \
        return decode(body, scratch, &fields, need, out); \
    }

/* One whose data are given either as JSON or as base64; the latter count. */
#define DATA_REQUEST(name, type, body_type) \
    enum json_result api_json_decode_##name(struct span body, struct scratch *scratch, \
                                            struct type *out) \
    { \
        static const struct json_fields fields = JSON_FIELDS(name##_list); \
        struct body_type decoded = {0}; \
        const enum json_result result = decode(body, scratch, &fields, BODY_NEEDED, &decoded); \
        *out = decoded.request; \
        if (decoded.b64data.len > 0) { \
            out->data = decoded.b64data; \
            out->data_is_binary = true; \
        } \
        return result; \
    }

/* publish and broadcast differ in one field; the other's is then unknown, and ignored. */
#define PUBLISH_FIELDS \
    JSON_FIELD(publish_body, "data", PAYLOAD, request.data), \
        JSON_FIELD(publish_body, "b64data", BASE64, b64data), \
        JSON_FIELD(publish_body, "skip_history", BOOL, request.skip_history), \
        JSON_FIELD(publish_body, "tags", MAP, request.tags), \
        JSON_FIELD(publish_body, "idempotency_key", STRING, request.idempotency_key), \
        JSON_FIELD(publish_body, "delta", BOOL, request.delta), \
        JSON_FIELD(publish_body, "version", U64, request.version), \
        JSON_FIELD(publish_body, "version_epoch", STRING, request.version_epoch)

static const struct json_field publish_list[] = {
    JSON_FIELD(publish_body, "channel", STRING, request.channel),
    PUBLISH_FIELDS,
};
DATA_REQUEST(publish, api_publish_request, publish_body)

static const struct json_field broadcast_list[] = {
    JSON_FIELD(publish_body, "channels", STRINGS, request.channels),
    PUBLISH_FIELDS,
};
DATA_REQUEST(broadcast, api_publish_request, publish_body)

static const struct json_field recover_since_list[] = {
    JSON_FIELD(subscribe_body, "offset", U64, request.recover_since_offset),
    JSON_FIELD(subscribe_body, "epoch", STRING, request.recover_since_epoch),
};
static const struct json_fields recover_since_fields = JSON_FIELDS(recover_since_list);

static const struct json_field subscribe_list[] = {
    JSON_FIELD(subscribe_body, "channel", STRING, request.channel),
    JSON_FIELD(subscribe_body, "user", STRING, request.user),
    JSON_FIELD(subscribe_body, "expire_at", I64, request.expire_at_s),
    JSON_FIELD(subscribe_body, "info", RAW, request.info),
    JSON_FIELD(subscribe_body, "b64info", BASE64, b64info),
    JSON_FIELD(subscribe_body, "client", STRING, request.client),
    JSON_FIELD(subscribe_body, "data", RAW, request.data),
    JSON_FIELD(subscribe_body, "b64data", BASE64, b64data),
    JSON_FIELD_OF_NESTED(subscribe_body, "recover_since", request.recover_since_present,
                         &recover_since_fields),
    JSON_FIELD(subscribe_body, "override", RAW_OBJECT, request.override),
    JSON_FIELD(subscribe_body, "session", STRING, request.session),
};
static const struct json_fields subscribe_fields = JSON_FIELDS(subscribe_list);

enum json_result api_json_decode_subscribe(struct span body, struct scratch *scratch,
                                           struct api_subscribe_request *out)
{
    struct subscribe_body subscribe = {0};
    enum json_result result = json_decode_fields(body, scratch, &subscribe_fields, &subscribe);
    *out = subscribe.request;
    if (subscribe.b64data.len > 0) {
        out->data = subscribe.b64data;
    }
    if (subscribe.b64info.len > 0) {
        out->info = subscribe.b64info;
    }
    return result;
}

static const struct json_field unsubscribe_list[] = {
    JSON_FIELD(api_unsubscribe_request, "channel", STRING, channel),
    JSON_FIELD(api_unsubscribe_request, "user", STRING, user),
    JSON_FIELD(api_unsubscribe_request, "client", STRING, client),
    JSON_FIELD(api_unsubscribe_request, "session", STRING, session),
};
PLAIN_REQUEST(unsubscribe, api_unsubscribe_request, BODY_NEEDED)

static const struct json_field code_and_reason_list[] = {
    JSON_FIELD(disconnect_body, "code", U32, request.code),
    JSON_FIELD(disconnect_body, "reason", STRING, request.reason),
};
static const struct json_fields code_and_reason_fields = JSON_FIELDS(code_and_reason_list);

static const struct json_field disconnect_list[] = {
    JSON_FIELD(disconnect_body, "user", STRING, request.user),
    JSON_FIELD_OF_NESTED(disconnect_body, "disconnect", has_disconnect, &code_and_reason_fields),
    JSON_FIELD(disconnect_body, "client", STRING, request.client),
    JSON_FIELD(disconnect_body, "whitelist", STRINGS, request.whitelist),
    JSON_FIELD(disconnect_body, "session", STRING, request.session),
};
static const struct json_fields disconnect_fields = JSON_FIELDS(disconnect_list);

enum json_result api_json_decode_disconnect(struct span body, struct scratch *scratch,
                                            struct api_disconnect_request *out)
{
    struct disconnect_body disconnect = {0};
    enum json_result result = json_decode_fields(body, scratch, &disconnect_fields, &disconnect);
    *out = disconnect.request;
    if (out->code == 0) {
        out->code = CLIENT_DISCONNECT_FORCE;
    }
    /* SDKs take a close without a reason for a broken network, so that there must be one. */
    if (out->reason.len == 0) {
        out->reason = client_disconnect_reason(out->code);
    }
    if (out->reason.len == 0) {
        out->reason = client_disconnect_reason(CLIENT_DISCONNECT_FORCE);
    }
    return result;
}

static const struct json_field refresh_list[] = {
    JSON_FIELD(api_refresh_request, "user", STRING, user),
    JSON_FIELD(api_refresh_request, "client", STRING, client),
    JSON_FIELD(api_refresh_request, "expired", BOOL, expired),
    JSON_FIELD(api_refresh_request, "expire_at", I64, expire_at_s),
    JSON_FIELD(api_refresh_request, "info", RAW, info),
    JSON_FIELD(api_refresh_request, "session", STRING, session),
};
PLAIN_REQUEST(refresh, api_refresh_request, BODY_NEEDED)

static const struct json_field channel_list[] = {
    JSON_FIELD(api_channel_request, "channel", STRING, channel),
};
PLAIN_REQUEST(channel, api_channel_request, BODY_NEEDED)

static const struct json_field since_list[] = {
    JSON_FIELD(api_history_request, "offset", U64, since_offset),
    JSON_FIELD(api_history_request, "epoch", STRING, since_epoch),
};
static const struct json_fields since_fields = JSON_FIELDS(since_list);

static const struct json_field history_list[] = {
    JSON_FIELD(api_history_request, "channel", STRING, channel),
    JSON_FIELD(api_history_request, "limit", I32, limit),
    JSON_FIELD_OF_NESTED(api_history_request, "since", since_present, &since_fields),
    JSON_FIELD(api_history_request, "reverse", BOOL, reverse),
};
PLAIN_REQUEST(history, api_history_request, BODY_NEEDED)

static const struct json_field channels_list[] = {
    JSON_FIELD(api_channels_request, "pattern", STRING, pattern),
};
PLAIN_REQUEST(channels, api_channels_request, BODY_OPTIONAL)

static const struct json_field map_publish_list[] = {
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
DATA_REQUEST(map_publish, api_map_publish_request, map_publish_body)

static const struct json_field map_remove_list[] = {
    JSON_FIELD(api_map_publish_request, "channel", STRING, channel),
    JSON_FIELD(api_map_publish_request, "key", STRING, key),
    JSON_FIELD(api_map_publish_request, "idempotency_key", STRING, idempotency_key),
};
PLAIN_REQUEST(map_remove, api_map_publish_request, BODY_NEEDED)

static const struct json_field map_read_state_list[] = {
    JSON_FIELD(api_map_read_state_request, "channel", STRING, channel),
    JSON_FIELD(api_map_read_state_request, "cursor", STRING, cursor),
    JSON_FIELD(api_map_read_state_request, "limit", I32, limit),
    JSON_FIELD(api_map_read_state_request, "key", STRING, key),
    JSON_FIELD(api_map_read_state_request, "asc", BOOL, asc),
    JSON_FIELD(api_map_read_state_request, "revision_offset", U64, revision_offset),
    JSON_FIELD(api_map_read_state_request, "revision_epoch", STRING, revision_epoch),
};
PLAIN_REQUEST(map_read_state, api_map_read_state_request, BODY_NEEDED)

static const struct json_field map_read_stream_list[] = {
    JSON_FIELD(api_map_read_stream_request, "channel", STRING, channel),
    JSON_FIELD(api_map_read_stream_request, "since_offset", U64, since_offset),
    JSON_FIELD(api_map_read_stream_request, "since_epoch", STRING, since_epoch),
    JSON_FIELD(api_map_read_stream_request, "limit", I32, limit),
    JSON_FIELD(api_map_read_stream_request, "reverse", BOOL, reverse),
};
PLAIN_REQUEST(map_read_stream, api_map_read_stream_request, BODY_NEEDED)

static const struct json_field shared_poll_publish_list[] = {
    JSON_FIELD(shared_poll_publish_body, "channel", STRING, request.channel),
    JSON_FIELD(shared_poll_publish_body, "key", STRING, request.key),
    JSON_FIELD(shared_poll_publish_body, "data", PAYLOAD, request.data),
    JSON_FIELD(shared_poll_publish_body, "b64data", BASE64, b64data),
    JSON_FIELD(shared_poll_publish_body, "version", U64, request.version),
    JSON_FIELD(shared_poll_publish_body, "epoch", STRING, request.epoch),
};
DATA_REQUEST(shared_poll_publish, api_shared_poll_publish_request, shared_poll_publish_body)

enum json_result api_json_decode_info(struct span body)
{
    static const struct json_fields no_fields = {NULL, 0};
    struct scratch scratch = scratch_of(NULL, 0);
    struct empty_body unused;
    return decode(body, &scratch, &no_fields, BODY_OPTIONAL, &unused);
}

static const struct json_field connections_list[] = {
    JSON_FIELD(api_connections_request, "user", STRING, user),
    JSON_FIELD(api_connections_request, "channel", STRING, channel),
    JSON_FIELD(api_connections_request, "cursor", STRING, cursor),
    JSON_FIELD(api_connections_request, "limit", U32, limit),
    JSON_FIELD(api_connections_request, "expression", STRING, expression),
    JSON_FIELD(api_connections_request, "label_filter", RAW, label_filter),
};
PLAIN_REQUEST(connections, api_connections_request, BODY_OPTIONAL)

static const struct json_field revoke_list[] = {
    JSON_FIELD(api_revoke_request, "uid", STRING, uid),
    JSON_FIELD(api_revoke_request, "user", STRING, user),
    JSON_FIELD(api_revoke_request, "channel", STRING, channel),
    JSON_FIELD(api_revoke_request, "issued_before", I64, issued_before_s),
    JSON_FIELD(api_revoke_request, "expire_at", I64, expire_at_s),
};
PLAIN_REQUEST(revoke, api_revoke_request, BODY_NEEDED)

static const struct json_field batch_list[] = {
    JSON_FIELD(api_batch_request, "commands", RAW_ARRAY, commands),
    JSON_FIELD(api_batch_request, "parallel", BOOL, parallel),
};
PLAIN_REQUEST(batch, api_batch_request, BODY_NEEDED)

enum json_result api_json_next_command(struct json_reader *reader, struct api_command *out)
{
    struct span key;
    enum json_result result = json_next_element(reader);
    *out = (struct api_command){.method = API_METHOD_COUNT};
    if (result == JSON_OK) {
        result = json_enter_object(reader);
    }
    if (result != JSON_OK) {
        return result;
    }
    while ((result = json_next_member(reader, &key)) == JSON_OK) {
        const enum api_method method = api_method_of(key);
        if (method == API_METHOD_COUNT || out->method != API_METHOD_COUNT) {
            result = json_skip_value(reader);
        } else if (!json_read_null(reader)) {
            out->method = method;
            result = json_read_raw(reader, &out->params);
        }
        if (result != JSON_OK) {
            return result;
        }
    }
    return result == JSON_DONE ? JSON_OK : result;
}

struct line_body {
    struct span method;
    struct span params;
};

static const struct json_field line_list[] = {
    JSON_FIELD(line_body, "method", STRING, method),
    JSON_FIELD(line_body, "params", RAW_OBJECT, params),
};
static const struct json_fields line_fields = JSON_FIELDS(line_list);

enum json_result api_json_decode_line(struct span line, struct scratch *scratch,
                                      struct api_command *out)
{
    struct line_body body = {0};
    const enum json_result result = json_decode_fields(line, scratch, &line_fields, &body);
    *out = (struct api_command){.method = api_method_of(body.method), .params = body.params};
    return result;
}
