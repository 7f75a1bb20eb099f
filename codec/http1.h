/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 (RFC 9110, 9112), strictly: request head, chunked body, query, and response heads. */
#ifndef ROOST_CODEC_HTTP1_H
#define ROOST_CODEC_HTTP1_H

#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http1_limit {
    HTTP1_HEAD_LEN_MAX = 16 * 1024, /* request line, headers and the empty line */
    HTTP1_METHOD_LEN_MAX = 32,
    HTTP1_TARGET_LEN_MAX = 12 * 1024, /* an EventSource connects by its query, with its tokens */
    HTTP1_HEADERS_MAX = 64,
    HTTP1_CHUNK_SIZE_DIGITS_MAX = 16,
    HTTP1_CHUNKED_EXTRA_MAX = 4096, /* chunk extensions and trailers of one body together */
};

_Static_assert(HTTP1_METHOD_LEN_MAX + HTTP1_TARGET_LEN_MAX + 12 < HTTP1_HEAD_LEN_MAX,
               "a longest request line fits");

/* ---- the request's head ---- */

/*
 * Errors are found at the first byte that cannot be right, but for those that need the whole head.
 * Each has the status to answer with (http1_result_status) and a text (http1_result_text); after
 * any of them the connection is closed.
 */
enum http1_result {
    HTTP1_DONE,
    HTTP1_NEED_MORE,
    HTTP1_BAD_METHOD,      /* empty, or not of token characters: so does TLS look, and garbage */
    HTTP1_METHOD_TOO_LONG, /* 501 */
    HTTP1_BAD_TARGET,      /* empty, or with a control character, a #, or what is not ASCII */
    HTTP1_ASTERISK_TARGET, /* OPTIONS *: well formed, not served */
    HTTP1_PROXY_TARGET,    /* absolute-form or authority-form: this is no proxy */
    HTTP1_TARGET_TOO_LONG, /* 414 */
    HTTP1_BAD_VERSION,     /* not HTTP/digit.digit */
    HTTP1_UNSUPPORTED_VERSION, /* another than 1.0 and 1.1: 505 */
    HTTP1_BARE_CR,             /* a CR without its LF */
    HTTP1_BARE_LF,             /* an LF without its CR */
    HTTP1_FOLDED_HEADER,       /* obs-fold, or a space before the first header */
    HTTP1_BAD_HEADER_NAME,     /* empty, or not of token characters */
    HTTP1_SPACE_BEFORE_COLON,
    HTTP1_BAD_HEADER_VALUE, /* a control character */
    HTTP1_HEAD_TOO_LONG,    /* 431 */
    HTTP1_TOO_MANY_HEADERS, /* 431 */
    HTTP1_MISSING_HOST,
    HTTP1_BAD_HOST,         /* empty, or not of host:port characters */
    HTTP1_DUPLICATE_HEADER, /* two of Host, Content-Length, Origin, Authorization and their like */
    HTTP1_BAD_CONTENT_LENGTH,        /* not digits alone, or above 2^64-1 */
    HTTP1_LENGTH_AND_CHUNKED,        /* both Content-Length and Transfer-Encoding */
    HTTP1_BAD_TRANSFER_ENCODING,     /* chunked twice or not last, an empty list, or in HTTP/1.0 */
    HTTP1_UNKNOWN_TRANSFER_ENCODING, /* another coding than chunked: 501 */
    HTTP1_UNKNOWN_EXPECTATION,       /* another than 100-continue: 417 */
    HTTP1_BAD_STATUS,                /* of a response: not three digits, or none that may come */
    HTTP1_RESULT_COUNT,
};

enum http1_method {
    HTTP1_GET,
    HTTP1_HEAD,
    HTTP1_POST,
    HTTP1_OPTIONS,
    HTTP1_OTHER, /* see method_name; usually answered by 405 */
};

struct http1_header {
    struct span name;  /* as written; compare without case */
    struct span value; /* without the white space around it; may be empty */
};

/* All spans point into the parsed bytes. About 2.2 KiB: for the stack, not for a connection. */
struct http1_request {
    size_t head_len; /* what to consume; the body, or the first frame, follows */
    struct span method_name;
    struct span path;  /* raw, without the query; starts with '/' */
    struct span query; /* raw, without the '?'; empty when there is none */
    struct span host;  /* empty in HTTP/1.0 without it */
    enum http1_method method;
    uint8_t minor_version; /* 1, or 0 for HTTP/1.0 */
    bool keep_alive;       /* section 9.3; the connection may carry another request */
    bool is_chunked;
    bool has_content_length;
    bool expect_continue;    /* never set for HTTP/1.0 */
    uint64_t content_length; /* 0 when there is none */
    size_t header_count;
    struct http1_header headers[HTTP1_HEADERS_MAX];
};

/*
 * How far a head was scanned: kept by the connection between reads, all zero before each request.
 * With it a head that comes a byte at a time costs as much as one that comes at once.
 */
struct http1_progress {
    uint16_t scanned; /* bytes that need not be looked at again */
    uint16_t part_at; /* where the part (method, target, version, line) began that the scan is in */
    uint8_t part;     /* private */
    uint8_t header_count;
};

/*
 * Parses the head at the start of `in`, which must begin with the same bytes at each call for one
 * request. At HTTP1_NEED_MORE call again with more bytes; the limits are enforced on the way, so
 * `in` never needs to be longer than HTTP1_HEAD_LEN_MAX. `out` is filled at HTTP1_DONE alone. The
 * result does not depend on how the bytes were cut.
 */
enum http1_result http1_parse_request(struct span in, struct http1_progress *progress,
                                      struct http1_request *out);

