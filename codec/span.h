/* SPDX-License-Identifier: Apache-2.0 */
/* A span is a slice of somebody else's bytes: what every decoder reads and hands out. */
#ifndef ROOST_CODEC_SPAN_H
#define ROOST_CODEC_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * `len` bytes from `at`. It owns nothing and lives no longer than the buffer it points into. An
 * empty span may have a null `at`; it is never read then. All functions here are pure and may be
 * called from any shard.
 */
struct span {
    const uint8_t *at;
    size_t len;
};

/*
 * SPAN_LITERAL takes a string literal alone (the empty string in front refuses anything else at
 * compile time).
 */
#define SPAN_LITERAL(text) ((struct span){(const uint8_t *)("" text), sizeof(text) - 1})
#define SPAN_EMPTY ((struct span){NULL, 0})

static inline struct span span_of(const void *at, size_t len)
{
    return (struct span){(const uint8_t *)at, len};
}

static inline struct span span_of_text(const char *text)
{
    return span_of(text, strlen(text));
}

/* The bytes from `start` up to but without `end`; both must point into one buffer, start <= end. */
static inline struct span span_between(const uint8_t *start, const uint8_t *end)
{
    return (struct span){start, (size_t)(end - start)};
}

static inline bool span_is_empty(struct span span)
{
    return span.len == 0;
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline uint8_t span_lower_byte(uint8_t byte)
{
    return (uint8_t)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

/* Only the ASCII letters have case: protocol tokens are ASCII, and locales have no say in them. */
static inline bool span_equal_ignore_case(struct span a, struct span b)
{
    if (a.len != b.len) {
        return false;
    }
    /* Most write a token as its standard does. */
    if (span_equal(a, b)) {
        return true;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (span_lower_byte(a.at[i]) != span_lower_byte(b.at[i])) {
            return false;
        }
    }
    return true;
}

static inline bool span_starts_with(struct span span, struct span prefix)
{
    return span.len >= prefix.len && span_equal(span_of(span.at, prefix.len), prefix);
}

/* What is left behind the first `count` bytes; nothing is left when there are fewer. */
static inline struct span span_skip(struct span span, size_t count)
{
    if (count >= span.len) {
        return SPAN_EMPTY;
    }
    return (struct span){span.at + count, span.len - count};
}

/* The index of the first `byte`, or span.len when there is none. */
static inline size_t span_index_of(struct span span, uint8_t byte)
{
    const uint8_t *found = span.len == 0 ? NULL : (const uint8_t *)memchr(span.at, byte, span.len);
    return found == NULL ? span.len : (size_t)(found - span.at);
}

#endif
