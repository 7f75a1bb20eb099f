/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the table of counters that is about backends: rows as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_BACKENDS_H
#define ROOST_SHARDS_COUNTERS_BACKENDS_H

/* X(id, name, labels, kind, help); kinds of proxies stand in the order of enum proxy_kind. */
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
    X(PROXY_INFLIGHT_CONNECT, "proxy_inflight_requests", "protocol=\"http\",type=\"connect\"", \
      GAUGE, "Requests of proxies that are not answered yet.") \
    X(PROXY_INFLIGHT_REFRESH, "proxy_inflight_requests", "protocol=\"http\",type=\"refresh\"", \
      GAUGE, "Requests of proxies that are not answered yet.") \
    X(PROXY_INFLIGHT_SUBSCRIBE, "proxy_inflight_requests", "protocol=\"http\",type=\"subscribe\"", \
      GAUGE, "Requests of proxies that are not answered yet.") \
    X(PROXY_INFLIGHT_PUBLISH, "proxy_inflight_requests", "protocol=\"http\",type=\"publish\"", \
      GAUGE, "Requests of proxies that are not answered yet.") \
    X(PROXY_INFLIGHT_RPC, "proxy_inflight_requests", "protocol=\"http\",type=\"rpc\"", GAUGE, \
      "Requests of proxies that are not answered yet.") \
    X(PROXY_INFLIGHT_SUB_REFRESH, "proxy_inflight_requests", \
      "protocol=\"http\",type=\"sub_refresh\"", GAUGE, \
      "Requests of proxies that are not answered yet.") \
    X(PROXY_INFLIGHT_MAP_PUBLISH, "proxy_inflight_requests", \
      "protocol=\"http\",type=\"map_publish\"", GAUGE, \
      "Requests of proxies that are not answered yet.") \
    X(PROXY_INFLIGHT_MAP_REMOVE, "proxy_inflight_requests", \
      "protocol=\"http\",type=\"map_remove\"", GAUGE, \
      "Requests of proxies that are not answered yet.") \
    X(PROXY_ERROR_CONNECT, "proxy_errors", "protocol=\"http\",type=\"connect\"", COUNTER, \
      "Requests of proxies that were not decided.") \
    X(PROXY_ERROR_REFRESH, "proxy_errors", "protocol=\"http\",type=\"refresh\"", COUNTER, \
      "Requests of proxies that were not decided.") \
    X(PROXY_ERROR_SUBSCRIBE, "proxy_errors", "protocol=\"http\",type=\"subscribe\"", COUNTER, \
      "Requests of proxies that were not decided.") \
    X(PROXY_ERROR_PUBLISH, "proxy_errors", "protocol=\"http\",type=\"publish\"", COUNTER, \
      "Requests of proxies that were not decided.") \
    X(PROXY_ERROR_RPC, "proxy_errors", "protocol=\"http\",type=\"rpc\"", COUNTER, \
      "Requests of proxies that were not decided.") \
    X(PROXY_ERROR_SUB_REFRESH, "proxy_errors", "protocol=\"http\",type=\"sub_refresh\"", COUNTER, \
      "Requests of proxies that were not decided.") \
    X(PROXY_ERROR_MAP_PUBLISH, "proxy_errors", "protocol=\"http\",type=\"map_publish\"", COUNTER, \
      "Requests of proxies that were not decided.") \
    X(PROXY_ERROR_MAP_REMOVE, "proxy_errors", "protocol=\"http\",type=\"map_remove\"", COUNTER, \
      "Requests of proxies that were not decided.")

#endif
