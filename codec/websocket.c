/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames: the decoder, control frames, the handshake's key. */
#include "codec/websocket.h"

#include "codec/base64.h"
#include "codec/websocket_mask.h"

#include <openssl/sha.h>

/* Bits of websocket_decoder.stage; none is set between two messages. */
enum websocket_stage {
    WEBSOCKET_STAGE_PAYLOAD = 1, /* the header of a data frame is taken, not all of its payload */
    WEBSOCKET_STAGE_FINAL = 2,   /* that frame ends its message */
    WEBSOCKET_STAGE_UNTOLD = 4,  /* no piece of the open message was handed out so far */
    WEBSOCKET_STAGE_CLOSED = 8,  /* the peer's close frame was seen */
};

enum {
    WEBSOCKET_RESERVED_BITS = 0x30, /* RSV2 and RSV3: no extension that we know uses them */
    WEBSOCKET_MASK_BIT = 0x80,
};

/*
 * A frame's header. `header_len` counts the mask; whether all of it is there is another question.
 */
struct websocket_frame {
    uint64_t len;
    size_t header_len;
    uint8_t opcode;
    bool is_final;
    bool is_compressed;
};

void websocket_decoder_init(struct websocket_decoder *decoder, uint32_t message_len_max,
                            unsigned flags)
{
    *decoder =
        (struct websocket_decoder){.message_len_max = message_len_max, .flags = (uint8_t)flags};
}

static enum websocket_result websocket_fail(struct websocket_decoder *decoder,
                                            enum websocket_error error, struct websocket_event *out)
{
    decoder->error = (uint8_t)error;
    *out = (struct websocket_event){.error = (uint8_t)error,
                                    .close_code = websocket_error_close_code(error)};
    return WEBSOCKET_ERROR;
}

static bool websocket_is_control(uint8_t opcode)
{
    return (opcode & 0x8) != 0;
}

/* What the first byte alone says: bits, opcode, and whether such a frame may come now. */
static enum websocket_error websocket_check_first(const struct websocket_decoder *decoder,
                                                  const struct websocket_frame *frame,
                                                  uint8_t first)
{
    if ((first & WEBSOCKET_RESERVED_BITS) != 0 ||
        (frame->is_compressed && (decoder->flags & WEBSOCKET_DEFLATE) == 0)) {
        return WEBSOCKET_ERROR_RESERVED_BITS;
    }
    if (frame->opcode > WEBSOCKET_OPCODE_PONG ||
        (frame->opcode > WEBSOCKET_BINARY && frame->opcode < WEBSOCKET_OPCODE_CLOSE)) {
        return WEBSOCKET_ERROR_RESERVED_OPCODE;
    }
    if (websocket_is_control(frame->opcode)) {
        return !frame->is_final       ? WEBSOCKET_ERROR_FRAGMENTED_CONTROL
               : frame->is_compressed ? WEBSOCKET_ERROR_COMPRESSED_CONTROL
                                      : WEBSOCKET_ERROR_NONE;
    }
    if (frame->opcode != WEBSOCKET_CONTINUATION) {
        return decoder->message != 0 ? WEBSOCKET_ERROR_EXPECTED_CONTINUATION : WEBSOCKET_ERROR_NONE;
    }
    if (decoder->message == 0) {
        return WEBSOCKET_ERROR_UNEXPECTED_CONTINUATION;
    }
    return frame->is_compressed ? WEBSOCKET_ERROR_COMPRESSED_CONTINUATION : WEBSOCKET_ERROR_NONE;
}

static enum websocket_error websocket_check_second(const struct websocket_decoder *decoder,
                                                   const struct websocket_frame *frame,
                                                   uint8_t second)
{
    bool is_masked = (second & WEBSOCKET_MASK_BIT) != 0;
    if (is_masked && (decoder->flags & WEBSOCKET_FROM_SERVER) != 0) {
        return WEBSOCKET_ERROR_MASKED;
    }
    if (!is_masked && (decoder->flags & WEBSOCKET_FROM_SERVER) == 0) {
        return WEBSOCKET_ERROR_UNMASKED;
    }
    if (websocket_is_control(frame->opcode) && (second & 0x7f) > WEBSOCKET_CONTROL_PAYLOAD_MAX) {
        return WEBSOCKET_ERROR_CONTROL_TOO_LONG;
    }
    return WEBSOCKET_ERROR_NONE;
}

