/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that clients track: their backend is asked for them, and each client is told what is newer
 * than what it has. */
#include <stdio.h>

#include "codec/delta.h"
#include "codec/json.h"
#include "shards/limits.h"
#include "tests/unit/shards/edge_shared_poll.h"

static struct poll_rig poll;

static void start(void)
{
    poll_rig_init(&poll);
    poll_rig_start(&poll);
}

#define ASKED(channel, items) "{\"channel\":\"" channel "\",\"items\":[" items "]}"
#define KEY(key) "{\"key\":\"" key "\"}"
#define KNOWN(key, version) "{\"key\":\"" key "\",\"version\":" version "}"
#define ITEM(key, data, version) "{\"key\":\"" key "\",\"data\":" data ",\"version\":" version "}"
#define TOLD(data, key, version) "\"data\":" data ",\"key\":\"" key "\",\"version\":" version

/* ---- subscribing ---- */

static void a_subscription_says_that_it_is_of_a_poll(void **state)
{
    (void)state;
    start();
    struct peer *peer = peer_open(&poll.rig);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"poll:a\",\"type\":4}}");
    peer_hear(peer, "{\"id\":2,\"subscribe\":{\"type\":4}}");
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"poll:b\",\"type\":4,"
                   "\"delta\":\"fossil\"}}");
    peer_hear(peer, "{\"id\":3,\"subscribe\":{\"delta\":true,\"type\":4}}");
    peer_say(peer, "{\"id\":4,\"subscribe\":{\"channel\":\"free:a\",\"type\":4}}");
    peer_hear_frame(peer, 0x81);
    const char *epoch = strstr(peer->message.at, "\"epoch\":\"");
    assert_non_null(epoch);
    assert_int_equal(strcspn(epoch + 9, "\""), 8);
    /* The same for the node's other clients and channels. */
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted),
                   "{\"id\":2,\"subscribe\":{\"epoch\":\"%.8s\",\"type\":4}}", epoch + 9);
    struct peer *other = peer_open_at(&poll.rig, 1);
    peer_connect(other);
    peer_say(other, "{\"id\":2,\"subscribe\":{\"channel\":\"free:b\",\"type\":4}}");
    peer_hear(other, "%s", wanted);
    poll_rig_stop(&poll);
}

static void a_wrong_type_is_refused(void **state)
{
    (void)state;
    start();
    struct peer *peer = peer_open(&poll.rig);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"poll:a\"}}");
    peer_hear(peer, "{\"id\":2,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"stream\",\"type\":4}}");
    peer_hear(peer, "{\"id\":3,\"error\":{\"code\":108,\"message\":\"not available\"}}");
    peer_say(peer, "{\"id\":4,\"publish\":{\"channel\":\"poll:a\",\"data\":{}}}");
    peer_hear(peer, "{\"id\":4,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    poll_say_track(peer, "poll:a", poll_batch(&poll, "poll:a", "k:0", 60), "");
    peer_hear(peer, "{\"id\":9,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
    poll_rig_stop(&poll);
}

/* ---- polling ---- */

static void a_new_key_is_asked_for_at_once(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    poll_track(&poll, peer, "poll:a", "k1:0,k2:0");
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_TRACKED), 2);
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_KEYS), 2);
    poll_answer(&poll, ASKED("poll:a", KEY("k1") "," KEY("k2")),
                "\"items\":[" ITEM("k1", "{\"v\":1}", "3") "," ITEM("x", "0", "1") "]");
    poll_hear(peer, "poll:a", TOLD("{\"v\":1}", "k1", "3"));
    peer_hear_nothing(peer);
    assert_int_equal(edge_rig_count(&poll.rig,
                                    COUNTER_OF(POLL_ITEMS, POLL_BY_NOTIFICATION, POLL_CHANGED)),
                     1);
    poll_rig_stop(&poll);
}

