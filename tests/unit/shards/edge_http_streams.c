/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of peers to whom the node streams over HTTP. */
#include "tests/unit/shards/edge_http_streams.h"

#include <stdio.h>

void http_streams_init(struct edge_rig *rig, uint32_t shards)
{
    edge_rig_init(rig, shards);
    for (uint32_t i = TRANSPORT_WEBSOCKET + 1; i < TRANSPORTS; i++) {
        rig->options.transports[i].enabled = true;
    }
    rig->options.init_enabled = true;
}

void peer_put_post(struct peer *peer, const char *target, const char *type, const void *body,
                   size_t len)
{
    char head[512];
    const int head_len =
        snprintf(head, sizeof(head),
                 "POST %s HTTP/1.1\r\nHost: rig\r\nContent-Length: %zu\r\n"
                 "%s%s%s\r\n",
                 target, len, type == NULL ? "" : "Content-Type: ", type == NULL ? "" : type,
                 type == NULL ? "" : "\r\n");
    assert_true(head_len > 0 && (size_t)head_len < sizeof(head));
    peer_put(peer, head, (size_t)head_len);
    peer_put(peer, body, len);
}

void peer_post(struct peer *peer, const char *target, const char *body)
{
    peer_put_post(peer, target, NULL, body, strlen(body));
    edge_rig_settle(peer->rig);
}

void peer_hear_bytes_from(const char *file, int line, struct peer *peer, const char *pattern)
{
    edge_rig_settle(peer->rig);
    const char *got = peer->in.at == NULL ? "" : peer->in.at + peer->heard;
    if (!edge_text_matches(got, pattern)) {
        print_error("%s:%d: other bytes came\n  heard  %s\n  wanted %s\n", file, line, got,
                    pattern);
        _fail(file, line);
    }
    peer->heard = peer->in.len;
}

struct peer *http_stream_open(struct edge_rig *rig, const char *target, const char *body,
                              const char *pattern)
{
    struct peer *peer = peer_open(rig);
    peer_post(peer, target, body);
    peer_hear_head(peer, 200);
    peer_hear_bytes(peer, pattern);
    return peer;
}

static void copy_name(const char *text, const char *key, char name[EDGE_CLIENT_ID_SIZE])
{
    const char *at = strstr(text, key);
    assert_non_null(at);
    memcpy(name, at + strlen(key), EDGE_CLIENT_ID_SIZE - 1);
    name[EDGE_CLIENT_ID_SIZE - 1] = '\0';
}

struct peer *http_stream_connect(struct edge_rig *rig, uint32_t shard, struct stream_names *names)
{
    struct peer *peer = shard == SHARDS_MAX ? peer_open(rig) : peer_open_at(rig, shard);
    peer_post(peer, "/connection/http_stream", "{\"id\":1,\"connect\":{}}");
    peer_hear_head(peer, 200);
    const char *reply = peer->in.at + peer->heard;
    copy_name(reply, "\"session\":\"", names->session);
    copy_name(reply, "\"node\":\"", names->node);
    peer_hear_bytes(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\","
                          "\"ping\":25,\"pong\":true,\"session\":\"<id>\",\"node\":\"<id>\"}}\n");
    return peer;
}

void peer_put_emulation(struct peer *peer, const struct stream_names *names, const char *frame)
{
    char escaped[8192];
    char body[9000];
    size_t len = 0;
    for (const char *at = frame; *at != '\0'; at++) {
        assert_true(len + 2 < sizeof(escaped));
        if (*at == '"' || *at == '\\' || *at == '\n') {
            escaped[len++] = '\\';
        }
        escaped[len++] = *at == '\n' ? 'n' : *at;
    }
    escaped[len] = '\0';
    (void)snprintf(body, sizeof(body), "{\"session\":\"%s\",\"node\":\"%s\",\"data\":\"%s\"}",
                   names->session, names->node, escaped);
    peer_put_post(peer, "/emulation", "application/json", body, strlen(body));
}
