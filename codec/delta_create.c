/* SPDX-License-Identifier: Apache-2.0 */
/* Creates fossil deltas: what the ends share, then blocks of the source found by a rolling hash. */
#include "codec/delta.h"

#include "codec/utf8.h"

#include <stdbool.h>

/* How many blocks of one hash are looked at; text that repeats itself has as many as one likes. */
#define CANDIDATES_MAX 16

#define BASE_64_DIGITS_MAX 6 /* of 32 bits */

/*
 * Every `stride`-th block of the source by its hash. Both arrays lie in the caller's scratch; a
 * block is known by its number plus one, 0 is none.
 *
 *      heads[hash]  ->  the first block of this hash
 *      next[block]  ->  the next one of the same hash
 */
struct block_index {
    uint32_t *heads;
    uint32_t *next;
    uint32_t head_mask;
    size_t stride;
};

/* The hash of DELTA_BLOCK_LEN bytes, which moves on by one byte in constant time. */
struct rolling {
    uint32_t sum;
    uint32_t weighted;
};

struct match {
    size_t source_at;
    size_t target_at;
    size_t len;
};

struct encoder {
    struct span source;
    struct span target;
    enum delta_alignment alignment;
    size_t done; /* how much of the target is told */
    struct writer out;
};

static struct rolling rolling_of(const uint8_t *at)
{
    struct rolling rolling = {0, 0};
    for (uint32_t i = 0; i < DELTA_BLOCK_LEN; i++) {
        rolling.sum += at[i];
        rolling.weighted += (DELTA_BLOCK_LEN - i) * at[i];
    }
    return rolling;
}

/* From the block at `at` to the one that begins a byte later. */
static void rolling_move(struct rolling *rolling, const uint8_t *at)
{
    rolling->sum += (uint32_t)at[DELTA_BLOCK_LEN] - at[0];
    rolling->weighted += rolling->sum - DELTA_BLOCK_LEN * (uint32_t)at[0];
}

static uint32_t rolling_hash(const struct rolling *rolling)
{
    const uint32_t mixed = (rolling->sum ^ rolling->weighted << 12) * UINT32_C(0x9E3779B1);
    return mixed ^ mixed >> 15;
}

/* Takes room for as dense an index as there is room for; false when there is none at all. */
static bool index_take_room(struct block_index *index, size_t source_len, struct scratch scratch)
{
    const size_t misalignment = (uintptr_t)scratch.at % sizeof(uint32_t);
    const size_t padding = misalignment == 0 ? 0 : sizeof(uint32_t) - misalignment;
    const size_t room = scratch_room(&scratch);
    const size_t words = room < padding ? 0 : (room - padding) / sizeof(uint32_t);
    for (index->stride = 1; index->stride <= source_len / DELTA_BLOCK_LEN; index->stride *= 2) {
        const size_t blocks = source_len / DELTA_BLOCK_LEN / index->stride;
        size_t heads = 1;
        while (heads < blocks) {
            heads *= 2;
        }
        if (heads + blocks <= words) {
            index->heads = (uint32_t *)(void *)(scratch.at + padding);
            index->next = index->heads + heads;
            index->head_mask = (uint32_t)(heads - 1);
            memset(index->heads, 0, heads * sizeof(uint32_t));
            return true;
        }
    }
    return false;
}

static bool index_build(struct block_index *index, struct span source, struct scratch scratch)
{
    if (!index_take_room(index, source.len, scratch)) {
        return false;
    }
    /* From the last to the first, so that the first comes first. */
    const size_t step = DELTA_BLOCK_LEN * index->stride;
    for (size_t block = source.len / step; block-- > 0;) {
        const struct rolling rolling = rolling_of(source.at + block * step);
        uint32_t *head = &index->heads[rolling_hash(&rolling) & index->head_mask];
        index->next[block] = *head;
        *head = (uint32_t)block + 1;
    }
    return true;
}

static size_t common_prefix_len(const uint8_t *a, const uint8_t *b, size_t len_max)
{
    size_t len = 0;
    while (len < len_max && a[len] == b[len]) {
        len++;
    }
    return len;
}

/* Both point behind what is compared. */
static size_t common_suffix_len(const uint8_t *a_end, const uint8_t *b_end, size_t len_max)
{
    size_t len = 0;
    while (len < len_max && *(a_end - len - 1) == *(b_end - len - 1)) {
        len++;
    }
    return len;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Both payloads are UTF-8, so that what is a border in the target is one in the source as well. */
static void align(const struct span *target, struct match *match)
{
    while (match->len > 0 && is_continuation(target->at[match->target_at])) {
        match->source_at++;
        match->target_at++;
        match->len--;
    }
    while (match->len > 0 && match->target_at + match->len < target->len &&
           is_continuation(target->at[match->target_at + match->len])) {
        match->len--;
    }
}

static size_t number_len(size_t number)
{
    size_t len = 1;
    while (number >= 64) {
        number /= 64;
        len++;
    }
    return len;
}

static void put_number(struct writer *out, uint32_t number)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
    uint8_t text[BASE_64_DIGITS_MAX];
    size_t first = sizeof(text);
    do {
        text[--first] = (uint8_t)digits[number & 63];
        number >>= 6;
    } while (number != 0);
    writer_put(out, span_of(text + first, sizeof(text) - first));
}

