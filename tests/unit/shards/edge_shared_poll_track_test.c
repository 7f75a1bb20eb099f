/* SPDX-License-Identifier: Apache-2.0 */
/* Who may track which keys, for how long and how many; and what the server API says of keys. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/edge_shared_poll.h"

static struct poll_rig poll;

static void start(void)
{
    poll_rig_init(&poll);
    poll_rig_start(&poll);
}

#define ASKED(items) "{\"channel\":\"poll:a\",\"items\":[" items "]}"
#define KEY(key) "{\"key\":\"" key "\"}"
#define KNOWN(key, version) "{\"key\":\"" key "\",\"version\":" version "}"
#define ITEM(key, data, version) "{\"key\":\"" key "\",\"data\":" data ",\"version\":" version "}"
#define TOLD(data, key, version) "\"data\":" data ",\"key\":\"" key "\",\"version\":" version

static void expect_error(struct peer *peer, const char *batches, const char *rest, unsigned code)
{
    char wanted[64];
    poll_say_track(peer, "poll:a", batches, rest);
    peer_hear_frame(peer, 0x81);
    (void)snprintf(wanted, sizeof(wanted), "{\"id\":9,\"error\":{\"code\":%u,", code);
    if (strncmp(peer->message.at, wanted, strlen(wanted)) != 0) {
        fail_msg("%s instead of %s", peer->message.at, wanted);
    }
    backend_hears_nothing(&poll.backend);
}

/* ---- signatures ---- */

static void what_was_not_signed_is_refused(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    const int64_t now_s = edge_rig_now_s(&poll.rig);
    struct poll_signing signing = {"other", "", now_s, now_s + 60};
    expect_error(peer, "{\"signature\":\"invalid\",\"items\":[{\"key\":\"k\"}]}", "", 103);
    expect_error(peer, poll_batch_signed(&signing, "poll:a", "k:0"), "", 103);
    signing.secret = POLL_SECRET;
    expect_error(peer, poll_batch_signed(&signing, "poll:b", "k:0"), "", 103);
    signing.user = "somebody";
    expect_error(peer, poll_batch_signed(&signing, "poll:a", "k:0"), "", 103);
    signing.user = "";
    signing.expires_s = now_s - 6;
    expect_error(peer, poll_batch_signed(&signing, "poll:a", "k:0"), "", 109);
    /* One of two. */
    char batches[1024];
    (void)snprintf(batches, sizeof(batches), "%s,%s", poll_batch(&poll, "poll:a", "j:0", 60),
                   poll_batch_signed(&signing, "poll:a", "k:0"));
    expect_error(peer, batches, "", 109);
    expect_error(peer, "", "", 107);
    expect_error(peer, poll_batch(&poll, "poll:a", "", 60), "", 107);
    if (peer->protocol == CLIENT_JSON) {
        expect_error(peer, "{\"signature\":7}", "", 107);
    }
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_TRACKED), 0);
    poll_rig_stop(&poll);
}

static void without_a_secret_nothing_is_tracked(void **state)
{
    (void)state;
    poll_rig_init(&poll);
    poll.rig.options.shared_poll_hmac_secret_key = "";
    poll_rig_start(&poll);
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    expect_error(peer, poll_batch(&poll, "poll:a", "k:0", 60), "", 100);
    poll_rig_stop(&poll);
}

static void the_secret_of_before_is_good_for_a_while(void **state)
{
    (void)state;
    poll_rig_init(&poll);
    poll.rig.options.shared_poll_hmac_previous_secret_key = "before";
    poll_rig_start(&poll);
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    const int64_t now_s = edge_rig_now_s(&poll.rig);
    struct poll_signing signing = {"before", "", now_s, now_s + 3600};
    poll_say_track(peer, "poll:a", poll_batch_signed(&signing, "poll:a", "k:0"), "");
    peer_hear(peer, "{\"id\":9,\"sub_refresh\":{\"expires\":true,\"ttl\":3600}}");
    poll_answer(&poll, ASKED(KEY("k")), "");
    poll_rig_stop(&poll);

    poll_rig_init(&poll);
    poll.rig.options.shared_poll_hmac_previous_secret_key = "before";
    poll.rig.options.shared_poll_hmac_previous_secret_key_valid_until_s = now_s;
    poll_rig_start(&poll);
    peer = poll_follow(&poll, 0, "poll:a");
    signing.issued_s = now_s + 1;
    expect_error(peer, poll_batch_signed(&signing, "poll:a", "k:0"), "", 103);
    poll_rig_stop(&poll);
}

