/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is answered with: the check of an upgrade to WebSocket, and response heads. */
#include "codec/http1.h"

#include "codec/http1_syntax.h"

/* ---- the upgrade to WebSocket ---- */

/*
 * 16 bytes are 22 digits of base64 and two of padding. The four bits that the last digit has too
 * many are not looked at, as other servers do not either.
 */
static bool http1_is_websocket_key(struct span key)
{
    if (key.len != 24 || key.at[22] != '=' || key.at[23] != '=') {
        return false;
    }
    for (size_t i = 0; i < 22; i++) {
        if (!http1_is_base64_byte(key.at[i])) {
            return false;
        }
    }
    return true;
}

enum http1_upgrade_result http1_check_websocket_upgrade(const struct http1_request *request,
                                                        struct http1_upgrade *out)
{
    struct span version;
    struct span list;
    *out = (struct http1_upgrade){.key = SPAN_EMPTY};
    if (request->method != HTTP1_GET) {
        return HTTP1_UPGRADE_NOT_GET;
    }
    if (request->minor_version == 0) {
        return HTTP1_UPGRADE_OLD_HTTP;
    }
    if (request->is_chunked || request->content_length > 0) {
        return HTTP1_UPGRADE_HAS_BODY;
    }
    if (!http1_header_has_token(request, "Upgrade", SPAN_LITERAL("websocket"))) {
        return HTTP1_UPGRADE_NO_UPGRADE;
    }
    if (!http1_header_has_token(request, "Connection", SPAN_LITERAL("upgrade"))) {
        return HTTP1_UPGRADE_NO_CONNECTION;
    }
    if (!http1_find_header(request, "Sec-WebSocket-Version", &version) ||
        !span_equal(version, SPAN_LITERAL("13"))) {
        return HTTP1_UPGRADE_BAD_VERSION;
    }
    if (!http1_find_header(request, "Sec-WebSocket-Key", &out->key)) {
        return HTTP1_UPGRADE_NO_KEY;
    }
    if (!http1_is_websocket_key(out->key)) {
        return HTTP1_UPGRADE_BAD_KEY;
    }
    out->has_origin = http1_find_header(request, "Origin", &out->origin);
    out->has_extensions = http1_find_header(request, "Sec-WebSocket-Extensions", &list);
    out->has_protocols = http1_find_header(request, "Sec-WebSocket-Protocol", &list);
    return HTTP1_UPGRADE_OK;
}

unsigned http1_upgrade_status(enum http1_upgrade_result result)
{
    switch (result) {
    case HTTP1_UPGRADE_OK:
        return 101;
    case HTTP1_UPGRADE_NOT_GET:
        return 405;
    default:
        return 400;
    }
}

const char *http1_upgrade_text(enum http1_upgrade_result result)
{
    static const char *const texts[HTTP1_UPGRADE_RESULT_COUNT] = {
        [HTTP1_UPGRADE_OK] = "ok",
        [HTTP1_UPGRADE_NOT_GET] = "a WebSocket upgrade must be a GET",
        [HTTP1_UPGRADE_OLD_HTTP] = "a WebSocket upgrade needs HTTP/1.1",
        [HTTP1_UPGRADE_HAS_BODY] = "a WebSocket upgrade must not have a body",
        [HTTP1_UPGRADE_NO_UPGRADE] = "the Upgrade header does not name websocket",
        [HTTP1_UPGRADE_NO_CONNECTION] = "the Connection header does not name Upgrade",
        [HTTP1_UPGRADE_BAD_VERSION] = "Sec-WebSocket-Version must be 13",
        [HTTP1_UPGRADE_NO_KEY] = "missing Sec-WebSocket-Key",
        [HTTP1_UPGRADE_BAD_KEY] = "Sec-WebSocket-Key must be the base64 of 16 bytes",
    };
    return (unsigned)result < HTTP1_UPGRADE_RESULT_COUNT ? texts[result] : "unknown";
}

/* ---- the response's head ---- */

const char *http1_status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Unknown";
}

void http1_write_status(struct writer *writer, unsigned status)
{
    writer_put_literal(writer, "HTTP/1.1 ");
    writer_put_u64(writer, status);
    writer_put_byte(writer, ' ');
    writer_put(writer, span_of_text(http1_status_text(status)));
    writer_put_literal(writer, "\r\n");
}

bool http1_write_header(struct writer *writer, struct span name, struct span value)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!http1_is_token_byte(name.at[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!http1_is_value_byte(value.at[i])) {
            return false;
        }
    }
    if (name.len == 0) {
        return false;
    }
    writer_put(writer, name);
    writer_put_literal(writer, ": ");
    writer_put(writer, value);
    writer_put_literal(writer, "\r\n");
    return true;
}

void http1_write_content_length(struct writer *writer, uint64_t len)
{
    writer_put_literal(writer, "Content-Length: ");
    writer_put_u64(writer, len);
    writer_put_literal(writer, "\r\n");
}

void http1_write_head_end(struct writer *writer)
{
    writer_put_literal(writer, "\r\n");
}
