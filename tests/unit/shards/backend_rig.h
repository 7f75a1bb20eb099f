/* SPDX-License-Identifier: Apache-2.0 */
/* A backend in the simulator that a test plays: it hears requests as they came and says any bytes.
 */
#ifndef ROOST_TESTS_UNIT_SHARDS_BACKEND_RIG_H
#define ROOST_TESTS_UNIT_SHARDS_BACKEND_RIG_H

#include "tests/unit/shards/edge_rig.h"

enum { BACKEND_PEERS_MAX = 512 };

struct backend_peer {
    int socket; /* -1: not open. */
    struct edge_text in;
    size_t heard;
};

struct backend_rig {
    struct edge_rig *rig;
    uint32_t number; /* Of its node. */
    struct shard *shard;
    int listener;
    struct backend_peer peers[BACKEND_PEERS_MAX];
    uint32_t peers_len;    /* Connections that there ever were. */
    struct edge_text head; /* Of the request heard last, and its body. */
    struct edge_text body;
    struct endpoint_options endpoint; /* Where it is, for node_options.endpoints. */
};

/* Before edge_rig_start, which is given its endpoint; and behind it. */
void backend_rig_init(struct backend_rig *backend, struct edge_rig *rig);
void backend_rig_start(struct backend_rig *backend);
/* Ends all its connections and goes. */
void backend_rig_stop(struct backend_rig *backend);

/* The next whole request, and the connection that it came on; the body is this text, in which <id>
 * is any client's. */
#define backend_hear(...) backend_hear_from(__FILE__, __LINE__, __VA_ARGS__)
uint32_t backend_hear_from(const char *file, int line, struct backend_rig *backend,
                           const char *body);
#define backend_hears_nothing(backend) assert_false(backend_has_news(backend))
bool backend_has_news(struct backend_rig *backend);

/* Bytes; a whole answer with status 200; the end. */
void backend_say(struct backend_rig *backend, uint32_t peer, const char *bytes);
void backend_answer(struct backend_rig *backend, uint32_t peer, const char *body);
void backend_close(struct backend_rig *backend, uint32_t peer);

/* Has the node ended this connection? */
bool backend_is_left(struct backend_rig *backend, uint32_t peer);

#endif
