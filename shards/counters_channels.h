/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of channels with what they keep: histories, maps, wildcards, shared polls, and what they
 * tell shards. Rows as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_CHANNELS_H
#define ROOST_SHARDS_COUNTERS_CHANNELS_H

/* Rows of one name. */
#define ROW_MAP_REFUSED(X, id, value) \
    X(MAP_REFUSED_##id, "map_publish_refused_total", "reason=\"" value "\"", COUNTER, \
      "Publications into maps for which there was no room.")
#define ROW_MAP_SUPPRESSED(X, id, value) \
    X(MAP_SUPPRESSED_##id, "map_broker_publish_suppressed_count", \
      "reason=\"" value "\"," WITH_NAMESPACE, COUNTER, \
      "Publications into maps that changed nothing.")
#define ROW_SENT(X, id, value) \
    X(SENT_##id, "node_messages_sent_count", "type=\"" value "\"," WITH_NAMESPACE, COUNTER, \
      "Messages sent to subscribers' shards.")
#define ROW_RECEIVED(X, id, value) \
    X(RECEIVED_##id, "node_messages_received_count", "type=\"" value "\"," WITH_NAMESPACE, \
      COUNTER, "Messages received for subscribers of a shard.")

/* X(id, name, labels, kind, help) */
#define COUNTERS_OF_CHANNELS(X) \
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
    ROW_MAP_REFUSED(X, KEYS, "keys") \
    ROW_MAP_REFUSED(X, SIZE, "size") \
    ROW_MAP_REFUSED(X, MEMORY, "memory") \
    ROW_MAP_SUPPRESSED(X, IDEMPOTENCY, "idempotency") \
    ROW_MAP_SUPPRESSED(X, VERSION, "version") \
    ROW_MAP_SUPPRESSED(X, KEY_EXISTS, "key_exists") \
    ROW_MAP_SUPPRESSED(X, KEY_NOT_FOUND, "key_not_found") \
    X(MAP_REMOVE_SUPPRESSED_IDEMPOTENCY, "map_broker_remove_suppressed_count", \
      "reason=\"idempotency\"," WITH_NAMESPACE, COUNTER, "Removals of keys that changed nothing.") \
    X(MAP_REMOVE_SUPPRESSED_KEY_NOT_FOUND, "map_broker_remove_suppressed_count", \
      "reason=\"key_not_found\"," WITH_NAMESPACE, COUNTER, \
      "Removals of keys that changed nothing.") \
    ROW_SENT(X, PUBLICATION, "publication") \
    ROW_SENT(X, JOIN, "join") \
    ROW_SENT(X, MAP_PUBLICATION, "map_publication") \
    ROW_SENT(X, MAP_REMOVAL, "map_removal") \
    ROW_SENT(X, LEAVE, "leave") \
    ROW_SENT(X, CONTROL, "control") \
    ROW_RECEIVED(X, PUBLICATION, "publication") \
    ROW_RECEIVED(X, JOIN, "join") \
    ROW_RECEIVED(X, LEAVE, "leave") \
    ROW_RECEIVED(X, CONTROL, "control") \
    X(CHANNELS_REFUSED, "node_channels_refused", "", COUNTER, \
      "Channels refused because the home had too many.") \
    X(WILDCARD_TARGETS, "wildcard_channels_passed_on_to", "", GAUGE, \
      "Wildcard channels that something is on its way to.") \
    X(WILDCARD_PASSED_ON, "wildcard_publications_passed_on", "", COUNTER, \
      "Publications sent to a wildcard channel, one for each.") \
    X(WILDCARD_UNHEARD, "wildcard_publications_unheard", "", COUNTER, \
      "Publications not sent to a wildcard channel since nobody is subscribed, one for each.") \
    X(WILDCARD_LOST, "wildcard_publications_lost", "", COUNTER, \
      "Publications that could not be passed on to one: its subscribers are told.") \
    X(WILDCARD_TOLD, "wildcard_channels_begun_anew", "", COUNTER, \
      "Wildcard channels whose subscribers were told that they may have missed something.") \
    X(SHARED_POLL_CHANNELS, "shared_poll_num_channels", "", GAUGE, "Channels that are polled.") \
    X(SHARED_POLL_KEYS, "shared_poll_num_keys", "", GAUGE, "Keys that are polled.") \
    X(SHARED_POLL_TRACKED, "shared_poll_num_tracked", "", GAUGE, \
      "Keys that clients track, each for itself.") \
    X(SHARED_POLL_KEPT_BYTES, "shared_poll_kept_bytes", "", GAUGE, \
      "What is kept of what backends said.") \
    X(SHARED_POLL_NOT_KEPT, "shared_poll_not_kept_count", "", COUNTER, \
      "What was told, but not kept since too much is.") \
    X(SHARED_POLL_EXPIRED, "shared_poll_expired_count", "", COUNTER, \
      "Tracked keys whose signature was not refreshed.") \
    X(SHARED_POLL_REFUSED, "shared_poll_refused_count", "", COUNTER, \
      "Keys that were not tracked since the clients of a shard track too many.") \
    X(SHARED_POLL_NOTIFIED, "shared_poll_notify_count", "", COUNTER, \
      "Keys that were to be asked for at once.") \
    X(SHARED_POLL_PUBLISH_APPLIED, "shared_poll_publish_count", "result=\"applied\"", COUNTER, \
      "What the server API said of keys.") \
    X(SHARED_POLL_PUBLISH_SKIPPED, "shared_poll_publish_count", "result=\"skipped\"", COUNTER, \
      "What the server API said of keys.")

#endif
