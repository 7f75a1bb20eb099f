/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of links.c share: peers, and the wires to them. Only links*.c use it.
 *
 *   peer (a uid) --- up ---------> wire, UP
 *               \--- dialling ---> wire, CONNECTING or GREETING
 *
 *   dialled:   CONNECTING --connected--> GREETING --welcome--> UP
 *   accepted:  STRANGER ----hello------> WELCOMED --any frame-> UP     and from all of them: CLOSED
 */
#ifndef ROOST_SHARDS_ROUTER_LINKS_LINKS_STATE_H
#define ROOST_SHARDS_ROUTER_LINKS_LINKS_STATE_H

#include "runtime/list.h"
#include "runtime/map.h"
#include "runtime/outq.h"
#include "runtime/pool.h"
#include "runtime/stream.h"
#include "runtime/timer.h"
#include "shards/router/links/links.h"

enum {
    LINKS_ACCEPTS_A_TURN = 16,
    /* Dials to addresses of which no more is known. */
    LINKS_REACHES_MAX = 64,
    /* What one wire may read in one turn. */
    LINKS_READ_A_TURN = 1024 * 1024,
    /* A shorter payload is copied: that costs less than a slice of its own (with 1 KiB half as much
     * for the whole link, with 3 KiB the same). */
    LINKS_COPIED_LEN_MAX = 4096,
    /* After descriptors or memory were out. */
    LINKS_ACCEPT_AGAIN_MS = 100,
};

enum wire_state {
    WIRE_CONNECTING, /* Dialled; the system connects. */
    WIRE_GREETING,   /* Dialled; our hello is on its way. */
    WIRE_STRANGER,   /* Accepted; nothing is known of who it is. */
    WIRE_WELCOMED,   /* Accepted; the peer may still decide otherwise. */
    WIRE_UP,         /* Its peer's link. */
    WIRE_CLOSED,     /* Until the end of the turn. */
};

/* One connection. */
struct wire {
    struct links *links;
    struct peer *peer; /* Whom it is dialled for, or whose link it is. */
    enum wire_state state;
    uint32_t handle;
    bool is_dialled;
    bool is_blocked; /* An event tells when it may be worth to send again. */
    bool owes_down;  /* The sink has not heard yet that it is no longer up. */
    uint32_t protocol;
    struct stream stream;
    struct outq out;
    struct gossip_uid uid; /* Who is there, from GREETING's welcome or WELCOMED on. */
    uint64_t incarnation;
    struct socket_address address; /* Where it was dialled. */
    struct timer timer;            /* The end of the handshake; the next heartbeat. */
    struct list place;             /* In strangers, reaches or closed. */
    struct list dirty;             /* In links->dirty, while there is something to send. */
    struct list readable;          /* In links->readable: more has come than one turn reads. */
    uint8_t *partial;              /* A frame that has not come whole. */
    size_t partial_len;
    size_t partial_need;
    uint64_t heard_ms;
    uint64_t used_ms; /* The last message, either way. */
    uint64_t up_since_ms;
    uint64_t rtt_us;
};

/* A node that is kept, or that a link leads to. */
struct peer {
    struct links *links;
    struct gossip_uid uid;
    uint64_t incarnation; /* Of the latest life that was met; 0: none. */
    struct socket_address address;
    bool is_kept;
    bool had_link;
    uint32_t failures; /* Dials since the last link. */
    struct wire *up;
    struct wire *dialling;
    struct timer timer; /* The next dial. */
    struct list loose;  /* In links->loose: perhaps of no more use. */
};

struct links {
    struct shard *shard;
    struct links_options options;
    struct tls_context *renewed; /* In options.tls; NULL: there is what was given at first. */
    struct links_sink sink;
    struct links_counters counters;
    struct map *peers;
    struct pool *wires;
    int listener; /* -1: none. */
    bool has_more_to_accept;
    struct timer accept_again;
    struct list strangers; /* Accepted and not up, the oldest first. */
    struct list reaches;   /* Dialled for no peer and not up. */
    uint32_t strangers_len;
    uint32_t reaches_len;
    struct list dirty;
    struct list readable;
    struct list closed;
    struct list loose;
};

/* ---- links.c ---- */

struct peer *links_peer_find(const struct links *links, const struct gossip_uid *uid);
/* Also when it is known already. NULL: no room. */
struct peer *links_peer_have(struct links *links, const struct gossip_uid *uid);
/* Dials it later, unless it has a link by then. */
void links_plan_dial(struct peer *peer, uint64_t after_ms);
/* The node's own uid is the lower one: its dials go before. */
bool links_goes_before(const struct links *links, const struct gossip_uid *uid);
/* Tells the sink of all wires that are no longer up. */
void links_tell_downs(struct links *links);

/* ---- links_wire.c: connections and the bytes in them ---- */

/* A dial for a peer, or (NULL) for whoever is there. NULL: it has failed already. */
struct wire *wire_dial(struct links *links, const struct socket_address *address,
                       struct peer *peer);
void wire_accept(struct links *links);
/* `why` is for the log. Its peer may be dialled again. */
void wire_close(struct wire *wire, const char *why);
void wire_free(struct wire *wire);
/* Sends at the end of the turn. */
void wire_mark_dirty(struct wire *wire);
void wire_flush(struct wire *wire);
void wire_read(struct wire *wire, bool is_over);
/* Counts it, and closes. */
void wire_refuse_frame(struct wire *wire, enum link_result result);
/* Nothing waits for it any more: neither its timer nor a list. */
void wire_leave_waiting(struct wire *wire);
/* A whole small frame; false when memory is out: then the wire is closed. */
bool wire_put(struct wire *wire, const struct writer *frame);

/* ---- links_handshake.c: what the frames mean ---- */

void wire_on_connected(struct wire *wire);
/* The wire may be closed after it. */
void wire_on_frame(struct wire *wire, const struct link_frame *frame);

#endif
