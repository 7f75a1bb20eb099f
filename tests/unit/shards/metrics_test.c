/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics is what Prometheus reads: a strict little parser of its text format, and true figures.
 */
#include <ctype.h>
#include <stdio.h>

#include "codec/json.h"
#include "shards/edge/metrics.h"
#include "shards/limits.h"
#include "tests/unit/shards/edge_rig.h"

#define NAMESPACE_LABEL "channel_namespace=\"\""
#define CLIENT(name, version) \
    "transport=\"websocket\",client_name=\"" name "\",client_version=\"" version \
    "\",accept_protocol=\"\""

enum { FAMILIES_MAX = 256, SAMPLES_MAX = 2048 };

struct sample {
    char *name;   /* Of the series, with its suffix. */
    char *labels; /* As written, or "". */
    double value;
};

struct family {
    char *name;
    char *type;
};

struct scrape {
    struct family families[FAMILIES_MAX];
    size_t families_len;
    struct sample samples[SAMPLES_MAX];
    size_t samples_len;
};

static char *copy(const char *from, size_t len)
{
    char *to = malloc(len + 1);
    assert_non_null(to);
    memcpy(to, from, len);
    to[len] = '\0';
    return to;
}

static size_t name_len(const char *at)
{
    assert_true(isalpha((unsigned char)at[0]) || at[0] == '_');
    return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:");
}

/* `{name="value",...}`; returns what follows the brace. */
static const char *read_labels(const char *at, struct sample *sample)
{
    const char *start = ++at;
    while (true) {
        at += name_len(at);
        assert_int_equal(*at++, '=');
        assert_int_equal(*at++, '"');
        while (*at != '"') {
            assert_true(*at != '\0' && *at != '\n');
            if (*at == '\\') {
                at++;
                assert_true(*at == '\\' || *at == '"' || *at == 'n');
            }
            at++;
        }
        at++;
        if (*at == '}') {
            sample->labels = copy(start, (size_t)(at - start));
            return at + 1;
        }
        assert_int_equal(*at++, ',');
    }
}

static void read_sample(struct scrape *scrape, const char *line)
{
    struct sample *sample = &scrape->samples[scrape->samples_len++];
    assert_true(scrape->samples_len <= SAMPLES_MAX && scrape->families_len > 0);
    const struct family *family = &scrape->families[scrape->families_len - 1];
    const size_t len = name_len(line);
    sample->name = copy(line, len);
    /* A sample belongs to the family whose TYPE stands above it. */
    assert_memory_equal(sample->name, family->name, strlen(family->name));
    const char *suffix = sample->name + strlen(family->name);
    if (strcmp(family->type, "histogram") == 0) {
        assert_true(strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_sum") == 0 ||
                    strcmp(suffix, "_count") == 0);
    } else if (strcmp(family->type, "summary") == 0) {
        assert_true(strcmp(suffix, "") == 0 || strcmp(suffix, "_sum") == 0 ||
                    strcmp(suffix, "_count") == 0);
    } else {
        assert_string_equal(suffix, "");
    }
    const char *at = line + len;
    if (*at == '{') {
        at = read_labels(at, sample);
    } else {
        sample->labels = copy("", 0);
    }
    assert_int_equal(*at++, ' ');
    char *end;
    assert_true(isdigit((unsigned char)*at));
    sample->value = strtod(at, &end);
    assert_int_equal(*end, '\0');
    for (size_t i = 0; i + 1 < scrape->samples_len; i++) {
        if (strcmp(scrape->samples[i].name, sample->name) == 0 &&
            strcmp(scrape->samples[i].labels, sample->labels) == 0) {
            fail_msg("%s{%s} stands there twice", sample->name, sample->labels);
        }
    }
}

