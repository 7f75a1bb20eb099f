/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of channels, as far as anybody was told, and whether anybody was told otherwise.
 *
 * A publication is made once, so it has one place: in channels that keep a history an epoch and an
 * offset, in all of them the publication before it and the one behind it. Whoever sees, recovers,
 * reads or acknowledges it names that place, and all have to name the same.
 *
 *   stream   a channel's epoch:  offset -> publication
 *   run      what one subscription was given, from its reply to its end: a piece of one order,
 *            without a gap; over a recovery it goes on
 *
 * In the wildcard that stands for its channel it has another place, with another before and behind.
 */
#ifndef ROOST_TESTS_SIM_TRUTH_H
#define ROOST_TESTS_SIM_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/map_truth.h"

enum {
    PLAIN_CHANNELS_MAX = 8,
    CHANNELS_MAX = PLAIN_CHANNELS_MAX + 2, /* The last two are wildcards. */
    CHANNEL_NONE = 255,                    /* Of a note: it is about nodes. */
    NODE_NONE = 255,
    EPOCH_TEXT_SIZE = 24,
    PUBLICATION_NONE = 0,
    USER_COMMANDS_MAX = 256,
};

static inline bool channel_is_wildcard(uint32_t channel)
{
    return channel >= PLAIN_CHANNELS_MAX;
}

/* One for those that keep a history, one for the others. */
static inline uint8_t channel_wildcard_of(uint32_t channel)
{
    return (uint8_t)(PLAIN_CHANNELS_MAX + channel % 2);
}

/* Is what is made in the one heard in the other? */
static inline bool channel_is_heard_in(uint32_t made_in, uint32_t channel)
{
    return channel == made_in || channel == channel_wildcard_of(made_in);
}

/* Every second channel keeps a history. */
static inline bool channel_is_kept(uint32_t channel)
{
    return channel % 2 == 0;
}

struct told_stream {
    struct told_stream *next;
    uint8_t channel;
    char epoch[EPOCH_TEXT_SIZE];
    uint32_t *ids; /* [offset]; PUBLICATION_NONE: nobody was told yet. */
    uint64_t room;
    uint64_t end; /* Beyond the highest offset that anybody was told. */
};

struct run {
    struct run *next;
    uint32_t number;
    uint32_t client;
    uint8_t channel;
    bool is_open;       /* The subscription lasts. */
    uint64_t opened_at; /* When its reply had come, in the truth's count. */
    uint64_t opened_ms;
    struct told_stream *stream;
    uint64_t offset; /* In the stream. */
    uint32_t *ids;
    uint32_t len;
    uint32_t room;
};

enum publication_fate {
    FATE_SENT,
    FATE_ACKNOWLEDGED,
    FATE_REFUSED, /* It went nowhere, says the answer. */
    FATE_UNKNOWN, /* It may have been published. */
};

/* Of a publication in one channel. */
struct told_place {
    uint32_t before;
    uint32_t behind;
    struct told_stream *stream; /* NULL: nobody was told. */
    uint64_t offset;
    uint8_t home; /* The node that was given it last, and so has taken it; NODE_NONE: none. */
    bool is_gone; /* That one died while nobody else could know. */
};

struct publication {
    uint8_t channel;
    uint8_t fate;
    bool is_seen;      /* Somebody was given it. */
    bool is_sure;      /* While it was published, all nodes had one view of the channel's home. */
    bool is_passed_on; /* A home of the wildcard was given it. */
    bool is_kept_back; /* Its home died before any home of the wildcard was given it. */
    bool is_repeated;  /* Whoever sent it did so again, with the same idempotency key. */
    struct told_place places[2]; /* Where it was made, and in the wildcard. */
    uint64_t sent_at;            /* In the truth's count, as the next. */
    uint64_t acknowledged_at;
    uint64_t sent_ms;
    uint64_t answered_ms;
};

/* What the server API was told to do to a user. */
struct user_command {
    char user[8];
    uint8_t channel; /* Of an unsubscribe; CHANNEL_NONE: a disconnect. */
    uint16_t code;   /* Of a disconnect. */
};

struct truth_note {
    uint64_t at_ms;
    uint8_t channel;
    char text[120];
};

