/* SPDX-License-Identifier: Apache-2.0 */
/* Commands by requests of their own: from any shard, in order, bounded; and unidirectional ones. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/edge_http_streams.h"

static const char nobody[] = "00000000-0000-4000-8000-000000000000";

static void commands_reach_their_session_from_every_shard(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 3);
    edge_rig_start(&rig);
    for (uint32_t home = 0; home < 3; home++) {
        struct stream_names names;
        struct peer *stream = http_stream_connect(&rig, home, &names);
        for (uint32_t from = 0; from < 3; from++) {
            struct peer *peer = peer_open_at(&rig, from);
            peer_emulate(peer, &names, "{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}");
            peer_hear_bytes(stream, "{\"id\":2,\"subscribe\":{}}\n");
            /* The same connection goes on; two commands, one answer to each. */
            peer_emulate(peer, &names,
                         "{\"id\":3,\"unsubscribe\":{\"channel\":\"c\"}}\n"
                         "{\"id\":4,\"presence_stats\":{\"channel\":\"c\"}}");
            peer_hear_bytes(stream, "{\"id\":3,\"unsubscribe\":{}}\n"
                                    "{\"id\":4,\"error\":{\"code\":108,\"message\":"
                                    "\"not available\"}}\n");
            peer_close(peer);
        }
        peer_close(stream);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_EMULATION_DELIVERED), 18);
    edge_rig_stop(&rig);
}

static void pongs_come_by_requests(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 2);
    edge_rig_start(&rig);
    struct stream_names names;
    struct peer *stream = http_stream_connect(&rig, SHARDS_MAX, &names);
    for (int i = 0; i < 3; i++) {
        edge_rig_advance(&rig, 25 * 1000);
        peer_hear_bytes(stream, "{}\n");
        struct peer *peer = peer_open(&rig);
        peer_emulate(peer, &names, "{}");
        peer_close(peer);
    }
    peer_hear_nothing(stream);
    struct peer *peer = peer_open(&rig);
    peer_emulate(peer, &names, "{}"); /* Nobody asked for it. */
    peer_hear_bytes(stream,
                    "{\"push\":{\"disconnect\":{\"code\":3501,\"reason\":\"bad request\"}}}\n");
    peer_hear_end(stream);
    edge_rig_stop(&rig);
}

struct refused {
    const char *body;
    unsigned status;
    enum counter counts;
};

static void requests_for_nobody_are_answered_as_centrifugo_does(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 2);
    rig.options.emulation.max_request_body_size = 1000;
    edge_rig_start(&rig);
    struct stream_names names;
    struct peer *stream = http_stream_connect(&rig, SHARDS_MAX, &names);
    struct stream_names wrong = names;
    memcpy(wrong.session + 30, "ffffff", 6); /* Its shard and most of its name. */
    struct peer *peer = peer_open(&rig);
    peer_emulate(peer, &wrong, "{\"id\":2,\"publish\":{\"channel\":\"c\",\"data\":1}}");
    memcpy(wrong.session, "ff", 2); /* There is no such shard. */
    peer_emulate(peer, &wrong, "{}");
    memcpy(wrong.session, "zz", 2);
    peer_emulate(peer, &wrong, "{}");
    assert_int_equal(edge_rig_count(&rig, COUNTER_EMULATION_NO_SESSION), 3);
    wrong = names;
    memcpy(wrong.node, nobody, sizeof(nobody));
    peer_put_emulation(peer, &wrong, "{}");
    edge_rig_settle(&rig);
    peer_hear_response(peer, 404, NULL);
    peer_hear_nothing(peer); /* And goes on. */
    assert_int_equal(edge_rig_count(&rig, COUNTER_EMULATION_NO_NODE), 1);
    peer_post(peer, "/emulation", "{}");
    peer_hear_response(peer, 404, NULL);
    peer_post(peer, "/emulation", "[]");
    peer_hear_response(peer, 400, NULL);
    peer_send(peer, "POST /emulation HTTP/1.1\r\nHost: rig\r\nContent-Length: 1001\r\n\r\n");
    peer_hear_response(peer, 413, NULL);
    peer_hear_end(peer);
    struct peer *other = peer_open(&rig);
    peer_send(other, "GET /emulation HTTP/1.1\r\nHost: rig\r\n\r\n");
    peer_hear_response(other, 405, NULL);
    peer_hear_nothing(stream);
    /* A session that is gone has no name any more. */
    peer_close(stream);
    struct peer *late = peer_open(&rig);
    peer_emulate(late, &names, "{}");
    assert_int_equal(edge_rig_count(&rig, COUNTER_EMULATION_NO_SESSION), 4);
    edge_rig_stop(&rig);
}

