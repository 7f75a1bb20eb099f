/* SPDX-License-Identifier: Apache-2.0 */
/* Who is in the cluster: SWIM with Lifeguard, as an engine without sockets, clocks or threads.
 *
 * Each node probes one member after another in an order of its own, asks others to probe whom it
 * does not reach, and passes on what it learned with the datagrams that it sends anyway (Das, Gupta
 * and Motivala, "SWIM", 2002). A node that may itself be the slow one doubts itself first, and
 * several who suspect the same count for more than one (Dadgar, Phillips and Currey, "Lifeguard",
 * 2018). Beyond the papers:
 *
 * - who hears a suspicion may look for itself at once, so that about twice as many members as are
 *   needed confirm or miss it within one probe, however large the cluster is;
 * - a node that was not run for a while sees that from its clock, and judges nobody by that time;
 * - a member is `unreachable` before it is dead.
 *
 *                 a probe fails         nobody refuted it           nor since
 *      ALIVE ------------------> SUSPECT ----------------> UNREACHABLE ----------> DEAD
 *        ^                          |                           |                    |
 *        +--------------------------+---------------------------+--------------------+
 *                      the member says that it is alive, in a higher incarnation
 *
 * A status belongs to an incarnation; of two statuses of one incarnation the later one in the
 * picture wins, and only the member itself begins a new incarnation. LEFT is the end by its own
 * will; a later life may come back from it.
 *
 * All is owned by the router shard. Times are milliseconds of a clock that does not go back.
 * Memory is bounded by `members_max` (about 0.7 KiB a member, with names of ordinary length);
 * a look-up by uid costs one hash.
 */
#ifndef ROOST_SHARDS_ROUTER_MEMBERSHIP_MEMBERSHIP_H
#define ROOST_SHARDS_ROUTER_MEMBERSHIP_MEMBERSHIP_H

#include "codec/gossip.h"
#include "runtime/check.h"

struct membership;
struct random;

struct membership_config {
    uint32_t cluster;           /* A hash of the cluster's name; others are not heard. */
    uint32_t members_max;       /* 1 .. MEMBERSHIP_MEMBERS_MAX, the dead ones that are kept too. */
    uint64_t first_incarnation; /* Higher at each start: Unix milliseconds will do. */
    bool is_plain_swim;         /* Without Lifeguard, for comparison. */
    uint32_t probe_ms;          /* From one probe to the next, and from a probe to its verdict. */
    uint32_t ack_ms;            /* < probe_ms: then others are asked to probe. */
    uint32_t indirect_probes;
    uint32_t gossip_ms;
    uint32_t gossip_targets;
    uint32_t retransmissions; /* Times the decimal logarithm of the members: sends of a rumour. */
    uint32_t suspicion_ms;    /* Times the decimal logarithm, 2 at least: the shortest suspicion. */
    uint32_t suspicion_stretch; /* Times the shortest one: an unconfirmed suspicion. */
    uint32_t confirmations;     /* That make it the shortest one; 1 .. 8. */
    uint32_t unreachable_ms;    /* From unreachable to dead. */
    uint32_t exchange_ms;       /* Between exchanges of states, in small clusters. */
    uint32_t reconnect_ms;      /* Between two tries to reach who is dead. */
    uint32_t dead_kept_ms;
    uint32_t left_kept_ms;
    uint32_t load_ms;    /* Between two loads sent, at least; in larger clusters longer. */
    uint32_t health_max; /* By how many times a slow node may slow down its probes. */
};

enum {
    MEMBERSHIP_MEMBERS_MAX = 4096,
    MEMBERSHIP_SEEDS_MAX = 32,
};

/* What suits a local network; cluster and first_incarnation are the caller's. */
struct membership_config membership_config_default(void);

/* A member as this node sees it. Valid until the next call into the engine. */
struct membership_member {
    struct gossip_uid uid;
    uint64_t incarnation;
    enum gossip_status status; /* Never GOSSIP_UNSAID. */
    uint64_t since_ms;         /* Of the status. */
    struct gossip_address cluster_address;
    uint32_t weight;
    uint32_t shards;
    uint32_t protocol_min;
    uint32_t protocol_max;
    bool is_draining;
    struct span details; /* All of it, for gossip_details_decode(): name, zone, client address. */
    struct gossip_load load; /* revision 0: not heard yet */
};

enum membership_event_kind {
    MEMBERSHIP_JOINED,  /* New here; its status is ALIVE. */
    MEMBERSHIP_STATUS,  /* The status changed from `before`. */
    MEMBERSHIP_DETAILS, /* What it says of itself changed. */
    MEMBERSHIP_LOAD,
    MEMBERSHIP_FORGOTTEN, /* Was dead or had left; no longer known after this. */
};

