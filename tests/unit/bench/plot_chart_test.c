/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of axes are few and round, and texts cannot break the page. */
#include "ops/bench/plot_chart.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void steps_are_few_and_round(void **state)
{
    (void)state;
    for (double range = 0.001; range < 1e12; range *= 1.07) {
        const double step = plot_step(range);
        const double lead = step / pow(10, floor(log10(step * 1.0001)));
        assert_true(fabs(lead - 1) < 0.01 || fabs(lead - 2) < 0.01 || fabs(lead - 5) < 0.01);
        assert_true(range / step > 1.9 && range / step < 5.1);
    }
    assert_true(plot_step(0) > 0);
}

static char *drawn(const struct plot_chart *chart)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    plot_chart_write(out, chart);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void texts_cannot_break_the_page(void **state)
{
    (void)state;
    struct plot_chart *chart = calloc(1, sizeof *chart);
    chart->title = "<script>\"&";
    chart->note = "";
    struct plot_line *line = plot_line_add(chart, "</svg>", 0);
    char *text = drawn(chart);
    assert_string_equal(text, "");
    free(text);
    plot_point(line, 1, 1);
    plot_point(line, 2, 2);
    text = drawn(chart);
    assert_null(strstr(text, "<script>"));
    assert_non_null(strstr(text, "&lt;script&gt;&quot;&amp;"));
    assert_null(strstr(text, "<li><i class=\"c0\"></i></svg>"));
    assert_null(strstr(text, "nan"));
    free(text);
    free(chart);
}

static void every_point_lies_inside(void **state)
{
    (void)state;
    for (int is_log = 0; is_log < 2; is_log++) {
        struct plot_chart *chart = calloc(1, sizeof *chart);
        chart->title = chart->note = "";
        chart->x_unit = PLOT_QUANTILE;
        chart->y_unit = PLOT_NS;
        chart->is_log = is_log != 0;
        struct plot_line *line = plot_line_add(chart, "a", 1);
        plot_point(line, 0, 0);
        plot_point(line, 0.5, 1234567);
        plot_point(line, 0.99999, 1e9);
        char *text = drawn(chart);
        int circles = 0;
        for (const char *at = strstr(text, "cx=\""); at != NULL; at = strstr(at + 1, "cx=\"")) {
            const double x = strtod(at + 4, NULL);
            const double y = strtod(strstr(at, "cy=\"") + 4, NULL);
            assert_true(x >= 0 && x <= 640 && y >= 0 && y <= 320);
            circles++;
        }
        assert_int_equal(circles, 3);
        free(text);
        free(chart);
    }
}

static void no_more_lines_than_can_be_told_apart(void **state)
{
    (void)state;
    struct plot_chart *chart = calloc(1, sizeof *chart);
    for (unsigned i = 0; i < PLOT_LINES_MAX; i++) {
        assert_non_null(plot_line_add(chart, "a", i));
    }
    assert_null(plot_line_add(chart, "a", 0));
    for (int i = 0; i < 2 * PLOT_POINTS_MAX; i++) {
        plot_point(&chart->lines[0], i, i);
    }
    assert_int_equal(chart->lines[0].len, PLOT_POINTS_MAX);
    free(chart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_few_and_round),
        cmocka_unit_test(texts_cannot_break_the_page),
        cmocka_unit_test(every_point_lies_inside),
        cmocka_unit_test(no_more_lines_than_can_be_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