/* The length must fit what is left to the message before a byte of it is taken. */
static enum websocket_error websocket_check_len(const struct websocket_decoder *decoder,
                                                const struct websocket_frame *frame,
                                                size_t len_bytes)
{
    if (frame->len >> 63 != 0) {
        return WEBSOCKET_ERROR_LENGTH_SIGN;
    }
    if ((len_bytes == 2 && frame->len <= 125) || (len_bytes == 8 && frame->len <= 0xffff)) {
        return WEBSOCKET_ERROR_LENGTH_NOT_MINIMAL;
    }
    uint32_t left = decoder->message == 0 ? decoder->message_len_max : decoder->message_left;
    if (!websocket_is_control(frame->opcode) && frame->len > left) {
        return WEBSOCKET_ERROR_MESSAGE_TOO_LARGE;
    }
    return WEBSOCKET_ERROR_NONE;
}

/*
 * Reads a header as far as it is there, and judges each part of it as soon as it is complete, so
 * that the verdict is the same however the bytes were cut. `header_len` is 0 while the length is
 * not known.
 */
static enum websocket_error websocket_read_header(const struct websocket_decoder *decoder,
                                                  const uint8_t *at, size_t len,
                                                  struct websocket_frame *frame)
{
    *frame = (struct websocket_frame){.header_len = 0};
    if (len < 1) {
        return WEBSOCKET_ERROR_NONE;
    }
    frame->opcode = at[0] & 0xf;
    frame->is_final = (at[0] & WEBSOCKET_FIN) != 0;
    frame->is_compressed = (at[0] & WEBSOCKET_RSV1) != 0;
    enum websocket_error error = websocket_check_first(decoder, frame, at[0]);
    if (error != WEBSOCKET_ERROR_NONE || len < 2) {
        return error;
    }
    error = websocket_check_second(decoder, frame, at[1]);
    if (error != WEBSOCKET_ERROR_NONE) {
        return error;
    }
    size_t len_bytes = (at[1] & 0x7f) == 126 ? 2 : (at[1] & 0x7f) == 127 ? 8 : 0;
    if (len < 2 + len_bytes) {
        return WEBSOCKET_ERROR_NONE;
    }
    frame->len = len_bytes == 0 ? at[1] & 0x7fu : 0;
    for (size_t i = 0; i < len_bytes; i++) {
        frame->len = frame->len << 8 | at[2 + i];
    }
    frame->header_len = 2 + len_bytes + ((at[1] & WEBSOCKET_MASK_BIT) != 0 ? 4 : 0);
    return websocket_check_len(decoder, frame, len_bytes);
}

static enum websocket_result websocket_take_close(struct websocket_decoder *decoder,
                                                  struct span payload, struct websocket_event *out)
{
    *out = (struct websocket_event){.close_code = WEBSOCKET_CLOSE_NONE};
    if (payload.len == 1) {
        return websocket_fail(decoder, WEBSOCKET_ERROR_CLOSE_TRUNCATED, out);
    }
    if (payload.len >= 2) {
        out->close_code = (uint16_t)(payload.at[0] << 8 | payload.at[1]);
        out->payload = span_skip(payload, 2);
    }
    if (payload.len >= 2 && !websocket_is_close_code(out->close_code)) {
        return websocket_fail(decoder, WEBSOCKET_ERROR_CLOSE_CODE, out);
    }
    if (!utf8_is_valid(out->payload)) {
        return websocket_fail(decoder, WEBSOCKET_ERROR_CLOSE_BAD_UTF8, out);
    }
    decoder->stage |= WEBSOCKET_STAGE_CLOSED;
    return WEBSOCKET_CLOSE;
}

