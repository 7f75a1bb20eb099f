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
    /* Ends of a shard whose beginnings may be on a detour, and for how long. */
    EARLY_ENDS_A_SHARD_MAX = 128,
    EARLY_ENDS_MS = 10 * 1000,
    HISTORY_ENTRIES_A_SHARD_MAX = (1 << 22) - 1,
    IDEMPOTENCY_KEYS_A_SHARD_MAX = 1 << 17,
    USERS_A_SHARD_MAX = 1 << 21,
    API_CALLS_A_SHARD_MAX = 4096,
    HEALTH_MS_MAX = 1000,       /* How soon all shards have to answer. */
    API_SERIES_LEN_MAX = 16384, /* Commands of one batch. */

    /* Entries of the table of revoked tokens and blocked users, which every shard has; bytes of
     * them in one message; between two comparisons of two nodes' tables. */
    REVOCATIONS_MAX = 1 << 17,
    REVOCATIONS_PIECE_BYTES = 64 * 1024,
    REVOCATIONS_SUM_MS = 10 * 1000,
    /* Sessions that a shard compares with it in one turn. */
    REVOCATIONS_WALK_SESSIONS = 512,

    /* Connections in a page of the server API, where it does not say and at most; bytes of a
     * shard's part of a page, but for one connection that has more. */
    CONNECTIONS_LIMIT = 100,
    CONNECTIONS_LIMIT_MAX = 1000,
    CONNECTIONS_PAGE_BYTES = 60 * 1024,
    /* Of what a survey asks: a name to the links that carry it. */
    SURVEY_QUESTION_LEN_MAX = 4096,

    /* Requests to backends that are not answered, of a shard and of those that wait for one
     * endpoint; its connections; what an answer may weigh; how long a connection is kept idle. */
    BACKEND_ASKS_MAX = 16384,
    BACKEND_WAITING_MAX = 4096,
    BACKEND_CONNS_MAX = 64,
    BACKEND_RESPONSE_LEN_MAX = 1 << 20,
    /* Interim answers (RFC 9110 section 15.2) before the one that counts. */
    BACKEND_INTERIMS_MAX = 16,
    /* A key set of an identity provider: how long a request may take, after how long one that could
     * not be had is asked for again, how young one is not asked for again, and how old one is. */
    KEY_SET_TIMEOUT_MS = 5 * 1000,
    KEY_SET_RETRY_MS = 2 * 1000,
    KEY_SET_REFETCH_MS = 10 * 1000,
    KEY_SET_REFRESH_MS = 10 * 60 * 1000,
    /* Connections of a shard that wait for one. */
    KEY_WAITERS_MAX = 1 << 16,

    BACKEND_IDLE_MS = 15 * 1000,

    /* Batches of webhooks: what one may weigh, after how long it is sent again (twice as much each
     * time), for how long nothing new must come before a node that stops has told all, and runs of
     * nodes that are known to be gone. */
    WEBHOOK_BATCH_BYTES_MAX = 1 << 20,
    WEBHOOK_RETRY_MS_MIN = 100,
    WEBHOOK_RETRY_MS_MAX = 20 * 1000,
    WEBHOOK_SETTLE_MS = 50,
    WEBHOOK_RUNS_GONE_MAX = 256,
    /* Shared polls. Keys that clients of a shard track, each for itself; the length of a key and of
     * an epoch. Polls of a shard that are not answered (shared_poll.concurrency_limit says how many
     * are under way), and what a poller keeps of what it was told. */
    TRACKED_KEYS_A_SHARD_MAX = 1 << 22,
    TRACKED_KEY_LEN_MAX = 1024,
    POLL_EPOCH_LEN_MAX = 255,
    POLLS_A_SHARD_MAX = 4096,
    POLLS_A_NODE = 64,
    POLL_KEPT_BYTES_A_SHARD_MAX = 256 << 20,
    POLL_EPOCH_KEPT_MS = 60 * 1000, /* That a backend gave to a channel. */

    /* Of the router: channels of other homes, and channels at home here that nodes want. */
    RELAY_CHANNELS_MAX = 1 << 21,
    /* Requests under way to and from other nodes, and how long one may take. */
    RELAY_ASKS_MAX = 1 << 17,
    RELAY_ASK_MS_MAX = 5 * 1000,
    RELAY_GATHERS_MAX = 1024,
    /* Of one answer to a request of another node. */
    RELAY_ANSWER_BYTES_MAX = 16 << 20,
    /* Channels that are looked at in one tick when homes moved, and the time between ticks. */
    RELAY_WALK_CHANNELS = 512,
    RELAY_TICK_MS = 5,
    /* How long a registration with a home of before waits for its end to be told from there. */
    RELAY_MOVED_MS_MAX = 10 * 1000,
    /* Between two comparisons of what is registered. */
    RELAY_SUM_MS = 10 * 1000,
    /* Sums that differ in a row before everything is registered anew. */
    RELAY_WRONG_SUMS_MAX = 3,
    /* How long what a vanished node registered stays: it may come back. */
    RELAY_GRACE_MS = 60 * 1000,

    /* Channels, users or presence entries that a shard looks at in one turn when homes have moved
     * or a node is gone. */
    HOME_WALK_CHANNELS = 1024,

    /* Homes that move. How long a channel may be on its way to another home while nothing of it
     * moves, and a new home waits for slots while no channel comes; beyond it channels begin anew.
     * Longer than a node takes to see that a link is dead: who is only slow is waited for. */
    HANDOVER_MS_MAX = 8 * 1000,
    HANDOVER_TICK_MS = 50,
    /* Of a channel's history in one message, and messages of one shard that are not answered. */
    HANDOVER_PIECE_BYTES = 256 * 1024,
    HANDOVER_PIECES_MAX = 256,
    /* Until a home that does not answer is told again of what was accepted here, twice as long each
     * time; and of how many others a shard looks after what they tell it. */
    MISSED_RETRY_MS_MIN = 200,
    MISSED_RETRY_MS_MAX = 60 * 1000,
    MISSED_NOTES_MAX = 256,
    /* Requests of a shard that wait for a channel to come, and how long each may. */
    HELD_REQUESTS_MAX = 8192,
    HELD_BYTES_MAX = 32 << 20,
    HELD_MS_MAX = 3 * 1000,
    /* For how long a channel that came keeps what was told in it, for those who follow it there,
     * and what all such channels of a shard may keep. */
    CATCH_UP_MS = 10 * 1000,
    CATCH_UP_BYTES_MAX = 32 << 20,

    /* Channels that a shard registers again in one tick after homes have moved, users in one turn;
     * the time between ticks, and until one that was refused is tried again. */
    HUB_MOVES_A_TICK = 512,
    HUB_MOVE_TICK_MS = 5,
    HUB_MOVE_RETRY_MS = 100,

    /* Messages of the class REPLY that wait in one shard's outbox for their targets' mailboxes: of
     * all targets together, and the number for one target beyond which it gets no more join and
     * leave pushes (answers still find room): half of what a mailbox takes. */
    OUTBOX_MESSAGES_MAX = 1 << 20,
    OUTBOX_DELIVERIES_MAX = MAILBOX_STAGED_MAX / 2,
    /* Of a target's room for REPLYs, what a home leaves to answers and clean-up: a publication
     * that would eat into it is refused. */
    HOME_ROOM_RESERVED = MAILBOX_STAGED_MAX / 4,

    /* How often users are told of again after a change of the placement, and after how long. */
    USERS_AGAIN = 2,
    USERS_AGAIN_MS_MIN = 5 * 1000,
    USERS_AGAIN_MS_MAX = 30 * 1000,

    /* Unfinished input (heads, bodies, messages in pieces) that all peers of a shard together may
     * pin: those that have not authenticated, and everybody. */
    PINNED_UNAUTHENTICATED_MAX = 32 << 20,
    PINNED_MAX = 512 << 20,
    /* The same of requests for HTTP streams and of clients that have one, beside both. */
    PINNED_FALLBACK_MAX = 64 << 20,

    /* What an HTTP stream counts in fallback.memory_limit: its objects with what the kernel keeps
     * for its socket, and so much queued output. More of that is counted as it is. */
    FALLBACK_STREAM_BYTES = 4096,
    /* Of the client of an HTTP stream: requests that bring its commands in a second, and bytes of
     * commands that wait for those before them. */
    EMULATION_REQUESTS_A_SECOND = 500,
    EMULATION_QUEUE_BYTES_MAX = 256 * 1024,

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

    /* Keys of maps. How long it is known that one was removed, where no stream says so: longer than
     * a subscriber takes to catch up; and how many such of a channel. */
    MAP_KEY_LEN_MAX = 1024,
    MAP_REMOVED_MS = 15 * 1000,
    MAP_REMOVED_MAX = 16384,
    /* Clients of a shard that are on their way to follow a map. */
    MAP_CATCH_UPS_A_SHARD_MAX = 1 << 20,
    /* Of presence in maps, which is told again: what is looked at, and told, in one tick, and the
     * time between ticks. */
    MAP_PRESENCE_CHANNELS_A_TICK = 512,
    MAP_PRESENCE_TOLD_A_TICK = 1024,
    MAP_PRESENCE_TICK_MS = 10,
    /* When keys that have expired are looked for, and how many of a channel end in one turn. */
    MAP_SWEEP_MS = 1000,
    MAP_SWEEP_KEYS = 1024,

    /* Payloads that are compared: a longer one is sent whole. What a shard keeps of the newest
     * publications of channels to tell the next ones against them. */
    DELTA_PAYLOAD_LEN_MAX = 4 << 20,
    DELTA_KEPT_BYTES_A_SHARD_MAX = 256 << 20,

    /* Wildcard channels that one publication may be passed on to; those that a shard passes on to
     * at a time, and what is not answered of that; what of it may wait to be sent; between two
     * attempts; and source shards of which a wildcard knows where they are. */
    WILDCARD_DEPTH_MAX = 8,
    PASS_TARGETS_MAX = 1 << 17,
    PASS_RECORDS_MAX = 1 << 17,
    PASS_WAITING_MAX = 8192,
    PASS_WAITING_BYTES_MAX = 32 << 20,
    PASS_RETRY_MS = 20,
    WILDCARD_LANES_MAX = 1024,
    /* Between two attempts to tell all that wildcards are heard, or have missed something; and how
     * long after the last one of a slot has ended the slot may be called unheard. */
    WILDCARD_HEARD_RETRY_MS = 50,
    WILDCARD_MISSED_RETRY_MS = 1000,
    WILDCARD_LIVELY_MS = 1000,
    /* Longer than a node takes to see that a link is dead. */
    WILDCARD_ANSWERED_MS = 30 * 1000,

    /* What of one channel may wait in a batch. */
    BATCH_BYTES_MAX = 256 * 1024,

    /* One compiled tags filter; the different ones of all clients of a shard. */
    FILTER_PROGRAM_LEN_MAX = 16 * 1024,
    FILTER_BYTES_A_SHARD_MAX = 64 << 20,

    USER_ID_LEN_MAX = 1024,
    DISCONNECT_REASON_LEN_MAX = 123,
};

static_assert((int)HELD_MS_MAX < (int)RELAY_ASK_MS_MAX, "who holds a request answers it in time");
static_assert(PRESENCE_ENTRIES_A_SHARD_MAX <= (int)POOL_OBJECTS_MAX, "a pool holds that many");
static_assert(HISTORY_ENTRIES_A_SHARD_MAX <= (int)POOL_OBJECTS_MAX, "a pool holds that many");
static_assert((int)HOME_ROOM_RESERVED < (int)MAILBOX_STAGED_MAX, "publications find some room");

#endif
