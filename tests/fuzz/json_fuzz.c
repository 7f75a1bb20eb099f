/* SPDX-License-Identifier: Apache-2.0 */
/* Holds the JSON scanner, reader and writer against jansson, value by value. */
/* jansson has enumerators of the same names: here ours go by another. */
#define JSON_NULL ROOST_JSON_NULL
#define JSON_STRING ROOST_JSON_STRING
#define JSON_ARRAY ROOST_JSON_ARRAY
#define JSON_OBJECT ROOST_JSON_OBJECT
#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/json_writer.h"
#undef JSON_NULL
#undef JSON_STRING
#undef JSON_ARRAY
#undef JSON_OBJECT

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

static uint8_t *buf_of(size_t len)
{
    uint8_t *buf = malloc(len > 0 ? len : 1);
    MUST(buf != NULL);
    return buf;
}

static void compare(struct json_reader *reader, const json_t *theirs);

static void compare_string(struct span raw, const json_t *theirs)
{
    uint8_t *buf = buf_of(raw.len);
    struct scratch scratch = scratch_of(buf, raw.len - 2);
    struct span text;
    MUST(json_string_decode(raw, &scratch, &text) == JSON_OK);
    MUST(span_equal(text, span_of(json_string_value(theirs), json_string_length(theirs))));

    /* What the writer makes of it must mean the same. */
    struct writer measure = writer_for_measuring();
    json_put_string(&measure, text);
    uint8_t *written = buf_of(measure.overflow);
    struct writer writer = writer_of(written, measure.overflow);
    json_put_string(&writer, text);
    MUST(!writer_is_overflown(&writer) && writer_room(&writer) == 0);
    MUST(json_check(writer_written(&writer)) == JSON_OK);
    uint8_t *again_buf = buf_of(writer_written_len(&writer));
    struct scratch again_scratch = scratch_of(again_buf, writer_written_len(&writer));
    struct span again;
    MUST(json_string_decode(writer_written(&writer), &again_scratch, &again) == JSON_OK);
    MUST(span_equal(again, text));
    free(again_buf);
    free(written);
    free(buf);
}

static void compare_number(struct span raw, const json_t *theirs)
{
    int64_t whole = 0;
    double real = 0;
    enum json_result result = json_number_i64(raw, &whole);
    if (json_is_integer(theirs)) {
        MUST(result == JSON_OK && whole == json_integer_value(theirs));
        int64_t rounded = 0;
        MUST(json_number_floor(raw, &rounded) == JSON_OK && rounded == whole);
        return;
    }
    MUST(result == JSON_ERROR_TYPE);
    if (json_number_double(raw, &real) == JSON_OK) {
        MUST(real == json_real_value(theirs));
        if (fabs(real) < 1e15) {
            MUST(json_number_floor(raw, &whole) == JSON_OK);
            MUST(fabs((double)whole - floor(real)) <= 1);
        }
    } else {
        MUST(raw.len > JSON_DOUBLE_LEN_MAX);
    }
}

static void compare_object(struct json_reader *reader, const json_t *theirs)
{
    struct json_reader count = *reader;
    struct span key_raw;
    size_t members = 0;
    MUST(json_enter_object(&count) == JSON_OK);
    while (json_next_member(&count, &key_raw) == JSON_OK) {
        MUST(json_skip_value(&count) == JSON_OK);
        members++;
    }
    bool has_doubles = members != json_object_size(theirs);

    enum json_result result;
    MUST(json_enter_object(reader) == JSON_OK);
    while ((result = json_next_member(reader, &key_raw)) == JSON_OK) {
        uint8_t *buf = buf_of(key_raw.len + 1);
        struct scratch scratch = scratch_of(buf, key_raw.len);
        struct span key;
        MUST(json_key_decode(key_raw, &scratch, &key) == JSON_OK);
        MUST(json_key_find(key_raw, &key, 1) == 0 || key.len > 64);
        char *name = (char *)buf_of(key.len + 1);
        if (key.len > 0) {
            memcpy(name, key.at, key.len);
        }
        name[key.len] = '\0';
        const json_t *value = json_object_get(theirs, name);
        MUST(value != NULL);
        if (has_doubles) {
            MUST(json_skip_value(reader) == JSON_OK);
        } else {
            compare(reader, value);
        }
        free(name);
        free(buf);
    }
    MUST(result == JSON_DONE);
}

