/* SPDX-License-Identifier: Apache-2.0 */
/* Tags filters: each operator, each refusal, decimals, and limits. */
#include "codec/filter.h"

#include "codec/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TEXT_MAX 32768

static _Alignas(8) uint8_t filter_room[FILTER_SCRATCH_LEN(TEXT_MAX)];
static _Alignas(8) uint8_t tags_room[FILTER_TAGS_SCRATCH_LEN(TEXT_MAX)];

/* With exactly the room that the header promises to be enough. */
static enum filter_result compile(struct span json, struct filter *filter)
{
    struct scratch scratch = scratch_of(filter_room, FILTER_SCRATCH_LEN(json.len));
    return filter_compile(json, &scratch, filter);
}

static bool matches(const char *json, const char *tags_json)
{
    struct filter filter;
    struct filter_tags tags;
    const struct span tags_span = span_of_text(tags_json);
    struct scratch scratch = scratch_of(tags_room, FILTER_TAGS_SCRATCH_LEN(tags_span.len));
    const enum filter_result result = compile(span_of_text(json), &filter);
    if (result != FILTER_OK) {
        fail_msg("%s: %s", json, filter_result_text(result));
    }
    assert_int_equal(filter_read_tags(tags_span, &scratch, &tags), FILTER_OK);
    return filter_matches(&filter, &tags);
}

static void each_comparison_says_what_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        const char *tags;
        bool matches;
    } rows[] = {
        {"{\"key\":\"a\",\"cmp\":\"eq\",\"val\":\"1\"}", "{\"a\":\"1\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"eq\",\"val\":\"1\"}", "{\"a\":\"2\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"eq\",\"val\":\"1\"}", "{\"b\":\"1\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"eq\",\"val\":\"1\"}", "", false},
        {"{\"key\":\"a\",\"cmp\":\"eq\",\"val\":\"1\"}", "{\"a\":\"2\",\"a\":\"1\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"neq\",\"val\":\"1\"}", "{\"a\":\"1\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"neq\",\"val\":\"1\"}", "{\"a\":\"2\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"neq\",\"val\":\"1\"}", "{}", true},
        {"{\"key\":\"a\",\"cmp\":\"in\",\"vals\":[\"1\",\"2\"]}", "{\"a\":\"2\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"in\",\"vals\":[\"1\",\"2\"]}", "{\"a\":\"3\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"in\",\"vals\":[\"1\",\"2\"]}", "{}", false},
        {"{\"key\":\"a\",\"cmp\":\"in\",\"vals\":[\"1\",\"\"]}", "{}", true},
        {"{\"key\":\"a\",\"cmp\":\"nin\",\"vals\":[\"1\",\"2\"]}", "{\"a\":\"2\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"nin\",\"vals\":[\"1\",\"2\"]}", "{\"a\":\"12\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"nin\",\"vals\":[\"\"]}", "{}", false},
        {"{\"key\":\"a\",\"cmp\":\"ex\"}", "{\"a\":\"\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"ex\"}", "{\"b\":\"\"}", false},
        {"{\"cmp\":\"ex\"}", "{\"\":\"x\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"nex\"}", "{\"a\":\"\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"nex\"}", "{}", true},
        {"{\"key\":\"a\",\"cmp\":\"sw\",\"val\":\"ab\"}", "{\"a\":\"abc\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"sw\",\"val\":\"ab\"}", "{\"a\":\"a\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"sw\",\"val\":\"ab\"}", "{}", false},
        {"{\"key\":\"a\",\"cmp\":\"ew\",\"val\":\"bc\"}", "{\"a\":\"abc\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"ew\",\"val\":\"bc\"}", "{\"a\":\"c\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"ew\",\"val\":\"bc\"}", "{}", false},
        {"{\"key\":\"a\",\"cmp\":\"ct\",\"val\":\"b\"}", "{\"a\":\"abc\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"ct\",\"val\":\"ac\"}", "{\"a\":\"abc\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"ct\",\"val\":\"b\"}", "{\"a\":\"\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"ct\",\"val\":\"b\"}", "{}", false},
        {"{\"key\":\"a\",\"cmp\":\"gt\",\"val\":\"42\"}", "{\"a\":\"100\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"gt\",\"val\":\"42\"}", "{\"a\":\"42.0\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"gt\",\"val\":\"42\"}", "{}", false},
        {"{\"key\":\"a\",\"cmp\":\"gt\",\"val\":\"42\"}", "{\"a\":\"many\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"gt\",\"val\":\"few\"}", "{\"a\":\"1\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"gte\",\"val\":\"42\"}", "{\"a\":\"42.0\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"gte\",\"val\":\"42\"}", "{\"a\":\"41.99999999\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"lt\",\"val\":\"42\"}", "{\"a\":\"-1e9\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"lt\",\"val\":\"42\"}", "{\"a\":\"-100\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"lt\",\"val\":\"42\"}", "{\"a\":\"42\"}", false},
        {"{\"key\":\"a\",\"cmp\":\"lte\",\"val\":\"42\"}", "{\"a\":\"42\"}", true},
        {"{\"key\":\"a\",\"cmp\":\"lte\",\"val\":\"42\"}", "{\"a\":\"\"}", false},
        /* Escapes and other scripts, on either side. */
        {"{\"key\":\"\\u0061\",\"cmp\":\"\\u0065q\",\"val\":\"\\u00e9\"}", "{\"a\":\"é\"}", true},
        {"{\"key\":\"ключ\",\"cmp\":\"ew\",\"val\":\"😀\"}", "{\"\\u043aлюч\":\"x\\ud83d\\ude00\"}",
         true},
        /* null is absent. */
        {"{\"op\":null,\"key\":\"a\",\"cmp\":\"ex\",\"val\":null,\"vals\":null,\"nodes\":null}",
         "{\"a\":null}", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (matches(rows[i].filter, rows[i].tags) != rows[i].matches) {
            fail_msg("%s of %s", rows[i].filter, rows[i].tags);
        }
    }
}

