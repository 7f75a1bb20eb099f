/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the payload in an encoded publication, and puts another one in its place. */
#include "codec/client_push.h"

#include "codec/json.h"
#include "codec/json_writer.h"
#include "codec/protobuf.h"

/* Of Reply, Push, Publication and a member of its tags (client.proto). */
enum { REPLY_PUSH = 4, PUSH_PUB = 4, PUB_DATA = 4, PUB_INFO = 5, PUB_TAGS = 7, PUB_DELTA = 8 };
enum { PUB_KEY = 11, PUB_REMOVED = 12, INFO_CLIENT = 2 };

/* ---- JSON ---- */

/* Moves to the value of a member of the object ahead. */
static bool find_member(struct json_reader *reader, struct span name)
{
    struct span key;
    if (json_enter_object(reader) != JSON_OK) {
        return false;
    }
    while (json_next_member(reader, &key) == JSON_OK) {
        if (span_equal(key, name)) {
            return true;
        }
        if (json_skip_value(reader) != JSON_OK) {
            return false;
        }
    }
    return false;
}

/* Where there is data, it is the first field. */
static bool take_apart_json(struct span message, struct client_push_parts *out)
{
    struct json_reader reader;
    struct json_value data;
    struct span key = SPAN_EMPTY;
    json_reader_begin(&reader, message);
    if (!find_member(&reader, SPAN_LITERAL("push")) || !find_member(&reader, SPAN_LITERAL("pub")) ||
        json_enter_object(&reader) != JSON_OK) {
        return false;
    }
    data.raw = span_of(reader.at, 0);
    const enum json_result result = json_next_member(&reader, &key);
    if ((result != JSON_OK && result != JSON_DONE) ||
        (result == JSON_OK && span_equal(key, SPAN_LITERAL("data")) &&
         json_read_value(&reader, &data) != JSON_OK)) {
        return false;
    }
    out->before = span_of(message.at, (size_t)(data.raw.at - message.at));
    out->data = data.raw;
    out->after = span_skip(message, out->before.len + data.raw.len);
    return true;
}

/* What stands behind the data, to be read as an object of its own. */
static struct json_reader reader_of_fields(struct span after)
{
    /* `,"offset":1,...}}}`: at the comma a value has just ended, as behind any member; without
     * data none has. */
    return (struct json_reader){.at = after.at,
                                .end = after.at + after.len,
                                .depth = 1,
                                .fresh = after.len > 0 && after.at[0] != ','};
}

static void put_json(struct writer *out, const struct client_push_parts *parts, struct span data,
                     bool is_delta)
{
    writer_put(out, parts->before);
    json_put_string(out, data);
    if (is_delta) {
        writer_put_literal(out, ",\"delta\":true");
    }
    writer_put(out, parts->after);
}

static enum filter_result read_json_tags(struct span after, struct scratch *scratch,
                                         struct filter_tags *out)
{
    struct json_reader reader = reader_of_fields(after);
    struct json_value value;
    struct span key;
    struct span tags = SPAN_EMPTY;
    while (json_next_member(&reader, &key) == JSON_OK &&
           json_read_value(&reader, &value) == JSON_OK) {
        if (span_equal(key, SPAN_LITERAL("tags"))) {
            tags = value.raw;
            break;
        }
    }
    return filter_read_tags(tags, scratch, out);
}

static bool read_json_key(struct span after, struct scratch *scratch, struct client_push_key *out)
{
    struct json_reader reader = reader_of_fields(after);
    struct span name;
    while (json_next_member(&reader, &name) == JSON_OK) {
        const enum json_result result =
            span_equal(name, SPAN_LITERAL("key")) ? json_read_string(&reader, scratch, &out->key)
            : span_equal(name, SPAN_LITERAL("removed")) ? json_read_bool(&reader, &out->removed)
                                                        : json_skip_value(&reader);
        if (result != JSON_OK) {
            return false;
        }
    }
    return true;
}

static struct span json_publisher(struct span after)
{
    struct json_reader reader = reader_of_fields(after);
    struct json_value value;
    struct span key;
    while (json_next_member(&reader, &key) == JSON_OK &&
           json_read_value(&reader, &value) == JSON_OK) {
        if (span_equal(key, SPAN_LITERAL("info"))) {
            struct json_reader info;
            json_reader_begin(&info, value.raw);
            return find_member(&info, SPAN_LITERAL("client")) &&
                           json_read_value(&info, &value) == JSON_OK && value.raw.len > 2
                       ? span_of(value.raw.at + 1, value.raw.len - 2)
                       : SPAN_EMPTY;
        }
    }
    return SPAN_EMPTY;
}

/* ---- Protobuf ---- */

/* The bytes before, in and behind the field of a number, which is of bytes. */
struct around {
    struct span before;
    struct span field;
    struct span after;
};

static bool find_field(struct span message, uint32_t number, struct around *out)
{
    struct span rest = message;
    struct protobuf_field field;
    size_t before = 0;
    while (protobuf_read_field(&rest, &field) == PROTOBUF_OK) {
        if (field.number == number && field.wire == PROTOBUF_BYTES) {
            *out = (struct around){span_of(message.at, before), field.bytes, rest};
            return true;
        }
        before = message.len - rest.len;
    }
    return false;
}

