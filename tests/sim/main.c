/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's program: runs worlds by their seeds, replays one, and shows that a seed replays.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/sanitizer.h"
#include "tests/sim/stories.h"
#include "tests/sim/world.h"

enum {
    EXIT_WRONG = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_REPLAYED = 5,
    JOBS_MAX = 64,
    SEEDS_DEFAULT = UNDER_ADDRESS_SANITIZER ? 8 : 40,
    /* One in so many worlds is run twice. */
    REPLAYED_EACH = 50,
    SEEDS_OF_FILE_MAX = 1024,
    HASH_DIGITS = 15,
};

static const char usage[] =
    "sim: whole nodes that are a cluster, their clients and what goes wrong, under a fake clock\n"
    "  (nothing)         all stories, the seeds of seeds.txt, and the first few\n"
    "  --seed N          one world; N is a number, or a commit's hash\n"
    "  --count C         C worlds from that seed on\n"
    "  --seeds A..B      worlds A to B\n"
    "  --seeds-file PATH the seeds at the beginnings of its lines\n"
    "  --jobs J          in J processes\n"
    "  --story NAME      join, crash, leave, partition, pause, moves or dying\n"
    "  --verbose         the nodes' logs\n"
    "  --trace CHANNEL   what shards tell each other of it: r:c0, c1, r:c2, c3 ...\n"
    "Exit: 0 all held; 1 a promise was broken, and its seed is printed; 5 a seed did not replay;\n"
    "2 wrong arguments; killed by a signal: a crash.\n";

struct arguments {
    uint64_t first;
    uint64_t count;
    uint32_t jobs;
    const char *story;
    const char *file;
    const char *traced;
    bool is_verbose;
    bool is_default;
};

/* What all processes have found; each adds to its own. */
struct tally {
    uint64_t worlds;
    uint64_t wrong;
    uint64_t not_replayed;
    uint64_t simulated_ms;
    uint64_t publications;
    uint64_t acknowledged;
    uint64_t sure;
    uint64_t deliveries;
    uint64_t recovered;
    uint64_t unrecovered;
    uint64_t told;
    uint64_t faults[FAULTS_LEN];
    uint64_t network_faults[SIM_FAULTS_LEN];
};

/* Decimal, or a commit's hash: its first hexadecimal digits. */
static bool parse_seed(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    if (*end == '\0' && end != text && strlen(text) < 20) {
        return true;
    }
    char digits[HASH_DIGITS + 1] = {0};
    (void)snprintf(digits, sizeof(digits), "%.*s", HASH_DIGITS, text);
    *out = strtoull(digits, &end, 16);
    return *end == '\0' && end != digits;
}

static bool parse_value(const char *name, const char *value, struct arguments *out)
{
    uint64_t last;
    if (strcmp(name, "--seed") == 0) {
        return parse_seed(value, &out->first);
    }
    if (strcmp(name, "--count") == 0) {
        out->count = strtoull(value, NULL, 10);
        return out->count > 0;
    }
    if (strcmp(name, "--seeds") == 0) {
        const bool is_range = sscanf(value, "%" SCNu64 "..%" SCNu64, &out->first, &last) == 2;
        out->count = is_range && last >= out->first ? last - out->first + 1 : 0;
        return out->count > 0;
    }
    if (strcmp(name, "--seeds-file") == 0) {
        out->file = value;
        return true;
    }
    if (strcmp(name, "--jobs") == 0) {
        out->jobs = (uint32_t)strtoul(value, NULL, 10);
        return out->jobs > 0 && out->jobs <= JOBS_MAX;
    }
    if (strcmp(name, "--story") == 0) {
        out->story = value;
        return true;
    }
    if (strcmp(name, "--trace") == 0) {
        out->traced = value;
        return true;
    }
    return false;
}

static bool parse_arguments(int count, char **values, struct arguments *out)
{
    *out = (struct arguments){.first = 1, .count = 1, .jobs = 1, .is_default = count == 1};
    for (int i = 1; i < count; i++) {
        if (strcmp(values[i], "--verbose") == 0) {
            out->is_verbose = true;
        } else if (i + 1 == count || !parse_value(values[i], values[i + 1], out)) {
            return false;
        } else {
            i++;
        }
    }
    return true;
}

