/* SPDX-License-Identifier: Apache-2.0 */
/* Centrifuge's protocol in JSON: commands and replies are lines of a message. */
#include "ops/bench/protocol.h"

#include <string.h>

/* The last command of joining has id 1, so that one test tells that all is done. */
static void centrifuge_json_join(struct writer *out, const char *channel)
{
    if (channel == NULL) {
        writer_put_literal(out, "{\"id\":1,\"connect\":{}}");
        return;
    }
    writer_put_literal(out, "{\"id\":2,\"connect\":{}}\n{\"id\":1,\"subscribe\":{\"channel\":\"");
    writer_put(out, span_of_text(channel));
    writer_put_literal(out, "\"}}");
}

static void centrifuge_json_publish(struct writer *out, const char *channel, struct span payload)
{
    writer_put_literal(out, "{\"id\":3,\"publish\":{\"channel\":\"");
    writer_put(out, span_of_text(channel));
    writer_put_literal(out, "\",\"data\":");
    writer_put(out, payload);
    writer_put_literal(out, "}}");
}

static const uint8_t *find(struct span in, struct span what)
{
    return in.len == 0 ? NULL : (const uint8_t *)memmem(in.at, in.len, what.at, what.len);
}

/* Our payloads are strings without escapes, so the next quote ends one. */
static enum protocol_event push_event(struct span line, struct span *out)
{
    static const struct span key = {(const uint8_t *)"\"data\":\"", 8};
    const uint8_t *found = find(line, key);
    if (found == NULL) {
        return PROTOCOL_OTHER;
    }
    const uint8_t *start = found + key.len - 1;
    const size_t left = (size_t)(line.at + line.len - start);
    const size_t len = span_index_of(span_of(start + 1, left - 1), '"') + 2;
    *out = span_of(start, len < left ? len : left);
    return PROTOCOL_PUBLICATION;
}

static enum protocol_event centrifuge_json_next(struct span *rest, struct span *out)
{
    if (rest->len == 0) {
        return PROTOCOL_END;
    }
    const struct span line = span_of(rest->at, span_index_of(*rest, '\n'));
    *rest = span_skip(*rest, line.len + 1);
    *out = line;
    if (span_starts_with(line, SPAN_LITERAL("{\"push\":"))) {
        return push_event(line, out);
    }
    if (span_equal(line, SPAN_LITERAL("{}"))) {
        return PROTOCOL_PING;
    }
    if (find(line, SPAN_LITERAL("\"error\":")) != NULL) {
        return PROTOCOL_ERROR;
    }
    return span_starts_with(line, SPAN_LITERAL("{\"id\":1,")) ? PROTOCOL_JOINED : PROTOCOL_OTHER;
}

const struct protocol protocol_centrifuge_json = {
    .name = "centrifuge",
    .about = "Centrifuge's protocol in JSON (roost, Centrifugo)",
    .path = "/connection/websocket",
    .pong = {(const uint8_t *)"{}", 2},
    .mask = {0x1b, 0xad, 0xb0, 0x0d},
    .has_channels = true,
    .join = centrifuge_json_join,
    .publish = centrifuge_json_publish,
    .next = centrifuge_json_next,
};
