/* SPDX-License-Identifier: Apache-2.0 */
/* Links in the simulator, told what the input has: strangers speak frames, whole, cut and broken,
 * while time passes. Nothing may abort; two good nodes keep their link and hear each other in
 * order; and when all strangers have left, nothing of them is left. */
#include <string.h>

#include "runtime/sim.h"
#include "shards/router/links/links.h"
#include "tests/fuzz/fuzz_pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum {
    NODES = 2,
    STRANGERS = 3,
    CLUSTER = 77,
    PORT = 7946,
    INPUT_MAX = 4096,
    TIME_MS_MAX = 120 * 1000,
    MESSAGE_LEN_MAX = 4096,
};

struct fuzz_node {
    struct links_options options;
    struct links *links;
    struct shard *shard;
    uint64_t said;
    uint64_t heard;
    bool is_up; /* To the other good node. */
};

struct fuzz_input {
    const uint8_t *at;
    size_t len;
};

static struct sim *sim;
static struct fuzz_node nodes[NODES];
static int strangers[STRANGERS];
static uint64_t time_ms;

static uint8_t next_byte(struct fuzz_input *input)
{
    if (input->len == 0) {
        return 0;
    }
    input->len--;
    return *input->at++;
}

static struct gossip_uid uid_of(uint32_t number)
{
    struct gossip_uid uid = {.bytes = {0x10, 0x20}};
    uid.bytes[15] = (uint8_t)(number + 1);
    return uid;
}

/* ---- the good nodes ---- */

static bool is_other(const struct fuzz_node *node, const struct gossip_uid *peer)
{
    return gossip_uid_equal(peer, &nodes[node == &nodes[0]].options.uid);
}

static void on_up(void *owner, const struct gossip_uid *peer, uint32_t protocol)
{
    struct fuzz_node *node = owner;
    FUZZ_CHECK(protocol == LINK_PROTOCOL);
    if (is_other(node, peer)) {
        FUZZ_CHECK(!node->is_up);
        node->is_up = true;
    }
}

static void on_down(void *owner, const struct gossip_uid *peer)
{
    /* No stranger knows a uid of ours, so none can take a good node's place. */
    FUZZ_CHECK(!is_other(owner, peer));
}

static void on_message(void *owner, const struct gossip_uid *peer, struct span message)
{
    struct fuzz_node *node = owner;
    FUZZ_CHECK(message.len <= MESSAGE_LEN_MAX);
    if (is_other(node, peer)) {
        uint64_t number;
        FUZZ_CHECK(message.len == sizeof(number));
        memcpy(&number, message.at, sizeof(number));
        FUZZ_CHECK(number == node->heard++);
    }
}

static bool node_start(void *actor, struct shard *shard)
{
    struct fuzz_node *node = actor;
    const struct links_sink sink = {node, on_up, on_down, on_message};
    struct socket_address any;
    node->shard = shard;
    node->links = links_create(shard, &node->options, &sink);
    FUZZ_CHECK(node->links != NULL && socket_address_parse("0.0.0.0", PORT, &any));
    return links_listen(node->links, &any);
}

static void node_on_message(void *actor, const struct message *message)
{
    (void)actor;
    (void)message;
}

static void node_on_event(void *actor, uint64_t token, uint32_t events)
{
    links_on_event(((struct fuzz_node *)actor)->links, token, events);
}

static void node_on_turn_end(void *actor)
{
    links_on_turn_end(((struct fuzz_node *)actor)->links);
}

static bool node_has_work(void *actor)
{
    return links_has_work(((struct fuzz_node *)actor)->links);
}

static void node_stop(void *actor)
{
    links_destroy(((struct fuzz_node *)actor)->links);
}

static const struct shard_actor *node_ops(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = node_start,
        .on_message = node_on_message,
        .on_event = node_on_event,
        .on_turn_end = node_on_turn_end,
        .has_work = node_has_work,
        .stop = node_stop,
    };
    (void)id;
    return &ops;
}

static void *node_create(uint32_t id, void *context)
{
    (void)id;
    return context;
}

static void start_nodes(uint64_t seed)
{
    const struct sim_options options = {
        .seed = seed,
        .latency_us_min = 100,
        .latency_us_max = 900,
        .split_percent = (uint32_t)(seed % 40),
    };
    sim = sim_create(&options);
    FUZZ_CHECK(sim != NULL);
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i] = (struct fuzz_node){.options = links_options_default()};
        nodes[i].options.cluster = CLUSTER;
        nodes[i].options.uid = uid_of(i);
        nodes[i].options.incarnation = 9;
        nodes[i].options.strangers_max = STRANGERS + 1;
        nodes[i].options.message_len_max = MESSAGE_LEN_MAX;
        nodes[i].options.links_max = 4;
        const struct shard_set_options life = {
            .count = 1,
            .actor_ops = node_ops,
            .actor_create = node_create,
            .context = &nodes[i],
        };
        FUZZ_CHECK(sim_add_node(sim, &life) == i);
    }
    struct socket_address address;
    sim_node_address(1, PORT, &address);
    links_keep(nodes[0].links, &nodes[1].options.uid, &address);
    sim_node_address(0, PORT, &address);
    links_keep(nodes[1].links, &nodes[0].options.uid, &address);
    poller_wake(nodes[0].shard->poller);
    sim_advance_ms(sim, 50);
    FUZZ_CHECK(nodes[0].is_up && nodes[1].is_up);
}