static void keys_are_asked_for_again_in_each_interval(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    poll_track(&poll, peer, "poll:a", "k:0");
    poll_answer(&poll, ASKED("poll:a", KEY("k")), "\"items\":[" ITEM("k", "1", "1") "]");
    poll_hear(peer, "poll:a", TOLD("1", "k", "1"));
    edge_rig_advance(&poll.rig, 9900);
    backend_hears_nothing(&poll.backend);
    edge_rig_advance(&poll.rig, 200);
    poll_answer(&poll, ASKED("poll:a", KNOWN("k", "1")), "\"items\":[" ITEM("k", "1", "1") "]");
    peer_hear_nothing(peer);
    edge_rig_advance(&poll.rig, 10000);
    poll_answer(&poll, ASKED("poll:a", KNOWN("k", "1")), "\"items\":[" ITEM("k", "2", "2") "]");
    poll_hear(peer, "poll:a", TOLD("2", "k", "2"));
    /* An older one is none. */
    edge_rig_advance(&poll.rig, 10000);
    poll_answer(&poll, ASKED("poll:a", KNOWN("k", "2")), "\"items\":[" ITEM("k", "1", "1") "]");
    peer_hear_nothing(peer);
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_OF(POLL_ITEMS, POLL_BY_TIMER, POLL_POLLED)),
                     3);
    assert_int_equal(edge_rig_count(&poll.rig,
                                    COUNTER_OF(POLL_ITEMS, POLL_BY_TIMER, POLL_UNCHANGED)),
                     2);
    poll_rig_stop(&poll);
}

/* Of all shards: how many were recorded, and their sum. */
static uint64_t recorded(uint32_t hist, uint64_t *sum)
{
    uint64_t count = 0;
    *sum = 0;
    for (uint32_t shard = 0; shard < poll.rig.options.shards; shard++) {
        const struct hist *of_shard = node_stats(poll.rig.node, shard)->hists[hist];
        count += hist_count(of_shard);
        *sum += hist_sum(of_shard);
    }
    return count;
}

static void batches_are_spread_over_the_interval(void **state)
{
    (void)state;
    poll_rig_init(&poll);
    poll.versioned->refresh_batch_size = 2;
    poll_rig_start(&poll);
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    poll_track(&poll, peer, "poll:a", "a:0,b:0,c:0");
    /* They leave together at first: in batches, too. */
    const uint32_t first = backend_hear(&poll.backend, ASKED("poll:a", KEY("a") "," KEY("b")));
    const uint32_t second = backend_hear(&poll.backend, ASKED("poll:a", KEY("c")));
    backend_answer(&poll.backend, first, "{\"result\":{}}");
    backend_answer(&poll.backend, second, "{}");
    edge_rig_advance(&poll.rig, 5100);
    poll_answer(&poll, ASKED("poll:a", KEY("a") "," KEY("b")), "");
    backend_hears_nothing(&poll.backend);
    edge_rig_advance(&poll.rig, 5000);
    poll_answer(&poll, ASKED("poll:a", KEY("c") "," KEY("a")), "");
    edge_rig_advance(&poll.rig, 5000);
    poll_answer(&poll, ASKED("poll:a", KEY("b") "," KEY("c")),
                "\"items\":[" ITEM("x", "1", "1") "]");
    /* Two turns are a cycle: half an interval, nearly all of it because they are spread. */
    uint64_t sum;
    assert_int_equal(recorded(HIST_POLL_CYCLE, &sum), 1);
    assert_true(sum >= 5 * CLOCK_NS_A_S && sum < 6 * CLOCK_NS_A_S);
    assert_int_equal(recorded(HIST_POLL_CYCLE_WORK, &sum), 1);
    assert_true(sum < CLOCK_NS_A_S);
    assert_int_equal(recorded(HIST_POLL_ASKED, &sum), 5);
    assert_int_equal(sum, 2 + 1 + 2 + 2 + 2);
    assert_int_equal(recorded(HIST_POLL_ANSWERED, &sum), 5);
    assert_int_equal(sum, 1);
    poll_rig_stop(&poll);
}

