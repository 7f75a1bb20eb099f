/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the table of counters that is about shared polls: rows as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_SHARED_POLL_H
#define ROOST_SHARDS_COUNTERS_SHARED_POLL_H

/* X(id, name, labels, kind, help) */
#define COUNTER_TABLE_SHARED_POLL(X) \
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
