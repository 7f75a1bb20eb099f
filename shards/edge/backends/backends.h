/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1.1 client of a shard: requests to the endpoints that the node was told of, and what
 * they answer.
 *
 *   backends_ask --> waiting of the endpoint --> a connection --> the asker's on_answer
 *                    (bounded)                   (kept alive, bounded)
 *
 * Nothing waits: addresses were looked up by a helper thread (node_offer_places), connections are
 * made and fed at the end of a turn. A request has one deadline, from the ask to the last byte of
 * its answer. Each connection carries one request at a time. What an endpoint sends is limited
 * before memory is taken for it; one that stalls holds its own connections and nobody else's.
 *
 * All of it belongs to the edge of one shard.
 */
#ifndef ROOST_SHARDS_EDGE_BACKENDS_BACKENDS_H
#define ROOST_SHARDS_EDGE_BACKENDS_BACKENDS_H

#include "shards/edge/edge.h"

enum backend_outcome {
    BACKEND_ANSWERED,    /* With a status and a body. */
    BACKEND_TIMED_OUT,   /* Before the answer was whole. */
    BACKEND_UNREACHABLE, /* No address, nobody listens, or TLS is not to be had with it. */
    BACKEND_BROKEN,      /* It ended in the middle, or what it sent is no HTTP or is too long. */
};

struct backend_answer {
    enum backend_outcome outcome;
    unsigned status;
    struct span body; /* Until the function that got it returns. */
};

/* Whose on_answer is called. */
enum backend_asker {
    BACKEND_ASKER_PROXY,
    BACKEND_ASKER_WEBHOOKS,
    BACKEND_ASKER_KEYS,
    BACKEND_ASKER_POLLER,
};

struct backend_request {
    uint32_t endpoint; /* Of options->endpoints. */
    enum backend_asker asker;
    uint32_t handle;     /* The asker's own, which comes back. */
    uint64_t timeout_ms; /* From now. */
    struct span headers; /* Whole lines, each with its CRLF, besides those of the client itself. */
    struct span body;    /* JSON. */
    bool is_get;         /* GET, without a body, instead of POST. */
};

struct backends;

/* NULL: memory is out. */
MUST_CHECK struct backends *backends_create(struct edge *edge);
/* Nobody is answered any more. NULL is allowed. */
void backends_destroy(struct backends *backends);

/* The request's handle; the answer comes later, never inside of this call. POOL_HANDLE_NONE
 * (counted): too many wait for the endpoint, or memory is out; then no answer comes. */
MUST_CHECK uint32_t backends_ask(struct backends *backends, const struct backend_request *request);

/* No answer comes any more. */
void backends_cancel(struct backends *backends, uint32_t request);

void backends_on_event(struct backends *backends, uint32_t handle);
void backends_on_turn_end(struct backends *backends);
bool backends_has_work(const struct backends *backends);
/* Requests that are not answered yet. */
bool backends_are_busy(const struct backends *backends);

#endif
