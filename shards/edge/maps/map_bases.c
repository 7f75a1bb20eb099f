/* SPDX-License-Identifier: Apache-2.0 */
/* A table from keys to what was last told of them: frames of a broadcast, or an entry of a page. */
#include "shards/edge/maps/map_bases.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json_writer.h"
#include "codec/websocket.h"
#include "shards/edge/fanout/deltas.h"

struct map_base {
    struct buf *buf;      /* As publish_request_of() or, with `is_frames`, as in an arrival. */
    uint64_t offset;      /* Of the channel, also where clients are told none. */
    uint32_t protobuf_at; /* Of frames. */
    bool is_frames;
    uint32_t key_len;
    uint8_t key[];
};

struct map_bases {
    struct map *by_key;
};

static struct map_key key_of_base(const void *object)
{
    const struct map_base *base = object;
    return (struct map_key){base->key, base->key_len};
}

struct map_bases *map_bases_create(struct random *random)
{
    struct map_bases *bases = calloc(1, sizeof(*bases));
    if (bases != NULL) {
        bases->by_key = map_create(key_of_base, random);
    }
    if (bases != NULL && bases->by_key == NULL) {
        free(bases);
        return NULL;
    }
    return bases;
}

static size_t base_bytes(const struct map_base *base)
{
    return sizeof(*base) + base->key_len + base->buf->len;
}

static void base_free(struct edge *edge, struct map_base *base)
{
    actors_gauge_add(edge->actors, COUNTER_DELTA_KEPT_BYTES, -(int64_t)base_bytes(base));
    buf_release(base->buf);
    free(base);
}

void map_bases_destroy(struct edge *edge, struct map_bases *bases)
{
    size_t cursor = 0;
    struct map_base *base;
    while (bases != NULL && (base = map_next(bases->by_key, &cursor)) != NULL) {
        base_free(edge, base);
    }
    if (bases != NULL) {
        map_destroy(bases->by_key);
        free(bases);
    }
}

/* Takes the place of what is older. */
static void put(struct edge *edge, struct map_bases *bases, struct span key,
                const struct map_base *values)
{
    struct map_base *base = map_find(bases->by_key, key.at, key.len);
    if (base != NULL && base->offset > values->offset) {
        return;
    }
    if (base != NULL) {
        map_remove(bases->by_key, base);
        base_free(edge, base);
    }
    if (values->buf == NULL || stats_get(edge->shard->stats, COUNTER_DELTA_KEPT_BYTES) +
                                       sizeof(*base) + key.len + values->buf->len >
                                   DELTA_KEPT_BYTES_A_SHARD_MAX) {
        return;
    }
    base = malloc(sizeof(*base) + key.len);
    if (base == NULL) {
        return;
    }
    *base = *values;
    base->key_len = (uint32_t)key.len;
    memcpy(base->key, key.at, key.len);
    if (!map_insert(bases->by_key, base)) {
        free(base);
        return;
    }
    buf_share(base->buf, 1);
    actors_gauge_add(edge->actors, COUNTER_DELTA_KEPT_BYTES, (int64_t)base_bytes(base));
}

struct client_push_key map_bases_key_of(const struct arrival *arrival,
                                        uint8_t room[MAP_BASES_KEY_ROOM])
{
    const enum client_protocol protocol =
        span_is_empty(arrival_frame(arrival, CLIENT_PROTOBUF)) ? CLIENT_JSON : CLIENT_PROTOBUF;
    struct client_push_parts parts;
    struct client_push_key key = {.key = SPAN_EMPTY};
    struct scratch scratch = scratch_of(room, MAP_BASES_KEY_ROOM);
    if (!client_push_take_apart(protocol, websocket_frame_payload(arrival_frame(arrival, protocol)),
                                &parts) ||
        !client_push_read_key(protocol, &parts, &scratch, &key)) {
        return (struct client_push_key){.key = SPAN_EMPTY};
    }
    return key;
}

bool map_bases_put_arrival(struct edge *edge, struct map_bases *bases,
                           const struct arrival *arrival)
{
    uint8_t room[MAP_BASES_KEY_ROOM];
    const struct client_push_key key = map_bases_key_of(arrival, room);
    if (span_is_empty(key.key)) {
        return false;
    }
    const struct map_base values = {.buf = key.removed ? NULL : arrival->frames,
                                    .offset = arrival->offset,
                                    .protobuf_at = arrival->protobuf_at,
                                    .is_frames = true};
    put(edge, bases, key.key, &values);
    return true;
}

void map_bases_put_page(struct edge *edge, struct map_bases *bases, struct buf *page)
{
    const struct stream_page *entries = page == NULL ? NULL : stream_page_of(page);
    for (uint64_t i = 0; entries != NULL && i < entries->len; i++) {
        const struct stream_page_entry *entry = &entries->entries[i];
        const struct publish_request request = publish_request_of(entry->request);
        const struct map_base values = {.buf = request.is_removed ? NULL : entry->request,
                                        .offset = entry->offset};
        if (!span_is_empty(request.key)) {
            put(edge, bases, request.key, &values);
        }
    }
}

/* A payload as frames of JSON have it, and as it is told on pages: without its line feeds. */
static struct span without_lines(struct span data, uint8_t **memory)
{
    if (span_index_of(data, '\n') == data.len && span_index_of(data, '\r') == data.len) {
        return data;
    }
    *memory = malloc(data.len);
    struct writer out = writer_of(*memory, *memory == NULL ? 0 : data.len);
    if (*memory != NULL) {
        json_put_raw(&out, data);
    }
    return writer_written(&out);
}

struct span map_bases_get(const struct map_bases *bases, enum client_protocol protocol,
                          struct span key, uint8_t **memory)
{
    const struct map_base *base = map_find(bases->by_key, key.at, key.len);
    *memory = NULL;
    if (base == NULL) {
        return SPAN_EMPTY;
    }
    if (!base->is_frames) {
        const struct publish_request request = publish_request_of(base->buf);
        return protocol == CLIENT_PROTOBUF ? request.data
               : request.is_binary         ? SPAN_EMPTY
                                           : without_lines(request.data, memory);
    }
    return deltas_payload_of(protocol, push_frame_of(base->buf, base->protobuf_at, protocol));
}