static void compare_array(struct json_reader *reader, const json_t *theirs)
{
    size_t index = 0;
    enum json_result result;
    MUST(json_enter_array(reader) == JSON_OK);
    while ((result = json_next_element(reader)) == JSON_OK) {
        compare(reader, json_array_get(theirs, index++));
    }
    MUST(result == JSON_DONE && index == json_array_size(theirs));
}

static void compare(struct json_reader *reader, const json_t *theirs)
{
    struct json_value value;
    if (json_is_object(theirs)) {
        compare_object(reader, theirs);
        return;
    }
    if (json_is_array(theirs)) {
        compare_array(reader, theirs);
        return;
    }
    MUST(json_read_value(reader, &value) == JSON_OK);
    if (json_is_string(theirs)) {
        MUST(value.type == ROOST_JSON_STRING);
        compare_string(value.raw, theirs);
    } else if (json_is_number(theirs)) {
        MUST(value.type == JSON_NUMBER);
        compare_number(value.raw, theirs);
    } else if (json_is_null(theirs)) {
        MUST(value.type == ROOST_JSON_NULL && span_equal(value.raw, SPAN_LITERAL("null")));
    } else {
        MUST(value.type == JSON_BOOL);
        MUST(span_equal(value.raw,
                        json_is_true(theirs) ? SPAN_LITERAL("true") : SPAN_LITERAL("false")));
    }
}

/* What jansson refuses although the grammar allows it. */
static bool is_limit_of_jansson(enum json_error_code code)
{
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_null_character || code == json_error_out_of_memory;
}

/* A lone surrogate is grammatical too, but jansson tells it by a message alone. */
static bool is_lone_surrogate(const json_error_t *error)
{
    return strncmp(error->text, "invalid Unicode", 15) == 0;
}

static void check_scan(struct span text)
{
    const uint8_t *end = text.at + text.len;
    for (const uint8_t *at = text.at; at != end; at++) {
        const uint8_t *found = json_skip_plain_bytewise(at, end);
        MUST(json_skip_plain(at, end) == found);
        at = found == end ? end - 1 : found;
    }
}

/* Without its line breaks a text is still what it was. */
static void check_splice(struct span text)
{
    uint8_t *buf = buf_of(text.len);
    struct writer writer = writer_of(buf, text.len);
    json_put_raw(&writer, text);
    MUST(!writer_is_overflown(&writer));
    struct span spliced = writer_written(&writer);
    MUST(span_index_of(spliced, '\n') == spliced.len);
    MUST(span_index_of(spliced, '\r') == spliced.len);
    MUST(json_check(spliced) == JSON_OK);
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span text = span_of(bytes, len);
    json_error_t error;
    struct json_value value;
    enum json_result result = json_parse(text, &value);
    if (span_index_of(text, 0) < text.len) {
        /* jansson's reader takes a zero byte behind a number for the end of its buffer. */
        MUST(result != JSON_OK);
        return 0;
    }
    json_t *theirs = json_loadb((const char *)bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (len > 0) {
        check_scan(text);
    }
    if (theirs == NULL) {
        MUST(result != JSON_OK || is_limit_of_jansson(json_error_code(&error)) ||
             is_lone_surrogate(&error));
    } else if (result == JSON_OK) {
        struct json_reader reader;
        json_reader_begin(&reader, text);
        compare(&reader, theirs);
        MUST(json_reader_end(&reader) == JSON_OK);
    } else {
        MUST(result == JSON_ERROR_DEPTH);
    }
    if (result == JSON_OK) {
        check_splice(text);
    }
    json_decref(theirs);
    return 0;
}
