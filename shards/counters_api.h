/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of calls of the server API. Rows as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_API_H
#define ROOST_SHARDS_COUNTERS_API_H

/* Rows of one name. */
#define ROW_API(X, id, value) \
    X(API_##id, "api_command_count", "protocol=\"http\",method=\"" value "\"", COUNTER, \
      "Calls of the server API.")

/* X(id, name, labels, kind, help) */
#define COUNTERS_OF_API(X) \
    ROW_API(X, PUBLISH, "publish") \
    ROW_API(X, BROADCAST, "broadcast") \
    ROW_API(X, SUBSCRIBE, "subscribe") \
    ROW_API(X, UNSUBSCRIBE, "unsubscribe") \
    ROW_API(X, DISCONNECT, "disconnect") \
    ROW_API(X, REFRESH, "refresh") \
    ROW_API(X, PRESENCE, "presence") \
    ROW_API(X, PRESENCE_STATS, "presence_stats") \
    ROW_API(X, HISTORY, "history") \
    ROW_API(X, HISTORY_REMOVE, "history_remove") \
    ROW_API(X, CHANNELS, "channels") \
    ROW_API(X, INFO, "info") \
    ROW_API(X, RPC, "rpc") \
    ROW_API(X, CONNECTIONS, "connections") \
    ROW_API(X, REVOKE_TOKEN, "revoke_token") \
    ROW_API(X, INVALIDATE_USER_TOKENS, "invalidate_user_tokens") \
    ROW_API(X, BLOCK_USER, "block_user") \
    ROW_API(X, UNBLOCK_USER, "unblock_user") \
    ROW_API(X, SHARED_POLL_PUBLISH, "shared_poll_publish") \
    ROW_API(X, BATCH, "batch") \
    ROW_API(X, MAP_PUBLISH, "map_publish") \
    ROW_API(X, MAP_REMOVE, "map_remove") \
    ROW_API(X, MAP_READ_STATE, "map_read_state") \
    ROW_API(X, MAP_READ_STREAM, "map_read_stream") \
    ROW_API(X, MAP_STATS, "map_stats") \
    ROW_API(X, MAP_CLEAR, "map_clear") \
    ROW_API(X, UNKNOWN, "unknown")

#endif
