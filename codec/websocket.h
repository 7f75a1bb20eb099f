/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames (RFC 6455): a decoder without I/O, unmasking in place, and the encoders. */
#ifndef ROOST_CODEC_WEBSOCKET_H
#define ROOST_CODEC_WEBSOCKET_H

#include "codec/span.h"
#include "codec/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum websocket_limit {
    WEBSOCKET_HEADER_LEN_MAX = 14,         /* 2 + 8 of length + 4 of mask */
    WEBSOCKET_SERVER_HEADER_LEN_MAX = 10,  /* the same without a mask */
    WEBSOCKET_CONTROL_PAYLOAD_MAX = 125,   /* section 5.5 */
    WEBSOCKET_CONTROL_FRAME_LEN_MAX = 131, /* a masked header of 6 and the payload */
    WEBSOCKET_CLOSE_REASON_MAX = 123,      /* the payload without the code */
    WEBSOCKET_CARRY_MAX = 130,             /* the longest incomplete control frame */
    WEBSOCKET_ACCEPT_LEN = 28,             /* base64 of a SHA-1 */
};

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0x0,
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_OPCODE_CLOSE = 0x8,
    WEBSOCKET_OPCODE_PING = 0x9,
    WEBSOCKET_OPCODE_PONG = 0xA,
};

/* The other bits of a frame's first byte. */
enum websocket_bit {
    WEBSOCKET_FIN = 0x80,
    WEBSOCKET_RSV1 = 0x40, /* the message is compressed (RFC 7692 section 6) */
};

/* Status codes that the codec itself hands out (section 7.4.1). */
enum websocket_close_code {
    WEBSOCKET_CLOSE_NORMAL = 1000,
    WEBSOCKET_CLOSE_GOING_AWAY = 1001,
    WEBSOCKET_CLOSE_PROTOCOL_ERROR = 1002,
    WEBSOCKET_CLOSE_NONE = 1005, /* never on the wire: the close frame was empty */
    WEBSOCKET_CLOSE_BAD_DATA = 1007,
    WEBSOCKET_CLOSE_TOO_LARGE = 1009,
};

enum websocket_result {
    WEBSOCKET_NEED_MORE, /* nothing further in these bytes; keep [*at, end) */
    WEBSOCKET_DATA,      /* the next piece of a message */
    WEBSOCKET_PING,      /* a whole ping: answer with a pong of the same payload */
    WEBSOCKET_PONG,      /* a whole pong */
    WEBSOCKET_CLOSE,     /* a whole, valid close frame; whatever follows is swallowed */
    WEBSOCKET_ERROR,     /* the peer broke the protocol; the decoder says so for ever after */
};

/* Why a peer was refused; below are the close code and the text of each. */
enum websocket_error {
    WEBSOCKET_ERROR_NONE,
    WEBSOCKET_ERROR_RESERVED_BITS,           /* RSV2, RSV3, or RSV1 that was not negotiated */
    WEBSOCKET_ERROR_COMPRESSED_CONTROL,      /* RSV1 on a control frame */
    WEBSOCKET_ERROR_COMPRESSED_CONTINUATION, /* RSV1 on another than a message's first frame */
    WEBSOCKET_ERROR_RESERVED_OPCODE,         /* 3..7, 11..15 */
    WEBSOCKET_ERROR_FRAGMENTED_CONTROL,      /* a control frame without FIN */
    WEBSOCKET_ERROR_UNEXPECTED_CONTINUATION, /* there is no message to go on with */
    WEBSOCKET_ERROR_EXPECTED_CONTINUATION,   /* a new message inside of an unfinished one */
    WEBSOCKET_ERROR_UNMASKED,                /* from a client (section 5.1) */
    WEBSOCKET_ERROR_MASKED,                  /* from a server */
    WEBSOCKET_ERROR_CONTROL_TOO_LONG,        /* above 125 bytes */
    WEBSOCKET_ERROR_LENGTH_NOT_MINIMAL,      /* a longer form than the length needs */
    WEBSOCKET_ERROR_LENGTH_SIGN,             /* the top bit of a 64-bit length */
    WEBSOCKET_ERROR_MESSAGE_TOO_LARGE,       /* declared beyond the limit, 1009 */
    WEBSOCKET_ERROR_BAD_UTF8,                /* in an uncompressed text message, 1007 */
    WEBSOCKET_ERROR_CLOSE_TRUNCATED,         /* a close payload of one byte */
    WEBSOCKET_ERROR_CLOSE_CODE,              /* a code that may not be on the wire */
    WEBSOCKET_ERROR_CLOSE_BAD_UTF8,          /* in a close reason, 1007 */
    WEBSOCKET_ERROR_COUNT,
};

