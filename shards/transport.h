/* SPDX-License-Identifier: Apache-2.0 */
/* The transports of clients, as options, sessions and metrics name them. */
#ifndef ROOST_SHARDS_TRANSPORT_H
#define ROOST_SHARDS_TRANSPORT_H

/* X(id, name): the name is Centrifugo's. */
#define TRANSPORT_TABLE(X) \
    X(WEBSOCKET, "websocket") \
    X(HTTP_STREAM, "http_stream") \
    X(SSE, "sse") \
    X(UNI_WEBSOCKET, "uni_websocket") \
    X(UNI_HTTP_STREAM, "uni_http_stream") \
    X(UNI_SSE, "uni_sse")

enum transport {
#define TRANSPORT_ID(id, name) TRANSPORT_##id,
    TRANSPORT_TABLE(TRANSPORT_ID)
#undef TRANSPORT_ID
        TRANSPORTS
};

#endif