static void a_backend_that_fails_is_asked_again(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    poll_track(&poll, peer, "poll:a", "k:0");
    (void)backend_hear(&poll.backend, ASKED("poll:a", KEY("k")));
    edge_rig_advance(&poll.rig, 1100); /* No answer in time. */
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_OF(POLL_ERROR, POLL_BY_NOTIFICATION, 0)), 1);
    static const char *const answers[] = {
        "{\"error\":{\"code\":1000,\"message\":\"no\"}}",
        "{\"result\":[]}",
        "{\"result\":{\"items\":[{\"key\":7}]}}",
        "oops",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        edge_rig_advance(&poll.rig, i == 0 ? 9000 : 10000);
        backend_answer(&poll.backend, backend_hear(&poll.backend, ASKED("poll:a", KEY("k"))),
                       answers[i]);
    }
    edge_rig_advance(&poll.rig, 10000);
    backend_say(&poll.backend, backend_hear(&poll.backend, ASKED("poll:a", KEY("k"))),
                "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_OF(POLL_ERROR, POLL_BY_TIMER, 0)), 5);
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_OF(PROXY_ERROR, 0, 0)), 6);
    peer_hear_nothing(peer);
    edge_rig_advance(&poll.rig, 10000);
    poll_answer(&poll, ASKED("poll:a", KEY("k")), "\"items\":[" ITEM("k", "1", "1") "]");
    poll_hear(peer, "poll:a", TOLD("1", "k", "1"));
    poll_rig_stop(&poll);
}

static void no_more_polls_are_under_way_than_allowed(void **state)
{
    (void)state;
    poll_rig_init(&poll);
    poll.rig.options.shards = 1;
    poll.rig.options.shared_poll_concurrency_limit = 1;
    poll_rig_start(&poll);
    struct peer *peer = peer_open(&poll.rig);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"poll:a\",\"type\":4}}");
    peer_hear(peer, "{\"id\":2,\"subscribe\":{\"type\":4}}");
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"poll:b\",\"type\":4}}");
    peer_hear(peer, "{\"id\":3,\"subscribe\":{\"type\":4}}");
    poll_track(&poll, peer, "poll:a", "a:0");
    poll_track(&poll, peer, "poll:b", "b:0");
    poll_track(&poll, peer, "poll:b", "c:0");
    const uint32_t first = backend_hear(&poll.backend, ASKED("poll:a", KEY("a")));
    backend_hears_nothing(&poll.backend);
    backend_answer(&poll.backend, first, "{}");
    /* What came meanwhile leaves together. */
    poll_answer(&poll, ASKED("poll:b", KEY("b") "," KEY("c")), "");
    poll_rig_stop(&poll);
}

/* ---- who is told what ---- */

static void whoever_comes_later_has_it_at_once(void **state)
{
    (void)state;
    start();
    struct peer *first = poll_follow(&poll, 0, "poll:a");
    struct peer *same_shard = poll_follow(&poll, 0, "poll:a");
    struct peer *other_shard = poll_follow(&poll, 1, "poll:a");
    poll_track(&poll, first, "poll:a", "k:0");
    poll_answer(&poll, ASKED("poll:a", KEY("k")), "\"items\":[" ITEM("k", "\"x\"", "5") "]");
    poll_hear(first, "poll:a", TOLD("\"x\"", "k", "5"));
    poll_track(&poll, same_shard, "poll:a", "k:4");
    poll_hear(same_shard, "poll:a", TOLD("\"x\"", "k", "5"));
    poll_track(&poll, other_shard, "poll:a", "k:0");
    poll_hear(other_shard, "poll:a", TOLD("\"x\"", "k", "5"));
    peer_hear_nothing(first);
    backend_hears_nothing(&poll.backend);
    poll_rig_stop(&poll);
}

