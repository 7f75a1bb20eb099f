/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies: what a client asks for is decided by a backend (PROTOCOL 23).
 *
 * A command that a backend decides is tried again when the answer is there:
 *
 *     handler --> proxy_consult: WAITS      the request leaves; the command, and what came behind
 *                                           it, is held as it stands, and nothing more is read
 *     ... the answer comes: the session is resumed ...
 *     handler --> proxy_consult: GRANTED    with what the backend said; or ENDED
 *
 * So one client has one command at its backend at a time, its commands are carried out in their
 * order, and a session that waits for nobody has no memory for it. A session that ends cancels what
 * it waits for.
 */
#ifndef ROOST_SHARDS_EDGE_BACKENDS_PROXY_H
#define ROOST_SHARDS_EDGE_BACKENDS_PROXY_H

#include "codec/proxy.h"
#include "shards/edge/session/auth.h"
#include "shards/edge/backends/backends.h"
#include "shards/edge/session/session.h"

struct pool *proxy_pool_create(void);

enum proxy_step {
    PROXY_WAITS,   /* The command has to be tried again. */
    PROXY_GRANTED, /* *answer is what the backend said, until the next call of any function here. */
    PROXY_ENDED,   /* The client was told an error, or disconnected. */
};

/* What a command asks, and whom; of `request` the fields that are the command's own. */
struct proxy_question {
    const struct proxy_options *proxy;
    enum proxy_kind kind;
    uint32_t command_id;
    struct proxy_request request;
};

MUST_CHECK enum proxy_step proxy_consult(struct edge *edge, struct session *session,
                                         struct proxy_question *question,
                                         struct proxy_answer *answer);

/* The commands that backends may decide. With PROXY_GRANTED what they decided, which has been
 * checked as far as it is not the command's own affair. */

/* Who connects (PROTOCOL 6.1): by token, by a backend, or otherwise. */
MUST_CHECK enum proxy_step proxy_connect(struct edge *edge, struct session *session,
                                         const struct client_command *command,
                                         struct scratch *scratch, struct auth_result *who);
MUST_CHECK enum proxy_step proxy_subscribe(struct edge *edge, struct session *session,
                                           const struct proxy_options *proxy,
                                           const struct client_command *command,
                                           struct auth_subscription *grant);
/* A backend that says nothing of the data has it published as it came. */
MUST_CHECK enum proxy_step proxy_publish(struct edge *edge, struct session *session,
                                         const struct proxy_options *proxy,
                                         const struct client_command *command,
                                         struct proxy_answer *answer);

/* A key of a map that is set or removed. A backend that says nothing of the data has it set as it
 * came. */
MUST_CHECK enum proxy_step proxy_key(struct edge *edge, struct session *session,
                                     const struct proxy_options *proxy,
                                     const struct client_command *command,
                                     struct proxy_answer *answer);

/* Carries out an rpc command. PROXY_GRANTED: *error is the one to answer with. */
MUST_CHECK enum proxy_step proxy_rpc(struct edge *edge, struct session *session,
                                     const struct client_command *command, uint32_t *error);

/* Asks whether the connection may go on after its expiry; the session is told later. */
void proxy_refresh(struct edge *edge, struct session *session);

/* The same for a subscription, which has a grant. */
void proxy_sub_refresh(struct edge *edge, struct subscription *subscription);

/* True while its connection's refresh is under way. */
bool proxy_is_refreshing(const struct edge *edge, const struct session *session);
/* True while a command is under way, or waits for keys (key_source.h) or for its user's directory
 * (rates.h), so that nothing is read. */
bool proxy_holds(const struct edge *edge, const struct session *session);

/* What of a handshake's headers proxies will want; and of those that a client puts into its connect
 * command. False: memory is out. */
MUST_CHECK bool proxy_keep_headers(struct edge *edge, struct session *session,
                                   const struct http1_request *request);
MUST_CHECK bool proxy_keep_emulated_headers(struct edge *edge, struct session *session,
                                            struct span headers);

/* The session ends: nothing that it waits for is of use. */
void proxy_cancel(struct edge *edge, struct session *session);

/* For backends. */
void proxy_on_answer(struct edge *edge, uint32_t handle, const struct backend_answer *answer);

#endif