static void say_number(uint32_t from)
{
    const uint64_t number = nodes[from].said;
    nodes[from].said += links_send(nodes[from].links, &nodes[1 - from].options.uid, MESSAGE_REPLY,
                                   span_of(&number, sizeof(number)), NULL);
    poller_wake(nodes[from].shard->poller);
}

/* ---- strangers ---- */

static void stranger_leave(uint32_t which, bool reset)
{
    if (strangers[which] >= 0) {
        sim_client_close(sim, strangers[which], reset);
        strangers[which] = -1;
    }
}

static void stranger_say(uint32_t which, struct span bytes)
{
    if (strangers[which] >= 0 && bytes.len > 0) {
        (void)sim_client_send(sim, strangers[which], bytes.at, bytes.len);
    }
}

static void stranger_say_hello(uint32_t which, struct fuzz_input *input)
{
    uint8_t bytes[LINK_HEAD_LEN + LINK_HELLO_LEN_MAX];
    struct writer frame = writer_of(bytes, sizeof(bytes));
    const uint8_t how = next_byte(input);
    const struct link_hello hello = {
        .cluster = CLUSTER + (how & 1u),
        .protocol_min = 1 + (how >> 1 & 1u),
        .protocol_max = 2,
        .incarnation = how >> 2 & 7u,
        .uid = uid_of(100 + (how >> 5)),
    };
    link_hello_write(&hello, false, &frame);
    stranger_say(which, writer_written(&frame));
}

static void stranger_say_message(uint32_t which, struct fuzz_input *input)
{
    uint8_t bytes[LINK_HEAD_LEN + 64] = {0};
    const uint8_t len = next_byte(input) % 65;
    link_message_head(len, bytes);
    bytes[LINK_LENGTH_LEN] = 4 + next_byte(input) % 3;
    stranger_say(which, span_of(bytes, LINK_HEAD_LEN + len));
}

static void act(struct fuzz_input *input)
{
    const uint8_t first = next_byte(input);
    const uint32_t which = first / 16 % STRANGERS;
    struct socket_address address;
    uint8_t dump[512];
    switch (first % 10) {
    case 0:
    case 1:
        sim_node_address(first % 10, PORT, &address);
        stranger_leave(which, true);
        strangers[which] = sim_client_connect(sim, first % 10, &address);
        break;
    case 2:
        stranger_say_hello(which, input);
        break;
    case 3:
        stranger_say_message(which, input);
        break;
    case 4: {
        const size_t want = next_byte(input);
        const size_t len = want < input->len ? want : input->len;
        stranger_say(which, span_of(input->at, len));
        input->at += len;
        input->len -= len;
        break;
    }
    case 5: {
        const uint64_t ms = 1ull << next_byte(input) % 14;
        sim_advance_ms(sim, time_ms + ms <= TIME_MS_MAX ? ms : 0);
        time_ms += ms;
        break;
    }
    case 6:
        stranger_leave(which, first >= 128);
        break;
    case 7:
        if (strangers[which] >= 0) {
            (void)sim_client_receive(sim, strangers[which], dump, sizeof(dump));
        }
        break;
    case 8:
        say_number(first / 16 % NODES);
        break;
    default:
        sim_settle(sim);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0 || len > INPUT_MAX) {
        return 0;
    }
    struct fuzz_input input = {bytes + 1, len - 1};
    time_ms = 0;
    memset(strangers, -1, sizeof(strangers));
    start_nodes(bytes[0]);
    while (input.len > 0) {
        act(&input);
    }
    for (uint32_t i = 0; i < STRANGERS; i++) {
        stranger_leave(i, false);
    }
    say_number(0);
    say_number(1);
    sim_advance_ms(sim, 20000);
    for (uint32_t i = 0; i < NODES; i++) {
        struct links_gauges gauges;
        links_gauges(nodes[i].links, &gauges);
        FUZZ_CHECK(nodes[i].heard == nodes[1 - i].said && nodes[i].heard > 0);
        FUZZ_CHECK(gauges.strangers == 0 && gauges.up == 1 && gauges.queue_bytes == 0);
        FUZZ_CHECK(sim_node_connections(sim, i) == 1);
    }
    sim_destroy(sim);
    return 0;
}
