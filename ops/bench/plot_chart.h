/* SPDX-License-Identifier: Apache-2.0 */
/* One chart of lines as SVG, whose colours come from the page's style. */
#ifndef ROOST_OPS_BENCH_PLOT_CHART_H
#define ROOST_OPS_BENCH_PLOT_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PLOT_LINES_MAX = 8, PLOT_POINTS_MAX = 512 };

enum plot_unit {
    PLOT_COUNT,
    PLOT_NS,
    PLOT_BYTES,
    PLOT_SECONDS,
    PLOT_QUANTILE, /* 0 <= value < 1, drawn by its distance from 1: p90, p99, p99.9 equally far */
};

struct plot_line {
    const char *name;
    unsigned color; /* 0 .. PLOT_LINES_MAX - 1 */
    uint32_t len;
    double x[PLOT_POINTS_MAX];
    double y[PLOT_POINTS_MAX];
};

struct plot_chart {
    const char *title;
    const char *note;
    enum plot_unit x_unit;
    enum plot_unit y_unit;
    bool is_log; /* the y axis */
    uint32_t lines_len;
    struct plot_line lines[PLOT_LINES_MAX];
};

/* A further line with room, or NULL when there are as many as can be told apart. */
struct plot_line *plot_line_add(struct plot_chart *chart, const char *name, unsigned color);
void plot_point(struct plot_line *line, double x, double y);

/* Nothing when no line has two points. */
void plot_chart_write(FILE *out, const struct plot_chart *chart);

/* Text with what HTML would take for its own written out. */
void plot_text(FILE *out, const char *text);

/* Between two labels of an axis: 1, 2 or 5 times a power of ten, at most about six in `range`. */
double plot_step(double range);

#endif
