/* SPDX-License-Identifier: Apache-2.0 */
/* One table of flags: what they are called, what they set, and what they mean. */
#include "ops/bench/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/bench/floor.h"
#include "ops/bench/payload.h"

const char *const mode_names[MODE_COUNT] = {"idle",  "connect", "echo", "fanout",
                                            "spike", "churn",   "mixed"};

enum { ERROR_SIZE = 256, WINDOW_MAX = 4096, SIZE_MAX_BYTES = 1 << 20, CHANNELS_MAX = 65536 };

enum flag_kind { FLAG_TEXT, FLAG_NUMBER, FLAG_DURATION, FLAG_BOOL };

struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset;
    const char *help;
};

#define FLAG(name, kind, member, help) \
    { \
        name, FLAG_##kind, offsetof(struct options, member), help \
    }

static const struct flag flags[] = {
    FLAG("--host", TEXT, host, "IPv4 address of the server (127.0.0.1)"),
    FLAG("--port", NUMBER, port, "port of the server"),
    FLAG("--path", TEXT, path, "path of the WebSocket; %s stands for the channel"),
    FLAG("--protocol", TEXT, protocol_name, "one of those below"),
    FLAG("--connections", NUMBER, connections, "connections that are there from the start"),
    FLAG("--connect-rate", NUMBER, connect_rate, "connections opened a second (as fast as can be)"),
    FLAG("--handshakes", NUMBER, handshakes_max, "handshakes at a time (200)"),
    FLAG("--threads", NUMBER, threads, "threads; more are taken when descriptors run out (1)"),
    FLAG("--channels", NUMBER, channels, "channels that the connections are spread over (1)"),
    FLAG("--window", NUMBER, window, "messages in flight: a connection, or a channel (1)"),
    FLAG("--rate", NUMBER, rate, "messages due a second in all, instead of a window"),
    FLAG("--size", NUMBER, size, "bytes of payload (32; at least 28)"),
    FLAG("--duration", DURATION, duration_ns, "what is measured: 5s, 500ms (5s)"),
    FLAG("--warmup", DURATION, warmup_ns, "traffic before that (1s)"),
    FLAG("--messages", NUMBER, messages, "measure so many messages instead of a duration"),
    FLAG("--peak", NUMBER, peak, "spike: connections at the end of the ramp"),
    FLAG("--over", DURATION, over_ns, "spike: length of the ramp (10s)"),
    FLAG("--churn", NUMBER, churn, "churn: reconnects a second (100)"),
    FLAG("--churners", NUMBER, churners, "churn: connections that take turns (connections / 10)"),
    FLAG("--after", DURATION, after_ns, "idle: look at the memory so long after all have left"),
    FLAG("--scenario", TEXT, scenario_path, "mixed: the file of stages"),
    FLAG("--server-pid", NUMBER, server_pid, "read the server's CPU and memory from /proc"),
    FLAG("--publish-port", NUMBER, publish_port, "publish on this port, of another node"),
    FLAG("--publish-pid", NUMBER, publish_pid, "that node's CPU and memory count too"),
    FLAG("--cpu", NUMBER, cpu, "pin the bench to this CPU"),
    FLAG("--spin", BOOL, spin, "never sleep: no latency is that of a CPU that has to wake up"),
    FLAG("--floor", BOOL, floor, "measure the barest server too, and say how far from it"),
    FLAG("--floor-cpu", NUMBER, floor_cpu, "pin the barest server to this CPU"),
    FLAG("--floor-poller", TEXT, floor_poller, "what it waits with: epoll, io_uring (epoll)"),
    FLAG("--perf", BOOL, perf, "count the server's instructions, user and kernel"),
    FLAG("--json", TEXT, json_path, "write the result to this file"),
    FLAG("--label", TEXT, label, "name of this result in tables and plots"),
    FLAG("--no-publish", BOOL, no_publish, "subscribe only: another process publishes"),
    FLAG("--quiet", BOOL, quiet, "no progress"),
    FLAG("--help", BOOL, help, "print this"),
};

