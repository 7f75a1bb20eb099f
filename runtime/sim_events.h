/* SPDX-License-Identifier: Apache-2.0 */
/* What is under way in the simulated network, ordered by time; at one time, by its making. */
#ifndef ROOST_RUNTIME_SIM_EVENTS_H
#define ROOST_RUNTIME_SIM_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"

struct sim_socket;
struct sim_datagram;

enum sim_event_kind {
    SIM_EVENT_CONNECT,   /* A connection reaches its listener. */
    SIM_EVENT_BYTES,     /* So many bytes more have reached the socket. */
    SIM_EVENT_TAKEN,     /* The socket learns that its peer read so many bytes. */
    SIM_EVENT_ROOM,      /* A socket that pretended to be full does so no more. */
    SIM_EVENT_END,       /* The peer's stream ends; len 1 if that ended both of its sides. */
    SIM_EVENT_END_SEEN,  /* Who ended last learns that this was seen: for Linux one more edge. */
    SIM_EVENT_RESET,     /* len 1: nobody listens there. */
    SIM_EVENT_CONNECTED, /* The listener has the connection. */
    SIM_EVENT_GIVE_UP,   /* The socket waited long enough to be connected. */
    SIM_EVENT_RETRY,     /* What is held back from the socket is sent once more. */
    SIM_EVENT_DATAGRAM,
};

struct sim_event {
    uint64_t at_ns;
    uint64_t order;
    struct sim_socket *socket;     /* Whom it happens to; NULL for a datagram. */
    struct sim_datagram *datagram; /* Owned by the event; NULL for all others. */
    size_t len;
    enum sim_event_kind kind;
};

/* A binary heap. Zero-initialised it is empty. */
struct sim_events {
    struct sim_event *heap;
    size_t count;
    size_t room;
    uint64_t order;
};

/* Aborts when memory is out: a simulation that lost an event would tell lies. */
void sim_events_add(struct sim_events *events, struct sim_event event);

/* When the next one happens; UINT64_MAX when nothing is under way. */
uint64_t sim_events_next_ns(const struct sim_events *events);

/* The next one, which must be there. */
struct sim_event sim_events_take(struct sim_events *events);

/* The datagrams in it are not freed. */
void sim_events_clear(struct sim_events *events);

#endif
