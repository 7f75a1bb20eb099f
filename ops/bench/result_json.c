/* SPDX-License-Identifier: Apache-2.0 */
/* Results as JSON: two tables of fields serve writing and reading. */
#include "ops/bench/result.h"

#include <stdio.h>
#include <string.h>

#include "codec/json.h"
#include "codec/json_writer.h"

enum { FORMAT = 1, ERROR_SIZE = 256 };

enum field_kind { FIELD_NUMBER, FIELD_TEXT };

struct field {
    const char *name;
    size_t offset;
    size_t size; /* of a text */
    enum field_kind kind;
};

#define NUMBER(type, member) \
    { \
#member, offsetof(struct type, member), 0, FIELD_NUMBER \
    }
#define TEXT(type, member) \
    { \
#member, offsetof(struct type, member), sizeof(((struct type *)NULL)->member), FIELD_TEXT \
    }

static const struct field result_fields[] = {
    TEXT(result, label),        TEXT(result, mode),        TEXT(result, protocol),
    TEXT(result, target),       TEXT(result, failure),     NUMBER(result, connections),
    NUMBER(result, channels),   NUMBER(result, window),    NUMBER(result, size),
    NUMBER(result, threads),    NUMBER(result, processes), NUMBER(result, refused),
    NUMBER(result, lost),       NUMBER(result, missing),   NUMBER(result, repeated),
    NUMBER(result, misordered), NUMBER(result, damaged),
};

static const struct field stage_fields[] = {
    TEXT(result_stage, name),
    NUMBER(result_stage, duration_ns),
    NUMBER(result_stage, rate),
    NUMBER(result_stage, connections_begin),
    NUMBER(result_stage, connections_end),
    NUMBER(result_stage, joined),
    NUMBER(result_stage, reconnects),
    NUMBER(result_stage, pings),
    NUMBER(result_stage, sent),
    NUMBER(result_stage, received),
    NUMBER(result_stage, bytes_in),
    NUMBER(result_stage, bytes_out),
    NUMBER(result_stage, bench_cpu_ns),
    NUMBER(result_stage, bench_busiest_ns),
    NUMBER(result_stage, bench_late_ns),
    NUMBER(result_stage, bench_rss_begin),
    NUMBER(result_stage, bench_rss_end),
    NUMBER(result_stage, server_cpu_ns),
    NUMBER(result_stage, server_user_ns),
    NUMBER(result_stage, server_system_ns),
    NUMBER(result_stage, machine_busy_ns),
    NUMBER(result_stage, server_user_instructions),
    NUMBER(result_stage, server_kernel_instructions),
    NUMBER(result_stage, server_rss_begin),
    NUMBER(result_stage, server_rss_end),
    NUMBER(result_stage, server_pss_begin),
    NUMBER(result_stage, server_pss_end),
    NUMBER(result_stage, kernel_slab_begin),
    NUMBER(result_stage, kernel_slab_end),
    NUMBER(result_stage, kernel_sockets_end),
    NUMBER(result_stage, floor_cpu_ns),
    NUMBER(result_stage, floor_received),
    NUMBER(result_stage, floor_joined),
};

struct fields {
    const struct field *list;
    size_t len;
};

static const struct fields of_result = {result_fields,
                                        sizeof result_fields / sizeof result_fields[0]};
static const struct fields of_stage = {stage_fields, sizeof stage_fields / sizeof stage_fields[0]};

static void write_fields(struct json_writer *json, struct fields fields, const void *from)
{
    for (size_t i = 0; i < fields.len; i++) {
        const struct field *field = &fields.list[i];
        const char *at = (const char *)from + field->offset;
        json_write_key(json, span_of_text(field->name));
        if (field->kind == FIELD_TEXT) {
            json_write_string(json, span_of_text(at));
        } else {
            uint64_t value;
            memcpy(&value, at, sizeof value);
            json_write_u64(json, value);
        }
    }
}

