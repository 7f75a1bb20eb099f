/* SPDX-License-Identifier: Apache-2.0 */
/* roost-bench: the command line, and which part of the program does what it asks for. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/bench/floor.h"
#include "ops/bench/load.h"
#include "ops/bench/options.h"
#include "ops/bench/plot.h"
#include "ops/bench/result.h"

enum { EXIT_BAD_RUN = 1, EXIT_BAD_COMMAND = 2, ERROR_SIZE = 256 };

static int complain(const char *what)
{
    fprintf(stderr, "roost-bench: %s\n", what);
    return EXIT_BAD_COMMAND;
}

static int finish(const struct result *result, const char *json_path)
{
    char error[ERROR_SIZE];
    report_print(result);
    if (json_path != NULL && !result_save(result, json_path, error)) {
        return complain(error);
    }
    return result_is_good(result) ? 0 : EXIT_BAD_RUN;
}

static int run_load(int argc, char **argv)
{
    struct options options;
    struct result result;
    char error[ERROR_SIZE];
    if (!options_parse(argc, argv, &options, error)) {
        return complain(error);
    }
    if (options.help) {
        options_usage();
        return 0;
    }
    size_t len = 0;
    char *scenario = NULL;
    if (options.scenario_path != NULL) {
        scenario = result_read_file(options.scenario_path, &len);
        if (scenario == NULL) {
            snprintf(error, sizeof error, "%.100s cannot be read: %s", options.scenario_path,
                     strerror(errno));
            return complain(error);
        }
    }
    if (!result_init(&result)) {
        free(scenario);
        return complain("memory is out");
    }
    const struct span text = span_of(scenario, len);
    const bool is_done = load_run(&options, text, &result, error) &&
                         (!options.floor || load_floor(&options, text, &result, error));
    const int code = is_done ? finish(&result, options.json_path) : complain(error);
    result_free(&result);
    free(scenario);
    return code;
}

static int run_merge(int argc, char **argv)
{
    struct result sum;
    char error[ERROR_SIZE] = "memory is out";
    const char *json_path = NULL;
    uint32_t merged = 0;
    bool is_good = result_init(&sum);
    for (int i = 1; is_good && i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json_path = argv[++i];
            continue;
        }
        struct result one;
        if (merged++ == 0) {
            is_good = result_load(argv[i], &sum, error);
            continue;
        }
        is_good = result_init(&one) && result_load(argv[i], &one, error) &&
                  result_merge(&sum, &one, error);
        result_free(&one);
    }
    if (is_good && merged == 0) {
        is_good = false;
        snprintf(error, sizeof error, "merge needs files");
    }
    const int code = is_good ? finish(&sum, json_path) : complain(error);
    result_free(&sum);
    return code;
}

static int run_floor(int argc, char **argv)
{
    uint64_t port = 0;
    uint64_t cpu = UINT64_MAX;
    bool is_broadcast = false;
    enum floor_poller poller = FLOOR_EPOLL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--broadcast") == 0) {
            is_broadcast = true;
        } else if (i + 1 == argc ||
                   !((strcmp(argv[i], "--port") == 0 && options_number(argv[i + 1], &port)) ||
                     (strcmp(argv[i], "--cpu") == 0 && options_number(argv[i + 1], &cpu)) ||
                     (strcmp(argv[i], "--poller") == 0 &&
                      floor_poller_find(argv[i + 1], &poller)))) {
            return complain("usage: roost-bench floor --port N [--broadcast] [--cpu N] "
                            "[--poller epoll|io_uring]");
        } else {
            i++;
        }
    }
    uint16_t bound = (uint16_t)port;
    const int listener = floor_listen(&bound);
    if (listener < 0) {
        return complain(strerror(errno));
    }
    printf("the floor listens on port %u\n", bound);
    fflush(stdout);
    floor_serve(listener, is_broadcast, cpu, poller);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        options_usage();
        return argc < 2 ? EXIT_BAD_COMMAND : 0;
    }
    if (strcmp(argv[1], "merge") == 0) {
        return run_merge(argc - 1, argv + 1);
    }
    if (strcmp(argv[1], "plot") == 0) {
        return plot_run(argc - 1, argv + 1);
    }
    if (strcmp(argv[1], "floor") == 0) {
        return run_floor(argc - 1, argv + 1);
    }
    return run_load(argc - 1, argv + 1);
}
