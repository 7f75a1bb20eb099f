/* SPDX-License-Identifier: Apache-2.0 */
/* What a server answers (RFC 9112 sections 4 and 6), as strictly as requests are read: the status,
 * how long the body is, and whether the connection may carry another request. */
#ifndef ROOST_CODEC_HTTP1_RESPONSE_H
#define ROOST_CODEC_HTTP1_RESPONSE_H

#include "codec/http1.h"

struct http1_response {
    size_t head_len; /* What to consume; the body follows. */
    unsigned status; /* 200 .. 599, or 1xx: an interim one, which is dropped and another comes. */
    bool keep_alive;
    bool is_chunked;
    bool has_content_length;
    uint64_t content_length; /* 0 when there is none. */
    uint32_t keep_alive_s;   /* How long the server keeps an idle connection; 0: not told. */
};

/* Parses the head at the start of `in`, which begins with the same bytes at each call for one
 * response; *scanned is 0 before the first. HTTP1_DONE, HTTP1_NEED_MORE, or why it is no head; the
 * limits are those of requests. */
enum http1_result http1_parse_response(struct span in, size_t *scanned, struct http1_response *out);

/* The body of a response to a request that was not HEAD. */
struct http1_body {
    struct http1_chunked chunked;
    uint64_t left; /* Of a Content-Length; or what may still come before the end. */
    enum { HTTP1_BODY_OF_LENGTH, HTTP1_BODY_CHUNKED, HTTP1_BODY_UNTIL_END } kind;
};

/* False: the head says already that the body is longer than `len_max`. */
bool http1_body_init(struct http1_body *body, const struct http1_response *response,
                     uint64_t len_max);

/* As http1_chunked_decode, for a body of any kind: DATA with the next piece, DONE when it is whole,
 * NEED_MORE, or an error. */
enum http1_chunked_result http1_body_take(struct http1_body *body, struct span *in,
                                          struct span *data);

/* The connection has ended: is the body whole by that? */
static inline bool http1_body_ends_with_connection(const struct http1_body *body)
{
    return body->kind == HTTP1_BODY_UNTIL_END;
}

#endif
