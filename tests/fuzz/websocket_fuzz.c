/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames: the same under every cut, and the same as wslay where both read a client. */
#include "codec/websocket.h"

#include "codec/websocket_mask.h"

#include "tests/fuzz/fuzz_pieces.h"

#include <wslay/wslay.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX = 1 << 16, LOG_MAX = INPUT_MAX * 8, MESSAGE_MAX = 1024, WSLAY_INPUT_MAX = 4000 };

/* What a receiver was told: opcode, code, length and payload of each whole message, in order. */
struct log {
    uint8_t bytes[LOG_MAX];
    size_t len;
    uint8_t message[INPUT_MAX]; /* of the message that is not complete */
    size_t message_len;
    size_t carry_len; /* bytes that wait for the rest of a header or control frame */
    uint16_t error_code;
    uint16_t peer_code; /* of the close frame */
    enum websocket_error error;
    bool is_closed;
};

static void log_message(struct log *log, unsigned opcode, unsigned code, struct span payload)
{
    uint8_t head[] = {(uint8_t)opcode,
                      (uint8_t)(code >> 8),
                      (uint8_t)code,
                      (uint8_t)(payload.len >> 16),
                      (uint8_t)(payload.len >> 8),
                      (uint8_t)payload.len};
    FUZZ_CHECK(sizeof(head) + payload.len <= LOG_MAX - log->len);
    memcpy(log->bytes + log->len, head, sizeof(head));
    log->len += sizeof(head);
    if (payload.len > 0) {
        memcpy(log->bytes + log->len, payload.at, payload.len);
        log->len += payload.len;
    }
}

static void log_data(struct log *log, const struct websocket_event *event)
{
    FUZZ_CHECK(event->is_first == (log->message_len == SIZE_MAX));
    log->message_len = event->is_first ? 0 : log->message_len;
    if (event->payload.len > 0) {
        memcpy(log->message + log->message_len, event->payload.at, event->payload.len);
        log->message_len += event->payload.len;
    }
    if (event->is_last) {
        unsigned opcode = event->opcode | (event->is_compressed ? WEBSOCKET_RSV1 : 0u);
        FUZZ_CHECK(log->message_len <= MESSAGE_MAX);
        log_message(log, opcode, 0, span_of(log->message, log->message_len));
        log->message_len = SIZE_MAX;
    }
}

/* Decodes one read. The block ends with its bytes, so that a sanitizer sees a read too far. */
static void decode_block(struct websocket_decoder *decoder, uint8_t **at, uint8_t *end,
                         struct log *log)
{
    for (;;) {
        struct websocket_event event;
        switch (websocket_decode(decoder, at, end, &event)) {
        case WEBSOCKET_NEED_MORE:
            return;
        case WEBSOCKET_DATA:
            log_data(log, &event);
            break;
        case WEBSOCKET_PING:
            log_message(log, WEBSOCKET_OPCODE_PING, 0, event.payload);
            break;
        case WEBSOCKET_PONG:
            log_message(log, WEBSOCKET_OPCODE_PONG, 0, event.payload);
            break;
        case WEBSOCKET_CLOSE:
            log->is_closed = true;
            log->peer_code = event.close_code;
            log_message(log, WEBSOCKET_OPCODE_CLOSE, event.close_code, event.payload);
            return;
        case WEBSOCKET_ERROR:
            FUZZ_CHECK(event.error > 0 && event.error < WEBSOCKET_ERROR_COUNT);
            log->error_code = event.close_code;
            log->error = (enum websocket_error)event.error;
            return;
        }
    }
}

static void decode_in_pieces(struct span in, unsigned flags, struct fuzz_pieces pieces,
                             struct log *log)
{
    struct websocket_decoder decoder;
    uint8_t carry[WEBSOCKET_CARRY_MAX];
    size_t taken = 0;
    websocket_decoder_init(&decoder, MESSAGE_MAX, flags);
    log->len = 0;
    log->message_len = SIZE_MAX;
    log->carry_len = 0;
    log->error = WEBSOCKET_ERROR_NONE;
    log->error_code = 0;
    log->peer_code = 0;
    log->is_closed = false;
    while (taken < in.len && !log->is_closed && log->error_code == 0) {
        size_t piece = fuzz_next_piece(&pieces, in.len - taken);
        uint8_t *block = malloc(log->carry_len + piece);
        FUZZ_CHECK(block != NULL);
        memcpy(block, carry, log->carry_len);
        memcpy(block + log->carry_len, in.at + taken, piece);
        taken += piece;
        uint8_t *at = block;
        uint8_t *end = block + log->carry_len + piece;
        decode_block(&decoder, &at, end, log);
        FUZZ_CHECK(at <= end);
        if (log->error_code == 0 && !log->is_closed) {
            log->carry_len = (size_t)(end - at);
            FUZZ_CHECK(log->carry_len <= WEBSOCKET_CARRY_MAX);
            memcpy(carry, at, log->carry_len);
        }
        free(block);
    }
}

/* ---- wslay ---- */

struct oracle {
    struct span rest;
    struct log *log;
};

