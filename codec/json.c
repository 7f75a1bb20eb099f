/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader: one cursor over nested objects and arrays, and the typed reads of decoders. */
#include "codec/json.h"

#include "codec/json_scan.h"

#include <string.h>

/* Room for the decoded form of a key that was written with escapes; no field has a longer name. */
#define FIELD_NAME_LEN_MAX 64

const char *json_result_text(enum json_result result)
{
    switch (result) {
    case JSON_OK:
        return "ok";
    case JSON_DONE:
        return "nothing more";
    case JSON_ERROR_EMPTY:
        return "no JSON value";
    case JSON_ERROR_TRUNCATED:
        return "JSON ends too early";
    case JSON_ERROR_SYNTAX:
        return "malformed JSON";
    case JSON_ERROR_TRAILING:
        return "more text behind the JSON value";
    case JSON_ERROR_NUMBER:
        return "malformed number";
    case JSON_ERROR_CONTROL:
        return "unescaped control character in a string";
    case JSON_ERROR_ESCAPE:
        return "malformed escape in a string";
    case JSON_ERROR_UTF8:
        return "a string is not UTF-8";
    case JSON_ERROR_DEPTH:
        return "JSON nested too deep";
    case JSON_ERROR_TYPE:
        return "a field has a wrong type";
    case JSON_ERROR_RANGE:
        return "a number is out of range";
    case JSON_ERROR_SPACE:
        return "escaped strings are too long";
    case JSON_ERROR_BASE64:
        return "malformed base64";
    }
    return "unknown";
}

enum json_result json_parse(struct span text, struct json_value *out)
{
    struct json_reader reader;
    json_reader_begin(&reader, text);
    enum json_result result = json_read_value(&reader, out);
    return result == JSON_OK ? json_reader_end(&reader) : result;
}

enum json_result json_check(struct span text)
{
    struct json_value value;
    return json_parse(text, &value);
}

void json_reader_begin(struct json_reader *reader, struct span text)
{
    *reader = (struct json_reader){
        .at = text.at,
        .end = text.len == 0 ? text.at : text.at + text.len,
        .failure = JSON_OK,
    };
}

static enum json_result fail(struct json_reader *reader, enum json_result failure)
{
    reader->failure = failure;
    return failure;
}

/* Moves to the next byte that is not white space, of which there must be one. */
static enum json_result advance(struct json_reader *reader)
{
    if (reader->failure != JSON_OK) {
        return reader->failure;
    }
    reader->at = json_skip_space(reader->at, reader->end);
    if (reader->at == reader->end) {
        return fail(reader, reader->depth == 0 ? JSON_ERROR_EMPTY : JSON_ERROR_TRUNCATED);
    }
    return JSON_OK;
}

static enum json_result enter(struct json_reader *reader, enum json_type wanted)
{
    enum json_result result = advance(reader);
    if (result != JSON_OK) {
        return result;
    }
    enum json_type type;
    if (!json_type_of(*reader->at, &type)) {
        return fail(reader, JSON_ERROR_SYNTAX);
    }
    if (type != wanted) {
        return JSON_ERROR_TYPE;
    }
    if (reader->depth >= JSON_DEPTH_MAX) {
        return fail(reader, JSON_ERROR_DEPTH);
    }
    reader->at++;
    reader->depth++;
    reader->fresh = true;
    return JSON_OK;
}

enum json_result json_enter_object(struct json_reader *reader)
{
    return enter(reader, JSON_OBJECT);
}

enum json_result json_enter_array(struct json_reader *reader)
{
    return enter(reader, JSON_ARRAY);
}

/* JSON_OK with the cursor on the next member or element, JSON_DONE behind the closing bracket. */
static enum json_result next(struct json_reader *reader, uint8_t closing)
{
    enum json_result result = advance(reader);
    if (result != JSON_OK) {
        return result;
    }
    bool fresh = reader->fresh;
    reader->fresh = false;
    if (*reader->at == closing) {
        reader->at++;
        reader->depth--;
        return JSON_DONE;
    }
    if (fresh) {
        return JSON_OK;
    }
    if (*reader->at != ',') {
        return fail(reader, JSON_ERROR_SYNTAX);
    }
    reader->at++;
    return advance(reader);
}