/* A control frame is at most 131 bytes: it is taken whole or not at all. */
static enum websocket_result websocket_take_control(struct websocket_decoder *decoder,
                                                    const struct websocket_frame *frame,
                                                    uint8_t **at, struct websocket_event *out)
{
    uint8_t *payload = *at + frame->header_len;
    if ((decoder->flags & WEBSOCKET_FROM_SERVER) == 0) {
        uint32_t mask;
        memcpy(&mask, payload - 4, sizeof(mask));
        (void)websocket_mask(payload, (size_t)frame->len, mask);
    }
    *at = payload + frame->len;
    struct span span = span_of(payload, (size_t)frame->len);
    if (frame->opcode == WEBSOCKET_OPCODE_CLOSE) {
        return websocket_take_close(decoder, span, out);
    }
    *out = (struct websocket_event){.payload = span};
    return frame->opcode == WEBSOCKET_OPCODE_PING ? WEBSOCKET_PING : WEBSOCKET_PONG;
}

static void websocket_open_frame(struct websocket_decoder *decoder,
                                 const struct websocket_frame *frame, uint8_t **at)
{
    if (decoder->message == 0) {
        decoder->message = (uint8_t)(frame->opcode | (frame->is_compressed ? WEBSOCKET_RSV1 : 0));
        decoder->message_left = decoder->message_len_max;
        decoder->utf8 = UTF8_COMPLETE;
        decoder->stage |= WEBSOCKET_STAGE_UNTOLD;
    }
    decoder->payload_left = (uint32_t)frame->len;
    decoder->message_left -= (uint32_t)frame->len;
    decoder->stage |= WEBSOCKET_STAGE_PAYLOAD | (frame->is_final ? WEBSOCKET_STAGE_FINAL : 0);
    *at += frame->header_len;
    if ((decoder->flags & WEBSOCKET_FROM_SERVER) == 0) {
        memcpy(&decoder->mask, *at - 4, sizeof(decoder->mask));
    }
}

/* Hands out what is there of the open frame's payload, which for an empty frame is nothing. */
static enum websocket_result websocket_take_payload(struct websocket_decoder *decoder, uint8_t **at,
                                                    uint8_t *end, struct websocket_event *out)
{
    size_t len = (size_t)(end - *at);
    if (len == 0 && decoder->payload_left > 0) {
        return WEBSOCKET_NEED_MORE;
    }
    len = len < decoder->payload_left ? len : decoder->payload_left;
    struct span payload = span_of(*at, len);
    bool is_known_ascii = false;
    if ((decoder->flags & WEBSOCKET_FROM_SERVER) == 0) {
        is_known_ascii = websocket_unmask(*at, len, decoder->mask);
        decoder->mask = websocket_turn_mask(decoder->mask, len);
    }
    *at += len;
    decoder->payload_left -= (uint32_t)len;
    bool is_frame_over = decoder->payload_left == 0;
    bool is_last = is_frame_over && (decoder->stage & WEBSOCKET_STAGE_FINAL) != 0;
    bool is_checked = is_known_ascii && utf8_is_complete((enum utf8_state)decoder->utf8);
    if (decoder->message == WEBSOCKET_TEXT && !is_checked) {
        enum utf8_state state = utf8_feed((enum utf8_state)decoder->utf8, payload);
        if (state == UTF8_INVALID || (is_last && !utf8_is_complete(state))) {
            return websocket_fail(decoder, WEBSOCKET_ERROR_BAD_UTF8, out);
        }
        decoder->utf8 = (uint8_t)state;
    }
    *out = (struct websocket_event){
        .payload = payload,
        .opcode = decoder->message & 0xfu,
        .is_compressed = (decoder->message & WEBSOCKET_RSV1) != 0,
        .is_first = (decoder->stage & WEBSOCKET_STAGE_UNTOLD) != 0,
        .is_last = is_last,
    };
    decoder->stage = is_frame_over ? 0 : decoder->stage & (uint8_t)~WEBSOCKET_STAGE_UNTOLD;
    decoder->message = is_last ? 0 : decoder->message;
    return WEBSOCKET_DATA;
}

