/* SPDX-License-Identifier: Apache-2.0 */
/* What the directories of a cluster cost: bytes a user, and how fast users are registered, found
 * and removed, beside reads of as much memory in an order that nobody can foresee.
 *
 *     directory-bench [--subscribers N] [--nodes N] [--shards N] [--name-len N] [--through N]
 *
 * The nodes stand in this process and on one thread, with their real mailboxes, directories and
 * relays; a link is a call that encodes and decodes what would cross it. First everybody is
 * registered over the ring between the router of the subscriber's home and the directory, then
 * `through` more sessions by the whole way from the shard that has the client.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shards/actors.h"
#include "shards/payloads.h"
#include "shards/router/directory.h"
#include "shards/router/placement.h"
#include "shards/router/relay/relay.h"

enum {
    NODES_MAX = 64,
    BATCH = 512, /* Messages between two turns. */
    DRAIN_BUDGET = 4096,
    NAME_LEN_MAX = 64,
    READS = 5 * 1000 * 1000,
    LINE_LEN = 64,
};

struct bench_shard {
    struct bench_node *owner;
    struct shard shard;
    struct actors actors; /* Of a serving shard. */
};

struct bench_node {
    struct bench *bench;
    struct node_options options;
    struct node *node;
    struct mailbox_matrix *matrix;
    struct bench_shard *shards; /* The last one is the router's. */
    struct outbox *outbox;      /* The router's. */
    struct relay *relay;
    struct buf *placement;
    struct gossip_uid uid;
};

struct bench {
    uint64_t subscribers;
    uint64_t nodes_len;
    uint64_t shards_len;
    uint64_t name_len;
    uint64_t through;
    struct bench_node nodes[NODES_MAX];
    uint64_t answers;  /* USER_ADDED: sessions that were let in, */
    uint64_t refusals; /* and those that were not. */
    uint64_t commands; /* SESSION_COMMAND that reached a shard or the router. */
    bool is_direct;    /* The routers take what comes for themselves. */
};

static void *must_have(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "directory-bench: memory is out\n");
        exit(1);
    }
    return memory;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Bytes of this process in memory. */
