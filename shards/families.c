/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of families as data, and how values of labels are written. */
#include "shards/families.h"

#include "codec/writer.h"
#include "shards/counters.h"
#include "shards/edge/transport/transports.h"
#include "shards/node.h"

/* ---- labels ---- */

static const uint16_t close_codes[CLOSE_CODES - 1] = {
    1000, 1001, 1002, 1003, 1007, 1009, 1011, 1013, 3000, 3001, 3004, 3005, 3006, 3008, 3009,
    3010, 3011, 3012, 3013, 3014, 3500, 3501, 3502, 3503, 3504, 3505, 3506, 3507, 3508, 3509,
};

uint32_t label_of_close(uint32_t code)
{
    uint32_t i = 0;
    while (i < CLOSE_CODES - 1 && close_codes[i] != code) {
        i++;
    }
    return i;
}

static void put_text(struct writer *out, const char *text)
{
    writer_put(out, span_of_text(text));
}

static bool write_value(struct writer *out, const char *name, const char *value)
{
    put_text(out, name);
    writer_put_literal(out, "=\"");
    put_text(out, value);
    writer_put_byte(out, '"');
    return true;
}

static bool write_code(struct writer *out, const char *name, uint32_t code)
{
    put_text(out, name);
    writer_put_literal(out, "=\"");
    if (code == 0) {
        writer_put_literal(out, "custom");
    } else {
        writer_put_u64(out, code);
    }
    writer_put_byte(out, '"');
    return true;
}

static bool write_TRANSPORT(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_value(out, "transport", transport_name((enum transport)value));
}

static bool write_FRAME(struct writer *out, const struct node *node, uint32_t value)
{
#define FRAME_TYPE_NAME(id, name) [FRAME_##id] = (name),
    static const char *const names[FRAME_TYPES] = {FRAME_TYPE_TABLE(FRAME_TYPE_NAME)};
#undef FRAME_TYPE_NAME
    (void)node;
    return write_value(out, "frame_type", names[value]);
}

static bool write_METHOD(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_value(out, "method", client_method_name((enum client_method)value));
}

static bool write_ERROR(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_code(out, "code", value == LABEL_ERROR_LEN - 1 ? 0 : ERROR_CODE_FIRST + value);
}

static bool write_API_ERROR(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_code(out, "error", value == LABEL_ERROR_LEN - 1 ? 0 : ERROR_CODE_FIRST + value);
}

static bool write_CLOSE(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_code(out, "code", value == CLOSE_CODES - 1 ? 0 : close_codes[value]);
}

static bool write_API_METHOD(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_value(out, "method",
                       value == API_METHOD_COUNT ? "unknown"
                                                 : api_method_name((enum api_method)value));
}

static bool write_ACTION(struct writer *out, const struct node *node, uint32_t value)
{
#define ACTION_NAME(id, name) [ACTION_##id] = (name),
    static const char *const names[ACTIONS] = {ACTION_TABLE(ACTION_NAME)};
#undef ACTION_NAME
    (void)node;
    return write_value(out, "action", names[value]);
}

/* Names of proxies have no characters that need to be escaped (ops/config/config_proxy.c). */
static bool write_PROXY_USE(struct writer *out, const struct node *node, uint32_t value)
{
    struct proxy_uses uses;
    proxy_uses_find(node->options, &uses);
    if (value >= uses.len) {
        return false;
    }
    (void)write_value(out, "type", proxy_kind_name(uses.items[value].kind));
    writer_put_byte(out, ',');
    return write_value(out, "name", uses.items[value].proxy->name);
}

/* Only of those that are polled. */
static bool write_POLL_PROXY(struct writer *out, const struct node *node, uint32_t value)
{
    struct proxy_uses uses;
    proxy_uses_find(node->options, &uses);
    return value < uses.len && write_value(out, "name", uses.items[value].proxy->name);
}

static bool write_TRIGGER(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_value(out, "trigger", value == POLL_BY_TIMER ? "timer" : "notification");
}

