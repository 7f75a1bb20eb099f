/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's program: runs worlds by their seeds, replays one, and shows that a seed replays.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

enum { EXIT_USAGE = 2, EXIT_NOT_REPLAYED = 5, DEFAULT_STEPS = 400, DEFAULT_SEEDS = 20 };

struct arguments {
    uint64_t first;
    uint64_t last;
    struct world_options world;
    bool checks_replay;
};

static const char usage[] =
    "sim: nodes with many shards, their clients and faults, under a fake clock\n"
    "  --seed N          one world; N is a number, or a commit's hash in hexadecimal\n"
    "  --seeds A..B      worlds A to B\n"
    "  --steps N         how long each lives (default 400)\n"
    "  --verbose         the nodes' logs\n"
    "Exit: 0 all held; 3 a promise was broken; 4 something never happened; 5 a seed did not\n"
    "replay; 2 wrong arguments; killed by a signal: a crash.\n";

/* Decimal, or a commit's hash: its first 16 hexadecimal digits. */
static bool parse_seed(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    if (*end == '\0' && end != text && strlen(text) < 20) {
        return true;
    }
    char digits[17] = {0};
    (void)snprintf(digits, sizeof(digits), "%.16s", text);
    *out = strtoull(digits, &end, 16);
    return *end == '\0' && end != digits;
}

static bool parse_arguments(int count, char **values, struct arguments *out)
{
    *out = (struct arguments){.first = 1,
                              .last = DEFAULT_SEEDS,
                              .world = {.steps = DEFAULT_STEPS},
                              .checks_replay = true};
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? values[i + 1] : NULL;
        if (strcmp(values[i], "--verbose") == 0) {
            out->world.is_verbose = true;
        } else if (value != NULL && strcmp(values[i], "--seed") == 0) {
            if (!parse_seed(value, &out->first)) {
                return false;
            }
            out->last = out->first;
            i++;
        } else if (value != NULL && strcmp(values[i], "--seeds") == 0) {
            if (sscanf(value, "%" SCNu64 "..%" SCNu64, &out->first, &out->last) != 2 ||
                out->last < out->first) {
                return false;
            }
            i++;
        } else if (value != NULL && strcmp(values[i], "--steps") == 0) {
            out->world.steps = (uint32_t)strtoul(value, NULL, 10);
            i++;
        } else {
            return false;
        }
    }
    return true;
}

static void print_report(uint64_t seed, enum world_result result, const struct world_report *report)
{
    printf("seed %" PRIu64 ": %s nodes=%u shards=%u clients=%u publications=%u deliveries=%" PRIu64
           " faults=%u recovered=%u unrecovered=%u disconnects=%u simulated_s=%.1f "
           "digest=%016" PRIx64 "%s%s\n",
           seed, result == WORLD_OK ? "held" : "FAILED", report->nodes, report->shards,
           report->clients, report->publications, report->deliveries, report->faults,
           report->recovered, report->unrecovered, report->disconnects,
           (double)report->simulated_ms / 1000, report->digest,
           report->what[0] == '\0' ? "" : " why: ", report->what);
    (void)fflush(stdout);
}

int main(int count, char **values)
{
    struct arguments arguments;
    if (!parse_arguments(count, values, &arguments)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    uint64_t simulated_ms = 0;
    uint64_t faults = 0;
    for (uint64_t seed = arguments.first; seed <= arguments.last; seed++) {
        printf("seed %" PRIu64 " steps %u begins\n", seed, arguments.world.steps);
        (void)fflush(stdout);
        struct world_report report;
        arguments.world.seed = seed;
        const enum world_result result = world_run(&arguments.world, &report);
        print_report(seed, result, &report);
        if (result != WORLD_OK) {
            return (int)result;
        }
        simulated_ms += report.simulated_ms;
        faults += report.faults;
        if (seed == arguments.first) {
            struct world_report again;
            (void)world_run(&arguments.world, &again);
            if (again.digest != report.digest) {
                print_report(seed, WORLD_WRONG, &again);
                (void)fputs("the same seed made another history\n", stderr);
                return EXIT_NOT_REPLAYED;
            }
        }
        if (seed == UINT64_MAX) {
            break;
        }
    }
    printf("all held: %.1f simulated seconds, %" PRIu64 " faults\n", (double)simulated_ms / 1000,
           faults);
    return 0;
}
