/* SPDX-License-Identifier: Apache-2.0 */
/* The history command of clients, and the server API's methods on streams. */
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/edge_streams.h"

/* ---- the history command ---- */

static void clients_read_a_history_by_pages(void **state)
{
    (void)state;
    streams_open(0);
    for (unsigned i = 1; i <= 6; i++) {
        publish("kept:c", i);
    }
    struct peer *peer = client_at(1);
    peer_say(peer, "{\"id\":2,\"history\":{\"channel\":\"kept:c\"}}");
    peer_hear_frame(peer, 0x81);
    char epoch[EPOCH_SIZE];
    (void)snprintf(epoch, sizeof(epoch), "%s", epoch_in(peer));
/* The first of a stream tells the epoch: @. */
#define FIRST "{\"data\":1,\"offset\":1,\"epoch\":\"@\"}"
#define PUB(n) "{\"data\":" #n ",\"offset\":" #n "}"
    static const struct {
        const char *request;
        const char *publications;
    } cases[] = {
        {"\"limit\":0", ""},
        {"\"limit\":2", FIRST "," PUB(2)},
        {"\"limit\":-1", FIRST "," PUB(2) "," PUB(3) "," PUB(4)},
        {"\"limit\":100", FIRST "," PUB(2) "," PUB(3) "," PUB(4)},
        {"\"limit\":2,\"reverse\":true", PUB(6) "," PUB(5)},
        {"\"limit\":2,\"since\":{\"offset\":2}", PUB(3) "," PUB(4)},
        {"\"limit\":4,\"since\":{\"offset\":5}", PUB(6)},
        {"\"limit\":4,\"since\":{\"offset\":6}", ""},
        {"\"limit\":4,\"reverse\":true,\"since\":{\"offset\":3}", PUB(2) "," FIRST},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        peer_say(peer, "{\"id\":2,\"history\":{\"channel\":\"kept:c\",%s}}", cases[i].request);
        const char *text = cases[i].publications;
        const size_t before = strcspn(text, "@");
        const bool has_first = text[before] == '@';
        peer_hear(peer,
                  "{\"id\":2,\"history\":{\"publications\":[%.*s%s%s],\"epoch\":\"%s\","
                  "\"offset\":6}}",
                  (int)before, text, has_first ? epoch : "", has_first ? text + before + 1 : "",
                  epoch);
    }
    peer_say(peer, "{\"id\":2,\"history\":{\"channel\":\"kept:c\",\"limit\":1,"
                   "\"since\":{\"offset\":2,\"epoch\":\"other\"}}}");
    peer_hear(peer, "{\"id\":2,\"error\":{\"code\":112,\"message\":\"unrecoverable position\"}}");
    peer_say(peer,
             "{\"id\":2,\"history\":{\"channel\":\"kept:c\",\"limit\":1,\"reverse\":true,"
             "\"since\":{\"epoch\":\"%s\"}}}",
             epoch);
    peer_hear(peer, "{\"id\":2,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    peer_say(peer, "{\"id\":2,\"history\":{\"channel\":\"c\"}}");
    peer_hear(peer, "{\"id\":2,\"error\":{\"code\":108,\"message\":\"not available\"}}");
    streams.options.client.insecure = false;
    peer_say(peer, "{\"id\":2,\"history\":{\"channel\":\"kept:c\"}}");
    peer_hear(peer, "{\"id\":2,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
    edge_rig_stop(&streams);
}

static void a_publication_of_a_client_is_kept_with_its_name(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peer = client_at(2);
    peer_say(peer, "{\"id\":2,\"publish\":{\"channel\":\"kept:c\",\"data\":{\"a\":1}}}");
    peer_hear(peer, "{\"id\":2,\"publish\":{}}");
    peer_say(peer, "{\"id\":3,\"history\":{\"channel\":\"kept:c\",\"limit\":1}}");
    peer_hear_frame(peer, 0x81);
    char wanted[256];
    (void)snprintf(wanted, sizeof(wanted),
                   "{\"id\":3,\"history\":{\"publications\":[{\"data\":{\"a\":1},\"info\":{"
                   "\"user\":\"\",\"client\":\"<id>\"},\"offset\":1,\"epoch\":\"%s\"}],"
                   "\"epoch\":\"%s\",\"offset\":1}}",
                   epoch_in(peer), epoch_in(peer));
    assert_true(edge_text_matches(peer->message.at, wanted));
    edge_rig_stop(&streams);
}

/* ---- the server API ---- */

static void the_api_publishes_once_and_reads_histories(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peer = client_at(0);
    char epoch[EPOCH_SIZE];
    (void)snprintf(epoch, sizeof(epoch), "%s", follows(peer, "r:c", 0));
#define PUBLISHED(offset) "{\"result\":{\"offset\":" #offset ",\"epoch\":\"<e>\"}}"
    static const struct {
        const char *method;
        const char *body;
        const char *answer;
        bool is_delivered;
    } cases[] = {
        {"publish", "{\"channel\":\"r:c\",\"data\":1,\"idempotency_key\":\"k\"}", PUBLISHED(1),
         true},
        {"publish", "{\"channel\":\"r:c\",\"data\":2,\"idempotency_key\":\"k\"}", PUBLISHED(1),
         false},
        {"publish", "{\"channel\":\"r:c\",\"data\":3,\"version\":7}", PUBLISHED(2), true},
        {"publish", "{\"channel\":\"r:c\",\"data\":4,\"version\":7}", PUBLISHED(2), false},
        {"publish", "{\"channel\":\"r:c\",\"data\":5,\"version\":1,\"version_epoch\":\"x\"}",
         PUBLISHED(3), true},
        {"publish", "{\"channel\":\"r:c\",\"data\":6,\"skip_history\":true}", "{\"result\":{}}",
         true},
        {"broadcast", "{\"channels\":[\"r:c\"],\"data\":7,\"idempotency_key\":\"k\"}",
         "{\"result\":{\"responses\":[" PUBLISHED(1) "]}}", false},
        {"broadcast", "{\"channels\":[\"r:c\"],\"data\":8,\"tags\":{\"t\":\"u\"}}",
         "{\"result\":{\"responses\":[" PUBLISHED(4) "]}}", true},
        {"history", "{\"channel\":\"r:c\"}",
         "{\"result\":{\"publications\":[],\"epoch\":\"<e>\",\"offset\":4}}", false},
        {"history", "{\"channel\":\"r:c\",\"limit\":-1}",
         "{\"result\":{\"publications\":[{\"data\":1,\"offset\":1},{\"data\":3,\"offset\":2,"
         "\"version\":7},{\"data\":5,\"offset\":3,\"version\":1},{\"data\":8,\"offset\":4,"
         "\"tags\":{\"t\":\"u\"}}],\"epoch\":\"<e>\",\"offset\":4}}",
         false},
        {"history", "{\"channel\":\"r:c\",\"limit\":1,\"reverse\":true,\"since\":{\"offset\":2}}",
         "{\"result\":{\"publications\":[{\"data\":1,\"offset\":1}],\"epoch\":\"<e>\","
         "\"offset\":4}}",
         false},
        {"history", "{\"channel\":\"r:c\",\"limit\":1,\"since\":{\"offset\":1,\"epoch\":\"y\"}}",
         "{\"error\":{\"code\":112,\"message\":\"unrecoverable position\"}}", false},
        {"history", "{\"channel\":\"r:c\",\"reverse\":true,\"since\":{\"offset\":0}}",
         "{\"error\":{\"code\":107,\"message\":\"bad request\"}}", false},
        {"history_remove", "{\"channel\":\"r:c\"}", "{\"result\":{}}", false},
        {"history", "{\"channel\":\"r:c\",\"limit\":9}",
         "{\"result\":{\"publications\":[],\"epoch\":\"<e>\",\"offset\":4}}", false},
        {"publish", "{\"channel\":\"r:c\",\"data\":9}", PUBLISHED(5), true},
        {"history", "{\"channel\":\"c\"}",
         "{\"error\":{\"code\":108,\"message\":\"not available\"}}", false},
        {"history_remove", "{\"channel\":\"c\"}",
         "{\"error\":{\"code\":108,\"message\":\"not available\"}}", false},
        {"history", "{\"channel\":\"no:c\"}",
         "{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        call(cases[i].method, cases[i].body, cases[i].answer, epoch);
        assert_int_equal(peer_has_news(peer), cases[i].is_delivered);
        if (cases[i].is_delivered) {
            peer_hear_frame(peer, 0x81);
        }
    }
    static char body[IDEMPOTENCY_KEY_LEN_MAX + 128];
    (void)snprintf(body, sizeof(body),
                   "{\"channel\":\"r:c\",\"data\":1,\"idempotency_key\":\"%0*d\"}",
                   IDEMPOTENCY_KEY_LEN_MAX + 1, 0);
    call("publish", body, "{\"error\":{\"code\":107,\"message\":\"bad request\"}}", "");
    assert_int_equal(edge_rig_count(&streams, COUNTER_SUPPRESSED_IDEMPOTENCY), 2);
    assert_int_equal(edge_rig_count(&streams, COUNTER_SUPPRESSED_VERSION), 1);
    edge_rig_stop(&streams);
}

static void hear_bytes_or_close(struct peer *peer)
{
    if (peer->protocol == CLIENT_JSON) {
        peer_hear_close(peer, 3506, "inappropriate protocol");
        return;
    }
    peer_hear_frame(peer, 0x81);
    assert_non_null(memmem(peer->message.at, peer->message.len, "\"data\":\0\xff", 9));
}

/* Bytes that are no JSON may be kept, but a client that speaks JSON cannot be told of them. */
static void what_is_no_json_cannot_be_recovered_in_json(void **state)
{
    (void)state;
    streams_open(0);
    call("publish", "{\"channel\":\"cache:c\",\"b64data\":\"AP8=\",\"skip_history\":true}",
         "{\"result\":{}}", "");
    struct peer *writer = client_at(0);
    peer_say(writer, "{\"id\":2,\"history\":{\"channel\":\"cache:c\"}}");
    peer_hear_frame(writer, 0x81);
    call("publish", "{\"channel\":\"cache:c\",\"b64data\":\"AP8=\"}", PUBLISHED(1),
         epoch_in(writer));
    call("history", "{\"channel\":\"cache:c\",\"limit\":1}",
         "{\"error\":{\"code\":100,\"message\":\"internal server error\"}}", "");
    peer_say(writer, "{\"id\":3,\"history\":{\"channel\":\"cache:c\",\"limit\":1}}");
    hear_bytes_or_close(writer);
    struct peer *reader = client_at(1);
    peer_say(reader, "{\"id\":3,\"subscribe\":{\"channel\":\"cache:c\",\"recover\":true}}");
    hear_bytes_or_close(reader);
    edge_rig_stop(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_read_a_history_by_pages),
        cmocka_unit_test(a_publication_of_a_client_is_kept_with_its_name),
        cmocka_unit_test(the_api_publishes_once_and_reads_histories),
        cmocka_unit_test(what_is_no_json_cannot_be_recovered_in_json),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
