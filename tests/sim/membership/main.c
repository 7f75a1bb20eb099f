/* SPDX-License-Identifier: Apache-2.0 */
/* The gossip's simulator as a program: short without arguments, long by name, one seed to replay.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/membership/scenarios.h"

enum { EXIT_BROKEN = 3, EXIT_USAGE = 2, EXIT_NOT_REPLAYED = 5 };

static const char usage[] =
    "membership: clusters of gossip engines in a small network, under a fake clock\n"
    "  (nothing)        a short run of everything but 1,000 nodes\n"
    "  --seed N         one small cluster under faults drawn from N\n"
    "  --seeds A..B     many\n"
    "  --starved M      100 nodes, 10 of them starved, for M simulated minutes, with and without\n"
    "                   Lifeguard\n"
    "  --detection N    N deaths in a cluster of 100\n"
    "  --one-sided N    N times a node that nobody hears, and one that hears nobody\n"
    "  --scale          10, 100 and 1,000 nodes: convergence, bytes, processor time\n"
    "Exit: 0 all held; 3 a promise was broken; 5 a seed did not replay; 2 wrong arguments.\n";

static int run_seeds(uint64_t first, uint64_t last)
{
    for (uint64_t seed = first; seed <= last; seed++) {
        uint64_t digest;
        uint64_t again;
        if (!scenario_swarm(seed, &digest)) {
            return EXIT_BROKEN;
        }
        (void)fflush(stdout);
        if (seed == first && scenario_swarm(seed, &again) && again != digest) {
            (void)fputs("the same seed made another history\n", stderr);
            return EXIT_NOT_REPLAYED;
        }
    }
    return 0;
}

static bool run_starved(uint32_t minutes)
{
    const bool has_held = scenario_starved(minutes, false, 1);
    return scenario_starved(minutes, true, 1) && has_held;
}

static int run_short(void)
{
    if (run_seeds(1, 60) != 0) {
        return EXIT_BROKEN;
    }
    const bool has_held = scenario_detection(100, 5, 1) && scenario_one_sided(20, 1) &&
                          run_starved(10) && scenario_scale(10, 1) && scenario_scale(100, 1);
    return has_held ? 0 : EXIT_BROKEN;
}

int main(int count, char **values)
{
    uint64_t first;
    uint64_t last;
    if (count == 1) {
        return run_short();
    }
    if (count == 2 && strcmp(values[1], "--scale") == 0) {
        const bool has_held = scenario_seal() && scenario_scale(10, 1) && scenario_scale(100, 1) &&
                              scenario_scale(1000, 1);
        return has_held ? 0 : EXIT_BROKEN;
    }
    if (count == 3 && strcmp(values[1], "--seed") == 0) {
        first = strtoull(values[2], NULL, 10);
        return run_seeds(first, first);
    }
    if (count == 3 && strcmp(values[1], "--seeds") == 0 &&
        sscanf(values[2], "%" SCNu64 "..%" SCNu64, &first, &last) == 2) {
        return run_seeds(first, last);
    }
    if (count == 3 && strcmp(values[1], "--starved") == 0) {
        return run_starved((uint32_t)strtoul(values[2], NULL, 10)) ? 0 : EXIT_BROKEN;
    }
    if (count == 3 && strcmp(values[1], "--detection") == 0) {
        return scenario_detection(100, (uint32_t)strtoul(values[2], NULL, 10), 1) ? 0 : EXIT_BROKEN;
    }
    if (count == 3 && strcmp(values[1], "--one-sided") == 0) {
        return scenario_one_sided((uint32_t)strtoul(values[2], NULL, 10), 1) ? 0 : EXIT_BROKEN;
    }
    (void)fputs(usage, stderr);
    return EXIT_USAGE;
}
