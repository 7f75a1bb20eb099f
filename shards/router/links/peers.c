/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a link to each node of the map, and exchanges states with whoever is at the other end. */
#include "shards/router/links/peers.h"

#include <stdlib.h>

#include "shards/counters.h"

enum {
    MEMBERS_WANTED = 1u << 0, /* The flag of MEMBERS that asks for the same. */
};

struct peers {
    struct node *node;
    struct shard *shard;
    struct gossiper *gossiper;
    struct links *links;
    struct peers_sink sink;
};

/* ---- states ---- */

/* All parts; the last one asks, if anything is asked: the peer then knows of this node. */
static void send_state(struct peers *peers, const struct gossip_uid *peer, bool wants_answer)
{
    uint8_t room[GOSSIP_SEALED_LEN_MAX];
    uint32_t cursor = 0;
    for (;;) {
        struct writer part = writer_of(room, sizeof(room));
        const bool has_part = gossiper_state_write(peers->gossiper, &cursor, &part);
        const struct link_message message = {
            .kind = LINK_MESSAGE_MEMBERS,
            .flags = !has_part && wants_answer ? MEMBERS_WANTED : 0,
        };
        if (!has_part && !wants_answer) {
            return;
        }
        uint8_t head_room[64];
        struct writer head = writer_of(head_room, sizeof(head_room));
        link_message_encode(&head, &message);
        struct buf *payload = has_part ? buf_copy(room, writer_written_len(&part)) : NULL;
        /* What is lost now comes with a later exchange. */
        const bool is_sent =
            (payload != NULL || !has_part) &&
            links_send(peers->links, peer, MESSAGE_REQUEST, writer_written(&head), payload);
        buf_release(payload);
        if (!has_part || !is_sent) {
            return;
        }
    }
}

void peers_exchange(struct peers *peers, const struct gossip_address *to,
                    const struct gossip_uid *peer)
{
    const struct socket_address address = gossiper_socket_address(to);
    if (!gossip_uid_is_nobody(peer) && links_is_up(peers->links, peer)) {
        send_state(peers, peer, true);
    } else if (!links_reach(peers->links, &address)) {
        stats_add(peers->shard->stats, COUNTER_GOSSIP_UNSENT, 1);
    }
}

/* ---- what links tell ---- */

static void on_up(void *owner, const struct gossip_uid *peer, uint32_t protocol)
{
    struct peers *peers = owner;
    (void)protocol;
    send_state(peers, peer, false); /* And so does the peer. */
    peers->sink.on_up(peers->sink.owner, peer);
}

static void on_down(void *owner, const struct gossip_uid *peer)
{
    const struct peers *peers = owner;
    peers->sink.on_down(peers->sink.owner, peer);
}

static void on_message(void *owner, const struct gossip_uid *peer, struct span bytes)
{
    struct peers *peers = owner;
    struct link_message message;
    struct span payload;
    const enum link_message_result result = link_message_decode(bytes, &message, &payload);
    if (result != LINK_MESSAGE_OK) {
        stats_add(peers->shard->stats, COUNTER_LINK_MESSAGES_REFUSED, 1);
        LOG(peers->shard->log, LOG_WARN, "link_message", "result=refused reason=\"%s\"",
            link_message_result_text(result));
        return;
    }
    if (message.kind != LINK_MESSAGE_MEMBERS) {
        peers->sink.on_message(peers->sink.owner, peer, &message, payload);
        return;
    }
    if (!span_is_empty(payload)) {
        gossiper_on_state(peers->gossiper, payload);
    }
    if ((message.flags & MEMBERS_WANTED) != 0) {
        send_state(peers, peer, false);
    }
}

/* ---- who is kept ---- */

static void keep(struct peers *peers, const struct gossip_uid *uid)
{
    const struct membership_member *member =
        membership_find(gossiper_membership(peers->gossiper), uid);
    if (member != NULL) {
        const struct socket_address address = gossiper_socket_address(&member->cluster_address);
        links_keep(peers->links, uid, &address);
    }
}