enum websocket_role_flag {
    WEBSOCKET_FROM_SERVER = 1, /* we are the client: frames must come unmasked */
    WEBSOCKET_DEFLATE = 2, /* permessage-deflate was negotiated: RSV1 may start a data message */
};

/*
 * All that is kept between two calls; there is one in each connection. Private to websocket.c. All
 * zero but the limit and the flags: idle between two messages.
 */
struct websocket_decoder {
    uint32_t message_len_max;
    uint32_t message_left; /* what the open message may still declare */
    uint32_t payload_left; /* of the open data frame */
    uint32_t mask;         /* in memory order, turned so that its first byte is the next to use */
    uint8_t flags;         /* enum websocket_role_flag */
    uint8_t message;       /* opcode of the open message or 0; with WEBSOCKET_RSV1 if compressed */
    uint8_t stage;         /* private: where in a frame we are, and what of the message was told */
    uint8_t utf8;          /* enum utf8_state of the open text message */
    uint8_t error;         /* enum websocket_error, sticky */
};

_Static_assert(sizeof(struct websocket_decoder) <= 32,
               "there is one in each of a million connections");

struct websocket_event {
    struct span payload; /* unmasked, inside of the caller's buffer; of CLOSE: the reason */
    uint16_t close_code; /* CLOSE: the peer's, or WEBSOCKET_CLOSE_NONE; ERROR: our answer */
    uint8_t opcode;      /* DATA: of the message, so WEBSOCKET_TEXT or WEBSOCKET_BINARY */
    uint8_t error;       /* ERROR: enum websocket_error */
    bool is_compressed;  /* DATA: to be inflated, so its UTF-8 is not checked here */
    bool is_first;       /* DATA: the message begins with this piece */
    bool is_last;        /* DATA: the message is complete with this piece */
};

/*
 * `message_len_max` bounds the payload bytes of one whole message as they are on the wire
 * (compressed or not), all fragments together; it is checked against each declared length before a
 * byte of that payload is taken.
 */
void websocket_decoder_init(struct websocket_decoder *decoder, uint32_t message_len_max,
                            unsigned flags);

/*
 * Takes the bytes of one event from [*at, end), advances *at behind them and unmasks the payload
 * where it lies. Call it until it returns NEED_MORE, CLOSE or ERROR.
 *
 * NEED_MORE leaves at most WEBSOCKET_CARRY_MAX bytes (an incomplete header or control frame): the
 * caller keeps them, as they are, and puts them in front of the next read. Payload of data frames
 * is handed out as soon as any of it is there, so one frame may give several pieces; an empty frame
 * gives an empty piece, so that is_first and is_last are always told. Pieces of UTF-8 text may end
 * inside of a code point, a message never does. After CLOSE all bytes are swallowed, after ERROR
 * the same error is returned again.
 *
 * The events do not depend on how the bytes were cut into reads, but for the borders of DATA
 * pieces.
 */
enum websocket_result websocket_decode(struct websocket_decoder *decoder, uint8_t **at,
                                       uint8_t *end, struct websocket_event *out);

/* Is `code` one that a peer may send in a close frame (section 7.4)? */
bool websocket_is_close_code(uint16_t code);

/*
 * The close code to answer an error with: 1002, 1007 or 1009; and the error in a few words, for
 * logs and reasons.
 */
