/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server API in JSON: bodies into requests, results into bodies. */
#ifndef ROOST_CODEC_API_JSON_H
#define ROOST_CODEC_API_JSON_H

#include "codec/api.h"
#include "codec/json.h"
#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"
#include "codec/writer.h"

/*
 * Decoding: `body` is one JSON object. Unknown fields are skipped, null is absent, the last of a
 * doubled field counts. A scratch of body.len + 8 bytes always suffices. *out is whole on JSON_OK
 * only; any error is HTTP 400 with json_result_text(). An empty body is JSON_ERROR_EMPTY, but for
 * info, channels and connections, where it counts as {}.
 */
CODEC_MUST_CHECK enum json_result api_json_decode_publish(struct span body, struct scratch *scratch,
                                                          struct api_publish_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_broadcast(struct span body,
                                                            struct scratch *scratch,
                                                            struct api_publish_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_subscribe(struct span body,
                                                            struct scratch *scratch,
                                                            struct api_subscribe_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_unsubscribe(struct span body,
                                                              struct scratch *scratch,
                                                              struct api_unsubscribe_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_disconnect(struct span body,
                                                             struct scratch *scratch,
                                                             struct api_disconnect_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_refresh(struct span body, struct scratch *scratch,
                                                          struct api_refresh_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_channel(struct span body, struct scratch *scratch,
                                                          struct api_channel_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_history(struct span body, struct scratch *scratch,
                                                          struct api_history_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_channels(struct span body,
                                                           struct scratch *scratch,
                                                           struct api_channels_request *out);
CODEC_MUST_CHECK enum json_result
api_json_decode_shared_poll_publish(struct span body, struct scratch *scratch,
                                    struct api_shared_poll_publish_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_info(struct span body);
CODEC_MUST_CHECK enum json_result api_json_decode_map_publish(struct span body,
                                                              struct scratch *scratch,
                                                              struct api_map_publish_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_map_remove(struct span body,
                                                             struct scratch *scratch,
                                                             struct api_map_publish_request *out);
CODEC_MUST_CHECK enum json_result
api_json_decode_map_read_state(struct span body, struct scratch *scratch,
                               struct api_map_read_state_request *out);
CODEC_MUST_CHECK enum json_result
api_json_decode_map_read_stream(struct span body, struct scratch *scratch,
                                struct api_map_read_stream_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_connections(struct span body,
                                                              struct scratch *scratch,
                                                              struct api_connections_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_revoke(struct span body, struct scratch *scratch,
                                                         struct api_revoke_request *out);
CODEC_MUST_CHECK enum json_result api_json_decode_batch(struct span body, struct scratch *scratch,
                                                        struct api_batch_request *out);

/* Walks the commands of a batch, begun with json_reader_begin and json_enter_array: JSON_OK with
 * the next one, JSON_DONE, or an error. Of several methods in one command the first counts. */
CODEC_MUST_CHECK enum json_result api_json_next_command(struct json_reader *reader,
                                                        struct api_command *out);

/* {"method":..,"params":..} */
CODEC_MUST_CHECK enum json_result api_json_decode_line(struct span line, struct scratch *scratch,
                                                       struct api_command *out);

/*
 * Encoding: each writes a whole body, or one part of a body that is written in parts. Whether it
 * fitted is in the writer.
 */

/* {"error":{"code":..,"message":..}}, and without the envelope for transport mode. */
void api_json_encode_error(struct writer *out, enum api_error error);
void api_json_encode_transport_error(struct writer *out, enum api_error error);

/* {"result":{}}: subscribe, unsubscribe, disconnect, refresh, history_remove, map_clear. */
void api_json_encode_empty(struct writer *out);

void api_json_encode_publish(struct writer *out, const struct api_publish_result *result);
void api_json_encode_presence_stats(struct writer *out,
                                    const struct client_presence_stats_result *result);
void api_json_encode_history(struct writer *out, const struct client_history_result *result);

void api_json_encode_map_publish(struct writer *out, const struct api_map_publish_result *result);
void api_json_encode_map_page(struct writer *out, const struct api_map_page_result *result);
void api_json_encode_map_stats(struct writer *out, uint32_t key_count);

/*
 * Bodies with many parts: begin, then each item with first = true for the first one alone, then
 * end. So a caller can stream them through a small buffer, and put off what did not fit.
 */
void api_json_encode_broadcast_begin(struct writer *out);
void api_json_encode_broadcast_item(struct writer *out, bool first,
                                    const struct api_publish_outcome *outcome);
void api_json_encode_broadcast_end(struct writer *out);

void api_json_encode_presence_begin(struct writer *out);
void api_json_encode_presence_item(struct writer *out, bool first, const struct client_info *info);
void api_json_encode_presence_end(struct writer *out);

void api_json_encode_channels_begin(struct writer *out);
void api_json_encode_channels_item(struct writer *out, bool first, struct span channel,
                                   uint32_t client_count);
void api_json_encode_channels_end(struct writer *out);

void api_json_encode_info_begin(struct writer *out);
void api_json_encode_info_item(struct writer *out, bool first, const struct api_node_result *node);
void api_json_encode_info_end(struct writer *out);

#endif
