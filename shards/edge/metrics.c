/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: each counter of counters.h summed over the shards, histograms merged, the process
 * itself. */
#include "shards/edge/metrics.h"

#include <string.h>

#include "codec/json_writer.h"
#include "shards/counters.h"

/* ---- Prometheus ---- */

/* Where all samples go, and what stands before their names; NULL: nothing. */
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
    if (to->prefix != NULL) {
        put_text(to->out, to->prefix);
        writer_put_byte(to->out, '_');
    }
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
    for (uint32_t id = 0; id < COUNTER_ROWS_LEN; id++) {
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

/* ---- families ---- */

/* `name{labels` and no brace behind it. */
static void begin_sample(struct metrics *to, const char *name, const char *suffix,
                         const char *fixed, struct span labels)
{
    struct writer *out = to->out;
    put_name(to, name);
    put_text(out, suffix);
    if (fixed[0] != '\0' || !span_is_empty(labels)) {
        writer_put_byte(out, '{');
        writer_put(out, labels);
        put_text(out, fixed[0] != '\0' && !span_is_empty(labels) ? "," : "");
        put_text(out, fixed);
    }
}

enum { LABELS_LEN_MAX = 256 };

/* False: there are no such values. */
static bool write_labels(struct writer *out, const struct node *node,
                         const struct counter_family *family, const uint32_t values[2])
{
    for (uint32_t i = 0; i < 2; i++) {
        const struct label *label = &family->labels[i];
        if (label->write == NULL) {
            continue;
        }
        if (i > 0) {
            writer_put_byte(out, ',');
        }
        if (!label->write(out, node, values[i])) {
            return false;
        }
    }
    return true;
}

/* Of families with two labels what is not zero: most combinations never are. A gauge shows the
 * first combination of each, so that it is there when all are 0. */
static void write_family(struct metrics *to, const struct node *node,
                         const struct counter_family *family)
{
    bool has_header = false;
    const uint32_t stride = family->labels[1].len;
    for (uint32_t i = 0; i < family->labels[0].len * stride; i++) {
        const uint64_t value = node_sum(node, family->first + i);
        const uint32_t values[2] = {i / stride, i % stride};
        uint8_t room[LABELS_LEN_MAX];
        struct writer labels = writer_of(room, sizeof(room));
        const bool is_shown = stride == 1 || value != 0 || (family->is_gauge && values[1] == 0);
        if (!is_shown || !write_labels(&labels, node, family, values)) {
            continue;
        }
        if (!has_header) {
            put_header(to, family->name, family->help, family->is_gauge ? "gauge" : "counter");
            has_header = true;
        }
        begin_sample(to, family->name, "", family->fixed, writer_written(&labels));
        writer_put_literal(to->out, "} ");
        writer_put_u64(to->out, value);
        writer_put_byte(to->out, '\n');
    }
}

/* ---- histograms ---- */

static void put_seconds(struct writer *out, uint64_t ns)
{
    char digits[9];
    writer_put_u64(out, ns / CLOCK_NS_A_S);
    writer_put_byte(out, '.');
    uint64_t rest = ns % CLOCK_NS_A_S;
    for (int i = 8; i >= 0; i--) {
        digits[i] = (char)('0' + rest % 10);
        rest /= 10;
    }
    writer_put(out, span_of(digits, 9));
    writer_put_byte(out, '\n');
}

/* One of a family: its labels, and the figures of all shards. */
struct hist_view {
    const struct hist_family *family;
    const char *name;
    struct span labels;
    const struct hist *hist;
};

static void put_sum_and_count(struct metrics *to, const struct hist_view *view)
{
    const char *end = view->family->fixed[0] == '\0' && span_is_empty(view->labels) ? " " : "} ";
    begin_sample(to, view->name, "_sum", view->family->fixed, view->labels);
    put_text(to->out, end);
    if (view->family->are_counts) {
        writer_put_u64(to->out, hist_sum(view->hist));
        writer_put_byte(to->out, '\n');
    } else {
        put_seconds(to->out, hist_sum(view->hist));
    }
    begin_sample(to, view->name, "_count", view->family->fixed, view->labels);
    put_text(to->out, end);
    writer_put_u64(to->out, hist_count(view->hist));
    writer_put_byte(to->out, '\n');
}

static void put_buckets(struct metrics *to, const struct hist_view *view)
{
    static const struct hist_bucket infinity = {"+Inf", UINT64_MAX};
    const struct hist_family *family = view->family;
    for (size_t i = 0; i <= family->buckets_len; i++) {
        const struct hist_bucket *bucket =
            i == family->buckets_len ? &infinity : &family->buckets[i];
        begin_sample(to, view->name, "_bucket", family->fixed, view->labels);
        writer_put_literal(to->out, ",le=\"");
        put_text(to->out, bucket->text);
        writer_put_literal(to->out, "\"} ");
        writer_put_u64(to->out, bucket == &infinity ? hist_count(view->hist)
                                                    : hist_count_at_most(view->hist, bucket->ns));
        writer_put_byte(to->out, '\n');
    }
    put_sum_and_count(to, view);
}

/* Over all the time that the node runs. */
static void put_quantiles(struct metrics *to, const struct hist_view *view)
{
    static const struct {
        const char *text;
        double quantile;
    } quantiles[] = {{"0.5", 0.5}, {"0.99", 0.99}, {"0.999", 0.999}};
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        begin_sample(to, view->name, "", view->family->fixed, view->labels);
        writer_put_literal(to->out, ",quantile=\"");
        put_text(to->out, quantiles[i].text);
        writer_put_literal(to->out, "\"} ");
        put_seconds(to->out, hist_quantile(view->hist, quantiles[i].quantile));
    }
    put_sum_and_count(to, view);
}

