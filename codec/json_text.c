/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a JSON string apart into plain runs and single escapes. */
#include "codec/json_text.h"

#include "codec/json.h"

#define SHORT_ESCAPE_LEN 2 /* \n */
#define UNIT_ESCAPE_LEN 6  /* \u00e9 */
#define PAIR_ESCAPE_LEN 12 /* \ud83d\ude00 */
#define CHARACTER_LEN_MAX 4

/* Is there an escape of a UTF-16 surrogate whose third digit is within the two? */
static bool has_surrogate(struct span text, uint8_t third_low, uint8_t third_high)
{
    if (text.len < UNIT_ESCAPE_LEN || text.at[0] != '\\' || text.at[1] != 'u' ||
        span_lower_byte(text.at[2]) != 'd') {
        return false;
    }
    const uint8_t third = span_lower_byte(text.at[3]);
    return third >= third_low && third <= third_high;
}

static bool has_high_surrogate(struct span text)
{
    return has_surrogate(text, '8', '9') || has_surrogate(text, 'a', 'b');
}

/* The length of the escape at the start of `text`; two escapes that make one character are one. */
static size_t escape_len(struct span text)
{
    if (text.len < SHORT_ESCAPE_LEN || text.at[1] != 'u') {
        return SHORT_ESCAPE_LEN;
    }
    const bool is_pair =
        has_high_surrogate(text) && has_surrogate(span_skip(text, UNIT_ESCAPE_LEN), 'c', 'f');
    return is_pair ? PAIR_ESCAPE_LEN : UNIT_ESCAPE_LEN;
}

void json_put_text(struct writer *out, struct span inner)
{
    struct span rest = inner;
    while (rest.len > 0) {
        const size_t plain_len = span_index_of(rest, '\\');
        writer_put(out, span_of(rest.at, plain_len));
        rest = span_skip(rest, plain_len);
        if (rest.len == 0) {
            return;
        }
        const size_t len = escape_len(rest);
        uint8_t bytes[CHARACTER_LEN_MAX * 2];
        struct scratch scratch = scratch_of(bytes, sizeof(bytes));
        struct span character;
        if (len > rest.len ||
            json_key_decode(span_of(rest.at, len), &scratch, &character) != JSON_OK) {
            return;
        }
        writer_put(out, character);
        rest = span_skip(rest, len);
    }
}
