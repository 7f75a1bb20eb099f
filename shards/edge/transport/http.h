/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on a connection: requests to their handlers, and responses. */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_HTTP_H
#define ROOST_SHARDS_EDGE_TRANSPORT_HTTP_H

#include "shards/edge/transport/connection.h"

/* Input in HTTP_HEAD and HTTP_BODY; returns where it stopped. */
uint8_t *http_take_head(struct edge *edge, struct connection *conn, uint8_t *at, uint8_t *end);
uint8_t *http_take_body(struct edge *edge, struct connection *conn, uint8_t *at, uint8_t *end);

struct http_response {
    unsigned status;
    const char *content_type; /* NULL: none */
    struct span headers;      /* Whole header lines, each with its CRLF. */
    struct span body;
};

/* A request has its answer: metrics count it, once. */
void http_count_answer(struct edge *edge, uint16_t *requested, unsigned status);

/* Puts a response into the connection's queue, and no more; `keeps`: it says that another request
 * may follow. False: memory is out. */
MUST_CHECK bool http_put_response(struct connection *conn, const struct http_response *response,
                                  bool keeps);

/* Queues a response; then the connection waits for the next request, or ends when it may not be
 * kept. */
void http_respond(struct edge *edge, struct connection *conn, const struct http_response *response);

/* The same with status 200 and a body that an encoder writes; it is not to be cached. */
void http_respond_written(struct edge *edge, struct connection *conn, const char *content_type,
                          edge_encode_function *encode, const void *what);

/* A refusal with a line of text; the connection ends after it. */
void http_respond_error(struct edge *edge, struct connection *conn, unsigned status,
                        const char *text);

/* What this request asked for decides; the response ends the connection. */
void http_end_keep_alive(struct connection *conn);

void http_respond_method_not_allowed(struct edge *edge, struct connection *conn, const char *allow);

/* To the OPTIONS by which a browser asks whether a page of another origin may send a POST. */
void http_respond_preflight(struct edge *edge, struct connection *conn,
                            const struct http1_request *request);

struct http_body {
    enum body_kind kind; /* Who gets it. */
    uint32_t detail;     /* See struct receive. */
    uint32_t len_max;    /* Its Content-Length is no larger. */
};

/* Takes the body of a request before anything else. May close the connection. */
void http_begin_body(struct edge *edge, struct connection *conn,
                     const struct http1_request *request, const struct http_body *body);

/* The head that came with a body that is complete; the caller frees head->at, into which *request
 * points, before its turn ends. */
void http_take_kept_head(struct edge *edge, struct connection *conn, struct bytes *head,
                         struct http1_request *request);

#endif
