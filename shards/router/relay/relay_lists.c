/* SPDX-License-Identifier: Apache-2.0 */
/* What messages of links have several of: bufs become lists in payloads, and back. */
#include "shards/router/relay/relay_state.h"

#include <assert.h>
#include <string.h>

#include "shards/limits.h"
#include "shards/payloads.h"

static_assert((int)LINK_MESSAGE_KEY_LEN_MAX == (int)IDEMPOTENCY_KEY_LEN_MAX,
              "whatever is known crosses links");

/* ---- payloads: lists, measured first ---- */

/* True with *payload NULL when the list is empty; false: memory is out, or it is too long. */
bool relay_list_make(relay_list_function *put, const void *what, struct buf **payload)
{
    struct writer measure = writer_for_measuring();
    put(&measure, what);
    *payload = NULL;
    if (measure.overflow == 0) {
        return true;
    }
    if (measure.overflow > UINT32_MAX) {
        return false;
    }
    *payload = buf_create((uint32_t)measure.overflow);
    if (*payload == NULL) {
        return false;
    }
    struct writer out = writer_of((*payload)->bytes, (*payload)->len);
    put(&out, what);
    return true;
}

static struct link_identity identity_out(const struct buf *buf)
{
    const struct identity identity = identity_of(buf);
    return (struct link_identity){
        .client = span_of(identity.client, CLIENT_ID_LEN),
        .user = identity.user,
        .conn_info = identity.conn_info,
        .chan_info = identity.chan_info,
    };
}

static struct buf *identity_in(const struct link_identity *identity)
{
    return identity_make(identity->client.at, identity->user, identity->conn_info,
                         identity->chan_info);
}

void relay_put_identity(struct writer *out, const void *what)
{
    const struct buf *buf = what;
    if (buf != NULL) {
        const struct link_identity identity = identity_out(buf);
        link_put_identity(out, &identity);
    }
}

void relay_put_snapshot(struct writer *out, const void *what)
{
    const struct presence_snapshot *snapshot = what;
    for (uint32_t i = 0; snapshot != NULL && i < snapshot->len; i++) {
        relay_put_identity(out, snapshot->identities[i]);
    }
}

void relay_put_entry(struct writer *out, const void *what)
{
    const struct stream_page_entry *stored = what;
    const struct publish_request request = publish_request_of(stored->request);
    struct link_entry entry = {
        .channel = request.channel,
        .data = request.data,
        .tags = request.tags,
        .idempotency_key = request.idempotency_key,
        .version_epoch = request.version_epoch,
        .key = request.key,
        .version = request.version,
        .offset = stored->offset,
        .score = request.score,
        .time_ms = (uint64_t)request.time_ms,
        .ttl_ms = stored->ttl_ms,
        .key_mode = request.key_mode,
        .is_binary = request.is_binary,
        .wants_delta = request.wants_delta,
        .is_removed = request.is_removed,
        .is_passed_on = request.is_passed_on,
        .has_identity = stored->identity != NULL,
    };
    if (entry.has_identity) {
        entry.identity = identity_out(stored->identity);
    }
    link_put_entry(out, &entry);
}

void relay_put_page(struct writer *out, const void *what)
{
    const struct stream_page *page = what;
    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
        relay_put_entry(out, &page->entries[i]);
    }
}

/* ---- from payloads ---- */

/* The one identity of a list; false: it has none, or is bad, or memory is out. */
bool relay_take_identity(struct span payload, struct buf **out)
{
    struct link_identity identity;
    *out = NULL;
    if (link_next_identity(&payload, &identity) == LINK_MESSAGE_OK) {
        *out = identity_in(&identity);
    }
    return *out != NULL;
}

bool relay_take_entry(const struct link_entry *entry, struct stream_page_entry *out)
{
    const struct publish_request request = {
        .channel = entry->channel,
        .data = entry->data,
        .tags = entry->tags,
        .idempotency_key = entry->idempotency_key,
        .version_epoch = entry->version_epoch,
        .key = entry->key,
        .version = entry->version,
        .score = entry->score,
        .time_ms = (int64_t)entry->time_ms,
        .key_mode = entry->key_mode < KEY_MODES ? (enum key_mode)entry->key_mode : KEY_REPLACE,
        .is_binary = entry->is_binary,
        .wants_delta = entry->wants_delta,
        .is_removed = entry->is_removed,
        .is_passed_on = entry->is_passed_on,
    };
    *out = (struct stream_page_entry){.offset = entry->offset,
                                      .ttl_ms = entry->ttl_ms,
                                      .request = publish_request_make(&request)};
    if (out->request != NULL && entry->has_identity) {
        out->identity = identity_in(&entry->identity);
    }
    if (out->request == NULL || (entry->has_identity && out->identity == NULL)) {
        buf_release(out->request);
        return false;
    }
    return true;
}

static uint32_t count_entries(struct span payload, bool *is_good)
{
    struct link_entry entry;
    uint32_t count = 0;
    enum link_message_result result;
    while ((result = link_next_entry(&payload, &entry)) == LINK_MESSAGE_OK) {
        count++;
    }
    *is_good = result == LINK_MESSAGE_DONE;
    return count;
}