static uint64_t resident(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%*u %llu", &pages) != 1) {
        pages = 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- the nodes ---- */

static void on_shard_message(struct bench_shard *at, const struct message *message)
{
    struct bench *bench = at->owner->bench;
    switch ((enum message_type)message->type) {
    case MESSAGE_USER_ADD:
        directory_on_user_add(at->actors.directory, message);
        break;
    case MESSAGE_USER_REMOVE:
        directory_on_user_remove(at->actors.directory, message);
        break;
    case MESSAGE_USER_COMMAND:
        directory_on_user_command(at->actors.directory, message);
        break;
    case MESSAGE_USER_ADDED:
        bench->answers += message_as_user_added(message).error == 0;
        bench->refusals += message_as_user_added(message).error != 0;
        break;
    default:
        bench->commands += message->type == MESSAGE_SESSION_COMMAND;
        message_release(message);
        break;
    }
}

static void on_message(void *context, const struct message *message)
{
    struct bench_shard *at = context;
    struct bench_node *node = at->owner;
    const bool is_router = at->shard.id == node->options.shards;
    if (is_router && !node->bench->is_direct) {
        relay_on_message(node->relay, message);
    } else {
        on_shard_message(at, message);
    }
}

/* Returns how many messages moved. */
static uint32_t turn(struct bench_node *node)
{
    uint32_t moved = 0;
    for (uint32_t i = 0; i <= node->options.shards; i++) {
        struct bench_shard *at = &node->shards[i];
        moved += mailbox_drain(at->shard.mailbox, DRAIN_BUDGET, on_message, at);
        outbox_on_turn_end(i == node->options.shards ? node->outbox : at->actors.outbox);
        mailbox_flush(at->shard.mailbox);
    }
    return moved;
}

static void settle(struct bench *bench)
{
    uint32_t moved;
    do {
        moved = 0;
        for (uint64_t i = 0; i < bench->nodes_len; i++) {
            struct bench_node *node = &bench->nodes[i];
            for (uint32_t shard = 0; shard <= node->options.shards; shard++) {
                mailbox_flush(node->shards[shard].shard.mailbox);
            }
            moved += turn(node);
        }
    } while (moved > 0);
}

/* The link: what would be a frame is taken apart again, and heard by the node that it is for. */
static bool send_to_node(void *owner, const struct gossip_uid *to, enum message_class class,
                         struct span head, struct buf *payload)
{
    struct bench_node *from = owner;
    struct bench_node *node = &from->bench->nodes[to->bytes[0] - 1];
    struct link_message message;
    struct span rest;
    (void)class;
    if (payload != NULL || link_message_decode(head, &message, &rest) != LINK_MESSAGE_OK) {
        return false; /* Nothing about users has a payload. */
    }
    relay_on_link_message(node->relay, &from->uid, &message, rest);
    return true;
}

static void shard_open(struct bench_node *node, uint32_t id)
{
    struct bench_shard *at = &node->shards[id];
    at->owner = node;
    at->shard.id = id;
    at->shard.count = node->options.shards + 1;
    at->shard.mailbox = mailbox_of(node->matrix, id);
    at->shard.stats = must_have(stats_create(COUNTERS_LEN, HISTS_LEN));
    at->shard.timers = must_have(timer_wheel_create(0, NULL));
    random_init(&at->shard.random);
    if (id < node->options.shards) {
        at->actors.node = node->node;
        at->actors.options = &node->options;
        at->actors.shard = &at->shard;
        at->actors.outbox = must_have(outbox_create(&at->shard));
        at->actors.directory = must_have(directory_create(&at->actors, USERS_A_SHARD_MAX));
    }
}

static void node_open(struct bench *bench, uint32_t index)
{
    struct bench_node *node = &bench->nodes[index];
    struct random random;
    random_init(&random);
    node->bench = bench;
    node->uid.bytes[0] = (uint8_t)(index + 1);
    node_options_init(&node->options);
    node->options.shards = (uint32_t)bench->shards_len;
    const uint32_t shards = node->options.shards;
    node->node = must_have(node_create(&node->options, &random, 0));
    node->matrix = must_have(mailbox_matrix_create(shards + 1));
    node->shards = must_have(aligned_alloc(64, (shards + 1) * sizeof(node->shards[0])));
    memset(node->shards, 0, (shards + 1) * sizeof(node->shards[0]));
    for (uint32_t id = 0; id <= shards; id++) {
        shard_open(node, id);
    }
    node->outbox = must_have(outbox_create(&node->shards[shards].shard));
    const struct relay_options options = {
        .node = node->node,
        .shard = &node->shards[shards].shard,
        .outbox = node->outbox,
        .wire = {node, send_to_node},
    };
    node->relay = must_have(relay_create(&options));
}

/* All nodes know each other, and so where every name is at home. */
static void cluster_open(struct bench *bench)
{
    struct placement_member members[NODES_MAX] = {0};
    for (uint32_t i = 0; i < bench->nodes_len; i++) {
        node_open(bench, i);
    }
    for (uint32_t i = 0; i < bench->nodes_len; i++) {
        struct bench_node *node = &bench->nodes[i];
        for (uint32_t k = 0; k < bench->nodes_len; k++) {
            if (k != i) {
                relay_on_link_up(node->relay, &bench->nodes[k].uid);
            }
            members[k] = (struct placement_member){
                .uid = bench->nodes[k].uid,
                .shards = node->options.shards,
                .weight = 1,
                .session = relay_session_of(node->relay, &bench->nodes[k].uid),
            };
        }
        const struct placement_members all = {.at = members,
                                              .len = (uint32_t)bench->nodes_len,
                                              .self = (uint16_t)i};
        node->placement = must_have(placement_make(1, &all, NULL));
        relay_on_placement(node->relay, placement_of(node->placement));
        for (uint32_t id = 0; id < node->options.shards; id++) {
            node->shards[id].actors.placement = placement_of(node->placement);
        }
    }
}

/* ---- subscribers ---- */

/* Of a subscriber: as long as was asked for, the digits of its number first. */
static struct span name_of(const struct bench *bench, uint64_t number, char out[NAME_LEN_MAX + 24])
{
    const int len = snprintf(out, 24, "u%llu-", (unsigned long long)number);
    if ((uint64_t)len < bench->name_len) {
        memset(out + len, 'x', bench->name_len - (uint64_t)len);
    }
    return span_of(out, (uint64_t)len < bench->name_len ? bench->name_len : (size_t)len);
}

static struct bench_node *node_of(struct bench *bench, uint64_t number)
{
    return &bench->nodes[number % bench->nodes_len];
}

static uint32_t shard_of(const struct bench *bench, uint64_t number)
{
    return (uint32_t)(number / bench->nodes_len % bench->shards_len);
}

enum step { STEP_ADD, STEP_COMMAND, STEP_REMOVE };

static struct message make(enum step step, struct span name, uint32_t place)
{
    if (step == STEP_COMMAND) {
        const struct session_command command = {.kind = SESSION_DISCONNECT, .user = name};
        const struct message_user_command body = {.command =
                                                      must_have(session_command_make(&command))};
        return message_make_user_command(0, &body);
    }
    struct buf *user = must_have(buf_copy(name.at, name.len));
    if (step == STEP_ADD) {
        return message_make_user_add(1, &(struct message_user_add){.user = user, .place = place});
    }
    return message_make_user_remove(0, &(struct message_user_remove){.user = user, .place = place});
}

static void post(struct bench *bench, struct mailbox *from, uint32_t target,
                 const struct message *message)
{
    while (!mailbox_send(from, target, message, MESSAGE_REPLY)) {
        settle(bench);
    }
}

/* From the router of the name's home, as if it had come over the link just now. */
static void step_at_home(struct bench *bench, enum step step, uint64_t number)
{
    char room[NAME_LEN_MAX + 24];
    const struct span name = name_of(bench, number, room);
    const struct placement *map = placement_of(bench->nodes[0].placement);
    const struct placement_home home = placement_home_of(map, placement_slot_of(name));
    struct bench_node *node = &bench->nodes[home.node];
    const struct bench_node *owner = node_of(bench, number);
    const uint32_t origin = owner == node ? 0 : relay_session_of(node->relay, &owner->uid);
    const struct message message = make(step, name, message_place(origin, shard_of(bench, number)));
    post(bench, node->shards[node->options.shards].shard.mailbox, home.shard, &message);
}

/* From a shard of another node than the subscriber's first session is on. */
static void step_from_afar(struct bench *bench, enum step step, uint64_t number)
{
    char room[NAME_LEN_MAX + 24];
    const struct span name = name_of(bench, number, room);
    struct bench_node *node = node_of(bench, number + 1);
    struct bench_shard *at = &node->shards[shard_of(bench, number)];
    const struct message message = make(step, name, 0);
    post(bench, at->shard.mailbox, actors_home_of(&at->actors, name), &message);
}

/* ---- measuring ---- */

/* Numbers below `below` in an order without a pattern, each once (0 <= i < below): i times a prime
 * that is larger than any number of subscribers. */
static uint64_t shuffled(uint64_t i, uint64_t below)
{
    return (uint64_t)((unsigned __int128)i * 4294967291u % below);
}

/* Returns the nanoseconds of one, and tells them unless `what` is NULL. */
static double run(struct bench *bench, const char *what, enum step step, uint64_t first,
                  uint64_t count)
{
    const double begin = now_s();
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t number = first + shuffled(i, bench->subscribers);
        if (bench->is_direct) {
            step_at_home(bench, step, number);
        } else {
            step_from_afar(bench, step, number);
        }
        if (i % BATCH == BATCH - 1) {
            settle(bench);
        }
    }
    settle(bench);
    const double ns = (now_s() - begin) * 1e9 / (double)count;
    if (what != NULL) {
        printf("%-44s %12.0f /s %8.0f ns\n", what, 1e9 / ns, ns);
        fflush(stdout);
    }
    return ns;
}

