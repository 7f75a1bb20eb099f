/* SPDX-License-Identifier: Apache-2.0 */
/* Carries datagrams between the socket and the engine, sealed, and keeps the engine's time. */
#include "shards/router/membership/gossiper.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/map.h"
#include "shards/counters.h"

enum {
    /* What one turn reads before the shard's other work comes first. */
    TURN_DATAGRAMS = 128,
    REPLAY_SESSIONS = 2 * MEMBERSHIP_MEMBERS_MAX,
    LOOK_MS = 1000, /* Between two looks for seeds and keys that were offered. */
};

static_assert(REPLAY_SESSIONS % GOSSIP_REPLAY_WAYS == 0, "places are shared evenly");
static_assert((int)RECEIVE_BUFFER_SIZE > (int)GOSSIP_DATAGRAM_LEN_MAX,
              "too long a datagram is seen");

struct gossiper {
    struct node *node;
    struct shard *shard;
    struct gossiper_sink sink;
    struct membership *membership;
    int socket; /* -1: none. */
    bool has_more;
    bool has_joined;
    struct gossip_keyring keyring;
    struct gossip_sealer sealer;
    /* What links carry arrives later than datagrams; it is counted by itself, so that it is not
     * too far behind. */
    struct gossip_sealer state_sealer;
    struct gossip_replay replay;
    struct gossip_details details;
    uint32_t cluster;
    uint64_t life;
    struct timer tick;
    struct timer look;
};

/* ---- addresses ---- */

struct socket_address gossiper_socket_address(const struct gossip_address *address)
{
    struct socket_address out = {.family = address->ip_len == 4 ? 4 : 6, .port = address->port};
    memcpy(out.bytes, address->ip, address->ip_len);
    return out;
}

struct gossip_address gossiper_gossip_address(const struct socket_address *address)
{
    struct gossip_address out = {.port = address->port, .ip_len = address->family == 4 ? 4 : 16};
    memcpy(out.ip, address->bytes, out.ip_len);
    return out;
}

static int64_t now_s(const struct gossiper *gossiper)
{
    return gossiper->shard->wall_ms / 1000;
}

static void count(const struct gossiper *gossiper, enum counter counter, uint64_t n)
{
    stats_add(gossiper->shard->stats, counter, n);
}

/* ---- in ---- */

static enum counter counter_of_seal(enum gossip_seal_result result)
{
    switch (result) {
    case GOSSIP_SEAL_ERROR_SIZE:
        return COUNTER_GOSSIP_REFUSED_SIZE;
    case GOSSIP_SEAL_ERROR_FORM:
        return COUNTER_GOSSIP_REFUSED_FORM;
    case GOSSIP_SEAL_ERROR_CLEAR:
        return COUNTER_GOSSIP_REFUSED_CLEAR;
    case GOSSIP_SEAL_ERROR_NO_KEY:
        return COUNTER_GOSSIP_REFUSED_SEALED;
    case GOSSIP_SEAL_ERROR_KEY:
        return COUNTER_GOSSIP_REFUSED_UNKNOWN_KEY;
    case GOSSIP_SEAL_ERROR_TIME:
        return COUNTER_GOSSIP_REFUSED_TIME;
    case GOSSIP_SEAL_ERROR_REPLAY:
        return COUNTER_GOSSIP_REFUSED_REPLAY;
    default:
        return COUNTER_GOSSIP_REFUSED_NOT_AUTHENTIC;
    }
}

static enum counter counter_of_content(enum gossip_result result)
{
    switch (result) {
    case GOSSIP_ERROR_VERSION:
        return COUNTER_GOSSIP_REFUSED_VERSION;
    case GOSSIP_ERROR_CLUSTER:
        return COUNTER_GOSSIP_REFUSED_CLUSTER;
    default:
        return COUNTER_GOSSIP_REFUSED_MALFORMED;
    }
}

bool gossiper_open(struct gossiper *gossiper, struct span sealed, struct writer *clear)
{
    const enum gossip_seal_result result =
        gossip_open(&gossiper->keyring, &gossiper->replay, sealed, now_s(gossiper), clear);
    if (result != GOSSIP_SEAL_OK) {
        count(gossiper, counter_of_seal(result), 1);
    }
    return result == GOSSIP_SEAL_OK;
}

