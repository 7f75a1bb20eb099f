/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's methods on maps. */
#include <ctype.h>
#include <stdio.h>

#include "shards/limits.h"
#include "tests/unit/shards/edge_rig.h"

static struct edge_rig rig;
enum { KEY_TTL_MS = 30 * 1000 };

/* Maps of each mode, and a stream. */
static void rig_open(uint32_t shards)
{
    static const struct {
        const char *name;
        enum map_mode mode;
    } maps[] = {{"eph", MAP_EPHEMERAL}, {"rec", MAP_RECOVERABLE}, {"per", MAP_PERSISTENT}};
    edge_rig_init(&rig, shards);
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        struct channel_options *options = edge_rig_namespace(&rig, maps[i].name);
        options->subscription_type = CLIENT_SUBSCRIPTION_MAP;
        options->map.mode = maps[i].mode;
        options->map.key_ttl_ms = maps[i].mode == MAP_PERSISTENT ? 0 : KEY_TTL_MS;
        map_options_complete(&options->map);
    }
    struct channel_options *stream = edge_rig_namespace(&rig, "str");
    stream->history_size = 10;
    stream->history_ttl_ms = 60 * 1000;
}

/* Digits behind each `name` become one letter. */
static void blank(char *text, const char *name, char letter)
{
    char *at = text;
    while ((at = strstr(at, name)) != NULL) {
        at += strlen(name);
        char *end = at;
        while (isdigit((unsigned char)*end)) {
            end++;
        }
        if (end > at) {
            *at = letter;
            memmove(at + 1, end, strlen(end) + 1);
        }
    }
}

/* What is answered, with E for the epoch and T for a time. */
static const char *answer_of(const char *method, const char *body)
{
    static char text[8192];
    char head[256];
    struct peer *peer = peer_open(&rig);
    (void)snprintf(head, sizeof(head),
                   "POST /api/%s HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   method, strlen(body));
    peer_put_text(peer, head);
    peer_send(peer, body);
    peer_hear_response(peer, 200, NULL);
    (void)snprintf(text, sizeof(text), "%s", peer->message.at);
    peer_close(peer);
    blank(text, "\"epoch\":\"", 'E');
    blank(text, "\"time\":", 'T');
    return text;
}

struct row {
    const char *method;
    const char *body;   /* `$` is the channel. */
    const char *answer; /* The result, or from `"error"` on. */
};

static void fill_in(char *to, size_t size, const char *body, const char *channel)
{
    size_t len = 0;
    for (; *body != '\0' && len < size; body++) {
        const char one[2] = {*body, '\0'};
        len += (size_t)snprintf(to + len, size - len, "%s", *body == '$' ? channel : one);
    }
}

static void plays(const char *channel, const struct row *rows, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char body[512];
        char wanted[1024];
        fill_in(body, sizeof(body), rows[i].body, channel);
        (void)snprintf(wanted, sizeof(wanted),
                       rows[i].answer[0] == '{' ? "{\"result\":%s}" : "{%s}", rows[i].answer);
        const char *answer = answer_of(rows[i].method, body);
        if (strcmp(answer, wanted) != 0) {
            print_error("%s %s:\n", rows[i].method, body);
        }
        assert_string_equal(answer, wanted);
    }
}
#define PLAYS(channel, rows) plays(channel, rows, sizeof(rows) / sizeof((rows)[0]))

#define ERROR(code, message) "\"error\":{\"code\":" #code ",\"message\":\"" message "\"}"
#define BAD ERROR(107, "bad request")
#define LOST ERROR(112, "unrecoverable position")