/* The status to answer an error with: 400, 414, 417, 431, 501 or 505. */
unsigned http1_result_status(enum http1_result result);
const char *http1_result_text(enum http1_result result);

/* The first header of that name, compared without case; false when there is none. */
bool http1_find_header(const struct http1_request *request, const char *name, struct span *value);

/* The next header of that name from *index on (start with 0), for headers that may be repeated. */
bool http1_next_header(const struct http1_request *request, const char *name, size_t *index,
                       struct span *value);

/*
 * Do the comma-separated lists in the headers of that name have the token? Without case; with it.
 */
bool http1_header_has_token(const struct http1_request *request, const char *name,
                            struct span token);
bool http1_header_has_exact_token(const struct http1_request *request, const char *name,
                                  struct span token);

/* ---- the upgrade to WebSocket (RFC 6455 section 4.2.1) ---- */

enum http1_upgrade_result {
    HTTP1_UPGRADE_OK,
    HTTP1_UPGRADE_NOT_GET,       /* 405 */
    HTTP1_UPGRADE_OLD_HTTP,      /* HTTP/1.0; 400 as all that follow */
    HTTP1_UPGRADE_HAS_BODY,      /* its bytes would pass for frames */
    HTTP1_UPGRADE_NO_UPGRADE,    /* Upgrade does not name websocket */
    HTTP1_UPGRADE_NO_CONNECTION, /* Connection does not name Upgrade */
    HTTP1_UPGRADE_BAD_VERSION,   /* not 13: the answer must carry Sec-WebSocket-Version: 13 */
    HTTP1_UPGRADE_NO_KEY,
    HTTP1_UPGRADE_BAD_KEY, /* not the base64 of 16 bytes */
    HTTP1_UPGRADE_RESULT_COUNT,
};

struct http1_upgrade {
    struct span key;    /* for websocket_accept_key() */
    struct span origin; /* empty when there is none */
    bool has_origin;
    bool has_extensions; /* read them with http1_next_header("Sec-WebSocket-Extensions") */
    bool has_protocols;  /* ask with http1_header_has_exact_token("Sec-WebSocket-Protocol") */
};

enum http1_upgrade_result http1_check_websocket_upgrade(const struct http1_request *request,
                                                        struct http1_upgrade *out);
unsigned http1_upgrade_status(enum http1_upgrade_result result);
const char *http1_upgrade_text(enum http1_upgrade_result result);

/* ---- a chunked body (RFC 9112 section 7.1) ---- */

enum http1_chunked_result {
    HTTP1_CHUNKED_NEED_MORE, /* all of `in` is consumed: nothing is to be kept */
    HTTP1_CHUNKED_DATA,      /* the next piece of the body */
    HTTP1_CHUNKED_DONE,      /* the body is complete; `in` begins with what follows it */
    HTTP1_CHUNKED_BAD_SIZE,  /* not hexadecimal, or more than 16 digits */
    HTTP1_CHUNKED_BAD_LINE,  /* a line or a chunk that does not end in CRLF, or a control character
                              */
    HTTP1_CHUNKED_TOO_LARGE, /* the chunk declares more than the body may have: 413 */
    HTTP1_CHUNKED_TOO_MUCH_EXTRA, /* extensions and trailers beyond HTTP1_CHUNKED_EXTRA_MAX */
    HTTP1_CHUNKED_BAD_TRAILER,    /* not a header line; trailers are checked and dropped */
    HTTP1_CHUNKED_RESULT_COUNT,
};

struct http1_chunked {
    uint64_t body_left;  /* what the body may still declare */
    uint64_t chunk_left; /* of the open chunk; its size so far while the size is read */
    uint16_t extra_left;
    uint8_t stage; /* private */
    uint8_t digits;
};

void http1_chunked_init(struct http1_chunked *chunked, uint64_t body_len_max);

/*
 * Takes bytes from the front of *in. *data, a part of *in, is set at HTTP1_CHUNKED_DATA alone.
 * Errors are final.
 */
enum http1_chunked_result http1_chunked_decode(struct http1_chunked *chunked, struct span *in,
                                               struct span *data);

unsigned http1_chunked_status(enum http1_chunked_result result);
const char *http1_chunked_text(enum http1_chunked_result result);

/* ---- the query ---- */

enum http1_query_result {
    HTTP1_QUERY_FOUND,
    HTTP1_QUERY_ABSENT,
    HTTP1_QUERY_BAD_ESCAPE, /* the value has a % without two hexadecimal digits */
    HTTP1_QUERY_TOO_LONG,   /* the decoded value does not fit; `value` then tells by how much */
};

/*
 * Looks for the first `name=value` in a raw query and appends its value, percent-decoded and with +
 * as a space, to `value`. A name without `=` has an empty value. The decoded bytes may be anything,
 * NUL included.
 */
enum http1_query_result http1_find_query(struct span query, struct span name, struct writer *value);

/* ---- the response's head ---- */

/* The reason phrase of a status (RFC 9110 section 15), "Unknown" for one that we never send. */
const char *http1_status_text(unsigned status);

/* `HTTP/1.1 <status> <reason>CRLF`. */
void http1_write_status(struct writer *writer, unsigned status);

/*
 * One header line. False, and nothing written, when the name is not a token or the value has a CR,
 * LF, NUL or another control character: such a value would split the response.
 */
bool http1_write_header(struct writer *writer, struct span name, struct span value)
    __attribute__((warn_unused_result));

#define http1_write_header_literal(writer, name, value) \
    writer_put_literal((writer), name ": " value "\r\n")

void http1_write_content_length(struct writer *writer, uint64_t len);

/* The empty line. */
void http1_write_head_end(struct writer *writer);

#endif