static void whoever_has_it_is_not_told(void **state)
{
    (void)state;
    start();
    struct peer *behind = poll_follow(&poll, 0, "poll:a");
    struct peer *even = poll_follow(&poll, 1, "poll:a");
    struct peer *ahead = poll_follow(&poll, 1, "poll:a");
    poll_track(&poll, behind, "poll:a", "k:4");
    poll_track(&poll, even, "poll:a", "k:5");
    poll_track(&poll, ahead, "poll:a", "k:6");
    poll_answer(&poll, ASKED("poll:a", KEY("k")), "\"items\":[" ITEM("k", "1", "5") "]");
    poll_hear(behind, "poll:a", TOLD("1", "k", "5"));
    peer_hear_nothing(even);
    peer_hear_nothing(ahead);
    edge_rig_advance(&poll.rig, 10000);
    poll_answer(&poll, ASKED("poll:a", KNOWN("k", "5")), "\"items\":[" ITEM("k", "2", "7") "]");
    poll_hear(behind, "poll:a", TOLD("2", "k", "7"));
    poll_hear(even, "poll:a", TOLD("2", "k", "7"));
    poll_hear(ahead, "poll:a", TOLD("2", "k", "7"));
    /* Who says that he has less is told again. */
    poll_track(&poll, even, "poll:a", "k:1");
    poll_hear(even, "poll:a", TOLD("2", "k", "7"));
    poll_rig_stop(&poll);
}

static void a_key_that_is_removed_is_told_and_tracked_no_more(void **state)
{
    (void)state;
    start();
    struct peer *one = poll_follow(&poll, 0, "poll:a");
    struct peer *other = poll_follow(&poll, 1, "poll:a");
    poll_track(&poll, one, "poll:a", "k:0,l:0");
    poll_track(&poll, other, "poll:a", "k:9");
    poll_answer(&poll, ASKED("poll:a", KEY("k") "," KEY("l")),
                "\"items\":[{\"key\":\"k\",\"data\":null,\"removed\":true}]");
    poll_hear(one, "poll:a", "\"key\":\"k\",\"removed\":true");
    poll_hear(other, "poll:a", "\"key\":\"k\",\"removed\":true");
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_TRACKED), 1);
    edge_rig_advance(&poll.rig, 10100);
    poll_answer(&poll, ASKED("poll:a", KEY("l")), "");
    /* It may come again. */
    poll_track(&poll, other, "poll:a", "k:0");
    poll_answer(&poll, ASKED("poll:a", KEY("k")), "\"items\":[" ITEM("k", "1", "1") "]");
    poll_hear(other, "poll:a", TOLD("1", "k", "1"));
    poll_rig_stop(&poll);
}

static void untracked_keys_are_not_asked_for(void **state)
{
    (void)state;
    start();
    struct peer *one = poll_follow(&poll, 0, "poll:a");
    struct peer *other = poll_follow(&poll, 1, "poll:a");
    poll_track(&poll, one, "poll:a", "a:0,b:0");
    poll_answer(&poll, ASKED("poll:a", KEY("a") "," KEY("b")), "");
    poll_track(&poll, other, "poll:a", "b:0");
    poll_answer(&poll, ASKED("poll:a", KEY("b")), "");
    poll_untrack(one, "poll:a", "\"a\",\"b\",\"never\"");
    edge_rig_advance(&poll.rig, 10100);
    poll_answer(&poll, ASKED("poll:a", KEY("b")), "\"items\":[" ITEM("b", "1", "1") "]");
    poll_hear(other, "poll:a", TOLD("1", "b", "1"));
    peer_hear_nothing(one);
    peer_say(other, "{\"id\":5,\"unsubscribe\":{\"channel\":\"poll:a\"}}");
    peer_hear(other, "{\"id\":5,\"unsubscribe\":{}}");
    edge_rig_advance(&poll.rig, 20000);
    backend_hears_nothing(&poll.backend);
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_CHANNELS), 0);
    peer_say(one, "{\"id\":9,\"sub_refresh\":{\"channel\":\"poll:a\",\"type\":2}}");
    peer_hear(one, "{\"id\":9,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    poll_rig_stop(&poll);
}

