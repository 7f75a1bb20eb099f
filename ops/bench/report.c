/* SPDX-License-Identifier: Apache-2.0 */
/* The final table: what was measured, in units that people compare. */
#include "ops/bench/result.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 32 };

const char *report_count(uint64_t value, char out[32])
{
    char digits[TEXT_SIZE];
    const int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *to = out;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = 0;
    return out;
}

const char *report_duration(uint64_t ns, char out[32])
{
    const double value = (double)ns;
    if (ns < 10000) {
        snprintf(out, TEXT_SIZE, "%.2f us", value / 1e3);
    } else if (ns < 1000000) {
        snprintf(out, TEXT_SIZE, "%.0f us", value / 1e3);
    } else if (ns < 1000000000) {
        snprintf(out, TEXT_SIZE, ns < 100000000 ? "%.2f ms" : "%.0f ms", value / 1e6);
    } else {
        snprintf(out, TEXT_SIZE, "%.2f s", value / 1e9);
    }
    return out;
}

const char *report_bytes(uint64_t bytes, char out[32])
{
    if (bytes < 10240) {
        snprintf(out, TEXT_SIZE, "%llu B", (unsigned long long)bytes);
    } else if (bytes < 10u << 20) {
        snprintf(out, TEXT_SIZE, "%.1f KiB", (double)bytes / 1024);
    } else {
        snprintf(out, TEXT_SIZE, "%.1f MiB", (double)bytes / (1 << 20));
    }
    return out;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b == 0 ? 0 : (double)a / (double)b;
}

static void print_latency(const char *what, const struct hist *hist)
{
    char texts[5][TEXT_SIZE];
    if (hist_count(hist) == 0) {
        return;
    }
    printf("  %-24s p50 %s, p90 %s, p99 %s, p99.9 %s, max %s\n", what,
           report_duration(hist_quantile(hist, 0.5), texts[0]),
           report_duration(hist_quantile(hist, 0.9), texts[1]),
           report_duration(hist_quantile(hist, 0.99), texts[2]),
           report_duration(hist_quantile(hist, 0.999), texts[3]),
           report_duration(hist_max(hist), texts[4]));
}

/* `count` of `what` cost the server so much, each. */
static void print_cost(const struct result_stage *stage, const char *what, uint64_t count)
{
    if (count == 0 || stage->server_cpu_ns == 0) {
        return;
    }
    printf("  server CPU               %.3f us a %s (user %.0f %%, system %.0f %%)\n",
           ratio(stage->server_cpu_ns, count) / 1e3, what,
           100 * ratio(stage->server_user_ns, stage->server_user_ns + stage->server_system_ns),
           100 * ratio(stage->server_system_ns, stage->server_user_ns + stage->server_system_ns));
    if (stage->server_user_instructions != 0) {
        printf("  server instructions      %.0f user + %.0f kernel a %s\n",
               ratio(stage->server_user_instructions, count),
               ratio(stage->server_kernel_instructions, count), what);
    }
    const uint64_t floor_count =
        stage->floor_received != 0 ? stage->floor_received : stage->floor_joined;
    if (floor_count != 0 && stage->floor_cpu_ns != 0) {
        const double floor_ns = ratio(stage->floor_cpu_ns, floor_count);
        printf("  the floor                %.3f us a %s; the server is at %.2f x the floor\n",
               floor_ns / 1e3, what, ratio(stage->server_cpu_ns, count) / floor_ns);
    }
}

static double grown_by(uint64_t begin, uint64_t end, uint64_t count)
{
    return ((double)end - (double)begin) / (double)count;
}

static void print_memory(const struct result_stage *stage)
{
    char texts[4][TEXT_SIZE];
    if (stage->server_rss_end == 0) {
        return;
    }
    printf("  server memory            RSS %s (was %s), PSS %s; kernel slabs %s\n",
           report_bytes(stage->server_rss_end, texts[0]),
           report_bytes(stage->server_rss_begin, texts[1]),
           report_bytes(stage->server_pss_end, texts[2]),
           report_bytes(stage->kernel_slab_end, texts[3]));
    const uint64_t came = stage->connections_end - stage->connections_begin;
    if (stage->connections_end < stage->connections_begin || came < 1000) {
        return;
    }
    printf("  a connection             %.0f B of RSS in the server, %.0f B in the bench, %.0f B of "
           "kernel slabs (both ends)\n",
           grown_by(stage->server_rss_begin, stage->server_rss_end, came),
           grown_by(stage->bench_rss_begin, stage->bench_rss_end, came),
           grown_by(stage->kernel_slab_begin, stage->kernel_slab_end, came));
}

