/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: each counter of counters.h summed over the shards, histograms merged, the process
 * itself. */
#include "shards/edge/metrics.h"

#include <string.h>

#include "codec/json_writer.h"
#include "shards/counters.h"

/* ---- Prometheus ---- */

/* Where all samples go, and what stands before their names. */
struct metrics {
    struct writer *out;
    const char *prefix;
};

static void put_text(struct writer *out, const char *text)
{
    writer_put(out, span_of_text(text));
}

/* Labels of counters are written as they shall stand; this is for what comes from elsewhere. */
static void put_label_value(struct writer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"' || *text == '\n') {
            writer_put_byte(out, '\\');
        }
        writer_put_byte(out, *text == '\n' ? 'n' : (uint8_t)*text);
    }
}

static void put_name(struct metrics *to, const char *name)
{
    put_text(to->out, to->prefix);
    writer_put_byte(to->out, '_');
    put_text(to->out, name);
}

static void put_header(struct metrics *to, const char *name, const char *help, const char *type)
{
    struct writer *out = to->out;
    writer_put_literal(out, "# HELP ");
    put_name(to, name);
    writer_put_byte(out, ' ');
    put_text(out, help);
    writer_put_literal(out, "\n# TYPE ");
    put_name(to, name);
    writer_put_byte(out, ' ');
    put_text(out, type);
    writer_put_byte(out, '\n');
}

static void put_sample(struct metrics *to, const char *name, const char *labels, uint64_t value)
{
    struct writer *out = to->out;
    put_name(to, name);
    if (labels[0] != '\0') {
        writer_put_byte(out, '{');
        put_text(out, labels);
        writer_put_byte(out, '}');
    }
    writer_put_byte(out, ' ');
    writer_put_u64(out, value);
    writer_put_byte(out, '\n');
}

static uint64_t users_of(const struct node *node)
{
    return node_sum(node, COUNTER_NUM_USERS) + (node_sum(node, COUNTER_NUM_ANONYMOUS) > 0 ? 1 : 0);
}

/* Those that are not gone; outside of a cluster this one. */
static uint64_t nodes_of(const struct node *node)
{
    const uint64_t nodes = node_sum(node, COUNTER_CLUSTER_ALIVE) +
                           node_sum(node, COUNTER_CLUSTER_SUSPECT) +
                           node_sum(node, COUNTER_CLUSTER_UNREACHABLE);
    return nodes == 0 ? 1 : nodes;
}

static void write_counters(struct metrics *to, const struct node *node)
{
    const char *last = "";
    for (uint32_t id = 0; id < COUNTERS_LEN; id++) {
        const struct counter_description *about = &counter_descriptions[id];
        if (strcmp(last, about->name) != 0) {
            put_header(to, about->name, about->help,
                       about->kind == COUNTER_KIND_GAUGE ? "gauge" : "counter");
            last = about->name;
        }
        put_sample(to, about->name, about->labels,
                   id == COUNTER_NUM_USERS ? users_of(node) : node_sum(node, id));
    }
}

struct hist_description {
    const char *name;
    const char *labels;
    const char *help;
};

static const struct hist_description hist_descriptions[HISTS_LEN] = {
    [HIST_PUB_SUB_LAG_NS] = {"node_pub_sub_lag_seconds", "channel_namespace=\"\"",
                             "From a home's acceptance of a publication to a shard's fan-out."},
    [HIST_PING_PONG_NS] = {"client_ping_pong_duration_seconds", "transport=\"websocket\"",
                           "From a ping of the server to the client's pong."},
    [HIST_API_NS] = {"api_command_duration_seconds_histogram", "protocol=\"http\"",
                     "One call of the server API."},
    [HIST_PROXY_NS] = {"proxy_duration_seconds_histogram", "protocol=\"http\"",
                       "One request of a proxy."},
};

struct hist_bucket {
    const char *label;
    uint64_t ns;
};

static const struct hist_bucket hist_buckets[] = {
    {"0.000001", 1000},  {"0.00001", 10000},  {"0.0001", 100000},  {"0.00025", 250000},
    {"0.0005", 500000},  {"0.001", 1000000},  {"0.0025", 2500000}, {"0.005", 5000000},
    {"0.01", 10000000},  {"0.025", 25000000}, {"0.05", 50000000},  {"0.1", 100000000},
    {"0.25", 250000000}, {"0.5", 500000000},  {"1", 1000000000},   {"2.5", 2500000000},
    {"5", 5000000000},   {"10", 10000000000},
};

static void put_hist_name(struct metrics *to, const struct hist_description *about,
                          const char *suffix)
{
    struct writer *out = to->out;
    put_name(to, about->name);
    put_text(out, suffix);
    writer_put_byte(out, '{');
    put_text(out, about->labels);
}

