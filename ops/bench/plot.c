/* SPDX-License-Identifier: Apache-2.0 */
/* The page: a table of all results, and what of them can be drawn. */
#include "ops/bench/plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/bench/plot_chart.h"
#include "ops/bench/result.h"

enum { EXIT_BAD_COMMAND = 2, RESULTS_MAX = 32, ERROR_SIZE = 256, NAME_SIZE = 160 };

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>roost-bench</title>\n<style>\n"
    ":root{color-scheme:light dark;--ink:#1d2127;--soft:#667080;--grid:#e3e6ea;--page:#fbfbfa;"
    "--card:#fff;--c0:#2463c9;--c1:#c2410c;--c2:#15803d;--c3:#9333ea;--c4:#0e7490;--c5:#b4236b;"
    "--c6:#8a6d00;--c7:#555b66}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8eaee;--soft:#98a2b3;--grid:#2c323c;"
    "--page:#14171c;--card:#1b1f26;--c0:#7aa7ff;--c1:#ff9d5c;--c2:#5fd38a;--c3:#c79bff;"
    "--c4:#5cc9e0;--c5:#ff85b8;--c6:#e0c04a;--c7:#b4bac6}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:0 auto;"
    "padding:24px;max-width:1320px}\n"
    "h1{font-size:22px;margin:0 0 16px}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin:0 0 24px}\n"
    "th,td{padding:6px 8px;border-bottom:1px solid var(--grid);text-align:right;"
    "white-space:nowrap}\n"
    "th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}\n"
    ".bad{color:var(--c1);font-weight:600}\n"
    "main{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(520px,100%),1fr));"
    "gap:20px}\n"
    "figure{margin:0;padding:16px;background:var(--card);border:1px solid var(--grid);"
    "border-radius:8px}\n"
    "figcaption{font-weight:600}figcaption small{display:block;color:var(--soft);"
    "font-weight:400}\n"
    "svg{width:100%;height:auto;display:block}\n"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;margin:8px 0;padding:0;"
    "font-size:13px}.legend i{display:inline-block;width:14px;height:3px;margin:0 6px 3px 0;"
    "background:currentColor}\n"
    ".label{fill:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}\n"
    ".grid{stroke:var(--grid)}.tick{stroke:var(--soft)}\n"
    ".line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}"
    ".dot{fill:currentColor}\n"
    ".c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}"
    ".c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}.c7{color:var(--c7)}\n"
    "</style>\n<h1>roost-bench</h1>\n";

struct page {
    struct result results[RESULTS_MAX];
    char names[RESULTS_MAX][NAME_SIZE]; /* label and what was done */
    uint32_t len;
};

static void write_cell(FILE *out, bool is_known, double value, const char *unit)
{
    if (is_known) {
        fprintf(out, "<td>%.3g%s</td>", value, unit);
    } else {
        fputs("<td>-</td>", out);
    }
}

static void write_cost(FILE *out, const struct result_stage *stage)
{
    const uint64_t things = stage->received != 0 ? stage->received : stage->joined;
    const double cpu = (double)stage->server_cpu_ns / (double)things / 1e3;
    const uint64_t floor_things =
        stage->floor_received != 0 ? stage->floor_received : stage->floor_joined;
    const double floor_cpu = (double)stage->floor_cpu_ns / (double)floor_things / 1e3;
    const bool has_cpu = things != 0 && stage->server_cpu_ns != 0;
    write_cell(out, has_cpu, cpu, " us");
    write_cell(out, has_cpu && floor_things != 0 && floor_cpu > 0, cpu / floor_cpu, " x");
    const uint64_t came = stage->connections_end - stage->connections_begin;
    const bool has_memory = stage->connections_end > stage->connections_begin && came >= 1000 &&
                            stage->server_rss_end != 0;
    char text[32];
    if (has_memory) {
        const double grown = (double)stage->server_rss_end - (double)stage->server_rss_begin;
        fprintf(out, "<td>%.0f B</td>", grown / (double)came);
    } else {
        fputs("<td>-</td>", out);
    }
    fprintf(out, "<td>%s</td>",
            stage->server_rss_end == 0 ? "-" : report_bytes(stage->server_rss_end, text));
}

static void write_row(FILE *out, const struct result *result, const char *name,
                      const struct result_stage *stage)
{
    char text[32];
    const double seconds = (double)stage->duration_ns / 1e9;
    const uint64_t things = stage->received != 0 ? stage->received : stage->joined;
    fputs("<tr><td>", out);
    plot_text(out, name);
    fputs("</td><td>", out);
    plot_text(out, stage->name);
    fprintf(out, "</td><td>%s</td>", report_count(stage->connections_end, text));
    fprintf(out, "<td>%s</td>",
            things == 0 ? "-" : report_count((uint64_t)((double)things / seconds), text));
    static const double quantiles[] = {0.5, 0.99, 1};
    for (size_t i = 0; i < 3; i++) {
        const bool has = hist_count(stage->latency) > 0;
        fprintf(out, "<td>%s</td>",
                has ? report_duration(hist_quantile(stage->latency, quantiles[i]), text) : "-");
    }
    write_cost(out, stage);
    const uint64_t wrong = result->missing + result->repeated + result->misordered +
                           result->damaged + result->lost + result->refused;
    fprintf(out, "<td%s>%llu</td></tr>\n", wrong != 0 ? " class=\"bad\"" : "",
            (unsigned long long)wrong);
}

