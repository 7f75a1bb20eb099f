/* SPDX-License-Identifier: Apache-2.0 */
/* The repeated fields of Protobuf requests as the JSON that client.h speaks of. */
#ifndef ROOST_CODEC_CLIENT_PROTOBUF_JSON_H
#define ROOST_CODEC_CLIENT_PROTOBUF_JSON_H

#include "codec/client.h"
#include "codec/must_check.h"
#include "codec/protobuf.h"
#include "codec/scratch.h"
#include "codec/span.h"

/*
 * Private to the client's Protobuf codec. Each takes the message in *span, writes its JSON into the
 * scratch, and has *span be that; an empty span stays one. On an error the scratch is as it was.
 */

/* A ConnectRequest, for its `subs` and for its `headers`. */
CODEC_MUST_CHECK enum protobuf_result client_protobuf_subs_to_json(struct span *span,
                                                                   struct scratch *scratch);
CODEC_MUST_CHECK enum protobuf_result client_protobuf_headers_to_json(struct span *span,
                                                                      struct scratch *scratch);

/* A FilterNode; one of no bytes is the object {}, a null `at` is none. */
CODEC_MUST_CHECK enum protobuf_result client_protobuf_filter_to_json(struct span *span,
                                                                     struct scratch *scratch);

/* A SubRefreshRequest, for its `track` and for its `untrack`. */
CODEC_MUST_CHECK enum protobuf_result client_protobuf_track_to_json(struct span *span,
                                                                    struct scratch *scratch);
CODEC_MUST_CHECK enum protobuf_result client_protobuf_untrack_to_json(struct span *span,
                                                                      struct scratch *scratch);

/* The fields of a SubscribeRequest; `tf` is the FilterNode as it stands. */
extern const struct protobuf_fields client_protobuf_subscribe_fields;

#endif
