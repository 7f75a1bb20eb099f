/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that are gone, and with them what they would have told. All nodes see it, and the one that
 * tells is chosen by rendezvous hashing over the run that is gone, among those that were there
 * before. */
#include <string.h>

#include "shards/edge/backends/webhooks_state.h"
#include "shards/payloads.h"

static void tell_all(struct webhooks *webhooks, enum webhook_event_type type,
                     const struct gossip_uid *run)
{
    char text[CLIENT_ID_TEXT_LEN];
    client_id_format(run->bytes, text);
    for (uint32_t i = 0; i < webhooks->len; i++) {
        webhooks_tell(webhooks, i,
                      &(struct webhook_event){.type = type,
                                              .time_ms = webhooks->actors->shard->wall_ms,
                                              .run = span_of(text, sizeof(text))});
    }
}

/* Mixes as SplitMix64 does (Steele, Lea and Flood, 2014). */
static uint64_t weight_of(const struct gossip_uid *member, const struct gossip_uid *run)
{
    uint64_t words[4];
    uint64_t weight = 0;
    memcpy(words, member->bytes, sizeof(member->bytes));
    memcpy(words + 2, run->bytes, sizeof(run->bytes));
    for (size_t i = 0; i < 4; i++) {
        weight = (weight ^ words[i]) + 0x9e3779b97f4a7c15u;
        weight = (weight ^ weight >> 30) * 0xbf58476d1ce4e5b9u;
        weight = (weight ^ weight >> 27) * 0x94d049bb133111ebu;
        weight ^= weight >> 31;
    }
    return weight;
}

/* One that has come meanwhile may not know of the run; one that is about to leave, or cannot be
 * reached, may not come to tell. */
static bool may_tell(const struct placement *before, const struct placement_member *member)
{
    return member->share == PLACEMENT_TAKES &&
           placement_find(before, &member->uid) != PLACEMENT_NOBODY;
}

static bool is_teller(const struct placement *before, const struct placement *now,
                      const struct gossip_uid *run)
{
    const struct gossip_uid *teller = &now->members[now->self].uid;
    bool is_self = may_tell(before, &now->members[now->self]);
    for (uint16_t i = 0; i < now->nodes; i++) {
        const struct placement_member *member = &now->members[i];
        if (may_tell(before, member) &&
            (!is_self || weight_of(&member->uid, run) > weight_of(teller, run))) {
            return false;
        }
    }
    return true; /* Also when nobody may. */
}

/* Its place in what is gone, or gone_len. */
static uint32_t find_gone(const struct webhooks *webhooks, const struct gossip_uid *run)
{
    uint32_t i = 0;
    while (i < webhooks->gone_len &&
           memcmp(webhooks->gone[i].bytes, run->bytes, sizeof(run->bytes)) != 0) {
        i++;
    }
    return i;
}

static void forget_gone(struct webhooks *webhooks, uint32_t at)
{
    webhooks->gone_len--;
    memmove(&webhooks->gone[at], &webhooks->gone[at + 1],
            (webhooks->gone_len - at) * sizeof(webhooks->gone[0]));
}

static void on_gone(struct webhooks *webhooks, const struct gossip_uid *run, bool is_told_here)
{
    if (webhooks->gone_len == WEBHOOK_RUNS_GONE_MAX) {
        forget_gone(webhooks, 0);
    }
    webhooks->gone[webhooks->gone_len++] = *run;
    if (is_told_here) {
        tell_all(webhooks, WEBHOOK_NODE_GONE, run);
    }
}

void webhooks_on_placement(struct webhooks *webhooks, const struct placement *before,
                           const struct placement *now)
{
    if (webhooks->actors->shard->id != 0) {
        return; /* One shard tells for its node. */
    }
    if (before == NULL) {
        tell_all(webhooks, WEBHOOK_NODE_STARTED, &now->members[now->self].uid);
        return;
    }
    for (uint16_t i = 0; i < before->nodes; i++) {
        const struct gossip_uid *run = &before->members[i].uid;
        if (placement_find(now, run) == PLACEMENT_NOBODY) {
            on_gone(webhooks, run, is_teller(before, now, run));
        }
    }
    for (uint16_t i = 0; i < now->nodes; i++) {
        const struct gossip_uid *run = &now->members[i].uid;
        const uint32_t at = find_gone(webhooks, run);
        if (at == webhooks->gone_len) {
            continue;
        }
        forget_gone(webhooks, at);
        if (is_teller(before, now, run)) {
            tell_all(webhooks, WEBHOOK_NODE_BACK, run);
        }
    }
}
