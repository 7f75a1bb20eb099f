/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of roost-bench as values. */
#ifndef ROOST_OPS_BENCH_OPTIONS_H
#define ROOST_OPS_BENCH_OPTIONS_H

#include "ops/bench/protocol.h"

#include <stdbool.h>
#include <stdint.h>

enum bench_mode {
    MODE_IDLE,
    MODE_CONNECT,
    MODE_ECHO,
    MODE_FANOUT,
    MODE_SPIKE,
    MODE_CHURN,
    MODE_MIXED,
    MODE_COUNT,
};

extern const char *const mode_names[MODE_COUNT];

struct options {
    enum bench_mode mode;
    const struct protocol *protocol; /* after --protocol, or the mode's own */
    const char *host;
    const char *path; /* NULL: the protocol's */
    const char *protocol_name;
    const char *json_path;
    const char *scenario_path;
    const char *label;
    const char *floor_poller; /* By name. */
    uint64_t port;
    uint64_t connections;    /* those that are established before anything is measured */
    uint64_t connect_rate;   /* a second; 0: as fast as handshakes end */
    uint64_t handshakes_max; /* at a time */
    uint64_t threads;
    uint64_t channels;
    uint64_t window; /* in flight: messages a connection (echo), publications a channel (fanout) */
    uint64_t rate;   /* a second, of all; 0: the window decides */
    uint64_t size;
    uint64_t duration_ns;
    uint64_t warmup_ns;
    uint64_t messages; /* end after so many instead of the duration; 0: by time */
    uint64_t peak;     /* spike: connections at the end of the ramp */
    uint64_t over_ns;  /* spike: how long the ramp is */
    uint64_t churn;    /* reconnects a second */
    uint64_t churners; /* connections that take turns at it */
    uint64_t after_ns; /* idle: wait so long after everybody left */
    uint64_t server_pid;
    uint64_t publish_port; /* where publishers connect; 0: where the others do */
    uint64_t publish_pid;  /* counts with server_pid as one server; 0: none */
    uint64_t cpu;          /* pin the bench to this one; UINT64_MAX: do not */
    uint64_t floor_cpu;    /* the same of the floor's server */
    bool floor;
    bool perf;
    bool spin; /* poll instead of sleeping */
    bool quiet;
    bool no_publish; /* another process publishes */
    bool help;
};

/*
 * argv[0] is the mode's name. False when something is wrong, with a sentence in `error`. Points
 * into argv.
 */
bool options_parse(int argc, char **argv, struct options *out, char error[256]);

/* "20000", "20k", "1m", "1.5s": thousands, millions; seconds, and ms, us, ns. */
bool options_number(const char *text, uint64_t *out);
bool options_duration(const char *text, uint64_t *out_ns);

void options_usage(void);

#endif
