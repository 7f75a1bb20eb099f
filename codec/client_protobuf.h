/* SPDX-License-Identifier: Apache-2.0 */
/* The client protocol in Protobuf: frames into messages, messages into commands, replies back. */
#ifndef ROOST_CODEC_CLIENT_PROTOBUF_H
#define ROOST_CODEC_CLIENT_PROTOBUF_H

#include "codec/client.h"
#include "codec/must_check.h"
#include "codec/protobuf.h"
#include "codec/scratch.h"
#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The fields are in client.proto; the values are the structs of client.h, the same ones that the
 * JSON codec fills, so that a session need not know which of the two it talks to. All functions are
 * pure, may be called from any shard, and answer with an enum protobuf_result. Each error of a
 * frame or of a command means the same to a client, disconnect 3501; the enum tells logs and
 * counters which.
 */

/* ---- framing ---- */

/* The messages of one frame, each with its length before it. */
struct client_protobuf_frame {
    struct span rest;
    size_t message_len_max;
    bool started;
};

void client_protobuf_frame_begin(struct client_protobuf_frame *frame, struct span bytes,
                                 size_t message_len_max);

/*
 * PROTOBUF_OK and the next message, a slice of the frame; PROTOBUF_DONE after the last; or an
 * error, which comes again with each further call. A message of no bytes is a message: the pong.
 * PROTOBUF_ERROR_EMPTY is a frame of no bytes. The limit is compared with the declared length,
 * before anything is done with the message.
 */
CODEC_MUST_CHECK enum protobuf_result
client_protobuf_frame_next(struct client_protobuf_frame *frame, struct span *message);

/* ---- commands ---- */

/*
 * How much scratch always suffices for a message, in its own lengths. Only what client.h wants as
 * JSON takes any: connect's subs and headers, subscribe's tf, sub_refresh's track and untrack. All
 * else is slices of the message.
 */
#define CLIENT_PROTOBUF_SCRATCH_FACTOR 10

/* How deep the nodes of a tags filter may nest. */
#define CLIENT_PROTOBUF_FILTER_DEPTH_MAX 32

/*
 * Decodes one message. Unknown fields are passed over; of a doubled field the last value counts,
 * but a doubled message is an error; of several requests the one of the lowest client_method
 * counts, and the others are checked.
 *
 * Fields that repeat come out as JSON, just as the JSON codec hands them out: `subs` for
 * client_json_subs_next(), `headers` for json_map_next(), `tf`, `track`, `untrack`. The `data` of
 * an entry of `subs` is kept when it is JSON, and left out when it is not. Every other `data` is
 * the bytes as the client sent them. *out is whole on PROTOBUF_OK only.
 */
CODEC_MUST_CHECK enum protobuf_result client_protobuf_decode_command(struct span message,
                                                                     struct scratch *scratch,
                                                                     struct client_command *out);

/* An EmulationRequest, without its length before it. All in *out is slices of the message. */
CODEC_MUST_CHECK enum protobuf_result
client_protobuf_decode_emulation(struct span message, struct client_emulation_request *out);

/* ---- replies ---- */

/* The whole of a ping: a reply of no bytes, behind its length. */
#define CLIENT_PROTOBUF_PING "\0"

/*
 * Writes one reply with its length before it; several make a frame by standing one behind the
 * other. Zero fields are left out, fields stand in the order of their numbers. Payloads (`data`,
 * conn_info, chan_info) are any bytes. `tags` is a JSON object as everywhere, out of a checked
 * text; a value of null counts as "", any other that is not a string is left out. Whether it all
 * fitted is in the writer.
 */
void client_protobuf_encode_reply(struct writer *out, const struct client_reply *reply);

/* A push without the reply around it, with its length before it. */
void client_protobuf_encode_push(struct writer *out, const struct client_push *push);

#endif