static void who_leaves_while_a_poll_is_under_way_takes_his_keys_along(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    poll_track(&poll, peer, "poll:a", "k:0");
    const uint32_t at = backend_hear(&poll.backend, ASKED("poll:a", KEY("k")));
    peer_reset(peer);
    edge_rig_settle(&poll.rig);
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_KEYS), 0);
    backend_answer(&poll.backend, at, "{\"result\":{\"items\":[" ITEM("k", "1", "1") "]}}");
    poll_rig_stop(&poll);
}

/* ---- versions that the node gives ---- */

static void without_versions_what_differs_is_new(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "free:a");
    struct peer *late = poll_follow(&poll, 1, "free:a");
    poll_track(&poll, peer, "free:a", "k:0,l:0");
    poll_answer(&poll, ASKED("free:a", KEY("k") "," KEY("l")),
                "\"items\":[{\"key\":\"k\",\"data\":1},{\"key\":\"l\",\"data\":1}]");
    poll_hear(peer, "free:a", TOLD("1", "k", "1"));
    poll_hear(peer, "free:a", TOLD("1", "l", "2"));
    edge_rig_advance(&poll.rig, 10100);
    poll_answer(&poll, ASKED("free:a", KEY("k") "," KEY("l")),
                "\"items\":[{\"key\":\"k\",\"data\":1},{\"key\":\"l\",\"data\":2}]");
    poll_hear(peer, "free:a", TOLD("2", "l", "3"));
    peer_hear_nothing(peer);
    poll_track(&poll, late, "free:a", "k:1,l:2");
    poll_hear(late, "free:a", TOLD("2", "l", "3"));
    peer_hear_nothing(late);
    poll_rig_stop(&poll);
}

/* ---- epochs ---- */

#define INSUFFICIENT \
    "{\"push\":{\"channel\":\"poll:a\",\"unsubscribe\":{\"code\":2500,\"reason\":" \
    "\"insufficient state\"}}}"

static void a_new_epoch_ends_what_was_of_the_other(void **state)
{
    (void)state;
    start();
    struct peer *one = poll_follow(&poll, 0, "poll:a");
    poll_track(&poll, one, "poll:a", "k:0");
    poll_answer(&poll, ASKED("poll:a", KEY("k")),
                "\"epoch\":\"e1\",\"items\":[" ITEM("k", "1", "7") "]");
    /* It was told of none. */
    peer_hear(one, INSUFFICIENT);
    edge_rig_advance(&poll.rig, 30000);
    backend_hears_nothing(&poll.backend);
    peer_say(one, "{\"id\":5,\"subscribe\":{\"channel\":\"poll:a\",\"type\":4}}");
    peer_hear(one, "{\"id\":5,\"subscribe\":{\"epoch\":\"e1\",\"type\":4}}");
    poll_track(&poll, one, "poll:a", "k:0");
    poll_answer(&poll, ASKED("poll:a", KEY("k")),
                "\"epoch\":\"e1\",\"items\":[" ITEM("k", "1", "7") "]");
    poll_hear(one, "poll:a", TOLD("1", "k", "7"));
    edge_rig_advance(&poll.rig, 10100);
    poll_answer(&poll, ASKED("poll:a", KNOWN("k", "7")),
                "\"epoch\":\"e2\",\"items\":[" ITEM("k", "1", "1") "]");
    peer_hear(one, INSUFFICIENT);
    peer_hear_nothing(one);
    peer_say(one, "{\"id\":6,\"subscribe\":{\"channel\":\"poll:a\",\"type\":4}}");
    peer_hear(one, "{\"id\":6,\"subscribe\":{\"epoch\":\"e2\",\"type\":4}}");
    poll_rig_stop(&poll);
}

/* ---- deltas ---- */

