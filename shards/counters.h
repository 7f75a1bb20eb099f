/* SPDX-License-Identifier: Apache-2.0 */
/* Every counter and gauge of a shard, with the name, labels and help under which /metrics shows it;
 * those with more labels are in families.h.
 *
 * The names are Centrifugo's where it has the metric, after the prefix (`roost_`). Rows of one name
 * stand together.
 */
#ifndef ROOST_SHARDS_COUNTERS_H
#define ROOST_SHARDS_COUNTERS_H

#include <stdint.h>

#include "shards/counters_backends.h"
#include "shards/counters_wildcards.h"
#include "shards/counters_shared_poll.h"
#include "shards/families.h"

/* Of rows that stand together. */
#define HELP_HANDOVERS \
    "Channels that moved with what they are, to another node or from one; or not."
#define HELP_HANDOVER_BYTES "Names and publications of channels that moved."
#define HELP_MAP_REFUSED "Publications into maps for which there was no room."
#define HELP_MAP_SUPPRESSED "Publications into maps that changed nothing."
#define HELP_MAP_REMOVE_SUPPRESSED "Removals of keys that changed nothing."
#define HELP_REVOKED \
    "What was refused or ended because its token is revoked or its user is blocked."
#define HELP_RATE_LIMITED \
    "Commands refused, and connections ended, for coming too often: client.rate_limit."
#define HELP_RELAY_REFUSED "What was refused for want of room, a link or a home."
#define HELP_RELAY_FAILED "Requests between nodes whose outcome is not known."

