/* SPDX-License-Identifier: Apache-2.0 */
/* Signs, tracks and hears for the tests of shared polls. */
#include "tests/unit/shards/edge_shared_poll.h"

#include <stdio.h>

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

void poll_rig_init(struct poll_rig *poll)
{
    edge_rig_init(&poll->rig, 2);
    backend_rig_init(&poll->backend, &poll->rig);
    poll->rig.options.client.ping_interval_ms = 0;
    poll->rig.options.shared_poll_hmac_secret_key = POLL_SECRET;
    poll->proxy = (struct proxy_options){.name = "polls", .timeout_ms = 1000};
    for (int i = 0; i < 2; i++) {
        struct channel_options *options = edge_rig_namespace(&poll->rig, i == 0 ? "poll" : "free");
        options->subscription_type = CLIENT_SUBSCRIPTION_SHARED_POLL;
        options->allowed_delta_types = 1u << DELTA_TYPE_FOSSIL;
        options->shared_poll.proxy = &poll->proxy;
        options->shared_poll.mode = i == 0 ? SHARED_POLL_VERSIONED : SHARED_POLL_VERSIONLESS;
        options->shared_poll.publish_enabled = i == 0;
        shared_poll_options_complete(&options->shared_poll);
        *(i == 0 ? &poll->versioned : &poll->versionless) = &options->shared_poll;
    }
}

void poll_rig_start(struct poll_rig *poll)
{
    edge_rig_start(&poll->rig);
    backend_rig_start(&poll->backend);
}

void poll_rig_stop(struct poll_rig *poll)
{
    edge_rig_leave(&poll->rig);
    edge_rig_advance(&poll->rig, 2000);
    assert_int_equal(edge_rig_count(&poll->rig, COUNTER_SHARED_POLL_CHANNELS), 0);
    assert_int_equal(edge_rig_count(&poll->rig, COUNTER_SHARED_POLL_KEYS), 0);
    assert_int_equal(edge_rig_count(&poll->rig, COUNTER_SHARED_POLL_TRACKED), 0);
    assert_int_equal(edge_rig_count(&poll->rig, COUNTER_SHARED_POLL_KEPT_BYTES), 0);
    assert_int_equal(edge_rig_count(&poll->rig, COUNTER_OF(PROXY_INFLIGHT, 0, 0)), 0);
    backend_rig_stop(&poll->backend);
    edge_rig_stop(&poll->rig);
}

struct peer *poll_follow(struct poll_rig *poll, uint32_t shard, const char *channel)
{
    struct peer *peer = peer_open_at(&poll->rig, shard);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"type\":4}}", channel);
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"type\":4"));
    return peer;
}

/* ---- signatures ---- */

static void put_hex(char *to, const uint8_t bytes[SHA256_DIGEST_LENGTH])
{
    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        (void)snprintf(to + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void sign(const struct poll_signing *signing, const char *channel, const char *keys,
                 size_t keys_len, char hex[2 * SHA256_DIGEST_LENGTH + 1])
{
    uint8_t bytes[SHA256_DIGEST_LENGTH];
    char payload[1024];
    unsigned len = 0;
    SHA256((const uint8_t *)keys, keys_len, bytes);
    put_hex(hex, bytes);
    const int payload_len =
        snprintf(payload, sizeof(payload), "%lld%c%lld%c%s%c%s%c%s", (long long)signing->issued_s,
                 0, (long long)signing->expires_s, 0, signing->user, 0, channel, 0, hex);
    assert_non_null(HMAC(EVP_sha256(), signing->secret, strlen(signing->secret),
                         (const uint8_t *)payload, (size_t)payload_len, bytes, &len));
    put_hex(hex, bytes);
}

const char *poll_batch_signed(const struct poll_signing *signing, const char *channel,
                              const char *items)
{
    static char batches[4][4096];
    static unsigned next;
    char *batch = batches[next++ % 4];
    char keys[1024];
    char listed[2048] = "";
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    size_t keys_len = 0;
    size_t listed_len = 0;
    for (const char *at = items; *at != '\0';) {
        const size_t len = strcspn(at, ":");
        const size_t item_len = strcspn(at, ",");
        listed_len +=
            (size_t)snprintf(listed + listed_len, sizeof(listed) - listed_len,
                             "%s{\"key\":\"%.*s\",\"version\":%.*s}", at == items ? "" : ",",
                             (int)len, at, (int)(item_len - len - 1), at + len + 1);
        keys_len +=
            (size_t)snprintf(keys + keys_len, sizeof(keys) - keys_len, "%.*s%c", (int)len, at, 0);
        at += item_len + (at[item_len] == ',');
    }
    sign(signing, channel, keys, keys_len > 0 ? keys_len - 1 : 0, hex);
    (void)snprintf(batch, sizeof(batches[0]), "{\"signature\":\"%lld:%lld:%s\",\"items\":[%s]}",
                   (long long)signing->issued_s, (long long)signing->expires_s, hex, listed);
    return batch;
}

const char *poll_batch(struct poll_rig *poll, const char *channel, const char *items, int64_t ttl_s)
{
    const int64_t now_s = edge_rig_now_s(&poll->rig);
    return poll_batch_signed(&(struct poll_signing){POLL_SECRET, "", now_s, now_s + ttl_s}, channel,
                             items);
}

/* ---- commands ---- */

void poll_say_track(struct peer *peer, const char *channel, const char *batches, const char *rest)
{
    peer_say(peer, "{\"id\":9,\"sub_refresh\":{\"channel\":\"%s\",\"type\":1,\"track\":[%s]%s}}",
             channel, batches, rest);
}

void poll_track(struct poll_rig *poll, struct peer *peer, const char *channel, const char *items)
{
    poll_say_track(peer, channel, poll_batch(poll, channel, items, 3600), "");
    peer_hear(peer, "{\"id\":9,\"sub_refresh\":{\"expires\":true,\"ttl\":3600}}");
}

void poll_untrack(struct peer *peer, const char *channel, const char *keys)
{
    peer_say(peer, "{\"id\":9,\"sub_refresh\":{\"channel\":\"%s\",\"type\":2,\"untrack\":[%s]}}",
             channel, keys);
    peer_hear(peer, "{\"id\":9,\"sub_refresh\":{}}");
}
