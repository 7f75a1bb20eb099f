/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: a head with the lengths of the parts, then the bytes of the parts one after the other.
 */
#include "shards/payloads.h"

#include <string.h>

#include "codec/hex.h"
#include "codec/json.h"
#include "codec/writer.h"

enum { PARTS_MAX = 7 };

/* Fills in the lengths, too. NULL: memory is out, or the whole is larger than a buf. */
static struct buf *pack(const void *head, size_t head_len, const struct span *parts, uint32_t count)
{
    uint32_t lens[PARTS_MAX];
    BUG_IF(count > PARTS_MAX);
    const size_t lens_len = count * sizeof(lens[0]);
    size_t total = head_len + lens_len;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].len > UINT32_MAX - total) {
            return NULL;
        }
        total += parts[i].len;
        lens[i] = (uint32_t)parts[i].len;
    }
    struct buf *buf = buf_create((uint32_t)total);
    if (buf == NULL) {
        return NULL;
    }
    uint8_t *at = buf->bytes;
    if (head_len > 0) {
        memcpy(at, head, head_len);
    }
    memcpy(at + head_len, lens, lens_len);
    at += head_len + lens_len;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(at, parts[i].at, parts[i].len);
            at += parts[i].len;
        }
    }
    return buf;
}

static void unpack(const struct buf *buf, size_t head_len, struct span *parts, uint32_t count)
{
    uint32_t lens[PARTS_MAX];
    memcpy(lens, buf->bytes + head_len, count * sizeof(lens[0]));
    const uint8_t *at = buf->bytes + head_len + count * sizeof(lens[0]);
    for (uint32_t i = 0; i < count; i++) {
        parts[i] = lens[i] == 0 ? SPAN_EMPTY : span_of(at, lens[i]);
        at += lens[i];
    }
}

/* ---- identities ---- */

/* The client id, and whether the infos are JSON. */
enum { IDENTITY_HEAD_LEN = CLIENT_ID_LEN + 1 };

static bool is_json_or_empty(struct span text)
{
    return span_is_empty(text) || json_check(text) == JSON_OK;
}

struct buf *identity_make(const uint8_t client[16], struct span user, struct span conn_info,
                          struct span chan_info)
{
    const struct span parts[] = {user, conn_info, chan_info};
    uint8_t head[IDENTITY_HEAD_LEN];
    memcpy(head, client, CLIENT_ID_LEN);
    head[CLIENT_ID_LEN] = is_json_or_empty(conn_info) && is_json_or_empty(chan_info);
    return pack(head, sizeof(head), parts, 3);
}

struct identity identity_of(const struct buf *buf)
{
    struct span parts[3];
    unpack(buf, IDENTITY_HEAD_LEN, parts, 3);
    return (struct identity){
        .client = buf->bytes,
        .user = parts[0],
        .conn_info = parts[1],
        .chan_info = parts[2],
    };
}

bool identity_is_json(const struct buf *buf)
{
    return buf->bytes[CLIENT_ID_LEN] != 0;
}

/* True in front of the bytes that have a dash before them. */
/* How many bytes stand between the dashes of its text. */
static const uint8_t client_id_groups[] = {4, 2, 2, 2, 6};
enum { CLIENT_ID_GROUPS = sizeof(client_id_groups) };

