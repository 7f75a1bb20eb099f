/* SPDX-License-Identifier: Apache-2.0 */
/* Who a client is: the connect command's credentials, tokens, and what the answer tells of them. */
#ifndef ROOST_SHARDS_EDGE_SESSION_AUTH_H
#define ROOST_SHARDS_EDGE_SESSION_AUTH_H

#include "codec/jwt.h"
#include "codec/jwt_subs.h"
#include "codec/proxy.h"
#include "shards/edge/session/permissions.h"
#include "shards/edge/session/session.h"

struct auth_result {
    uint32_t disconnect; /* 0, or the code to end the connection with. */
    uint32_t error;      /* 0, or the code to answer the command with. */
    bool waits;          /* Or: for keys; it has to be tried again when the session is resumed. */
    struct span user;    /* Slices of the scratch or of the command. */
    struct span info;
    int64_t expire_at_s; /* 0: never. */
    /* Subscriptions that the server makes: an array of channels, an object (jwt_subs.h). */
    struct span channels_raw;
    struct span subs_raw;
    enum subscription_source subs_source; /* proxy_connect() sets it. */
    struct span meta; /* Of a token; one of a backend is the session's already. */
    struct revocable token;
};

/* PROTOCOL 6.1, in its order. `user_header` as in session_open. */
struct auth_result auth_connect(struct edge *edge, struct session *session,
                                const struct client_connect_request *request,
                                struct span user_header, struct scratch *scratch);

/* What a connect proxy answered with a result: its data and meta are the session's from now on. */
struct auth_result auth_connect_by_proxy(const struct edge *edge, struct session *session,
                                         const struct proxy_answer *answer);

/* PROTOCOL 8: a new token for a living connection. */
struct auth_result auth_refresh(struct edge *edge, struct session *session, struct span token,
                                struct span user, struct scratch *scratch);

/* PROTOCOL 9.1, 9: a subscription token. `info` is chan_info, `data` the result's data. */
struct auth_subscription {
    uint32_t disconnect;
    uint32_t error;
    bool waits;
    struct span info;
    struct span data;
    int64_t expire_at_s;
    struct revocable token;
    struct jwt_override override;
    enum subscription_source source; /* Its caller sets it. */
};
struct auth_subscription auth_subscribe(struct edge *edge, struct span token, struct span channel,
                                        struct session *session, struct scratch *scratch);

/* Seconds from now until a Unix time, at most a year. */
uint32_t auth_ttl_s(const struct edge *edge, int64_t expire_at_s);

/* Does any of the glob patterns match the Origin (compared in lower case)? */
bool auth_origin_is_allowed(const struct client_options *options, struct span origin);

#endif