/* X(id, name, labels, kind, help) */
#define COUNTER_TABLE(X) \
    X(NUM_CLIENTS, "node_num_clients", "", GAUGE, "Sessions that are connected.") \
    X(NUM_CONNECTIONS, "node_num_connections", "", GAUGE, "Open transports, sessions or not.") \
    X(NUM_SESSIONS, "node_num_sessions", "", GAUGE, "Sessions, connected or about to.") \
    X(NUM_UNAUTHENTICATED, "node_num_unauthenticated", "", GAUGE, \
      "Open transports that are no session, echo or API call yet.") \
    X(NUM_USERS, "node_num_users", "", GAUGE, "Users in the directory.") \
    X(NUM_ANONYMOUS, "node_num_anonymous_clients", "", GAUGE, "Sessions without a user id.") \
    X(NUM_SUBSCRIPTIONS, "node_num_subscriptions", "", GAUGE, "Subscriptions of sessions.") \
    X(NUM_CHANNELS, "node_num_channels", "", GAUGE, "Channels that have a home here.") \
    X(NUM_PRESENCE_ENTRIES, "node_num_presence_entries", "", GAUGE, "Presence entries kept.") \
    X(HISTORY_STREAMS, "history_streams", "", GAUGE, "Channels whose position is kept.") \
    X(HISTORY_PUBLICATIONS, "history_publications", "", GAUGE, "Publications kept in histories.") \
    X(HISTORY_BYTES, "history_bytes", "", GAUGE, "What they take.") \
    X(HISTORY_EVICTED, "history_evicted_total", "", COUNTER, \
      "Publications given up for newer ones because histories took too much.") \
    X(HISTORY_STREAMS_EVICTED, "history_streams_evicted_total", "", COUNTER, \
      "Positions of idle channels given up because there were too many channels.") \
    X(SUPPRESSED_IDEMPOTENCY, "broker_publish_suppressed_count", \
      "reason=\"idempotency\"," WITH_NAMESPACE, COUNTER, \
      "Publications that were not delivered since they are not new.") \
    X(SUPPRESSED_VERSION, "broker_publish_suppressed_count", "reason=\"version\"," WITH_NAMESPACE, \
      COUNTER, "Publications that were not delivered since they are not new.") \
    X(MAP_CHANNELS, "map_channels", "", GAUGE, "Channels that are maps.") \
    X(MAP_KEYS, "map_keys", "", GAUGE, "Keys of maps.") \
    X(MAP_BYTES, "map_bytes", "", GAUGE, "What they take.") \
    X(MAP_EXPIRED, "map_keys_expired_total", "", COUNTER, "Keys of maps that ended.") \
    X(MAP_REFUSED_KEYS, "map_publish_refused_total", "reason=\"keys\"", COUNTER, HELP_MAP_REFUSED) \
    X(MAP_REFUSED_SIZE, "map_publish_refused_total", "reason=\"size\"", COUNTER, HELP_MAP_REFUSED) \
    X(MAP_REFUSED_MEMORY, "map_publish_refused_total", "reason=\"memory\"", COUNTER, \
      HELP_MAP_REFUSED) \
    X(MAP_SUPPRESSED_IDEMPOTENCY, "map_broker_publish_suppressed_count", \
      "reason=\"idempotency\"," WITH_NAMESPACE, COUNTER, HELP_MAP_SUPPRESSED) \
    X(MAP_SUPPRESSED_VERSION, "map_broker_publish_suppressed_count", \
      "reason=\"version\"," WITH_NAMESPACE, COUNTER, HELP_MAP_SUPPRESSED) \
    X(MAP_SUPPRESSED_KEY_EXISTS, "map_broker_publish_suppressed_count", \
      "reason=\"key_exists\"," WITH_NAMESPACE, COUNTER, HELP_MAP_SUPPRESSED) \
    X(MAP_SUPPRESSED_KEY_NOT_FOUND, "map_broker_publish_suppressed_count", \
      "reason=\"key_not_found\"," WITH_NAMESPACE, COUNTER, HELP_MAP_SUPPRESSED) \
    X(MAP_REMOVE_SUPPRESSED_IDEMPOTENCY, "map_broker_remove_suppressed_count", \
      "reason=\"idempotency\"," WITH_NAMESPACE, COUNTER, HELP_MAP_REMOVE_SUPPRESSED) \
    X(MAP_REMOVE_SUPPRESSED_KEY_NOT_FOUND, "map_broker_remove_suppressed_count", \
      "reason=\"key_not_found\"," WITH_NAMESPACE, COUNTER, HELP_MAP_REMOVE_SUPPRESSED) \
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
    X(RECEIVE_PINNED_BYTES, "transport_receive_pinned_bytes", "", GAUGE, \
      "Bytes of unfinished input held for peers.") \
    X(RECEIVE_PINNED_UNAUTHENTICATED_BYTES, "transport_receive_pinned_unauthenticated_bytes", "", \
      GAUGE, "Of these, for peers that have not connected yet.") \
    X(RECEIVE_PINNED_FALLBACK_BYTES, "transport_receive_pinned_fallback_bytes", "", GAUGE, \
      "Of these, for HTTP streams, those who ask for one, and their commands.") \
    X(FALLBACK_BYTES, "transport_fallback_bytes", "", GAUGE, \
      "What HTTP streams take of fallback.memory_limit.") \
    X(EMULATION_DELIVERED, "emulation_requests_count", "result=\"delivered\"", COUNTER, \
      "Requests that brought commands for the client of an HTTP stream.") \
    X(EMULATION_NO_SESSION, "emulation_requests_count", "result=\"no_session\"", COUNTER, \
      "Requests that brought commands for the client of an HTTP stream.") \
    X(EMULATION_NO_NODE, "emulation_requests_count", "result=\"no_node\"", COUNTER, \
      "Requests that brought commands for the client of an HTTP stream.") \
    X(EMULATION_REFUSED, "emulation_requests_count", "result=\"refused\"", COUNTER, \
      "Requests that brought commands for the client of an HTTP stream.") \
    X(TOKEN_KEY_SETS, "token_key_set_fetch_count", "result=\"taken\"", COUNTER, "Key sets.") \
    X(TOKEN_KEY_SETS_FAILED, "token_key_set_fetch_count", "result=\"failed\"", COUNTER, \
      "Key sets.") \
    X(BYTES_SENT, "transport_bytes_sent", "", COUNTER, "Bytes that sockets took.") \
    X(BYTES_RECEIVED, "transport_bytes_received", "", COUNTER, "Bytes read from sockets.") \
    X(SENT_PUBLICATION, "node_messages_sent_count", "type=\"publication\"," WITH_NAMESPACE, \
      COUNTER, "Messages sent to subscribers' shards.") \
    X(SENT_JOIN, "node_messages_sent_count", "type=\"join\"," WITH_NAMESPACE, COUNTER, \
      "Messages sent to subscribers' shards.") \
    X(SENT_MAP_PUBLICATION, "node_messages_sent_count", \
      "type=\"map_publication\"," WITH_NAMESPACE, COUNTER, \
      "Messages sent to subscribers' shards.") \
    X(SENT_MAP_REMOVAL, "node_messages_sent_count", "type=\"map_removal\"," WITH_NAMESPACE, \
      COUNTER, "Messages sent to subscribers' shards.") \
    X(SENT_LEAVE, "node_messages_sent_count", "type=\"leave\"," WITH_NAMESPACE, COUNTER, \
      "Messages sent to subscribers' shards.") \
    X(SENT_CONTROL, "node_messages_sent_count", "type=\"control\"," WITH_NAMESPACE, COUNTER, \
      "Messages sent to subscribers' shards.") \
    X(RECEIVED_PUBLICATION, "node_messages_received_count", \
      "type=\"publication\"," WITH_NAMESPACE, COUNTER, \
      "Messages received for subscribers of a shard.") \
    X(RECEIVED_JOIN, "node_messages_received_count", "type=\"join\"," WITH_NAMESPACE, COUNTER, \
      "Messages received for subscribers of a shard.") \
    X(RECEIVED_LEAVE, "node_messages_received_count", "type=\"leave\"," WITH_NAMESPACE, COUNTER, \
      "Messages received for subscribers of a shard.") \
    X(RECEIVED_CONTROL, "node_messages_received_count", "type=\"control\"," WITH_NAMESPACE, \
      COUNTER, "Messages received for subscribers of a shard.") \
    X(DISCONNECT_3000, "client_num_server_disconnects", "code=\"3000\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3001, "client_num_server_disconnects", "code=\"3001\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3004, "client_num_server_disconnects", "code=\"3004\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3005, "client_num_server_disconnects", "code=\"3005\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3006, "client_num_server_disconnects", "code=\"3006\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3008, "client_num_server_disconnects", "code=\"3008\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3009, "client_num_server_disconnects", "code=\"3009\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3010, "client_num_server_disconnects", "code=\"3010\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3011, "client_num_server_disconnects", "code=\"3011\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3012, "client_num_server_disconnects", "code=\"3012\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3013, "client_num_server_disconnects", "code=\"3013\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3014, "client_num_server_disconnects", "code=\"3014\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3500, "client_num_server_disconnects", "code=\"3500\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3501, "client_num_server_disconnects", "code=\"3501\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3502, "client_num_server_disconnects", "code=\"3502\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3503, "client_num_server_disconnects", "code=\"3503\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3504, "client_num_server_disconnects", "code=\"3504\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3505, "client_num_server_disconnects", "code=\"3505\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3506, "client_num_server_disconnects", "code=\"3506\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3507, "client_num_server_disconnects", "code=\"3507\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3508, "client_num_server_disconnects", "code=\"3508\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_3509, "client_num_server_disconnects", "code=\"3509\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(DISCONNECT_CUSTOM, "client_num_server_disconnects", "code=\"custom\"", COUNTER, \
      "Clients that the server disconnected.") \
    X(UNSUBSCRIBE_2000, "client_num_server_unsubscribes", "code=\"2000\"," WITH_NAMESPACE, \
      COUNTER, "Subscriptions that the server ended.") \
    X(UNSUBSCRIBE_2500, "client_num_server_unsubscribes", "code=\"2500\"," WITH_NAMESPACE, \
      COUNTER, "Subscriptions that the server ended.") \
    X(UNSUBSCRIBE_2501, "client_num_server_unsubscribes", "code=\"2501\"," WITH_NAMESPACE, \
      COUNTER, "Subscriptions that the server ended.") \
    X(UNSUBSCRIBE_2502, "client_num_server_unsubscribes", "code=\"2502\"," WITH_NAMESPACE, \
      COUNTER, "Subscriptions that the server ended.") \
    X(REFUSED_HEAD_TIMEOUT, "transport_refused_count", "reason=\"head_timeout\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_HEAD_INVALID, "transport_refused_count", "reason=\"head_invalid\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_BODY_INVALID, "transport_refused_count", "reason=\"body_invalid\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_BODY_TIMEOUT, "transport_refused_count", "reason=\"body_timeout\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_UPGRADE_INVALID, "transport_refused_count", "reason=\"upgrade_invalid\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_ORIGIN, "transport_refused_count", "reason=\"origin\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_CONNECTION_LIMIT, "transport_refused_count", "reason=\"connection_limit\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_CONNECTION_RATE, "transport_refused_count", "reason=\"connection_rate\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_DESCRIPTORS, "transport_refused_count", "reason=\"descriptors\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_MEMORY, "transport_refused_count", "reason=\"memory\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_PINNED, "transport_refused_count", "reason=\"pinned_bytes\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_FALLBACK_MEMORY, "transport_refused_count", "reason=\"fallback_memory\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_ASSEMBLY_TIMEOUT, "transport_refused_count", "reason=\"assembly_timeout\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_NOT_FOUND, "transport_refused_count", "reason=\"not_found\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_API_KEY, "transport_refused_count", "reason=\"api_key\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(REFUSED_SHUTTING_DOWN, "transport_refused_count", "reason=\"shutting_down\"", COUNTER, \
      "Peers that were turned away before or below the protocol.") \
    X(API_PUBLISH, "api_command_count", "protocol=\"http\",method=\"publish\"", COUNTER, \
      "Calls of the server API.") \
    X(API_BROADCAST, "api_command_count", "protocol=\"http\",method=\"broadcast\"", COUNTER, \
      "Calls of the server API.") \
    X(API_SUBSCRIBE, "api_command_count", "protocol=\"http\",method=\"subscribe\"", COUNTER, \
      "Calls of the server API.") \
    X(API_UNSUBSCRIBE, "api_command_count", "protocol=\"http\",method=\"unsubscribe\"", COUNTER, \
      "Calls of the server API.") \
    X(API_DISCONNECT, "api_command_count", "protocol=\"http\",method=\"disconnect\"", COUNTER, \
      "Calls of the server API.") \
    X(API_REFRESH, "api_command_count", "protocol=\"http\",method=\"refresh\"", COUNTER, \
      "Calls of the server API.") \
    X(API_PRESENCE, "api_command_count", "protocol=\"http\",method=\"presence\"", COUNTER, \
      "Calls of the server API.") \
    X(API_PRESENCE_STATS, "api_command_count", "protocol=\"http\",method=\"presence_stats\"", \
      COUNTER, "Calls of the server API.") \
    X(API_HISTORY, "api_command_count", "protocol=\"http\",method=\"history\"", COUNTER, \
      "Calls of the server API.") \
    X(API_HISTORY_REMOVE, "api_command_count", "protocol=\"http\",method=\"history_remove\"", \
      COUNTER, "Calls of the server API.") \
    X(API_CHANNELS, "api_command_count", "protocol=\"http\",method=\"channels\"", COUNTER, \
      "Calls of the server API.") \
    X(API_INFO, "api_command_count", "protocol=\"http\",method=\"info\"", COUNTER, \
      "Calls of the server API.") \
    X(API_RPC, "api_command_count", "protocol=\"http\",method=\"rpc\"", COUNTER, \
      "Calls of the server API.") \
    X(API_CONNECTIONS, "api_command_count", "protocol=\"http\",method=\"connections\"", COUNTER, \
      "Calls of the server API.") \
    X(API_REVOKE_TOKEN, "api_command_count", "protocol=\"http\",method=\"revoke_token\"", COUNTER, \
      "Calls of the server API.") \
    X(API_INVALIDATE_USER_TOKENS, "api_command_count", \
      "protocol=\"http\",method=\"invalidate_user_tokens\"", COUNTER, "Calls of the server API.") \
    X(API_BLOCK_USER, "api_command_count", "protocol=\"http\",method=\"block_user\"", COUNTER, \
      "Calls of the server API.") \
    X(API_UNBLOCK_USER, "api_command_count", "protocol=\"http\",method=\"unblock_user\"", COUNTER, \
      "Calls of the server API.") \
    X(API_SHARED_POLL_PUBLISH, "api_command_count", \
      "protocol=\"http\",method=\"shared_poll_publish\"", COUNTER, "Calls of the server API.") \
    X(API_BATCH, "api_command_count", "protocol=\"http\",method=\"batch\"", COUNTER, \
      "Calls of the server API.") \
    X(API_MAP_PUBLISH, "api_command_count", "protocol=\"http\",method=\"map_publish\"", COUNTER, \
      "Calls of the server API.") \
    X(API_MAP_REMOVE, "api_command_count", "protocol=\"http\",method=\"map_remove\"", COUNTER, \
      "Calls of the server API.") \
    X(API_MAP_READ_STATE, "api_command_count", "protocol=\"http\",method=\"map_read_state\"", \
      COUNTER, "Calls of the server API.") \
    X(API_MAP_READ_STREAM, "api_command_count", "protocol=\"http\",method=\"map_read_stream\"", \
      COUNTER, "Calls of the server API.") \
    X(API_MAP_STATS, "api_command_count", "protocol=\"http\",method=\"map_stats\"", COUNTER, \
      "Calls of the server API.") \
    X(API_MAP_CLEAR, "api_command_count", "protocol=\"http\",method=\"map_clear\"", COUNTER, \
      "Calls of the server API.") \
    X(API_UNKNOWN, "api_command_count", "protocol=\"http\",method=\"unknown\"", COUNTER, \
      "Calls of the server API.") \
    COUNTER_TABLE_BACKENDS(X) \
    COUNTER_TABLE_WILDCARDS(X) \
    COUNTER_TABLE_SHARED_POLL(X) \
    X(RATE_LIMITED_CONNECTION, "client_rate_limited_count", "by=\"connection\"", COUNTER, \
      HELP_RATE_LIMITED) \
    X(RATE_LIMITED_USER, "client_rate_limited_count", "by=\"user\"", COUNTER, HELP_RATE_LIMITED) \
    X(RATE_LIMITED_CONNECT, "client_rate_limited_count", "by=\"user_connect\"", COUNTER, \
      HELP_RATE_LIMITED) \
    X(RATE_LIMITED_ERRORS, "client_rate_limited_count", "by=\"errors\"", COUNTER, \
      HELP_RATE_LIMITED) \
    X(RATE_LIMITED_CONGESTED, "client_rate_limited_count", "by=\"congestion\"", COUNTER, \
      HELP_RATE_LIMITED) \
    X(RATE_UNASKED, "client_rate_unlimited_count", "", COUNTER, \
      "Commands allowed because their user's directory could not be asked.") \
    X(REVOCATIONS, "revocations", "", GAUGE, "Revoked tokens and blocked users that are known.") \
    X(REVOCATIONS_REFUSED, "revocations_refused_count", "", COUNTER, \
      "Those for which there was no room in a table.") \
    X(REVOCATIONS_REPAIRED, "revocations_repaired_count", "", COUNTER, \
      "Times that another node knew others, and they told each other all of them.") \
    X(REVOKED_TOKENS_REFUSED, "revoked_count", "what=\"tokens_refused\"", COUNTER, HELP_REVOKED) \
    X(REVOKED_USERS_REFUSED, "revoked_count", "what=\"users_refused\"", COUNTER, HELP_REVOKED) \
    X(REVOKED_CONNECTIONS_ENDED, "revoked_count", "what=\"connections_ended\"", COUNTER, \
      HELP_REVOKED) \
    X(REVOKED_USERS_ENDED, "revoked_count", "what=\"blocked_connections_ended\"", COUNTER, \
      HELP_REVOKED) \
    X(REVOKED_SUBSCRIPTIONS_ENDED, "revoked_count", "what=\"subscriptions_ended\"", COUNTER, \
      HELP_REVOKED) \
    X(STALE_EVENTS, "node_stale_events", "", COUNTER, \
      "Poller events for connections that were gone.") \
    X(STALE_MESSAGES, "node_stale_messages", "", COUNTER, \
      "Messages between shards for objects that were gone.") \
    X(CHANNELS_REFUSED, "node_channels_refused", "", COUNTER, \
      "Channels refused because the home had too many.") \
    X(CHANNELS_MOVED, "node_channels_moved", "", COUNTER, \
      "Channels whose home here ended because it is another node's now.") \
    X(HANDOVERS_GIVEN, "handover_channels", "result=\"given\"", COUNTER, HELP_HANDOVERS) \
    X(HANDOVERS_TAKEN, "handover_channels", "result=\"taken\"", COUNTER, HELP_HANDOVERS) \
    X(HANDOVERS_REFUSED, "handover_channels", "result=\"refused\"", COUNTER, HELP_HANDOVERS) \
    X(HANDOVERS_FAILED, "handover_channels", "result=\"failed\"", COUNTER, HELP_HANDOVERS) \
    X(HANDOVERS_LATE, "handover_channels", "result=\"late\"", COUNTER, HELP_HANDOVERS) \
    X(HANDOVERS_MISSED, "handover_channels", "result=\"missed\"", COUNTER, HELP_HANDOVERS) \
    X(HANDOVER_BYTES_GIVEN, "handover_bytes", "direction=\"given\"", COUNTER, HELP_HANDOVER_BYTES) \
    X(HANDOVER_BYTES_TAKEN, "handover_bytes", "direction=\"taken\"", COUNTER, HELP_HANDOVER_BYTES) \
    X(HANDOVER_TOLD_LOST, "handover_catch_up_lost", "", COUNTER, \
      "Channels that moved, of which those who come after them cannot be told all.") \
    X(HELD_REQUESTS, "handover_requests_waiting", "", GAUGE, \
      "Requests that wait for a channel to come.") \
    X(HELD_REFUSED, "handover_requests_refused", "", COUNTER, \
      "Of these, those that found no room or waited too long.") \
    X(SLOTS_AWAITED, "handover_slots_waiting", "", GAUGE, \
      "Slots of this node that homes of before have not given up yet.") \
    X(SLOTS_LATE, "handover_slots_late", "", COUNTER, "Slots that were waited for in vain.") \
    X(HUB_CHANNELS_MOVED, "node_registrations_moved", "", COUNTER, \
      "Channels with subscribers that were registered again after a move.") \
    X(RELAY_FAR_CHANNELS, "relay_channels", "home=\"far\"", GAUGE, \
      "Channels that the router has registered with homes, for others.") \
    X(RELAY_NEAR_CHANNELS, "relay_channels", "home=\"near\"", GAUGE, \
      "Channels that the router has registered with homes, for others.") \
    X(RELAY_INTERESTS, "relay_interests", "", GAUGE, "Nodes that want channels of this one.") \
    X(RELAY_ASKS, "relay_requests", "", GAUGE, "Requests between nodes that are under way.") \
    X(RELAY_ASKS_LATE, "relay_requests_failed", "reason=\"timeout\"", COUNTER, HELP_RELAY_FAILED) \
    X(RELAY_ASKS_CUT, "relay_requests_failed", "reason=\"link_down\"", COUNTER, HELP_RELAY_FAILED) \
    X(RELAY_REFUSED_REQUESTS, "relay_refused", "what=\"requests\"", COUNTER, HELP_RELAY_REFUSED) \
    X(RELAY_REFUSED_CHANNELS, "relay_refused", "what=\"channels\"", COUNTER, HELP_RELAY_REFUSED) \
    X(RELAY_REFUSED_PEERS, "relay_refused", "what=\"peers\"", COUNTER, HELP_RELAY_REFUSED) \
    X(RELAY_PASSED_ON, "relay_passed_on", "", COUNTER, \
      "Requests that reached a node which is not the home, and were passed on.") \
    X(RELAY_LOST, "relay_lost", "", COUNTER, \
      "Publications and commands given up because a link had no room.") \
    X(RELAY_STALE, "relay_stale", "", COUNTER, "Messages between nodes for what is gone.") \
    X(RELAY_CHANNELS_MOVED, "relay_channels_moved", "", COUNTER, \
      "Registrations with other nodes that ended with a home, a link or a view.") \
    X(RELAY_REPAIRS, "relay_interest_repairs", "", COUNTER, \
      "Times that two nodes disagreed on what is registered, and began anew.") \
    X(MAILBOX_SENT, "mailbox_messages_sent", "", COUNTER, "Messages sent to other shards.") \
    X(MAILBOX_REFUSED, "mailbox_messages_refused", "", COUNTER, \
      "Messages that found the target's staging full.") \
    X(MAILBOX_DOORBELLS, "mailbox_doorbells", "", COUNTER, "Sleeping shards woken.") \
    X(OUTBOX_WAITING, "mailbox_outbox_messages", "", GAUGE, \
      "Messages that wait for room in their target's mailbox.") \
    X(OUTBOX_LOST, "mailbox_outbox_lost", "", COUNTER, \
      "Messages given up because too many waited.") \
    X(CLUSTER_ALIVE, "cluster_members", "state=\"alive\"", GAUGE, \
      "Members of the cluster as this node sees them, itself included.") \
    X(CLUSTER_SUSPECT, "cluster_members", "state=\"suspect\"", GAUGE, \
      "Members of the cluster as this node sees them, itself included.") \
    X(CLUSTER_UNREACHABLE, "cluster_members", "state=\"unreachable\"", GAUGE, \
      "Members of the cluster as this node sees them, itself included.") \
    X(CLUSTER_DEAD, "cluster_members", "state=\"dead\"", GAUGE, \
      "Members of the cluster as this node sees them, itself included.") \
    X(CLUSTER_LEFT, "cluster_members", "state=\"left\"", GAUGE, \
      "Members of the cluster as this node sees them, itself included.") \
    X(CLUSTER_HEALTH, "cluster_local_health", "", GAUGE, \
      "How slow this node believes itself to be; 0: not at all.") \
    X(CLUSTER_MEMORY_BYTES, "cluster_memory_bytes", "", GAUGE, \
      "Memory of what is known of other members.") \
    X(CLUSTER_PROBES, "cluster_probes", "", COUNTER, \
      "Members that were asked for a sign of life.") \
    X(CLUSTER_PROBES_FAILED, "cluster_probes_failed", "", COUNTER, "Of these, those without one.") \
    X(CLUSTER_SUSPICIONS, "cluster_suspicions", "", COUNTER, \
      "Members that were alive and came under suspicion, this node's and others'.") \
    X(CLUSTER_SUSPICIONS_RAISED, "cluster_suspicions_raised", "", COUNTER, \
      "Of these, those that this node raised.") \
    X(CLUSTER_FALSE_ALARMS, "cluster_false_alarms", "", COUNTER, \
      "Members that refuted being suspect or unreachable.") \
    X(CLUSTER_COMEBACKS, "cluster_comebacks", "", COUNTER, "Members that refuted being dead.") \
    X(CLUSTER_REFUTATIONS, "cluster_refutations", "", COUNTER, \
      "What this node refuted of what was said of it.") \
    X(CLUSTER_DEATHS, "cluster_deaths", "", COUNTER, "Members that were declared dead.") \
    X(CLUSTER_PAUSES, "cluster_pauses", "", COUNTER, \
      "How often this node was not run for longer than a probe takes.") \
    X(PLACEMENT_VERSION, "cluster_placement_version", "", GAUGE, \
      "Maps of the slots that this node has made.") \
    X(PLACEMENT_SLOTS, "cluster_placement_slots", "", GAUGE, "Slots that have their home here.") \
    X(PLACEMENT_SLOTS_MOVED, "cluster_placement_slots_moved", "", COUNTER, \
      "Slots that have moved from one node to another.") \
    X(GOSSIP_DATAGRAMS_IN, "gossip_datagrams", "direction=\"in\"", COUNTER, \
      "Datagrams of the gossip.") \
    X(GOSSIP_DATAGRAMS_OUT, "gossip_datagrams", "direction=\"out\"", COUNTER, \
      "Datagrams of the gossip.") \
    X(GOSSIP_BYTES_IN, "gossip_bytes", "direction=\"in\"", COUNTER, \
      "Bytes of these datagrams, without the headers of UDP and IP.") \
    X(GOSSIP_BYTES_OUT, "gossip_bytes", "direction=\"out\"", COUNTER, \
      "Bytes of these datagrams, without the headers of UDP and IP.") \
    X(GOSSIP_UNSENT, "gossip_unsent", "", COUNTER, "Datagrams that the socket did not take.") \
    X(GOSSIP_STATE_BYTES_IN, "gossip_state_bytes", "direction=\"in\"", COUNTER, \
      "Bytes of states exchanged over links.") \
    X(GOSSIP_STATE_BYTES_OUT, "gossip_state_bytes", "direction=\"out\"", COUNTER, \
      "Bytes of states exchanged over links.") \
    X(GOSSIP_REFUSED_SIZE, "gossip_refused", "reason=\"size\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_FORM, "gossip_refused", "reason=\"form\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_CLEAR, "gossip_refused", "reason=\"clear\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_SEALED, "gossip_refused", "reason=\"sealed\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_UNKNOWN_KEY, "gossip_refused", "reason=\"unknown_key\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_NOT_AUTHENTIC, "gossip_refused", "reason=\"not_authentic\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_TIME, "gossip_refused", "reason=\"time\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_REPLAY, "gossip_refused", "reason=\"replay\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_VERSION, "gossip_refused", "reason=\"version\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_CLUSTER, "gossip_refused", "reason=\"cluster\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_REFUSED_MALFORMED, "gossip_refused", "reason=\"malformed\"", COUNTER, \
      "Datagrams and states that were refused.") \
    X(GOSSIP_MEMBERS_REFUSED, "gossip_members_refused", "", COUNTER, \
      "Members in datagrams and states that were malformed, or beyond the limit.") \
    X(LINKS_UP, "link_up", "", GAUGE, "Links to other nodes that are up.") \
    X(LINKS_KEPT, "link_wanted", "", GAUGE, "Nodes that there should be a link to.") \
    X(LINKS_STRANGERS, "link_handshakes", "", GAUGE, \
      "Connections of which it is not known yet whose they are.") \
    X(LINKS_QUEUE_BYTES, "link_queue_bytes", "", GAUGE, "Bytes that wait in all links' queues.") \
    X(LINKS_QUEUE_BYTES_MAX, "link_queue_bytes_longest", "", GAUGE, \
      "Bytes that wait in the longest queue.") \
    X(LINKS_ROUND_TRIP_US, "link_round_trip_microseconds", "", GAUGE, \
      "Of the slowest link, by its last heartbeat.") \
    X(LINKS_FRAMES_IN, "link_frames", "direction=\"in\"", COUNTER, "Frames of links.") \
    X(LINKS_FRAMES_OUT, "link_frames", "direction=\"out\"", COUNTER, "Frames of links.") \
    X(LINKS_BYTES_IN, "link_bytes", "direction=\"in\"", COUNTER, \
      "Bytes of links, without what TLS adds.") \
    X(LINKS_BYTES_OUT, "link_bytes", "direction=\"out\"", COUNTER, \
      "Bytes of links, without what TLS adds.") \
    X(LINKS_MESSAGES_IN, "link_messages", "direction=\"in\"", COUNTER, "Messages over links.") \
    X(LINKS_MESSAGES_OUT, "link_messages", "direction=\"out\"", COUNTER, "Messages over links.") \
    X(LINKS_UPS, "link_ups", "", COUNTER, "Links that came up.") \
    X(LINKS_RECONNECTS, "link_reconnects", "", COUNTER, \
      "Of these, links to a node that had one before.") \
    X(LINKS_DIALS_FAILED, "link_dials_failed", "", COUNTER, \
      "Connections to other nodes that were not made.") \
    X(LINKS_DOWN_SILENT, "link_downs", "reason=\"silent\"", COUNTER, "Links that ended.") \
    X(LINKS_DOWN_FULL, "link_downs", "reason=\"full\"", COUNTER, "Links that ended.") \
    X(LINKS_DOWN_OTHER, "link_downs", "reason=\"other\"", COUNTER, "Links that ended.") \
    X(LINKS_REQUESTS_REFUSED, "link_requests_refused", "", COUNTER, \
      "Requests to other nodes that found the queue full.") \
    X(LINKS_REFUSED_TLS, "link_refused", "reason=\"tls\"", COUNTER, \
      "Connections of others that were ended before they were links.") \
    X(LINKS_REFUSED_CLUSTER, "link_refused", "reason=\"cluster\"", COUNTER, \
      "Connections of others that were ended before they were links.") \
    X(LINKS_REFUSED_VERSION, "link_refused", "reason=\"version\"", COUNTER, \
      "Connections of others that were ended before they were links.") \
    X(LINKS_REFUSED_BUSY, "link_refused", "reason=\"busy\"", COUNTER, \
      "Connections of others that were ended before they were links.") \
    X(LINKS_REFUSED_KEY, "link_refused", "reason=\"key\"", COUNTER, \
      "Connections of others that were ended before they were links.") \
    X(LINKS_REFUSED_LATE, "link_refused", "reason=\"late\"", COUNTER, \
      "Connections of others that were ended before they were links.") \
    X(LINKS_REFUSED_OTHER, "link_refused", "reason=\"other\"", COUNTER, \
      "Connections of others that were ended before they were links.") \
    X(LINKS_BAD_SIZE, "link_bad_frames", "reason=\"size\"", COUNTER, \
      "Frames that were not understood; each ends its connection.") \
    X(LINKS_BAD_OTHER, "link_bad_frames", "reason=\"malformed\"", COUNTER, \
      "Frames that were not understood; each ends its connection.") \
    X(LINK_MESSAGES_REFUSED, "link_messages_refused", "", COUNTER, \
      "Messages of other nodes that were not understood.") \
    X(TURNS, "shard_turns", "", COUNTER, "Turns of the loop.") \
    X(BUSY_NS, "shard_busy_nanoseconds", "", COUNTER, "Time the shard was not waiting.")