/* Whatever may come, in pieces as small as they like. */
static enum websocket_result websocket_decode_any(struct websocket_decoder *decoder, uint8_t **at,
                                                  uint8_t *end, struct websocket_event *out)
{
    if (decoder->error != WEBSOCKET_ERROR_NONE) {
        return websocket_fail(decoder, (enum websocket_error)decoder->error, out);
    }
    if ((decoder->stage & WEBSOCKET_STAGE_CLOSED) != 0) {
        *at = end;
        return WEBSOCKET_NEED_MORE;
    }
    if ((decoder->stage & WEBSOCKET_STAGE_PAYLOAD) != 0) {
        return websocket_take_payload(decoder, at, end, out);
    }
    struct websocket_frame frame;
    size_t len = (size_t)(end - *at);
    enum websocket_error error = websocket_read_header(decoder, *at, len, &frame);
    if (error != WEBSOCKET_ERROR_NONE) {
        return websocket_fail(decoder, error, out);
    }
    if (frame.header_len == 0 || frame.header_len > len) {
        return WEBSOCKET_NEED_MORE;
    }
    if (websocket_is_control(frame.opcode)) {
        return frame.len > len - frame.header_len
                   ? WEBSOCKET_NEED_MORE
                   : websocket_take_control(decoder, &frame, at, out);
    }
    websocket_open_frame(decoder, &frame, at);
    return websocket_take_payload(decoder, at, end, out);
}

/*
 * The common case is tried first: a decoder that is between messages, and one whole text or binary
 * frame of a client below 64 KiB. All else goes the long way, which also judges what is wrong.
 */
enum websocket_result websocket_decode(struct websocket_decoder *decoder, uint8_t **at,
                                       uint8_t *end, struct websocket_event *out)
{
    uint8_t *frame = *at;
    size_t there = (size_t)(end - frame);
    bool is_idle = (decoder->stage | decoder->message | decoder->error |
                    (decoder->flags & WEBSOCKET_FROM_SERVER)) == 0;
    if (!is_idle || there < 8 || (frame[0] != 0x81 && frame[0] != 0x82) || frame[1] < 0x80) {
        return websocket_decode_any(decoder, at, end, out);
    }
    size_t len = frame[1] & 0x7fu;
    size_t header_len = 6;
    if (len > 125) {
        bool is_long_form = len > 126;
        len = (size_t)frame[2] << 8 | frame[3];
        header_len = 8;
        if (is_long_form || len <= 125) {
            return websocket_decode_any(decoder, at, end, out);
        }
    }
    if (len > there - header_len || len > decoder->message_len_max) {
        return websocket_decode_any(decoder, at, end, out);
    }
    uint8_t *payload = frame + header_len;
    uint32_t mask;
    memcpy(&mask, payload - 4, sizeof(mask));
    bool is_ascii = websocket_unmask(payload, len, mask);
    *at = payload + len;
    if (!is_ascii && frame[0] == 0x81 && !utf8_is_valid(span_of(payload, len))) {
        return websocket_fail(decoder, WEBSOCKET_ERROR_BAD_UTF8, out);
    }
    *out = (struct websocket_event){.payload = span_of(payload, len),
                                    .opcode = frame[0] & 0xfu,
                                    .is_first = true,
                                    .is_last = true};
    return WEBSOCKET_DATA;
}