uint16_t websocket_error_close_code(enum websocket_error error);
const char *websocket_error_text(enum websocket_error error);

/*
 * XORs `len` bytes with the mask (its four bytes in memory order, as memcpy() reads them) and
 * returns the mask turned for the byte that follows: masking in pieces equals masking at once.
 */
uint32_t websocket_mask(uint8_t *at, size_t len, uint32_t mask);

/* What websocket_encode_header() without a mask returns for this length. */
static inline size_t websocket_server_header_len(uint64_t len)
{
    return len <= 125 ? 2 : len <= 0xffff ? 4 : WEBSOCKET_SERVER_HEADER_LEN_MAX;
}

/*
 * Writes a frame header and returns its length, at most WEBSOCKET_HEADER_LEN_MAX (so much room is
 * needed with a mask). `first` is an
 * opcode with its bits, such as WEBSOCKET_FIN | WEBSOCKET_TEXT. `mask` is NULL for a server, or the
 * four bytes that the client will mask the payload with. The shortest form of the length is taken,
 * as section 5.2 demands.
 */
static inline size_t websocket_encode_header(uint8_t *out, unsigned first, uint64_t len,
                                             const uint8_t *mask);

/* What stands behind the header of a whole frame that a server has made. */
static inline struct span websocket_frame_payload(struct span frame)
{
    const uint8_t len = frame.at[1];
    return span_skip(frame, len < 126 ? 2 : len == 126 ? 4 : WEBSOCKET_SERVER_HEADER_LEN_MAX);
}

/* Takes the first of several whole frames that a server has made. */
static inline struct span websocket_next_frame(struct span *rest)
{
    const uint8_t *at = rest->at;
    size_t len = 2 + (size_t)at[1];
    if (at[1] == 126) {
        len = 4 + ((size_t)at[2] << 8 | at[3]);
    } else if (at[1] == 127) {
        len = 0;
        for (unsigned i = 2; i < WEBSOCKET_SERVER_HEADER_LEN_MAX; i++) {
            len = len << 8 | at[i];
        }
        len += WEBSOCKET_SERVER_HEADER_LEN_MAX;
    }
    *rest = span_skip(*rest, len);
    return span_of(at, len);
}

/*
 * Whole control frames; they return the frame's length, at most WEBSOCKET_CONTROL_FRAME_LEN_MAX
 * (127 without a mask). The payload of a ping or pong is cut after 125 bytes. The reason of a close
 * is cut after 123 bytes on a border of code points, and before its first byte that is not UTF-8.
 * WEBSOCKET_CLOSE_NONE makes a close frame without payload.
 */
size_t websocket_encode_control(uint8_t out[WEBSOCKET_CONTROL_FRAME_LEN_MAX],
                                enum websocket_opcode opcode, struct span payload,
                                const uint8_t *mask);
size_t websocket_encode_close(uint8_t out[WEBSOCKET_CONTROL_FRAME_LEN_MAX], uint16_t code,
                              struct span reason, const uint8_t *mask);

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 4.2.2); `out` is not terminated. */
void websocket_accept_key(struct span key, char out[WEBSOCKET_ACCEPT_LEN]);

/* ---- inline bodies ---- */

static inline size_t websocket_encode_header(uint8_t *out, unsigned first, uint64_t len,
                                             const uint8_t *mask)
{
    uint8_t mask_bit = mask == NULL ? 0 : 0x80;
    size_t at = 2;
    out[0] = (uint8_t)first;
    if (len <= 125) {
        out[1] = (uint8_t)(mask_bit | len);
    } else if (len <= 0xffff) {
        out[1] = mask_bit | 126;
        out[2] = (uint8_t)(len >> 8);
        out[3] = (uint8_t)len;
        at = 4;
    } else {
        out[1] = mask_bit | 127;
        for (unsigned i = 0; i < 8; i++) {
            out[2 + i] = (uint8_t)(len >> (56 - 8 * i));
        }
        at = 10;
    }
    if (mask != NULL) {
        memcpy(out + at, mask, 4);
        at += 4;
    }
    return at;
}

#endif