static void on_datagram(struct gossiper *gossiper, const struct socket_address *from,
                        struct span datagram)
{
    uint8_t room[GOSSIP_DATAGRAM_LEN_MAX];
    struct writer payload = writer_of(room, sizeof(room));
    count(gossiper, COUNTER_GOSSIP_DATAGRAMS_IN, 1);
    count(gossiper, COUNTER_GOSSIP_BYTES_IN, datagram.len);
    if (datagram.len > GOSSIP_DATAGRAM_LEN_MAX) {
        count(gossiper, COUNTER_GOSSIP_REFUSED_SIZE, 1);
        return;
    }
    if (!gossiper_open(gossiper, datagram, &payload)) {
        return;
    }
    const struct gossip_address source = gossiper_gossip_address(from);
    const enum gossip_result result =
        membership_on_datagram(gossiper->membership, &source, writer_written(&payload),
                               gossiper->shard->now_ms);
    if (result != GOSSIP_OK) {
        count(gossiper, counter_of_content(result), 1);
    }
}

static void read_datagrams(struct gossiper *gossiper)
{
    struct shard *shard = gossiper->shard;
    for (uint32_t i = 0; i < TURN_DATAGRAMS; i++) {
        struct socket_address from;
        const ssize_t len = poller_receive_from(shard->poller, gossiper->socket, &from,
                                                shard->receive_buffer, GOSSIP_DATAGRAM_LEN_MAX + 1);
        if (len < 0) {
            gossiper->has_more = false;
            return;
        }
        on_datagram(gossiper, &from, span_of(shard->receive_buffer, (size_t)len));
    }
    gossiper->has_more = true;
}

void gossiper_on_event(struct gossiper *gossiper)
{
    read_datagrams(gossiper);
}

void gossiper_on_state(struct gossiper *gossiper, struct span sealed)
{
    uint8_t room[GOSSIP_SEALED_LEN_MAX];
    struct writer part = writer_of(room, sizeof(room));
    count(gossiper, COUNTER_GOSSIP_STATE_BYTES_IN, sealed.len);
    if (!gossiper_open(gossiper, sealed, &part)) {
        return;
    }
    const enum gossip_result result =
        membership_on_state(gossiper->membership, writer_written(&part), gossiper->shard->now_ms);
    if (result != GOSSIP_OK) {
        count(gossiper, counter_of_content(result), 1);
    }
}

bool gossiper_state_write(struct gossiper *gossiper, uint32_t *cursor, struct writer *sealed)
{
    uint8_t room[GOSSIP_STATE_LEN_MAX];
    struct writer part = writer_of(room, sizeof(room));
    const size_t before = writer_written_len(sealed);
    if (!membership_state_write(gossiper->membership, cursor, &part) ||
        gossip_seal(&gossiper->state_sealer, &gossiper->keyring, writer_written(&part),
                    now_s(gossiper), sealed) != GOSSIP_SEAL_OK) {
        return false;
    }
    count(gossiper, COUNTER_GOSSIP_STATE_BYTES_OUT, writer_written_len(sealed) - before);
    return true;
}

/* ---- out ---- */

bool gossiper_seal(struct gossiper *gossiper, struct span clear, struct writer *sealed)
{
    return gossip_seal(&gossiper->state_sealer, &gossiper->keyring, clear, now_s(gossiper),
                       sealed) == GOSSIP_SEAL_OK;
}

static void on_payload(void *owner, const struct gossip_address *to, struct span payload)
{
    struct gossiper *gossiper = owner;
    uint8_t room[GOSSIP_DATAGRAM_LEN_MAX];
    struct writer sealed = writer_of(room, sizeof(room));
    const struct socket_address address = gossiper_socket_address(to);
    if (gossip_seal(&gossiper->sealer, &gossiper->keyring, payload, now_s(gossiper), &sealed) !=
            GOSSIP_SEAL_OK ||
        poller_send_to(gossiper->shard->poller, gossiper->socket, &address, room,
                       writer_written_len(&sealed)) < 0) {
        count(gossiper, COUNTER_GOSSIP_UNSENT, 1);
        return;
    }
    count(gossiper, COUNTER_GOSSIP_DATAGRAMS_OUT, 1);
    count(gossiper, COUNTER_GOSSIP_BYTES_OUT, writer_written_len(&sealed));
}

static void on_event(void *owner, const struct membership_event *event)
{
    const struct gossiper *gossiper = owner;
    if (event->kind != MEMBERSHIP_LOAD) {
        gossiper->sink.on_event(gossiper->sink.owner, event);
    }
}

static void on_exchange(void *owner, const struct gossip_address *to, const struct gossip_uid *peer)
{
    const struct gossiper *gossiper = owner;
    gossiper->sink.on_exchange(gossiper->sink.owner, to, peer);
}

/* ---- time ---- */

static void on_tick(struct timer *timer, void *context)
{
    struct gossiper *gossiper = CONTAINER_OF(timer, struct gossiper, tick);
    (void)context;
    membership_tick(gossiper->membership, gossiper->shard->now_ms);
}