/* Shards are read as they run; the buckets of one shard are consistent enough for a scrape. */
static void write_hist(struct metrics *to, const struct node *node, enum shard_hist id)
{
    struct writer *out = to->out;
    const struct hist_description *about = &hist_descriptions[id];
    uint64_t counts[sizeof(hist_buckets) / sizeof(hist_buckets[0])] = {0};
    uint64_t total = 0;
    uint64_t sum_ns = 0;
    for (uint32_t shard = 0; shard < node->shards; shard++) {
        const struct stats *stats = node_stats(node, shard);
        if (stats == NULL) {
            continue;
        }
        const struct hist *hist = stats->hists[id];
        for (size_t i = 0; i < sizeof(hist_buckets) / sizeof(hist_buckets[0]); i++) {
            counts[i] += hist_count_at_most(hist, hist_buckets[i].ns);
        }
        total += hist_count(hist);
        sum_ns += hist_sum(hist);
    }
    put_header(to, about->name, about->help, "histogram");
    for (size_t i = 0; i < sizeof(hist_buckets) / sizeof(hist_buckets[0]); i++) {
        put_hist_name(to, about, "_bucket");
        writer_put_literal(out, ",le=\"");
        put_text(out, hist_buckets[i].label);
        writer_put_literal(out, "\"} ");
        writer_put_u64(out, counts[i]);
        writer_put_byte(out, '\n');
    }
    put_hist_name(to, about, "_bucket");
    writer_put_literal(out, ",le=\"+Inf\"} ");
    writer_put_u64(out, total);
    writer_put_byte(out, '\n');
    put_hist_name(to, about, "_sum");
    writer_put_literal(out, "} ");
    writer_put_u64(out, sum_ns / CLOCK_NS_A_S);
    writer_put_byte(out, '.');
    char digits[10];
    uint64_t rest = sum_ns % CLOCK_NS_A_S;
    for (int i = 8; i >= 0; i--) {
        digits[i] = (char)('0' + rest % 10);
        rest /= 10;
    }
    writer_put(out, span_of(digits, 9));
    writer_put_byte(out, '\n');
    put_hist_name(to, about, "_count");
    writer_put_literal(out, "} ");
    writer_put_u64(out, total);
    writer_put_byte(out, '\n');
}

void metrics_write_prometheus(struct writer *out, const struct node *node, int64_t wall_ms)
{
    struct metrics to = {out, node->options->metrics_prefix};
    const int64_t up_ms = wall_ms - node->started_wall_ms;
    put_header(&to, "node_build", "The version that runs.", "gauge");
    put_name(&to, "node_build");
    writer_put_literal(out, "{version=\"");
    put_label_value(out, node->options->version);
    writer_put_literal(out, "\"} 1\n");
    put_header(&to, "node_num_nodes", "Members of the cluster.", "gauge");
    put_sample(&to, "node_num_nodes", "", nodes_of(node));
    put_header(&to, "node_num_shards", "Shards that serve clients.", "gauge");
    put_sample(&to, "node_num_shards", "", node->shards);
    put_header(&to, "node_uptime_seconds", "Since the node started.", "gauge");
    put_sample(&to, "node_uptime_seconds", "", up_ms > 0 ? (uint64_t)up_ms / 1000 : 0);
    put_header(&to, "client_subscriptions_inflight", "Subscriptions of sessions.", "gauge");
    put_sample(&to, "client_subscriptions_inflight", "", node_sum(node, COUNTER_NUM_SUBSCRIPTIONS));
    write_counters(&to, node);
    for (uint32_t id = 0; id < HISTS_LEN; id++) {
        write_hist(&to, node, (enum shard_hist)id);
    }
}

/* ---- the demo page's view ---- */

struct shard_field {
    const char *key;
    enum counter counter;
};

static const struct shard_field shard_fields[] = {
    {"connections", COUNTER_NUM_CONNECTIONS},
    {"clients", COUNTER_NUM_CLIENTS},
    {"subscriptions", COUNTER_NUM_SUBSCRIPTIONS},
    {"channels", COUNTER_NUM_CHANNELS},
    {"turns", COUNTER_TURNS},
    {"busy_ns", COUNTER_BUSY_NS},
};

void metrics_write_shards(struct writer *out, const struct node *node)
{
    struct json_writer json = json_writer_of(out);
    json_write_object_begin(&json);
    JSON_WRITE_KEY(&json, "node");
    json_write_string(&json, span_of_text(node->options->name));
    JSON_WRITE_KEY(&json, "version");
    json_write_string(&json, span_of_text(node->options->version));
    JSON_WRITE_KEY(&json, "shards");
    json_write_array_begin(&json);
    for (uint32_t shard = 0; shard <= node->shards; shard++) {
        const struct stats *stats = node_stats(node, shard);
        if (stats == NULL) {
            continue;
        }
        json_write_object_begin(&json);
        JSON_WRITE_KEY(&json, "id");
        json_write_u64(&json, shard);
        JSON_WRITE_KEY(&json, "role");
        json_write_string(&json,
                          shard == node->shards ? SPAN_LITERAL("router") : SPAN_LITERAL("shard"));
        for (size_t i = 0; i < sizeof(shard_fields) / sizeof(shard_fields[0]); i++) {
            json_write_key(&json, span_of_text(shard_fields[i].key));
            json_write_u64(&json, stats_get(stats, shard_fields[i].counter));
        }
        JSON_WRITE_KEY(&json, "messages_in");
        json_write_u64(&json, stats_get(stats, COUNTER_TRANSPORT_RECEIVED_COMMAND));
        JSON_WRITE_KEY(&json, "messages_out");
        json_write_u64(&json, stats_get(stats, COUNTER_TRANSPORT_SENT_PUSH_PUBLICATION) +
                                  stats_get(stats, COUNTER_TRANSPORT_SENT_REPLY));
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
}
