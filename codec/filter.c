/* SPDX-License-Identifier: Apache-2.0 */
/* Asks compiled filters about the tags of a publication. */
#include "codec/filter.h"

#include "codec/filter_program.h"
#include "codec/json.h"

#include <string.h>

/* ---- tags ---- */

enum filter_result filter_read_tags(struct span json, struct scratch *scratch,
                                    struct filter_tags *out)
{
    struct scratch rest = *scratch;
    struct json_walk walk;
    struct span key;
    struct span value;
    enum json_result result;
    size_t count = 0;
    /* Counted first: the list stands before the texts that had escapes. */
    json_map_begin(&walk, json);
    while ((result = json_map_next(&walk, &rest, &key, &value)) == JSON_OK) {
        count++;
        rest = *scratch;
    }
    const size_t align = _Alignof(struct filter_tag);
    const size_t padding = (align - (uintptr_t)scratch->at % align) % align;
    const size_t room = scratch_room(scratch);
    if (result == JSON_DONE && room < padding + count * sizeof(struct filter_tag)) {
        result = JSON_ERROR_SPACE;
    }
    if (result != JSON_DONE) {
        return result == JSON_ERROR_SPACE ? FILTER_ERROR_SPACE : FILTER_ERROR_JSON;
    }
    *out = (struct filter_tags){NULL, 0};
    if (count == 0) {
        return FILTER_OK;
    }
    struct filter_tag *list = (struct filter_tag *)(void *)(scratch->at + padding);
    rest = *scratch;
    (void)scratch_take(&rest, padding + count * sizeof(struct filter_tag));
    json_map_begin(&walk, json);
    for (size_t i = 0; i < count; i++) {
        if (json_map_next(&walk, &rest, &list[i].key, &list[i].value) != JSON_OK) {
            return FILTER_ERROR_SPACE;
        }
    }
    *scratch = rest;
    *out = (struct filter_tags){list, count};
    return FILTER_OK;
}

static const struct filter_tag *find_tag(const struct filter_tags *tags, struct span key)
{
    for (size_t i = tags->count; i > 0; i--) {
        if (span_equal(tags->list[i - 1].key, key)) {
            return &tags->list[i - 1];
        }
    }
    return NULL;
}

/* ---- decimals ---- */

/* A decimal without the zeros that do not matter: zero has no digits at all. */
struct decimal {
    bool is_negative;
    struct span whole;
    struct span fraction;
};

static size_t digits_len(struct span text)
{
    size_t len = 0;
    while (len < text.len && text.at[len] >= '0' && text.at[len] <= '9') {
        len++;
    }
    return len;
}

static bool read_decimal(struct span text, struct decimal *out)
{
    struct span rest = text;
    *out = (struct decimal){.is_negative = rest.len > 0 && rest.at[0] == '-'};
    if (rest.len > 0 && (rest.at[0] == '-' || rest.at[0] == '+')) {
        rest = span_skip(rest, 1);
    }
    out->whole = span_of(rest.at, digits_len(rest));
    rest = span_skip(rest, out->whole.len);
    if (out->whole.len == 0) {
        return false;
    }
    if (rest.len > 0) {
        if (rest.at[0] != '.') {
            return false;
        }
        rest = span_skip(rest, 1);
        out->fraction = rest;
        if (rest.len == 0 || digits_len(rest) != rest.len) {
            return false;
        }
    }
    while (out->whole.len > 0 && out->whole.at[0] == '0') {
        out->whole = span_skip(out->whole, 1);
    }
    while (out->fraction.len > 0 && out->fraction.at[out->fraction.len - 1] == '0') {
        out->fraction.len--;
    }
    if (out->whole.len == 0 && out->fraction.len == 0) {
        out->is_negative = false;
    }
    return true;
}

