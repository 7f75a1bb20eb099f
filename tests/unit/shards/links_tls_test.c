/* SPDX-License-Identifier: Apache-2.0 */
/* Links with mutual TLS: in the simulator who may and who may not, and two threads on real sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/runtime/certificates.h"
#include "tests/unit/shards/links_rig.h"

#include <cmocka.h>

/* When the simulator's wall clock begins, about. */
#define NOW_S 1767225600
#define DAY_S 86400

static struct authority *ours;
static struct authority *theirs;

/* ---- in the simulator ---- */

/* The contexts live on in the rig's connections; NULL: in clear. */
static struct links_rig *rig_with(struct tls_context *first, struct tls_context *second)
{
    struct links_rig *rig = links_rig_new(2);
    rig->nodes[0].options.tls = first;
    rig->nodes[1].options.tls = second;
    links_rig_start_all(rig);
    return rig;
}

static void rig_end(struct links_rig *rig)
{
    struct tls_context *first = rig->nodes[0].options.tls;
    struct tls_context *second = rig->nodes[1].options.tls;
    links_rig_free(rig);
    tls_context_destroy(first);
    tls_context_destroy(second);
}

static void nodes_of_one_authority_are_linked(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const struct sim_options options = {
            .seed = seed,
            .latency_us_min = 100,
            .latency_us_max = 4000,
            .split_percent = 30,
            .socket_buffer_bytes = seed % 2 == 0 ? 4000 : 0,
        };
        struct links_rig *rig = links_rig_open(&options, 2);
        rig->nodes[0].options.tls = authority_context(ours);
        rig->nodes[1].options.tls = authority_context(ours);
        links_rig_start_all(rig);
        links_rig_keep_all(rig);
        sim_advance_ms(rig->sim, 500);
        assert_true(links_rig_are_linked(rig, 0, 1));
        for (uint32_t i = 0; i < 100; i++) {
            const size_t len = (size_t)random_below(sim_random(rig->sim), i % 10 == 0 ? 90000 : 90);
            assert_true(links_rig_count(rig, i % 2, 1 - i % 2, len));
            sim_advance_ms(rig->sim, i % 3);
        }
        sim_advance_ms(rig->sim, 60000);
        assert_int_equal(rig->nodes[0].peers[1].heard, 50);
        assert_int_equal(rig->nodes[1].peers[0].heard, 50);
        assert_int_equal(rig->nodes[0].peers[1].ups, 1);
        rig_end(rig);
    }
}

struct refusal_case {
    const char *name;
    struct authority **authority; /* Of node 1. */
    int64_t to_s;
    enum tls_failure first_counts;
    enum tls_failure second_counts;
};

/* Node 0 dials. */
static void who_is_not_certified_gets_no_link(void **state)
{
    (void)state;
    static const struct refusal_case cases[] = {
        {"another authority", &theirs, NOW_S + DAY_S, TLS_FAILURE_UNKNOWN_CA, TLS_FAILURE_REFUSED},
        {"expired", &ours, NOW_S - 1, TLS_FAILURE_EXPIRED, TLS_FAILURE_REFUSED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct refusal_case *played = &cases[i];
        struct certificate certificate =
            authority_issue(*played->authority, NOW_S - DAY_S, played->to_s, NULL);
        struct links_rig *rig = rig_with(authority_context(ours),
                                         certificate_context(&certificate, *played->authority));
        links_rig_keep(rig, 0, 1);
        sim_advance_ms(rig->sim, 3000);
        assert_int_equal(rig->nodes[0].peers[1].ups + rig->nodes[1].peers[0].ups, 0);
        assert_true(links_rig_counters(rig, 0)->tls_failures[played->first_counts] >= 2);
        assert_true(links_rig_counters(rig, 1)->tls_failures[played->second_counts] >= 2);
        rig_end(rig);
        certificate_free(&certificate);
    }
}

static void clear_and_tls_do_not_meet(void **state)
{
    (void)state;
    struct links_rig *rig = rig_with(NULL, authority_context(ours));
    links_rig_keep(rig, 0, 1);
    sim_advance_ms(rig->sim, 3000);
    assert_true(links_rig_counters(rig, 1)->tls_failures[TLS_FAILURE_NOT_TLS] >= 2);
    assert_int_equal(rig->nodes[0].peers[1].ups, 0);
    rig_end(rig);

    rig = rig_with(authority_context(ours), NULL);
    links_rig_keep(rig, 0, 1);
    sim_advance_ms(rig->sim, 3000);
    assert_true(links_rig_counters(rig, 1)->bad_frames[LINK_ERROR_TLS] >= 2);
    assert_int_equal(rig->nodes[1].peers[0].ups, 0);
    rig_end(rig);
}

/* ---- two threads ---- */

enum {
    MESSAGES = 20000,
    PATIENCE_S = 60,
};

/* The first node sends numbers in messages of all sizes, the second one sends each number back. */
struct end {
    struct links_options options;
    struct links_sink sink;
    struct links *links;
    struct shard *shard;
    struct socket_address address; /* Written by the first node before the second one starts. */
    struct socket_address peer_address;
    struct gossip_uid peer;
    bool is_first;
    bool is_up;
    uint64_t sent;
    uint64_t heard;
    uint32_t is_done; /* Atomic. */
};

static void end_send(struct end *end)
{
    static uint8_t zeros[30000];
    while (end->is_first && end->is_up && end->sent < MESSAGES) {
        const size_t len = end->sent % 100 == 0 ? sizeof(zeros) : end->sent % 700;
        struct buf *payload = buf_copy(zeros, len);
        const bool is_sent = links_send(end->links, &end->peer, MESSAGE_REQUEST,
                                        span_of(&end->sent, sizeof(end->sent)), payload);
        buf_release(payload);
        if (!is_sent) {
            return; /* The queue is full: goes on when answers come. */
        }
        end->sent++;
    }
}

static void end_on_up(void *owner, const struct gossip_uid *peer, uint32_t protocol)
{
    struct end *end = owner;
    (void)protocol;
    BUG_IF(!gossip_uid_equal(peer, &end->peer));
    end->is_up = true;
    end_send(end);
}

static void end_on_down(void *owner, const struct gossip_uid *peer)
{
    struct end *end = owner;
    (void)peer;
    BUG_IF(__atomic_load_n(&end->is_done, __ATOMIC_ACQUIRE) == 0 && end->is_first);
    end->is_up = false;
}

static void end_on_message(void *owner, const struct gossip_uid *peer, struct span message)
{
    struct end *end = owner;
    uint64_t number;
    BUG_IF(message.len < sizeof(number));
    memcpy(&number, message.at, sizeof(number));
    BUG_IF(number != end->heard++);
    if (!end->is_first) {
        BUG_IF(
            !links_send(end->links, peer, MESSAGE_REPLY, span_of(&number, sizeof(number)), NULL));
    } else if (end->heard == MESSAGES) {
        __atomic_store_n(&end->is_done, 1, __ATOMIC_RELEASE);
    } else {
        end_send(end);
    }
}

static bool end_start(void *actor, struct shard *shard)
{
    struct end *end = actor;
    end->shard = shard;
    end->links = links_create(shard, &end->options, &end->sink);
    BUG_IF(end->links == NULL || !links_listen(end->links, &end->address));
    if (end->peer_address.family != 0) {
        links_keep(end->links, &end->peer, &end->peer_address);
    }
    return true;
}

static void end_on_shard_message(void *actor, const struct message *message)
{
    (void)actor;
    (void)message;
}

static void end_on_event(void *actor, uint64_t token, uint32_t events)
{
    links_on_event(((struct end *)actor)->links, token, events);
}

static void end_on_turn_end(void *actor)
{
    links_on_turn_end(((struct end *)actor)->links);
}

static bool end_has_work(void *actor)
{
    return links_has_work(((struct end *)actor)->links);
}

static void end_stop(void *actor)
{
    links_destroy(((struct end *)actor)->links);
}

static const struct shard_actor *end_ops(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = end_start,
        .on_message = end_on_shard_message,
        .on_event = end_on_event,
        .on_turn_end = end_on_turn_end,
        .has_work = end_has_work,
        .stop = end_stop,
    };
    (void)id;
    return &ops;
}