/* ---- worlds ---- */

static void add_to(struct tally *tally, const struct world_report *report)
{
    tally->worlds++;
    tally->simulated_ms += report->simulated_ms;
    tally->publications += report->publications;
    tally->acknowledged += report->acknowledged;
    tally->sure += report->sure;
    tally->deliveries += report->deliveries;
    tally->recovered += report->recovered;
    tally->unrecovered += report->unrecovered;
    tally->told += report->told;
    for (uint32_t i = 0; i < FAULTS_LEN; i++) {
        tally->faults[i] += report->faults[i];
    }
    for (uint32_t i = 0; i < SIM_FAULTS_LEN; i++) {
        tally->network_faults[i] += report->network_faults[i];
    }
}

static void print_world(const struct world_options *options, enum world_result result,
                        const struct world_report *report)
{
    printf("seed %" PRIu64 ": %s nodes=%u shards=%u clients=%u publications=%" PRIu64
           " deliveries=%" PRIu64 " recovered=%" PRIu64 " unrecovered=%" PRIu64 " told=%" PRIu64
           " simulated_s=%.1f digest=%016" PRIx64 "\n",
           options->seed, result == WORLD_OK ? "held" : "FAILED", report->nodes, report->shards,
           report->clients, report->publications, report->deliveries, report->recovered,
           report->unrecovered, report->told, (double)report->simulated_ms / 1000, report->digest);
    (void)fflush(stdout);
}

/* False: what follows need not be run. */
static bool run_world(const struct arguments *arguments, uint64_t seed, bool is_replayed,
                      struct tally *tally)
{
    struct world_report report;
    struct world_options options = {.seed = seed,
                                    .writes_logs = arguments->is_verbose,
                                    .prints_trace = true,
                                    .traced = arguments->traced};
    const enum world_result result = world_run(&options, &report);
    add_to(tally, &report);
    if (result != WORLD_OK || arguments->count <= 100) {
        print_world(&options, result, &report);
    }
    tally->wrong += result != WORLD_OK;
    if (is_replayed) {
        struct world_report again;
        options.prints_trace = false;
        (void)world_run(&options, &again);
        if (again.digest != report.digest) {
            printf("seed %" PRIu64 " made another history when it was run again\n", seed);
            tally->not_replayed++;
        }
    }
    return tally->wrong == 0 && tally->not_replayed == 0;
}

/* Every so many of the seeds; until any process has found something. */
static void run_share(const struct arguments *arguments, uint32_t job, struct tally *tallies)
{
    for (uint64_t i = job; i < arguments->count; i += arguments->jobs) {
        for (uint32_t other = 0; other < arguments->jobs; other++) {
            const uint64_t found = __atomic_load_n(&tallies[other].wrong, __ATOMIC_RELAXED);
            if (found != 0) {
                return;
            }
        }
        const bool is_replayed = i / arguments->jobs % REPLAYED_EACH == 0;
        if (!run_world(arguments, arguments->first + i, is_replayed, &tallies[job])) {
            return;
        }
    }
}

static int run_jobs(const struct arguments *arguments, struct tally *tallies)
{
    pid_t children[JOBS_MAX];
    int crashed = 0;
    (void)fflush(stdout);
    for (uint32_t job = 0; job < arguments->jobs; job++) {
        children[job] = fork();
        if (children[job] == 0) {
            run_share(arguments, job, tallies);
            (void)fflush(stdout);
            _exit(0);
        }
    }
    for (uint32_t job = 0; job < arguments->jobs; job++) {
        int status = 0;
        if (waitpid(children[job], &status, 0) != children[job] || status != 0) {
            printf("job %u crashed after %" PRIu64 " worlds: at seed %" PRIu64 "\n", job,
                   tallies[job].worlds,
                   arguments->first + job + tallies[job].worlds * arguments->jobs);
            crashed = EXIT_WRONG;
        }
    }
    return crashed;
}

