/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader's walk over a text, its typed reads, and the JSON writer. */
#include "codec/json.h"
#include "codec/json_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(literal) \
    { \
        (const uint8_t *)("" literal), sizeof(literal) - 1 \
    }
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void assert_text(struct span got, const char *wanted)
{
    if (!span_equal(got, span_of_text(wanted))) {
        fail_msg("got %.*s, wanted %s", (int)got.len, (const char *)got.at, wanted);
    }
}

static void the_reader_walks_nested_containers_in_one_go(void **state)
{
    (void)state;
    struct json_reader reader;
    struct span key;
    struct json_value value;
    json_reader_begin(&reader, SPAN_LITERAL(" { \"a\" : [ 1 , { \"b\" : [ ] } , \"x\" ] , "
                                            "\"c\" : { } , \"d\" : { \"e\" : null } } "));
    assert_int_equal(json_enter_object(&reader), JSON_OK);
    assert_int_equal(json_next_member(&reader, &key), JSON_OK);
    assert_text(key, "a");
    assert_int_equal(json_enter_object(&reader), JSON_ERROR_TYPE);
    assert_int_equal(json_enter_array(&reader), JSON_OK);
    assert_int_equal(json_next_element(&reader), JSON_OK);
    assert_int_equal(json_read_value(&reader, &value), JSON_OK);
    assert_int_equal(value.type, JSON_NUMBER);
    assert_text(value.raw, "1");
    assert_int_equal(json_next_element(&reader), JSON_OK);
    assert_int_equal(json_read_value(&reader, &value), JSON_OK);
    assert_int_equal(value.type, JSON_OBJECT);
    assert_text(value.raw, "{ \"b\" : [ ] }");
    assert_int_equal(json_next_element(&reader), JSON_OK);
    assert_int_equal(json_skip_value(&reader), JSON_OK);
    assert_int_equal(json_next_element(&reader), JSON_DONE);
    assert_int_equal(json_next_member(&reader, &key), JSON_OK);
    assert_text(key, "c");
    assert_int_equal(json_enter_object(&reader), JSON_OK);
    assert_int_equal(json_next_member(&reader, &key), JSON_DONE);
    assert_int_equal(json_next_member(&reader, &key), JSON_OK);
    assert_text(key, "d");
    assert_int_equal(json_enter_object(&reader), JSON_OK);
    assert_int_equal(json_next_member(&reader, &key), JSON_OK);
    assert_text(key, "e");
    assert_true(json_read_null(&reader));
    assert_int_equal(json_next_member(&reader, &key), JSON_DONE);
    assert_int_equal(json_next_member(&reader, &key), JSON_DONE);
    assert_int_equal(json_reader_end(&reader), JSON_OK);
}

static void containers_side_by_side_are_not_deep(void **state)
{
    (void)state;
    enum { SIBLINGS = JSON_DEPTH_MAX * 2 };
    static char text[SIBLINGS * 3 + 2] = "[";
    for (size_t i = 0; i < SIBLINGS; i++) {
        memcpy(text + 1 + i * 3, i + 1 < SIBLINGS ? "{}," : "{}]", 3);
    }
    struct json_reader reader;
    struct span key;
    json_reader_begin(&reader, span_of_text(text));
    assert_int_equal(json_enter_array(&reader), JSON_OK);
    for (size_t i = 0; i < SIBLINGS; i++) {
        assert_int_equal(json_next_element(&reader), JSON_OK);
        assert_int_equal(json_enter_object(&reader), JSON_OK);
        assert_int_equal(json_next_member(&reader, &key), JSON_DONE);
    }
    assert_int_equal(json_next_element(&reader), JSON_DONE);
    assert_int_equal(json_reader_end(&reader), JSON_OK);
}

/* Reads objects of anything, and returns the first error or the end's. */
static enum json_result walk(struct span text)
{
    struct json_reader reader;
    struct span key;
    json_reader_begin(&reader, text);
    enum json_result result = json_enter_object(&reader);
    while (result == JSON_OK && (result = json_next_member(&reader, &key)) == JSON_OK) {
        result = json_skip_value(&reader);
    }
    if (result == JSON_DONE) {
        return json_reader_end(&reader);
    }
    if (result != JSON_ERROR_TYPE) {
        /* A spent reader stays spent. */
        struct json_value value;
        assert_int_equal(json_read_value(&reader, &value), result);
        assert_int_equal(json_next_member(&reader, &key), result);
        assert_int_equal(json_enter_array(&reader), result);
        assert_int_equal(json_reader_end(&reader), result);
        assert_false(json_read_null(&reader));
    }
    return result;
}

