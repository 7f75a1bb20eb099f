/* SPDX-License-Identifier: Apache-2.0 */
/* The two encodings of the client protocol behind one set of functions: the only place that chooses
 * between them. */
#ifndef ROOST_CODEC_CLIENT_PROTOCOL_H
#define ROOST_CODEC_CLIENT_PROTOCOL_H

#include "codec/client.h"
#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>
#include <stddef.h>

enum client_protocol { CLIENT_JSON, CLIENT_PROTOBUF, CLIENT_PROTOCOLS };

/* A set of protocols is the sum of their bits. */
#define CLIENT_PROTOCOL_BIT(protocol) (1u << (protocol))

/*
 * Takes the first message off the rest of a frame: a line, or what stands behind its length. A
 * frame has one at least. False: the frame is malformed (disconnect 3501), *rest is as it was.
 * Pure; any shard.
 */
CODEC_MUST_CHECK bool client_protocol_next_message(enum client_protocol protocol, struct span *rest,
                                                   struct span *message);

/* How much scratch always suffices to decode a message of this length. */
size_t client_protocol_scratch_len(enum client_protocol protocol, size_t message_len);

/* False: it is no command (disconnect 3501). What *out points to: client_json.h and
 * client_protobuf.h. */
CODEC_MUST_CHECK bool client_protocol_decode_command(enum client_protocol protocol,
                                                     struct span message, struct scratch *scratch,
                                                     struct client_command *out);

/* A whole EmulationRequest in a body; false: it is none. The scratch as for a command. */
CODEC_MUST_CHECK bool client_protocol_decode_emulation(enum client_protocol protocol,
                                                       struct span body, struct scratch *scratch,
                                                       struct client_emulation_request *out);

/* One reply as it stands in a frame. Whether it fitted is in the writer. */
void client_protocol_encode_reply(enum client_protocol protocol, struct writer *out,
                                  const struct client_reply *reply);

/* The server's ping: the whole of a frame. */
struct span client_protocol_ping(enum client_protocol protocol);

#endif