/* NULL with true: an empty one. */
bool relay_take_page(struct span payload, struct buf **out)
{
    bool is_good;
    const uint32_t len = count_entries(payload, &is_good);
    *out = NULL;
    if (!is_good || len == 0) {
        return is_good;
    }
    *out = stream_page_make(len);
    if (*out == NULL) {
        return false;
    }
    struct stream_page *page = stream_page_of(*out);
    for (page->len = 0; page->len < len; page->len++) {
        struct link_entry entry;
        if (link_next_entry(&payload, &entry) != LINK_MESSAGE_OK ||
            !relay_take_entry(&entry, &page->entries[page->len])) {
            stream_page_release(*out);
            *out = NULL;
            return false;
        }
    }
    return true;
}

bool relay_take_snapshot(struct span payload, struct buf **out)
{
    struct link_identity identity;
    uint32_t len = 0;
    struct span rest = payload;
    enum link_message_result result;
    while ((result = link_next_identity(&rest, &identity)) == LINK_MESSAGE_OK) {
        len++;
    }
    *out = NULL;
    if (result != LINK_MESSAGE_DONE || len == 0) {
        return result == LINK_MESSAGE_DONE;
    }
    *out = presence_snapshot_make(len);
    if (*out == NULL) {
        return false;
    }
    struct presence_snapshot *snapshot = presence_snapshot_of(*out);
    for (snapshot->len = 0; snapshot->len < len; snapshot->len++) {
        struct buf *made = NULL;
        if (link_next_identity(&payload, &identity) == LINK_MESSAGE_OK) {
            made = identity_in(&identity);
        }
        if (made == NULL) {
            presence_snapshot_release(*out);
            *out = NULL;
            return false;
        }
        snapshot->identities[snapshot->len] = made;
    }
    return true;
}

void relay_put_move(struct writer *out, const void *what)
{
    const struct channel_move *move = what;
    const struct told_page *told = move->told == NULL ? NULL : told_page_of(move->told);
    relay_put_page(out, move->page == NULL ? NULL : stream_page_of(move->page));
    for (uint64_t i = 0; told != NULL && i < told->len; i++) {
        const struct told_message *entry = &told->entries[i];
        const struct link_told item = {
            .publication = span_of(entry->values->bytes, entry->values->len),
            .offset = entry->offset,
            .epoch = entry->epoch,
            .what = entry->kind,
            .flags = entry->flags,
        };
        link_put_told(out, &item);
    }
    const struct known_page *known = move->known == NULL ? NULL : known_page_of(move->known);
    for (uint64_t i = 0; known != NULL && i < known->len; i++) {
        const struct known_key *entry = &known->entries[i];
        const struct link_known item = {
            .idempotency_key = entry->key,
            .offset = entry->offset,
            .epoch = entry->epoch,
            .ttl_ms = entry->ttl_ms,
        };
        link_put_known(out, &item);
    }
}

bool relay_take_told(struct span payload, struct buf **out)
{
    struct link_told item;
    uint32_t len = 0;
    struct span rest = payload;
    enum link_message_result result;
    while ((result = link_next_told(&rest, &item)) == LINK_MESSAGE_OK) {
        len++;
    }
    *out = NULL;
    if (result != LINK_MESSAGE_DONE || len == 0) {
        return result == LINK_MESSAGE_DONE;
    }
    *out = told_page_make(len);
    if (*out == NULL) {
        return false;
    }
    struct told_page *page = told_page_of(*out);
    for (page->len = 0; page->len < len; page->len++) {
        struct buf *values = NULL;
        if (link_next_told(&payload, &item) == LINK_MESSAGE_OK) {
            values = buf_copy(item.publication.at, item.publication.len);
        }
        if (values == NULL) {
            told_page_release(*out);
            *out = NULL;
            return false;
        }
        page->entries[page->len] = (struct told_message){
            .values = values,
            .offset = item.offset,
            .epoch = item.epoch,
            .kind = (uint16_t)item.what,
            .flags = (uint16_t)item.flags,
        };
    }
    return true;
}

/* False: more than one piece may have, or bad, or memory is out. */
bool relay_take_known(struct span payload, struct buf **out)
{
    struct link_known item;
    uint32_t len = 0;
    uint64_t bytes = 0;
    struct span rest = payload;
    enum link_message_result result;
    while ((result = link_next_known(&rest, &item)) == LINK_MESSAGE_OK) {
        len++;
        bytes += item.idempotency_key.len;
    }
    *out = NULL;
    if (result != LINK_MESSAGE_DONE || known_page_size(len, bytes) > HANDOVER_PIECE_BYTES) {
        return false;
    }
    if (len == 0) {
        return true;
    }
    *out = known_page_make(len, bytes);
    if (*out == NULL) {
        return false;
    }
    struct known_page *page = known_page_of(*out);
    uint8_t *at = (uint8_t *)&page->entries[len];
    for (uint32_t i = 0; i < len; i++) {
        BUG_IF(link_next_known(&payload, &item) != LINK_MESSAGE_OK); /* As it was counted. */
        memcpy(at, item.idempotency_key.at, item.idempotency_key.len);
        page->entries[i] = (struct known_key){
            .key = span_of(at, item.idempotency_key.len),
            .epoch = item.epoch,
            .offset = item.offset,
            .ttl_ms = item.ttl_ms,
        };
        at += item.idempotency_key.len;
    }
    return true;
}
