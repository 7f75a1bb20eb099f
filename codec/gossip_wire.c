/* SPDX-License-Identifier: Apache-2.0 */
/* Lets protobuf-c decode inside a scratch, after the shape of the input was looked at. */
#include "codec/gossip_wire.h"

enum { ALIGNMENT = 16, FIELD_NUMBER_MAX = (1 << 29) - 1, VARINT_LEN_MAX = 10 };

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static bool take_varint(struct span *at, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < at->len && i < VARINT_LEN_MAX; i++) {
        value |= (uint64_t)(at->at[i] & 0x7f) << (7 * i);
        if ((at->at[i] & 0x80) == 0) {
            *at = span_skip(*at, i + 1);
            *out = value;
            return true;
        }
    }
    return false;
}

/* Skips a tag and its field. protobuf-c takes more forms of a tag than one; here there is one. */
static bool skip_field(struct span *at)
{
    uint64_t tag;
    uint64_t len = 0;
    if (!take_varint(at, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX) {
        return false;
    }
    switch (tag & 7) {
    case WIRE_VARINT:
        return take_varint(at, &len);
    case WIRE_FIXED64:
        len = 8;
        break;
    case WIRE_FIXED32:
        len = 4;
        break;
    case WIRE_BYTES:
        if (!take_varint(at, &len)) {
            return false;
        }
        break;
    default:
        return false;
    }
    if (len > at->len) {
        return false;
    }
    *at = span_skip(*at, (size_t)len);
    return true;
}

static enum gossip_result check_fields(struct span encoded, uint32_t fields_max)
{
    for (uint32_t fields = 0; encoded.len > 0; fields++) {
        if (fields == fields_max) {
            return GOSSIP_ERROR_COUNT;
        }
        if (!skip_field(&encoded)) {
            return GOSSIP_ERROR_FORMAT;
        }
    }
    return GOSSIP_OK;
}

struct bounded_memory {
    ProtobufCAllocator allocator;
    struct scratch *scratch;
    bool is_exhausted;
};

static void *bounded_alloc(void *allocator_data, size_t size)
{
    struct bounded_memory *memory = allocator_data;
    const size_t aside = (size_t)(-(uintptr_t)memory->scratch->at % ALIGNMENT);
    if (size > SIZE_MAX - aside || aside + size > scratch_room(memory->scratch)) {
        memory->is_exhausted = true;
        return NULL;
    }
    void *taken = memory->scratch->at + aside;
    (void)scratch_take(memory->scratch, aside + size);
    return taken;
}

static void bounded_free(void *allocator_data, void *pointer)
{
    (void)allocator_data;
    (void)pointer;
}

ProtobufCMessage *gossip_wire_unpack(const ProtobufCMessageDescriptor *type, struct span encoded,
                                     uint32_t fields_max, struct scratch *scratch,
                                     enum gossip_result *result)
{
    static const uint8_t nothing[1];
    *result = check_fields(encoded, fields_max);
    if (*result != GOSSIP_OK) {
        return NULL;
    }
    struct bounded_memory memory = {.scratch = scratch};
    memory.allocator = (ProtobufCAllocator){bounded_alloc, bounded_free, &memory};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &memory.allocator, encoded.len,
                                                          encoded.len == 0 ? nothing : encoded.at);
    if (message == NULL) {
        *result = memory.is_exhausted ? GOSSIP_ERROR_SPACE : GOSSIP_ERROR_FORMAT;
    }
    return message;
}

void gossip_wire_pack(const ProtobufCMessage *message, struct writer *writer)
{
    uint8_t *to = writer_claim(writer, protobuf_c_message_get_packed_size(message));
    if (to != NULL) {
        (void)protobuf_c_message_pack(message, to);
    }
}

enum gossip_result gossip_wire_unknown(const ProtobufCMessage *message, struct scratch *scratch,
                                       struct span *out)
{
    struct writer writer = writer_of(scratch->at, scratch_room(scratch));
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        uint64_t tag = (uint64_t)field->tag << 3 | (uint64_t)field->wire_type;
        for (; tag >= 0x80; tag >>= 7) {
            writer_put_byte(&writer, (uint8_t)(tag | 0x80));
        }
        writer_put_byte(&writer, (uint8_t)tag);
        /* The bytes of a field of bytes begin with their length. */
        writer_put(&writer, span_of(field->data, field->len));
    }
    if (writer_is_overflown(&writer)) {
        return GOSSIP_ERROR_SPACE;
    }
    *out = scratch_take(scratch, writer_written_len(&writer));
    return GOSSIP_OK;
}
