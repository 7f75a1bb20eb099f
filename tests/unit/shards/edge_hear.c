/* SPDX-License-Identifier: Apache-2.0 */
/* What peers hear: server frames and HTTP responses, taken apart by hand. */
#include <ctype.h>
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"

static void text_set(struct edge_text *text, const char *at, size_t len)
{
    if (len + 1 > text->room) {
        text->room = len + 1;
        text->at = realloc(text->at, text->room);
        assert_non_null(text->at);
    }
    if (len > 0) {
        memcpy(text->at, at, len);
    }
    text->len = len;
    text->at[len] = '\0';
}

static void fail_from(const char *file, int line, const char *what, const char *got,
                      const char *wanted)
{
    print_error("%s:%d: %s\n  heard  %s\n  wanted %s\n", file, line, what, got, wanted);
    _fail(file, line);
}

/* ---- patterns ---- */

static size_t client_id_len(const char *text)
{
    for (size_t i = 0; i < EDGE_CLIENT_ID_SIZE - 1; i++) {
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-'
                    : (!isxdigit((unsigned char)text[i]) || isupper((unsigned char)text[i]))) {
            return 0;
        }
    }
    return EDGE_CLIENT_ID_SIZE - 1;
}

bool edge_text_matches(const char *text, const char *pattern)
{
    static const char any_id[] = "<id>";
    while (*pattern != '\0') {
        if (strncmp(pattern, any_id, sizeof(any_id) - 1) == 0) {
            const size_t len = client_id_len(text);
            if (len == 0) {
                return false;
            }
            text += len;
            pattern += sizeof(any_id) - 1;
        } else if (*text++ != *pattern++) {
            return false;
        }
    }
    return *text == '\0';
}

/* ---- frames ---- */

/* The next whole frame; false: none is there. */
static bool next_frame(const struct peer *peer, unsigned *first, size_t *header_len,
                       size_t *payload_len)
{
    const uint8_t *at = (const uint8_t *)peer->in.at + peer->heard;
    const size_t left = peer->in.len - peer->heard;
    if (left < 2) {
        return false;
    }
    *first = at[0];
    *payload_len = at[1] & 0x7f;
    assert_int_equal(at[1] & 0x80, 0); /* A server masks nothing. */
    const size_t more = *payload_len == 126 ? 2 : *payload_len == 127 ? 8 : 0;
    *header_len = 2 + more;
    if (left < *header_len) {
        return false;
    }
    if (more > 0) {
        *payload_len = 0;
        for (size_t i = 0; i < more; i++) {
            *payload_len = *payload_len << 8 | at[2 + i];
        }
        assert_true(*payload_len > (more == 2 ? 125u : 0xffffu));
    }
    return left - *header_len >= *payload_len;
}

void peer_hear_frame_from(const char *file, int line, struct peer *peer, unsigned first)
{
    unsigned got;
    size_t header_len;
    size_t payload_len;
    char wanted[32];
    (void)snprintf(wanted, sizeof(wanted), "a frame 0x%02x", first);
    if (!next_frame(peer, &got, &header_len, &payload_len)) {
        fail_from(file, line, "no whole frame came",
                  peer->has_ended ? "(the stream has ended)" : "(silence)", wanted);
    }
    const char *payload = peer->in.at + peer->heard + header_len;
    if (peer->protocol == CLIENT_PROTOBUF && first == 0x81 && got == 0x82) {
        struct edge_text lines = {0};
        edge_text_from_protobuf(&lines, span_of(payload, payload_len));
        text_set(&peer->message, lines.at, lines.len);
        free(lines.at);
        got = first;
    } else {
        text_set(&peer->message, payload, payload_len);
    }
    peer->heard += header_len + payload_len;
    if (got != first) {
        fail_from(file, line, "another kind of frame came", peer->message.at, wanted);
    }
}

void peer_hear_from(const char *file, int line, struct peer *peer, const char *format, ...)
{
    va_list args;
    char *wanted;
    va_start(args, format);
    assert_true(vasprintf(&wanted, format, args) >= 0);
    va_end(args);
    peer_hear_frame_from(file, line, peer, 0x81);
    if (!edge_text_matches(peer->message.at, wanted)) {
        fail_from(file, line, "another message came", peer->message.at, wanted);
    }
    free(wanted);
}

