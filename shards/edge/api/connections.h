/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's `connections`: who is connected to any node, in pages.
 *
 * Every shard of every node is asked for its next `limit` sessions behind a place (SURVEY), and the
 * least of all that come are the page. A session's place is its number in its shard's table and its
 * client's id: it stays as long as the session does, so that whoever is connected from the first
 * page to the last is listed once, and a page costs no more where there are millions. A shard
 * answers with fewer where they would be too long; then the page ends with the first that is known
 * to be followed by others.
 */
#ifndef ROOST_SHARDS_EDGE_API_CONNECTIONS_H
#define ROOST_SHARDS_EDGE_API_CONNECTIONS_H

#include "shards/edge/api/call.h"

/* The shard's part: rows of a page for the request that call_connections() has packed, as a list of
 * survey_channels_next(). NULL: there are none, or *error. */
struct buf *connections_survey(struct edge *edge, const struct buf *request, uint32_t *error);

/* The body of the response, when all have answered; free() what it may need (*larger). Without
 * `at`: memory is out. */
struct span connections_write(struct edge *edge, const struct call *call, uint8_t **larger);

#endif
