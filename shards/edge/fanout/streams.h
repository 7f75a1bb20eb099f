/* SPDX-License-Identifier: Apache-2.0 */
/* Channels' streams as clients and backends meet them: which options switch on what, pages as
 * publications, and the history command (PROTOCOL 9.2, 10, 13).
 */
#ifndef ROOST_SHARDS_EDGE_FANOUT_STREAMS_H
#define ROOST_SHARDS_EDGE_FANOUT_STREAMS_H

#include "shards/edge/session/session.h"

/* The flags of SUBSCRIBE for what a client asks for and may have: position, recovery. */
uint32_t streams_flags_of(const struct channel_options *options,
                          const struct client_subscribe_request *request, bool may_see_history);

/* What SUBSCRIBE says beside the flags. */
void streams_limit_recovery(const struct edge *edge, const struct channel_options *options,
                            struct message_subscribe *body);

/* What PUBLISH says of the channel's history; nothing is kept where it is skipped. */
void streams_keep(const struct edge *edge, const struct channel_options *options, bool is_skipped,
                  struct message_publish *body);

/* How long a channel's position outlives its last subscriber. */
uint32_t streams_meta_ttl_s(const struct edge *edge, const struct channel_options *options);

static inline bool streams_has_history(const struct channel_options *options)
{
    return options->history_size > 0 && options->history_ttl_ms > 0;
}

/* A page as values to encode; they point into the page's bufs. */
struct stream_publications {
    struct client_publication *items;
    size_t len;
    bool is_json; /* All of them: else no JSON client can be told. */
    struct stream_memory *memory;
};

/* The page may be NULL. A stream's first publication tells clients its `epoch` (as it does live),
 * which must live as long; the server API tells none. False: memory is out. */
MUST_CHECK bool stream_publications_make(struct buf *page, struct span epoch,
                                         struct stream_publications *out);
void stream_publications_free(struct stream_publications *publications);

/* Zeroed memory that is freed with them; NULL: memory is out. */
MUST_CHECK void *stream_publications_allocate(struct stream_publications *publications, size_t len);

/* What an answer of the home says, as values; `epoch` and `publications` must live as long. */
void streams_put_position(const struct message_subscribed *answer, struct span epoch,
                          const struct stream_publications *publications,
                          struct client_subscribe_result *result);

/* False: the client has to go, and has gone: it speaks JSON and they are not. */
MUST_CHECK bool streams_may_tell(struct edge *edge, struct session *session,
                                 const struct stream_publications *publications);

void streams_count_recovery(struct edge *edge, uint32_t subscribed_flags, size_t publications);

/* Answers a subscribe command: with what was recovered or, where that does not fit into the
 * client's queue, without, so that it knows that it missed something. May end the connection. */
void streams_reply_subscribed(struct edge *edge, struct subscription *subscription,
                              struct client_reply *reply, const struct message_subscribed *answer);

/* Carries out a client's history command, which the home answers later; 0 or an enum client_error.
 */
uint32_t streams_ask(struct edge *edge, struct session *session,
                     const struct client_command *command);

/* HISTORY for a session. */
void streams_on_history(struct edge *edge, const struct message *message);

#endif
