/* SPDX-License-Identifier: Apache-2.0 */
/* Makes deltas, and encodes around them. */
#include "shards/edge/fanout/deltas.h"

#include <stdlib.h>
#include <string.h>

#include "codec/client_push.h"
#include "codec/delta.h"
#include "codec/json_writer.h"
#include "codec/websocket.h"
#include "shards/edge/transport/connection.h"
#include "shards/edge/fanout/streams.h"

/* What a subscriber is to be told instead of a payload. */
struct told {
    struct span data;
    bool is_delta;
    uint8_t *memory; /* That `data` may be in; to be freed. */
};

/* The delta where it is the shorter one; made in the edge's scratch if that is large enough. */
static struct told delta_or_whole(struct edge *edge, enum client_protocol protocol,
                                  struct span base, struct span data)
{
    struct told told = {.data = data};
    if (span_is_empty(base) || base.len > DELTA_PAYLOAD_LEN_MAX ||
        data.len > DELTA_PAYLOAD_LEN_MAX) {
        return told;
    }
    const size_t index_len = DELTA_SCRATCH_LEN(base.len);
    uint8_t *room = edge->scratch;
    if (index_len + data.len > EDGE_SCRATCH_SIZE) {
        told.memory = malloc(index_len + data.len);
        room = told.memory;
    }
    if (room == NULL) {
        return told;
    }
    struct writer out = writer_of(room + index_len, data.len);
    if (delta_create(base, data, protocol == CLIENT_JSON ? DELTA_OF_UTF8 : DELTA_OF_BYTES,
                     scratch_of(room, index_len), &out) == DELTA_OK) {
        told.data = writer_written(&out);
        told.is_delta = true;
        actors_count(edge->actors, COUNTER_DELTAS_MADE);
    } else {
        actors_count(edge->actors, COUNTER_DELTAS_WHOLE);
        free(told.memory);
        told.memory = NULL;
    }
    return told;
}

/* ---- frames ---- */

static struct frame *copy_frame(struct span frame)
{
    struct frame *copy = frame_create((uint32_t)frame.len);
    if (copy != NULL) {
        memcpy(frame_bytes(copy), frame.at, frame.len);
        copy->len = (uint32_t)frame.len;
    }
    return copy;
}

static struct frame *frame_around(enum client_protocol protocol,
                                  const struct client_push_parts *parts, const struct told *told)
{
    struct writer measure = writer_for_measuring();
    client_push_put(protocol, &measure, parts, told->data, told->is_delta);
    const size_t payload_len = measure.overflow;
    struct frame *frame =
        payload_len > UINT32_MAX - WEBSOCKET_SERVER_HEADER_LEN_MAX
            ? NULL
            : frame_create(WEBSOCKET_SERVER_HEADER_LEN_MAX + (uint32_t)payload_len);
    if (frame == NULL) {
        return NULL;
    }
    uint8_t *at = frame_bytes(frame);
    const size_t header_len =
        websocket_encode_header(at, WEBSOCKET_FIN | (unsigned)connection_opcode(protocol),
                                payload_len, NULL);
    struct writer out = writer_of(at + header_len, payload_len);
    client_push_put(protocol, &out, parts, told->data, told->is_delta);
    frame->len = (uint32_t)(header_len + payload_len);
    return frame;
}

struct frame *deltas_make_frame(struct edge *edge, enum client_protocol protocol, struct span frame,
                                struct span base)
{
    struct client_push_parts parts;
    if (!client_push_take_apart(protocol, websocket_frame_payload(frame), &parts) ||
        span_is_empty(parts.data)) {
        return copy_frame(frame);
    }
    const struct told told = delta_or_whole(edge, protocol, base, parts.data);
    struct frame *made = frame_around(protocol, &parts, &told);
    free(told.memory);
    return made;
}

struct span deltas_payload_of(enum client_protocol protocol, struct span frame)
{
    struct client_push_parts parts;
    return !span_is_empty(frame) &&
                   client_push_take_apart(protocol, websocket_frame_payload(frame), &parts)
               ? parts.data
               : SPAN_EMPTY;
}

/* ---- pages ---- */

/* A JSON payload as frames have it, without the line feeds between its tokens: what a client has
 * recovered is the base of what it gets next. A span without `at` when memory is out. */
static struct span without_lines(struct stream_publications *publications, struct span data)
{
    if (span_index_of(data, '\n') == data.len && span_index_of(data, '\r') == data.len) {
        return data;
    }
    uint8_t *memory = stream_publications_allocate(publications, data.len);
    struct writer out = writer_of(memory, memory == NULL ? 0 : data.len);
    if (memory != NULL) {
        json_put_raw(&out, data);
    }
    return writer_written(&out);
}

/* What is told, in memory of the page; a JSON client gets it as a string. A span without `at` when
 * memory is out. */
static struct span keep_told(struct stream_publications *publications,
                             enum client_protocol protocol, const struct told *told)
{
    if (protocol == CLIENT_PROTOBUF && !told->is_delta) {
        return told->data;
    }
    struct writer measure = writer_for_measuring();
    if (protocol == CLIENT_JSON) {
        json_put_string(&measure, told->data);
    }
    const size_t len = protocol == CLIENT_JSON ? measure.overflow : told->data.len;
    uint8_t *memory = stream_publications_allocate(publications, len);
    if (memory == NULL) {
        return SPAN_EMPTY;
    }
    struct writer out = writer_of(memory, len);
    if (protocol == CLIENT_JSON) {
        json_put_string(&out, told->data);
    } else {
        writer_put(&out, told->data);
    }
    return writer_written(&out);
}

bool deltas_make_page(struct edge *edge, enum client_protocol protocol,
                      struct stream_publications *publications)
{
    struct span base = SPAN_EMPTY;
    for (size_t i = 0; i < publications->len; i++) {
        struct client_publication *item = &publications->items[i];
        const struct span data =
            protocol == CLIENT_JSON ? without_lines(publications, item->data) : item->data;
        if (data.at == NULL) {
            return false;
        }
        const struct told told = delta_or_whole(edge, protocol, base, data);
        item->data = keep_told(publications, protocol, &told);
        item->delta = told.is_delta;
        free(told.memory);
        if (item->data.at == NULL) {
            return false;
        }
        base = data;
    }
    return true;
}

bool deltas_make_whole_page(enum client_protocol protocol, struct stream_publications *publications)
{
    for (size_t i = 0; protocol == CLIENT_JSON && i < publications->len; i++) {
        struct client_publication *item = &publications->items[i];
        if (span_is_empty(item->data)) {
            continue; /* A removal. */
        }
        const struct told told = {.data = without_lines(publications, item->data)};
        if (told.data.at == NULL) {
            return false;
        }
        item->data = keep_told(publications, protocol, &told);
        if (item->data.at == NULL) {
            return false;
        }
    }
    return true;
}