/* What is left of a connection's cost once those that just came have settled down. */
static void print_idle(const struct result *result, const struct result_stage *hold)
{
    const struct result_stage *connect = &result->stages[0];
    if (hold == connect || hold->server_rss_end == 0 || hold->connections_end < 1000) {
        return;
    }
    printf("  an idle connection       %.0f B of RSS in the server\n",
           grown_by(connect->server_rss_begin, hold->server_rss_end, hold->connections_end));
}

static void print_shares(const struct result_stage *stage)
{
    const uint64_t known = stage->bench_cpu_ns + stage->server_cpu_ns;
    const uint64_t others = stage->machine_busy_ns > known ? stage->machine_busy_ns - known : 0;
    printf("  CPUs at work             server %.0f %%, bench %.0f %% (busiest thread %.0f %%), "
           "others %.0f %%\n",
           100 * ratio(stage->server_cpu_ns, stage->duration_ns),
           100 * ratio(stage->bench_cpu_ns, stage->duration_ns),
           100 * ratio(stage->bench_busiest_ns, stage->duration_ns),
           100 * ratio(others, stage->duration_ns));
}

static void print_stage(const struct result *result, const struct result_stage *stage)
{
    char texts[4][TEXT_SIZE];
    const double seconds = (double)stage->duration_ns / 1e9;
    const bool is_echo = strcmp(result->mode, "echo") == 0;
    printf("\n%s (%.2f s, %s connections", stage->name, seconds,
           report_count(stage->connections_begin, texts[0]));
    if (stage->connections_end != stage->connections_begin) {
        printf(" to %s", report_count(stage->connections_end, texts[1]));
    }
    puts(")");
    if (stage->received != 0) {
        printf("  %-24s %s, %s a second\n", is_echo ? "echoes" : "deliveries",
               report_count(stage->received, texts[0]),
               report_count((uint64_t)((double)stage->received / seconds), texts[1]));
        if (!is_echo) {
            printf("  %-24s %s\n", "publications", report_count(stage->sent, texts[0]));
        }
        print_latency("latency", stage->latency);
        if (stage->bench_late_ns != 0 && stage->sent != 0) {
            printf("  sent late by the bench   %s on average (counted in the latency)\n",
                   report_duration(stage->bench_late_ns / stage->sent, texts[0]));
        }
    } else if (stage->joined != 0) {
        printf("  connected                %s, %s a second\n",
               report_count(stage->joined, texts[0]),
               report_count((uint64_t)((double)stage->joined / seconds), texts[1]));
    }
    if (stage->reconnects != 0) {
        printf("  reconnects               %s\n", report_count(stage->reconnects, texts[0]));
    }
    if (stage->received != 0) {
        print_cost(stage, is_echo ? "echo" : "delivery", stage->received);
    } else if (stage->joined != 0) {
        print_cost(stage, "connection", stage->joined);
    } else if (stage->connections_end != 0 && stage->server_cpu_ns != 0) {
        printf("  server CPU               %.3f us a second a connection (%s pings)\n",
               ratio(stage->server_cpu_ns, stage->connections_end) / 1e3 / seconds,
               report_count(stage->pings, texts[0]));
    }
    print_memory(stage);
    if (strcmp(stage->name, "hold") == 0) {
        print_idle(result, stage);
    }
    print_shares(stage);
}

void report_print(const struct result *result)
{
    char text[TEXT_SIZE];
    printf("\n%s: %s at %s, protocol %s, %s connections, %llu channels, window %llu, %llu B\n",
           result->label, result->mode, result->target, result->protocol,
           report_count(result->connections, text), (unsigned long long)result->channels,
           (unsigned long long)result->window, (unsigned long long)result->size);
    for (uint32_t i = 0; i < result->stages_len; i++) {
        print_stage(result, &result->stages[i]);
    }
    puts("");
    print_latency("time to connect", result->connect_latency);
    printf("  refused %llu, lost %llu; missing %llu, repeated %llu, misordered %llu, damaged "
           "%llu\n",
           (unsigned long long)result->refused, (unsigned long long)result->lost,
           (unsigned long long)result->missing, (unsigned long long)result->repeated,
           (unsigned long long)result->misordered, (unsigned long long)result->damaged);
    for (uint32_t i = 0; i < result->warnings_len; i++) {
        printf("  note: %s\n", result->warnings[i]);
    }
    if (result->failure[0] != 0) {
        printf("  FAILED: %s\n", result->failure);
    } else if (!result_is_good(result)) {
        puts("  FAILED");
    }
}