/* The second frame comes while the first waits for its channel's home; which of them is the first
 * is for the network to say. */
static void frames_wait_for_those_before_them(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 1);
    edge_rig_start(&rig);
    struct stream_names names;
    struct peer *stream = http_stream_connect(&rig, SHARDS_MAX, &names);
    struct peer *one = peer_open(&rig);
    struct peer *other = peer_open(&rig);
    peer_put_emulation(one, &names,
                       "{\"id\":2,\"subscribe\":{\"channel\":\"c\"}}\n"
                       "{\"id\":3,\"unsubscribe\":{\"channel\":\"c\"}}");
    peer_put_emulation(other, &names,
                       "{\"id\":4,\"subscribe\":{\"channel\":\"c\"}}\n"
                       "{\"id\":5,\"unsubscribe\":{\"channel\":\"c\"}}\n");
    edge_rig_settle(&rig);
    static const char first[] = "{\"id\":2,\"subscribe\":{}}\n{\"id\":3,\"unsubscribe\":{}}\n";
    static const char second[] = "{\"id\":4,\"subscribe\":{}}\n{\"id\":5,\"unsubscribe\":{}}\n";
    char heard[256];
    const bool is_first = stream->in.at[stream->heard + 6] == '2';
    (void)snprintf(heard, sizeof(heard), "%s%s", is_first ? first : second,
                   is_first ? second : first);
    peer_hear_bytes(stream, heard);
    peer_hear_response(one, 204, NULL);
    peer_hear_response(other, 204, NULL);
    edge_rig_stop(&rig);
}

static void who_sends_too_many_is_disconnected(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 2);
    edge_rig_start(&rig);
    struct stream_names names;
    struct peer *stream = http_stream_connect(&rig, SHARDS_MAX, &names);
    struct peer *peer = peer_open(&rig);
    const char *command = "{\"id\":2,\"unsubscribe\":{\"channel\":\"c\"}}";
    for (int i = 0; i < EMULATION_REQUESTS_A_SECOND; i++) {
        peer_emulate(peer, &names, command);
    }
    edge_rig_advance(&rig, 1000);
    for (int i = 0; i < EMULATION_REQUESTS_A_SECOND; i++) {
        peer_emulate(peer, &names, command);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_EMULATION_REFUSED), 0);
    peer_emulate(peer, &names, command);
    edge_rig_settle(&rig);
    assert_int_equal(edge_rig_count(&rig, COUNTER_EMULATION_REFUSED), 1);
    assert_non_null(strstr(stream->in.at, "{\"push\":{\"disconnect\":{\"code\":3013"));
    assert_true(stream->has_ended);
    edge_rig_stop(&rig);
}

/* A server's call names the session by what its client was told, or by its client. */
static void calls_of_the_server_find_the_session(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 2);
    edge_rig_start(&rig);
    struct stream_names names;
    struct peer *stream = http_stream_connect(&rig, SHARDS_MAX, &names);
    struct peer *backend = peer_open(&rig);
    char body[256];
    (void)snprintf(body, sizeof(body),
                   "{\"user\":\"\",\"session\":\"%s\","
                   "\"disconnect\":{\"code\":4001,\"reason\":\"go\"}}",
                   names.session);
    peer_post(backend, "/api/disconnect?api_key=key", body);
    peer_hear_response(backend, 200, "{\"result\":{}}");
    peer_hear_bytes(stream, "{\"push\":{\"disconnect\":{\"code\":4001,\"reason\":\"go\"}}}\n");
    peer_hear_end(stream);
    edge_rig_stop(&rig);
}

