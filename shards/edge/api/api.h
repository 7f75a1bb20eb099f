/* SPDX-License-Identifier: Apache-2.0 */
/* The server API over HTTP: calls, the answers of other shards they wait for, and their responses.
 */
#ifndef ROOST_SHARDS_EDGE_API_API_H
#define ROOST_SHARDS_EDGE_API_API_H

#include "codec/api.h"
#include "shards/edge/transport/connection.h"

/* Does the request ask for errors as HTTP statuses? */
bool api_wants_transport_errors(const struct node_options *options,
                                const struct http1_request *request);

struct api_request {
    enum api_method method;
    bool error_by_transport;
    uint16_t key; /* Who calls (api_keys.h). */
    struct span body;
};

/* Starts a call for the connection, which is in HTTP_CALL; responds now or when all answers are in.
 */
void api_call(struct edge *edge, struct connection *conn, const struct api_request *request);

/* Answers of other shards. */
void api_on_published(struct edge *edge, const struct message *message);
void api_on_presence(struct edge *edge, const struct message *message);
void api_on_history(struct edge *edge, const struct message *message);
void api_on_map_page(struct edge *edge, const struct message *message);
void api_on_survey_result(struct edge *edge, const struct message *message);
void api_on_nodes(struct edge *edge, const struct message *message);
void api_on_revoked(struct edge *edge, const struct message *message);

/* The pool that calls live in; and freeing what they hold, as the shard ends. */
struct pool *api_pool_create(void);
void api_destroy(struct edge *edge);

#endif