static void backends_write_and_read_a_map(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"map_read_state", "{\"channel\":\"$\"}", "{\"epoch\":\"E\"}"},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"b\",\"data\":{\"x\":1}}",
         "{\"offset\":1,\"epoch\":\"E\"}"},
        {"map_publish",
         "{\"channel\":\"$\",\"key\":\"a\",\"b64data\":\"Mg==\",\"tags\":{\"t\":\"1\"},"
         "\"score\":-5}",
         "{\"offset\":2,\"epoch\":\"E\"}"},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"c\"}", "{\"offset\":3,\"epoch\":\"E\"}"},
        {"map_stats", "{\"channel\":\"$\"}", "{\"num_keys\":3}"},
        {"map_read_state", "{\"channel\":\"$\",\"limit\":2}",
         "{\"entries\":[{\"key\":\"a\",\"data\":2,\"tags\":{\"t\":\"1\"},\"offset\":2,"
         "\"score\":-5,\"time\":T},{\"key\":\"b\",\"data\":{\"x\":1},\"offset\":1,\"time\":T}],"
         "\"offset\":3,\"epoch\":\"E\",\"cursor\":\"b\"}"},
        {"map_read_state", "{\"channel\":\"$\",\"limit\":2,\"cursor\":\"b\"}",
         "{\"entries\":[{\"key\":\"c\",\"offset\":3,\"time\":T}],\"offset\":3,\"epoch\":\"E\"}"},
        {"map_read_state", "{\"channel\":\"$\",\"key\":\"c\"}",
         "{\"entries\":[{\"key\":\"c\",\"offset\":3,\"time\":T}],\"offset\":3,\"epoch\":\"E\"}"},
        {"map_read_state", "{\"channel\":\"$\",\"key\":\"d\"}", "{\"offset\":3,\"epoch\":\"E\"}"},
        {"map_remove", "{\"channel\":\"$\",\"key\":\"a\"}", "{\"offset\":4,\"epoch\":\"E\"}"},
        {"map_read_stream", "{\"channel\":\"$\",\"limit\":-1,\"since_offset\":2}",
         "{\"entries\":[{\"key\":\"c\",\"offset\":3,\"time\":T},{\"key\":\"a\","
         "\"tags\":{\"t\":\"1\"},\"offset\":4,\"removed\":true,\"time\":T}],\"offset\":4,"
         "\"epoch\":\"E\"}"},
        {"map_read_stream", "{\"channel\":\"$\",\"limit\":1,\"since_offset\":2,\"reverse\":true}",
         "{\"entries\":[{\"key\":\"b\",\"data\":{\"x\":1},\"offset\":1,\"time\":T}],"
         "\"offset\":4,\"epoch\":\"E\"}"},
        {"map_read_stream", "{\"channel\":\"$\"}", "{\"offset\":4,\"epoch\":\"E\"}"},
        {"map_read_stream", "{\"channel\":\"$\",\"limit\":1,\"since_epoch\":\"x\"}", LOST},
        {"map_read_state", "{\"channel\":\"$\",\"limit\":1,\"revision_epoch\":\"x\"}", LOST},
        {"map_read_state", "{\"channel\":\"$\",\"limit\":1,\"revision_offset\":1}", LOST},
        {"map_clear", "{\"channel\":\"$\"}", "{}"},
        {"map_stats", "{\"channel\":\"$\"}", "{}"},
        {"map_read_state", "{\"channel\":\"$\",\"limit\":9}", "{\"epoch\":\"E\"}"},
    };
    rig_open(2);
    edge_rig_start(&rig);
    PLAYS("rec:1", rows);
    PLAYS("per:1", rows);
    edge_rig_stop(&rig);
}

static void of_a_map_without_a_stream_no_offset_is_told(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"map_publish", "{\"channel\":\"$\",\"key\":\"a\",\"data\":1}", "{\"epoch\":\"E\"}"},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"b\",\"data\":2}", "{\"epoch\":\"E\"}"},
        {"map_remove", "{\"channel\":\"$\",\"key\":\"a\"}", "{\"epoch\":\"E\"}"},
        {"map_read_state", "{\"channel\":\"$\",\"limit\":9}",
         "{\"entries\":[{\"key\":\"b\",\"data\":2,\"time\":T}],\"epoch\":\"E\"}"},
        {"map_read_stream", "{\"channel\":\"$\",\"limit\":9}", "{\"epoch\":\"E\"}"},
        {"map_stats", "{\"channel\":\"$\"}", "{\"num_keys\":1}"},
    };
    rig_open(2);
    edge_rig_start(&rig);
    PLAYS("eph:1", rows);
    edge_rig_advance(&rig, KEY_TTL_MS + 2 * MAP_SWEEP_MS);
    assert_string_equal(answer_of("map_stats", "{\"channel\":\"eph:1\"}"), "{\"result\":{}}");
    edge_rig_stop(&rig);
}

static void what_changes_nothing_says_why(void **state)
{
    (void)state;
#define SUPPRESSED(offset, reason) \
    "{\"offset\":" #offset ",\"epoch\":\"E\",\"suppressed\":true,\"suppress_reason\":\"" reason \
    "\"}"
    static const struct row rows[] = {
        {"map_remove", "{\"channel\":\"$\",\"key\":\"a\"}",
         "{\"suppressed\":true,\"suppress_reason\":\"key_not_found\"}"},
        {"map_publish",
         "{\"channel\":\"$\",\"key\":\"a\",\"data\":1,\"version\":5,\"idempotency_key\":\"i\","
         "\"key_mode\":\"if_new\"}",
         "{\"offset\":1,\"epoch\":\"E\"}"},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"a\",\"data\":1,\"idempotency_key\":\"i\"}",
         SUPPRESSED(1, "idempotency")},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"a\",\"data\":1,\"version\":5}",
         SUPPRESSED(1, "version")},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"a\",\"data\":1,\"key_mode\":\"if_new\"}",
         SUPPRESSED(1, "key_exists")},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"b\",\"data\":1,\"key_mode\":\"if_exists\"}",
         SUPPRESSED(1, "key_not_found")},
        {"map_remove", "{\"channel\":\"$\",\"key\":\"b\"}", SUPPRESSED(1, "key_not_found")},
    };
    rig_open(2);
    edge_rig_start(&rig);
    PLAYS("per:1", rows);
    edge_rig_stop(&rig);
}

