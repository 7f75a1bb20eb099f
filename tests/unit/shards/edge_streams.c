/* SPDX-License-Identifier: Apache-2.0 */
/* A node whose namespaces keep histories, and clients that follow and come back. */
#include "tests/unit/shards/edge_streams.h"

#include <stdio.h>

struct edge_rig streams;

static struct channel_options *keeps(const char *name)
{
    struct channel_options *options = edge_rig_namespace(&streams, name);
    options->history_size = 10;
    options->history_ttl_ms = 60 * 1000;
    return options;
}

void streams_init(uint32_t queue_max_size)
{
    edge_rig_init(&streams, SHARDS);
    struct channel_options *stream = keeps("r");
    stream->force_recovery = true;
    stream->allow_tags_filter = true;
    struct channel_options *cache = keeps("cache");
    cache->force_recovery = true;
    cache->force_recovery_mode = RECOVERY_CACHE;
    cache->allow_tags_filter = true;
    struct channel_options *automatic = keeps("auto");
    automatic->force_recovery = true;
    automatic->force_recovery_mode = RECOVERY_CACHE;
    automatic->auto_cache_recover = true;
    keeps("p")->force_positioning = true;
    struct channel_options *shown = keeps("shown");
    shown->force_recovery = true;
    shown->presence = true;
    shown->join_leave = true;
    shown->force_push_join_leave = true;
    keeps("kept");
    struct channel_options *deltas = keeps("d");
    deltas->force_recovery = true;
    deltas->allow_tags_filter = true;
    deltas->allowed_delta_types = 1u << DELTA_TYPE_FOSSIL;
    struct channel_options *every = keeps("every");
    every->allowed_delta_types = 1u << DELTA_TYPE_FOSSIL;
    every->delta_publish = true;
    streams.options.client.history_max_publication_limit = 4;
    streams.options.client.recovery_max_publication_limit = 6;
    if (queue_max_size > 0) {
        streams.options.client.queue_max_size = queue_max_size;
    }
}

void streams_open(uint32_t queue_max_size)
{
    streams_init(queue_max_size);
    edge_rig_start(&streams);
}

/* ---- the server API ---- */

void call_from(const char *file, int line, const struct streams_call *what)
{
    char head[256];
    char wanted[2048];
    const char *at = strstr(what->answer, "<e>");
    (void)snprintf(wanted, sizeof(wanted), "%.*s%s%s",
                   at == NULL ? (int)strlen(what->answer) : (int)(at - what->answer), what->answer,
                   at == NULL ? "" : what->epoch, at == NULL ? "" : at + strlen("<e>"));
    struct peer *peer = peer_open(&streams);
    (void)snprintf(head, sizeof(head),
                   "POST /api/%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   what->method, strlen(what->body));
    peer_put_text(peer, head);
    peer_send(peer, what->body);
    peer_hear_response_from(file, line, peer, 200, wanted);
    peer_close(peer);
}

uint64_t publish(const char *channel, unsigned number)
{
    char head[256];
    char body[256];
    struct peer *peer = peer_open(&streams);
    const int len =
        snprintf(body, sizeof(body), "{\"channel\":\"%s\",\"data\":%u}", channel, number);
    (void)snprintf(head, sizeof(head),
                   "POST /api/publish HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: %d\r\n\r\n",
                   len);
    peer_put_text(peer, head);
    peer_send(peer, body);
    peer_hear_response(peer, 200, NULL);
    const char *offset = strstr(peer->message.at, "\"offset\":");
    const uint64_t number_of = offset == NULL ? 0 : strtoull(offset + 9, NULL, 10);
    peer_close(peer);
    return number_of;
}

/* ---- clients ---- */

const char *epoch_in(const struct peer *peer)
{
    static char epoch[EPOCH_SIZE];
    const char *at = strstr(peer->message.at, "\"epoch\":\"");
    assert_non_null(at);
    at += strlen("\"epoch\":\"");
    const size_t len = strcspn(at, "\"");
    assert_in_range(len, 1, EPOCH_SIZE - 1);
    memcpy(epoch, at, len);
    epoch[len] = '\0';
    return epoch;
}

struct peer *client_at(uint32_t shard)
{
    struct peer *peer = peer_open_at(&streams, shard);
    peer_connect(peer);
    return peer;
}

const char *follows(struct peer *peer, const char *channel, uint64_t offset)
{
    char wanted[256];
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}", channel);
    peer_hear_frame(peer, 0x81);
    const char *epoch = epoch_in(peer);
    const int used =
        snprintf(wanted, sizeof(wanted),
                 "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\"", epoch);
    (void)snprintf(wanted + used, sizeof(wanted) - (size_t)used,
                   offset == 0 ? ",\"positioned\":true}}"
                               : ",\"offset\":%llu,\"positioned\":true}}",
                   (unsigned long long)offset);
    assert_string_equal(peer->message.at, wanted);
    return epoch;
}

void recovers(struct peer *peer, const char *channel, uint64_t offset, const char *epoch)
{
    peer_say(peer,
             "{\"id\":3,\"subscribe\":{\"channel\":\"%s\",\"recover\":true,\"offset\":%llu,"
             "\"epoch\":\"%s\"}}",
             channel, (unsigned long long)offset, epoch);
}
