/* SPDX-License-Identifier: Apache-2.0 */
/* A small deterministic network of membership engines: one thread, one clock, one seed.
 *
 * Datagrams are lost, late, doubled, overtaken and cut off as the faults say. A node that is
 * blocked is not run, and what arrives waits for it as in a socket's buffer. States of an exchange
 * travel as over a link: whole or not at all.
 */
#ifndef ROOST_TESTS_SIM_MEMBERSHIP_NETWORK_H
#define ROOST_TESTS_SIM_MEMBERSHIP_NETWORK_H

#include "runtime/random.h"
#include "shards/router/membership/membership.h"

enum { NODES_MAX = 1024, INBOX_MAX = 256 };

struct network;

struct packet {
    struct packet *next;
    uint32_t from;
    uint32_t len;
    uint8_t bytes[];
};

struct node {
    struct network *network;
    uint32_t index;
    struct membership *membership; /* NULL: crashed */
    struct random random;
    struct gossip_uid uid;
    uint64_t tick_at_ms;
    uint64_t blocked_until_ms;
    bool is_starved; /* Its blocks are faults of its own; the others are the healthy ones. */
    bool has_left;
    struct packet *inbox;
    struct packet **inbox_end;
    uint32_t inbox_len;
    uint64_t crashed_ms;
};

/* Per mille, or milliseconds. */
struct faults {
    uint32_t loss;
    uint32_t duplicates;
    uint32_t delay_ms_max;
    uint32_t late; /* How many are late by up to late_ms_max more: they are overtaken. */
    uint32_t late_ms_max;
};

struct tally {
    uint64_t datagrams;
    uint64_t bytes; /* On the wire: sealed, with the headers of UDP and IPv4. */
    uint64_t state_bytes;
    uint64_t lost;
    uint64_t duplicated;
    uint64_t overflown;
    uint64_t dead_healthy;         /* A healthy node was declared dead by a healthy one, */
    uint64_t dead_healthy_starved; /* and by a starved one. */
    uint64_t unreachable_healthy;
    uint64_t suspect_healthy;
    uint64_t dead_starved; /* A starved one was declared dead, rightly or not. */
};

struct network {
    uint64_t now_ms;
    uint64_t seed;
    struct random random;
    uint32_t nodes_len;
    struct node *nodes;
    struct faults faults;
    uint8_t *side; /* [nodes]: a datagram from a to b passes unless cut[side[a]][side[b]] */
    bool cut[3][3];
    struct membership_config config;
    struct tally tally;
    uint64_t digest;
    const char *broken;     /* The first promise that did not hold. */
    uint64_t *incarnations; /* [at][of]: what was seen last. */
    uint32_t lives;
    struct event *heap;
    uint32_t heap_len;
    uint32_t heap_size;
    uint64_t event_count;
};

void network_create(struct network *network, uint32_t nodes, uint64_t seed,
                    const struct membership_config *config);
void network_destroy(struct network *network);

/* Starts a node (its seeds are nodes 0 and 1), or starts it again as another process. */
void network_start(struct network *network, uint32_t index, bool is_same_uid);
void network_crash(struct network *network, uint32_t index);
void network_block(struct network *network, uint32_t index, uint64_t for_ms);
void network_unblock(struct network *network, uint32_t index);
void network_leave(struct network *network, uint32_t index);
void network_run_until(struct network *network, uint64_t until_ms);

bool network_is_up(const struct network *network, uint32_t index);
/* Every node that is up sees exactly those that are up as alive. */
bool network_is_converged(const struct network *network);
/* How many of those that are up see that uid with that status (dead covers left and unknown). */
uint32_t network_count(const struct network *network, const struct gossip_uid *uid,
                       enum gossip_status status);
uint32_t network_up(const struct network *network);
/* That node holds all others for dead or gone. */
bool network_is_alone(const struct network *network, uint32_t index);

#endif