/* ---- unidirectional WebSocket ---- */

#define UPGRADE \
    " HTTP/1.1\r\nHost: rig\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static struct peer *open_uni(struct edge_rig *rig, const char *query)
{
    struct peer *peer = peer_open(rig);
    peer_put_text(peer, "GET /connection/uni_websocket");
    peer_put_text(peer, query);
    peer_send(peer, UPGRADE);
    peer_hear_head(peer, 101);
    return peer;
}

static void unidirectional_websockets_get_bare_pushes(void **state)
{
    (void)state;
    static const char connected[] = "{\"connect\":{\"client\":\"<id>\",\"version\":\"0.1\","
                                    "\"ping\":25,\"session\":\"<id>\"}}";
    static struct edge_rig rig;
    http_streams_init(&rig, 2);
    edge_rig_start(&rig);
    struct peer *by_query = open_uni(&rig, "?cf_connect=%7B%7D");
    peer_hear(by_query, connected);
    struct peer *by_message = open_uni(&rig, "");
    peer_hear_nothing(by_message);
    peer_say(by_message, "{}");
    peer_hear(by_message, connected);
    peer_say(by_message, "what it says now is not heard");
    peer_hear_nothing(by_message);
    /* Each at a time of its own between half an interval and a whole one. */
    uint32_t passed_ms = 0;
    while (!peer_has_news(by_message)) {
        edge_rig_advance(&rig, 1000);
        passed_ms += 1000;
    }
    peer_hear(by_message, "{}");
    peer_hear_frame(by_message, 0x89);
    peer_put_frame(by_message, 0x8a, "", 0);
    edge_rig_settle(&rig);
    edge_rig_advance(&rig, (25 + 8) * 1000 - passed_ms);
    peer_hear(by_query, "{}");
    peer_hear_frame(by_query, 0x89); /* WebSocket's own ping is the one that asks. */
    peer_hear(by_query, "{\"disconnect\":{\"code\":3012,\"reason\":\"no pong\"}}");
    peer_hear_close(by_query, 3012, "no pong");
    peer_hear_nothing(by_message);
    struct peer *wrong = open_uni(&rig, "");
    peer_say(wrong, "[1]");
    peer_hear(wrong, "{\"disconnect\":{\"code\":3501,\"reason\":\"bad request\"}}");
    peer_hear_close(wrong, 3501, "bad request");
    edge_rig_stop(&rig);
}

static void the_ends_of_unidirectional_websockets_can_be_switched_off(void **state)
{
    (void)state;
    static struct edge_rig rig;
    http_streams_init(&rig, 1);
    rig.options.uni_websocket_disable_disconnect_push = true;
    edge_rig_start(&rig);
    struct peer *peer = open_uni(&rig, "?cf_connect=%7B%22token%22:%22x%22%7D");
    peer_hear_close(peer, 3500, "invalid token");
    edge_rig_stop(&rig);
    http_streams_init(&rig, 1);
    rig.options.uni_websocket_disable_closing_handshake = true;
    edge_rig_start(&rig);
    peer = open_uni(&rig, "?cf_connect=%7B%22token%22:%22x%22%7D");
    peer_hear(peer, "{\"disconnect\":{\"code\":3500,\"reason\":\"invalid token\"}}");
    peer_hear_end(peer);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_reach_their_session_from_every_shard),
        cmocka_unit_test(pongs_come_by_requests),
        cmocka_unit_test(requests_for_nobody_are_answered_as_centrifugo_does),
        cmocka_unit_test(frames_wait_for_those_before_them),
        cmocka_unit_test(who_sends_too_many_is_disconnected),
        cmocka_unit_test(calls_of_the_server_find_the_session),
        cmocka_unit_test(unidirectional_websockets_get_bare_pushes),
        cmocka_unit_test(the_ends_of_unidirectional_websockets_can_be_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