void peers_on_placement(struct peers *peers, const struct placement *before,
                        const struct placement *after)
{
    for (uint16_t i = 0; before != NULL && i < before->nodes; i++) {
        const struct gossip_uid *uid = &before->members[i].uid;
        if (placement_find(after, uid) == PLACEMENT_NOBODY) {
            links_forget(peers->links, uid);
        }
    }
    for (uint16_t i = 0; i < after->nodes; i++) {
        const struct gossip_uid *uid = &after->members[i].uid;
        if (i != after->self &&
            (before == NULL || placement_find(before, uid) == PLACEMENT_NOBODY)) {
            keep(peers, uid);
        }
    }
}

/* ---- life ---- */

static bool seal_hello(void *gossiper, struct span hello, struct writer *sealed)
{
    return gossiper_seal(gossiper, hello, sealed);
}

static bool open_hello(void *gossiper, struct span sealed, struct writer *hello)
{
    return gossiper_open(gossiper, sealed, hello);
}

struct peers *peers_create(struct node *node, struct shard *shard, struct gossiper *gossiper,
                           const struct peers_sink *sink)
{
    const struct cluster_options *cluster = &node->options->cluster;
    struct peers *peers = calloc(1, sizeof(*peers));
    if (peers == NULL) {
        return NULL;
    }
    struct links_options options = links_options_default();
    options.cluster = gossiper_cluster(gossiper);
    options.uid = node_uid(node);
    options.incarnation = gossiper_life(gossiper);
    options.protocol_min = LINK_PROTOCOL_MIN;
    options.protocol_max = LINK_PROTOCOL;
    options.tls = cluster->tls;
    options.seal = (struct links_seal){gossiper, seal_hello, open_hello};
    if (cluster->link_queue_bytes != 0) {
        options.queue_bytes_max = cluster->link_queue_bytes;
        options.queue_requests_bytes_max = cluster->link_queue_bytes / 4;
        options.message_len_max = cluster->link_queue_bytes / 8;
    }
    peers->node = node;
    peers->shard = shard;
    peers->gossiper = gossiper;
    peers->sink = *sink;
    peers->links =
        links_create(shard, &options, &(struct links_sink){peers, on_up, on_down, on_message});
    if (peers->links == NULL || !links_listen(peers->links, &cluster->bind)) {
        char text[SOCKET_ADDRESS_TEXT_SIZE];
        socket_address_format(&cluster->bind, text);
        LOG(shard->log, LOG_ERROR, "cluster_start_failed", "reason=\"%s %s\"",
            peers->links == NULL ? "no memory for links on" : "cannot listen for links on", text);
        peers_destroy(peers);
        return NULL;
    }
    return peers;
}

void peers_destroy(struct peers *peers)
{
    if (peers != NULL) {
        links_destroy(peers->links);
        free(peers);
    }
}

bool peers_send(struct peers *peers, const struct gossip_uid *to, enum message_class class,
                struct span head, struct buf *payload)
{
    return links_send(peers->links, to, class, head, payload);
}

void peers_look(struct peers *peers)
{
    struct tls_context *tls = node_take_tls(peers->node);
    if (tls != NULL) {
        links_renew_tls(peers->links, tls);
        LOG(peers->shard->log, LOG_INFO, "cluster_certificates", "%s", "result=taken");
    }
}

void peers_on_event(struct peers *peers, uint64_t token, uint32_t events)
{
    links_on_event(peers->links, token, events);
}

/* ---- counting ---- */

static void export_gauges(const struct peers *peers)
{
    struct stats *stats = peers->shard->stats;
    struct links_gauges now;
    links_gauges(peers->links, &now);
    stats_set(stats, COUNTER_LINKS_UP, now.up);
    stats_set(stats, COUNTER_LINKS_KEPT, now.kept);
    stats_set(stats, COUNTER_LINKS_STRANGERS, now.strangers);
    stats_set(stats, COUNTER_LINKS_QUEUE_BYTES, now.queue_bytes);
    stats_set(stats, COUNTER_LINKS_QUEUE_BYTES_MAX, now.queue_bytes_max);
    stats_set(stats, COUNTER_LINKS_ROUND_TRIP_US, now.rtt_us_max);
}

