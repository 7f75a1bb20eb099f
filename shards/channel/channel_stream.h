/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of channels at home: positions, what is kept behind them, and how long.
 *
 * A channel gets a stream when somebody asks for its position or publishes into its history. The
 * publications of a quiet channel vanish together, history_ttl after the newest. The position
 * outlives the last subscriber by history_meta_ttl, or for as long as nobody else needs the place:
 * of the channels that live on for it alone, the one that was left first goes first.
 *
 *             subscribed to           left                        history_meta_ttl later
 *   channel  ----------------------->|--------------------------->| forgotten: a new epoch
 *   entries   ......|...|..|.............>| history_ttl after the newest
 */
#ifndef ROOST_SHARDS_CHANNEL_CHANNEL_STREAM_H
#define ROOST_SHARDS_CHANNEL_CHANNEL_STREAM_H

#include "runtime/list.h"
#include "shards/actors.h"
#include "shards/channel/history.h"

struct channel_streams; /* One a shard. */

struct channel_stream {
    struct history history;
    struct timer timer;    /* For the earlier of the two: */
    uint64_t expires_ms;   /* the publications vanish, */
    uint64_t forget_ms;    /* the channel is forgotten, while it is idle. */
    struct list idle_link; /* In none while somebody subscribes or is present. */
    uint32_t meta_ttl_s;
    uint32_t channel; /* The home's handle. */
};

/* `actors` has its shard by now. `bytes_max` is for the publications of all streams. NULL: memory
 * is out. */
MUST_CHECK struct channel_streams *channel_streams_create(struct actors *actors,
                                                          uint64_t bytes_max);

/* All streams have been closed before. NULL is allowed. */
void channel_streams_destroy(struct channel_streams *streams);

/* Gives back memory that is kept for what may come. */
void channel_streams_trim(struct channel_streams *streams);

/* NULL: memory is out. */
MUST_CHECK struct channel_stream *channel_stream_open(struct channel_streams *streams,
                                                      uint32_t channel);
void channel_stream_close(struct channel_streams *streams, struct channel_stream *stream);

/* Somebody asked for the position or moved it. */
void channel_stream_touch(struct channel_streams *streams, struct channel_stream *stream,
                          uint32_t meta_ttl_s);

/* Whether the channel lives on for the stream alone. */
void channel_stream_set_idle(struct channel_streams *streams, struct channel_stream *stream,
                             bool is_idle);

/* For homes_on_stream_timer: does what is due. True: the channel is to be forgotten. */
MUST_CHECK bool channel_stream_expire(struct channel_streams *streams,
                                      struct channel_stream *stream);

/* The channel that has been idle for longest; POOL_HANDLE_NONE: none is. */
uint32_t channel_streams_oldest_idle(const struct channel_streams *streams);

/* Keeps a publication at the next offset; shares the bufs in the message. False: memory is out;
 * nothing has changed. */
MUST_CHECK bool channel_stream_append(struct channel_streams *streams,
                                      struct channel_stream *stream,
                                      const struct message_publish *publish);

/* A publication that is not kept gets the next offset. */
void channel_stream_pass(struct channel_streams *streams, struct channel_stream *stream,
                         uint32_t meta_ttl_s);

/* What the home that the channel has now needs to go on with the stream: fills in those fields of
 * the move, with a page of what came after an offset (the caller's count). False: memory is out. */
struct channel_move;
MUST_CHECK bool channel_stream_give(const struct channel_streams *streams,
                                    const struct channel_stream *stream, uint64_t since_offset,
                                    struct channel_move *move);

/* For a stream into which nothing was published yet, or that pieces before this one were given to;
 * shares what is in the page. False: memory is out; the stream is to be closed. */
MUST_CHECK bool channel_stream_take(struct channel_streams *streams, struct channel_stream *stream,
                                    const struct channel_move *move);

/* Forgets the publications; the position stays. */
void channel_stream_remove(struct channel_streams *streams, struct channel_stream *stream);

/* Fills in newest, page and flags of the answer. */
void channel_stream_answer(const struct channel_stream *stream, uint64_t epoch,
                           const struct message_subscribe *ask, struct message_subscribed *answer);

/* Fills in newest, page and error of the answer. */
void channel_stream_read(const struct channel_stream *stream, uint64_t epoch,
                         const struct message_history_ask *ask, struct message_history *answer);

#endif
