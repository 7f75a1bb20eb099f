/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of sessions and their subscriptions: how many, what is held for them, how they end. Rows
 * as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_CLIENTS_H
#define ROOST_SHARDS_COUNTERS_CLIENTS_H

/* Rows of one name. */
#define ROW_DISCONNECT(X, id, value) \
    X(DISCONNECT_##id, "client_num_server_disconnects", "code=\"" value "\"", COUNTER, \
      "Clients that the server disconnected.")
#define ROW_UNSUBSCRIBE(X, id, value) \
    X(UNSUBSCRIBE_##id, "client_num_server_unsubscribes", "code=\"" value "\"," WITH_NAMESPACE, \
      COUNTER, "Subscriptions that the server ended.")
#define ROW_RATE_LIMITED(X, id, value) \
    X(RATE_LIMITED_##id, "client_rate_limited_count", "by=\"" value "\"", COUNTER, \
      "Commands refused, and connections ended, for coming too often: client.rate_limit.")
#define ROW_REVOKED(X, id, value) \
    X(REVOKED_##id, "revoked_count", "what=\"" value "\"", COUNTER, \
      "What was refused or ended because its token is revoked or its user is blocked.")

/* X(id, name, labels, kind, help) */
#define COUNTERS_OF_CLIENTS(X) \
    X(NUM_CLIENTS, "node_num_clients", "", GAUGE, "Sessions that are connected.") \
    X(NUM_CONNECTIONS, "node_num_connections", "", GAUGE, "Open transports, sessions or not.") \
    X(NUM_SESSIONS, "node_num_sessions", "", GAUGE, "Sessions, connected or about to.") \
    X(NUM_UNAUTHENTICATED, "node_num_unauthenticated", "", GAUGE, \
      "Open transports that are no session, echo or API call yet.") \
    X(NUM_USERS, "node_num_users", "", GAUGE, "Users in the directory.") \
    X(NUM_ANONYMOUS, "node_num_anonymous_clients", "", GAUGE, "Sessions without a user id.") \
    X(NUM_SUBSCRIPTIONS, "node_num_subscriptions", "", GAUGE, "Subscriptions of sessions.") \
    X(DELTAS_MADE, "client_deltas", "outcome=\"made\"", COUNTER, "Deltas, and what was whole.") \
    X(DELTAS_WHOLE, "client_deltas", "outcome=\"whole\"", COUNTER, "Deltas, and what was whole.") \
    X(MAP_CATCH_UPS, "client_map_catch_ups", "", GAUGE, "Clients on their way to follow a map.") \
    X(MAP_CATCH_UPS_LATE, "client_map_catch_ups_late", "", COUNTER, \
      "Of these, those that took too long.") \
    X(DELTA_KEPT_BYTES, "client_delta_kept_bytes", "", GAUGE, "Kept to make deltas against.") \
    X(BATCH_WAITING, "broadcast_batch_publications", "", GAUGE, "Publications in batches.") \
    X(BATCH_DROPPED, "broadcast_batch_dropped_publications", "", COUNTER, "Not the latest.") \
    X(TAGS_FILTER_DROPPED, "node_tags_filter_dropped_publications", WITH_NAMESPACE, COUNTER, \
      "Held back.") \
    X(TAGS_FILTER_BYTES, "client_tags_filter_bytes", "", GAUGE, "What tags filters take.") \
    X(TOKEN_KEY_SETS, "token_key_set_fetch_count", "result=\"taken\"", COUNTER, "Key sets.") \
    X(TOKEN_KEY_SETS_FAILED, "token_key_set_fetch_count", "result=\"failed\"", COUNTER, \
      "Key sets.") \
    ROW_DISCONNECT(X, 3000, "3000") \
    ROW_DISCONNECT(X, 3001, "3001") \
    ROW_DISCONNECT(X, 3004, "3004") \
    ROW_DISCONNECT(X, 3005, "3005") \
    ROW_DISCONNECT(X, 3006, "3006") \
    ROW_DISCONNECT(X, 3008, "3008") \
    ROW_DISCONNECT(X, 3009, "3009") \
    ROW_DISCONNECT(X, 3010, "3010") \
    ROW_DISCONNECT(X, 3011, "3011") \
    ROW_DISCONNECT(X, 3012, "3012") \
    ROW_DISCONNECT(X, 3013, "3013") \
    ROW_DISCONNECT(X, 3014, "3014") \
    ROW_DISCONNECT(X, 3500, "3500") \
    ROW_DISCONNECT(X, 3501, "3501") \
    ROW_DISCONNECT(X, 3502, "3502") \
    ROW_DISCONNECT(X, 3503, "3503") \
    ROW_DISCONNECT(X, 3504, "3504") \
    ROW_DISCONNECT(X, 3505, "3505") \
    ROW_DISCONNECT(X, 3506, "3506") \
    ROW_DISCONNECT(X, 3507, "3507") \
    ROW_DISCONNECT(X, 3508, "3508") \
    ROW_DISCONNECT(X, 3509, "3509") \
    ROW_DISCONNECT(X, CUSTOM, "custom") \
    ROW_UNSUBSCRIBE(X, 2000, "2000") \
    ROW_UNSUBSCRIBE(X, 2500, "2500") \
    ROW_UNSUBSCRIBE(X, 2501, "2501") \
    ROW_UNSUBSCRIBE(X, 2502, "2502") \
    ROW_RATE_LIMITED(X, CONNECTION, "connection") \
    ROW_RATE_LIMITED(X, USER, "user") \
    ROW_RATE_LIMITED(X, CONNECT, "user_connect") \
    ROW_RATE_LIMITED(X, ERRORS, "errors") \
    ROW_RATE_LIMITED(X, CONGESTED, "congestion") \
    X(RATE_UNASKED, "client_rate_unlimited_count", "", COUNTER, \
      "Commands allowed because their user's directory could not be asked.") \
    X(REVOCATIONS, "revocations", "", GAUGE, "Revoked tokens and blocked users that are known.") \
    X(REVOCATIONS_REFUSED, "revocations_refused_count", "", COUNTER, \
      "Those for which there was no room in a table.") \
    X(REVOCATIONS_REPAIRED, "revocations_repaired_count", "", COUNTER, \
      "Times that another node knew others, and they told each other all of them.") \
    ROW_REVOKED(X, TOKENS_REFUSED, "tokens_refused") \
    ROW_REVOKED(X, USERS_REFUSED, "users_refused") \
    ROW_REVOKED(X, CONNECTIONS_ENDED, "connections_ended") \
    ROW_REVOKED(X, USERS_ENDED, "blocked_connections_ended") \
    ROW_REVOKED(X, SUBSCRIPTIONS_ENDED, "subscriptions_ended")

#endif