static void read_help(struct scrape *scrape, const char *line)
{
    static const char help[] = "# HELP ";
    assert_memory_equal(line, help, sizeof(help) - 1);
    const char *name = line + sizeof(help) - 1;
    const size_t len = name_len(name);
    assert_true(name[len] == ' ' && name[len + 1] != '\0');
    struct family *family = &scrape->families[scrape->families_len++];
    assert_true(scrape->families_len <= FAMILIES_MAX);
    family->name = copy(name, len);
    for (size_t i = 0; i + 1 < scrape->families_len; i++) {
        assert_string_not_equal(scrape->families[i].name, family->name);
    }
}

/* The TYPE line follows its HELP line at once. */
static void read_type(struct scrape *scrape, const char *line)
{
    char wanted[256];
    struct family *family = &scrape->families[scrape->families_len - 1];
    const int len = snprintf(wanted, sizeof(wanted), "# TYPE %s ", family->name);
    assert_memory_equal(line, wanted, (size_t)len);
    const char *type = line + len;
    assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 ||
                strcmp(type, "histogram") == 0 || strcmp(type, "summary") == 0);
    family->type = copy(type, strlen(type));
}

static struct scrape *parse(const char *text)
{
    struct scrape *scrape = calloc(1, sizeof(*scrape));
    assert_non_null(scrape);
    while (*text != '\0') {
        const size_t len = strcspn(text, "\n");
        assert_int_equal(text[len], '\n'); /* The last line ends as well. */
        char *line = copy(text, len);
        text += len + 1;
        const bool awaits_type =
            scrape->families_len > 0 && scrape->families[scrape->families_len - 1].type == NULL;
        if (awaits_type) {
            read_type(scrape, line);
        } else if (line[0] == '#') {
            read_help(scrape, line);
        } else {
            read_sample(scrape, line);
        }
        free(line);
    }
    return scrape;
}

static void scrape_free(struct scrape *scrape)
{
    for (size_t i = 0; i < scrape->families_len; i++) {
        free(scrape->families[i].name);
        free(scrape->families[i].type);
    }
    for (size_t i = 0; i < scrape->samples_len; i++) {
        free(scrape->samples[i].name);
        free(scrape->samples[i].labels);
    }
    free(scrape);
}

static double value_of(const struct scrape *scrape, const char *name, const char *labels)
{
    for (size_t i = 0; i < scrape->samples_len; i++) {
        if (strcmp(scrape->samples[i].name, name) == 0 &&
            strcmp(scrape->samples[i].labels, labels) == 0) {
            return scrape->samples[i].value;
        }
    }
    fail_msg("there is no %s{%s}", name, labels);
    return 0;
}

static struct scrape *scrape_node(struct edge_rig *rig)
{
    struct peer *peer = peer_open(rig);
    peer_send(peer, "GET /metrics HTTP/1.1\r\nHost: rig\r\nConnection: close\r\n\r\n");
    peer_hear_response(peer, 200, NULL);
    assert_string_equal(peer_header(peer, "Content-Type"),
                        "text/plain; version=0.0.4; charset=utf-8");
    struct scrape *scrape = parse(peer->message.at);
    peer_close(peer);
    return scrape;
}

static void busy_rig(struct edge_rig *rig, uint32_t shards)
{
    edge_rig_init(rig, shards);
    rig->options.version = "1.0 \"x\\y\"";
    rig->options.without_namespace.presence = true;
    edge_rig_start(rig);
    struct peer *peers[3];
    for (int i = 0; i < 3; i++) {
        peers[i] = peer_open(rig);
        peer_connect_with(peers[i], i == 1 ? "{\"name\":\"js\",\"version\":\"1\"}" : "{}");
        peer_subscribe(peers[i], "a");
    }
    for (int i = 0; i < 5; i++) {
        peer_say(peers[0], "{\"id\":5,\"publish\":{\"channel\":\"a\",\"data\":1}}");
    }
    peer_say(peers[1], "{\"id\":5,\"rpc\":{}}");
    peer_say(peers[2], "x");
}

