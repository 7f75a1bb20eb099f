/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of transports, below the protocol. Rows as counters.h has them. */
#ifndef ROOST_SHARDS_COUNTERS_TRANSPORT_H
#define ROOST_SHARDS_COUNTERS_TRANSPORT_H

/* Rows of one name. */
#define ROW_EMULATION(X, id, value) \
    X(EMULATION_##id, "emulation_requests_count", "result=\"" value "\"", COUNTER, \
      "Requests that brought commands for the client of an HTTP stream.")
#define ROW_REFUSED(X, id, value) \
    X(REFUSED_##id, "transport_refused_count", "reason=\"" value "\"", COUNTER, \
      "Peers that were turned away before or below the protocol.")

/* X(id, name, labels, kind, help) */
#define COUNTERS_OF_TRANSPORT(X) \
    X(RECEIVE_PINNED_BYTES, "transport_receive_pinned_bytes", "", GAUGE, \
      "Bytes of unfinished input held for peers.") \
    X(RECEIVE_PINNED_UNAUTHENTICATED_BYTES, "transport_receive_pinned_unauthenticated_bytes", "", \
      GAUGE, "Of these, for peers that have not connected yet.") \
    X(RECEIVE_PINNED_FALLBACK_BYTES, "transport_receive_pinned_fallback_bytes", "", GAUGE, \
      "Of these, for HTTP streams, those who ask for one, and their commands.") \
    X(FALLBACK_BYTES, "transport_fallback_bytes", "", GAUGE, \
      "What HTTP streams take of fallback.memory_limit.") \
    ROW_EMULATION(X, DELIVERED, "delivered") \
    ROW_EMULATION(X, NO_SESSION, "no_session") \
    ROW_EMULATION(X, NO_NODE, "no_node") \
    ROW_EMULATION(X, REFUSED, "refused") \
    X(BYTES_SENT, "transport_bytes_sent", "", COUNTER, "Bytes that sockets took.") \
    X(BYTES_RECEIVED, "transport_bytes_received", "", COUNTER, "Bytes read from sockets.") \
    ROW_REFUSED(X, HEAD_TIMEOUT, "head_timeout") \
    ROW_REFUSED(X, HEAD_INVALID, "head_invalid") \
    ROW_REFUSED(X, BODY_INVALID, "body_invalid") \
    ROW_REFUSED(X, BODY_TIMEOUT, "body_timeout") \
    ROW_REFUSED(X, UPGRADE_INVALID, "upgrade_invalid") \
    ROW_REFUSED(X, ORIGIN, "origin") \
    ROW_REFUSED(X, CONNECTION_LIMIT, "connection_limit") \
    ROW_REFUSED(X, CONNECTION_RATE, "connection_rate") \
    ROW_REFUSED(X, DESCRIPTORS, "descriptors") \
    ROW_REFUSED(X, MEMORY, "memory") \
    ROW_REFUSED(X, PINNED, "pinned_bytes") \
    ROW_REFUSED(X, FALLBACK_MEMORY, "fallback_memory") \
    ROW_REFUSED(X, ASSEMBLY_TIMEOUT, "assembly_timeout") \
    ROW_REFUSED(X, NOT_FOUND, "not_found") \
    ROW_REFUSED(X, API_KEY, "api_key") \
    ROW_REFUSED(X, SHUTTING_DOWN, "shutting_down")

#endif
