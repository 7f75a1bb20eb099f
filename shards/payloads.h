/* SPDX-License-Identifier: Apache-2.0 */
/* What the bufs in messages hold: packed once by the sender, read as slices by the receiver.
 *
 * The bytes never leave the node (links have an encoding of their own), so the layout is the
 * machine's. Spans point into the buf and live as long as the reader's count of it. All makers
 * return one count, or NULL when memory is out or the parts are more than a buf can hold. Pure; any
 * shard.
 */
#ifndef ROOST_SHARDS_PAYLOADS_H
#define ROOST_SHARDS_PAYLOADS_H

#include "codec/client.h"
#include "runtime/buf.h"
#include "runtime/random.h"

/* Empty for NULL. */
static inline struct span span_of_buf(const struct buf *buf)
{
    return buf == NULL ? SPAN_EMPTY : span_of(buf->bytes, buf->len);
}

/* A client as others see it: 16 bytes of client id, user, conn_info, chan_info. Whether the infos
 * are JSON is found out once, here. */
MUST_CHECK struct buf *identity_make(const uint8_t client[16], struct span user,
                                     struct span conn_info, struct span chan_info);

struct identity {
    const uint8_t *client; /* 16 bytes */
    struct span user;
    struct span conn_info;
    struct span chan_info;
};
struct identity identity_of(const struct buf *buf);
/* False: an info is not JSON, so that JSON clients cannot be told who it is. */
bool identity_is_json(const struct buf *buf);

/* A client id as text, as a UUID is written (RFC 9562, section 4): 36 characters, not terminated.
 * Parsing takes capital digits too; on false `out` is as it was. */
enum { CLIENT_ID_LEN = 16, CLIENT_ID_TEXT_LEN = 36 };
/* A version 4 UUID (RFC 9562 section 5.4): others see it, so it must not be guessable. */
void client_id_draw(struct random *random, uint8_t out[CLIENT_ID_LEN]);
void client_id_format(const uint8_t id[CLIENT_ID_LEN], char out[CLIENT_ID_TEXT_LEN]);
bool client_id_parse(struct span text, uint8_t out[CLIENT_ID_LEN]);

/* The identity as the protocol's ClientInfo; `id_text` is room that must live as long. */
struct client_info identity_info(const struct buf *buf, char id_text[CLIENT_ID_TEXT_LEN]);

/* On what condition a publication with a key is one. */
enum key_mode {
    KEY_REPLACE,   /* None. */
    KEY_IF_NEW,    /* The map has no such key, */
    KEY_IF_EXISTS, /* or it has. */
    KEY_KEEP,      /* As IF_NEW; a key that is there lives on as if it were published now. */
    KEY_MODES,
};

/* A publication on its way to the home, and as a history keeps it. */
struct publish_request {
    struct span channel;
    struct span data;
    struct span tags; /* JSON object or empty */
    struct span idempotency_key;
    struct span version_epoch;
    struct span key;  /* Empty: it is for no map. */
    uint64_t version; /* 0: none */
    int64_t score;
    int64_t time_ms; /* Unix time of its publishing; 0: not told. */
    enum key_mode key_mode;
    bool is_binary;    /* `data` is not JSON. */
    bool wants_delta;  /* See PUBLICATION_DELTA. */
    bool is_removed;   /* The key is removed; there is no data. */
    bool is_passed_on; /* It is in a wildcard channel, and was made in `channel`. */
};
MUST_CHECK struct buf *publish_request_make(const struct publish_request *request);
struct publish_request publish_request_of(const struct buf *buf);

/* Which wildcard a publication is passed on to, and its place among all that the same shard passes
 * on there: its number is larger than that of the one before. */
struct pass {
    struct span wildcard;
    uint64_t lane; /* Of the shard, in this run of its node. */
    uint64_t number;
    uint64_t before; /* 0: all before it have been answered. */
};
MUST_CHECK struct buf *pass_make(const struct pass *pass);
struct pass pass_of(const struct buf *buf);

/* Publications of a stream, in the order in which they were asked for, one count of each buf. The
 * page has one holder: buf_share is not for it. */
struct stream_page_entry {
    struct buf *request;  /* publish_request_of() */
    struct buf *identity; /* Of the publishing client, or NULL. */
    uint64_t offset;
    uint64_t ttl_ms; /* Of a key in CHANNEL_MOVE: for how long it is to live on; 0: for ever. */
};
struct stream_page {
    uint64_t len;
    struct stream_page_entry entries[];
};
/* The maker fills in `entries` before anybody else sees the buf. */
MUST_CHECK struct buf *stream_page_make(uint32_t len);
struct stream_page *stream_page_of(struct buf *buf);
/* One count more of the page, and of all that it holds. NULL is allowed. */
void stream_page_share(struct buf *page);
void stream_page_release(struct buf *buf); /* NULL is allowed. Any shard. */

/* Messages of a channel as they were told, in their order; the last is the channel's newest. */
struct told_message {
    struct buf *values; /* push_values_make(); the others as in PUBLICATION. */
    uint64_t offset;
    uint64_t sent_ns;
    uint64_t epoch;
    uint16_t kind;
    uint16_t flags;
};
struct told_page {
    uint64_t len;
    struct told_message entries[];
};
/* As for a stream_page. */
MUST_CHECK struct buf *told_page_make(uint32_t len);
struct told_page *told_page_of(struct buf *buf);
void told_page_release(struct buf *buf); /* NULL is allowed. Any shard. */

