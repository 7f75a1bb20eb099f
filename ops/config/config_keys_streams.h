/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the transports that stream over HTTP, for the table of config_keys.c, whose macros they
 * use. */
#ifndef ROOST_OPS_CONFIG_CONFIG_KEYS_STREAMS_H
#define ROOST_OPS_CONFIG_CONFIG_KEYS_STREAMS_H

#define STREAM_KEYS(path_, transport, prefix, what) \
    BOOL(path_ ".enabled", NODE(transports[transport].enabled), "false", "Serve " what "."), \
        STRING(path_ ".handler_prefix", NODE(transports[transport].handler_prefix), \
               PATH_BYTES_MAX, prefix, "Path of its endpoint."), \
        SIZE(path_ ".max_request_body_size", NODE(transports[transport].request_size_limit), 128, \
             SIZE_BYTES_MAX, "65536", "Bytes of the body of a request that connects.")

#define CONNECT_RESPONSE_KEYS(path_, transport, field) \
    BOOL(path_ ".connect_code_to_http_response.enabled", \
         NODE(transports[transport].has_connect_responses), "false", \
         "Answer when it is known what comes of connect, and by HTTP where nothing does."), \
    { \
        .path = path_ ".connect_code_to_http_response.transforms", .type = CONFIG_TREE, AT(field), \
        .initial = "", \
        .help = "Errors and disconnects of connect (`code`) that are answered with " \
                "`to.status_code` and `to.body`; others with 500." \
    }

/* Those that the unidirectional WebSocket has for compression. */
#define UNI_COMPRESSION_KEYS(transport) \
    BOOL("uni_websocket.compression", NODE(transports[transport].compression), "false", \
         "Agree to permessage-deflate."), \
        SIZE("uni_websocket.compression_min_size", \
             NODE(transports[transport].compression_min_size), 0, SIZE_BYTES_MAX, "0", \
             "Bytes from which on a message is compressed."), \
        SIZE("uni_websocket.decompressed_message_size_limit", \
             NODE(transports[transport].inflated_size_limit), 0, SIZE_BYTES_MAX, "0", \
             "Bytes of the message that connects after decompression; 0: ten times " \
             "message_size_limit.")

#endif