/* Each of the three tags is "1" or missing: all eight worlds, against C's own operators. */
static void nodes_combine_as_in_logic(void **state)
{
    (void)state;
#define IS(key) "{\"key\":\"" key "\",\"cmp\":\"eq\",\"val\":\"1\"}"
    static const char and_or[] = "{\"op\":\"and\",\"nodes\":[" IS(
        "a") ",{\"op\":\"or\",\"nodes\":[" IS("b") "," IS("c") "]}]}";
    static const char not_and[] =
        "{\"nodes\":[{\"nodes\":[" IS("a") "," IS("b") "," IS("c") "],\"op\":\"and\"}],"
                                                                   "\"op\":\"not\"}";
    static const char or_not[] = "{\"op\":\"or\",\"nodes\":[{\"op\":\"not\",\"nodes\":[" IS(
        "a") "]},{\"op\":\"and\",\"nodes\":[" IS("b") "]}," IS("c") "]}";
    for (unsigned world = 0; world < 8; world++) {
        const bool a = (world & 1) != 0;
        const bool b = (world & 2) != 0;
        const bool c = (world & 4) != 0;
        char tags[64];
        (void)snprintf(tags, sizeof(tags), "{%s%s%s\"z\":\"\"}", a ? "\"a\":\"1\"," : "",
                       b ? "\"b\":\"1\"," : "", c ? "\"c\":\"1\"," : "");
        assert_int_equal(matches(and_or, tags), a && (b || c));
        assert_int_equal(matches(not_and, tags), !(a && b && c));
        assert_int_equal(matches(or_not, tags), !a || b || c);
    }
}