/* What the JSON client is told, as bytes. */
static struct span told_text(const struct peer *peer, uint8_t *room, size_t size)
{
    struct scratch scratch = scratch_of(room, size);
    struct json_reader reader;
    struct json_value value;
    struct span text;
    const char *data = strstr(peer->message.at, "\"data\":");
    assert_non_null(data);
    json_reader_begin(&reader, span_of_text(data + 7));
    assert_int_equal(json_read_value(&reader, &value), JSON_OK);
    assert_int_equal(json_string_decode(value.raw, &scratch, &text), JSON_OK);
    return text;
}

#define LONG "the same in all of them, so that a difference is shorter than the whole of it"

static void deltas_are_told_against_what_was_told(void **state)
{
    (void)state;
    start();
    struct peer *peer = peer_open(&poll.rig);
    peer_connect(peer);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"poll:a\",\"type\":4,"
                   "\"delta\":\"fossil\"}}");
    peer_hear(peer, "{\"id\":2,\"subscribe\":{\"delta\":true,\"type\":4}}");
    struct peer *plain = poll_follow(&poll, 1, "poll:a");
    poll_track(&poll, peer, "poll:a", "k:0");
    poll_track(&poll, plain, "poll:a", "k:0");
    poll_answer(&poll, ASKED("poll:a", KEY("k")),
                "\"items\":[" ITEM("k", "\"1" LONG "\"", "1") "]");
    poll_hear(plain, "poll:a", TOLD("\"1" LONG "\"", "k", "1"));
    uint8_t base[256];
    uint8_t room[256];
    uint8_t made[256];
    peer_hear_frame(peer, 0x81);
    assert_null(strstr(peer->message.at, "\"delta\""));
    const struct span before = told_text(peer, base, sizeof(base));
    assert_true(span_equal(before, SPAN_LITERAL("\"1" LONG "\"")));
    edge_rig_advance(&poll.rig, 10100);
    poll_answer(&poll, ASKED("poll:a", KNOWN("k", "1")),
                "\"items\":[" ITEM("k", "\"2" LONG "\"", "2") "]");
    poll_hear(plain, "poll:a", TOLD("\"2" LONG "\"", "k", "2"));
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"delta\":true"));
    uint8_t copy[256];
    memcpy(copy, before.at, before.len);
    struct writer out = writer_of(made, sizeof(made));
    assert_int_equal(delta_apply(span_of(copy, before.len), told_text(peer, room, sizeof(room)),
                                 &out),
                     DELTA_OK);
    assert_true(span_equal(writer_written(&out), SPAN_LITERAL("\"2" LONG "\"")));
    /* Who says that he has it may have lost the bytes. */
    poll_track(&poll, peer, "poll:a", "k:1");
    peer_hear_frame(peer, 0x81);
    assert_null(strstr(peer->message.at, "\"delta\""));
    poll_rig_stop(&poll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_says_that_it_is_of_a_poll),
        cmocka_unit_test(a_wrong_type_is_refused),
        cmocka_unit_test(a_new_key_is_asked_for_at_once),
        cmocka_unit_test(keys_are_asked_for_again_in_each_interval),
        cmocka_unit_test(batches_are_spread_over_the_interval),
        cmocka_unit_test(a_backend_that_fails_is_asked_again),
        cmocka_unit_test(no_more_polls_are_under_way_than_allowed),
        cmocka_unit_test(whoever_comes_later_has_it_at_once),
        cmocka_unit_test(whoever_has_it_is_not_told),
        cmocka_unit_test(a_key_that_is_removed_is_told_and_tracked_no_more),
        cmocka_unit_test(untracked_keys_are_not_asked_for),
        cmocka_unit_test(who_leaves_while_a_poll_is_under_way_takes_his_keys_along),
        cmocka_unit_test(without_versions_what_differs_is_new),
        cmocka_unit_test(a_new_epoch_ends_what_was_of_the_other),
    };
    const struct CMUnitTest of_json[] = {
        cmocka_unit_test(deltas_are_told_against_what_was_told),
    };
    const int failed = cmocka_run_group_tests_name("deltas", of_json, NULL, NULL);
    return failed + EDGE_RIG_RUN_IN_BOTH(tests);
}
