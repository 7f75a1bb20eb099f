/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the repeated fields of Protobuf requests as JSON. */
#include "codec/client_protobuf_json.h"

#include "codec/client_protobuf.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"

#define KEY(text) SPAN_LITERAL(text)

/* The numbers of the fields that repeat. */
enum repeated_number {
    CONNECT_SUBS = 3,
    CONNECT_HEADERS = 6,
    FILTER_VALS = 5,
    FILTER_NODES = 6,
    SUB_REFRESH_TRACK = 4,
    SUB_REFRESH_UNTRACK = 5,
    TRACK_ITEMS = 2,
};

static const struct protobuf_slot subscribe_slots[] = {
    PROTOBUF_FIELD(client_subscribe_request, 1, STRING, channel),
    PROTOBUF_FIELD(client_subscribe_request, 2, STRING, token),
    PROTOBUF_FIELD(client_subscribe_request, 3, BOOL, recover),
    PROTOBUF_FIELD(client_subscribe_request, 6, STRING, epoch),
    PROTOBUF_FIELD(client_subscribe_request, 7, U64, offset),
    PROTOBUF_FIELD(client_subscribe_request, 8, BYTES, data),
    PROTOBUF_FIELD(client_subscribe_request, 9, BOOL, positioned),
    PROTOBUF_FIELD(client_subscribe_request, 10, BOOL, recoverable),
    PROTOBUF_FIELD(client_subscribe_request, 11, BOOL, join_leave),
    PROTOBUF_FIELD(client_subscribe_request, 12, STRING, delta),
    PROTOBUF_FIELD(client_subscribe_request, 13, MESSAGE, tf),
    PROTOBUF_FIELD(client_subscribe_request, 14, I64, flag),
    PROTOBUF_FIELD(client_subscribe_request, 15, I32, type),
    PROTOBUF_FIELD(client_subscribe_request, 16, I32, phase),
    PROTOBUF_FIELD(client_subscribe_request, 17, STRING, cursor),
    PROTOBUF_FIELD(client_subscribe_request, 18, I32, limit),
    PROTOBUF_FIELD(client_subscribe_request, 19, BOOL, asc),
};
const struct protobuf_fields client_protobuf_subscribe_fields = PROTOBUF_FIELDS(subscribe_slots);

struct filter_node {
    struct span op;
    struct span key;
    struct span cmp;
    struct span val;
    struct span vals;
    struct span nodes;
};

static const struct protobuf_slot filter_slots[] = {
    PROTOBUF_FIELD(filter_node, 1, STRING, op),
    PROTOBUF_FIELD(filter_node, 2, STRING, key),
    PROTOBUF_FIELD(filter_node, 3, STRING, cmp),
    PROTOBUF_FIELD(filter_node, 4, STRING, val),
    PROTOBUF_FIELD(filter_node, FILTER_VALS, REPEATED, vals),
    PROTOBUF_FIELD(filter_node, FILTER_NODES, REPEATED, nodes),
};
static const struct protobuf_fields filter_fields = PROTOBUF_FIELDS(filter_slots);

/* An entry of a map; whichever of the two is missing is empty. */
struct map_entry {
    struct span key;
    struct span value;
};

static const struct protobuf_slot text_entry_slots[] = {
    PROTOBUF_FIELD(map_entry, 1, STRING, key),
    PROTOBUF_FIELD(map_entry, 2, STRING, value),
};
static const struct protobuf_fields text_entry_fields = PROTOBUF_FIELDS(text_entry_slots);

static const struct protobuf_slot message_entry_slots[] = {
    PROTOBUF_FIELD(map_entry, 1, STRING, key),
    PROTOBUF_FIELD(map_entry, 2, MESSAGE, value),
};
static const struct protobuf_fields message_entry_fields = PROTOBUF_FIELDS(message_entry_slots);

struct track_batch {
    struct span signature;
    struct span items;
};

static const struct protobuf_slot track_slots[] = {
    PROTOBUF_FIELD(track_batch, 1, STRING, signature),
    PROTOBUF_FIELD(track_batch, TRACK_ITEMS, REPEATED, items),
};
static const struct protobuf_fields track_fields = PROTOBUF_FIELDS(track_slots);

struct keyed_item {
    struct span key;
    uint64_t version;
};