enum { FLAGS_LEN = sizeof(flags) / sizeof(flags[0]) };

/* A decimal number with its unit, of a list "k" 1000 ... ended by NULL. */
struct unit {
    const char *suffix;
    double factor;
};

static bool number_with_unit(const char *text, const struct unit *units, uint64_t *out)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end == text || !(value >= 0) || value > 1e15 || text[0] == '-' || text[0] == ' ') {
        return false;
    }
    for (; units->suffix != NULL; units++) {
        if (strcmp(end, units->suffix) == 0) {
            *out = (uint64_t)(value * units->factor + 0.5);
            return true;
        }
    }
    return false;
}

bool options_number(const char *text, uint64_t *out)
{
    static const struct unit units[] = {{"", 1},    {"k", 1e3}, {"m", 1e6},
                                        {"K", 1e3}, {"M", 1e6}, {NULL, 0}};
    return number_with_unit(text, units, out);
}

bool options_duration(const char *text, uint64_t *out_ns)
{
    static const struct unit units[] = {{"s", 1e9},  {"", 1e9},   {"ms", 1e6}, {"us", 1e3},
                                        {"ns", 1.0}, {"m", 6e10}, {NULL, 0}};
    return number_with_unit(text, units, out_ns);
}

static const struct flag *flag_find(const char *name, size_t len)
{
    for (size_t i = 0; i < FLAGS_LEN; i++) {
        if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0) {
            return &flags[i];
        }
    }
    return NULL;
}

static bool flag_set(const struct flag *flag, const char *value, struct options *out)
{
    void *at = (char *)out + flag->offset;
    switch (flag->kind) {
    case FLAG_TEXT:
        *(const char **)at = value;
        return true;
    case FLAG_NUMBER:
        return options_number(value, (uint64_t *)at);
    case FLAG_DURATION:
        return options_duration(value, (uint64_t *)at);
    case FLAG_BOOL:
        *(bool *)at = true;
        return true;
    }
    return false;
}

static bool flags_parse(int argc, char **argv, struct options *out, char *error)
{
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        const size_t len = equals == NULL ? strlen(argv[i]) : (size_t)(equals - argv[i]);
        const struct flag *flag = flag_find(argv[i], len);
        if (flag == NULL) {
            snprintf(error, ERROR_SIZE, "%s is no flag; --help lists them", argv[i]);
            return false;
        }
        const char *value = equals == NULL ? NULL : equals + 1;
        if (flag->kind != FLAG_BOOL && value == NULL) {
            value = ++i < argc ? argv[i] : NULL;
        }
        if ((flag->kind == FLAG_BOOL) != (value == NULL) || !flag_set(flag, value, out)) {
            snprintf(error, ERROR_SIZE, "%s cannot be %s", flag->name,
                     value == NULL ? "without a value" : value);
            return false;
        }
    }
    return true;
}

/* What depends on the mode and was not given. */
static void options_complete(struct options *out)
{
    const bool is_plain = out->mode == MODE_ECHO;
    if (out->protocol_name == NULL) {
        out->protocol_name = is_plain ? "echo" : "centrifuge";
    }
    out->protocol = protocol_find(out->protocol_name);
    if (out->label == NULL) {
        out->label = out->protocol_name;
    }
    if (out->churners == 0) {
        out->churners = out->connections / 10 + 1;
    }
    if (out->peak == 0) {
        out->peak = 10 * out->connections;
    }
    if (out->rate == 0 && (out->mode == MODE_SPIKE || out->mode == MODE_CHURN)) {
        out->rate = 10;
    }
}

