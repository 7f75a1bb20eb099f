/* SPDX-License-Identifier: Apache-2.0 */
/* The client protocol in JSON: frames into lines, lines into commands, replies into bytes. */
#ifndef ROOST_CODEC_CLIENT_JSON_H
#define ROOST_CODEC_CLIENT_JSON_H

#include "codec/client.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"
#include "codec/writer.h"

/*
 * All functions are pure, may be called from any shard, and answer with an enum json_result. Each
 * error of a frame or of a command means the same to a client, disconnect 3501; the enum tells logs
 * and counters which.
 */

/* ---- framing ---- */

/* The lines of one frame: commands are joined by one \n, and one more may end the frame. */
struct client_json_lines {
    struct span rest;
    bool started;
};

void client_json_lines_begin(struct client_json_lines *lines, struct span frame);

/*
 * JSON_OK and the next line, JSON_DONE after the last, or JSON_ERROR_EMPTY: the frame is empty, or
 * a line is. *line is a slice of the frame, never empty.
 */
CODEC_MUST_CHECK enum json_result client_json_lines_next(struct client_json_lines *lines,
                                                         struct span *line);

/* ---- commands ---- */

/*
 * Decodes one line. Slices in *out point into `line`, and strings with escapes into the scratch; a
 * scratch of line.len bytes always suffices. Unknown fields are skipped (their syntax is checked),
 * null counts as absent, of a doubled field the last value counts, of several requests the one of
 * the lowest client_method. *out is whole on JSON_OK only.
 */
CODEC_MUST_CHECK enum json_result
client_json_decode_command(struct span line, struct scratch *scratch, struct client_command *out);

/* A bare ConnectRequest, as unidirectional transports send it. */
CODEC_MUST_CHECK enum json_result client_json_decode_connect(struct span text,
                                                             struct scratch *scratch,
                                                             struct client_connect_request *out);

/*
 * An EmulationRequest, the whole of `text`; its data is a JSON string that holds the frame. Strings
 * with escapes go into the scratch, of which text.len bytes always suffice.
 */
CODEC_MUST_CHECK enum json_result
client_json_decode_emulation(struct span text, struct scratch *scratch,
                             struct client_emulation_request *out);

/*
 * Walks client_connect_request.subs: JSON_OK with a channel and its request (request->channel is
 * set to it), JSON_DONE at the end. The slice came out of a decoded command, so that
 * JSON_ERROR_SPACE is the only error.
 */
void client_json_subs_begin(struct json_walk *walk, struct span subs);
CODEC_MUST_CHECK enum json_result client_json_subs_next(struct json_walk *walk,
                                                        struct scratch *scratch,
                                                        struct client_subscribe_request *request);

/* ---- replies ---- */

/*
 * The ping, and the replies of commands whose result has no fields are not worth a constant: they
 * carry an id.
 */
#define CLIENT_JSON_PING "{}"

/*
 * Writes one reply without a \n behind it; the caller joins several of one frame. Zero fields are
 * left out but for those that the protocol always writes. Payloads are spliced in as they are, so
 * that the caller has made sure that they are JSON (json_check()); a payload that is not belongs to
 * disconnect 3506. Whether it fitted is in the writer.
 */
void client_json_encode_reply(struct writer *out, const struct client_reply *reply);

/* A push without the reply around it, as unidirectional transports send it. */
void client_json_encode_push(struct writer *out, const struct client_push *push);

/* Parts that other encoders (server API, proxies) share. */
void client_json_write_info(struct json_writer *json, const struct client_info *info);
void client_json_write_publication(struct json_writer *json,
                                   const struct client_publication *publication);
void client_json_write_presence(struct json_writer *json,
                                const struct client_presence_result *result);
void client_json_write_presence_stats(struct json_writer *json,
                                      const struct client_presence_stats_result *result);
void client_json_write_history(struct json_writer *json,
                               const struct client_history_result *result);

#endif
