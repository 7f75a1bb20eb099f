/* SPDX-License-Identifier: Apache-2.0 */
/* A strict JSON scanner (RFC 8259) without allocation: every value comes out as a slice. */
#ifndef ROOST_CODEC_JSON_H
#define ROOST_CODEC_JSON_H

#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How deep arrays and objects may nest. People nest a handful of levels and generated documents
 * some dozens; readers in the field stop between 64 and 10,000. The scanner pays one bit a level,
 * on its stack.
 */
#define JSON_DEPTH_MAX 512

/* The longest number that json_number_double() looks at; a double needs a quarter of it. */
#define JSON_DOUBLE_LEN_MAX 128

/* One enum for all that reads JSON, so that a caller has one table from result to answer. */
enum json_result {
    JSON_OK = 0,
    JSON_DONE,            /* no error: the object, the array or the frame has nothing more */
    JSON_ERROR_EMPTY,     /* white space alone, or nothing, where a value must be */
    JSON_ERROR_TRUNCATED, /* the text ends inside a value */
    JSON_ERROR_SYNTAX,    /* a byte that cannot stand where it stands */
    JSON_ERROR_TRAILING,  /* more text behind the value */
    JSON_ERROR_NUMBER,    /* a number out of the grammar: 01, +1, .5, 1. */
    JSON_ERROR_CONTROL,   /* an unescaped control character in a string */
    JSON_ERROR_ESCAPE,    /* an unknown escape, or \u without four hexadecimal digits */
    JSON_ERROR_UTF8,      /* bytes in a string that are not UTF-8 */
    JSON_ERROR_DEPTH,     /* nested deeper than JSON_DEPTH_MAX */
    JSON_ERROR_TYPE,      /* valid JSON, but not of the type that the field has */
    JSON_ERROR_RANGE,     /* a number that the field cannot hold */
    JSON_ERROR_SPACE,     /* the scratch is too small */
    JSON_ERROR_BASE64,    /* a base64 field that is not base64 */
};

/* A sentence fragment for logs and HTTP bodies; never NULL. */
const char *json_result_text(enum json_result result);

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* `raw` is the value as it stands, without white space around it; a string has its quotes. */
struct json_value {
    enum json_type type;
    struct span raw;
};

/*
 * Is `text` exactly one valid value (white space around it allowed)? Strings must be UTF-8; a lone
 * \ud800 escape is allowed by the grammar and passes. Linear in text.len. Returns JSON_OK or the
 * first error.
 */
CODEC_MUST_CHECK enum json_result json_check(struct span text);

/* As json_check(), and *out is the value with its type. */
CODEC_MUST_CHECK enum json_result json_parse(struct span text, struct json_value *out);

/*
 * A reader is one cursor that goes over the text once. It checks whatever it passes, so that a walk
 * over nested objects costs no second scan:
 *
 *      json_reader_begin(&reader, text);
 *      json_enter_object(&reader);
 *      while ((result = json_next_member(&reader, &key)) == JSON_OK) {
 *          exactly one read: json_read_...(), json_skip_value() or json_enter_...()
 *      }
 *      result == JSON_DONE here (the closing brace is consumed), or an error
 *      json_reader_end(&reader);
 *
 * Whoever enters a container must walk it until JSON_DONE before the outer one goes on. After an
 * error of the text the reader is spent: every further call returns that error again.
 */
struct json_reader {
    const uint8_t *at;
    const uint8_t *end;
    uint32_t depth;
    bool fresh;               /* just inside of a container: no comma is due */
    enum json_result failure; /* JSON_OK, or what went wrong first and is answered from then on */
};

void json_reader_begin(struct json_reader *reader, struct span text);

/* JSON_ERROR_TYPE when the value ahead is of another type; the reader is not moved then. */
CODEC_MUST_CHECK enum json_result json_enter_object(struct json_reader *reader);
CODEC_MUST_CHECK enum json_result json_enter_array(struct json_reader *reader);

/* JSON_OK and *key_raw (the string between its quotes, escapes and all), or JSON_DONE. */
CODEC_MUST_CHECK enum json_result json_next_member(struct json_reader *reader,
                                                   struct span *key_raw);

/* JSON_OK when an element is ahead, or JSON_DONE. */
CODEC_MUST_CHECK enum json_result json_next_element(struct json_reader *reader);

/* Consumes and checks one value of any type, however deep. */
CODEC_MUST_CHECK enum json_result json_read_value(struct json_reader *reader,
                                                  struct json_value *out);
CODEC_MUST_CHECK enum json_result json_skip_value(struct json_reader *reader);

