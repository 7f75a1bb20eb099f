/* SPDX-License-Identifier: Apache-2.0 */
/* Which requests may become clients: origins, the limits of the node, and what browsers of other
 * origins are told (CORS). */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_ADMISSION_H
#define ROOST_SHARDS_EDGE_TRANSPORT_ADMISSION_H

#include "shards/edge/transport/http.h"

/* May one more client be taken now? If not it has been counted why, and admission_refuse is next.
 */
MUST_CHECK bool admission_takes_client(struct edge *edge);
/* 503, with `cors` (admission_cors) among the headers. The connection ends. */
void admission_refuse(struct edge *edge, struct connection *conn, struct span cors);

/* client.allowed_origins. Requests without an Origin do not come from a browser. The page that this
 * node itself serves may always connect. */
MUST_CHECK bool admission_allows_origin(const struct edge *edge,
                                        const struct http1_request *request);

/* Header lines that let a web page of another, allowed origin read the answer; empty for others.
 * They are written into `room`. */
enum { CORS_LEN_MAX = 1024 };
struct span admission_cors(const struct edge *edge, const struct http1_request *request,
                           uint8_t room[CORS_LEN_MAX]);

/* Who a trusted proxy says that the client is (client.user_id_http_header); empty: nobody. */
struct span admission_user(const struct edge *edge, const struct http1_request *request);

#endif