static bool write_POLLED(struct writer *out, const struct node *node, uint32_t value)
{
    static const char *const names[POLL_RESULTS] = {"polled", "changed", "unchanged", "removed"};
    (void)node;
    return write_value(out, "result", names[value]);
}

static bool write_CLIENT_NAME(struct writer *out, const struct node *node, uint32_t value)
{
    const struct span name = client_name_text(node->options, value);
    writer_put_literal(out, "client_name=\"");
    writer_put(out, name);
    writer_put_byte(out, '"');
    return !span_is_empty(name);
}

static bool write_CLIENT(struct writer *out, const struct node *node, uint32_t value)
{
    const bool is_one = write_CLIENT_NAME(out, node, client_label_name(value));
    writer_put_byte(out, ',');
    (void)write_value(out, "client_version",
                      client_label_has_version(value) ? "unregistered" : "unversioned");
    return is_one;
}

static bool write_HTTP_PATH(struct writer *out, const struct node *node, uint32_t value)
{
    writer_put_literal(out, "path=\"");
    http_path_write(out, node->options, (enum http_path)value);
    writer_put_byte(out, '"');
    return true;
}

static bool write_HTTP_ANSWER(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    http_answer_write(out, value);
    return true;
}

static bool write_YES_RECOVERED(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_value(out, "recovered", value == 0 ? "no" : "yes");
}

static bool write_YES_PUBLICATIONS(struct writer *out, const struct node *node, uint32_t value)
{
    (void)node;
    return write_value(out, "has_recovered_publications", value == 0 ? "no" : "yes");
}

#define write_NONE NULL

/* ---- counters ---- */

#define FAMILY_GAUGE true
#define FAMILY_COUNTER false