void client_id_draw(struct random *random, uint8_t out[CLIENT_ID_LEN])
{
    random_fill_secret(random, out, CLIENT_ID_LEN);
    out[6] = (uint8_t)((out[6] & 0x0f) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

void client_id_format(const uint8_t id[CLIENT_ID_LEN], char out[CLIENT_ID_TEXT_LEN])
{
    for (uint32_t i = 0; i < CLIENT_ID_GROUPS; i++) {
        if (i > 0) {
            *out++ = '-';
        }
        const uint32_t len = client_id_groups[i];
        hex_write(id, len, out);
        id += len;
        out += (size_t)2 * len;
    }
}

bool client_id_parse(struct span text, uint8_t out[CLIENT_ID_LEN])
{
    if (text.len != CLIENT_ID_TEXT_LEN) {
        return false;
    }
    uint8_t id[CLIENT_ID_LEN];
    uint8_t *to = id;
    const uint8_t *at = text.at;
    for (uint32_t i = 0; i < CLIENT_ID_GROUPS; i++) {
        const uint32_t len = client_id_groups[i];
        if ((i > 0 && *at++ != '-') || !hex_read(at, to, len)) {
            return false;
        }
        to += len;
        at += (size_t)2 * len;
    }
    memcpy(out, id, sizeof(id));
    return true;
}

struct client_info identity_info(const struct buf *buf, char id_text[CLIENT_ID_TEXT_LEN])
{
    const struct identity identity = identity_of(buf);
    client_id_format(identity.client, id_text);
    return (struct client_info){
        .user = identity.user,
        .client = span_of(id_text, CLIENT_ID_TEXT_LEN),
        .conn_info = identity.conn_info,
        .chan_info = identity.chan_info,
    };
}

/* ---- publications ---- */

/* What stands before the parts. */
struct publish_head {
    uint64_t version;
    int64_t score;
    int64_t time_ms;
    uint8_t is_binary;
    uint8_t wants_delta;
    uint8_t is_removed;
    uint8_t key_mode;
    uint8_t is_passed_on;
    uint8_t reserved[3];
};

struct buf *publish_request_make(const struct publish_request *request)
{
    const struct span parts[] = {request->channel,         request->data,          request->tags,
                                 request->idempotency_key, request->version_epoch, request->key};
    const struct publish_head head = {
        .version = request->version,
        .score = request->score,
        .time_ms = request->time_ms,
        .is_binary = request->is_binary,
        .wants_delta = request->wants_delta,
        .is_removed = request->is_removed,
        .key_mode = (uint8_t)request->key_mode,
        .is_passed_on = request->is_passed_on,
    };
    return pack(&head, sizeof(head), parts, 6);
}

struct publish_request publish_request_of(const struct buf *buf)
{
    struct publish_head head;
    struct span parts[6];
    unpack(buf, sizeof(head), parts, 6);
    memcpy(&head, buf->bytes, sizeof(head));
    return (struct publish_request){
        .channel = parts[0],
        .data = parts[1],
        .tags = parts[2],
        .idempotency_key = parts[3],
        .version_epoch = parts[4],
        .key = parts[5],
        .version = head.version,
        .score = head.score,
        .time_ms = head.time_ms,
        .key_mode = (enum key_mode)head.key_mode,
        .is_binary = head.is_binary != 0,
        .wants_delta = head.wants_delta != 0,
        .is_removed = head.is_removed != 0,
        .is_passed_on = head.is_passed_on != 0,
    };
}

struct pass_head {
    uint64_t lane;
    uint64_t number;
    uint64_t before;
};

struct buf *pass_make(const struct pass *pass)
{
    const struct pass_head head = {pass->lane, pass->number, pass->before};
    return pack(&head, sizeof(head), &pass->wildcard, 1);
}

struct pass pass_of(const struct buf *buf)
{
    struct pass_head head;
    struct pass pass;
    unpack(buf, sizeof(head), &pass.wildcard, 1);
    memcpy(&head, buf->bytes, sizeof(head));
    pass.lane = head.lane;
    pass.number = head.number;
    pass.before = head.before;
    return pass;
}

/* ---- streams ---- */

struct buf *stream_page_make(uint32_t len)
{
    const uint64_t size =
        sizeof(struct stream_page) + (uint64_t)len * sizeof(struct stream_page_entry);
    struct buf *buf = size > UINT32_MAX ? NULL : buf_create((uint32_t)size);
    if (buf != NULL) {
        stream_page_of(buf)->len = len;
    }
    return buf;
}

/* A buf's bytes begin 8 bytes behind what malloc gave, so pointers fit there. */
struct stream_page *stream_page_of(struct buf *buf)
{
    return (struct stream_page *)(void *)buf->bytes;
}

void stream_page_share(struct buf *buf)
{
    if (buf == NULL) {
        return;
    }
    const struct stream_page *page = stream_page_of(buf);
    for (uint64_t i = 0; i < page->len; i++) {
        buf_share(page->entries[i].request, 1);
        if (page->entries[i].identity != NULL) {
            buf_share(page->entries[i].identity, 1);
        }
    }
    buf_share(buf, 1);
}

void stream_page_release(struct buf *buf)
{
    if (buf == NULL) {
        return;
    }
    const struct stream_page *page = stream_page_of(buf);
    for (uint64_t i = 0; i < page->len; i++) {
        buf_release(page->entries[i].request);
        buf_release(page->entries[i].identity);
    }
    buf_release(buf);
}

/* ---- channels that move ---- */

struct buf *told_page_make(uint32_t len)
{
    const uint64_t size = sizeof(struct told_page) + (uint64_t)len * sizeof(struct told_message);
    struct buf *buf = size > UINT32_MAX ? NULL : buf_create((uint32_t)size);
    if (buf != NULL) {
        told_page_of(buf)->len = len;
    }
    return buf;
}

struct told_page *told_page_of(struct buf *buf)
{
    return (struct told_page *)(void *)buf->bytes;
}

void told_page_release(struct buf *buf)
{
    const struct told_page *page = buf == NULL ? NULL : told_page_of(buf);
    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
        buf_release(page->entries[i].values);
    }
    buf_release(buf);
}

struct buf *known_page_make(uint32_t len, uint64_t keys_bytes)
{
    const uint64_t size = known_page_size(len, keys_bytes);
    struct buf *buf = size > UINT32_MAX ? NULL : buf_create((uint32_t)size);
    if (buf != NULL) {
        known_page_of(buf)->len = len;
    }
    return buf;
}

struct known_page *known_page_of(struct buf *buf)
{
    return (struct known_page *)(void *)buf->bytes;
}

struct buf *channel_move_make(const struct channel_move *move)
{
    struct buf *buf = buf_create(sizeof(*move));
    if (buf != NULL) {
        *channel_move_of(buf) = *move;
    }
    return buf;
}

struct channel_move *channel_move_of(struct buf *buf)
{
    return (struct channel_move *)(void *)buf->bytes;
}

void channel_move_release(struct buf *buf)
{
    if (buf != NULL) {
        buf_release(channel_move_of(buf)->name);
        stream_page_release(channel_move_of(buf)->page);
        told_page_release(channel_move_of(buf)->told);
        buf_release(channel_move_of(buf)->known);
        buf_release(buf);
    }
}

/* Homes draw odd numbers. */
enum { EPOCH_FOREIGN = 2 };

struct span epoch_format(uint64_t epoch, uint8_t room[EPOCH_TEXT_LEN_MAX])
{
    struct writer out = writer_of(room, EPOCH_TEXT_LEN_MAX);
    if (epoch != 0) {
        writer_put_u64(&out, epoch);
    }
    return writer_written(&out);
}

uint64_t epoch_parse(struct span text)
{
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    uint64_t epoch = 0;
    if (text.len > EPOCH_TEXT_LEN_MAX) {
        return EPOCH_FOREIGN;
    }
    for (size_t i = 0; i < text.len; i++) {
        epoch = epoch * 10 + (uint64_t)(text.at[i] - '0');
    }
    /* Whatever that came to: only its own text is an epoch's. */
    return span_equal(epoch_format(epoch, room), text) ? epoch : EPOCH_FOREIGN;
}

/* ---- presence ---- */

struct buf *presence_snapshot_make(uint32_t len)
{
    const uint64_t size = sizeof(struct presence_snapshot) + (uint64_t)len * sizeof(struct buf *);
    if (size > UINT32_MAX) {
        return NULL;
    }
    struct buf *buf = buf_create((uint32_t)size);
    if (buf != NULL) {
        struct presence_snapshot *snapshot = presence_snapshot_of(buf);
        snapshot->holders = 1;
        snapshot->len = len;
    }
    return buf;
}

/* A buf's bytes begin 8 bytes behind what malloc gave, so pointers fit there. */
struct presence_snapshot *presence_snapshot_of(struct buf *buf)
{
    return (struct presence_snapshot *)(void *)buf->bytes;
}

void presence_snapshot_share(struct buf *buf, uint32_t more)
{
    /* Relaxed, as in buf_share: the ring orders this before the new holders. */
    __atomic_fetch_add(&presence_snapshot_of(buf)->holders, more, __ATOMIC_RELAXED);
}

void presence_snapshot_release(struct buf *buf)
{
    if (buf == NULL) {
        return;
    }
    struct presence_snapshot *snapshot = presence_snapshot_of(buf);
    if (__atomic_sub_fetch(&snapshot->holders, 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    for (uint32_t i = 0; i < snapshot->len; i++) {
        buf_release(snapshot->identities[i]);
    }
    buf_release(buf);
}

/* ---- commands to sessions ---- */

struct session_command_head {
    uint32_t kind;
    uint32_t code;
};

struct buf *session_command_make(const struct session_command *command)
{
    const struct session_command_head head = {.kind = (uint32_t)command->kind,
                                              .code = command->code};
    const struct span parts[] = {command->user,    command->client, command->session,
                                 command->channel, command->reason, command->whitelist,
                                 command->detail};
    return pack(&head, sizeof(head), parts, 7);
}

struct session_command session_command_of(const struct buf *buf)
{
    struct session_command_head head;
    struct span parts[7];
    memcpy(&head, buf->bytes, sizeof(head));
    unpack(buf, sizeof(head), parts, 7);
    return (struct session_command){
        .kind = (enum session_command_kind)head.kind,
        .code = head.code,
        .user = parts[0],
        .client = parts[1],
        .session = parts[2],
        .channel = parts[3],
        .reason = parts[4],
        .whitelist = parts[5],
        .detail = parts[6],
    };
}

/* ---- shared polls ---- */

struct poll_item_head {
    uint64_t version;
    uint32_t removed;
    uint32_t is_binary;
};

struct buf *poll_item_make(const struct poll_item *item)
{
    const struct poll_item_head head = {item->version, item->removed, item->is_binary};
    const struct span parts[] = {item->key, item->data};
    return pack(&head, sizeof(head), parts, 2);
}

struct poll_item poll_item_of(const struct buf *buf)
{
    struct poll_item_head head;
    struct span parts[2];
    memcpy(&head, buf->bytes, sizeof(head));
    unpack(buf, sizeof(head), parts, 2);
    return (struct poll_item){
        .key = parts[0],
        .data = parts[1],
        .version = head.version,
        .removed = head.removed != 0,
        .is_binary = head.is_binary != 0,
    };
}

/* ---- surveys ---- */

struct survey_item_head {
    uint32_t clients;
    uint32_t name_len;
};

enum { SURVEY_ROOM_MIN = 1024 };

static bool survey_channels_grow(struct survey_channels *list, uint64_t needed)
{
    uint64_t room = list->room == 0 ? SURVEY_ROOM_MIN : (uint64_t)list->room * 2;
    room = room < needed ? needed : room;
    room = room > UINT32_MAX ? UINT32_MAX : room;
    struct buf *grown = needed > room ? NULL : buf_create((uint32_t)room);
    if (grown == NULL) {
        return false;
    }
    grown->len = 0;
    if (list->buf != NULL) {
        memcpy(grown->bytes, list->buf->bytes, list->buf->len);
        grown->len = list->buf->len;
        buf_release(list->buf);
    }
    list->buf = grown;
    list->room = (uint32_t)room;
    return true;
}

bool survey_channels_add(struct survey_channels *list, struct span name, uint32_t clients)
{
    if (name.len > UINT32_MAX) {
        return false;
    }
    const struct survey_item_head head = {.clients = clients, .name_len = (uint32_t)name.len};
    const uint32_t used = list->buf == NULL ? 0 : list->buf->len;
    const uint64_t needed = (uint64_t)used + sizeof(head) + name.len;
    if (needed > list->room && !survey_channels_grow(list, needed)) {
        return false;
    }
    memcpy(list->buf->bytes + used, &head, sizeof(head));
    if (name.len > 0) {
        memcpy(list->buf->bytes + used + sizeof(head), name.at, name.len);
    }
    list->buf->len = (uint32_t)needed;
    return true;
}

bool survey_channels_next(const struct buf *buf, uint32_t *cursor, struct span *name,
                          uint32_t *clients)
{
    if (buf == NULL || *cursor >= buf->len) {
        return false;
    }
    struct survey_item_head head;
    memcpy(&head, buf->bytes + *cursor, sizeof(head));
    *name = span_of(buf->bytes + *cursor + sizeof(head), head.name_len);
    *clients = head.clients;
    *cursor += (uint32_t)sizeof(head) + head.name_len;
    return true;
}