/* A read of memory whose place the read before it told, in as many lines as the bytes have. */
static double read_ns(uint64_t bytes)
{
    const uint64_t lines = bytes / LINE_LEN + 1;
    uint64_t *words = must_have(aligned_alloc(LINE_LEN, lines * LINE_LEN));
    struct random random;
    random_init(&random);
    for (uint64_t i = 0; i < lines; i++) {
        words[i * (LINE_LEN / sizeof(*words))] = random_next(&random);
    }
    uint64_t at = 0;
    const double begin = now_s();
    for (uint64_t i = 0; i < READS; i++) {
        at = (words[at * (LINE_LEN / sizeof(*words))] + i) % lines;
    }
    const double ns = (now_s() - begin) * 1e9 / READS;
    words[0] = at;
    const volatile uint64_t last = words[0]; /* Or nothing would be read. */
    (void)last;
    free(words);
    return ns;
}

static uint64_t users(const struct bench *bench)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < bench->nodes_len; i++) {
        for (uint64_t id = 0; id < bench->shards_len; id++) {
            sum += stats_get(bench->nodes[i].shards[id].shard.stats, COUNTER_NUM_USERS);
        }
    }
    return sum;
}

int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len)
    __attribute__((weak));

/* As a shard that has fallen silent does. */
static void give_memory_back(void)
{
    if (mallctl != NULL) {
        (void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
        (void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0); /* All of them. */
    }
}

static bool check(bool is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "directory-bench: %s\n", what);
    }
    return is_so;
}