static void the_reader_checks_what_it_passes(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        enum json_result wanted;
    } rows[] = {
        {TEXT("{}"), JSON_OK},
        {TEXT(" {\"a\":1} "), JSON_OK},
        {TEXT(""), JSON_ERROR_EMPTY},
        {TEXT("  "), JSON_ERROR_EMPTY},
        {TEXT("[]"), JSON_ERROR_TYPE},
        {TEXT("null"), JSON_ERROR_TYPE},
        {TEXT("\"a\""), JSON_ERROR_TYPE},
        {TEXT("}"), JSON_ERROR_SYNTAX},
        {TEXT("x"), JSON_ERROR_SYNTAX},
        {TEXT("{"), JSON_ERROR_TRUNCATED},
        {TEXT("{\"a\":1"), JSON_ERROR_TRUNCATED},
        {TEXT("{\"a\":1,"), JSON_ERROR_TRUNCATED},
        {TEXT("{\"a\":1,}"), JSON_ERROR_SYNTAX},
        {TEXT("{,\"a\":1}"), JSON_ERROR_SYNTAX},
        {TEXT("{\"a\":1]"), JSON_ERROR_SYNTAX},
        {TEXT("{\"a\":1 \"b\":1}"), JSON_ERROR_SYNTAX},
        {TEXT("{\"a\" 1}"), JSON_ERROR_SYNTAX},
        {TEXT("{\"a\":}"), JSON_ERROR_SYNTAX},
        {TEXT("{\"a\":01}"), JSON_ERROR_NUMBER},
        {TEXT("{\"\\q\":1}"), JSON_ERROR_ESCAPE},
        {TEXT("{}x"), JSON_ERROR_TRAILING},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum json_result result = walk(rows[i].text);
        if (result != rows[i].wanted) {
            fail_msg("%.*s: %s", (int)rows[i].text.len, (const char *)rows[i].text.at,
                     json_result_text(result));
        }
    }
}

static void keys_are_found_however_they_are_written(void **state)
{
    (void)state;
    static const struct span names[] = {TEXT("id"), TEXT("connect"), TEXT("a\"b")};
    assert_int_equal(json_key_find(SPAN_LITERAL("id"), names, 3), 0);
    assert_int_equal(json_key_find(SPAN_LITERAL("connect"), names, 3), 1);
    assert_int_equal(json_key_find(SPAN_LITERAL("\\u0069\\u0064"), names, 3), 0);
    assert_int_equal(json_key_find(SPAN_LITERAL("a\\\"b"), names, 3), 2);
    assert_int_equal(json_key_find(SPAN_LITERAL("ID"), names, 3), 3);
    assert_int_equal(json_key_find(SPAN_LITERAL("i"), names, 3), 3);
    assert_int_equal(json_key_find(SPAN_LITERAL("id\\u0000"), names, 3), 3);
    assert_int_equal(json_key_find(SPAN_LITERAL(""), names, 3), 3);
    char long_key[600];
    memset(long_key, 'x', sizeof(long_key));
    memcpy(long_key, "\\n", 2);
    assert_int_equal(json_key_find(span_of(long_key, sizeof(long_key)), names, 3), 3);
}

struct typed {
    struct span text;
    bool boolean;
    uint64_t u64;
    uint32_t u32;
    int64_t i64;
    int32_t i32;
    struct span raw;
    struct span strings;
    struct span map;
};

static enum json_result read_typed(size_t kind, struct span text, struct typed *out)
{
    struct json_reader reader;
    uint8_t buf[32];
    struct scratch scratch = scratch_of(buf, sizeof(buf));
    json_reader_begin(&reader, text);
    switch (kind) {
    case 0:
        return json_read_string(&reader, &scratch, &out->text);
    case 1:
        return json_read_bool(&reader, &out->boolean);
    case 2:
        return json_read_u64(&reader, &out->u64);
    case 3:
        return json_read_u32(&reader, &out->u32);
    case 4:
        return json_read_i64(&reader, &out->i64);
    case 5:
        return json_read_i32(&reader, &out->i32);
    case 6:
        return json_read_raw(&reader, &out->raw);
    case 7:
        return json_read_raw_strings(&reader, &out->strings);
    default:
        return json_read_raw_map(&reader, &out->map);
    }
}