static void join(struct gossiper *gossiper, const struct socket_address *seeds, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        const struct gossip_address seed = gossiper_gossip_address(&seeds[i]);
        if (!membership_join(gossiper->membership, &seed, gossiper->shard->now_ms)) {
            LOG(gossiper->shard->log, LOG_WARN, "cluster_join", "result=refused reason=\"%s\"",
                "more seeds than a node asks");
            return;
        }
    }
}

static void join_static(struct gossiper *gossiper)
{
    const struct cluster_options *options = &gossiper->node->options->cluster;
    join(gossiper, options->seeds, options->seeds_len);
}

static void on_look(struct timer *timer, void *context)
{
    struct gossiper *gossiper = CONTAINER_OF(timer, struct gossiper, look);
    (void)context;
    struct node_seeds *seeds = node_take_seeds(gossiper->node);
    if (seeds != NULL || !gossiper->has_joined) {
        gossiper->has_joined = true;
        membership_forget_seeds(gossiper->membership);
        join_static(gossiper);
        join(gossiper, seeds == NULL ? NULL : seeds->at, seeds == NULL ? 0 : seeds->len);
        free(seeds);
    }
    struct gossip_keyring *keyring = node_take_keys(gossiper->node);
    if (keyring != NULL) {
        LOG(gossiper->shard->log, LOG_INFO, "cluster_keys", "count=%u", keyring->count);
        gossiper->keyring = *keyring;
        gossip_keyring_wipe(keyring);
        free(keyring);
    }
    timer_set(gossiper->shard->timers, &gossiper->look, gossiper->shard->now_ms + LOOK_MS, on_look);
}

/* ---- life ---- */

/* The same on every node: a part of the protocol. */
static uint32_t cluster_of(const char *name)
{
    static const uint8_t key[16];
    return (uint32_t)map_hash_bytes(key, name, strlen(name));
}

static struct span text_at_most(const char *text, size_t len_max)
{
    size_t len = strlen(text);
    if (len > len_max) {
        len = len_max;
        while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80) {
            len--; /* Not in the middle of a letter. */
        }
    }
    return span_of(text, len);
}

static void describe_self(struct gossiper *gossiper)
{
    const struct node_options *options = gossiper->node->options;
    gossiper->details = (struct gossip_details){
        .name = text_at_most(options->name, GOSSIP_NAME_LEN_MAX),
        .client_address =
            text_at_most(options->cluster.client_address, GOSSIP_CLIENT_ADDRESS_LEN_MAX),
        .cluster_address = gossiper_gossip_address(&options->cluster.advertise),
        .zone = text_at_most(options->cluster.zone, GOSSIP_ZONE_LEN_MAX),
        .version = text_at_most(options->version, GOSSIP_VERSION_LEN_MAX),
        .weight = options->cluster.weight,
        .shards = gossiper->node->shards,
        .protocol_min = GOSSIP_PROTOCOL_MIN,
        .protocol_max = GOSSIP_PROTOCOL,
    };
}

static bool open_socket(struct gossiper *gossiper, uint64_t token)
{
    struct shard *shard = gossiper->shard;
    const struct socket_address *bind = &gossiper->node->options->cluster.bind;
    gossiper->socket = poller_open_datagram(shard->poller, bind);
    if (gossiper->socket >= 0 && poller_watch(shard->poller, gossiper->socket, token)) {
        return true;
    }
    char text[SOCKET_ADDRESS_TEXT_SIZE];
    socket_address_format(bind, text);
    LOG(shard->log, LOG_ERROR, "cluster_start_failed", "reason=\"cannot open %s for datagrams\"",
        text);
    return false;
}

static bool start_membership(struct gossiper *gossiper)
{
    struct shard *shard = gossiper->shard;
    struct membership_config config = membership_config_default();
    gossiper->cluster = cluster_of(gossiper->node->options->cluster.name);
    gossiper->life = shard->wall_ms > 0 ? (uint64_t)shard->wall_ms : 1;
    config.cluster = gossiper->cluster;
    config.members_max = MEMBERSHIP_MEMBERS_MAX;
    config.first_incarnation = gossiper->life;
    const struct membership_sink sink = {gossiper, on_payload, on_event, on_exchange};
    gossiper->membership = membership_create(&config, &sink, &shard->random, shard->now_ms);
    const struct gossip_uid uid = node_uid(gossiper->node);
    describe_self(gossiper);
    return gossiper->membership != NULL &&
           membership_start(gossiper->membership, &uid, &gossiper->details);
}

