/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes a push into scratch first, so that the common small one is encoded once and copied. */
#include "shards/channel/push_frame.h"

#include "codec/client_json.h"
#include "codec/websocket.h"

enum { PUSH_SCRATCH_SIZE = 2048 };

struct buf *push_frame_make(const struct client_push *push, uint32_t *payload_at)
{
    uint8_t scratch[PUSH_SCRATCH_SIZE];
    const struct client_reply reply = {.kind = CLIENT_REPLY_PUSH, .push = *push};
    struct writer writer = writer_of(scratch, sizeof(scratch));
    client_json_encode_reply(&writer, &reply);

    const size_t len = writer_written_len(&writer) + writer.overflow;
    if (len > UINT32_MAX - WEBSOCKET_HEADER_LEN_MAX) {
        return NULL;
    }
    uint8_t header[WEBSOCKET_HEADER_LEN_MAX];
    const size_t header_len =
        websocket_encode_header(header, WEBSOCKET_FIN | WEBSOCKET_TEXT, len, NULL);
    struct buf *buf = buf_create((uint32_t)(header_len + len));
    if (buf == NULL) {
        return NULL;
    }
    memcpy(buf->bytes, header, header_len);
    uint8_t *payload = buf->bytes + header_len;
    if (writer_is_overflown(&writer)) {
        writer = writer_of(payload, len);
        client_json_encode_reply(&writer, &reply);
    } else {
        memcpy(payload, scratch, len);
    }
    *payload_at = (uint32_t)header_len;
    return buf;
}