static void each_type_takes_its_own_and_null(void **state)
{
    (void)state;
    /* One column a reader, in the order of read_typed(). */
    static const struct {
        const char *text;
        bool taken[9];
    } rows[] = {
        {"\"s\"", {true, false, false, false, false, false, true, false, false}},
        {"true", {false, true, false, false, false, false, true, false, false}},
        {"7", {false, false, true, true, true, true, true, false, false}},
        {"[\"a\",null]", {false, false, false, false, false, false, true, true, false}},
        {"[1]", {false, false, false, false, false, false, true, false, false}},
        {"{\"a\":\"b\",\"c\":null}", {false, false, false, false, false, false, true, false, true}},
        {"{\"a\":1}", {false, false, false, false, false, false, true, false, false}},
        {"null", {true, true, true, true, true, true, true, true, true}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t kind = 0; kind < 9; kind++) {
            struct typed out = {.u64 = 5};
            enum json_result result = read_typed(kind, span_of_text(rows[i].text), &out);
            assert_int_equal(result, rows[i].taken[kind] ? JSON_OK : JSON_ERROR_TYPE);
        }
    }
    struct typed out = {.u64 = 5, .text = SPAN_LITERAL("kept")};
    assert_int_equal(read_typed(2, SPAN_LITERAL("null"), &out), JSON_OK);
    assert_int_equal(read_typed(0, SPAN_LITERAL("null"), &out), JSON_OK);
    assert_int_equal(out.u64, 5);
    assert_text(out.text, "kept");
    assert_int_equal(read_typed(1, SPAN_LITERAL("true"), &out), JSON_OK);
    assert_true(out.boolean);
    assert_int_equal(read_typed(1, SPAN_LITERAL("false"), &out), JSON_OK);
    assert_false(out.boolean);
    assert_int_equal(read_typed(3, SPAN_LITERAL("4294967296"), &out), JSON_ERROR_RANGE);
}

static void slices_of_strings_are_walked(void **state)
{
    (void)state;
    struct json_walk walk;
    uint8_t buf[16];
    struct scratch scratch = scratch_of(buf, sizeof(buf));
    struct span text;
    struct span key;
    json_strings_begin(&walk, SPAN_LITERAL("[\"a\", \"b\\n\" ,null]"));
    assert_int_equal(json_strings_next(&walk, &scratch, &text), JSON_OK);
    assert_text(text, "a");
    assert_int_equal(json_strings_next(&walk, &scratch, &text), JSON_OK);
    assert_text(text, "b\n");
    assert_int_equal(json_strings_next(&walk, &scratch, &text), JSON_OK);
    assert_text(text, "");
    assert_int_equal(json_strings_next(&walk, &scratch, &text), JSON_DONE);
    assert_int_equal(json_strings_next(&walk, &scratch, &text), JSON_DONE);

    json_strings_begin(&walk, SPAN_EMPTY);
    assert_int_equal(json_strings_next(&walk, &scratch, &text), JSON_DONE);
    json_strings_begin(&walk, SPAN_LITERAL("{}"));
    assert_int_equal(json_strings_next(&walk, &scratch, &text), JSON_ERROR_TYPE);
    json_strings_begin(&walk, SPAN_LITERAL("[1]"));
    assert_int_equal(json_strings_next(&walk, &scratch, &text), JSON_ERROR_TYPE);

    json_map_begin(&walk, SPAN_LITERAL("{\"k\\t\":\"v\",\"n\":null}"));
    assert_int_equal(json_map_next(&walk, &scratch, &key, &text), JSON_OK);
    assert_text(key, "k\t");
    assert_text(text, "v");
    assert_int_equal(json_map_next(&walk, &scratch, &key, &text), JSON_OK);
    assert_text(key, "n");
    assert_text(text, "");
    assert_int_equal(json_map_next(&walk, &scratch, &key, &text), JSON_DONE);
    assert_int_equal(json_map_next(&walk, &scratch, &key, &text), JSON_DONE);
    json_map_begin(&walk, SPAN_LITERAL("[]"));
    assert_int_equal(json_map_next(&walk, &scratch, &key, &text), JSON_ERROR_TYPE);
}

static void write_everything(struct writer *out)
{
    struct json_writer json = json_writer_of(out);
    json_write_object_begin(&json);
    json_write_field_string(&json, SPAN_LITERAL("none"), SPAN_EMPTY);
    json_write_field_string(&json, SPAN_LITERAL("s"), SPAN_LITERAL("x\"y"));
    json_write_field_u64(&json, SPAN_LITERAL("u"), UINT64_MAX);
    json_write_field_u64(&json, SPAN_LITERAL("zero"), 0);
    json_write_field_i64(&json, SPAN_LITERAL("i"), INT64_MIN);
    json_write_field_i64(&json, SPAN_LITERAL("zero"), 0);
    json_write_field_bool(&json, SPAN_LITERAL("no"), false);
    json_write_field_bool(&json, SPAN_LITERAL("yes"), true);
    json_write_field_raw(&json, SPAN_LITERAL("raw"), SPAN_LITERAL("{\n \"a\":\r\n1}\n"));
    json_write_field_raw(&json, SPAN_LITERAL("none"), SPAN_EMPTY);
    JSON_WRITE_KEY(&json, "list");
    json_write_array_begin(&json);
    json_write_u64(&json, 0);
    json_write_i64(&json, -1);
    json_write_bool(&json, false);
    json_write_string(&json, SPAN_EMPTY);
    json_write_array_begin(&json);
    json_write_array_end(&json);
    json_write_object_begin(&json);
    json_write_object_end(&json);
    json_write_raw(&json, SPAN_LITERAL("null"));
    json_write_array_end(&json);
    json_write_key_text(&json, SPAN_LITERAL("k\n"));
    json_write_object_begin(&json);
    JSON_WRITE_KEY(&json, "in");
    json_write_u64(&json, 1);
    json_write_object_end(&json);
    json_write_object_end(&json);
}

