/* SPDX-License-Identifier: Apache-2.0 */
/* Each mode as a list of stages, the scenario file, and the arithmetic of ramps and rates. */
#include "ops/bench/plan.h"

#include <stdio.h>
#include <string.h>

enum { ERROR_SIZE = 256 };

#define NS_A_S 1000000000ull
#define CONNECTIONS_MAX 16000000ull

/* a * b / c without losing what 64 bits cannot hold; c > 0. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)((unsigned __int128)a * b / c);
}

static uint64_t scale_up(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)(((unsigned __int128)a * b + c - 1) / c);
}

uint64_t plan_connections_at(const struct stage *stage, uint64_t elapsed_ns)
{
    if (elapsed_ns >= stage->duration_ns) {
        return stage->connections_to;
    }
    const uint64_t from = stage->connections_from;
    const uint64_t to = stage->connections_to;
    if (to >= from) {
        return from + scale(to - from, elapsed_ns, stage->duration_ns);
    }
    return from - scale(from - to, elapsed_ns, stage->duration_ns);
}

uint64_t plan_connection_due_ns(const struct stage *stage, uint64_t index)
{
    if (stage->connections_to <= stage->connections_from || index < stage->connections_from) {
        return 0;
    }
    return scale_up(index + 1 - stage->connections_from, stage->duration_ns,
                    stage->connections_to - stage->connections_from);
}

uint64_t plan_due_count(uint64_t rate, uint64_t elapsed_ns)
{
    return rate == 0 ? 0 : scale(elapsed_ns, rate, NS_A_S) + 1;
}

uint64_t plan_due_ns(uint64_t rate, uint64_t index)
{
    return rate == 0 ? UINT64_MAX : scale_up(index, NS_A_S, rate);
}

static struct stage *stage_add(struct plan *plan, const char *name, enum stage_kind kind)
{
    struct stage *stage = &plan->stages[plan->stages_len++];
    const struct stage *before = plan->stages_len > 1 ? stage - 1 : NULL;
    *stage = (struct stage){.kind = kind};
    snprintf(stage->name, sizeof stage->name, "%s", name);
    if (before != NULL) {
        stage->connections_from = before->connections_to;
        stage->connections_to = before->connections_to;
    }
    return stage;
}

static void plan_connect(const struct options *options, struct plan *out)
{
    struct stage *stage = stage_add(out, "connect", STAGE_CONNECT);
    stage->connections_to = options->connections;
    if (options->connect_rate != 0) {
        stage->duration_ns = scale_up(options->connections, NS_A_S, options->connect_rate);
    }
    stage->is_measured = true;
}

static struct stage *plan_run(const struct options *options, struct plan *out, const char *name,
                              uint64_t duration_ns)
{
    struct stage *stage = stage_add(out, name, STAGE_RUN);
    stage->duration_ns = duration_ns;
    stage->rate = options->rate;
    stage->has_traffic = true;
    stage->is_measured = true;
    return stage;
}

/* What comes after is not the first of its kind. */
static void plan_warm_up(const struct options *options, struct plan *out)
{
    if (options->warmup_ns > 0) {
        plan_run(options, out, "warm-up", options->warmup_ns)->is_measured = false;
    }
}

static void plan_traffic(const struct options *options, struct plan *out)
{
    plan_warm_up(options, out);
    plan_run(options, out, mode_names[options->mode], options->duration_ns)->messages =
        options->messages;
}

static void plan_end(const struct options *options, struct plan *out)
{
    stage_add(out, "drain", STAGE_DRAIN);
    struct stage *close = stage_add(out, "close", STAGE_CLOSE);
    close->duration_ns = options->after_ns;
    close->connections_to = 0;
    close->is_measured = options->after_ns > 0;
    stage_add(out, "stop", STAGE_STOP);
}

static void plan_spike(const struct options *options, struct plan *out)
{
    plan_warm_up(options, out);
    plan_run(options, out, "before", options->duration_ns);
    struct stage *ramp = plan_run(options, out, "ramp", options->over_ns);
    ramp->connections_to = options->peak;
    plan_run(options, out, "after", options->duration_ns);
    out->connections_max = options->peak;
}