static const struct protobuf_slot item_slots[] = {
    PROTOBUF_FIELD(keyed_item, 1, STRING, key),
    PROTOBUF_FIELD(keyed_item, 2, U64, version),
};
static const struct protobuf_fields item_fields = PROTOBUF_FIELDS(item_slots);

/* Writes one message as one JSON value, inside of `depth` others of its kind. */
typedef enum protobuf_result write_function(struct json_writer *json, struct span message,
                                            uint32_t depth);

/* What is repeated, how one of it is written, and whether they make an object or an array. */
struct repetition {
    enum repeated_number number;
    write_function *write;
    bool is_map;
};

static enum protobuf_result write_repeated(struct json_writer *json, struct span message,
                                           const struct repetition *repetition, uint32_t depth)
{
    struct span rest = message;
    struct span one;
    enum protobuf_result result;
    if (repetition->is_map) {
        json_write_object_begin(json);
    } else {
        json_write_array_begin(json);
    }
    while ((result = protobuf_read_repeated(&rest, repetition->number, &one)) == PROTOBUF_OK) {
        result = repetition->write(json, one, depth);
        if (result != PROTOBUF_OK) {
            return result;
        }
    }
    if (repetition->is_map) {
        json_write_object_end(json);
    } else {
        json_write_array_end(json);
    }
    return result == PROTOBUF_DONE ? PROTOBUF_OK : result;
}

static enum protobuf_result write_text(struct json_writer *json, struct span text, uint32_t depth)
{
    (void)depth;
    if (!utf8_is_valid(text)) {
        return PROTOBUF_ERROR_UTF8;
    }
    json_write_string(json, text);
    return PROTOBUF_OK;
}

static enum protobuf_result write_filter(struct json_writer *json, struct span message,
                                         uint32_t depth)
{
    static const struct repetition vals = {FILTER_VALS, write_text, false};
    static const struct repetition nodes = {FILTER_NODES, write_filter, false};
    if (depth >= CLIENT_PROTOBUF_FILTER_DEPTH_MAX) {
        return PROTOBUF_ERROR_DEPTH;
    }
    struct filter_node node = {0};
    enum protobuf_result result = protobuf_decode_fields(message, &filter_fields, &node);
    if (result != PROTOBUF_OK) {
        return result;
    }
    json_write_object_begin(json);
    json_write_field_string(json, KEY("op"), node.op);
    json_write_field_string(json, KEY("key"), node.key);
    json_write_field_string(json, KEY("cmp"), node.cmp);
    json_write_field_string(json, KEY("val"), node.val);
    if (node.vals.len > 0) {
        JSON_WRITE_KEY(json, "vals");
        result = write_repeated(json, node.vals, &vals, depth);
    }
    if (result == PROTOBUF_OK && node.nodes.len > 0) {
        JSON_WRITE_KEY(json, "nodes");
        result = write_repeated(json, node.nodes, &nodes, depth + 1);
    }
    json_write_object_end(json);
    return result;
}

static enum protobuf_result write_header(struct json_writer *json, struct span message,
                                         uint32_t depth)
{
    (void)depth;
    struct map_entry entry = {0};
    const enum protobuf_result result = protobuf_decode_fields(message, &text_entry_fields, &entry);
    if (result == PROTOBUF_OK) {
        json_write_key_text(json, entry.key);
        json_write_string(json, entry.value);
    }
    return result;
}

static enum protobuf_result write_subscribe(struct json_writer *json,
                                            const struct client_subscribe_request *request)
{
    enum protobuf_result result = PROTOBUF_OK;
    json_write_object_begin(json);
    json_write_field_string(json, KEY("channel"), request->channel);
    json_write_field_string(json, KEY("token"), request->token);
    json_write_field_bool(json, KEY("recover"), request->recover);
    json_write_field_string(json, KEY("epoch"), request->epoch);
    json_write_field_u64(json, KEY("offset"), request->offset);
    if (json_check(request->data) == JSON_OK) {
        json_write_field_raw(json, KEY("data"), request->data);
    }
    json_write_field_bool(json, KEY("positioned"), request->positioned);
    json_write_field_bool(json, KEY("recoverable"), request->recoverable);
    json_write_field_bool(json, KEY("join_leave"), request->join_leave);
    json_write_field_string(json, KEY("delta"), request->delta);
    if (request->tf.at != NULL) {
        JSON_WRITE_KEY(json, "tf");
        result = write_filter(json, request->tf, 0);
    }
    json_write_field_i64(json, KEY("flag"), request->flag);
    json_write_field_i64(json, KEY("type"), request->type);
    json_write_field_i64(json, KEY("phase"), request->phase);
    json_write_field_string(json, KEY("cursor"), request->cursor);
    json_write_field_i64(json, KEY("limit"), request->limit);
    json_write_field_bool(json, KEY("asc"), request->asc);
    json_write_object_end(json);
    return result;
}