/* By their bytes, and a text that goes on is above one that ends. */
static int compare_texts(struct span a, struct span b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len == 0 ? 0 : memcmp(a.at, b.at, len);
    if (order != 0) {
        return order < 0 ? -1 : 1;
    }
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

static int compare_magnitudes(const struct decimal *a, const struct decimal *b)
{
    if (a->whole.len != b->whole.len) {
        return a->whole.len < b->whole.len ? -1 : 1;
    }
    const int order = compare_texts(a->whole, b->whole);
    return order != 0 ? order : compare_texts(a->fraction, b->fraction);
}

bool filter_compare_decimals(struct span a, struct span b, int *order)
{
    struct decimal left;
    struct decimal right;
    if (!read_decimal(a, &left) || !read_decimal(b, &right)) {
        return false;
    }
    if (left.is_negative != right.is_negative) {
        *order = left.is_negative ? -1 : 1;
    } else {
        const int magnitudes = compare_magnitudes(&left, &right);
        *order = left.is_negative ? -magnitudes : magnitudes;
    }
    return true;
}

/* ---- programs ---- */

static size_t take_u32(struct span *rest)
{
    uint32_t value;
    memcpy(&value, rest->at, sizeof(value));
    *rest = span_skip(*rest, sizeof(value));
    return value;
}

static struct span take_text(struct span *rest)
{
    const size_t len = take_u32(rest);
    const struct span text = span_of(rest->at, len);
    *rest = span_skip(*rest, len);
    return text;
}

static enum filter_opcode take_node(struct span *rest, struct span *body)
{
    const enum filter_opcode opcode = (enum filter_opcode)rest->at[0];
    *rest = span_skip(*rest, 1);
    *body = take_text(rest);
    return opcode;
}

static bool is_among(struct span value, struct span vals)
{
    while (vals.len > 0) {
        if (span_equal(take_text(&vals), value)) {
            return true;
        }
    }
    return false;
}

static bool ends_with(struct span text, struct span end)
{
    return text.len >= end.len && span_equal(span_skip(text, text.len - end.len), end);
}

static bool contains(struct span text, struct span part)
{
    return text.len >= part.len && text.len > 0 &&
           memmem(text.at, text.len, part.at, part.len) != NULL;
}

static bool number_matches(enum filter_opcode opcode, struct span value, struct span val)
{
    int order;
    if (!filter_compare_decimals(value, val, &order)) {
        return false;
    }
    switch (opcode) {
    case FILTER_GT:
        return order > 0;
    case FILTER_GTE:
        return order >= 0;
    case FILTER_LT:
        return order < 0;
    default:
        return order <= 0;
    }
}

static bool leaf_matches(enum filter_opcode opcode, struct span body,
                         const struct filter_tags *tags)
{
    const struct filter_tag *tag = find_tag(tags, take_text(&body));
    const struct span value = tag == NULL ? SPAN_EMPTY : tag->value;
    const bool is_missing = tag == NULL;
    switch (opcode) {
    case FILTER_EX:
        return !is_missing;
    case FILTER_NEX:
        return is_missing;
    case FILTER_IN:
        return is_among(value, body);
    case FILTER_NIN:
        return !is_among(value, body);
    case FILTER_EQ:
        return !is_missing && span_equal(value, take_text(&body));
    case FILTER_NEQ:
        return is_missing || !span_equal(value, take_text(&body));
    case FILTER_SW:
        return !is_missing && span_starts_with(value, take_text(&body));
    case FILTER_EW:
        return !is_missing && ends_with(value, take_text(&body));
    case FILTER_CT:
        return !is_missing && contains(value, take_text(&body));
    default:
        return !is_missing && number_matches(opcode, value, take_text(&body));
    }
}

/* As deep as the program, which is no deeper than FILTER_DEPTH_MAX. */
static bool node_matches(struct span *rest, const struct filter_tags *tags)
{
    struct span body;
    const enum filter_opcode opcode = take_node(rest, &body);
    if (opcode < FILTER_LEAF_COUNT) {
        return leaf_matches(opcode, body, tags);
    }
    if (opcode == FILTER_NOT) {
        return !node_matches(&body, tags);
    }
    const bool is_or = opcode == FILTER_OR;
    while (body.len > 0) {
        if (node_matches(&body, tags) == is_or) {
            return is_or;
        }
    }
    return !is_or;
}

bool filter_matches(const struct filter *filter, const struct filter_tags *tags)
{
    struct span rest = filter->program;
    return node_matches(&rest, tags);
}
