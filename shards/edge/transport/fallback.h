/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP responses that do not end: the transports http_stream, sse, uni_http_stream and uni_sse, and
 * the memory that all of them together may take.
 *
 * They are for clients that WebSocket does not reach, so that a wave of them is most often a fault
 * of a network or of an application: fallback.memory_limit keeps it from taking the node.
 */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_FALLBACK_H
#define ROOST_SHARDS_EDGE_TRANSPORT_FALLBACK_H

#include "shards/edge/transport/connection.h"

/* What an HTTP stream has beside its connection. */
struct fallback {
    struct session *session;         /* NULL: it has ended, and the stream is about to. */
    uint8_t key[EMULATION_NAME_LEN]; /* Emulated: the session's secret name (emulation.h). */
    bool is_named;                   /* It is in edge->emulated. */
    uint32_t output_bytes; /* Of its queue, as they are counted in COUNTER_FALLBACK_BYTES. */
    uint32_t requests;     /* Of emulation, in the second that begins there. */
    uint64_t requests_since_ms;
    /* Until the client is connected, where what comes of that decides what is answered: */
    bool awaits_connect;
    uint16_t requested; /* the connection's, */
    uint32_t cors_len;  /* and whole header lines of the answer. */
    uint8_t cors[];
};

/* Answers a request for one: OPTIONS, a refusal, or (with what it asked by: the body, or the
 * query) the stream. */
void fallback_begin(struct edge *edge, struct connection *conn, const struct http1_request *request,
                    enum transport transport);
/* The body is complete, and so is the head that was kept with it. */
void fallback_on_body(struct edge *edge, struct connection *conn, enum transport transport,
                      struct span body);

/* The stream's output has grown or gone. */
void fallback_count_output(struct edge *edge, struct connection *conn);
/* How much output may wait for it: `limit`, or less when the memory of all streams is used up. */
uint32_t fallback_output_limit(struct edge *edge, const struct connection *conn, uint32_t limit);

/* The client is connected: a response that waited for it begins. False: memory is out. */
MUST_CHECK bool fallback_on_connected(struct edge *edge, struct connection *conn);
/* It is not, for this error: a response that waited for it tells. False: none did. */
MUST_CHECK bool fallback_refuse(struct edge *edge, struct connection *conn, uint32_t error,
                                struct span message);

/* Ends the stream with a disconnect push. What waits goes out before, unless `drop`. */
void fallback_end(struct edge *edge, struct connection *conn, uint32_t code, struct span reason,
                  bool drop);
/* Its connection is closed: all that it had is given back. */
void fallback_free(struct edge *edge, struct connection *conn);

#endif