struct gossiper *gossiper_create(struct node *node, struct shard *shard, uint64_t token,
                                 const struct gossiper_sink *sink)
{
    struct gossiper *gossiper = calloc(1, sizeof(*gossiper));
    if (gossiper == NULL) {
        return NULL;
    }
    gossiper->node = node;
    gossiper->shard = shard;
    gossiper->sink = *sink;
    gossiper->socket = -1;
    gossiper->keyring = node->options->cluster.keyring;
    random_fill_secret(&shard->random, gossiper->sealer.session, GOSSIP_SESSION_LEN);
    random_fill_secret(&shard->random, gossiper->state_sealer.session, GOSSIP_SESSION_LEN);
    gossiper->replay.count = REPLAY_SESSIONS;
    gossiper->replay.entries = calloc(REPLAY_SESSIONS, sizeof(*gossiper->replay.entries));
    if (gossiper->replay.entries == NULL || !open_socket(gossiper, token) ||
        !start_membership(gossiper)) {
        gossiper_destroy(gossiper);
        return NULL;
    }
    timer_set(shard->timers, &gossiper->look, shard->now_ms, on_look);
    return gossiper;
}

void gossiper_destroy(struct gossiper *gossiper)
{
    if (gossiper == NULL) {
        return;
    }
    timer_stop(gossiper->shard->timers, &gossiper->tick);
    timer_stop(gossiper->shard->timers, &gossiper->look);
    membership_destroy(gossiper->membership);
    if (gossiper->socket >= 0) {
        poller_close(gossiper->shard->poller, gossiper->socket);
    }
    gossip_keyring_wipe(&gossiper->keyring);
    free(gossiper->replay.entries);
    free(gossiper);
}

/* ---- counting ---- */

static void export_counters(const struct gossiper *gossiper)
{
    const struct membership_counters *of = membership_counters(gossiper->membership);
    struct stats *stats = gossiper->shard->stats;
    uint64_t members_refused = of->members_refused;
    for (uint32_t i = 0; i < GOSSIP_RESULT_COUNT; i++) {
        members_refused += of->bad_members[i];
    }
    stats_set(stats, COUNTER_CLUSTER_PROBES, of->probes);
    stats_set(stats, COUNTER_CLUSTER_PROBES_FAILED, of->probes_failed);
    stats_set(stats, COUNTER_CLUSTER_SUSPICIONS, of->suspicions);
    stats_set(stats, COUNTER_CLUSTER_SUSPICIONS_RAISED, of->suspicions_raised);
    stats_set(stats, COUNTER_CLUSTER_FALSE_ALARMS, of->false_alarms);
    stats_set(stats, COUNTER_CLUSTER_COMEBACKS, of->comebacks);
    stats_set(stats, COUNTER_CLUSTER_REFUTATIONS, of->refutations);
    stats_set(stats, COUNTER_CLUSTER_DEATHS, of->dead);
    stats_set(stats, COUNTER_CLUSTER_PAUSES, of->pauses);
    stats_set(stats, COUNTER_GOSSIP_MEMBERS_REFUSED, members_refused);
    stats_set(stats, COUNTER_CLUSTER_HEALTH, membership_health(gossiper->membership));
    stats_set(stats, COUNTER_CLUSTER_MEMORY_BYTES, membership_bytes(gossiper->membership));
}

void gossiper_on_turn_end(struct gossiper *gossiper)
{
    if (gossiper->has_more) {
        read_datagrams(gossiper);
    }
    timer_set(gossiper->shard->timers, &gossiper->tick,
              membership_next_deadline_ms(gossiper->membership), on_tick);
    export_counters(gossiper);
}

bool gossiper_has_work(const struct gossiper *gossiper)
{
    return gossiper->has_more;
}

/* ---- what this node says of itself ---- */

void gossiper_set_load(struct gossiper *gossiper, const struct gossip_load *load)
{
    membership_set_load(gossiper->membership, load);
}

void gossiper_drain(struct gossiper *gossiper)
{
    gossiper->details.is_draining = true;
    if (!membership_set_details(gossiper->membership, &gossiper->details,
                                gossiper->shard->now_ms)) {
        LOG(gossiper->shard->log, LOG_WARN, "cluster_drain", "%s",
            "result=failed reason=\"memory is out\"");
    }
}

void gossiper_leave(struct gossiper *gossiper)
{
    membership_leave(gossiper->membership, gossiper->shard->now_ms);
}

bool gossiper_has_left(const struct gossiper *gossiper)
{
    return membership_has_left(gossiper->membership);
}

uint32_t gossiper_cluster(const struct gossiper *gossiper)
{
    return gossiper->cluster;
}

uint64_t gossiper_life(const struct gossiper *gossiper)
{
    return gossiper->life;
}

const struct membership *gossiper_membership(const struct gossiper *gossiper)
{
    return gossiper->membership;
}
