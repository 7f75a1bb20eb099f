/* SPDX-License-Identifier: Apache-2.0 */
/* A push as frames, encoded into scratch first, so that the common small one is encoded once and
 * copied; and as the values of which another node makes frames. */
#include "shards/channel/push_frame.h"

#include "codec/link_message.h"
#include "codec/websocket.h"
#include "shards/messages.h"

enum { PUSH_SCRATCH_SIZE = 2048 };

/* One frame on its way into the buf. */
struct piece {
    enum client_protocol protocol;
    size_t payload_len;
    size_t header_len;
    uint8_t header[WEBSOCKET_HEADER_LEN_MAX];
    uint8_t scratch[PUSH_SCRATCH_SIZE];
};

/* Returns the length of the whole frame. */
static size_t piece_begin(struct piece *piece, enum client_protocol protocol,
                          const struct client_reply *reply)
{
    struct writer writer = writer_of(piece->scratch, sizeof(piece->scratch));
    client_protocol_encode_reply(protocol, &writer, reply);
    piece->protocol = protocol;
    piece->payload_len = writer_written_len(&writer) + writer.overflow;
    piece->header_len =
        websocket_encode_header(piece->header,
                                protocol == CLIENT_PROTOBUF ? WEBSOCKET_FIN | WEBSOCKET_BINARY
                                                            : WEBSOCKET_FIN | WEBSOCKET_TEXT,
                                piece->payload_len, NULL);
    return piece->header_len + piece->payload_len;
}

static void piece_end(const struct piece *piece, const struct client_reply *reply, uint8_t *to)
{
    memcpy(to, piece->header, piece->header_len);
    to += piece->header_len;
    if (piece->payload_len <= sizeof(piece->scratch)) {
        memcpy(to, piece->scratch, piece->payload_len);
        return;
    }
    struct writer writer = writer_of(to, piece->payload_len);
    client_protocol_encode_reply(piece->protocol, &writer, reply);
}

struct buf *push_frames_make(const struct client_push *push, uint32_t protocols,
                             uint32_t *protobuf_at)
{
    const struct client_reply reply = {.kind = CLIENT_REPLY_PUSH, .push = *push};
    struct piece pieces[CLIENT_PROTOCOLS];
    size_t json_len = 0;
    size_t protobuf_len = 0;
    if ((protocols & CLIENT_PROTOCOL_BIT(CLIENT_JSON)) != 0) {
        json_len = piece_begin(&pieces[CLIENT_JSON], CLIENT_JSON, &reply);
    }
    if ((protocols & CLIENT_PROTOCOL_BIT(CLIENT_PROTOBUF)) != 0) {
        protobuf_len = piece_begin(&pieces[CLIENT_PROTOBUF], CLIENT_PROTOBUF, &reply);
    }
    if (json_len > UINT32_MAX || protobuf_len > UINT32_MAX - json_len) {
        return NULL;
    }
    struct buf *buf = buf_create((uint32_t)(json_len + protobuf_len));
    if (buf == NULL) {
        return NULL;
    }
    if (json_len > 0) {
        piece_end(&pieces[CLIENT_JSON], &reply, buf->bytes);
    }
    if (protobuf_len > 0) {
        piece_end(&pieces[CLIENT_PROTOBUF], &reply, buf->bytes + json_len);
    }
    *protobuf_at = (uint32_t)json_len;
    return buf;
}

/* ---- values ---- */

/* Who published, joined or left; NULL: it was the server. */
static const struct client_info *push_info(const struct client_push *push)
{
    switch (push->kind) {
    case CLIENT_PUSH_PUBLICATION:
        return push->publication.info;
    case CLIENT_PUSH_JOIN:
        return &push->join;
    default:
        return &push->leave;
    }
}

struct buf *push_values_make(const struct client_push *push, bool is_json)
{
    uint8_t client[CLIENT_ID_LEN];
    const struct client_info *info = push_info(push);
    struct link_entry entry = {.is_binary = !is_json};
    if (push->kind == CLIENT_PUSH_PUBLICATION) {
        entry.data = push->publication.data;
        entry.tags = push->publication.tags;
        entry.version = push->publication.version;
        entry.key = push->publication.key;
        entry.score = push->publication.score;
        entry.is_removed = push->publication.removed;
        entry.channel = push->publication.channel;
    }
    if (info != NULL && client_id_parse(info->client, client)) {
        entry.has_identity = true;
        entry.identity = (struct link_identity){
            .client = span_of(client, sizeof(client)),
            .user = info->user,
            .conn_info = info->conn_info,
            .chan_info = info->chan_info,
        };
    }
    struct writer measure = writer_for_measuring();
    link_put_publication(&measure, &entry);
    struct buf *buf = measure.overflow > UINT32_MAX ? NULL : buf_create((uint32_t)measure.overflow);
    if (buf != NULL) {
        struct writer out = writer_of(buf->bytes, buf->len);
        link_put_publication(&out, &entry);
    }
    return buf;
}

bool push_values_read(struct span values, struct push_values *out)
{
    struct link_entry entry;
    struct client_push *push = &out->push;
    if (link_read_publication(values, &entry) != LINK_MESSAGE_OK ||
        (push->kind != CLIENT_PUSH_PUBLICATION && !entry.has_identity)) {
        return false;
    }
    out->is_json = !entry.is_binary;
    if (entry.has_identity) {
        client_id_format(entry.identity.client.at, out->client_text);
        out->info = (struct client_info){
            .user = entry.identity.user,
            .client = span_of(out->client_text, sizeof(out->client_text)),
            .conn_info = entry.identity.conn_info,
            .chan_info = entry.identity.chan_info,
        };
    }
    if (push->kind == CLIENT_PUSH_PUBLICATION) {
        push->publication = (struct client_publication){
            .data = entry.data,
            .info = entry.has_identity ? &out->info : NULL,
            .tags = entry.tags,
            .key = entry.key,
            .version = entry.version,
            .score = entry.score,
            .removed = entry.is_removed,
            .channel = entry.channel,
        };
    } else if (push->kind == CLIENT_PUSH_JOIN) {
        push->join = out->info;
    } else {
        push->leave = out->info;
    }
    return true;
}

struct buf *push_frames_of_values(struct span channel, const struct message_publication *told,
                                  struct span values, uint32_t protocols, uint32_t *protobuf_at)
{
    static const enum client_push_kind kinds[] = {
        [PUBLICATION_DATA] = CLIENT_PUSH_PUBLICATION,
        [PUBLICATION_JOIN] = CLIENT_PUSH_JOIN,
        [PUBLICATION_LEAVE] = CLIENT_PUSH_LEAVE,
    };
    uint8_t epoch_room[EPOCH_TEXT_LEN_MAX];
    struct push_values read;
    if (told->kind > PUBLICATION_LEAVE) {
        return NULL;
    }
    read.push.kind = kinds[told->kind];
    if (!push_values_read(values, &read)) {
        return NULL;
    }
    read.push.channel = channel;
    if (told->kind == PUBLICATION_DATA && (told->flags & PUBLICATION_UNPLACED) == 0) {
        read.push.publication.offset = told->offset;
        if (told->epoch != 0) {
            read.push.publication.epoch = epoch_format(told->epoch, epoch_room);
        }
    }
    if (!read.is_json) {
        protocols &= ~CLIENT_PROTOCOL_BIT(CLIENT_JSON);
    }
    return push_frames_make(&read.push, protocols, protobuf_at);
}
