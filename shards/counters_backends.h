/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the table of counters that is about backends: rows as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_BACKENDS_H
#define ROOST_SHARDS_COUNTERS_BACKENDS_H

#define HELP_WEBHOOK_EVENTS "Events that are told to backends."

/* X(id, name, labels, kind, help); events stand in the order of enum webhook_event_type. */
#define COUNTER_TABLE_BACKENDS(X) \
    X(BACKEND_CONNECTIONS, "endpoint_connections", "", GAUGE, "Connections to backends.") \
    X(BACKEND_REQUESTS_INFLIGHT, "endpoint_requests_inflight", "", GAUGE, \
      "Requests to backends that wait or are under way.") \
    X(BACKEND_ANSWERED, "endpoint_requests_total", "outcome=\"answered\"", COUNTER, \
      "Requests to backends.") \
    X(BACKEND_TIMED_OUT, "endpoint_requests_total", "outcome=\"timed_out\"", COUNTER, \
      "Requests to backends.") \
    X(BACKEND_UNREACHABLE, "endpoint_requests_total", "outcome=\"unreachable\"", COUNTER, \
      "Requests to backends.") \
    X(BACKEND_BROKEN, "endpoint_requests_total", "outcome=\"broken\"", COUNTER, \
      "Requests to backends.") \
    X(BACKEND_REFUSED, "endpoint_requests_total", "outcome=\"refused\"", COUNTER, \
      "Requests to backends.") \
    X(WEBHOOK_OCCUPIED, "webhook_events_total", "type=\"occupied\"", COUNTER, HELP_WEBHOOK_EVENTS) \
    X(WEBHOOK_VACATED, "webhook_events_total", "type=\"vacated\"", COUNTER, HELP_WEBHOOK_EVENTS) \
    X(WEBHOOK_CONNECTED, "webhook_events_total", "type=\"connected\"", COUNTER, \
      HELP_WEBHOOK_EVENTS) \
    X(WEBHOOK_DISCONNECTED, "webhook_events_total", "type=\"disconnected\"", COUNTER, \
      HELP_WEBHOOK_EVENTS) \
    X(WEBHOOK_NODE_STARTED, "webhook_events_total", "type=\"started\"", COUNTER, \
      HELP_WEBHOOK_EVENTS) \
    X(WEBHOOK_NODE_GONE, "webhook_events_total", "type=\"gone\"", COUNTER, HELP_WEBHOOK_EVENTS) \
    X(WEBHOOK_NODE_BACK, "webhook_events_total", "type=\"back\"", COUNTER, HELP_WEBHOOK_EVENTS) \
    X(WEBHOOK_TAKEN, "webhook_batches_total", "outcome=\"taken\"", COUNTER, \
      "Batches of events, each time that one was sent.") \
    X(WEBHOOK_FAILED, "webhook_batches_total", "outcome=\"failed\"", COUNTER, \
      "Batches of events, each time that one was sent.") \
    X(WEBHOOK_LOST, "webhook_events_lost_total", "", COUNTER, \
      "Events that nobody will be told of; that there were so many, they are.") \
    X(WEBHOOK_QUEUE_EVENTS, "webhook_queue_events", "", GAUGE, "Events that are not taken yet.") \
    X(WEBHOOK_QUEUE_BYTES, "webhook_queue_bytes", "", GAUGE, "What they take.")

#endif