bool peer_has_news(const struct peer *peer)
{
    unsigned first;
    size_t header_len;
    size_t payload_len;
    return next_frame(peer, &first, &header_len, &payload_len);
}

void peer_hear_nothing_from(const char *file, int line, struct peer *peer)
{
    edge_rig_settle(peer->rig);
    if (peer->heard != peer->in.len) {
        fail_from(file, line, "something came", peer->in.at + peer->heard, "nothing");
    }
    if (peer->has_ended) {
        fail_from(file, line, "the stream ended", "(the end)", "nothing");
    }
}

void peer_hear_end_from(const char *file, int line, struct peer *peer)
{
    edge_rig_settle(peer->rig);
    if (peer->heard != peer->in.len) {
        fail_from(file, line, "more came before the end", peer->in.at + peer->heard, "the end");
    }
    if (!peer->has_ended) {
        fail_from(file, line, "the stream goes on", "(silence)", "the end");
    }
}

void peer_hear_close_frame_from(const char *file, int line, struct peer *peer, unsigned code,
                                const char *reason)
{
    char got[160];
    char wanted[160];
    peer_hear_frame_from(file, line, peer, 0x88);
    (void)snprintf(wanted, sizeof(wanted), "%u %s", code, reason);
    (void)snprintf(got, sizeof(got), "(nothing)");
    if (peer->message.len >= 2) {
        const uint8_t *at = (const uint8_t *)peer->message.at;
        (void)snprintf(got, sizeof(got), "%u %s", at[0] * 256u + at[1], peer->message.at + 2);
    }
    if (strcmp(got, wanted) != 0) {
        fail_from(file, line, "closed for another reason", got, wanted);
    }
}

void peer_hear_close_from(const char *file, int line, struct peer *peer, unsigned code,
                          const char *reason)
{
    peer_hear_close_frame_from(file, line, peer, code, reason);
    const uint8_t answer[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    peer_put_frame(peer, 0x88, answer, sizeof(answer));
    peer_hear_end_from(file, line, peer);
}

/* ---- responses ---- */

const char *peer_header(const struct peer *peer, const char *name)
{
    static char value[512];
    const size_t name_len = strlen(name);
    const char *at = peer->head.at;
    while ((at = strstr(at, "\r\n")) != NULL) {
        at += 2;
        if (strncasecmp(at, name, name_len) == 0 && at[name_len] == ':') {
            const char *from = at + name_len + 1;
            from += strspn(from, " ");
            const size_t len = strcspn(from, "\r");
            assert_true(len < sizeof(value));
            memcpy(value, from, len);
            value[len] = '\0';
            return value;
        }
    }
    return NULL;
}

void peer_hear_head_from(const char *file, int line, struct peer *peer, unsigned status)
{
    const char *at = peer->in.at == NULL ? "" : peer->in.at + peer->heard;
    const char *end = strstr(at, "\r\n\r\n");
    char wanted[16];
    (void)snprintf(wanted, sizeof(wanted), "HTTP/1.1 %u ", status);
    if (end == NULL) {
        fail_from(file, line, "no response came",
                  peer->has_ended ? "(the stream has ended)" : "(silence)", wanted);
    }
    text_set(&peer->head, at, (size_t)(end - at) + 2);
    if (strncmp(at, wanted, strlen(wanted)) != 0) {
        fail_from(file, line, "another response came", at, wanted);
    }
    peer->heard += (size_t)(end - at) + 4;
}

void peer_hear_response_from(const char *file, int line, struct peer *peer, unsigned status,
                             const char *body)
{
    peer_hear_head_from(file, line, peer, status);
    const char *len_text = peer_header(peer, "Content-Length");
    if (status < 200 || status == 204) {
        assert_null(len_text);
        return;
    }
    assert_non_null(len_text);
    const size_t len = strtoul(len_text, NULL, 10);
    const char *at = peer->in.at + peer->heard;
    if (peer->in.len - peer->heard < len) {
        fail_from(file, line, "the body is cut short", at, len_text);
    }
    text_set(&peer->message, at, len);
    peer->heard += len;
    if (body != NULL && strcmp(peer->message.at, body) != 0) {
        fail_from(file, line, "another body came", peer->message.at, body);
    }
}