/* Tells the target up to `end` as a literal. */
static void put_literal(struct encoder *encoder, size_t end)
{
    if (end > encoder->done) {
        put_number(&encoder->out, (uint32_t)(end - encoder->done));
        writer_put_byte(&encoder->out, ':');
        writer_put(&encoder->out,
                   span_between(encoder->target.at + encoder->done, encoder->target.at + end));
        encoder->done = end;
    }
}

/* Tells the match as a copy, when that is shorter than its bytes; false when it is not. */
static bool put_copy(struct encoder *encoder, struct match match)
{
    if (encoder->alignment == DELTA_OF_UTF8) {
        align(&encoder->target, &match);
    }
    if (match.len <= number_len(match.len) + number_len(match.source_at) + 2) {
        return false;
    }
    put_literal(encoder, match.target_at);
    put_number(&encoder->out, (uint32_t)match.len);
    writer_put_byte(&encoder->out, '@');
    put_number(&encoder->out, (uint32_t)match.source_at);
    writer_put_byte(&encoder->out, ',');
    encoder->done = match.target_at + match.len;
    return true;
}

/* The longest match around the block of the target at `at`, within what is untold before `end`. */
static struct match find_match(const struct encoder *encoder, const struct block_index *index,
                               uint32_t hash, struct span window)
{
    struct match best = {0, 0, 0};
    const size_t at = (size_t)(window.at - encoder->target.at);
    uint32_t block = index->heads[hash & index->head_mask];
    for (unsigned i = 0; block != 0 && i < CANDIDATES_MAX; i++) {
        const size_t source_at = (block - 1) * DELTA_BLOCK_LEN * index->stride;
        const uint8_t *source = encoder->source.at + source_at;
        const size_t ahead =
            common_prefix_len(source, window.at,
                              smaller(encoder->source.len - source_at, window.len));
        if (ahead >= DELTA_BLOCK_LEN) {
            const size_t behind =
                common_suffix_len(source, window.at, smaller(source_at, at - encoder->done));
            if (behind + ahead > best.len) {
                best = (struct match){source_at - behind, at - behind, behind + ahead};
            }
        }
        block = index->next[block - 1];
    }
    return best;
}

/* Whether the delta is already as long as the target. */
static bool is_hopeless(const struct encoder *encoder)
{
    return writer_written_len(&encoder->out) + encoder->out.overflow >= encoder->target.len;
}

/* Tells the target up to `end` by blocks of the source as far as they go. */
static void put_middle(struct encoder *encoder, const struct block_index *index, size_t end)
{
    size_t at = encoder->done;
    bool is_fresh = true;
    struct rolling rolling = {0, 0};
    while (at + DELTA_BLOCK_LEN <= end && !is_hopeless(encoder)) {
        const uint8_t *block = encoder->target.at + at;
        if (is_fresh) {
            rolling = rolling_of(block);
            is_fresh = false;
        }
        const struct match match =
            find_match(encoder, index, rolling_hash(&rolling), span_of(block, end - at));
        if (match.len > 0 && put_copy(encoder, match)) {
            at = encoder->done;
            is_fresh = true;
        } else if (++at + DELTA_BLOCK_LEN <= end) {
            rolling_move(&rolling, block);
        }
    }
}

static void put_segments(struct encoder *encoder, struct scratch scratch)
{
    const struct span source = encoder->source;
    const struct span target = encoder->target;
    const size_t shorter = smaller(source.len, target.len);
    const size_t prefix = common_prefix_len(source.at, target.at, shorter);
    const size_t suffix =
        shorter == prefix
            ? 0
            : common_suffix_len(source.at + source.len, target.at + target.len, shorter - prefix);
    const struct match at_start = {0, 0, prefix};
    const struct match at_end = {source.len - suffix, target.len - suffix, suffix};
    (void)put_copy(encoder, at_start);
    struct block_index index;
    const size_t end = at_end.target_at;
    if (end >= encoder->done + DELTA_BLOCK_LEN && index_build(&index, source, scratch)) {
        put_middle(encoder, &index, end);
    }
    (void)put_copy(encoder, at_end);
    put_literal(encoder, target.len);
}

enum delta_result delta_create(struct span source, struct span target,
                               enum delta_alignment alignment, struct scratch scratch,
                               struct writer *out)
{
    if (source.len > DELTA_LEN_MAX || target.len > DELTA_LEN_MAX) {
        return DELTA_ERROR_TOO_LARGE;
    }
    if (alignment == DELTA_OF_UTF8 && (!utf8_is_valid(source) || !utf8_is_valid(target))) {
        return DELTA_NOT_UTF8;
    }
    if (writer_is_overflown(out)) {
        return DELTA_ERROR_SPACE;
    }
    struct encoder encoder = {.source = source,
                              .target = target,
                              .alignment = alignment,
                              .out = writer_of(out->at, writer_room(out))};
    put_number(&encoder.out, (uint32_t)target.len);
    writer_put_byte(&encoder.out, '\n');
    put_segments(&encoder, scratch);
    put_number(&encoder.out, delta_checksum(target));
    writer_put_byte(&encoder.out, ';');
    if (is_hopeless(&encoder)) {
        return DELTA_NOT_SHORTER;
    }
    if (writer_is_overflown(&encoder.out)) {
        return DELTA_ERROR_SPACE;
    }
    (void)writer_claim(out, writer_written_len(&encoder.out));
    return DELTA_OK;
}