static const char *options_complaint(const struct options *out)
{
    if (out->protocol == NULL) {
        return "--protocol: there is none of that name; --help lists them";
    }
    enum floor_poller poller;
    if (!floor_poller_find(out->floor_poller, &poller)) {
        return "--floor-poller must be epoll or io_uring";
    }
    if (out->port == 0 || out->port > 65535) {
        return "--port must be 1 to 65535";
    }
    if (out->publish_port > 65535) {
        return "--publish-port must be 1 to 65535";
    }
    if (out->connections == 0 || out->connections > 16000000) {
        return "--connections must be 1 to 16 million";
    }
    if (out->size < PAYLOAD_LEN_MIN || out->size > SIZE_MAX_BYTES) {
        return "--size must be 28 to 1048576";
    }
    if (out->window == 0 || out->window > WINDOW_MAX) {
        return "--window must be 1 to 4096";
    }
    if (out->threads == 0 || out->threads > 1024) {
        return "--threads must be 1 to 1024";
    }
    if (out->channels == 0 || out->channels > CHANNELS_MAX || out->channels > out->connections) {
        return "--channels must be 1 to 65536, and at most as many as connections";
    }
    if (out->channels > 1 && !out->protocol->has_channels) {
        return "--channels: this protocol has only one";
    }
    if (out->mode == MODE_MIXED && out->scenario_path == NULL) {
        return "--scenario is missing";
    }
    if (out->handshakes_max == 0) {
        return "--handshakes must be at least 1";
    }
    return NULL;
}

bool options_parse(int argc, char **argv, struct options *out, char error[256])
{
    *out = (struct options){
        .host = "127.0.0.1",
        .connections = 100,
        .handshakes_max = 200,
        .threads = 1,
        .channels = 1,
        .window = 1,
        .size = 32,
        .duration_ns = 5000000000,
        .warmup_ns = 1000000000,
        .over_ns = 10000000000,
        .churn = 100,
        .cpu = UINT64_MAX,
        .floor_cpu = UINT64_MAX,
        .floor_poller = "epoll",
        .mode = MODE_COUNT,
    };
    for (unsigned i = 0; argc > 0 && i < MODE_COUNT; i++) {
        if (strcmp(argv[0], mode_names[i]) == 0) {
            out->mode = (enum bench_mode)i;
        }
    }
    if (out->mode == MODE_COUNT) {
        snprintf(error, ERROR_SIZE, "the first word must be a mode; --help lists them");
        return false;
    }
    if (!flags_parse(argc, argv, out, error)) {
        return false;
    }
    options_complete(out);
    const char *complaint = out->help ? NULL : options_complaint(out);
    if (complaint != NULL) {
        snprintf(error, ERROR_SIZE, "%s", complaint);
    }
    return complaint == NULL;
}

void options_usage(void)
{
    puts("roost-bench: loads a WebSocket server and tells what it cost\n\n"
         "usage: roost-bench MODE --port N [flags]\n"
         "       roost-bench merge A.json B.json... [--json FILE]\n"
         "       roost-bench plot RESULT.json... --html FILE\n"
         "       roost-bench floor --port N [--broadcast] [--cpu N] [--poller P]\n\n"
         "modes\n"
         "  idle      hold connections: memory and CPU of one\n"
         "  connect   open connections: rate, and CPU of one\n"
         "  echo      each connection sends and waits for what comes back\n"
         "  fanout    publish into channels that all connections subscribe to\n"
         "  spike     many connections come while a fan-out runs\n"
         "  churn     connections come and go while a fan-out runs\n"
         "  mixed     stages from a file\n\n"
         "protocols");
    for (const struct protocol *const *at = protocols; *at != NULL; at++) {
        printf("  %-20s %s\n", (*at)->name, (*at)->about);
    }
    puts("\nflags");
    for (size_t i = 0; i < FLAGS_LEN; i++) {
        printf("  %-15s %s\n", flags[i].name, flags[i].help);
    }
    puts("\nThe exit code is 1 when a publication was missing, repeated or misordered, or a\n"
         "connection was refused or lost; 2 when the command line is wrong.");
}
