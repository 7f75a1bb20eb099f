/* SPDX-License-Identifier: Apache-2.0 */
/* A node with maps, and clients that set keys and follow. */
#include "tests/unit/shards/edge_maps.h"

#include <stdio.h>

struct edge_rig maps;

static struct channel_options *add(const char *name, enum client_subscription_type type,
                                   enum map_mode mode)
{
    struct channel_options *options = edge_rig_namespace(&maps, name);
    options->subscription_type = type;
    options->map.mode = mode;
    options->map.key_ttl_ms = mode == MAP_PERSISTENT ? 0 : 60 * 1000;
    options->map.stream_size = mode == MAP_EPHEMERAL ? 0 : 8;
    options->map.min_page_size = 1;
    options->map.default_page_size = 2;
    options->map.max_page_size = 4;
    options->allow_tags_filter = true;
    options->allowed_delta_types = 1u << DELTA_TYPE_FOSSIL;
    map_options_complete(&options->map);
    return options;
}

struct maps_namespaces maps_init(void)
{
    edge_rig_init(&maps, MAPS_SHARDS);
    struct maps_namespaces out = {
        .kept = add("m", CLIENT_SUBSCRIPTION_MAP, MAP_PERSISTENT),
        .ephemeral = add("e", CLIENT_SUBSCRIPTION_MAP, MAP_EPHEMERAL),
        .clients = add("who", CLIENT_SUBSCRIPTION_MAP_CLIENTS, MAP_EPHEMERAL),
        .users = add("users", CLIENT_SUBSCRIPTION_MAP_USERS, MAP_EPHEMERAL),
        .seen = edge_rig_namespace(&maps, "seen"),
    };
    out.seen->map_clients_presence_channel_prefix = "who:";
    out.seen->map_users_presence_channel_prefix = "users:";
    return out;
}

void maps_open(void)
{
    (void)maps_init();
    edge_rig_start(&maps);
}

struct peer *maps_client_at(uint32_t shard)
{
    struct peer *peer = peer_open_at(&maps, shard);
    peer_connect(peer);
    return peer;
}

void maps_set(struct peer *peer, const char *channel, const char *key, const char *data)
{
    if (data == NULL) {
        peer_say(peer,
                 "{\"id\":99,\"publish\":{\"channel\":\"%s\",\"type\":1,\"key\":\"%s\","
                 "\"removed\":true}}",
                 channel, key);
    } else {
        peer_say(peer,
                 "{\"id\":99,\"publish\":{\"channel\":\"%s\",\"type\":1,\"key\":\"%s\","
                 "\"data\":%s}}",
                 channel, key, data);
    }
    peer_hear(peer, "{\"id\":99,\"publish\":{}}");
}

const char *maps_hear_from(const char *file, int line, struct peer *peer, const char *format, ...)
{
    static char epoch[MAPS_EPOCH_SIZE];
    char text[4096];
    char wanted[4096];
    va_list list;
    va_start(list, format);
    const int len = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    assert_in_range(len, 0, sizeof(text) - 1);
    peer_hear_frame_from(file, line, peer, 0x81);
    const char *said = strstr(peer->message.at, "\"epoch\":\"");
    if (said != NULL) {
        said += strlen("\"epoch\":\"");
        const size_t epoch_len = strcspn(said, "\"");
        assert_in_range(epoch_len, 1, sizeof(epoch) - 1);
        memcpy(epoch, said, epoch_len);
        epoch[epoch_len] = '\0';
    }
    size_t out = 0;
    for (const char *at = text; *at != '\0'; at++) {
        const bool is_epoch = strncmp(at, "<e>", 3) == 0;
        const int put = snprintf(wanted + out, sizeof(wanted) - out, is_epoch ? "%s" : "%.1s",
                                 is_epoch ? epoch : at);
        out += (size_t)put;
        at += is_epoch ? 2 : 0;
        assert_in_range(out, 0, sizeof(wanted) - 1);
    }
    if (!edge_text_matches(peer->message.at, wanted)) {
        print_error("%s:%d: heard  %s\n         wanted %s\n", file, line, peer->message.at, wanted);
        _fail(file, line);
    }
    return epoch;
}

void maps_follow(struct peer *peer, const char *channel)
{
    peer_say(peer, "{\"id\":98,\"subscribe\":{\"channel\":\"%s\",\"type\":1,\"phase\":2}}",
             channel);
    peer_hear_frame(peer, 0x81);
    assert_null(strstr(peer->message.at, "\"phase\""));
    assert_non_null(strstr(peer->message.at, "\"type\":1"));
}
