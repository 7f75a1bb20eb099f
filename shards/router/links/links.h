/* SPDX-License-Identifier: Apache-2.0 */
/* Links: one connection between each pair of nodes, and messages over it.
 *
 *   membership --> links_keep, links_forget, links_reach      links_send --> queue --> one writev
 *                            |                                                         a turn
 *                   dial, accept, handshake (TLS, hello)
 *                            |
 *       sink->up  ...  sink->message, sink->message  ...  sink->down
 *
 * Who dials. The node with the lower uid dials at once, the other one only when no link came for
 * `patience_ms`. Of two connections between the same two lives of nodes the one that the lower uid
 * dialled stays; of two that one node dialled, the newer one. A later life (`incarnation`) of a
 * node replaces an earlier one, which is refused from then on. Only a connection that both sides
 * agreed on replaces another, so that a node never drops a good link for one that the peer gives
 * up.
 *
 * Order and loss. Messages of one link arrive in the order in which they were sent, once, as long
 * as the link lives. What was under way when it goes down is lost: after `up` both owners start
 * from nothing (send what the peer has to know, ask for what is missing).
 *
 * How states are exchanged (membership's sink->exchange). A link may be had without knowing whom it
 * will lead to:
 *   - `up` of any link: send the peer all parts of the state, as messages that ask for its state;
 *   - exchange(to, peer) with links_is_up(peer): the same;
 *   - exchange(to, peer) otherwise: links_reach(to). When somebody is there, `up` follows, and so
 *     the first case. The link stays for `idle_ms` after the last message, or for as long as
 *     membership then keeps its uid.
 *
 * Bounds. A link's queue has `queue_requests_bytes_max` for requests and `queue_bytes_max` for
 * everything. A request beyond its bound is refused: links_send returns false, and who asked is
 * told to come back later. A reply beyond its bound ends the link, since its loss could not be told
 * in another way: `down` follows. At most `strangers_max` inbound connections have not finished
 * their handshake, each for `handshake_ms` and with LINK_HELLO_LEN_MAX bytes; the frames of others
 * are refused by their length, before their memory is taken.
 *
 * All is owned by the router shard. The sink is called by links_on_event, by links_on_turn_end and
 * by timers; never during links_send, links_keep, links_forget and links_reach.
 */
#ifndef ROOST_SHARDS_ROUTER_LINKS_LINKS_H
#define ROOST_SHARDS_ROUTER_LINKS_LINKS_H

#include "codec/gossip.h"
#include "codec/link.h"
#include "runtime/buf.h"
#include "runtime/mailbox.h"
#include "runtime/poller.h"
#include "runtime/shard.h"
#include "runtime/tls.h"

struct links;

/* Hellos and welcomes are sealed, so that nobody has a link, nor takes the place of another node's,
 * who does not have the cluster's key. False: it cannot be sealed, or is not to be believed. */
struct links_seal {
    void *owner; /* NULL: they go as they are. */
    bool (*seal)(void *owner, struct span hello, struct writer *sealed);
    bool (*open)(void *owner, struct span sealed, struct writer *hello);
};

struct links_options {
    uint32_t cluster;        /* A hash of the cluster's name, as in the gossip. */
    struct gossip_uid uid;   /* This node. */
    uint64_t incarnation;    /* Of this life of the uid: Unix milliseconds of the start will do. */
    uint32_t protocol_min;   /* What this node speaks. */
    uint32_t protocol_max;   /* >= protocol_min */
    struct tls_context *tls; /* NULL: in clear.  */
    struct links_seal seal;
    uint32_t links_max;       /* Peers at one time, kept or not. */
    uint32_t strangers_max;   /* Inbound connections before the end of their handshake. */
    uint32_t message_len_max; /* Head and payload; at most LINK_MESSAGE_LEN_MAX. */
    uint32_t queue_requests_bytes_max;
    uint32_t queue_bytes_max; /* > queue_requests_bytes_max */
    uint32_t handshake_ms;    /* From a connection's beginning to the end of its handshake. */
    uint32_t heartbeat_ms;
    uint32_t dead_ms; /* Without a byte from the peer; several heartbeats. */
    uint32_t patience_ms;
    uint32_t reconnect_ms_min; /* Doubled with each failure, up to reconnect_ms_max, with jitter. */
    uint32_t reconnect_ms_max;
    uint32_t idle_ms; /* Of a link that nobody keeps. */
};

/* What suits a local network; cluster, uid, incarnation and tls are the caller's. */
struct links_options links_options_default(void);