enum json_result json_next_member(struct json_reader *reader, struct span *key_raw)
{
    enum json_result result = next(reader, '}');
    if (result != JSON_OK) {
        return result;
    }
    result = json_scan_key(&reader->at, reader->end, key_raw);
    return result == JSON_OK ? JSON_OK : fail(reader, result);
}

enum json_result json_next_element(struct json_reader *reader)
{
    return next(reader, ']');
}

enum json_result json_read_value(struct json_reader *reader, struct json_value *out)
{
    enum json_result result = advance(reader);
    if (result != JSON_OK) {
        return result;
    }
    const uint8_t *start = reader->at;
    result = json_scan_value(&reader->at, reader->end, reader->depth, &out->type);
    if (result != JSON_OK) {
        return fail(reader, result);
    }
    out->raw = span_between(start, reader->at);
    return JSON_OK;
}

enum json_result json_skip_value(struct json_reader *reader)
{
    struct json_value value;
    return json_read_value(reader, &value);
}

bool json_read_null(struct json_reader *reader)
{
    if (advance(reader) != JSON_OK || *reader->at != 'n') {
        return false;
    }
    return json_skip_value(reader) == JSON_OK;
}

enum json_result json_reader_end(struct json_reader *reader)
{
    if (reader->failure != JSON_OK) {
        return reader->failure;
    }
    reader->at = json_skip_space(reader->at, reader->end);
    return reader->at == reader->end ? JSON_OK : fail(reader, JSON_ERROR_TRAILING);
}

static size_t find_plain(struct span key, const struct span *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(key, names[i])) {
            return i;
        }
    }
    return count;
}

size_t json_key_find(struct span key_raw, const struct span *names, size_t count)
{
    size_t found = find_plain(key_raw, names, count);
    if (found < count || span_index_of(key_raw, '\\') == key_raw.len) {
        return found;
    }
    uint8_t buf[FIELD_NAME_LEN_MAX];
    struct scratch scratch = scratch_of(buf, sizeof(buf));
    struct span key;
    if (json_key_decode(key_raw, &scratch, &key) != JSON_OK) {
        return count;
    }
    return find_plain(key, names, count);
}

/* JSON_DONE stands for null here: there is nothing to store. */
static enum json_result read_of_type(struct json_reader *reader, enum json_type type,
                                     struct span *raw)
{
    struct json_value value;
    enum json_result result = json_read_value(reader, &value);
    if (result != JSON_OK) {
        return result;
    }
    *raw = value.raw;
    if (value.type == JSON_NULL) {
        return JSON_DONE;
    }
    return value.type == type ? JSON_OK : JSON_ERROR_TYPE;
}

static enum json_result null_is_ok(enum json_result result)
{
    return result == JSON_DONE ? JSON_OK : result;
}

enum json_result json_read_string(struct json_reader *reader, struct scratch *scratch,
                                  struct span *out)
{
    struct span raw;
    enum json_result result = read_of_type(reader, JSON_STRING, &raw);
    return result == JSON_OK ? json_string_decode(raw, scratch, out) : null_is_ok(result);
}

enum json_result json_read_bool(struct json_reader *reader, bool *out)
{
    struct span raw;
    enum json_result result = read_of_type(reader, JSON_BOOL, &raw);
    if (result == JSON_OK) {
        *out = raw.at[0] == 't';
    }
    return null_is_ok(result);
}

enum json_result json_read_u64(struct json_reader *reader, uint64_t *out)
{
    struct span raw;
    enum json_result result = read_of_type(reader, JSON_NUMBER, &raw);
    return result == JSON_OK ? json_number_u64(raw, out) : null_is_ok(result);
}

enum json_result json_read_u32(struct json_reader *reader, uint32_t *out)
{
    struct span raw;
    enum json_result result = read_of_type(reader, JSON_NUMBER, &raw);
    return result == JSON_OK ? json_number_u32(raw, out) : null_is_ok(result);
}

