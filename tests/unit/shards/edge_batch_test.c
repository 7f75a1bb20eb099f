/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose publications wait for each other, and those of which only the latest counts. */
#include <stdio.h>

#include "tests/unit/shards/edge_streams.h"

enum { DELAY_MS = 100 };

static struct channel_options *batching(uint32_t size, bool latest)
{
    streams_init(0);
    struct channel_options *options = &streams.namespaces[0]; /* "r" */
    options->batch_max_delay_ms = DELAY_MS;
    options->batch_max_size = size;
    options->batch_flush_latest = latest;
    return options;
}

static void hears_number(struct peer *peer, unsigned number)
{
    char wanted[32];
    (void)snprintf(wanted, sizeof(wanted), "\"data\":%u,\"offset\":%u", number, number);
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, wanted));
}

static void publishes(unsigned first, unsigned last)
{
    for (unsigned i = first; i <= last; i++) {
        assert_int_equal(publish("r:c", i), i);
    }
}

static void they_leave_after_the_delay(void **state)
{
    (void)state;
    (void)batching(0, false);
    edge_rig_start(&streams);
    struct peer *one = client_at(0);
    struct peer *other = client_at(3);
    (void)follows(one, "r:c", 0);
    (void)follows(other, "r:c", 0);
    publishes(1, 3);
    peer_hear_nothing(one);
    assert_int_equal(edge_rig_count(&streams, COUNTER_BATCH_WAITING), 6);
    edge_rig_advance(&streams, DELAY_MS + 20);
    for (unsigned i = 1; i <= 3; i++) {
        hears_number(one, i);
        hears_number(other, i);
    }
    publishes(4, 4);
    peer_hear_nothing(one);
    edge_rig_advance(&streams, DELAY_MS + 20);
    hears_number(one, 4);
    edge_rig_stop(&streams);
}

static void so_many_do_not_wait(void **state)
{
    (void)state;
    (void)batching(3, false);
    edge_rig_start(&streams);
    struct peer *peer = client_at(1);
    (void)follows(peer, "r:c", 0);
    publishes(1, 2);
    peer_hear_nothing(peer);
    publishes(3, 4);
    for (unsigned i = 1; i <= 3; i++) {
        hears_number(peer, i);
    }
    peer_hear_nothing(peer);
    edge_rig_advance(&streams, DELAY_MS + 20);
    hears_number(peer, 4);
    edge_rig_stop(&streams);
}

static void only_the_latest_leaves(void **state)
{
    (void)state;
    (void)batching(0, true);
    edge_rig_start(&streams);
    struct peer *peer = client_at(1);
    char epoch[EPOCH_SIZE];
    (void)snprintf(epoch, sizeof(epoch), "%s", follows(peer, "r:c", 0));
    for (unsigned round = 0; round < 3; round++) {
        publishes(5 * round + 1, 5 * round + 5);
        edge_rig_advance(&streams, DELAY_MS + 20);
        hears_number(peer, 5 * round + 5);
        peer_hear_nothing(peer);
    }
    assert_int_equal(edge_rig_count(&streams, COUNTER_BATCH_DROPPED), 12);
    /* What was left out is in the history all the same. */
    struct peer *back = client_at(2);
    recovers(back, "r:c", 11, epoch);
    peer_hear_frame(back, 0x81);
    assert_non_null(strstr(back->message.at, "\"data\":12,\"offset\":12"));
    edge_rig_stop(&streams);
}

/* Who subscribes meanwhile is told a position behind what waits, and gets none of it. */
static void who_comes_meanwhile_is_behind_them(void **state)
{
    (void)state;
    (void)batching(0, false);
    edge_rig_start(&streams);
    struct peer *one = client_at(1);
    (void)follows(one, "r:c", 0);
    publishes(1, 2);
    peer_hear_nothing(one);
    struct peer *other = client_at(1);
    (void)follows(other, "r:c", 2);
    hears_number(one, 1);
    hears_number(one, 2);
    publishes(3, 3);
    edge_rig_advance(&streams, DELAY_MS + 20);
    hears_number(one, 3);
    hears_number(other, 3);
    peer_hear_nothing(other);
    /* The last one goes while something waits. */
    publishes(4, 4);
    peer_close(one);
    peer_close(other);
    assert_int_equal(edge_rig_count(&streams, COUNTER_BATCH_WAITING), 0);
    edge_rig_advance(&streams, DELAY_MS + 20);
    edge_rig_stop(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_leave_after_the_delay),
        cmocka_unit_test(so_many_do_not_wait),
        cmocka_unit_test(only_the_latest_leaves),
        cmocka_unit_test(who_comes_meanwhile_is_behind_them),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