static void write_table(FILE *out, const struct page *page)
{
    fputs("<div class=\"scroll\"><table><thead><tr><th>run</th><th>stage</th><th>connections</th>"
          "<th>a second</th><th>p50</th><th>p99</th><th>max</th><th>server CPU each</th>"
          "<th>of the floor</th><th>RSS a connection</th><th>RSS</th><th>wrong</th></tr></thead>\n"
          "<tbody>\n",
          out);
    for (uint32_t i = 0; i < page->len; i++) {
        for (uint32_t k = 0; k < page->results[i].stages_len; k++) {
            write_row(out, &page->results[i], page->names[i], &page->results[i].stages[k]);
        }
    }
    fputs("</tbody></table></div>\n", out);
}

/* From the median to as far out as there are samples. */
static void add_percentiles(struct plot_line *line, const struct hist *hist)
{
    const double last = log10((double)hist_count(hist));
    for (double at = 0; at <= last && at <= 5; at += 0.1) {
        const double quantile = 1 - pow(10, -at);
        plot_point(line, quantile, (double)hist_quantile(hist, quantile));
    }
}

static bool is_worst_stage(const struct result *result, uint32_t index)
{
    const uint64_t own = hist_quantile(result->stages[index].latency, 0.99);
    for (uint32_t i = 0; i < result->stages_len; i++) {
        const struct hist *other = result->stages[i].latency;
        const uint64_t p99 = hist_count(other) == 0 ? 0 : hist_quantile(other, 0.99);
        if (p99 > own || (p99 == own && i < index)) {
            return false;
        }
    }
    return true;
}

/* Whether there are more lines than a chart can hold. */
static bool has_too_many_stages(const struct page *page)
{
    uint32_t lines = 0;
    for (uint32_t i = 0; i < page->len; i++) {
        for (uint32_t k = 0; k < page->results[i].stages_len; k++) {
            lines += hist_count(page->results[i].stages[k].latency) > 0;
        }
    }
    return lines > PLOT_LINES_MAX;
}

static void draw_latency(FILE *out, const struct page *page, struct plot_chart *chart)
{
    static char names[PLOT_LINES_MAX][NAME_SIZE + 32];
    const bool is_crowded = has_too_many_stages(page);
    *chart = (struct plot_chart){
        .title = "Latency",
        .note = is_crowded
                    ? "from the moment a message was due, by percentile: each run's worst stage"
                    : "from the moment a message was due, by percentile",
        .x_unit = PLOT_QUANTILE,
        .y_unit = PLOT_NS,
        .is_log = true,
    };
    for (uint32_t i = 0; i < page->len; i++) {
        const struct result *result = &page->results[i];
        for (uint32_t k = 0; k < result->stages_len; k++) {
            const struct result_stage *stage = &result->stages[k];
            const uint32_t at = chart->lines_len;
            if (hist_count(stage->latency) == 0 || at == PLOT_LINES_MAX ||
                (is_crowded && !is_worst_stage(result, k))) {
                continue;
            }
            snprintf(names[at], sizeof names[at], "%s, %s", page->names[i], stage->name);
            add_percentiles(plot_line_add(chart, names[at], at), stage->latency);
        }
    }
    plot_chart_write(out, chart);
}

enum series_what { SERIES_CONNECTIONS, SERIES_P99, SERIES_RECEIVED, SERIES_MEMORY };

/* A long series is drawn by every n-th of its points, or for latencies by the worst of n. */
static void add_series(struct plot_line *line, const struct result *result, enum series_what what)
{
    const uint32_t stride = result->series_len / PLOT_POINTS_MAX + 1;
    uint64_t before_ms = 0;
    for (uint32_t i = 0; i + stride <= result->series_len; i += stride) {
        struct result_point point = result->series[i + stride - 1];
        for (uint32_t k = i; k + 1 < i + stride; k++) {
            const struct result_point *other = &result->series[k];
            point.p99_ns = other->p99_ns > point.p99_ns ? other->p99_ns : point.p99_ns;
            point.received += other->received;
        }
        const double seconds = (double)point.time_ms / 1e3;
        if (what == SERIES_CONNECTIONS) {
            plot_point(line, seconds, (double)point.connections);
        } else if (what == SERIES_P99 && point.p99_ns > 0) {
            plot_point(line, seconds, (double)point.p99_ns);
        } else if (what == SERIES_RECEIVED) {
            const double span = (double)(point.time_ms - before_ms) / 1e3;
            plot_point(line, seconds, (double)point.received / span);
        } else if (what == SERIES_MEMORY && point.server_rss > 0) {
            plot_point(line, (double)point.connections, (double)point.server_rss);
        }
        before_ms = point.time_ms;
    }
}