static void filters_are_refused_precisely(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        enum filter_result result;
    } rows[] = {
        {"", FILTER_ERROR_JSON},
        {"[]", FILTER_ERROR_JSON},
        {"{", FILTER_ERROR_JSON},
        {"{} {}", FILTER_ERROR_JSON},
        {"{\"cmp\":1}", FILTER_ERROR_JSON},
        {"{\"cmp\":\"in\",\"key\":\"a\",\"vals\":\"x\"}", FILTER_ERROR_JSON},
        {"{\"cmp\":\"in\",\"key\":\"a\",\"vals\":[1]}", FILTER_ERROR_JSON},
        {"{\"op\":\"not\",\"nodes\":{}}", FILTER_ERROR_JSON},
        {"{\"op\":\"not\",\"nodes\":[1]}", FILTER_ERROR_JSON},
        {"{}", FILTER_ERROR_NO_CMP},
        {"{\"key\":\"a\",\"val\":\"b\"}", FILTER_ERROR_NO_CMP},
        {"{\"op\":\"xor\"}", FILTER_ERROR_OP},
        {"{\"op\":\"a very long name of none\"}", FILTER_ERROR_OP},
        {"{\"key\":\"a\",\"cmp\":\"EQ\",\"val\":\"b\"}", FILTER_ERROR_CMP},
        {"{\"key\":\"a\",\"cmp\":\"and\",\"val\":\"b\"}", FILTER_ERROR_CMP},
        {"{\"key\":\"a\",\"cmp\":\"eqeqeqeqeqeq\",\"val\":\"b\"}", FILTER_ERROR_CMP},
        {"{\"key\":\"a\",\"cmp\":\"eq\"}", FILTER_ERROR_NO_VAL},
        {"{\"key\":\"a\",\"cmp\":\"lte\",\"val\":\"\"}", FILTER_ERROR_NO_VAL},
        {"{\"key\":\"a\",\"cmp\":\"in\"}", FILTER_ERROR_NO_VAL},
        {"{\"key\":\"a\",\"cmp\":\"nin\",\"vals\":[]}", FILTER_ERROR_NO_VAL},
        {"{\"key\":\"a\",\"cmp\":\"sw\",\"val\":\"b\",\"vals\":[\"c\"]}", FILTER_ERROR_VAL},
        {"{\"key\":\"a\",\"cmp\":\"in\",\"val\":\"b\",\"vals\":[\"c\"]}", FILTER_ERROR_VAL},
        {"{\"key\":\"a\",\"cmp\":\"ex\",\"val\":\"b\"}", FILTER_ERROR_VAL},
        {"{\"key\":\"a\",\"cmp\":\"nex\",\"vals\":[\"b\"]}", FILTER_ERROR_VAL},
        {"{\"cmp\":\"eq\",\"val\":\"b\"}", FILTER_ERROR_NO_KEY},
        {"{\"cmp\":\"in\",\"vals\":[\"b\"]}", FILTER_ERROR_NO_KEY},
        {"{\"op\":\"and\"}", FILTER_ERROR_CHILDREN},
        {"{\"op\":\"or\",\"nodes\":[]}", FILTER_ERROR_CHILDREN},
        {"{\"op\":\"not\"}", FILTER_ERROR_CHILDREN},
        {"{\"op\":\"not\",\"nodes\":[{\"cmp\":\"ex\"},{\"cmp\":\"ex\"}]}", FILTER_ERROR_CHILDREN},
        {"{\"op\":\"or\",\"nodes\":[{\"cmp\":\"ex\"},{\"op\":\"nor\"}]}", FILTER_ERROR_OP},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct filter filter;
        const enum filter_result result = compile(span_of_text(rows[i].filter), &filter);
        if (result != rows[i].result) {
            fail_msg("%s: %s", rows[i].filter, filter_result_text(result));
        }
    }
}

static void decimals_of_any_length_are_compared(void **state)
{
    (void)state;
    /* Ascending; those of one line are equal. */
    static const char *const rows[][4] = {
        {"-100000000000000000000000000000000000000000"},
        {"-10", "-010.0"},
        {"-9.5"},
        {"-0.00000000000000000000000000000000000001"},
        {"0", "-0", "+0.000", "00"},
        {"0.00000000000000000000000000000000000001"},
        {"0.1", "+0.10"},
        {"0.11"},
        {"1", "1.0", "01"},
        {"1.00000000000000000000000000000000000001"},
        {"9"},
        {"10"},
        {"340282366920938463463374607431768211455"},
        {"340282366920938463463374607431768211455.1"},
        {"340282366920938463463374607431768211456", "340282366920938463463374607431768211456.0"},
    };
    for (size_t i = 0; i < COUNT(rows) * 4; i++) {
        for (size_t j = 0; j < COUNT(rows) * 4; j++) {
            const char *a = rows[i / 4][i % 4];
            const char *b = rows[j / 4][j % 4];
            if (a == NULL || b == NULL) {
                continue;
            }
            int order = 2;
            assert_true(filter_compare_decimals(span_of_text(a), span_of_text(b), &order));
            const int wanted = i / 4 < j / 4 ? -1 : i / 4 > j / 4 ? 1 : 0;
            if ((order > 0) - (order < 0) != wanted) {
                fail_msg("%s and %s: %d", a, b, order);
            }
        }
    }
    static const char *const others[] = {"",    "+",   "-",  ".",  "1.",  ".5",  "-.5", "1.2.3",
                                         "1e5", "0x1", " 1", "1 ", "--1", "+-1", "NaN", "1,5"};
    for (size_t i = 0; i < COUNT(others); i++) {
        int order;
        if (filter_compare_decimals(span_of_text(others[i]), SPAN_LITERAL("1"), &order) ||
            filter_compare_decimals(SPAN_LITERAL("1"), span_of_text(others[i]), &order)) {
            fail_msg("%s is a decimal", others[i]);
        }
    }
}