static void a_command_is_told_its_first_expiry(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    char batches[1024];
    (void)snprintf(batches, sizeof(batches), "%s,%s", poll_batch(&poll, "poll:a", "a:0,b:1", 3600),
                   poll_batch(&poll, "poll:a", "b:3,c:0", 30));
    poll_say_track(peer, "poll:a", batches, "");
    peer_hear(peer, "{\"id\":9,\"sub_refresh\":{\"expires\":true,\"ttl\":30}}");
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_TRACKED), 3);
    /* What the last of them says of a key counts. */
    poll_answer(&poll, ASKED(KEY("a") "," KEY("b") "," KEY("c")),
                "\"items\":[" ITEM("b", "1", "3") "," ITEM("c", "1", "1") "]");
    poll_hear(peer, "poll:a", TOLD("1", "c", "1"));
    peer_hear_nothing(peer);
    /* A signature that has just ended is taken, */
    poll_say_track(peer, "poll:a", poll_batch(&poll, "poll:a", "a:0", -4), "");
    peer_hear(peer, "{\"id\":9,\"sub_refresh\":{\"expires\":true}}");
    poll_rig_stop(&poll);
}

static void keys_whose_signature_has_expired_are_dropped(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    poll_say_track(peer, "poll:a", poll_batch(&poll, "poll:a", "a:0,b:0", 1), "");
    peer_hear(peer, "{\"id\":9,\"sub_refresh\":{\"expires\":true,\"ttl\":1}}");
    poll_answer(&poll, ASKED(KEY("a") "," KEY("b")), "");
    edge_rig_advance(&poll.rig, 10100);
    poll_answer(&poll, ASKED(KEY("a") "," KEY("b")), "");
    /* b is signed again. */
    poll_say_track(peer, "poll:a", poll_batch(&poll, "poll:a", "b:0", 3600), "");
    peer_hear(peer, "{\"id\":9,\"sub_refresh\":{\"expires\":true,\"ttl\":3600}}");
    edge_rig_advance(&poll.rig, 10000);
    poll_answer(&poll, ASKED(KEY("a") "," KEY("b")), "");
    edge_rig_advance(&poll.rig, 10000);
    poll_answer(&poll, ASKED(KEY("b")), "");
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_EXPIRED), 1);
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_TRACKED), 1);
    peer_hear_nothing(peer);
    poll_rig_stop(&poll);
}

/* ---- how many ---- */

static void more_keys_than_allowed_are_refused_as_a_whole(void **state)
{
    (void)state;
    poll_rig_init(&poll);
    poll.versioned->max_keys_per_connection = 3;
    poll_rig_start(&poll);
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    poll_track(&poll, peer, "poll:a", "a:0,b:0");
    poll_answer(&poll, ASKED(KEY("a") "," KEY("b")), "");
    expect_error(peer, poll_batch(&poll, "poll:a", "b:0,c:0,d:0", 60), "", 106);
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_TRACKED), 2);
    /* The same key twice is one; those that go with the command make room. */
    poll_say_track(peer, "poll:a", poll_batch(&poll, "poll:a", "c:0,d:0,d:0,a:0", 3600),
                   ",\"untrack\":[\"a\",\"never\"]");
    peer_hear(peer, "{\"id\":9,\"sub_refresh\":{\"expires\":true,\"ttl\":3600}}");
    poll_answer(&poll, ASKED(KEY("c") "," KEY("d")), "");
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_TRACKED), 3);
    edge_rig_advance(&poll.rig, 10100);
    poll_answer(&poll, ASKED(KEY("b") "," KEY("c") "," KEY("d")), "");
    /* Another client has room of its own. */
    struct peer *other = poll_follow(&poll, 1, "poll:a");
    poll_track(&poll, other, "poll:a", "x:0,y:0,z:0");
    poll_answer(&poll, ASKED(KEY("x") "," KEY("y") "," KEY("z")), "");
    poll_rig_stop(&poll);
}

/* ---- the server API ---- */