static void what_is_asked_wrongly_is_refused(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"map_publish", "{\"channel\":\"$\",\"data\":1}", BAD},
        {"map_publish", "{\"channel\":\"\",\"key\":\"a\",\"data\":1}", BAD},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"a\",\"data\":1,\"key_mode\":\"x\"}", BAD},
        {"map_remove", "{\"channel\":\"$\"}", BAD},
        {"map_read_stream",
         "{\"channel\":\"$\",\"limit\":1,\"since_epoch\":\"x\",\"reverse\":true}", BAD},
        {"publish", "{\"channel\":\"$\",\"data\":1}", BAD},
        {"broadcast", "{\"channels\":[\"$\"],\"data\":1}",
         "{\"responses\":[{\"error\":{\"code\":107,\"message\":\"bad request\"}}]}"},
        {"history", "{\"channel\":\"$\",\"limit\":1}", ERROR(108, "not available")},
        {"map_publish", "{\"channel\":\"str:1\",\"key\":\"a\",\"data\":1}", BAD},
        {"map_remove", "{\"channel\":\"str:1\",\"key\":\"a\"}", BAD},
        {"map_read_state", "{\"channel\":\"str:1\"}", BAD},
        {"map_read_stream", "{\"channel\":\"str:1\"}", BAD},
        {"map_stats", "{\"channel\":\"str:1\"}", BAD},
        {"map_clear", "{\"channel\":\"str:1\"}", BAD},
        {"map_stats", "{\"channel\":\"none:1\"}", ERROR(102, "unknown channel")},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"a\",\"data\":1}",
         "{\"offset\":1,\"epoch\":\"E\"}"},
        {"map_publish", "{\"channel\":\"$\",\"key\":\"b\",\"data\":1}",
         ERROR(106, "limit exceeded")},
    };
    rig_open(2);
    rig.options.map_max_keys = 1;
    edge_rig_start(&rig);
    PLAYS("per:1", rows);
    edge_rig_stop(&rig);
}

static void series_have_the_methods_too(void **state)
{
    (void)state;
    rig_open(2);
    edge_rig_start(&rig);
    assert_string_equal(
        answer_of("batch", "{\"commands\":[{\"map_publish\":{\"channel\":\"per:2\",\"key\":\"a\","
                           "\"data\":1}},{\"map_stats\":{\"channel\":\"per:2\"}},{\"map_remove\":{"
                           "\"channel\":\"per:2\",\"key\":\"a\"}},{\"map_read_state\":{\"channel\":"
                           "\"per:2\",\"limit\":1}},{\"map_read_stream\":{\"channel\":\"per:2\","
                           "\"limit\":1}},{\"map_clear\":{\"channel\":\"per:2\"}}]}"),
        "{\"replies\":[{\"map_publish\":{\"offset\":1,\"epoch\":\"E\"}},{\"map_stats\":{"
        "\"num_keys\":1}},{\"map_remove\":{\"offset\":2,\"epoch\":\"E\"}},{\"map_read_state\":{"
        "\"offset\":2,\"epoch\":\"E\"}},{\"map_read_stream\":{\"entries\":[{\"key\":\"a\","
        "\"data\":1,\"offset\":1,\"time\":T}],\"offset\":2,\"epoch\":\"E\"}},{\"map_clear\":{}}]}");
    edge_rig_stop(&rig);
}

/* Bytes that are no JSON are for clients that speak Protobuf: backends cannot be told of them. */
static void a_page_that_is_no_json_is_an_error(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"map_publish", "{\"channel\":\"$\",\"key\":\"a\",\"b64data\":\"AAE=\"}",
         "{\"offset\":1,\"epoch\":\"E\"}"},
        {"map_read_state", "{\"channel\":\"$\",\"limit\":1}", ERROR(100, "internal server error")},
        {"map_stats", "{\"channel\":\"$\"}", "{\"num_keys\":1}"},
    };
    rig_open(1);
    edge_rig_start(&rig);
    PLAYS("per:1", rows);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_write_and_read_a_map),
        cmocka_unit_test(of_a_map_without_a_stream_no_offset_is_told),
        cmocka_unit_test(what_changes_nothing_says_why),
        cmocka_unit_test(what_is_asked_wrongly_is_refused),
        cmocka_unit_test(series_have_the_methods_too),
        cmocka_unit_test(a_page_that_is_no_json_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
