/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON tokens, and decides about commas and escapes. */
#include "codec/json_writer.h"

#include "codec/hex.h"
#include "codec/json_scan.h"

#include <string.h>

static void put_comma_if_due(struct json_writer *json)
{
    if (json->comma) {
        writer_put_byte(json->out, ',');
    }
    json->comma = true;
}

static void begin(struct json_writer *json, uint8_t bracket)
{
    put_comma_if_due(json);
    writer_put_byte(json->out, bracket);
    json->comma = false;
}

static void end(struct json_writer *json, uint8_t bracket)
{
    writer_put_byte(json->out, bracket);
    json->comma = true;
}

void json_write_object_begin(struct json_writer *json)
{
    begin(json, '{');
}

void json_write_object_end(struct json_writer *json)
{
    end(json, '}');
}

void json_write_array_begin(struct json_writer *json)
{
    begin(json, '[');
}

void json_write_array_end(struct json_writer *json)
{
    end(json, ']');
}

void json_write_key(struct json_writer *json, struct span key)
{
    put_comma_if_due(json);
    writer_put_byte(json->out, '"');
    writer_put(json->out, key);
    writer_put_literal(json->out, "\":");
    json->comma = false;
}

void json_write_key_text(struct json_writer *json, struct span text)
{
    put_comma_if_due(json);
    json_put_string(json->out, text);
    writer_put_byte(json->out, ':');
    json->comma = false;
}

void json_write_string(struct json_writer *json, struct span text)
{
    put_comma_if_due(json);
    json_put_string(json->out, text);
}

void json_write_raw(struct json_writer *json, struct span raw)
{
    put_comma_if_due(json);
    json_put_raw(json->out, raw);
}

void json_write_u64(struct json_writer *json, uint64_t value)
{
    put_comma_if_due(json);
    writer_put_u64(json->out, value);
}

void json_write_i64(struct json_writer *json, int64_t value)
{
    put_comma_if_due(json);
    writer_put_i64(json->out, value);
}

void json_write_bool(struct json_writer *json, bool value)
{
    put_comma_if_due(json);
    writer_put(json->out, value ? SPAN_LITERAL("true") : SPAN_LITERAL("false"));
}

void json_write_field_string(struct json_writer *json, struct span key, struct span text)
{
    if (text.len > 0) {
        json_write_key(json, key);
        json_write_string(json, text);
    }
}

void json_write_field_raw(struct json_writer *json, struct span key, struct span raw)
{
    if (raw.len > 0) {
        json_write_key(json, key);
        json_write_raw(json, raw);
    }
}

void json_write_field_u64(struct json_writer *json, struct span key, uint64_t value)
{
    if (value != 0) {
        json_write_key(json, key);
        json_write_u64(json, value);
    }
}

void json_write_field_i64(struct json_writer *json, struct span key, int64_t value)
{
    if (value != 0) {
        json_write_key(json, key);
        json_write_i64(json, value);
    }
}

void json_write_field_bool(struct json_writer *json, struct span key, bool value)
{
    if (value) {
        json_write_key(json, key);
        json_write_bool(json, true);
    }
}

static void put_escape(struct writer *out, uint8_t byte)
{
    switch (byte) {
    case '"':
        writer_put_literal(out, "\\\"");
        break;
    case '\\':
        writer_put_literal(out, "\\\\");
        break;
    case '\n':
        writer_put_literal(out, "\\n");
        break;
    case '\r':
        writer_put_literal(out, "\\r");
        break;
    case '\t':
        writer_put_literal(out, "\\t");
        break;
    default: {
        char escape[] = {'\\', 'u', '0', '0', hex_digit(byte >> 4), hex_digit(byte)};
        writer_put(out, span_of(escape, sizeof(escape)));
        break;
    }
    }
}

void json_put_string(struct writer *out, struct span text)
{
    const uint8_t *at = text.at;
    const uint8_t *text_end = text.len == 0 ? at : at + text.len;
    writer_put_byte(out, '"');
    while (at != text_end) {
        const uint8_t *run = at;
        at = json_skip_plain(at, text_end);
        size_t len = 0;
        while (at != text_end && *at >= 0x80 && (len = json_utf8_len(at, text_end)) != 0) {
            at += len;
        }
        writer_put(out, span_between(run, at));
        if (at == text_end) {
            break;
        }
        if (*at >= 0x80) {
            writer_put_literal(out, "\xEF\xBF\xBD");
            at++;
        } else if (*at < 0x20 || *at == '"' || *at == '\\') {
            put_escape(out, *at);
            at++;
        }
    }
    writer_put_byte(out, '"');
}

void json_put_raw(struct writer *out, struct span raw)
{
    struct span rest = raw;
    while (rest.len > 0) {
        size_t line_feed = span_index_of(rest, '\n');
        struct span line = span_of(rest.at, line_feed);
        while (line.len > 0) {
            size_t carriage_return = span_index_of(line, '\r');
            writer_put(out, span_of(line.at, carriage_return));
            line = span_skip(line, carriage_return + 1);
        }
        rest = span_skip(rest, line_feed + 1);
    }
}
