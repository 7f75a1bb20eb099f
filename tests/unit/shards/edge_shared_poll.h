/* SPDX-License-Identifier: Apache-2.0 */
/* A node with namespaces of shared polls, its backend, and clients that track keys. */
#ifndef ROOST_TESTS_UNIT_SHARDS_EDGE_SHARED_POLL_H
#define ROOST_TESTS_UNIT_SHARDS_EDGE_SHARED_POLL_H

#include "tests/unit/shards/backend_rig.h"

#define POLL_SECRET "test-poll-secret"

struct poll_rig {
    struct edge_rig rig;
    struct backend_rig backend;
    struct proxy_options proxy;
    struct shared_poll_options *versioned;   /* Of `poll`: every 10 s, publish_enabled. */
    struct shared_poll_options *versionless; /* Of `free`. */
};

/* Options may be changed between the two. */
void poll_rig_init(struct poll_rig *poll);
void poll_rig_start(struct poll_rig *poll);
/* All clients leave: nothing of them is left, also of what was polled. */
void poll_rig_stop(struct poll_rig *poll);

/* Connected, and subscribed to the channel. */
struct peer *poll_follow(struct poll_rig *poll, uint32_t shard, const char *channel);

/* A batch of the anonymous user for the channel: keys with their versions, "a:0,b:7", signed. In
 * a buffer of the function's own, of which there are a few. */
const char *poll_batch(struct poll_rig *poll, const char *channel, const char *items,
                       int64_t ttl_s);
/* The same, signed with another secret, some time ago, for another user. */
struct poll_signing {
    const char *secret;
    const char *user;
    int64_t issued_s;
    int64_t expires_s;
};
const char *poll_batch_signed(const struct poll_signing *signing, const char *channel,
                              const char *items);

/* Says the command with id 9: batches and the rest of the request, `,"untrack":["a"]`. */
void poll_say_track(struct peer *peer, const char *channel, const char *batches, const char *rest);
/* The same for an hour, and hears that it is done. */
void poll_track(struct poll_rig *poll, struct peer *peer, const char *channel, const char *items);
void poll_untrack(struct peer *peer, const char *channel, const char *keys);

/* The next push is of this key: `"data":..,"key":..` as the publication has it. */
#define poll_hear(peer, channel, publication) \
    peer_hear((peer), "{\"push\":{\"channel\":\"%s\",\"pub\":{%s}}}", (channel), (publication))

/* The backend is asked this, and answers. */
#define poll_answer(poll, asked, result) \
    backend_answer(&(poll)->backend, backend_hear(&(poll)->backend, (asked)), \
                   "{\"result\":{" result "}}")

#endif