static void the_writer_sets_commas_and_leaves_zeros_out(void **state)
{
    (void)state;
    static const char wanted[] =
        "{\"s\":\"x\\\"y\",\"u\":18446744073709551615,\"i\":-9223372036854775808,\"yes\":true,"
        "\"raw\":{ \"a\":1},\"list\":[0,-1,false,\"\",[],{},null],\"k\\n\":{\"in\":1}}";
    uint8_t buf[256];
    struct writer writer = writer_of(buf, sizeof(buf));
    write_everything(&writer);
    assert_text(writer_written(&writer), wanted);

    /* In a buffer of any size it writes a beginning of that, and knows what it lacks. */
    for (size_t size = 0; size <= sizeof(wanted) - 1; size++) {
        uint8_t *exact = malloc(size > 0 ? size : 1);
        assert_non_null(exact);
        struct writer small = writer_of(exact, size);
        write_everything(&small);
        assert_int_equal(writer_written_len(&small) + small.overflow, sizeof(wanted) - 1);
        assert_memory_equal(exact, wanted, writer_written_len(&small));
        free(exact);
    }
}

static void strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        const char *wanted;
    } rows[] = {
        {TEXT(""), "\"\""},
        {TEXT("plain"), "\"plain\""},
        {TEXT("0123456789abcdef\"0123456789abcdef\\"),
         "\"0123456789abcdef\\\"0123456789abcdef\\\\\""},
        {TEXT("\n\r\t\b\f\v\0\x1f"), "\"\\n\\r\\t\\u0008\\u000c\\u000b\\u0000\\u001f\""},
        {TEXT("/\x7f"), "\"/\x7f\""},
        {TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {TEXT("a\xff"
              "b"),
         "\"a\xef\xbf\xbd"
         "b\""},
        {TEXT("\xc3"), "\"\xef\xbf\xbd\""},
        {TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {TEXT("\xc3\xa9\xc3\"\xc3\xa9"), "\"\xc3\xa9\xef\xbf\xbd\\\"\xc3\xa9\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[128];
        struct writer writer = writer_of(buf, sizeof(buf));
        json_put_string(&writer, rows[i].text);
        assert_text(writer_written(&writer), rows[i].wanted);
        assert_int_equal(json_check(writer_written(&writer)), JSON_OK);
    }
    for (unsigned byte = 0; byte < 0x80; byte++) {
        uint8_t text = (uint8_t)byte;
        uint8_t buf[16];
        uint8_t decoded_buf[16];
        struct writer writer = writer_of(buf, sizeof(buf));
        struct scratch scratch = scratch_of(decoded_buf, sizeof(decoded_buf));
        struct span decoded;
        json_put_string(&writer, span_of(&text, 1));
        assert_int_equal(json_check(writer_written(&writer)), JSON_OK);
        assert_int_equal(json_string_decode(writer_written(&writer), &scratch, &decoded), JSON_OK);
        assert_true(span_equal(decoded, span_of(&text, 1)));
    }
}

static void line_breaks_are_taken_out_of_payloads(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        const char *wanted;
    } rows[] = {
        {"", ""},
        {"1", "1"},
        {"\n", ""},
        {"\r\n\r\n", ""},
        {"{\n}", "{}"},
        {"\n{\r\n\"a\":\r1\n\n}\r", "{\"a\":1}"},
        {"[1,\n2]", "[1,2]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[32];
        struct writer writer = writer_of(buf, sizeof(buf));
        json_put_raw(&writer, span_of_text(rows[i].raw));
        assert_text(writer_written(&writer), rows[i].wanted);
    }
}

static void every_result_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int i = JSON_OK; i <= JSON_ERROR_BASE64; i++) {
        for (int j = JSON_OK; j < i; j++) {
            assert_string_not_equal(json_result_text((enum json_result)i),
                                    json_result_text((enum json_result)j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_walks_nested_containers_in_one_go),
        cmocka_unit_test(containers_side_by_side_are_not_deep),
        cmocka_unit_test(the_reader_checks_what_it_passes),
        cmocka_unit_test(keys_are_found_however_they_are_written),
        cmocka_unit_test(each_type_takes_its_own_and_null),
        cmocka_unit_test(slices_of_strings_are_walked),
        cmocka_unit_test(the_writer_sets_commas_and_leaves_zeros_out),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(line_breaks_are_taken_out_of_payloads),
        cmocka_unit_test(every_result_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests_name("json_reader", tests, NULL, NULL);
}
