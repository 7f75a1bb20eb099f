/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes frames and commands of the client protocol in Protobuf. */
#include "codec/client_protobuf.h"

#include "codec/client_protobuf_json.h"

void client_protobuf_frame_begin(struct client_protobuf_frame *frame, struct span bytes,
                                 size_t message_len_max)
{
    *frame = (struct client_protobuf_frame){.rest = bytes, .message_len_max = message_len_max};
}

enum protobuf_result client_protobuf_frame_next(struct client_protobuf_frame *frame,
                                                struct span *message)
{
    if (frame->rest.len == 0) {
        return frame->started ? PROTOBUF_DONE : PROTOBUF_ERROR_EMPTY;
    }
    frame->started = true;
    return protobuf_read_delimited(&frame->rest, frame->message_len_max, message);
}

static const struct protobuf_slot connect_slots[] = {
    PROTOBUF_FIELD(client_connect_request, 1, STRING, token),
    PROTOBUF_FIELD(client_connect_request, 2, BYTES, data),
    PROTOBUF_FIELD(client_connect_request, 3, REPEATED, subs),
    PROTOBUF_FIELD(client_connect_request, 4, STRING, name),
    PROTOBUF_FIELD(client_connect_request, 5, STRING, version),
    PROTOBUF_FIELD(client_connect_request, 6, REPEATED, headers),
    PROTOBUF_FIELD(client_connect_request, 7, I64, flag),
};

static const struct protobuf_slot channel_slots[] = {
    PROTOBUF_FIELD(client_channel_request, 1, STRING, channel),
};

static const struct protobuf_slot publish_slots[] = {
    PROTOBUF_FIELD(client_publish_request, 1, STRING, channel),
    PROTOBUF_FIELD(client_publish_request, 2, BYTES, data),
    PROTOBUF_FIELD(client_publish_request, 3, I32, type),
    PROTOBUF_FIELD(client_publish_request, 4, STRING, key),
    PROTOBUF_FIELD(client_publish_request, 5, BOOL, removed),
};

static const struct protobuf_slot since_slots[] = {
    PROTOBUF_FIELD(client_history_request, 1, U64, since_offset),
    PROTOBUF_FIELD(client_history_request, 2, STRING, since_epoch),
};
static const struct protobuf_fields since_fields = PROTOBUF_FIELDS(since_slots);

static const struct protobuf_slot history_slots[] = {
    PROTOBUF_FIELD(client_history_request, 1, STRING, channel),
    PROTOBUF_FIELD(client_history_request, 7, I32, limit),
    PROTOBUF_FIELD_OF_NESTED(client_history_request, 8, since_present, &since_fields),
    PROTOBUF_FIELD(client_history_request, 9, BOOL, reverse),
};

static const struct protobuf_slot rpc_slots[] = {
    PROTOBUF_FIELD(client_rpc_request, 1, BYTES, data),
    PROTOBUF_FIELD(client_rpc_request, 2, STRING, method),
};

static const struct protobuf_slot send_slots[] = {
    PROTOBUF_FIELD(client_send_request, 1, BYTES, data),
};

static const struct protobuf_slot refresh_slots[] = {
    PROTOBUF_FIELD(client_refresh_request, 1, STRING, token),
};

static const struct protobuf_slot sub_refresh_slots[] = {
    PROTOBUF_FIELD(client_sub_refresh_request, 1, STRING, channel),
    PROTOBUF_FIELD(client_sub_refresh_request, 2, STRING, token),
    PROTOBUF_FIELD(client_sub_refresh_request, 3, I32, type),
    PROTOBUF_FIELD(client_sub_refresh_request, 4, REPEATED, track),
    PROTOBUF_FIELD(client_sub_refresh_request, 5, REPEATED, untrack),
};

static const struct protobuf_fields connect_fields = PROTOBUF_FIELDS(connect_slots);
static const struct protobuf_fields channel_fields = PROTOBUF_FIELDS(channel_slots);
static const struct protobuf_fields publish_fields = PROTOBUF_FIELDS(publish_slots);
static const struct protobuf_fields history_fields = PROTOBUF_FIELDS(history_slots);
static const struct protobuf_fields rpc_fields = PROTOBUF_FIELDS(rpc_slots);
static const struct protobuf_fields send_fields = PROTOBUF_FIELDS(send_slots);
static const struct protobuf_fields refresh_fields = PROTOBUF_FIELDS(refresh_slots);
static const struct protobuf_fields sub_refresh_fields = PROTOBUF_FIELDS(sub_refresh_slots);
static const struct protobuf_fields ping_fields = {NULL, 0};

