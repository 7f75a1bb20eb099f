/* SPDX-License-Identifier: Apache-2.0 */
/* A call of the server API, by a backend that connects for it alone. */
#ifndef ROOST_TESTS_SIM_FAKE_CALL_H
#define ROOST_TESTS_SIM_FAKE_CALL_H

#include "runtime/sim.h"
#include "tests/sim/truth.h"

enum fake_call_kind {
    CALL_PUBLISH,
    CALL_HISTORY,
    CALL_DISCONNECT,
    CALL_UNSUBSCRIBE,
    CALL_CHANNELS,
    CALL_MAP_WRITE,
    CALL_MAP_READ,
    CALL_MAP_CLEAR,
};

struct fake_call {
    struct sim *sim;
    struct truth *truth;
    int socket; /* -1: none is under way. */
    enum fake_call_kind kind;
    uint8_t channel;      /* Or map. */
    uint32_t publication; /* Or write. */
    uint32_t once;        /* The newest publication that was sent with a key; 0: none. */
    uint64_t asked_at;    /* In the truth's count. */
    bool is_answered;     /* The newest one was, and without an error. */
    size_t out_len;
    size_t in_len;
    char out[2048];
    char in[64 * 1024];
};

static inline bool fake_call_is_free(const struct fake_call *call)
{
    return call->socket < 0;
}

/* Of a zeroed call, once. */
void fake_call_init(struct fake_call *call, struct sim *sim, struct truth *truth);

/* Where a node listens. */
struct fake_target {
    uint32_t node;
    const struct socket_address *address;
};

/* Of a call that is free. Nothing happens when nobody listens there. */
void fake_call_publish(struct fake_call *call, const struct fake_target *to, uint8_t channel,
                       uint32_t padding);
/* The same with an idempotency key; and once more the newest such publication, if there is one. */
void fake_call_publish_once(struct fake_call *call, const struct fake_target *to, uint8_t channel,
                            uint32_t padding);
void fake_call_publish_again(struct fake_call *call, const struct fake_target *to);
void fake_call_history(struct fake_call *call, const struct fake_target *to, uint8_t channel);
void fake_call_channels(struct fake_call *call, const struct fake_target *to);
/* A key of a map is published, or removed; all of a map is read, or forgotten. */
void fake_call_map_write(struct fake_call *call, const struct fake_target *to, uint8_t map,
                         uint8_t key, bool is_removal);
void fake_call_map_read(struct fake_call *call, const struct fake_target *to, uint8_t map);
void fake_call_map_clear(struct fake_call *call, const struct fake_target *to, uint8_t map);
/* Every client of the user is ended, each with a code of this command alone. */
void fake_call_disconnect(struct fake_call *call, const struct fake_target *to, const char *user);
void fake_call_unsubscribe(struct fake_call *call, const struct fake_target *to, uint8_t channel,
                           const char *user);

void fake_call_abort(struct fake_call *call);

/* True while it made progress. */
bool fake_call_poll(struct fake_call *call);

#endif