static bool measure_home(struct bench *bench, double *hit_ns, uint64_t *bytes)
{
    const uint64_t n = bench->subscribers;
    bench->is_direct = true;
    run(bench, NULL, STEP_ADD, n, 1000);
    run(bench, NULL, STEP_REMOVE, n, 1000);
    give_memory_back();
    const uint64_t empty = resident();
    bench->answers = 0;
    run(bench, "registered, over the home's ring", STEP_ADD, 0, n);
    give_memory_back();
    *bytes = resident() - empty;
    const uint64_t count = n < 2000000 ? n : 2000000;
    bench->commands = 0;
    *hit_ns = run(bench, "found, and told where", STEP_COMMAND, 0, count);
    run(bench, "not found", STEP_COMMAND, n, count);
    return check(bench->answers == n && bench->refusals == 0 && users(bench) == n,
                 "not everybody was registered") &&
           check(bench->commands == count, "not everybody was found, once");
}

static bool measure_whole_way(struct bench *bench)
{
    const uint64_t count =
        bench->through < bench->subscribers ? bench->through : bench->subscribers;
    bench->is_direct = false;
    bench->answers = 0;
    bench->commands = 0;
    run(bench, "registered from any node, by relay and link", STEP_ADD, 0, count);
    run(bench, "two sessions commanded from any node", STEP_COMMAND, 0, count);
    run(bench, "removed from any node", STEP_REMOVE, 0, count);
    return check(bench->answers == count, "a session from afar was not let in") &&
           check(bench->commands == 2 * count, "a command did not reach both sessions");
}

static bool measure(struct bench *bench)
{
    double hit_ns;
    uint64_t bytes;
    const uint64_t n = bench->subscribers;
    if (!measure_home(bench, &hit_ns, &bytes) ||
        (bench->nodes_len > 1 && !measure_whole_way(bench))) {
        return false;
    }
    const double line_ns = read_ns(bytes);
    bench->is_direct = true;
    run(bench, "removed", STEP_REMOVE, 0, n);
    give_memory_back();
    const uint64_t full = resident();
    printf("%-44s %12.1f\n", "bytes an entry, all of it", (double)bytes / (double)n);
    printf("%-44s %12.1f MB\n", "the entries together", (double)bytes / 1e6);
    printf("%-44s %12.1f MB\n", "the process after everybody left", (double)full / 1e6);
    printf("%-44s %21.0f ns\n", "a dependent read in as much memory", line_ns);
    printf("%-44s %12.1f\n", "a lookup in such reads", hit_ns / line_ns);
    return check(users(bench) == 0, "somebody was not removed") &&
           check(bytes <= 64 * n, "an entry costs more than 64 bytes");
}

/* ---- the program ---- */

static bool read_option(struct bench *bench, const char *name, const char *value)
{
    const struct {
        const char *name;
        uint64_t *at;
        uint64_t min;
        uint64_t max;
    } options[] = {
        {"--subscribers", &bench->subscribers, 1, 1000000000},
        {"--nodes", &bench->nodes_len, 1, NODES_MAX},
        {"--shards", &bench->shards_len, 1, SHARDS_MAX - 1},
        {"--name-len", &bench->name_len, 1, NAME_LEN_MAX},
        {"--through", &bench->through, 1, 1000000000},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(name, options[i].name) == 0 && value != NULL) {
            *options[i].at = strtoull(value, NULL, 10);
            return *options[i].at >= options[i].min && *options[i].at <= options[i].max;
        }
    }
    return false;
}

static void cluster_close(struct bench *bench)
{
    for (uint64_t i = 0; i < bench->nodes_len; i++) {
        struct bench_node *node = &bench->nodes[i];
        relay_destroy(node->relay);
        outbox_destroy(node->outbox);
        for (uint32_t id = 0; id <= node->options.shards; id++) {
            struct bench_shard *at = &node->shards[id];
            directory_destroy(at->actors.directory);
            outbox_destroy(at->actors.outbox);
            timer_wheel_destroy(at->shard.timers);
            stats_destroy(at->shard.stats);
        }
        free(node->shards);
        mailbox_matrix_destroy(node->matrix);
        node_destroy(node->node);
        buf_release(node->placement);
    }
}

int main(int argc, char **argv)
{
    static struct bench bench = {
        .subscribers = 10000000,
        .nodes_len = 3,
        .shards_len = 2,
        .name_len = 12,
        .through = 1000000,
    };
    for (int i = 1; i < argc; i += 2) {
        if (!read_option(&bench, argv[i], i + 1 < argc ? argv[i + 1] : NULL)) {
            fprintf(stderr, "usage: directory-bench [--subscribers N] [--nodes N] [--shards N] "
                            "[--name-len N] [--through N]\n");
            return 2;
        }
    }
    printf("%llu subscribers, names of %llu bytes, %llu nodes of %llu shards, one thread\n",
           (unsigned long long)bench.subscribers, (unsigned long long)bench.name_len,
           (unsigned long long)bench.nodes_len, (unsigned long long)bench.shards_len);
    cluster_open(&bench);
    const bool is_right = measure(&bench);
    cluster_close(&bench);
    return is_right ? 0 : 1;
}