static bool take_apart_protobuf(struct span message, struct client_push_parts *out)
{
    struct span rest = message;
    struct span reply;
    struct around push;
    struct around pub;
    struct around data;
    if (protobuf_read_delimited(&rest, message.len, &reply) != PROTOBUF_OK ||
        !find_field(reply, REPLY_PUSH, &push) || !find_field(push.field, PUSH_PUB, &pub)) {
        return false;
    }
    if (!find_field(pub.field, PUB_DATA, &data)) {
        data = (struct around){.field = SPAN_EMPTY, .after = pub.field};
    }
    *out = (struct client_push_parts){pub.before, data.field, data.after};
    return true;
}

static bool read_protobuf_key(struct span after, struct client_push_key *out)
{
    struct span rest = after;
    struct protobuf_field field;
    while (protobuf_read_field(&rest, &field) == PROTOBUF_OK) {
        if (field.number == PUB_KEY && field.wire == PROTOBUF_BYTES) {
            out->key = field.bytes;
        } else if (field.number == PUB_REMOVED && field.wire == PROTOBUF_VARINT) {
            out->removed = field.value != 0;
        }
    }
    return true;
}

/* What is to be encoded, on its way through functions that take one pointer. */
struct push_of_protobuf {
    const struct client_push_parts *parts;
    struct span data;
    bool is_delta;
};

/* How much of a publication's fields comes before the one that says that it is a delta. */
static size_t before_delta_len(struct span fields)
{
    struct span rest = fields;
    struct protobuf_field field;
    size_t len = 0;
    while (protobuf_read_field(&rest, &field) == PROTOBUF_OK && field.number < PUB_DELTA) {
        len = fields.len - rest.len;
    }
    return len;
}

static void encode_publication(struct writer *out, const void *value)
{
    const struct push_of_protobuf *push = value;
    const struct span after = push->parts->after;
    const size_t before_len = push->is_delta ? before_delta_len(after) : after.len;
    protobuf_put_bytes(out, PUB_DATA, push->data);
    writer_put(out, span_of(after.at, before_len));
    protobuf_put_bool(out, PUB_DELTA, push->is_delta);
    writer_put(out, span_skip(after, before_len));
}

static void encode_push(struct writer *out, const void *value)
{
    const struct push_of_protobuf *push = value;
    writer_put(out, push->parts->before);
    protobuf_put_message(out, PUSH_PUB, encode_publication, push);
}

static void encode_reply(struct writer *out, const void *value)
{
    protobuf_put_message(out, REPLY_PUSH, encode_push, value);
}

static bool read_tag(struct span entry, struct filter_tag *out)
{
    struct span rest = entry;
    struct protobuf_field field;
    enum protobuf_result result;
    *out = (struct filter_tag){SPAN_EMPTY, SPAN_EMPTY};
    while ((result = protobuf_read_field(&rest, &field)) == PROTOBUF_OK) {
        if (field.number == 1) {
            out->key = field.bytes;
        } else if (field.number == 2) {
            out->value = field.bytes;
        }
    }
    return result == PROTOBUF_DONE;
}

static enum filter_result read_protobuf_tags(struct span after, struct scratch *scratch,
                                             struct filter_tags *out)
{
    const size_t align = _Alignof(struct filter_tag);
    const size_t padding = (align - (uintptr_t)scratch->at % align) % align;
    size_t room = scratch_room(scratch);
    room = room < padding ? 0 : room - padding;
    struct filter_tag *list = (struct filter_tag *)(void *)(scratch->at + padding);
    struct span rest = after;
    struct span entry;
    size_t count = 0;
    while (protobuf_read_repeated(&rest, PUB_TAGS, &entry) == PROTOBUF_OK) {
        if (room < (count + 1) * sizeof(*list)) {
            return FILTER_ERROR_SPACE;
        }
        if (read_tag(entry, &list[count])) {
            count++;
        }
    }
    if (count > 0) {
        (void)scratch_take(scratch, padding + count * sizeof(*list));
    }
    *out = (struct filter_tags){list, count};
    return FILTER_OK;
}

/* ---- both ---- */

bool client_push_take_apart(enum client_protocol protocol, struct span message,
                            struct client_push_parts *out)
{
    return protocol == CLIENT_PROTOBUF ? take_apart_protobuf(message, out)
                                       : take_apart_json(message, out);
}

void client_push_put(enum client_protocol protocol, struct writer *out,
                     const struct client_push_parts *parts, struct span data, bool is_delta)
{
    if (protocol == CLIENT_JSON) {
        put_json(out, parts, data, is_delta);
        return;
    }
    const struct push_of_protobuf push = {parts, data, is_delta};
    protobuf_put_delimited(out, encode_reply, &push);
}

enum filter_result client_push_read_tags(enum client_protocol protocol,
                                         const struct client_push_parts *parts,
                                         struct scratch *scratch, struct filter_tags *out)
{
    return protocol == CLIENT_PROTOBUF ? read_protobuf_tags(parts->after, scratch, out)
                                       : read_json_tags(parts->after, scratch, out);
}

bool client_push_read_key(enum client_protocol protocol, const struct client_push_parts *parts,
                          struct scratch *scratch, struct client_push_key *out)
{
    *out = (struct client_push_key){.key = SPAN_EMPTY};
    return protocol == CLIENT_PROTOBUF ? read_protobuf_key(parts->after, out)
                                       : read_json_key(parts->after, scratch, out);
}

struct span client_push_publisher(enum client_protocol protocol,
                                  const struct client_push_parts *parts)
{
    struct around info;
    struct around client;
    if (protocol == CLIENT_JSON) {
        return json_publisher(parts->after);
    }
    return find_field(parts->after, PUB_INFO, &info) && find_field(info.field, INFO_CLIENT, &client)
               ? client.field
               : SPAN_EMPTY;
}
