/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that are not WebSockets: their requests, and what streams to them. */
#ifndef ROOST_TESTS_UNIT_SHARDS_EDGE_HTTP_STREAMS_H
#define ROOST_TESTS_UNIT_SHARDS_EDGE_HTTP_STREAMS_H

#include "tests/unit/shards/edge_rig.h"

/* As edge_rig_init, with every transport switched on. */
void http_streams_init(struct edge_rig *rig, uint32_t shards);

/* POSTs the body, which is JSON unless `type` says otherwise (NULL: it says nothing), and does not
 * wait. */
void peer_put_post(struct peer *peer, const char *target, const char *type, const void *body,
                   size_t len);
void peer_post(struct peer *peer, const char *target, const char *body);

/* Asks for a stream, hears its head, and then what has come of it. */
struct peer *http_stream_open(struct edge_rig *rig, const char *target, const char *body,
                              const char *pattern);

/* All that has come is this; `<id>` stands for any id. */
#define peer_hear_bytes(peer, pattern) peer_hear_bytes_from(__FILE__, __LINE__, (peer), (pattern))
void peer_hear_bytes_from(const char *file, int line, struct peer *peer, const char *pattern);

/* What the client of a stream says to be called by. */
struct stream_names {
    char session[EDGE_CLIENT_ID_SIZE];
    char node[EDGE_CLIENT_ID_SIZE];
};

/* Connects by HTTP streaming from that shard; SHARDS_MAX: from any. */
struct peer *http_stream_connect(struct edge_rig *rig, uint32_t shard, struct stream_names *names);

/* A request of emulation in JSON; `frame` is escaped. Not waited for. */
void peer_put_emulation(struct peer *peer, const struct stream_names *names, const char *frame);
/* The same, waited for, with its response. */
#define peer_emulate(peer, names, frame) \
    do { \
        peer_put_emulation((peer), (names), (frame)); \
        edge_rig_settle((peer)->rig); \
        peer_hear_response((peer), 204, NULL); \
    } while (0)

#endif
