/* SPDX-License-Identifier: Apache-2.0 */
/* Axes, labels, lines and the legend of one chart. */
#include "ops/bench/plot_chart.h"

#include <math.h>
#include <string.h>

#include "ops/bench/result.h"

/* In units of the viewBox. */
enum { WIDTH = 640, HEIGHT = 320, LEFT = 74, RIGHT = 16, TOP = 12, BOTTOM = 34, DOTS_MAX = 60 };

struct frame_of_chart {
    double x_min;
    double x_max;
    double y_min;
    double y_max;
};

struct plot_line *plot_line_add(struct plot_chart *chart, const char *name, unsigned color)
{
    if (chart->lines_len == PLOT_LINES_MAX) {
        return NULL;
    }
    struct plot_line *line = &chart->lines[chart->lines_len++];
    line->name = name;
    line->color = color % PLOT_LINES_MAX;
    line->len = 0;
    return line;
}

void plot_point(struct plot_line *line, double x, double y)
{
    if (line != NULL && line->len < PLOT_POINTS_MAX) {
        line->x[line->len] = x;
        line->y[line->len++] = y;
    }
}

void plot_text(FILE *out, const char *text)
{
    for (; *text != 0; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

double plot_step(double range)
{
    if (!(range > 0)) {
        return 1;
    }
    const double power = pow(10, floor(log10(range / 5)));
    const double lead = range / 5 / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

/* Bytes are counted in KiB and MiB, so their labels are round in these. */
static double step_of(enum plot_unit unit, double range)
{
    const double whole = unit != PLOT_BYTES ? 1 : range > 1 << 21 ? 1 << 20 : 1 << 10;
    return whole * plot_step(range / whole);
}

static const char *label_of(enum plot_unit unit, double value, char out[32])
{
    const uint64_t whole = value < 0 ? 0 : (uint64_t)(value + 0.5);
    switch (unit) {
    case PLOT_NS:
        return report_duration(whole, out);
    case PLOT_BYTES:
        return report_bytes(whole, out);
    case PLOT_SECONDS:
        snprintf(out, 32, "%g s", value);
        return out;
    case PLOT_QUANTILE:
        snprintf(out, 32, "p%g", 100 * value);
        return out;
    case PLOT_COUNT:
        break;
    }
    return report_count(whole, out);
}

static double place(enum plot_unit unit, bool is_log, double value)
{
    if (unit == PLOT_QUANTILE) {
        return -log10(1 - value);
    }
    return is_log ? log10(value < 1 ? 1 : value) : value;
}

static double x_at(const struct plot_chart *chart, const struct frame_of_chart *frame, double x)
{
    const double share =
        (place(chart->x_unit, false, x) - frame->x_min) / (frame->x_max - frame->x_min);
    return LEFT + share * (WIDTH - LEFT - RIGHT);
}

static double y_at(const struct plot_chart *chart, const struct frame_of_chart *frame, double y)
{
    const double share =
        (place(chart->y_unit, chart->is_log, y) - frame->y_min) / (frame->y_max - frame->y_min);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

static struct frame_of_chart frame_of(const struct plot_chart *chart)
{
    struct frame_of_chart frame = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (uint32_t i = 0; i < chart->lines_len; i++) {
        const struct plot_line *line = &chart->lines[i];
        for (uint32_t k = 0; k < line->len; k++) {
            const double x = place(chart->x_unit, false, line->x[k]);
            const double y = place(chart->y_unit, chart->is_log, line->y[k]);
            frame.x_min = fmin(frame.x_min, x);
            frame.x_max = fmax(frame.x_max, x);
            frame.y_min = fmin(frame.y_min, y);
            frame.y_max = fmax(frame.y_max, y);
        }
    }
    if (chart->is_log) {
        frame.y_min = floor(frame.y_min);
        frame.y_max = ceil(frame.y_max);
    } else {
        frame.y_min = 0;
        const double step = step_of(chart->y_unit, frame.y_max);
        frame.y_max = step * ceil(frame.y_max / step);
    }
    frame.x_min = 0;
    frame.x_max = frame.x_max > frame.x_min ? frame.x_max : frame.x_min + 1;
    frame.y_max = frame.y_max > frame.y_min ? frame.y_max : frame.y_min + 1;
    return frame;
}

static void write_y_label(FILE *out, const struct plot_chart *chart, double y, double value)
{
    char text[32];
    fprintf(out,
            "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"label\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
            LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, label_of(chart->y_unit, value, text));
}

static void write_y_axis(FILE *out, const struct plot_chart *chart,
                         const struct frame_of_chart *frame)
{
    if (chart->is_log) {
        for (int power = (int)frame->y_min; power <= (int)frame->y_max; power++) {
            const double value = pow(10, power);
            write_y_label(out, chart, y_at(chart, frame, value), value);
        }
        return;
    }
    const double step = step_of(chart->y_unit, frame->y_max);
    const int count = (int)(frame->y_max / step + 0.5);
    for (int i = 0; i <= count; i++) {
        write_y_label(out, chart, y_at(chart, frame, i * step), i * step);
    }
}

static void write_x_label(FILE *out, const struct plot_chart *chart, double x, double value)
{
    char text[32];
    const char *anchor = x > WIDTH - RIGHT - 20 ? "end" : "middle";
    fprintf(out,
            "<line class=\"tick\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"label\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>\n",
            x, x, HEIGHT - BOTTOM, HEIGHT - BOTTOM + 5, x, HEIGHT - BOTTOM + 20, anchor,
            label_of(chart->x_unit, value, text));
}

static void write_x_axis(FILE *out, const struct plot_chart *chart,
                         const struct frame_of_chart *frame)
{
    static const double quantiles[] = {0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999};
    if (chart->x_unit == PLOT_QUANTILE) {
        for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
            if (place(PLOT_QUANTILE, false, quantiles[i]) <= frame->x_max) {
                write_x_label(out, chart, x_at(chart, frame, quantiles[i]), quantiles[i]);
            }
        }
        return;
    }
    const double step = plot_step(frame->x_max - frame->x_min);
    const int first = (int)ceil(frame->x_min / step - 1e-9);
    const int last = (int)floor(frame->x_max / step + 1e-9);
    for (int i = first; i <= last; i++) {
        write_x_label(out, chart, x_at(chart, frame, i * step), i * step);
    }
}

static void write_line(FILE *out, const struct plot_chart *chart,
                       const struct frame_of_chart *frame, const struct plot_line *line)
{
    char texts[2][32];
    fprintf(out, "<polyline class=\"line c%u\" points=\"", line->color);
    for (uint32_t i = 0; i < line->len; i++) {
        fprintf(out, "%.1f,%.1f ", x_at(chart, frame, line->x[i]), y_at(chart, frame, line->y[i]));
    }
    fputs("\"/>\n", out);
    for (uint32_t i = 0; i < line->len && line->len <= DOTS_MAX; i++) {
        fprintf(out, "<circle class=\"dot c%u\" r=\"3\" cx=\"%.1f\" cy=\"%.1f\"><title>",
                line->color, x_at(chart, frame, line->x[i]), y_at(chart, frame, line->y[i]));
        plot_text(out, line->name);
        fprintf(out, ": %s at %s</title></circle>\n", label_of(chart->y_unit, line->y[i], texts[0]),
                label_of(chart->x_unit, line->x[i], texts[1]));
    }
}

void plot_chart_write(FILE *out, const struct plot_chart *chart)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < chart->lines_len; i++) {
        most = chart->lines[i].len > most ? chart->lines[i].len : most;
    }
    if (most < 2) {
        return;
    }
    const struct frame_of_chart frame = frame_of(chart);
    fputs("<figure><figcaption>", out);
    plot_text(out, chart->title);
    fputs("<small>", out);
    plot_text(out, chart->note);
    fputs("</small></figcaption>\n<ul class=\"legend\">", out);
    for (uint32_t i = 0; i < chart->lines_len; i++) {
        fprintf(out, "<li><i class=\"c%u\"></i>", chart->lines[i].color);
        plot_text(out, chart->lines[i].name);
        fputs("</li>", out);
    }
    fprintf(out, "</ul>\n<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH, HEIGHT);
    write_y_axis(out, chart, &frame);
    write_x_axis(out, chart, &frame);
    for (uint32_t i = 0; i < chart->lines_len; i++) {
        write_line(out, chart, &frame, &chart->lines[i]);
    }
    fputs("</svg></figure>\n", out);
}
