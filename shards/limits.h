/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the actors that no configuration key sets, in one place. */
#ifndef ROOST_SHARDS_LIMITS_H
#define ROOST_SHARDS_LIMITS_H

#include <assert.h>

#include "runtime/limits.h"
#include "runtime/pool.h"

enum {
    SLOTS = 16384,

    /* Objects of one shard. */
    CONNECTIONS_A_SHARD_MAX = 1 << 20,
    CHANNELS_A_SHARD_MAX = 1 << 21,
    PRESENCE_ENTRIES_A_SHARD_MAX = (1 << 22) - 1,
    HISTORY_ENTRIES_A_SHARD_MAX = (1 << 22) - 1,
    IDEMPOTENCY_KEYS_A_SHARD_MAX = 1 << 17,
    USERS_A_SHARD_MAX = 1 << 21,
    API_CALLS_A_SHARD_MAX = 4096,

    /* Messages of the class REPLY that wait in one shard's outbox for their targets' mailboxes: of
     * all targets together, and the number for one target beyond which it gets no more join and
     * leave pushes (answers still find room). */
    OUTBOX_MESSAGES_MAX = 1 << 20,
    OUTBOX_DELIVERIES_MAX = 1 << 14,
    /* Of a target's room for REPLYs, what a home leaves to answers and clean-up: a publication
     * that would eat into it is refused. */
    HOME_ROOM_RESERVED = 8192,

    /* Unfinished input (heads, bodies, messages in pieces) that all peers of a shard together may
     * pin: those that have not authenticated, and everybody. */
    PINNED_UNAUTHENTICATED_MAX = 32 << 20,
    PINNED_MAX = 512 << 20,

    /* Time that a peer has for a request head, for a body, and from the first to the last piece of
     * a message. */
    HEAD_MS_MAX = 10 * 1000,
    BODY_MS_MAX = 30 * 1000,
    ASSEMBLY_MS_MAX = 30 * 1000,
    /* Between two requests of a kept-alive HTTP connection. */
    HTTP_IDLE_MS_MAX = 60 * 1000,
    /* Our close frame was sent: how long we wait for the peer's. */
    CLOSE_MS_MAX = 5 * 1000,

    /* Pings leave in steps of this length, or of a 64th of their interval if that is less. */
    PING_STEP_MS_MAX = 256,

    /* What one connection may read in one turn before the others come first. */
    TURN_RECEIVES_A_CONNECTION = 4,
    /* An echo connection stops reading while this much waits to be sent. */
    ECHO_OUTPUT_BYTES_HIGH = 1 << 20,
    /* And ends when the peer takes nothing for this long. */
    ECHO_STALL_MS_MAX = 60 * 1000,

    /* Commands of one client that homes have not answered: beyond it, its input waits. */
    COMMANDS_IN_FLIGHT_MAX = 256,

    /* A publication with a key that came before is answered as that one was, for so long. */
    IDEMPOTENCY_MS = 5 * 60 * 1000,
    IDEMPOTENCY_KEY_LEN_MAX = 1024,

    USER_ID_LEN_MAX = 1024,
    DISCONNECT_REASON_LEN_MAX = 123,
};

static_assert(PRESENCE_ENTRIES_A_SHARD_MAX <= (int)POOL_OBJECTS_MAX, "a pool holds that many");
static_assert(HISTORY_ENTRIES_A_SHARD_MAX <= (int)POOL_OBJECTS_MAX, "a pool holds that many");
static_assert((int)HOME_ROOM_RESERVED < (int)MAILBOX_STAGED_MAX, "publications find some room");

#endif