/* [largest value, count, largest value, count, ...] of the buckets that hold something. */
static void write_hist(struct json_writer *json, const struct hist *hist)
{
    json_write_array_begin(json);
    for (uint32_t i = 0; i < hist_bucket_count(hist); i++) {
        uint64_t value;
        const uint64_t count = hist_bucket(hist, i, &value);
        if (count > 0) {
            json_write_u64(json, value < hist_max(hist) ? value : hist_max(hist));
            json_write_u64(json, count);
        }
    }
    json_write_array_end(json);
}

static void write_series(struct json_writer *json, const struct result *result)
{
    json_write_array_begin(json);
    for (uint32_t i = 0; i < result->series_len; i++) {
        uint64_t values[RESULT_POINT_FIELDS];
        memcpy(values, &result->series[i], sizeof values);
        json_write_array_begin(json);
        for (uint32_t k = 0; k < RESULT_POINT_FIELDS; k++) {
            json_write_u64(json, values[k]);
        }
        json_write_array_end(json);
    }
    json_write_array_end(json);
}

void result_write_json(const struct result *result, struct writer *out)
{
    struct json_writer json = json_writer_of(out);
    json_write_object_begin(&json);
    JSON_WRITE_KEY(&json, "format");
    json_write_u64(&json, FORMAT);
    write_fields(&json, of_result, result);
    JSON_WRITE_KEY(&json, "connect_latency_ns");
    write_hist(&json, result->connect_latency);
    JSON_WRITE_KEY(&json, "stages");
    json_write_array_begin(&json);
    for (uint32_t i = 0; i < result->stages_len; i++) {
        json_write_object_begin(&json);
        write_fields(&json, of_stage, &result->stages[i]);
        JSON_WRITE_KEY(&json, "latency_ns");
        write_hist(&json, result->stages[i].latency);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    JSON_WRITE_KEY(&json, "series");
    write_series(&json, result);
    JSON_WRITE_KEY(&json, "warnings");
    json_write_array_begin(&json);
    for (uint32_t i = 0; i < result->warnings_len; i++) {
        json_write_string(&json, span_of_text(result->warnings[i]));
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
    writer_put_byte(out, '\n');
}

static enum json_result read_text(struct json_reader *reader, char *out, size_t size)
{
    uint8_t room[1024];
    struct scratch scratch = scratch_of(room, sizeof room);
    struct span text = SPAN_EMPTY;
    const enum json_result result = json_read_string(reader, &scratch, &text);
    if (result == JSON_OK) {
        snprintf(out, size, "%.*s", (int)text.len, text.len == 0 ? "" : (const char *)text.at);
    }
    return result;
}

static enum json_result read_hist(struct json_reader *reader, struct hist *hist)
{
    enum json_result result = json_enter_array(reader);
    while (result == JSON_OK && (result = json_next_element(reader)) == JSON_OK) {
        uint64_t value = 0;
        uint64_t count = 0;
        result = json_read_u64(reader, &value);
        if (result == JSON_OK) {
            result = json_next_element(reader);
            result = result == JSON_DONE ? JSON_ERROR_RANGE : result;
        }
        if (result == JSON_OK) {
            result = json_read_u64(reader, &count);
        }
        if (result == JSON_OK) {
            hist_record_many(hist, value, count);
        }
    }
    return result == JSON_DONE ? JSON_OK : result;
}

static enum json_result read_point(struct json_reader *reader, struct result *out)
{
    uint64_t values[RESULT_POINT_FIELDS] = {0};
    uint32_t len = 0;
    enum json_result result = json_enter_array(reader);
    while (result == JSON_OK && (result = json_next_element(reader)) == JSON_OK) {
        if (len == RESULT_POINT_FIELDS) {
            return JSON_ERROR_RANGE;
        }
        result = json_read_u64(reader, &values[len++]);
    }
    if (result != JSON_DONE) {
        return result;
    }
    if (out->series_len == RESULT_SERIES_MAX) {
        return JSON_ERROR_RANGE;
    }
    memcpy(&out->series[out->series_len++], values, sizeof values);
    return JSON_OK;
}

/* The value of a field of the table; JSON_DONE when the key is none of them. */
static enum json_result read_field(struct json_reader *reader, struct fields fields,
                                   struct span key, void *out)
{
    for (size_t i = 0; i < fields.len; i++) {
        const struct field *field = &fields.list[i];
        if (!span_equal(key, span_of_text(field->name))) {
            continue;
        }
        char *at = (char *)out + field->offset;
        if (field->kind == FIELD_TEXT) {
            return read_text(reader, at, field->size);
        }
        uint64_t value = 0;
        const enum json_result result = json_read_u64(reader, &value);
        memcpy(at, &value, sizeof value);
        return result;
    }
    return JSON_DONE;
}

static enum json_result read_stage(struct json_reader *reader, struct result *out)
{
    struct result_stage *stage = result_stage_add(out, "");
    struct span key;
    if (stage == NULL) {
        return JSON_ERROR_RANGE;
    }
    enum json_result result = json_enter_object(reader);
    while (result == JSON_OK && (result = json_next_member(reader, &key)) == JSON_OK) {
        if (span_equal(key, SPAN_LITERAL("latency_ns"))) {
            result = read_hist(reader, stage->latency);
            continue;
        }
        result = read_field(reader, of_stage, key, stage);
        if (result == JSON_DONE) {
            result = json_skip_value(reader);
        }
    }
    return result == JSON_DONE ? JSON_OK : result;
}

static enum json_result read_warning(struct json_reader *reader, struct result *out)
{
    char text[RESULT_WARNING_SIZE];
    const enum json_result result = read_text(reader, text, sizeof text);
    if (result == JSON_OK) {
        result_warn(out, "%s", text);
    }
    return result;
}

static enum json_result read_list(struct json_reader *reader, struct result *out,
                                  enum json_result (*read)(struct json_reader *, struct result *))
{
    enum json_result result = json_enter_array(reader);
    while (result == JSON_OK && (result = json_next_element(reader)) == JSON_OK) {
        result = read(reader, out);
    }
    return result == JSON_DONE ? JSON_OK : result;
}

static enum json_result read_member(struct json_reader *reader, struct span key, struct result *out)
{
    if (span_equal(key, SPAN_LITERAL("connect_latency_ns"))) {
        return read_hist(reader, out->connect_latency);
    }
    if (span_equal(key, SPAN_LITERAL("stages"))) {
        return read_list(reader, out, read_stage);
    }
    if (span_equal(key, SPAN_LITERAL("series"))) {
        return read_list(reader, out, read_point);
    }
    if (span_equal(key, SPAN_LITERAL("warnings"))) {
        return read_list(reader, out, read_warning);
    }
    const enum json_result result = read_field(reader, of_result, key, out);
    return result == JSON_DONE ? json_skip_value(reader) : result;
}

bool result_read_json(struct span text, struct result *out, char error[256])
{
    struct json_reader reader;
    struct span key;
    uint64_t format = 0;
    json_reader_begin(&reader, text);
    enum json_result result = json_enter_object(&reader);
    while (result == JSON_OK && (result = json_next_member(&reader, &key)) == JSON_OK) {
        result = span_equal(key, SPAN_LITERAL("format")) ? json_read_u64(&reader, &format)
                                                         : read_member(&reader, key, out);
    }
    if (result == JSON_DONE) {
        result = json_reader_end(&reader);
    }
    if (result != JSON_OK) {
        snprintf(error, ERROR_SIZE, "no result: %s", json_result_text(result));
        return false;
    }
    if (format != FORMAT) {
        snprintf(error, ERROR_SIZE, "no result of format %d", FORMAT);
        return false;
    }
    return true;
}
