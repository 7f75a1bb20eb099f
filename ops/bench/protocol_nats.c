/* SPDX-License-Identifier: Apache-2.0 */
/* NATS' text protocol, which its server also speaks over WebSocket: a message holds whole lines. */
#include "ops/bench/protocol.h"

#include <string.h>

/* The server answers in order, so its PONG tells that it has taken the subscription too. */
static void nats_join(struct writer *out, const char *channel)
{
    writer_put_literal(out, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
    if (channel != NULL) {
        writer_put_literal(out, "SUB ");
        writer_put(out, span_of_text(channel));
        writer_put_literal(out, " 1\r\n");
    }
    writer_put_literal(out, "PING\r\n");
}

static void nats_publish(struct writer *out, const char *channel, struct span payload)
{
    writer_put_literal(out, "PUB ");
    writer_put(out, span_of_text(channel));
    writer_put_byte(out, ' ');
    writer_put_u64(out, payload.len);
    writer_put_literal(out, "\r\n");
    writer_put(out, payload);
    writer_put_literal(out, "\r\n");
}

/* The length of the payload, which is the last word of "MSG SUBJECT SID [REPLY] LENGTH". */
static bool payload_len_of(struct span line, size_t *out)
{
    size_t at = line.len;
    size_t len = 0;
    size_t scale = 1;
    while (at > 0 && line.at[at - 1] >= '0' && line.at[at - 1] <= '9' && line.len - at < 8) {
        at--;
        len += scale * (size_t)(line.at[at] - '0');
        scale *= 10;
    }
    *out = len;
    return at > 0 && at < line.len && line.at[at - 1] == ' ';
}

static enum protocol_event take_message(struct span line, struct span *rest, struct span *out)
{
    size_t len;
    if (!payload_len_of(line, &len) || rest->len < len + 2 ||
        memcmp(rest->at + len, "\r\n", 2) != 0) {
        return PROTOCOL_ERROR;
    }
    *out = span_of(rest->at, len);
    *rest = span_skip(*rest, len + 2);
    return PROTOCOL_PUBLICATION;
}

static enum protocol_event nats_next(struct span *rest, struct span *out)
{
    if (rest->len == 0) {
        return PROTOCOL_END;
    }
    const uint8_t *end = memmem(rest->at, rest->len, "\r\n", 2);
    *out = *rest;
    if (end == NULL) {
        *rest = SPAN_EMPTY;
        return PROTOCOL_ERROR;
    }
    const struct span line = span_between(rest->at, end);
    *rest = span_skip(*rest, line.len + 2);
    *out = line;
    if (span_starts_with(line, SPAN_LITERAL("MSG "))) {
        return take_message(line, rest, out);
    }
    if (span_equal(line, SPAN_LITERAL("PING"))) {
        return PROTOCOL_PING;
    }
    if (span_equal(line, SPAN_LITERAL("PONG"))) {
        return PROTOCOL_JOINED;
    }
    const bool is_known =
        span_starts_with(line, SPAN_LITERAL("INFO ")) || span_equal(line, SPAN_LITERAL("+OK"));
    return is_known ? PROTOCOL_OTHER : PROTOCOL_ERROR;
}

const struct protocol protocol_nats = {
    .name = "nats",
    .about = "NATS over WebSocket; an echo is a publication to oneself",
    .path = "/",
    .pong = {(const uint8_t *)"PONG\r\n", 6},
    .mask = {0x1b, 0xad, 0xb0, 0x0d},
    .is_binary = true,
    .has_channels = true,
    .join = nats_join,
    .publish = nats_publish,
    .next = nats_next,
};
