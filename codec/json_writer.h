/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON through a bounded writer: escapes, commas, and payloads spliced in as they are. */
#ifndef ROOST_CODEC_JSON_WRITER_H
#define ROOST_CODEC_JSON_WRITER_H

#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The only thing to remember while writing JSON is whether a comma is due. Whether all of it fitted
 * is asked of `out` at the end (writer_is_overflown()).
 */
struct json_writer {
    struct writer *out;
    bool comma;
};

static inline struct json_writer json_writer_of(struct writer *out)
{
    return (struct json_writer){out, false};
}

void json_write_object_begin(struct json_writer *json);
void json_write_object_end(struct json_writer *json);
void json_write_array_begin(struct json_writer *json);
void json_write_array_end(struct json_writer *json);

/* A key of ours, which needs no escapes; JSON_WRITE_KEY takes a literal. */
void json_write_key(struct json_writer *json, struct span key);
#define JSON_WRITE_KEY(json, literal) json_write_key((json), SPAN_LITERAL(literal))

/* A key that came from outside. */
void json_write_key_text(struct json_writer *json, struct span text);

/* Values: each is an element of the array, the value of the key just written, or the whole text. */
void json_write_string(struct json_writer *json, struct span text);
void json_write_raw(struct json_writer *json, struct span raw);
void json_write_u64(struct json_writer *json, uint64_t value);
void json_write_i64(struct json_writer *json, int64_t value);
void json_write_bool(struct json_writer *json, bool value);

/* Fields that are left out when they are zero, as the client protocol wants it. */
void json_write_field_string(struct json_writer *json, struct span key, struct span text);
void json_write_field_raw(struct json_writer *json, struct span key, struct span raw);
void json_write_field_u64(struct json_writer *json, struct span key, uint64_t value);
void json_write_field_i64(struct json_writer *json, struct span key, int64_t value);
void json_write_field_bool(struct json_writer *json, struct span key, bool value);

/*
 * `text` between quotes. Quotes, backslashes and control characters are escaped; bytes that are not
 * UTF-8 become U+FFFD, so that the result is always valid JSON.
 */
void json_put_string(struct writer *out, struct span text);

/*
 * `raw` as it is but for the bytes 0x0A and 0x0D, which valid JSON has only between its tokens:
 * without them a payload that was formatted over several lines cannot break the framing by lines.
 */
void json_put_raw(struct writer *out, struct span raw);

#endif
