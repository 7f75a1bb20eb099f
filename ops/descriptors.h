/* SPDX-License-Identifier: Apache-2.0 */
/* The start-up check of what the machine allows: descriptors, open files, waiting connections.
 *
 * Each shard's thread has a descriptor table of its own, so that RLIMIT_NOFILE holds for each
 * shard: connections of the node <= shards * (RLIMIT_NOFILE - DESCRIPTORS_RESERVED)
 */
#ifndef ROOST_OPS_DESCRIPTORS_H
#define ROOST_OPS_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

enum {
    /* Standard streams, listener, epoll, doorbells of all shards. */
    DESCRIPTORS_RESERVED = 320,
    /* What a shard should hold when the configuration does not say how many connections are
       expected. */
    DESCRIPTORS_WANTED = 65536,
    WAITING_CONNECTIONS_WANTED = 4096,
    DESCRIPTOR_ADVICE_SIZE = 2048,
};

struct descriptor_facts {
    uint64_t limit;      /* RLIMIT_NOFILE, soft, after it was raised. */
    uint64_t hard_limit; /* What an unprivileged process may raise it to. */
    uint64_t nr_open;    /* fs.nr_open: the bound of the hard limit. 0: unknown. */
    uint64_t file_max;   /* fs.file-max: all files of the machine. 0: unknown. */
    uint64_t somaxconn;  /* net.core.somaxconn. 0: unknown. */
    uint32_t shards;
    uint32_t connection_limit; /* client.connection_limit; 0: not said. */
};

/* Raises the soft limit to the hard one and looks at the machine. */
void descriptors_prepare(struct descriptor_facts *facts);

/* Connections that the node can hold. */
uint64_t descriptors_capacity(const struct descriptor_facts *facts);

/* What is too low, a line each, with the exact command that raises it; empty when all is well. */
void descriptors_advise(const struct descriptor_facts *facts, char out[DESCRIPTOR_ADVICE_SIZE]);

#endif