enum { TRUTH_NOTES = 1024 };

struct truth {
    const struct sim *sim;
    uint64_t now; /* Counts what is told, so that before and after can be said. */
    struct publication *publications;
    uint32_t publications_len; /* The first is 1. */
    uint32_t publications_room;
    struct map_truth maps;
    struct told_stream *streams;
    struct run *runs;
    uint32_t runs_len;
    struct user_command commands[USER_COMMANDS_MAX];
    uint32_t commands_len;
    uint64_t unsure_at[CHANNELS_MAX];  /* When it was last not sure who has the channel. */
    uint64_t *unsure_ms[CHANNELS_MAX]; /* All times of that. */
    uint32_t unsure_len[CHANNELS_MAX];
    uint64_t acknowledged;
    uint64_t sure; /* Of these. */
    uint64_t deliveries;
    uint64_t recovered;
    uint64_t unrecovered;
    uint64_t told; /* Unsubscribes with insufficient state. */
    struct truth_note notes[TRUTH_NOTES];
    uint32_t notes_len; /* Ever made. */
    uint8_t wrong_channel;
    char wrong[200]; /* The first lie; "": none. */
};

void truth_init(struct truth *truth, const struct sim *sim);
void truth_clear(struct truth *truth);

/* One more thing that happened, for people to read when something is wrong. */
void truth_note(struct truth *truth, uint8_t channel, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Something is not as it must be. Only the first one is kept. */
void truth_fail(struct truth *truth, uint8_t channel, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline bool truth_holds(const struct truth *truth)
{
    return truth->wrong[0] == '\0';
}
/* The newest notes that have to do with what failed. */
void truth_print(const struct truth *truth, uint32_t lines_max);

/* ---- publishing ---- */

/* The number of a publication that is about to be sent. */
uint32_t truth_send(struct truth *truth, uint8_t channel);
/* It is about to be sent again: in one epoch of its channel it has one place all the same. */
void truth_repeat(struct truth *truth, uint32_t id);
/* `epoch`: NULL where the answer tells no place. */
void truth_acknowledge(struct truth *truth, uint32_t id, const char *epoch, uint64_t offset);
void truth_refuse(struct truth *truth, uint32_t id, bool is_certain);
/* Somebody was told that the publication has this place. */
void truth_place(struct truth *truth, uint8_t channel, struct told_stream *stream, uint64_t offset,
                 uint32_t id);
struct told_stream *truth_stream(struct truth *truth, uint8_t channel, const char *epoch);
/* A home that was asked at `asked_at` says where the stream ends. */
void truth_check_end(struct truth *truth, const struct told_stream *stream, uint64_t offset,
                     uint64_t asked_at);

/* ---- subscribing ---- */

/* `epoch`: NULL where no place was told. */
struct run *truth_open(struct truth *truth, uint32_t client, uint8_t channel, const char *epoch,
                       uint64_t offset);
/* `offset`: as the publication says; 0 where it has none. */
void truth_deliver(struct truth *truth, struct run *run, uint32_t id, uint64_t offset);
static inline void truth_close(struct run *run)
{
    run->is_open = false;
}

/* Nodes have different views of the channel's home now, or it is not there, or another node has the
 * channel, which it could not hand over yet: what is published may be acknowledged in one tenure
 * while subscribers are in another. */
void truth_note_unsure(struct truth *truth, uint8_t channel);

/* The publication was given to a shard of the node, which is the channel's home, or passes it on.
 */
void truth_note_home(struct truth *truth, uint32_t id, uint8_t channel, uint32_t node);
/* The node is gone. What it took is gone, too, if it could not tell yet whoever is the home now. */
void truth_forget_home(struct truth *truth, uint32_t node);

/* At rest: every run that is open has all that was acknowledged since it was opened, but for what
 * was published while views differed and is gone with its home; and those of one channel that keeps
 * a history are at one place. A wildcard's has what was made in its channels, but for what was on
 * its way while views of the wildcard's home differed and is gone with one of the two homes. */
void truth_check_rest(struct truth *truth);

/* Beyond `from` the run has just the publications `first` .. `first + len - 1`. */
bool truth_run_ends_with(const struct run *run, uint32_t first, uint32_t len);

#endif