struct membership_event {
    enum membership_event_kind kind;
    enum gossip_status before;
    const struct membership_member *member;
};

/* Where output goes, during the call that causes it. None of these may call the engine. */
struct membership_sink {
    void *owner;
    /* To be sealed and sent; GOSSIP_PAYLOAD_LEN_MAX at most. It may get lost. */
    void (*datagram)(void *owner, const struct gossip_address *to, struct span payload);
    void (*event)(void *owner, const struct membership_event *event);
    /* Wants to exchange states with that member (or with whoever is there: `peer` is nobody): send
     * it all parts of membership_state_write(), and feed its parts to membership_on_state(). */
    void (*exchange)(void *owner, const struct gossip_address *to, const struct gossip_uid *peer);
};

/* NULL: memory is out. The random source and the sink's owner outlive the engine. */
MUST_CHECK struct membership *membership_create(const struct membership_config *config,
                                                const struct membership_sink *sink,
                                                struct random *random, uint64_t now_ms);
void membership_destroy(struct membership *membership);

/* Who this node is (not nobody); once, before anything else is called. False: the details are too
 * long or not valid (see gossip_details_decode()), or memory is out. */
MUST_CHECK bool membership_start(struct membership *membership, const struct gossip_uid *uid,
                                 const struct gossip_details *details);

/* Asks whoever is at the address to let this node in, again and again as long as nobody answered;
 * later at times, if no live member has the address. False: too many seeds. */
MUST_CHECK bool membership_join(struct membership *membership, const struct gossip_address *seed,
                                uint64_t now_ms);
/* Before a new list of seeds is given (names that were looked up again). */
void membership_forget_seeds(struct membership *membership);

/* What this node says of itself from now on; false as in membership_start(). */
MUST_CHECK bool membership_set_details(struct membership *membership,
                                       const struct gossip_details *details, uint64_t now_ms);
/* Call it as often as the figures change: the engine sends the last ones at its own pace. The
 * revision is the engine's. */
void membership_set_load(struct membership *membership, const struct gossip_load *load);

/* Says goodbye. Keep running the engine until membership_has_left(), a second or two. */
void membership_leave(struct membership *membership, uint64_t now_ms);
bool membership_has_left(const struct membership *membership);

/* An opened payload and where it came from. Bad ones are counted and change nothing. Hand in what
 * has arrived before the tick of the same turn. */
enum gossip_result membership_on_datagram(struct membership *membership,
                                          const struct gossip_address *from, struct span payload,
                                          uint64_t now_ms);

/* One part of a peer's state. */
enum gossip_result membership_on_state(struct membership *membership, struct span part,
                                       uint64_t now_ms);
/* Writes the next part, for which the writer has GOSSIP_STATE_LEN_MAX of room; *cursor starts at 0.
 * False: there was none left. Nothing else may be called between two parts. */
MUST_CHECK bool membership_state_write(struct membership *membership, uint32_t *cursor,
                                       struct writer *writer);

/* Does what is due. */
void membership_tick(struct membership *membership, uint64_t now_ms);
/* When to call membership_tick() next; asked for after each turn, since datagrams change it. */
uint64_t membership_next_deadline_ms(struct membership *membership);

/* NULL: unknown. One's own uid is known. */
const struct membership_member *membership_find(const struct membership *membership,
                                                const struct gossip_uid *uid);
const struct membership_member *membership_self(const struct membership *membership);
/* Members besides oneself: how many, the dead ones that are kept too, and each; in no order. */
uint32_t membership_count(const struct membership *membership);
const struct membership_member *membership_at(const struct membership *membership, uint32_t index);

struct membership_counters {
    uint64_t datagrams_in;
    uint64_t datagrams_out;
    uint64_t bytes_in; /* Payload. */
    uint64_t bytes_out;
    uint64_t probes;
    uint64_t probes_failed;
    uint64_t suspicions;        /* Of members that were alive, one's own and heard ones. */
    uint64_t suspicions_raised; /* One's own. */
    uint64_t false_alarms;      /* Suspect or unreachable members that refuted it. */
    uint64_t comebacks;         /* Dead ones that did. */
    uint64_t refutations;       /* Of what was said of this node. */
    uint64_t unreachable;
    uint64_t dead;
    uint64_t pauses;          /* How often this node was not run for longer than a probe. */
    uint64_t members_refused; /* No room. */
    uint64_t relays_dropped;
    uint64_t bad_datagrams[GOSSIP_RESULT_COUNT]; /* By reason; states too. */
    uint64_t bad_members[GOSSIP_RESULT_COUNT];
};
const struct membership_counters *membership_counters(const struct membership *membership);

/* How slow this node believes itself to be: 0 .. health_max. */
uint32_t membership_health(const struct membership *membership);
size_t membership_bytes(const struct membership *membership);

#endif
