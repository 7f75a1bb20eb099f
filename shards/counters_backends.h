/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the table of counters that is about backends: rows as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_BACKENDS_H
#define ROOST_SHARDS_COUNTERS_BACKENDS_H

/* X(id, name, labels, kind, help). */
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
      "Requests to backends.")

#endif
