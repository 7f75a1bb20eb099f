/* SPDX-License-Identifier: Apache-2.0 */
/* What answers of a backend mean to who waits for them, and answers that are none. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/proxy_rig.h"

#define INTERIM "HTTP/1.1 100 Continue\r\n\r\n"
#define INTERIMS_4 INTERIM INTERIM INTERIM INTERIM
#define INTERIMS_MAX INTERIMS_4 INTERIMS_4 INTERIMS_4 INTERIMS_4
static_assert(BACKEND_INTERIMS_MAX == 16, "as many as are passed over");

/* What a backend says to a connect command, and what the client hears. */
static const struct {
    const char *says;   /* The whole answer; NULL: nothing, */
    const char *answer; /* or its body with status 200. */
    const char *reply;  /* NULL: it is disconnected: */
    unsigned code;
    const char *reason;
} connect_cases[] = {
    {.answer = "{\"error\":{\"code\":1000,\"message\":\"custom\",\"temporary\":true}}",
     .reply = "{\"code\":1000,\"message\":\"custom\",\"temporary\":true}"},
    {.answer = "{\"error\":{\"code\":1000,\"message\":\"custom\"},\"disconnect\":null}",
     .reply = "{\"code\":1000,\"message\":\"custom\"}"},
    {.answer = "{\"disconnect\":{\"code\":4500,\"reason\":\"away\"}}",
     .code = 4500,
     .reason = "away"},
    {.answer = "{}", .code = 3501, .reason = "bad request"},
    {.answer = "{\"result\":null}", .code = 3501, .reason = "bad request"},
    {.answer = "{\"result\":{\"user\":\"u\",\"expire_at\":1}}",
     .reply = "{\"code\":110,\"message\":\"expired\"}"},
    {.answer = "{\"result\":{\"user\":\"u\",\"caps\":[]}}", .reply = INTERNAL},
    {.answer = "{\"disconnect\":{\"code\":1,\"reason\":\"x\"}}", .reply = INTERNAL},
    {.answer = "{\"result\":{\"user\":7}}", .reply = INTERNAL},
    {.answer = "", .reply = INTERNAL},
    {.answer = "no JSON", .reply = INTERNAL},
    {.says = NULL, .reply = INTERNAL},
    {.says = "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}", .reply = INTERNAL},
    {.says = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
     .reply = "{\"code\":404,\"message\":\"gone\",\"temporary\":true}"},
    {.says = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", .code = 4403, .reason = "no"},
    {.says = "HTTP/1.1 204 No\r\n\r\n", .reply = INTERNAL},
    {.says = "SSH-2.0-OpenSSH\r\n\r\n", .reply = INTERNAL},
    {.says = "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", .reply = INTERNAL},
    {.says = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", .reply = INTERNAL},
    {.says = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n",
     .reply = INTERNAL},
    {.says = "HTTP/1.1 101 OK\r\n\r\n", .reply = INTERNAL},
    {.says = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             "5;a=b\r\n{\"err\r\n1d\r\nor\":{\"code\":7,\"message\":\"e\"}}\r\n0\r\nA: b\r\n\r\n",
     .reply = "{\"code\":7,\"message\":\"e\"}"},
    {.says = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nA: b\r\n\r\n"
             "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n"
             "{\"error\":{\"code\":7,\"message\":\"e\"}}    ",
     .reply = "{\"code\":7,\"message\":\"e\"}"},
    {.says = INTERIMS_MAX "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n"
                          "{\"error\":{\"code\":7,\"message\":\"e\"}}",
     .reply = "{\"code\":7,\"message\":\"e\"}"},
    {.says = INTERIMS_MAX INTERIM, .reply = INTERNAL},
};

static const struct proxy_transform transforms[] = {
    {.status = 404, .code = 404, .text = "gone", .is_temporary = true},
    {.status = 403, .is_disconnect = true, .code = 4403, .text = "no"},
};

static void each_answer_has_its_meaning(void **state)
{
    (void)state;
    proxy_rig_init();
    proxy.transforms = transforms;
    proxy.transforms_len = 2;
    edge.options.connect_proxy = &proxy;
    proxy_rig_start();
    for (size_t i = 0; i < sizeof(connect_cases) / sizeof(connect_cases[0]); i++) {
        struct peer *peer = peer_open(&edge);
        peer_upgrade(peer);
        peer_say(peer, "{\"id\":1,\"connect\":{}}");
        const uint32_t at = backend_hear(&backend, proxy_rig_asked(""));
        if (connect_cases[i].answer != NULL) {
            backend_answer(&backend, at, connect_cases[i].answer);
        } else if (connect_cases[i].says != NULL) {
            backend_say(&backend, at, connect_cases[i].says);
        } else {
            edge_rig_advance(&edge, 999);
            peer_hear_nothing(peer);
            edge_rig_advance(&edge, 1);
            assert_true(backend_is_left(&backend, at));
        }
        if (connect_cases[i].reply != NULL) {
            peer_hear(peer, "{\"id\":1,\"error\":%s}", connect_cases[i].reply);
        } else {
            peer_hear_close(peer, connect_cases[i].code, connect_cases[i].reason);
        }
        peer_close(peer);
    }
    proxy_rig_stop();
}

/* The answer ends with the connection, or in the middle. */
static void an_answer_may_end_with_its_connection(void **state)
{
    (void)state;
    proxy_rig_start_with_connect();
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        struct peer *peer = peer_open(&edge);
        peer_upgrade(peer);
        peer_say(peer, "{\"id\":1,\"connect\":{}}");
        const uint32_t at = backend_hear(&backend, proxy_rig_asked(""));
        backend_say(&backend, at,
                    is_whole ? "HTTP/1.0 200 OK\r\n\r\n{\"result\":{\"user\":\"u\"}}"
                             : "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"result\":{}}");
        peer_hear_nothing(peer);
        backend_close(&backend, at);
        if (is_whole) {
            peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
        } else {
            peer_hear(peer, "{\"id\":1,\"error\":" INTERNAL "}");
        }
        peer_close(peer);
    }
    proxy_rig_stop();
}

/* An answer cut at every byte is the same answer. */
static void an_answer_may_come_in_pieces(void **state)
{
    (void)state;
    static const char good[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"result\r\n"
                               "11\r\n\":{\"user\":\"abc\"}}\r\n0\r\n\r\n";
    proxy_rig_start_with_connect();
    for (size_t cut = 1; cut < sizeof(good) - 1; cut += 3) {
        struct peer *peer = peer_open(&edge);
        peer_upgrade(peer);
        peer_say(peer, "{\"id\":1,\"connect\":{}}");
        const uint32_t at = backend_hear(&backend, proxy_rig_asked(""));
        char part[sizeof(good)] = {0};
        memcpy(part, good, cut);
        backend_say(&backend, at, part);
        peer_hear_nothing(peer);
        backend_say(&backend, at, good + cut);
        peer_hear(peer, "{\"id\":1,\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\"}}");
        peer_close(peer);
    }
    /* All of them went over few connections, as each was kept. */
    assert_true(backend.peers_len <= edge.options.shards);
    proxy_rig_stop();
}

static void a_client_that_goes_cancels_its_request(void **state)
{
    (void)state;
    proxy_rig_start_with_connect();
    for (int is_reset = 0; is_reset < 2; is_reset++) {
        struct peer *peer = peer_open(&edge);
        peer_upgrade(peer);
        peer_say(peer, "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"rpc\":{\"method\":\"x\"}}");
        const uint32_t at = backend_hear(&backend, proxy_rig_asked(""));
        if (is_reset) {
            peer_reset(peer);
        } else {
            peer_close(peer);
        }
        edge_rig_advance(&edge, 1);
        assert_int_equal(edge_rig_count(&edge, COUNTER_OF(PROXY_INFLIGHT, 0, 0)), 0);
        assert_int_equal(edge_rig_count(&edge, COUNTER_BACKEND_REQUESTS_INFLIGHT), 0);
        assert_true(backend_is_left(&backend, at));
    }
    edge_rig_assert_empty(&edge);
    proxy_rig_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_meaning),
        cmocka_unit_test(an_answer_may_end_with_its_connection),
        cmocka_unit_test(an_answer_may_come_in_pieces),
        cmocka_unit_test(a_client_that_goes_cancels_its_request),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