/* The requests of a command by their numbers. */
#define COMMAND_ID 1
static const struct command_slot {
    enum client_method method; /* CLIENT_METHOD_PONG: there is no such request */
    const struct protobuf_fields *fields;
} command_slots[] = {
    [4] = {CLIENT_METHOD_CONNECT, &connect_fields},
    [5] = {CLIENT_METHOD_SUBSCRIBE, &client_protobuf_subscribe_fields},
    [6] = {CLIENT_METHOD_UNSUBSCRIBE, &channel_fields},
    [7] = {CLIENT_METHOD_PUBLISH, &publish_fields},
    [8] = {CLIENT_METHOD_PRESENCE, &channel_fields},
    [9] = {CLIENT_METHOD_PRESENCE_STATS, &channel_fields},
    [10] = {CLIENT_METHOD_HISTORY, &history_fields},
    [11] = {CLIENT_METHOD_PING, &ping_fields},
    [12] = {CLIENT_METHOD_SEND, &send_fields},
    [13] = {CLIENT_METHOD_RPC, &rpc_fields},
    [14] = {CLIENT_METHOD_REFRESH, &refresh_fields},
    [15] = {CLIENT_METHOD_SUB_REFRESH, &sub_refresh_fields},
};
#define COMMAND_SLOT_COUNT (sizeof(command_slots) / sizeof(command_slots[0]))

/* Messages that client.h wants as JSON are still messages after the fields were read. */
static enum protobuf_result finish_request(struct client_command *command, struct scratch *scratch)
{
    enum protobuf_result result = PROTOBUF_OK;
    switch (command->method) {
    case CLIENT_METHOD_CONNECT:
        result = client_protobuf_subs_to_json(&command->connect.subs, scratch);
        if (result == PROTOBUF_OK) {
            result = client_protobuf_headers_to_json(&command->connect.headers, scratch);
        }
        break;
    case CLIENT_METHOD_SUBSCRIBE:
        result = client_protobuf_filter_to_json(&command->subscribe.tf, scratch);
        break;
    case CLIENT_METHOD_SUB_REFRESH:
        result = client_protobuf_track_to_json(&command->sub_refresh.track, scratch);
        if (result == PROTOBUF_OK) {
            result = client_protobuf_untrack_to_json(&command->sub_refresh.untrack, scratch);
        }
        break;
    default:
        break;
    }
    return result;
}

/*
 * The requests of a union all begin at one place, so that a method needs its fields alone. A
 * request that another one outranks is read all the same: what is wrong in it is an error.
 */
static enum protobuf_result read_request(const struct protobuf_field *field,
                                         const struct scratch *scratch, struct client_command *out)
{
    const struct command_slot *slot = &command_slots[field->number];
    if (slot->method == CLIENT_METHOD_PONG) {
        return PROTOBUF_OK;
    }
    if (field->wire != PROTOBUF_BYTES) {
        return PROTOBUF_ERROR_WIRE_TYPE;
    }
    if (slot->method == out->method) {
        return PROTOBUF_ERROR_DOUBLED;
    }
    if (out->method == CLIENT_METHOD_PONG) {
        out->method = slot->method;
        return protobuf_decode_fields(field->bytes, slot->fields, &out->connect);
    }
    struct scratch unused = *scratch;
    struct client_command other = {.id = out->id, .method = slot->method};
    enum protobuf_result result =
        protobuf_decode_fields(field->bytes, slot->fields, &other.connect);
    if (result == PROTOBUF_OK && slot->method < out->method) {
        result = finish_request(out, &unused);
        *out = other;
    } else if (result == PROTOBUF_OK) {
        result = finish_request(&other, &unused);
    }
    return result;
}

static enum protobuf_result read_id(const struct protobuf_field *field, uint32_t *out)
{
    if (field->wire != PROTOBUF_VARINT) {
        return PROTOBUF_ERROR_WIRE_TYPE;
    }
    if (field->value > UINT32_MAX) {
        return PROTOBUF_ERROR_RANGE;
    }
    *out = (uint32_t)field->value;
    return PROTOBUF_OK;
}

enum protobuf_result client_protobuf_decode_command(struct span message, struct scratch *scratch,
                                                    struct client_command *out)
{
    *out = (struct client_command){.method = CLIENT_METHOD_PONG};
    struct span rest = message;
    struct protobuf_field field;
    enum protobuf_result result;
    while ((result = protobuf_read_field(&rest, &field)) == PROTOBUF_OK) {
        if (field.number == COMMAND_ID) {
            result = read_id(&field, &out->id);
        } else if (field.number < COMMAND_SLOT_COUNT) {
            result = read_request(&field, scratch, out);
        }
        if (result != PROTOBUF_OK) {
            return result;
        }
    }
    return result == PROTOBUF_DONE ? finish_request(out, scratch) : result;
}

static const struct protobuf_slot emulation_slots[] = {
    PROTOBUF_FIELD(client_emulation_request, 1, STRING, node),
    PROTOBUF_FIELD(client_emulation_request, 2, STRING, session),
    PROTOBUF_FIELD(client_emulation_request, 3, BYTES, data),
};
static const struct protobuf_fields emulation_fields = PROTOBUF_FIELDS(emulation_slots);

enum protobuf_result client_protobuf_decode_emulation(struct span message,
                                                      struct client_emulation_request *out)
{
    *out = (struct client_emulation_request){0};
    return protobuf_decode_fields(message, &emulation_fields, out);
}