static void *end_create(uint32_t id, void *context)
{
    (void)id;
    return context;
}

static struct shard_set *end_run(struct end *end, bool is_first, struct tls_context *tls,
                                 uint16_t port)
{
    end->options = links_options_default();
    end->options.cluster = LINKS_RIG_CLUSTER;
    end->options.uid = links_rig_uid(is_first ? 0 : 1);
    end->options.incarnation = 1;
    end->options.tls = tls;
    end->options.message_len_max = 40000;
    end->options.queue_requests_bytes_max = 300000;
    end->options.dead_ms = PATIENCE_S * 1000; /* A machine may be slow. */
    end->options.handshake_ms = PATIENCE_S * 1000;
    end->sink = (struct links_sink){end, end_on_up, end_on_down, end_on_message};
    end->peer = links_rig_uid(is_first ? 1 : 0);
    end->is_first = is_first;
    assert_true(socket_address_parse("127.0.0.1", port, &end->address));
    const struct shard_set_options set = {
        .count = 1,
        .actor_ops = end_ops,
        .actor_create = end_create,
        .context = end,
    };
    return shard_set_start(&set);
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct socket_address any;
    struct socket_address bound;
    struct poller *poller = poller_create_epoll();
    assert_true(poller != NULL && poller_open_private(poller));
    assert_true(socket_address_parse("127.0.0.1", 0, &any));
    const int listener = poller_listen(poller, &any, 1);
    assert_true(poller_epoll_local_address(poller, listener, &bound));
    poller_close(poller, listener);
    poller_destroy(poller);
    return bound.port;
}

static void two_threads_talk_over_real_sockets(void **state)
{
    (void)state;
    struct end ends[2] = {{.sent = 0}, {.sent = 0}};
    struct tls_context *tls[2] = {authority_context(ours), authority_context(ours)};
    const uint16_t port = free_port();
    struct shard_set *second = end_run(&ends[1], false, tls[1], port);
    assert_non_null(second);
    ends[0].peer_address = ends[1].address;
    struct shard_set *first = end_run(&ends[0], true, tls[0], free_port());
    assert_non_null(first);
    const struct timespec nap = {.tv_nsec = 5 * 1000 * 1000};
    for (int i = 0; i < PATIENCE_S * 200; i++) {
        if (__atomic_load_n(&ends[0].is_done, __ATOMIC_ACQUIRE) != 0) {
            break;
        }
        nanosleep(&nap, NULL);
    }
    assert_int_equal(__atomic_load_n(&ends[0].is_done, __ATOMIC_ACQUIRE), 1);
    shard_set_stop(first);
    shard_set_stop(second);
    assert_int_equal(ends[0].heard, MESSAGES);
    assert_int_equal(ends[1].heard, MESSAGES);
    tls_context_destroy(tls[0]);
    tls_context_destroy(tls[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_of_one_authority_are_linked),
        cmocka_unit_test(who_is_not_certified_gets_no_link),
        cmocka_unit_test(clear_and_tls_do_not_meet),
        cmocka_unit_test(two_threads_talk_over_real_sockets),
    };
    ours = authority_create("ours");
    theirs = authority_create("theirs");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    authority_destroy(ours);
    authority_destroy(theirs);
    return failed;
}