static void the_text_is_well_formed_and_whole(void **state)
{
    (void)state;
    static const uint32_t shard_counts[] = {1, 4};
    for (size_t n = 0; n < 2; n++) {
        static struct edge_rig rig;
        busy_rig(&rig, shard_counts[n]);
        struct scrape *scrape = scrape_node(&rig);
        for (uint32_t id = 0; id < COUNTER_ROWS_LEN; id++) {
            char name[128];
            (void)snprintf(name, sizeof(name), "roost_%s", counter_descriptions[id].name);
            (void)value_of(scrape, name, counter_descriptions[id].labels);
        }
        for (size_t i = 0; i < scrape->families_len; i++) {
            assert_memory_equal(scrape->families[i].name, "roost_", 6);
            assert_non_null(scrape->families[i].type);
        }
        scrape_free(scrape);
        edge_rig_stop(&rig);
    }
}

static void the_figures_are_true(void **state)
{
    (void)state;
    static struct edge_rig rig;
    busy_rig(&rig, 4);
    struct scrape *scrape = scrape_node(&rig);
    const struct {
        const char *name;
        const char *labels;
        double value;
    } cases[] = {
        {"roost_node_build", "version=\"1.0 \\\"x\\\\y\\\"\"", 1},
        {"roost_node_num_nodes", "", 1},
        {"roost_node_num_shards", "", 4},
        {"roost_node_num_clients", "", 2},
        {"roost_node_num_users", "", 1}, /* The anonymous are one. */
        {"roost_node_num_subscriptions", "", 2},
        {"roost_node_num_channels", "", 1},
        {"roost_node_num_presence_entries", "", 2},
        {"roost_client_connections_inflight", CLIENT("unnamed", "unversioned"), 1},
        {"roost_client_connections_inflight", CLIENT("js", "unregistered"), 1},
        {"roost_client_connections_accepted", CLIENT("unnamed", "unversioned"), 2},
        {"roost_client_connections_accepted", CLIENT("js", "unregistered"), 1},
        {"roost_client_subscriptions_inflight", "client_name=\"unnamed\"," NAMESPACE_LABEL, 1},
        {"roost_client_subscriptions_inflight", "client_name=\"js\"," NAMESPACE_LABEL, 1},
        {"roost_client_subscriptions_inflight", "client_name=\"unregistered\"," NAMESPACE_LABEL, 0},
        {"roost_client_subscriptions_accepted", "client_name=\"unnamed\"," NAMESPACE_LABEL, 2},
        {"roost_client_command_duration_seconds_count", "method=\"publish\"," NAMESPACE_LABEL, 5},
        {"roost_client_command_duration_seconds_count", "method=\"connect\"," NAMESPACE_LABEL, 3},
        {"roost_client_num_reply_errors", "method=\"rpc\",code=\"108\"," NAMESPACE_LABEL, 1},
        {"roost_client_num_server_disconnects", "code=\"3501\"", 1},
        {"roost_transport_outgoing_close_count", "transport=\"websocket\",code=\"3501\"", 1},
        {"roost_transport_messages_sent",
         "transport=\"websocket\",frame_type=\"push_publication\"," NAMESPACE_LABEL, 15},
        {"roost_transport_messages_received",
         "transport=\"websocket\",frame_type=\"publish\"," NAMESPACE_LABEL, 5},
        {"roost_transport_messages_received_size",
         "transport=\"websocket\",frame_type=\"publish\"," NAMESPACE_LABEL,
         5 * (sizeof("{\"id\":5,\"publish\":{\"channel\":\"a\",\"data\":1}}") - 1)},
        {"roost_node_action_count", "action=\"add_client\"," NAMESPACE_LABEL, 3},
        {"roost_node_action_count", "action=\"remove_subscription\"," NAMESPACE_LABEL, 1},
        {"roost_node_incoming_http_requests_total",
         "path=\"/connection/websocket\",method=\"GET\",status=\"101\"", 3},
        {"roost_node_stale_events", "", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const double value = value_of(scrape, cases[i].name, cases[i].labels);
        if (value < cases[i].value || value > cases[i].value) {
            fail_msg("%s{%s} is %f", cases[i].name, cases[i].labels, value);
        }
    }
    scrape_free(scrape);
    edge_rig_stop(&rig);
}

/* What stands before `le`, which is the last label. */
static void read_le(const struct sample *sample, char labels[128], double *le)
{
    const char *at = strstr(sample->labels, "le=\"");
    assert_non_null(at);
    (void)snprintf(labels, 128, "%.*s", (int)(at > sample->labels ? at - 1 - sample->labels : 0),
                   sample->labels);
    *le = strcmp(at, "le=\"+Inf\"") == 0 ? 1e300 : strtod(at + 4, NULL);
}

static size_t check_histogram(const struct scrape *scrape, const char *family)
{
    const size_t len = strlen(family);
    size_t whole = 0;
    double last = 0;
    double bound = -1;
    for (size_t i = 0; i < scrape->samples_len; i++) {
        const struct sample *sample = &scrape->samples[i];
        char name[128];
        char labels[128];
        double le;
        if (strncmp(sample->name, family, len) != 0 || strcmp(sample->name + len, "_bucket") != 0) {
            continue;
        }
        read_le(sample, labels, &le);
        assert_true(le > bound && sample->value >= last);
        bound = le;
        last = sample->value;
        if (le > 1e299) {
            (void)snprintf(name, sizeof(name), "%s_sum", family);
            (void)value_of(scrape, name, labels);
            (void)snprintf(name, sizeof(name), "%s_count", family);
            const double count = value_of(scrape, name, labels);
            assert_true(count >= last && count <= last);
            bound = -1;
            last = 0;
            whole++;
        }
    }
    assert_true(bound < 0);
    return whole;
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    static struct edge_rig rig;
    busy_rig(&rig, 2);
    struct scrape *scrape = scrape_node(&rig);
    size_t histograms = 0;
    for (size_t f = 0; f < scrape->families_len; f++) {
        if (strcmp(scrape->families[f].type, "histogram") == 0) {
            histograms++;
            assert_true(check_histogram(scrape, scrape->families[f].name) > 0);
        }
    }
    /* Lag, broadcast, commands, surveys, recovered, two of cycles of polls. */
    assert_int_equal(histograms, 7);
    assert_int_equal(check_histogram(scrape, "roost_client_command_duration_seconds_histogram"), 4);
    const double lag = value_of(scrape, "roost_node_pub_sub_lag_seconds_count", NAMESPACE_LABEL);
    assert_true(lag >= 5 && lag <= 10); /* One for each shard that has a subscriber. */
    const double p99 = value_of(scrape, "roost_client_command_duration_seconds",
                                "method=\"publish\"," NAMESPACE_LABEL ",quantile=\"0.99\"");
    assert_true(p99 >= 0 && p99 < 1);
    scrape_free(scrape);
    edge_rig_stop(&rig);
}

/* Counters only grow, however often they are read. */
static void counters_never_fall(void **state)
{
    (void)state;
    static struct edge_rig rig;
    busy_rig(&rig, 3);
    struct scrape *before = scrape_node(&rig);
    for (size_t i = 0; i < EDGE_PEERS_MAX; i++) {
        if (rig.peers[i].rig != NULL) {
            peer_reset(&rig.peers[i]);
        }
    }
    edge_rig_advance(&rig, 60000);
    struct scrape *after = scrape_node(&rig);
    for (uint32_t id = 0; id < COUNTER_ROWS_LEN; id++) {
        char name[128];
        (void)snprintf(name, sizeof(name), "roost_%s", counter_descriptions[id].name);
        if (counter_descriptions[id].kind == COUNTER_KIND_COUNTER) {
            assert_true(value_of(after, name, counter_descriptions[id].labels) >=
                        value_of(before, name, counter_descriptions[id].labels));
        }
    }
    scrape_free(before);
    scrape_free(after);
    edge_rig_stop(&rig);
}

static void the_demo_page_gets_json_of_each_shard(void **state)
{
    (void)state;
    static struct edge_rig rig;
    busy_rig(&rig, 3);
    uint8_t room[8192];
    struct writer out = writer_of(room, sizeof(room));
    metrics_write_shards(&out, rig.node);
    assert_false(writer_is_overflown(&out));
    assert_int_equal(json_check(writer_written(&out)), JSON_OK);
    char *text = copy((const char *)room, writer_written_len(&out));
    unsigned roles = 0;
    for (const char *at = text; (at = strstr(at, "\"role\":\"")) != NULL; at++) {
        roles++;
    }
    assert_int_equal(roles, 4);
    assert_non_null(strstr(text, "\"version\":\"1.0 \\\"x\\\\y\\\"\""));
    assert_non_null(strstr(text, "\"role\":\"router\""));
    free(text);
    edge_rig_stop(&rig);
}

static void names_may_begin_otherwise(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.metrics_prefix = "centrifugo";
    edge_rig_start(&rig);
    struct scrape *scrape = scrape_node(&rig);
    for (size_t i = 0; i < scrape->families_len; i++) {
        assert_memory_equal(scrape->families[i].name, "centrifugo_", 11);
    }
    assert_true(value_of(scrape, "centrifugo_node_num_clients", "") == 0);
    scrape_free(scrape);
    edge_rig_stop(&rig);
}

/* A check is answered by every shard, however many ask, and leaves nothing behind. */
static void health_asks_all_shards(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 4);
    edge_rig_start(&rig);
    struct peer *peers[20];
    const uint64_t sent = edge_rig_count(&rig, COUNTER_MAILBOX_SENT);
    for (int i = 0; i < 20; i++) {
        peers[i] = peer_open(&rig);
        peer_put_text(peers[i], "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    }
    edge_rig_settle(&rig);
    for (int i = 0; i < 20; i++) {
        peer_hear_response(peers[i], 200, "{}");
    }
    edge_rig_advance(&rig, 1);
    /* One question at least to each other shard and to the router, and its answer. */
    const uint64_t now = edge_rig_count(&rig, COUNTER_MAILBOX_SENT);
    if (now < sent + (uint64_t)20 * 2 * 4) {
        fail_msg("only %llu messages", (unsigned long long)(now - sent));
    }
    peer_send(peers[0], "HEAD /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    peer_hear_head(peers[0], 200);
    peer_put_text(peers[1], "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    peer_reset(peers[1]);
    edge_rig_advance(&rig, 2000);
    edge_rig_stop(&rig);
}

/* Balancers are told of a shard whose turns take so long that clients would notice. */
static void health_tells_of_a_slow_shard(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 3);
    edge_rig_start(&rig);
    struct peer *peer = peer_open(&rig);
    peer_send(peer, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    peer_hear_response(peer, 200, "{}");
    sim_slow_node(rig.sim, rig.number, HEALTH_MS_MAX + 200, 60000);
    peer_put_text(peer, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    edge_rig_advance(&rig, 10 * HEALTH_MS_MAX);
    peer_hear_response(peer, 503, NULL);
    assert_non_null(strstr(peer->message.at, "shard"));
    edge_rig_advance(&rig, 60000);
    struct peer *after = peer_open(&rig);
    peer_send(after, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    peer_hear_response(after, 200, "{}");
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_well_formed_and_whole),
        cmocka_unit_test(the_figures_are_true),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(counters_never_fall),
        cmocka_unit_test(the_demo_page_gets_json_of_each_shard),
        cmocka_unit_test(names_may_begin_otherwise),
        cmocka_unit_test(health_asks_all_shards),
        cmocka_unit_test(health_tells_of_a_slow_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