static ssize_t oracle_recv(wslay_event_context_ptr context, uint8_t *buf, size_t len, int flags,
                           void *user)
{
    struct oracle *oracle = user;
    (void)flags;
    if (oracle->rest.len == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    len = len < oracle->rest.len ? len : oracle->rest.len;
    memcpy(buf, oracle->rest.at, len);
    oracle->rest = span_skip(oracle->rest, len);
    return (ssize_t)len;
}

static ssize_t oracle_send(wslay_event_context_ptr context, const uint8_t *data, size_t len,
                           int flags, void *user)
{
    (void)context;
    (void)data;
    (void)flags;
    (void)user;
    return (ssize_t)len;
}

static void oracle_message(wslay_event_context_ptr context,
                           const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    struct oracle *oracle = user;
    struct span payload = span_of(message->msg, message->msg_length);
    unsigned code = message->status_code;
    (void)context;
    if (message->opcode == WSLAY_CONNECTION_CLOSE) {
        code = code == 0 ? WEBSOCKET_CLOSE_NONE : code;
        payload = span_skip(payload, 2);
        oracle->log->is_closed = true;
    }
    log_message(oracle->log, message->opcode, code, payload);
}

static void decode_by_wslay(struct span in, struct log *log)
{
    struct oracle oracle = {in, log};
    const struct wslay_event_callbacks callbacks = {.recv_callback = oracle_recv,
                                                    .send_callback = oracle_send,
                                                    .on_msg_recv_callback = oracle_message};
    wslay_event_context_ptr context;
    log->len = 0;
    log->error_code = 0;
    log->is_closed = false;
    FUZZ_CHECK(wslay_event_context_server_init(&context, &callbacks, &oracle) == 0);
    wslay_event_config_set_max_recv_msg_length(context, MESSAGE_MAX);
    (void)wslay_event_recv(context);
    (void)wslay_event_send(context);
    if (!log->is_closed && wslay_event_get_close_sent(context)) {
        log->error_code = wslay_event_get_status_code_sent(context);
    }
    wslay_event_context_free(context);
}

static bool is_same_log(const struct log *a, const struct log *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/*
 * Where wslay is known to differ: it takes a close frame with half a code, does not know the codes
 * 1012 to 1014, and looks at the reason of a close frame that is not complete.
 */
static bool is_known_difference(struct span in, const struct log *ours)
{
    const uint8_t *tail = in.at + in.len - ours->carry_len;
    bool is_half_close = ours->carry_len > 0 && (tail[0] & 0xf) == WEBSOCKET_OPCODE_CLOSE;
    return ours->error == WEBSOCKET_ERROR_CLOSE_TRUNCATED || is_half_close ||
           (ours->peer_code >= 1012 && ours->peer_code <= 1014);
}

/* wslay closes without a code where a frame is malformed, and looks at a reason before its code. */
static bool is_same_error(const struct log *ours, const struct log *theirs)
{
    return ours->error_code == theirs->error_code ||
           (ours->error_code == WEBSOCKET_CLOSE_PROTOCOL_ERROR &&
            theirs->error_code == WEBSOCKET_CLOSE_NONE) ||
           (ours->error == WEBSOCKET_ERROR_CLOSE_CODE &&
            theirs->error_code == WEBSOCKET_CLOSE_BAD_DATA);
}

/*
 * wslay judges a header only when it is complete, so after an error of ours it is given enough
 * zeros to complete one. It reads up to 4096 bytes at a time; longer inputs would meet its own
 * cuts.
 */
static void compare_with_wslay(struct span in, const struct log *ours)
{
    static struct log theirs;
    static uint8_t padded[WSLAY_INPUT_MAX + WEBSOCKET_HEADER_LEN_MAX];
    if (in.len > WSLAY_INPUT_MAX || is_known_difference(in, ours)) {
        return;
    }
    memset(padded, 0, sizeof(padded));
    if (in.len > 0) {
        memcpy(padded, in.at, in.len);
    }
    size_t padding = ours->error_code != 0 ? WEBSOCKET_HEADER_LEN_MAX : 0;
    decode_by_wslay(span_of(padded, in.len + padding), &theirs);
    FUZZ_CHECK(is_same_log(ours, &theirs));
    FUZZ_CHECK(ours->is_closed == theirs.is_closed);
    FUZZ_CHECK(is_same_error(ours, &theirs));
}

/* Every way to unmask gives the same bytes and the same opinion of them. */
static void compare_unmasking(struct span in)
{
    static bool (*const ways[])(uint8_t * at, size_t len, uint32_t mask) =
    { websocket_unmask_scalar,
#if defined(__x86_64__)
      websocket_unmask_sse2,
      websocket_unmask_avx2,
#endif
    };
    static uint8_t first[INPUT_MAX];
    static uint8_t other[INPUT_MAX];
    uint32_t mask = in.len < 4 ? 0 : in.at[0] | (uint32_t)in.at[in.len / 2] << 24;
    bool is_ascii = false;
    for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
#if defined(__x86_64__)
        if (ways[way] == websocket_unmask_avx2 && !__builtin_cpu_supports("avx2")) {
            continue;
        }
#endif
        uint8_t *to = way == 0 ? first : other;
        memcpy(to, in.at, in.len);
        bool says_ascii = ways[way](to, in.len, mask);
        is_ascii = way == 0 ? says_ascii : is_ascii;
        FUZZ_CHECK(says_ascii == is_ascii && memcmp(to, first, in.len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct log whole;
    static struct log cut;
    if (len < 2 || len > INPUT_MAX) {
        return 0;
    }
    unsigned flags = bytes[0] & (WEBSOCKET_FROM_SERVER | WEBSOCKET_DEFLATE);
    struct span in = span_skip(span_of(bytes, len), 1);
    compare_unmasking(in);
    decode_in_pieces(in, flags, (struct fuzz_pieces){0, 1}, &whole);
    for (unsigned mode = 1; mode < FUZZ_PIECE_MODES; mode++) {
        decode_in_pieces(in, flags, (struct fuzz_pieces){mode, (uint32_t)len}, &cut);
        FUZZ_CHECK(is_same_log(&whole, &cut));
        FUZZ_CHECK(whole.error_code == cut.error_code && whole.is_closed == cut.is_closed);
        FUZZ_CHECK(whole.message_len == cut.message_len || whole.error_code != 0);
    }
    if (flags == 0) {
        compare_with_wslay(in, &whole);
    }
    return 0;
}