enum json_result json_read_i64(struct json_reader *reader, int64_t *out)
{
    struct span raw;
    enum json_result result = read_of_type(reader, JSON_NUMBER, &raw);
    return result == JSON_OK ? json_number_i64(raw, out) : null_is_ok(result);
}

enum json_result json_read_i32(struct json_reader *reader, int32_t *out)
{
    struct span raw;
    enum json_result result = read_of_type(reader, JSON_NUMBER, &raw);
    return result == JSON_OK ? json_number_i32(raw, out) : null_is_ok(result);
}

enum json_result json_read_raw(struct json_reader *reader, struct span *out)
{
    struct json_value value;
    enum json_result result = json_read_value(reader, &value);
    if (result == JSON_OK && value.type != JSON_NULL) {
        *out = value.raw;
    }
    return result;
}

static enum json_result skip_string_or_null(struct json_reader *reader)
{
    struct span raw;
    return null_is_ok(read_of_type(reader, JSON_STRING, &raw));
}

enum json_result json_read_raw_strings(struct json_reader *reader, struct span *out)
{
    if (json_read_null(reader)) {
        return JSON_OK;
    }
    enum json_result result = json_enter_array(reader);
    if (result != JSON_OK) {
        return result;
    }
    const uint8_t *start = reader->at - 1;
    while ((result = json_next_element(reader)) == JSON_OK) {
        result = skip_string_or_null(reader);
        if (result != JSON_OK) {
            return result;
        }
    }
    if (result == JSON_DONE) {
        *out = span_between(start, reader->at);
    }
    return null_is_ok(result);
}

enum json_result json_read_raw_map(struct json_reader *reader, struct span *out)
{
    if (json_read_null(reader)) {
        return JSON_OK;
    }
    enum json_result result = json_enter_object(reader);
    if (result != JSON_OK) {
        return result;
    }
    const uint8_t *start = reader->at - 1;
    struct span key;
    while ((result = json_next_member(reader, &key)) == JSON_OK) {
        result = skip_string_or_null(reader);
        if (result != JSON_OK) {
            return result;
        }
    }
    if (result == JSON_DONE) {
        *out = span_between(start, reader->at);
    }
    return null_is_ok(result);
}

static void walk_begin(struct json_walk *walk, struct span raw)
{
    json_reader_begin(&walk->reader, raw);
    walk->empty = raw.len == 0;
}

/* From then on the walk answers JSON_DONE, however often it is asked. */
static enum json_result walk_end(struct json_walk *walk, enum json_result result)
{
    if (result == JSON_DONE) {
        walk->empty = true;
    }
    return result;
}

void json_strings_begin(struct json_walk *walk, struct span raw_array)
{
    walk_begin(walk, raw_array);
    if (!walk->empty && json_enter_array(&walk->reader) == JSON_ERROR_TYPE) {
        fail(&walk->reader, JSON_ERROR_TYPE);
    }
}

enum json_result json_strings_next(struct json_walk *walk, struct scratch *scratch,
                                   struct span *out)
{
    if (walk->empty) {
        return JSON_DONE;
    }
    enum json_result result = json_next_element(&walk->reader);
    if (result != JSON_OK) {
        return walk_end(walk, result);
    }
    *out = SPAN_EMPTY;
    return json_read_string(&walk->reader, scratch, out);
}

void json_map_begin(struct json_walk *walk, struct span raw_object)
{
    walk_begin(walk, raw_object);
    if (!walk->empty && json_enter_object(&walk->reader) == JSON_ERROR_TYPE) {
        fail(&walk->reader, JSON_ERROR_TYPE);
    }
}

enum json_result json_map_next(struct json_walk *walk, struct scratch *scratch, struct span *key,
                               struct span *value)
{
    if (walk->empty) {
        return JSON_DONE;
    }
    struct span key_raw;
    enum json_result result = json_next_member(&walk->reader, &key_raw);
    if (result != JSON_OK) {
        return walk_end(walk, result);
    }
    result = json_key_decode(key_raw, scratch, key);
    if (result != JSON_OK) {
        return result;
    }
    *value = SPAN_EMPTY;
    return json_read_string(&walk->reader, scratch, value);
}