static enum protobuf_result write_sub(struct json_writer *json, struct span message, uint32_t depth)
{
    (void)depth;
    struct map_entry entry = {0};
    enum protobuf_result result = protobuf_decode_fields(message, &message_entry_fields, &entry);
    if (result != PROTOBUF_OK) {
        return result;
    }
    struct client_subscribe_request request = {0};
    result = protobuf_decode_fields(entry.value, &client_protobuf_subscribe_fields, &request);
    if (result != PROTOBUF_OK) {
        return result;
    }
    json_write_key_text(json, entry.key);
    return write_subscribe(json, &request);
}

static enum protobuf_result write_item(struct json_writer *json, struct span message,
                                       uint32_t depth)
{
    (void)depth;
    struct keyed_item item = {0};
    const enum protobuf_result result = protobuf_decode_fields(message, &item_fields, &item);
    if (result == PROTOBUF_OK) {
        json_write_object_begin(json);
        json_write_field_string(json, KEY("key"), item.key);
        json_write_field_u64(json, KEY("version"), item.version);
        json_write_object_end(json);
    }
    return result;
}

static enum protobuf_result write_batch(struct json_writer *json, struct span message,
                                        uint32_t depth)
{
    static const struct repetition items = {TRACK_ITEMS, write_item, false};
    struct track_batch batch = {0};
    enum protobuf_result result = protobuf_decode_fields(message, &track_fields, &batch);
    if (result != PROTOBUF_OK) {
        return result;
    }
    json_write_object_begin(json);
    json_write_field_string(json, KEY("signature"), batch.signature);
    if (batch.items.len > 0) {
        JSON_WRITE_KEY(json, "items");
        result = write_repeated(json, batch.items, &items, depth);
    }
    json_write_object_end(json);
    return result;
}

/* Has *span be what was written, when it was right and found room. */
static enum protobuf_result finish(enum protobuf_result result, const struct writer *out,
                                   struct scratch *scratch, struct span *span)
{
    if (result != PROTOBUF_OK) {
        return result;
    }
    if (writer_is_overflown(out)) {
        return PROTOBUF_ERROR_SPACE;
    }
    *span = scratch_take(scratch, writer_written_len(out));
    return PROTOBUF_OK;
}

static enum protobuf_result repeated_to_json(struct span *span, struct scratch *scratch,
                                             const struct repetition *repetition)
{
    if (span->len == 0) {
        return PROTOBUF_OK;
    }
    struct writer out = writer_of(scratch->at, scratch_room(scratch));
    struct json_writer json = json_writer_of(&out);
    return finish(write_repeated(&json, *span, repetition, 0), &out, scratch, span);
}

enum protobuf_result client_protobuf_subs_to_json(struct span *span, struct scratch *scratch)
{
    static const struct repetition subs = {CONNECT_SUBS, write_sub, true};
    return repeated_to_json(span, scratch, &subs);
}

enum protobuf_result client_protobuf_headers_to_json(struct span *span, struct scratch *scratch)
{
    static const struct repetition headers = {CONNECT_HEADERS, write_header, true};
    return repeated_to_json(span, scratch, &headers);
}

enum protobuf_result client_protobuf_track_to_json(struct span *span, struct scratch *scratch)
{
    static const struct repetition track = {SUB_REFRESH_TRACK, write_batch, false};
    return repeated_to_json(span, scratch, &track);
}

enum protobuf_result client_protobuf_untrack_to_json(struct span *span, struct scratch *scratch)
{
    static const struct repetition untrack = {SUB_REFRESH_UNTRACK, write_text, false};
    return repeated_to_json(span, scratch, &untrack);
}

enum protobuf_result client_protobuf_filter_to_json(struct span *span, struct scratch *scratch)
{
    if (span->at == NULL) {
        return PROTOBUF_OK;
    }
    struct writer out = writer_of(scratch->at, scratch_room(scratch));
    struct json_writer json = json_writer_of(&out);
    return finish(write_filter(&json, *span, 0), &out, scratch, span);
}