/* Keys of publications that came before in a channel, each with what its first was answered, and
 * for how long that is to be known. Their bytes stand behind the entries. */
struct known_key {
    struct span key;
    uint64_t epoch;
    uint64_t offset;
    uint64_t ttl_ms;
};
struct known_page {
    uint64_t len;
    struct known_key entries[];
};
/* What a page of them weighs; the maker fills in all of it before anybody else sees the buf. */
static inline uint64_t known_page_size(uint64_t len, uint64_t keys_bytes)
{
    return sizeof(struct known_page) + len * sizeof(struct known_key) + keys_bytes;
}
MUST_CHECK struct buf *known_page_make(uint32_t len, uint64_t keys_bytes);
struct known_page *known_page_of(struct buf *buf);

/* A piece of a channel on its way from the home that it had to the one that it has. What is not the
 * FIRST piece follows the one before; with the LAST the channel is whole. */
enum channel_move_flag {
    CHANNEL_MOVE_FIRST = 1u << 0,
    CHANNEL_MOVE_LAST = 1u << 1,
    CHANNEL_MOVE_STREAM = 1u << 2,   /* It has a stream: */
    CHANNEL_MOVE_MAP = 1u << 3,      /* It is a map. */
    CHANNEL_MOVE_KEYS = 1u << 4,     /* The page is of keys, with their newest publications. */
    CHANNEL_MOVE_OCCUPIED = 1u << 5, /* That it is was told to a backend. */
    CHANNEL_MOVE_BARE = 1u << 6,     /* Nothing is left of the channel but what is known of it. */
};
struct channel_move {
    struct buf *name;
    uint64_t epoch;
    uint64_t sequence;
    struct buf *page;  /* stream_page_of(): the next of what is kept; NULL: nothing. */
    struct buf *told;  /* told_page_of(): behind all that is kept; NULL: nothing. */
    struct buf *known; /* known_page_of(): the next keys of publications; NULL: none. */
    uint64_t offset;   /* Of the newest that was ever kept. */
    uint64_t version;  /* As in struct history. */
    uint64_t version_epoch_hash;
    uint32_t expires_in_s;
    uint32_t meta_ttl_s;
    uint32_t stream_size; /* Of a map: what its stream keeps of changes that nobody asked for. */
    uint32_t stream_ttl_s;
    uint32_t flags;
};
/* Takes over the counts of its bufs, or on NULL does not. The buf has one holder. */
MUST_CHECK struct buf *channel_move_make(const struct channel_move *move);
struct channel_move *channel_move_of(struct buf *buf);
void channel_move_release(struct buf *buf); /* NULL is allowed. Any shard. */

/* An epoch as clients see it. Parsing gives 0 for an empty text, and for one that is no epoch of
 * ours a number that no epoch has. */
enum { EPOCH_TEXT_LEN_MAX = 20 };
struct span epoch_format(uint64_t epoch, uint8_t room[EPOCH_TEXT_LEN_MAX]);
uint64_t epoch_parse(struct span text);

/* A list of identities, one count of each. Several shards may hold one list: its holders are
 * counted in it, so that the last of them gives the identities back. buf_share and buf_release are
 * not for such a buf. */
struct presence_snapshot {
    uint32_t holders; /* Atomic. */
    uint32_t len;
    struct buf *identities[];
};
/* One holder. The maker fills in `identities` before anybody else sees the buf. */
MUST_CHECK struct buf *presence_snapshot_make(uint32_t len);
struct presence_snapshot *presence_snapshot_of(struct buf *buf);
void presence_snapshot_share(struct buf *buf, uint32_t more);
void presence_snapshot_release(struct buf *buf); /* NULL is allowed. Any shard. */

/* What the server API does to sessions of a user. */
enum session_command_kind {
    SESSION_DISCONNECT,
    SESSION_UNSUBSCRIBE,
    SESSION_SUBSCRIBE,
    SESSION_REFRESH,
};

struct session_command {
    enum session_command_kind kind;
    uint32_t code; /* disconnect or unsubscribe code */
    struct span user;
    struct span client;  /* Client id as text; empty: all of the user's. */
    struct span session; /* As `client`; we name sessions by the client id too. */
    struct span channel; /* Unsubscribe: empty is all. */
    struct span reason;
    struct span whitelist; /* Raw JSON array of client ids that stay; empty: none. */
    struct span detail;    /* Subscribe, refresh: the whole request, JSON that was decoded once. */
};
MUST_CHECK struct buf *session_command_make(const struct session_command *command);
struct session_command session_command_of(const struct buf *buf);

/* What is known of a key of a shared poll. */
struct poll_item {
    struct span key;
    struct span data;
    uint64_t version;
    bool removed;   /* There is no such key any more: no data. */
    bool is_binary; /* `data` is not JSON. */
};
MUST_CHECK struct buf *poll_item_make(const struct poll_item *item);
struct poll_item poll_item_of(const struct buf *buf);

/* The channels of one shard: names with counts, packed. Begin with a zeroed list; what was added is
 * in its buf, which is the caller's. */
struct survey_channels {
    struct buf *buf; /* Grown as items come; NULL while empty. */
    uint32_t room;
};
/* False when memory is out: the list is as it was. */
MUST_CHECK bool survey_channels_add(struct survey_channels *list, struct span name,
                                    uint32_t clients);
/* The item at the cursor, which begins at 0. False at the end; a NULL buf is an empty list. */
bool survey_channels_next(const struct buf *buf, uint32_t *cursor, struct span *name,
                          uint32_t *clients);

#endif