static void print_faults(const struct tally *sum)
{
    static const char *const words[SIM_FAULTS_LEN] = {
        [SIM_FAULT_LOST] = "lost",   [SIM_FAULT_TWICE] = "doubled", [SIM_FAULT_LATE] = "late",
        [SIM_FAULT_HELD] = "held",   [SIM_FAULT_FULL] = "full",     [SIM_FAULT_SLOW] = "slow_turns",
        [SIM_FAULT_SPLIT] = "split",
    };
    printf("faults:");
    for (uint32_t i = 0; i < FAULTS_LEN; i++) {
        printf(" %s=%" PRIu64, fault_word((enum fault)i), sum->faults[i]);
    }
    for (uint32_t i = 0; i < SIM_FAULTS_LEN; i++) {
        printf(" %s=%" PRIu64, words[i], sum->network_faults[i]);
    }
    printf("\n");
}

static int print_sum(const struct tally *tallies, uint32_t len)
{
    struct tally sum = {0};
    uint64_t *into = (uint64_t *)&sum;
    for (uint32_t job = 0; job < len; job++) {
        const uint64_t *from = (const uint64_t *)&tallies[job];
        for (size_t i = 0; i < sizeof(sum) / sizeof(*into); i++) {
            into[i] += from[i];
        }
    }
    printf("%s: %" PRIu64 " worlds, %.1f simulated seconds; publications made %" PRIu64
           ", acknowledged %" PRIu64 " (%" PRIu64 " of them while nodes had one view), delivered "
           "%" PRIu64 "; recovered %" PRIu64 ", not recovered %" PRIu64 ", told of a gap %" PRIu64
           "\n",
           sum.wrong + sum.not_replayed == 0 ? "all held" : "FAILED", sum.worlds,
           (double)sum.simulated_ms / 1000, sum.publications, sum.acknowledged, sum.sure,
           sum.deliveries, sum.recovered, sum.unrecovered, sum.told);
    print_faults(&sum);
    if (sum.wrong > 0) {
        return EXIT_WRONG;
    }
    return sum.not_replayed > 0 ? EXIT_NOT_REPLAYED : 0;
}

static int run_seeds(const struct arguments *arguments)
{
    struct tally *tallies = mmap(NULL, JOBS_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BUG_IF(tallies == MAP_FAILED);
    printf("seeds %" PRIu64 "..%" PRIu64 ", %u jobs\n", arguments->first,
           arguments->first + arguments->count - 1, arguments->jobs);
    int result = 0;
    if (arguments->jobs > 1) {
        result = run_jobs(arguments, tallies);
    } else {
        run_share(arguments, 0, tallies);
    }
    const int found = print_sum(tallies, arguments->jobs);
    return found != 0 ? found : result;
}

/* A line: a seed, and what it once found. */
static int run_file(const struct arguments *arguments)
{
    char line[256];
    uint32_t count = 0;
    struct tally tally = {0};
    FILE *file = fopen(arguments->file, "r");
    if (file == NULL) {
        perror(arguments->file);
        return EXIT_USAGE;
    }
    bool goes_on = true;
    while (goes_on && count < SEEDS_OF_FILE_MAX && fgets(line, sizeof(line), file) != NULL) {
        char *end;
        const uint64_t seed = strtoull(line, &end, 10);
        if (end != line) {
            goes_on = run_world(arguments, seed, false, &tally);
            count++;
        }
    }
    (void)fclose(file);
    return print_sum(&tally, 1);
}

int main(int count, char **values)
{
    struct arguments arguments;
    if (!parse_arguments(count, values, &arguments)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    int result = 0;
    if (arguments.story != NULL || arguments.is_default) {
        const enum story_result told = stories_tell(arguments.story);
        result = told == STORY_UNKNOWN ? EXIT_USAGE : told == STORY_WRONG ? EXIT_WRONG : 0;
    }
    if (arguments.is_default) {
        arguments.file = "tests/sim/seeds.txt";
        arguments.count = SEEDS_DEFAULT;
    }
    if (result == 0 && arguments.file != NULL) {
        result = run_file(&arguments);
    }
    if (result == 0 && arguments.story == NULL &&
        (arguments.file == NULL || arguments.is_default)) {
        result = run_seeds(&arguments);
    }
    return result;
}
