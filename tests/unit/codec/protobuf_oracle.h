/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf-c as an independent opinion: any message as the client protocol's JSON, and back. */
#ifndef ROOST_TESTS_UNIT_CODEC_PROTOBUF_ORACLE_H
#define ROOST_TESTS_UNIT_CODEC_PROTOBUF_ORACLE_H

#include "codec/client.pb-c.h"
#include "codec/client.h"
#include "codec/writer.h"

#include <stdbool.h>

/*
 * Writes the message by what its descriptor says, fields in the order of their numbers, zeros left
 * out but for those that the protocol always writes in JSON. False when the JSON cannot stand for
 * the message: a payload is no JSON, is null, or has a line break or white space around it.
 */
bool protobuf_oracle_to_json(struct writer *out, const ProtobufCMessage *message);

/*
 * The message of this kind that the client protocol's JSON stands for; unknown fields are passed
 * over. For protobuf_c_message_free_unpacked(). NULL: the text is no such JSON.
 */
ProtobufCMessage *protobuf_oracle_from_json(const ProtobufCMessageDescriptor *descriptor,
                                            struct span text);

/* Whether both commands are the same value; spans are compared by their bytes. */
bool protobuf_oracle_same_command(const struct client_command *a, const struct client_command *b);

#endif
