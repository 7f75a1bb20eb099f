/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the same load against the barest server, for "x times the floor". */
#include "ops/bench/load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/bench/floor.h"

enum { ERROR_SIZE = 256 };

static void floor_copy(struct result *from, struct result *into)
{
    for (uint32_t i = 0; i < from->stages_len; i++) {
        struct result_stage *stage = result_stage_find(into, from->stages[i].name);
        if (stage != NULL) {
            stage->floor_cpu_ns = from->stages[i].server_cpu_ns;
            stage->floor_received = from->stages[i].received;
            stage->floor_joined = from->stages[i].joined;
        }
    }
    if (!result_is_good(from)) {
        result_warn(into, "the floor itself failed: %.120s", from->failure);
    }
}

bool load_floor(const struct options *options, struct span scenario, struct result *out,
                char error[256])
{
    struct options own = *options;
    struct result result;
    uint16_t port = 0;
    enum floor_poller poller;
    (void)floor_poller_find(options->floor_poller, &poller); /* Checked with the other options. */
    if (options->channels > 1) {
        result_warn(out, "no floor: it has one channel, not %llu",
                    (unsigned long long)options->channels);
        return true;
    }
    const int listener = floor_listen(&port);
    if (listener < 0 || !result_init(&result)) {
        snprintf(error, ERROR_SIZE, "the floor cannot listen: %s", strerror(errno));
        return false;
    }
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        floor_serve(listener, options->mode != MODE_ECHO, options->floor_cpu, poller);
    }
    close(listener);
    own.host = "127.0.0.1";
    own.port = port;
    own.path = NULL;
    own.protocol = &protocol_floor;
    own.server_pid = (uint64_t)child;
    own.perf = false;
    const bool is_done = child > 0 && load_run(&own, scenario, &result, error);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    if (is_done) {
        floor_copy(&result, out);
    }
    result_free(&result);
    return is_done;
}
