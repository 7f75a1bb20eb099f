/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses between the client protocol in JSON and in Protobuf. */
#include "codec/client_protocol.h"

#include "codec/client_json.h"
#include "codec/client_protobuf.h"

bool client_protocol_next_message(enum client_protocol protocol, struct span *rest,
                                  struct span *message)
{
    if (protocol == CLIENT_PROTOBUF) {
        struct client_protobuf_frame frame;
        client_protobuf_frame_begin(&frame, *rest, rest->len);
        if (client_protobuf_frame_next(&frame, message) != PROTOBUF_OK) {
            return false;
        }
        *rest = frame.rest;
        return true;
    }
    struct client_json_lines lines;
    client_json_lines_begin(&lines, *rest);
    if (client_json_lines_next(&lines, message) != JSON_OK) {
        return false;
    }
    *rest = lines.rest;
    return true;
}

size_t client_protocol_scratch_len(enum client_protocol protocol, size_t message_len)
{
    return protocol == CLIENT_PROTOBUF ? message_len * CLIENT_PROTOBUF_SCRATCH_FACTOR : message_len;
}

bool client_protocol_decode_command(enum client_protocol protocol, struct span message,
                                    struct scratch *scratch, struct client_command *out)
{
    return protocol == CLIENT_PROTOBUF
               ? client_protobuf_decode_command(message, scratch, out) == PROTOBUF_OK
               : client_json_decode_command(message, scratch, out) == JSON_OK;
}

bool client_protocol_decode_emulation(enum client_protocol protocol, struct span body,
                                      struct scratch *scratch, struct client_emulation_request *out)
{
    return protocol == CLIENT_PROTOBUF
               ? client_protobuf_decode_emulation(body, out) == PROTOBUF_OK
               : client_json_decode_emulation(body, scratch, out) == JSON_OK;
}

void client_protocol_encode_reply(enum client_protocol protocol, struct writer *out,
                                  const struct client_reply *reply)
{
    if (protocol == CLIENT_PROTOBUF) {
        client_protobuf_encode_reply(out, reply);
    } else {
        client_json_encode_reply(out, reply);
    }
}

struct span client_protocol_ping(enum client_protocol protocol)
{
    return protocol == CLIENT_PROTOBUF ? SPAN_LITERAL(CLIENT_PROTOBUF_PING)
                                       : SPAN_LITERAL(CLIENT_JSON_PING);
}