const struct counter_family counter_families[] = {
#define COUNTER_FAMILY(id, name_, label, other, fixed_, kind, help_) \
    {.name = (name_), \
     .help = (help_), \
     .fixed = (fixed_), \
     .is_gauge = FAMILY_##kind, \
     .first = COUNTER_##id, \
     .labels = {{LABEL_##label##_LEN, write_##label}, {LABEL_##other##_LEN, write_##other}}},
    FAMILY_TABLE(COUNTER_FAMILY)
#undef COUNTER_FAMILY
};

const size_t counter_families_len = sizeof(counter_families) / sizeof(counter_families[0]);

/* ---- histograms ---- */

/* The bounds that Centrifugo has, so that queries over both fit. */
static const struct hist_bucket buckets_LAG[] = {
    {"0.001", 1000000}, {"0.005", 5000000}, {"0.01", 10000000}, {"0.025", 25000000},
    {"0.05", 50000000}, {"0.1", 100000000}, {"0.2", 200000000}, {"0.5", 500000000},
    {"1", 1000000000},  {"2", 2000000000},  {"5", 5000000000},  {"10", 10000000000},
};

static const struct hist_bucket buckets_BROADCAST[] = {
    {"0.000001", 1000},  {"0.000005", 5000},  {"0.00001", 10000},  {"0.00005", 50000},
    {"0.0001", 100000},  {"0.00025", 250000}, {"0.0005", 500000},  {"0.001", 1000000},
    {"0.005", 5000000},  {"0.01", 10000000},  {"0.025", 25000000}, {"0.05", 50000000},
    {"0.1", 100000000},  {"0.25", 250000000}, {"0.5", 500000000},  {"1", 1000000000},
    {"2.5", 2500000000}, {"5", 5000000000},   {"10", 10000000000},
};

static const struct hist_bucket buckets_COMMAND[] = {
    {"0.0001", 100000},  {"0.00025", 250000}, {"0.0005", 500000},  {"0.001", 1000000},
    {"0.005", 5000000},  {"0.01", 10000000},  {"0.025", 25000000}, {"0.05", 50000000},
    {"0.1", 100000000},  {"0.25", 250000000}, {"0.5", 500000000},  {"1", 1000000000},
    {"2.5", 2500000000}, {"5", 5000000000},   {"10", 10000000000},
};

static const struct hist_bucket buckets_SURVEY[] = {
    {"0.001", 1000000}, {"0.005", 5000000},  {"0.01", 10000000},  {"0.025", 25000000},
    {"0.05", 50000000}, {"0.1", 100000000},  {"0.25", 250000000}, {"0.5", 500000000},
    {"1", 1000000000},  {"2.5", 2500000000}, {"5", 5000000000},   {"10", 10000000000},
};

static const struct hist_bucket buckets_DEFAULT[] = {
    {"0.005", 5000000},  {"0.01", 10000000},  {"0.025", 25000000}, {"0.05", 50000000},
    {"0.1", 100000000},  {"0.25", 250000000}, {"0.5", 500000000},  {"1", 1000000000},
    {"2.5", 2500000000}, {"5", 5000000000},   {"10", 10000000000},
};

static const struct hist_bucket buckets_RECOVERED[] = {
    {"0", 0},     {"1", 1},       {"2", 2},       {"3", 3},       {"5", 5},
    {"10", 10},   {"20", 20},     {"50", 50},     {"100", 100},   {"250", 250},
    {"500", 500}, {"1000", 1000}, {"2000", 2000}, {"5000", 5000}, {"10000", 10000},
};

static const struct hist_bucket buckets_POLL_CYCLE[] = {
    {"0.01", 10000000},  {"0.025", 25000000}, {"0.05", 50000000},  {"0.1", 100000000},
    {"0.25", 250000000}, {"0.5", 500000000},  {"1", 1000000000},   {"2.5", 2500000000},
    {"5", 5000000000},   {"10", 10000000000}, {"30", 30000000000}, {"60", 60000000000},
};

static const struct hist_bucket buckets_POLL[] = {
    {"0.001", 1000000},  {"0.005", 5000000},  {"0.01", 10000000},  {"0.025", 25000000},
    {"0.05", 50000000},  {"0.1", 100000000},  {"0.25", 250000000}, {"0.5", 500000000},
    {"1", 1000000000},   {"2.5", 2500000000}, {"5", 5000000000},   {"10", 10000000000},
    {"30", 30000000000},
};

static const struct hist_bucket buckets_POLL_WAIT[] = {
    {"0.0001", 100000},  {"0.0005", 500000},  {"0.001", 1000000},  {"0.005", 5000000},
    {"0.01", 10000000},  {"0.025", 25000000}, {"0.05", 50000000},  {"0.1", 100000000},
    {"0.25", 250000000}, {"0.5", 500000000},  {"1", 1000000000},   {"2.5", 2500000000},
    {"5", 5000000000},   {"10", 10000000000}, {"30", 30000000000},
};

static const struct hist_bucket buckets_ITEMS[] = {
    {"1", 1},     {"5", 5},     {"10", 10},     {"25", 25},     {"50", 50},     {"100", 100},
    {"250", 250}, {"500", 500}, {"1000", 1000}, {"2500", 2500}, {"5000", 5000},
};

/* Of bounds, whether they are counts. */
enum {
    COUNTS_LAG = 0,
    COUNTS_BROADCAST = 0,
    COUNTS_COMMAND = 0,
    COUNTS_SURVEY = 0,
    COUNTS_DEFAULT = 0,
    COUNTS_POLL = 0,
    COUNTS_POLL_WAIT = 0,
    COUNTS_POLL_CYCLE = 0,
    COUNTS_ITEMS = 1,
    COUNTS_RECOVERED = 1,
};

const struct hist_family hist_families[] = {
#define HIST_FAMILY(id, name_, label_, fixed_, bounds, help_) \
    {.name = (name_), \
     .help = (help_), \
     .fixed = (fixed_), \
     .first = HIST_##id, \
     .label = {LABEL_##label_##_LEN, write_##label_}, \
     .buckets = buckets_##bounds, \
     .buckets_len = sizeof(buckets_##bounds) / sizeof(buckets_##bounds[0]), \
     .are_counts = COUNTS_##bounds},
    HIST_TABLE(HIST_FAMILY)
#undef HIST_FAMILY
};

const size_t hist_families_len = sizeof(hist_families) / sizeof(hist_families[0]);
