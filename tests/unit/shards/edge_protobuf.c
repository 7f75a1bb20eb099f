/* SPDX-License-Identifier: Apache-2.0 */
/* What peers that speak Protobuf say and hear, as the JSON that tests are written in. */
#include "tests/unit/codec/protobuf_oracle.h"
#include "tests/unit/shards/edge_rig.h"

static void add_varint(struct edge_text *to, size_t value)
{
    while (value >= 0x80) {
        edge_text_add(to, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
        value >>= 7;
    }
    edge_text_add(to, &(uint8_t){(uint8_t)value}, 1);
}

static bool add_command(struct edge_text *to, struct span line)
{
    ProtobufCMessage *command =
        protobuf_oracle_from_json(&roost__client__command__descriptor, line);
    if (command == NULL) {
        return false;
    }
    const size_t len = protobuf_c_message_get_packed_size(command);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    protobuf_c_message_pack(command, bytes);
    add_varint(to, len);
    edge_text_add(to, bytes, len);
    free(bytes);
    protobuf_c_message_free_unpacked(command, NULL);
    return true;
}

bool edge_text_to_protobuf(struct edge_text *to, struct span lines)
{
    struct span rest = lines;
    while (rest.len > 0) {
        const size_t len = span_index_of(rest, '\n');
        if (!add_command(to, span_of(rest.at, len))) {
            return false;
        }
        rest = span_skip(rest, len + 1);
    }
    return lines.len > 0;
}

static void add_reply(struct edge_text *to, struct span bytes)
{
    ProtobufCMessage *reply =
        protobuf_c_message_unpack(&roost__client__reply__descriptor, NULL, bytes.len, bytes.at);
    assert_non_null(reply);
    const size_t room = 64 * bytes.len + 64;
    uint8_t *text = malloc(room);
    assert_non_null(text);
    struct writer out = writer_of(text, room);
    (void)protobuf_oracle_to_json(&out, reply);
    assert_false(writer_is_overflown(&out));
    edge_text_add(to, text, writer_written_len(&out));
    free(text);
    protobuf_c_message_free_unpacked(reply, NULL);
}

void edge_text_from_protobuf(struct edge_text *to, struct span messages)
{
    struct span rest = messages;
    assert_true(rest.len > 0);
    while (rest.len > 0) {
        size_t len = 0;
        unsigned shift = 0;
        uint8_t byte;
        do {
            assert_true(rest.len > 0 && shift < 35);
            byte = *rest.at;
            len |= (size_t)(byte & 0x7f) << shift;
            shift += 7;
            rest = span_skip(rest, 1);
        } while ((byte & 0x80) != 0);
        assert_true(len <= rest.len);
        if (to->len > 0) {
            edge_text_add(to, "\n", 1);
        }
        add_reply(to, span_of(len == 0 ? (const uint8_t *)"" : rest.at, len));
        rest = span_skip(rest, len);
    }
}