enum counter {
#define COUNTER_ID(id, name, labels, kind, help) COUNTER_##id,
    COUNTER_TABLE(COUNTER_ID)
#undef COUNTER_ID
        COUNTER_ROWS_LEN,
    COUNTER_ROWS_LAST = COUNTER_ROWS_LEN - 1,
/* And behind the rows those of families.h: the first of each, with the values 0 of its labels. */
#define COUNTER_FAMILY_ID(id, name, first, second, fixed, kind, help) \
    COUNTER_##id, \
        COUNTER_##id##_LAST = COUNTER_##id + LABEL_##first##_LEN * LABEL_##second##_LEN - 1,
    FAMILY_TABLE(COUNTER_FAMILY_ID)
#undef COUNTER_FAMILY_ID
        COUNTERS_LEN
};

/* One counter of a family, by the values of its labels. */
#define COUNTER_OF(family, first, second) \
    ((enum counter)((uint32_t)COUNTER_##family + (uint32_t)(first) * (uint32_t)STRIDE_##family + \
                    (uint32_t)(second)))

enum counter_kind { COUNTER_KIND_COUNTER, COUNTER_KIND_GAUGE };

struct counter_description {
    const char *name;
    const char *labels;
    enum counter_kind kind;
    const char *help;
};

extern const struct counter_description counter_descriptions[COUNTER_ROWS_LEN];

/* The counter of a code. A code that is none of ours counts as: a custom disconnect, unsubscribe
 * 2000. */
enum counter counter_of_disconnect(uint32_t code);
enum counter counter_of_unsubscribe(uint32_t code);

#endif