bool websocket_is_close_code(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

uint16_t websocket_error_close_code(enum websocket_error error)
{
    switch (error) {
    case WEBSOCKET_ERROR_NONE:
    case WEBSOCKET_ERROR_COUNT:
        return 0;
    case WEBSOCKET_ERROR_MESSAGE_TOO_LARGE:
        return WEBSOCKET_CLOSE_TOO_LARGE;
    case WEBSOCKET_ERROR_BAD_UTF8:
    case WEBSOCKET_ERROR_CLOSE_BAD_UTF8:
        return WEBSOCKET_CLOSE_BAD_DATA;
    default:
        return WEBSOCKET_CLOSE_PROTOCOL_ERROR;
    }
}

const char *websocket_error_text(enum websocket_error error)
{
    static const char *const texts[WEBSOCKET_ERROR_COUNT] = {
        [WEBSOCKET_ERROR_NONE] = "no error",
        [WEBSOCKET_ERROR_RESERVED_BITS] = "reserved bits set",
        [WEBSOCKET_ERROR_COMPRESSED_CONTROL] = "compressed control frame",
        [WEBSOCKET_ERROR_COMPRESSED_CONTINUATION] = "compression bit on a continuation",
        [WEBSOCKET_ERROR_RESERVED_OPCODE] = "reserved opcode",
        [WEBSOCKET_ERROR_FRAGMENTED_CONTROL] = "fragmented control frame",
        [WEBSOCKET_ERROR_UNEXPECTED_CONTINUATION] = "continuation of no message",
        [WEBSOCKET_ERROR_EXPECTED_CONTINUATION] = "new message inside of another",
        [WEBSOCKET_ERROR_UNMASKED] = "unmasked frame from a client",
        [WEBSOCKET_ERROR_MASKED] = "masked frame from a server",
        [WEBSOCKET_ERROR_CONTROL_TOO_LONG] = "control frame too long",
        [WEBSOCKET_ERROR_LENGTH_NOT_MINIMAL] = "length not in its shortest form",
        [WEBSOCKET_ERROR_LENGTH_SIGN] = "top bit of the length set",
        [WEBSOCKET_ERROR_MESSAGE_TOO_LARGE] = "message too large",
        [WEBSOCKET_ERROR_BAD_UTF8] = "text is not UTF-8",
        [WEBSOCKET_ERROR_CLOSE_TRUNCATED] = "close frame with half a code",
        [WEBSOCKET_ERROR_CLOSE_CODE] = "close code not allowed",
        [WEBSOCKET_ERROR_CLOSE_BAD_UTF8] = "close reason is not UTF-8",
    };
    return (unsigned)error < WEBSOCKET_ERROR_COUNT ? texts[error] : "unknown";
}

/* ---- control frames and the handshake ---- */

size_t websocket_encode_control(uint8_t out[WEBSOCKET_CONTROL_FRAME_LEN_MAX],
                                enum websocket_opcode opcode, struct span payload,
                                const uint8_t *mask)
{
    size_t len =
        payload.len < WEBSOCKET_CONTROL_PAYLOAD_MAX ? payload.len : WEBSOCKET_CONTROL_PAYLOAD_MAX;
    size_t header_len = websocket_encode_header(out, WEBSOCKET_FIN | (unsigned)opcode, len, mask);
    if (len > 0) {
        memmove(out + header_len, payload.at, len);
    }
    if (mask != NULL) {
        uint32_t word;
        memcpy(&word, mask, sizeof(word));
        (void)websocket_mask(out + header_len, len, word);
    }
    return header_len + len;
}

size_t websocket_encode_close(uint8_t out[WEBSOCKET_CONTROL_FRAME_LEN_MAX], uint16_t code,
                              struct span reason, const uint8_t *mask)
{
    uint8_t payload[WEBSOCKET_CONTROL_PAYLOAD_MAX];
    if (code == WEBSOCKET_CLOSE_NONE) {
        return websocket_encode_control(out, WEBSOCKET_OPCODE_CLOSE, SPAN_EMPTY, mask);
    }
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    size_t len = utf8_prefix_len(reason, WEBSOCKET_CLOSE_REASON_MAX);
    if (len > 0) {
        memcpy(payload + 2, reason.at, len);
    }
    return websocket_encode_control(out, WEBSOCKET_OPCODE_CLOSE, span_of(payload, 2 + len), mask);
}

void websocket_accept_key(struct span key, char out[WEBSOCKET_ACCEPT_LEN])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA_DIGEST_LENGTH];
    struct writer text = writer_of(out, WEBSOCKET_ACCEPT_LEN);
    SHA_CTX context;
    SHA1_Init(&context);
    SHA1_Update(&context, key.at, key.len);
    SHA1_Update(&context, guid, sizeof(guid) - 1);
    SHA1_Final(digest, &context);
    base64_encode(&text, span_of(digest, sizeof(digest)));
}
