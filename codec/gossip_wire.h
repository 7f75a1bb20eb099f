/* SPDX-License-Identifier: Apache-2.0 */
/* What the codec of Protobuf messages shares: bounded memory, and limits that are checked first. */
#ifndef ROOST_CODEC_GOSSIP_WIRE_H
#define ROOST_CODEC_GOSSIP_WIRE_H

#include "codec/gossip.h"

#include <protobuf-c/protobuf-c.h>

/*
 * The message, decoded into the scratch; NULL with the reason in *result. The fields of its top
 * level are counted before anything is decoded. Nothing is ever freed: it goes with the scratch.
 */
CODEC_MUST_CHECK ProtobufCMessage *gossip_wire_unpack(const ProtobufCMessageDescriptor *type,
                                                      struct span encoded, uint32_t fields_max,
                                                      struct scratch *scratch,
                                                      enum gossip_result *result);

/* Counts as overflow when there is no room. */
void gossip_wire_pack(const ProtobufCMessage *message, struct writer *writer);

/* The unknown fields of a decoded message, encoded again. */
CODEC_MUST_CHECK enum gossip_result gossip_wire_unknown(const ProtobufCMessage *message,
                                                        struct scratch *scratch, struct span *out);

static inline struct span gossip_wire_span(ProtobufCBinaryData bytes)
{
    return span_of(bytes.data, bytes.len);
}

/* protobuf-c writes to no field that it packs, but does not say so in its types. */
static inline ProtobufCBinaryData gossip_wire_bytes(struct span span)
{
    return (ProtobufCBinaryData){.len = span.len, .data = (uint8_t *)(uintptr_t)span.at};
}

#endif