static uint64_t sum_of(const uint64_t *counts, uint32_t from, uint32_t to)
{
    uint64_t sum = 0;
    for (uint32_t i = from; i < to; i++) {
        sum += counts[i];
    }
    return sum;
}

static void export_refusals(struct stats *stats, const struct links_counters *of)
{
    const uint64_t refused = sum_of(of->refused, 0, LINK_REFUSAL_COUNT);
    const uint64_t cluster = of->refused[LINK_REFUSED_CLUSTER];
    const uint64_t version = of->refused[LINK_REFUSED_VERSION];
    const uint64_t busy = of->refused[LINK_REFUSED_BUSY];
    const uint64_t key = of->refused[LINK_REFUSED_KEY];
    const uint64_t size = of->bad_frames[LINK_ERROR_SIZE];
    stats_set(stats, COUNTER_LINKS_REFUSED_TLS,
              sum_of(of->tls_failures, TLS_OK + 1, TLS_FAILURE_COUNT) +
                  of->bad_frames[LINK_ERROR_TLS]);
    stats_set(stats, COUNTER_LINKS_REFUSED_CLUSTER, cluster);
    stats_set(stats, COUNTER_LINKS_REFUSED_VERSION, version);
    stats_set(stats, COUNTER_LINKS_REFUSED_BUSY, busy + of->strangers_dropped);
    stats_set(stats, COUNTER_LINKS_REFUSED_KEY, key);
    stats_set(stats, COUNTER_LINKS_REFUSED_LATE, of->late);
    stats_set(stats, COUNTER_LINKS_REFUSED_OTHER, refused - cluster - version - busy - key);
    stats_set(stats, COUNTER_LINKS_BAD_SIZE, size);
    stats_set(stats, COUNTER_LINKS_BAD_OTHER,
              sum_of(of->bad_frames, LINK_ERROR_EMPTY, LINK_RESULT_COUNT) - size -
                  of->bad_frames[LINK_ERROR_TLS]);
}

static void export_counters(const struct peers *peers)
{
    const struct links_counters *of = links_counters(peers->links);
    struct stats *stats = peers->shard->stats;
    stats_set(stats, COUNTER_LINKS_FRAMES_IN, of->frames_in);
    stats_set(stats, COUNTER_LINKS_FRAMES_OUT, of->frames_out);
    stats_set(stats, COUNTER_LINKS_BYTES_IN, of->bytes_in);
    stats_set(stats, COUNTER_LINKS_BYTES_OUT, of->bytes_out);
    stats_set(stats, COUNTER_LINKS_MESSAGES_IN, of->messages_in);
    stats_set(stats, COUNTER_LINKS_MESSAGES_OUT, of->messages_out);
    stats_set(stats, COUNTER_LINKS_UPS, of->ups);
    stats_set(stats, COUNTER_LINKS_RECONNECTS, of->reconnects);
    stats_set(stats, COUNTER_LINKS_DIALS_FAILED, of->dials_failed);
    stats_set(stats, COUNTER_LINKS_DOWN_SILENT, of->dead);
    stats_set(stats, COUNTER_LINKS_DOWN_FULL, of->overflows);
    /* A link that was found silent or full is down a moment later. */
    const uint64_t known = of->dead + of->overflows;
    stats_set(stats, COUNTER_LINKS_DOWN_OTHER, of->downs > known ? of->downs - known : 0);
    stats_set(stats, COUNTER_LINKS_REQUESTS_REFUSED, of->requests_refused);
    export_refusals(stats, of);
}

void peers_count(struct peers *peers)
{
    export_gauges(peers);
    export_counters(peers);
}

void peers_on_turn_end(struct peers *peers)
{
    links_on_turn_end(peers->links);
}

bool peers_has_work(const struct peers *peers)
{
    return links_has_work(peers->links);
}
