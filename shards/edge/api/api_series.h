/* SPDX-License-Identifier: Apache-2.0 */
/* Several commands of the server API in one request: `batch`, and the lines of the API of before v3
 * (PROTOCOL 22.1). Each is a call of its own; they are made one after another, or all at once where
 * a batch asks for that, and answered together in their order. */
#ifndef ROOST_SHARDS_EDGE_API_API_SERIES_H
#define ROOST_SHARDS_EDGE_API_API_SERIES_H

#include "codec/api_json.h"
#include "shards/edge/api/api.h"

struct pool *api_series_pool_create(void);
void api_series_destroy(struct edge *edge);

/* As api_call, with the method batch or, for lines, API_METHOD_COUNT. */
void api_series_begin(struct edge *edge, struct connection *conn,
                      const struct api_request *request);

/* One of its calls is finished; the body is what its response would be. */
void api_series_on_answer(struct edge *edge, uint32_t series, uint32_t index, struct span body);

/* Makes a call that answers to a series, maybe at once. False: there is no room for it. */
MUST_CHECK bool api_call_in_series(struct edge *edge, const struct api_command *command,
                                   uint16_t key, uint32_t series, uint32_t index);

#endif
