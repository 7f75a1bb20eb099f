/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes the bodies of server API requests. */
#include "codec/api_json.h"

#include "codec/json_fields.h"

/* Fields that are given either as JSON or as base64, before it is decided between the two. */
struct publish_body {
    struct api_publish_request request;
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
static const struct json_fields publish_fields = JSON_FIELDS(publish_list);

static const struct json_field broadcast_list[] = {
    JSON_FIELD(publish_body, "channels", STRINGS, request.channels),
    PUBLISH_FIELDS,
};
static const struct json_fields broadcast_fields = JSON_FIELDS(broadcast_list);

static enum json_result decode_publish(struct span text, struct scratch *scratch,
                                       const struct json_fields *fields,
                                       struct api_publish_request *out)
{
    struct publish_body body = {0};
    enum json_result result = json_decode_fields(text, scratch, fields, &body);
    *out = body.request;
    if (body.b64data.len > 0) {
        out->data = body.b64data;
        out->data_is_binary = true;
    }
    return result;
}

enum json_result api_json_decode_publish(struct span body, struct scratch *scratch,
                                         struct api_publish_request *out)
{
    return decode_publish(body, scratch, &publish_fields, out);
}

enum json_result api_json_decode_broadcast(struct span body, struct scratch *scratch,
                                           struct api_publish_request *out)
{
    return decode_publish(body, scratch, &broadcast_fields, out);
}

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
static const struct json_fields unsubscribe_fields = JSON_FIELDS(unsubscribe_list);

enum json_result api_json_decode_unsubscribe(struct span body, struct scratch *scratch,
                                             struct api_unsubscribe_request *out)
{
    *out = (struct api_unsubscribe_request){0};
    return json_decode_fields(body, scratch, &unsubscribe_fields, out);
}

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
static const struct json_fields refresh_fields = JSON_FIELDS(refresh_list);

enum json_result api_json_decode_refresh(struct span body, struct scratch *scratch,
                                         struct api_refresh_request *out)
{
    *out = (struct api_refresh_request){0};
    return json_decode_fields(body, scratch, &refresh_fields, out);
}

static const struct json_field channel_list[] = {
    JSON_FIELD(api_channel_request, "channel", STRING, channel),
};
static const struct json_fields channel_fields = JSON_FIELDS(channel_list);

enum json_result api_json_decode_channel(struct span body, struct scratch *scratch,
                                         struct api_channel_request *out)
{
    *out = (struct api_channel_request){0};
    return json_decode_fields(body, scratch, &channel_fields, out);
}

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
static const struct json_fields history_fields = JSON_FIELDS(history_list);

enum json_result api_json_decode_history(struct span body, struct scratch *scratch,
                                         struct api_history_request *out)
{
    *out = (struct api_history_request){0};
    return json_decode_fields(body, scratch, &history_fields, out);
}

/* Where no field is required, people send no body at all. */
static enum json_result empty_is_ok(enum json_result result)
{
    return result == JSON_ERROR_EMPTY ? JSON_OK : result;
}

static const struct json_field channels_list[] = {
    JSON_FIELD(api_channels_request, "pattern", STRING, pattern),
};
static const struct json_fields channels_fields = JSON_FIELDS(channels_list);

enum json_result api_json_decode_channels(struct span body, struct scratch *scratch,
                                          struct api_channels_request *out)
{
    *out = (struct api_channels_request){0};
    return empty_is_ok(json_decode_fields(body, scratch, &channels_fields, out));
}

struct shared_poll_publish_body {
    struct api_shared_poll_publish_request request;
    struct span b64data;
};

static const struct json_field shared_poll_publish_list[] = {
    JSON_FIELD(shared_poll_publish_body, "channel", STRING, request.channel),
    JSON_FIELD(shared_poll_publish_body, "key", STRING, request.key),
    JSON_FIELD(shared_poll_publish_body, "data", PAYLOAD, request.data),
    JSON_FIELD(shared_poll_publish_body, "b64data", BASE64, b64data),
    JSON_FIELD(shared_poll_publish_body, "version", U64, request.version),
    JSON_FIELD(shared_poll_publish_body, "epoch", STRING, request.epoch),
};
static const struct json_fields shared_poll_publish_fields = JSON_FIELDS(shared_poll_publish_list);

enum json_result api_json_decode_shared_poll_publish(struct span body, struct scratch *scratch,
                                                     struct api_shared_poll_publish_request *out)
{
    struct shared_poll_publish_body publish = {0};
    const enum json_result result =
        json_decode_fields(body, scratch, &shared_poll_publish_fields, &publish);
    *out = publish.request;
    if (publish.b64data.len > 0) {
        out->data = publish.b64data;
        out->data_is_binary = true;
    }
    return result;
}

enum json_result api_json_decode_info(struct span body)
{
    static const struct json_fields no_fields = {NULL, 0};
    struct scratch scratch = scratch_of(NULL, 0);
    struct empty_body unused;
    return empty_is_ok(json_decode_fields(body, &scratch, &no_fields, &unused));
}

static const struct json_field connections_list[] = {
    JSON_FIELD(api_connections_request, "user", STRING, user),
    JSON_FIELD(api_connections_request, "channel", STRING, channel),
    JSON_FIELD(api_connections_request, "cursor", STRING, cursor),
    JSON_FIELD(api_connections_request, "limit", U32, limit),
    JSON_FIELD(api_connections_request, "expression", STRING, expression),
    JSON_FIELD(api_connections_request, "label_filter", RAW, label_filter),
};
static const struct json_fields connections_fields = JSON_FIELDS(connections_list);

enum json_result api_json_decode_connections(struct span body, struct scratch *scratch,
                                             struct api_connections_request *out)
{
    *out = (struct api_connections_request){0};
    return empty_is_ok(json_decode_fields(body, scratch, &connections_fields, out));
}

static const struct json_field revoke_list[] = {
    JSON_FIELD(api_revoke_request, "uid", STRING, uid),
    JSON_FIELD(api_revoke_request, "user", STRING, user),
    JSON_FIELD(api_revoke_request, "channel", STRING, channel),
    JSON_FIELD(api_revoke_request, "issued_before", I64, issued_before_s),
    JSON_FIELD(api_revoke_request, "expire_at", I64, expire_at_s),
};
static const struct json_fields revoke_fields = JSON_FIELDS(revoke_list);

enum json_result api_json_decode_revoke(struct span body, struct scratch *scratch,
                                        struct api_revoke_request *out)
{
    *out = (struct api_revoke_request){0};
    return json_decode_fields(body, scratch, &revoke_fields, out);
}

static const struct json_field batch_list[] = {
    JSON_FIELD(api_batch_request, "commands", RAW_ARRAY, commands),
    JSON_FIELD(api_batch_request, "parallel", BOOL, parallel),
};
static const struct json_fields batch_fields = JSON_FIELDS(batch_list);

enum json_result api_json_decode_batch(struct span body, struct scratch *scratch,
                                       struct api_batch_request *out)
{
    *out = (struct api_batch_request){0};
    return json_decode_fields(body, scratch, &batch_fields, out);
}

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