/* The way up alone: what is left when connections went is another question. */
static void cut_descent(struct plot_line *line)
{
    uint32_t len = line->len > 0 ? 1 : 0;
    for (uint32_t i = 1; i < line->len; i++) {
        if (line->x[i] > line->x[len - 1]) {
            line->x[len] = line->x[i];
            line->y[len++] = line->y[i];
        }
    }
    line->len = len;
}

static void draw_series(FILE *out, const struct page *page, struct plot_chart *chart,
                        enum series_what what)
{
    for (uint32_t i = 0; i < page->len; i++) {
        struct plot_line *line = plot_line_add(chart, page->names[i], chart->lines_len);
        if (line == NULL) {
            break;
        }
        add_series(line, &page->results[i], what);
        if (what == SERIES_MEMORY) {
            cut_descent(line);
        }
        if (line->len < 2) {
            chart->lines_len--;
        }
    }
    plot_chart_write(out, chart);
}

static void write_page(FILE *out, const struct page *page, struct plot_chart *chart)
{
    fputs(page_head, out);
    write_table(out, page);
    fputs("<main>\n", out);
    draw_latency(out, page, chart);
    *chart = (struct plot_chart){
        .title = "Memory against connections",
        .note = "resident memory of the server while they came",
        .x_unit = PLOT_COUNT,
        .y_unit = PLOT_BYTES,
    };
    draw_series(out, page, chart, SERIES_MEMORY);
    *chart = (struct plot_chart){
        .title = "Connections",
        .note = "established, over time",
        .x_unit = PLOT_SECONDS,
        .y_unit = PLOT_COUNT,
    };
    draw_series(out, page, chart, SERIES_CONNECTIONS);
    *chart = (struct plot_chart){
        .title = "Latency over time",
        .note = "p99 of each half second, over the same time",
        .x_unit = PLOT_SECONDS,
        .y_unit = PLOT_NS,
        .is_log = true,
    };
    draw_series(out, page, chart, SERIES_P99);
    *chart = (struct plot_chart){
        .title = "Messages received a second",
        .note = "echoes or deliveries, over time",
        .x_unit = PLOT_SECONDS,
        .y_unit = PLOT_COUNT,
    };
    draw_series(out, page, chart, SERIES_RECEIVED);
    fputs("</main>\n</html>\n", out);
}

static bool page_load(struct page *page, const char *path, char error[256])
{
    if (page->len == RESULTS_MAX) {
        snprintf(error, ERROR_SIZE, "at most %d results fit on a page", RESULTS_MAX);
        return false;
    }
    struct result *result = &page->results[page->len];
    if (!result_init(result) || !result_load(path, result, error)) {
        result_free(result);
        return false;
    }
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%.60s: %.20s", result->label, result->mode);
    memcpy(page->names[page->len++], name, sizeof name);
    return true;
}

static bool page_build(struct page *page, int argc, char **argv, char error[256])
{
    const char *html_path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--html") == 0 && i + 1 < argc) {
            html_path = argv[++i];
        } else if (!page_load(page, argv[i], error)) {
            return false;
        }
    }
    if (html_path == NULL || page->len == 0) {
        snprintf(error, ERROR_SIZE, "usage: roost-bench plot RESULT.json... --html FILE");
        return false;
    }
    struct plot_chart *chart = calloc(1, sizeof *chart);
    FILE *out = chart == NULL ? NULL : fopen(html_path, "we");
    if (out != NULL) {
        write_page(out, page, chart);
    }
    const bool is_written = out != NULL && ferror(out) == 0;
    if (out == NULL || fclose(out) != 0 || !is_written) {
        snprintf(error, ERROR_SIZE, "%.100s cannot be written: %s", html_path, strerror(errno));
        free(chart);
        return false;
    }
    free(chart);
    return true;
}

int plot_run(int argc, char **argv)
{
    char error[ERROR_SIZE] = "memory is out";
    struct page *page = calloc(1, sizeof *page);
    const bool is_built = page != NULL && page_build(page, argc, argv, error);
    if (!is_built) {
        fprintf(stderr, "roost-bench: %s\n", error);
    }
    for (uint32_t i = 0; page != NULL && i < page->len; i++) {
        result_free(&page->results[i]);
    }
    free(page);
    return is_built ? 0 : EXIT_BAD_COMMAND;
}