/* True, and consumed, when the value ahead is null; otherwise nothing happens. */
CODEC_MUST_CHECK bool json_read_null(struct json_reader *reader);

/* Nothing but white space may be left: JSON_OK or JSON_ERROR_TRAILING. */
CODEC_MUST_CHECK enum json_result json_reader_end(struct json_reader *reader);

/*
 * The index of `key_raw` (as json_next_member() gives it) in `names`, or `count`. Escapes in the
 * key are understood.
 */
size_t json_key_find(struct span key_raw, const struct span *names, size_t count);

/*
 * The string of a JSON_STRING's raw slice. Without escapes *out is a slice of the input, otherwise
 * it is in the scratch (at most raw.len - 2 bytes are taken). A pair of surrogate escapes becomes
 * one character, a lone surrogate U+FFFD. JSON_ERROR_SPACE when the scratch is too small. A slice
 * that was never checked does no harm, but then only its escapes are checked.
 */
CODEC_MUST_CHECK enum json_result json_string_decode(struct span raw, struct scratch *scratch,
                                                     struct span *out);

/* As json_string_decode() for a key, which has no quotes around it. */
CODEC_MUST_CHECK enum json_result json_key_decode(struct span key_raw, struct scratch *scratch,
                                                  struct span *out);

/*
 * Numbers of a JSON_NUMBER's raw slice. The integers take digits alone, with a minus where the type
 * has one: 1.0 and 1e3 are JSON_ERROR_TYPE, what does not fit is JSON_ERROR_RANGE.
 */
CODEC_MUST_CHECK enum json_result json_number_u64(struct span raw, uint64_t *out);
CODEC_MUST_CHECK enum json_result json_number_i64(struct span raw, int64_t *out);
CODEC_MUST_CHECK enum json_result json_number_u32(struct span raw, uint32_t *out);
CODEC_MUST_CHECK enum json_result json_number_i32(struct span raw, int32_t *out);

/*
 * The largest integer that is not above the number, exactly: 1.5e3 is 1500, -0.5 is -1.
 * JSON_ERROR_RANGE beyond int64.
 */
CODEC_MUST_CHECK enum json_result json_number_floor(struct span raw, int64_t *out);

/*
 * The nearest double. JSON_ERROR_RANGE when it is infinite or the text is longer than
 * JSON_DOUBLE_LEN_MAX.
 */
CODEC_MUST_CHECK enum json_result json_number_double(struct span raw, double *out);

/*
 * The typed forms of json_read_value(), for decoders: null leaves *out as it is and is JSON_OK
 * (null counts as absent), another type is JSON_ERROR_TYPE.
 */
CODEC_MUST_CHECK enum json_result json_read_string(struct json_reader *reader,
                                                   struct scratch *scratch, struct span *out);
CODEC_MUST_CHECK enum json_result json_read_bool(struct json_reader *reader, bool *out);
CODEC_MUST_CHECK enum json_result json_read_u64(struct json_reader *reader, uint64_t *out);
CODEC_MUST_CHECK enum json_result json_read_u32(struct json_reader *reader, uint32_t *out);
CODEC_MUST_CHECK enum json_result json_read_i64(struct json_reader *reader, int64_t *out);
CODEC_MUST_CHECK enum json_result json_read_i32(struct json_reader *reader, int32_t *out);

/* The value of any type but null as it stands. */
CODEC_MUST_CHECK enum json_result json_read_raw(struct json_reader *reader, struct span *out);

/*
 * The raw slice of an array of strings, or of an object whose values are all strings; null within
 * counts as "".
 */
CODEC_MUST_CHECK enum json_result json_read_raw_strings(struct json_reader *reader,
                                                        struct span *out);
CODEC_MUST_CHECK enum json_result json_read_raw_map(struct json_reader *reader, struct span *out);

/*
 * Walks over such slices: JSON_OK with the next one, JSON_DONE at the end, or an error
 * (JSON_ERROR_SPACE is the only one where the slice came from json_read_raw_strings() or
 * json_read_raw_map()). Zero bytes count as an empty container.
 */
struct json_walk {
    struct json_reader reader;
    bool empty;
};

void json_strings_begin(struct json_walk *walk, struct span raw_array);
CODEC_MUST_CHECK enum json_result json_strings_next(struct json_walk *walk, struct scratch *scratch,
                                                    struct span *out);
void json_map_begin(struct json_walk *walk, struct span raw_object);
CODEC_MUST_CHECK enum json_result json_map_next(struct json_walk *walk, struct scratch *scratch,
                                                struct span *key, struct span *value);

#endif