static struct span repeated(const char *start, const char *piece, size_t count, const char *end)
{
    static uint8_t buf[TEXT_MAX];
    struct writer writer = writer_of(buf, sizeof(buf));
    writer_put(&writer, span_of_text(start));
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            writer_put_byte(&writer, ',');
        }
        writer_put(&writer, span_of_text(piece));
    }
    writer_put(&writer, span_of_text(end));
    assert_false(writer_is_overflown(&writer));
    return writer_written(&writer);
}

static void limits_are_kept(void **state)
{
    (void)state;
    struct filter filter;
    static const char vals[] = "{\"key\":\"a\",\"cmp\":\"in\",\"vals\":[";
    assert_int_equal(compile(repeated(vals, "\"\"", FILTER_VALS_MAX, "]}"), &filter), FILTER_OK);
    assert_int_equal(compile(repeated(vals, "\"\"", FILTER_VALS_MAX + 1, "]}"), &filter),
                     FILTER_ERROR_VALS);
    static const char nodes[] = "{\"op\":\"or\",\"nodes\":[";
    static const char leaf[] = "{\"cmp\":\"ex\"}";
    assert_int_equal(compile(repeated(nodes, leaf, FILTER_NODES_MAX - 1, "]}"), &filter),
                     FILTER_OK);
    assert_int_equal(compile(repeated(nodes, leaf, FILTER_NODES_MAX, "]}"), &filter),
                     FILTER_ERROR_NODES);
    for (size_t depth = FILTER_DEPTH_MAX; depth <= FILTER_DEPTH_MAX + 1; depth++) {
        uint8_t buf[TEXT_MAX];
        struct writer writer = writer_of(buf, sizeof(buf));
        for (size_t i = 1; i < depth; i++) {
            writer_put_literal(&writer, "{\"op\":\"not\",\"nodes\":[");
        }
        writer_put(&writer, span_of_text(leaf));
        for (size_t i = 1; i < depth; i++) {
            writer_put_literal(&writer, "]}");
        }
        assert_int_equal(compile(writer_written(&writer), &filter),
                         depth == FILTER_DEPTH_MAX ? FILTER_OK : FILTER_ERROR_DEPTH);
    }
}

static void room_is_never_exceeded(void **state)
{
    (void)state;
    const struct span json =
        SPAN_LITERAL("{\"key\":\"abc\",\"cmp\":\"in\",\"vals\":[\"1\",\"22\"]}");
    const struct span tags_json = SPAN_LITERAL("{\"a\":\"\\n1\",\"b\":\"2\"}");
    struct filter whole;
    struct filter_tags tags;
    assert_int_equal(compile(json, &whole), FILTER_OK);
    for (size_t room = 0; room <= FILTER_SCRATCH_LEN(json.len); room++) {
        uint8_t buf[FILTER_SCRATCH_LEN(64)];
        struct scratch scratch = scratch_of(buf, room);
        struct filter filter;
        const enum filter_result result = filter_compile(json, &scratch, &filter);
        assert_int_equal(result, room < whole.program.len ? FILTER_ERROR_SPACE : FILTER_OK);
        if (result == FILTER_OK) {
            /* The same filter has the same bytes, wherever they are. */
            assert_true(span_equal(filter.program, whole.program));
        }
    }
    bool is_enough = false;
    for (size_t room = 0; room <= FILTER_TAGS_SCRATCH_LEN(tags_json.len); room++) {
        struct scratch scratch = scratch_of(tags_room, room);
        const enum filter_result result = filter_read_tags(tags_json, &scratch, &tags);
        assert_true(result == FILTER_OK || (result == FILTER_ERROR_SPACE && !is_enough));
        is_enough = result == FILTER_OK;
    }
    assert_true(is_enough);
    struct scratch scratch = scratch_of(tags_room, sizeof(tags_room));
    assert_int_equal(filter_read_tags(SPAN_LITERAL("[]"), &scratch, &tags), FILTER_ERROR_JSON);
    assert_int_equal(filter_read_tags(SPAN_LITERAL("{\"a\":1}"), &scratch, &tags),
                     FILTER_ERROR_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comparison_says_what_it_should),
        cmocka_unit_test(nodes_combine_as_in_logic),
        cmocka_unit_test(filters_are_refused_precisely),
        cmocka_unit_test(decimals_of_any_length_are_compared),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(room_is_never_exceeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
