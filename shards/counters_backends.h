/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of backends: requests to them, and webhooks. Rows as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_BACKENDS_H
#define ROOST_SHARDS_COUNTERS_BACKENDS_H

/* Rows of one name. */
#define ROW_WEBHOOK(X, id, value) \
    X(WEBHOOK_##id, "webhook_events_total", "type=\"" value "\"", COUNTER, \
      "Events that are told to backends.")
#define ROW_BACKEND(X, id, value) \
    X(BACKEND_##id, "endpoint_requests_total", "outcome=\"" value "\"", COUNTER, \
      "Requests to backends.")

/* X(id, name, labels, kind, help); events stand in the order of enum webhook_event_type. */
#define COUNTERS_OF_BACKENDS(X) \
    X(BACKEND_CONNECTIONS, "endpoint_connections", "", GAUGE, "Connections to backends.") \
    X(BACKEND_REQUESTS_INFLIGHT, "endpoint_requests_inflight", "", GAUGE, \
      "Requests to backends that wait or are under way.") \
    ROW_BACKEND(X, ANSWERED, "answered") \
    ROW_BACKEND(X, TIMED_OUT, "timed_out") \
    ROW_BACKEND(X, UNREACHABLE, "unreachable") \
    ROW_BACKEND(X, BROKEN, "broken") \
    ROW_BACKEND(X, REFUSED, "refused") \
    ROW_WEBHOOK(X, OCCUPIED, "occupied") \
    ROW_WEBHOOK(X, VACATED, "vacated") \
    ROW_WEBHOOK(X, CONNECTED, "connected") \
    ROW_WEBHOOK(X, DISCONNECTED, "disconnected") \
    ROW_WEBHOOK(X, NODE_STARTED, "started") \
    ROW_WEBHOOK(X, NODE_GONE, "gone") \
    ROW_WEBHOOK(X, NODE_BACK, "back") \
    X(WEBHOOK_TAKEN, "webhook_batches_total", "outcome=\"taken\"", COUNTER, \
      "Batches of events, each time that one was sent.") \
    X(WEBHOOK_FAILED, "webhook_batches_total", "outcome=\"failed\"", COUNTER, \
      "Batches of events, each time that one was sent.") \
    X(WEBHOOK_LOST, "webhook_events_lost_total", "", COUNTER, \
      "Events that nobody will be told of; that there were so many, they are.") \
    X(WEBHOOK_QUEUE_EVENTS, "webhook_queue_events", "", GAUGE, "Events that are not taken yet.") \
    X(WEBHOOK_QUEUE_BYTES, "webhook_queue_bytes", "", GAUGE, "What they take.")

#endif