static void plan_churn(const struct options *options, struct plan *out)
{
    out->stages[0].connections_to += options->churners;
    out->connections_max = out->stages[0].connections_to;
    out->fillers_listen = true;
    plan_warm_up(options, out);
    plan_run(options, out, "before", options->duration_ns);
    plan_run(options, out, "churn", options->duration_ns)->churn = options->churn;
    plan_run(options, out, "after", options->duration_ns);
}

/* One "key=value" of a scenario's line. */
static bool scenario_word(struct stage *stage, const char *word)
{
    const char *equals = strchr(word, '=');
    const size_t len = equals == NULL ? 0 : (size_t)(equals - word);
    const struct span key = span_of(word, len);
    if (equals == NULL) {
        return false;
    }
    if (span_equal(key, SPAN_LITERAL("seconds"))) {
        return options_duration(equals + 1, &stage->duration_ns);
    }
    if (span_equal(key, SPAN_LITERAL("rate"))) {
        stage->has_traffic = true;
        return options_number(equals + 1, &stage->rate) && stage->rate > 0;
    }
    if (span_equal(key, SPAN_LITERAL("churn"))) {
        return options_number(equals + 1, &stage->churn);
    }
    if (span_equal(key, SPAN_LITERAL("connections"))) {
        return options_number(equals + 1, &stage->connections_to) &&
               stage->connections_to <= CONNECTIONS_MAX;
    }
    return false;
}

/* "NAME key=value key=value ..."; empty lines and those that begin with # say nothing. */
static bool scenario_line(struct span line, struct plan *out, char *error)
{
    char text[256];
    if (line.len >= sizeof text) {
        snprintf(error, ERROR_SIZE, "a line of the scenario is longer than 255 bytes");
        return false;
    }
    if (line.len > 0) {
        memcpy(text, line.at, line.len);
    }
    text[line.len] = 0;
    char *rest = NULL;
    const char *name = strtok_r(text, " \t\r", &rest);
    if (name == NULL || name[0] == '#') {
        return true;
    }
    if (out->stages_len + 4 > PLAN_STAGES_MAX) {
        snprintf(error, ERROR_SIZE, "the scenario has more than %d stages", PLAN_STAGES_MAX - 4);
        return false;
    }
    struct stage *stage = stage_add(out, name, STAGE_RUN);
    stage->is_measured = true;
    for (const char *word = strtok_r(NULL, " \t\r", &rest); word != NULL;
         word = strtok_r(NULL, " \t\r", &rest)) {
        if (!scenario_word(stage, word)) {
            snprintf(error, ERROR_SIZE, "scenario, stage %s: %s is not understood", name, word);
            return false;
        }
    }
    if (stage->duration_ns == 0) {
        snprintf(error, ERROR_SIZE, "scenario, stage %s: seconds=... is missing", name);
        return false;
    }
    if (stage->connections_to < out->subscribers) {
        snprintf(error, ERROR_SIZE, "scenario, stage %s: fewer connections than --connections",
                 name);
        return false;
    }
    if (stage->connections_to > out->connections_max) {
        out->connections_max = stage->connections_to;
    }
    return true;
}

static bool plan_mixed(struct span scenario, struct plan *out, char *error)
{
    out->fillers_listen = true;
    while (scenario.len > 0) {
        const struct span line = span_of(scenario.at, span_index_of(scenario, '\n'));
        scenario = span_skip(scenario, line.len + 1);
        if (!scenario_line(line, out, error)) {
            return false;
        }
    }
    if (out->stages_len == 1) {
        snprintf(error, ERROR_SIZE, "the scenario has no stages");
        return false;
    }
    return true;
}

bool plan_make(const struct options *options, struct span scenario, struct plan *out,
               char error[256])
{
    *out = (struct plan){
        .subscribers = options->connections,
        .connections_max = options->connections,
        .is_echo = options->mode == MODE_ECHO,
    };
    plan_connect(options, out);
    switch (options->mode) {
    case MODE_IDLE:
        plan_run(options, out, "hold", options->duration_ns)->has_traffic = false;
        break;
    case MODE_ECHO:
    case MODE_FANOUT:
        plan_traffic(options, out);
        break;
    case MODE_SPIKE:
        plan_spike(options, out);
        break;
    case MODE_CHURN:
        plan_churn(options, out);
        break;
    case MODE_MIXED:
        if (!plan_mixed(scenario, out, error)) {
            return false;
        }
        break;
    case MODE_CONNECT:
    case MODE_COUNT:
        break;
    }
    plan_end(options, out);
    return true;
}