/* Shards are read as they run; the buckets of one shard are consistent enough for a scrape. */
static void sum_hist(const struct node *node, uint32_t id, struct hist *sum)
{
    hist_reset(sum);
    for (uint32_t shard = 0; shard < node->shards; shard++) {
        const struct stats *stats = node_stats(node, shard);
        if (stats != NULL) {
            hist_merge(sum, stats->hists[id]);
        }
    }
}

typedef void put_hist(struct metrics *to, const struct hist_view *view);

/* Of families with a label those that anything was recorded for. */
static void write_hists(struct metrics *to, const struct node *node, struct hist_view *view,
                        const char *type, put_hist *put)
{
    bool has_header = false;
    const struct label *label = &view->family->label;
    struct hist *sum = hist_create(STATS_HIST_PRECISION_BITS);
    view->hist = sum;
    for (uint32_t value = 0; sum != NULL && value < label->len; value++) {
        uint8_t room[LABELS_LEN_MAX];
        struct writer labels = writer_of(room, sizeof(room));
        sum_hist(node, view->family->first + value, sum);
        if (label->write != NULL && (hist_count(sum) == 0 || !label->write(&labels, node, value))) {
            continue;
        }
        if (!has_header) {
            put_header(to, view->name, view->family->help, type);
            has_header = true;
        }
        view->labels = writer_written(&labels);
        put(to, view);
    }
    hist_destroy(sum);
}

static void write_hist_family(struct metrics *to, const struct node *node,
                              const struct hist_family *family)
{
    static const char suffix[] = "_histogram";
    struct hist_view view = {.family = family, .name = family->name};
    write_hists(to, node, &view, "histogram", put_buckets);
    const size_t len = strlen(family->name);
    const size_t cut = len - (sizeof(suffix) - 1);
    char summary[64];
    if (len > sizeof(suffix) && strcmp(family->name + cut, suffix) == 0 && cut < sizeof(summary)) {
        memcpy(summary, family->name, cut);
        summary[cut] = '\0';
        view.name = summary;
        write_hists(to, node, &view, "summary", put_quantiles);
    }
}

/* ---- the process ---- */

/* Their names are Prometheus' own, so that no prefix stands before them. */
static void write_process(struct writer *out, const struct node *node)
{
    struct node_process process;
    if (!node_process(node, &process)) {
        return;
    }
    const struct {
        const char *name;
        const char *type;
        const char *help;
        uint64_t value;
    } rows[] = {
        {"process_resident_memory_bytes", "gauge", "Memory in use.", process.resident_bytes},
        {"process_virtual_memory_bytes", "gauge", "Address space in use.", process.virtual_bytes},
        {"process_open_fds", "gauge", "Connections of clients, to backends and to nodes.",
         node_sum(node, COUNTER_NUM_CONNECTIONS) + node_sum(node, COUNTER_BACKEND_CONNECTIONS) +
             node_sum(node, COUNTER_LINKS_UP)},
        {"process_max_fds", "gauge", "Descriptors that all shards may open.", process.max_fds},
    };
    struct metrics to = {out, NULL};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_header(&to, rows[i].name, rows[i].help, rows[i].type);
        put_sample(&to, rows[i].name, "", rows[i].value);
    }
    put_header(&to, "process_start_time_seconds", "When it started, as Unix time.", "gauge");
    put_name(&to, "process_start_time_seconds");
    writer_put_byte(out, ' ');
    put_seconds(out, (uint64_t)node->started_wall_ms * CLOCK_NS_A_MS);
    put_header(&to, "process_cpu_seconds_total", "Time on processors.", "counter");
    put_name(&to, "process_cpu_seconds_total");
    writer_put_byte(out, ' ');
    put_seconds(out, process.cpu_ns);
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
    put_header(&to, "node_client_connection_limit", "Peers beyond client.connection_limit.",
               "counter");
    put_sample(&to, "node_client_connection_limit", "",
               node_sum(node, COUNTER_REFUSED_CONNECTION_LIMIT));
    write_counters(&to, node);
    for (size_t i = 0; i < counter_families_len; i++) {
        write_family(&to, node, &counter_families[i]);
    }
    for (size_t i = 0; i < hist_families_len; i++) {
        write_hist_family(&to, node, &hist_families[i]);
    }
    write_process(out, node);
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

static uint64_t sum_of(const struct stats *stats, uint32_t first, uint32_t last)
{
    uint64_t sum = 0;
    for (uint32_t counter = first; counter <= last; counter++) {
        sum += stats_get(stats, counter);
    }
    return sum;
}

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
        json_write_u64(&json,
                       sum_of(stats, COUNTER_TRANSPORT_RECEIVED, COUNTER_TRANSPORT_RECEIVED_LAST));
        JSON_WRITE_KEY(&json, "messages_out");
        json_write_u64(&json, sum_of(stats, COUNTER_TRANSPORT_SENT, COUNTER_TRANSPORT_SENT_LAST));
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
}