struct links_sink {
    void *owner;
    void (*up)(void *owner, const struct gossip_uid *peer, uint32_t protocol);
    void (*down)(void *owner, const struct gossip_uid *peer);
    /* One whole message; valid during the call. It may lie in shard->receive_buffer, which is not
     * the sink's to use. */
    void (*message)(void *owner, const struct gossip_uid *peer, struct span message);
};

/* NULL: memory is out. */
MUST_CHECK struct links *links_create(struct shard *shard, const struct links_options *options,
                                      const struct links_sink *sink);

/* Closes everything; the sink is not called. NULL is allowed. */
void links_destroy(struct links *links);

/* Takes links at this address. False: it cannot be had. */
MUST_CHECK bool links_listen(struct links *links, const struct socket_address *address);

/* Connections that begin from now on show and want these certificates, which are the links' own
 * then; those that are there stay. Only where options.tls is set. */
void links_renew_tls(struct links *links, struct tls_context *tls);

/* This member lives there: have a link to it from now on, and again whenever it is lost. A new
 * address is for the next time it is dialled. There is no incarnation here: that of membership
 * rises whenever a rumour is refuted, and is not that of a life, which the handshake tells. */
void links_keep(struct links *links, const struct gossip_uid *uid,
                const struct socket_address *address);

/* The member is dead or has left: what it has is closed (`down` follows) and not dialled again. A
 * link that the peer itself makes later is taken: it may know better. */
void links_forget(struct links *links, const struct gossip_uid *uid);

/* A link to whoever is there, unless one is being made; once, without trying again. False: there is
 * no room. */
bool links_reach(struct links *links, const struct socket_address *address);

/* Between `up` and `down`. */
bool links_is_up(const struct links *links, const struct gossip_uid *uid);

/* A message is the head, which is copied, and the bytes of the payload (NULL: none), which is
 * shared when it is long: the caller keeps its own count. False: it was refused, because there is
 * no link or no room for the class, or because it is longer than message_len_max. */
MUST_CHECK bool links_send(struct links *links, const struct gossip_uid *uid,
                           enum message_class class, struct span head, struct buf *payload);

/* Bytes that wait in the link's queue; 0 when there is no link. For who paces itself. */
uint32_t links_queue_bytes(const struct links *links, const struct gossip_uid *uid);

/* ---- from the actor's functions ---- */

/* The tokens of its sockets, among those of the actor's others. */
#define LINKS_TOKENS (1ull << 62)
static inline bool links_has_token(uint64_t token)
{
    return (token & LINKS_TOKENS) != 0 && token != POLLER_TOKEN_NONE;
}

void links_on_event(struct links *links, uint64_t token, uint32_t events);
/* Sends what the turn queued; closes what ended. The actor's last act of a turn. */
void links_on_turn_end(struct links *links);
bool links_has_work(const struct links *links);

/* ---- what is told about them ---- */

struct links_counters {
    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t bytes_in; /* On the wire, without TLS's own. */
    uint64_t bytes_out;
    uint64_t messages_in;
    uint64_t messages_out;
    uint64_t dialled;
    uint64_t dials_failed; /* Not connected: nobody listens, unreachable, too late. */
    uint64_t ups;          /* Links that came up. */
    uint64_t downs;
    uint64_t reconnects;        /* Of those, links to a peer that had one before. */
    uint64_t dead;              /* Links lost to silence. */
    uint64_t overflows;         /* Links lost because a reply found no room. */
    uint64_t requests_refused;  /* No room for a request. */
    uint64_t strangers_dropped; /* Inbound connections closed for lack of room. */
    uint64_t late;              /* Handshakes that took too long. */
    uint64_t stale_events;
    uint64_t refused[LINK_REFUSAL_COUNT];     /* By this node, by reason. */
    uint64_t refused_us[LINK_REFUSAL_COUNT];  /* By others. */
    uint64_t bad_frames[LINK_RESULT_COUNT];   /* By reason. */
    uint64_t tls_failures[TLS_FAILURE_COUNT]; /* By reason. */
};
const struct links_counters *links_counters(const struct links *links);

struct links_gauges {
    uint32_t up;
    uint32_t kept;
    uint32_t strangers;
    uint64_t queue_bytes;     /* Of all links. */
    uint64_t queue_bytes_max; /* Of the longest queue. */
    uint64_t rtt_us_max;      /* Of the slowest link, by its last heartbeat. */
};
void links_gauges(const struct links *links, struct links_gauges *out);

/* One link, for who looks at a cluster. Returns false when there is none. */
struct links_peer {
    uint32_t protocol;
    uint32_t queue_bytes;
    uint64_t rtt_us;
    uint64_t up_since_ms;
    bool is_dialled; /* By this node. */
};
bool links_peer(const struct links *links, const struct gossip_uid *uid, struct links_peer *out);

#endif