static void call_api(const char *body, const char *response)
{
    char request[1024];
    struct peer *peer = peer_open(&poll.rig);
    (void)snprintf(request, sizeof(request),
                   "POST /api/shared_poll_publish HTTP/1.1\r\nHost: x\r\nX-API-Key: key\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    peer_send(peer, request);
    peer_hear_response(peer, 200, response);
    peer_close(peer);
}

#define BAD_REQUEST "{\"error\":{\"code\":107,\"message\":\"bad request\"}}"

static void the_server_api_tells_of_keys(void **state)
{
    (void)state;
    start();
    struct peer *one = poll_follow(&poll, 0, "poll:a");
    struct peer *other = poll_follow(&poll, 1, "poll:a");
    poll_track(&poll, one, "poll:a", "k:0,l:0");
    poll_track(&poll, other, "poll:a", "k:5");
    poll_answer(&poll, ASKED(KEY("k") "," KEY("l")), "\"items\":[" ITEM("l", "1", "1") "]");
    poll_hear(one, "poll:a", TOLD("1", "l", "1"));
    call_api("{\"channel\":\"poll:a\",\"key\":\"k\",\"data\":{\"v\":5},\"version\":5}",
             "{\"result\":{}}");
    poll_hear(one, "poll:a", TOLD("{\"v\":5}", "k", "5"));
    peer_hear_nothing(other);
    call_api("{\"channel\":\"poll:a\",\"key\":\"k\",\"data\":{\"v\":4},\"version\":4}",
             "{\"result\":{}}");
    peer_hear_nothing(one);
    call_api("{\"channel\":\"poll:a\",\"key\":\"nobody\",\"data\":1,\"version\":1}",
             "{\"result\":{}}");
    call_api("{\"channel\":\"poll:nobody\",\"key\":\"k\",\"data\":1,\"version\":1}",
             "{\"result\":{}}");
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_PUBLISH_APPLIED), 1);
    assert_int_equal(edge_rig_count(&poll.rig, COUNTER_SHARED_POLL_PUBLISH_SKIPPED), 2);
    /* What has just been told is not asked for. */
    edge_rig_advance(&poll.rig, 10100);
    poll_answer(&poll, ASKED(KNOWN("l", "1")), "");
    edge_rig_advance(&poll.rig, 10000);
    poll_answer(&poll, ASKED(KNOWN("k", "5") "," KNOWN("l", "1")), "");
    poll_rig_stop(&poll);
}

static void the_server_api_says_what_is_wrong(void **state)
{
    (void)state;
    start();
    call_api("{\"channel\":\"poll:a\",\"key\":\"k\",\"data\":1}", BAD_REQUEST);
    call_api("{\"channel\":\"poll:a\",\"data\":1,\"version\":1}", BAD_REQUEST);
    call_api("{\"key\":\"k\",\"data\":1,\"version\":1}", BAD_REQUEST);
    call_api("{\"channel\":\"stream\",\"key\":\"k\",\"data\":1,\"version\":1}", BAD_REQUEST);
    call_api("{\"channel\":\"none:a\",\"key\":\"k\",\"data\":1,\"version\":1}",
             "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}");
    call_api("{\"channel\":\"free:a\",\"key\":\"k\",\"data\":1,\"version\":1}",
             "{\"error\":{\"code\":108,\"message\":\"not available\"}}");
    poll_rig_stop(&poll);
}

static void bytes_that_are_no_json_end_a_json_client(void **state)
{
    (void)state;
    start();
    struct peer *peer = poll_follow(&poll, 0, "poll:a");
    poll_track(&poll, peer, "poll:a", "k:0");
    poll_answer(&poll, ASKED(KEY("k")), "");
    call_api("{\"channel\":\"poll:a\",\"key\":\"k\",\"b64data\":\"AP8=\",\"version\":5}",
             "{\"result\":{}}");
    if (peer->protocol == CLIENT_JSON) {
        peer_hear_close(peer, 3506, "inappropriate protocol");
    } else {
        peer_hear_frame(peer, 0x81);
    }
    poll_rig_stop(&poll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_signed_is_refused),
        cmocka_unit_test(without_a_secret_nothing_is_tracked),
        cmocka_unit_test(the_secret_of_before_is_good_for_a_while),
        cmocka_unit_test(a_command_is_told_its_first_expiry),
        cmocka_unit_test(keys_whose_signature_has_expired_are_dropped),
        cmocka_unit_test(more_keys_than_allowed_are_refused_as_a_whole),
        cmocka_unit_test(the_server_api_tells_of_keys),
        cmocka_unit_test(the_server_api_says_what_is_wrong),
        cmocka_unit_test(bytes_that_are_no_json_end_a_json_client),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
