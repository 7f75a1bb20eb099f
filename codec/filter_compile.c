/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles tags filters, and says precisely why one is refused. */
#include "codec/filter.h"

#include "codec/filter_program.h"
#include "codec/json.h"
#include "codec/json_text.h"
#include "codec/writer.h"

/* Longer than the name of any operator, so that what does not fit is none of them. */
#define OPERATOR_LEN_MAX 8

struct compiler {
    struct writer out;
    size_t nodes;
    size_t vals;
};

/* A node's fields as they stand in the text; those of strings are what is between the quotes. */
struct node {
    struct span op;
    struct span key;
    struct span cmp;
    struct span val;
    struct span vals;
    struct span nodes;
};

const char *filter_result_text(enum filter_result result)
{
    static const char *const texts[FILTER_RESULT_COUNT] = {
        [FILTER_OK] = "no error",
        [FILTER_ERROR_JSON] = "not the JSON of a filter",
        [FILTER_ERROR_DEPTH] = "nested too deep",
        [FILTER_ERROR_NODES] = "too many nodes",
        [FILTER_ERROR_VALS] = "too many values",
        [FILTER_ERROR_SPACE] = "no room left",
        [FILTER_ERROR_OP] = "unknown op",
        [FILTER_ERROR_CMP] = "unknown cmp",
        [FILTER_ERROR_NO_CMP] = "leaf without cmp",
        [FILTER_ERROR_NO_KEY] = "leaf without key",
        [FILTER_ERROR_NO_VAL] = "comparison without val or vals",
        [FILTER_ERROR_VAL] = "comparison that has no use for val or vals",
        [FILTER_ERROR_CHILDREN] = "wrong number of nodes",
    };
    return (size_t)result < FILTER_RESULT_COUNT ? texts[result] : "unknown result";
}

static enum filter_result read_node(struct span json, struct node *out)
{
    static const struct {
        struct span name;
        enum json_type type;
    } fields[] = {
        {{(const uint8_t *)"op", 2}, JSON_STRING},  {{(const uint8_t *)"key", 3}, JSON_STRING},
        {{(const uint8_t *)"cmp", 3}, JSON_STRING}, {{(const uint8_t *)"val", 3}, JSON_STRING},
        {{(const uint8_t *)"vals", 4}, JSON_ARRAY}, {{(const uint8_t *)"nodes", 5}, JSON_ARRAY},
    };
    enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };
    struct span *const spans[FIELD_COUNT] = {&out->op,  &out->key,  &out->cmp,
                                             &out->val, &out->vals, &out->nodes};
    *out = (struct node){0};
    struct json_reader reader;
    struct json_value value;
    struct span key;
    json_reader_begin(&reader, json);
    enum json_result result = json_enter_object(&reader);
    while (result == JSON_OK && (result = json_next_member(&reader, &key)) == JSON_OK) {
        result = json_read_value(&reader, &value);
        for (size_t i = 0; result == JSON_OK && i < FIELD_COUNT; i++) {
            if (json_key_find(key, &fields[i].name, 1) != 0 || value.type == JSON_NULL) {
                continue;
            }
            if (value.type != fields[i].type) {
                return FILTER_ERROR_JSON;
            }
            *spans[i] = value.type == JSON_STRING ? span_of(value.raw.at + 1, value.raw.len - 2)
                                                  : value.raw;
        }
    }
    return result == JSON_DONE && json_reader_end(&reader) == JSON_OK ? FILTER_OK
                                                                      : FILTER_ERROR_JSON;
}

/* The index of what the string stands for among the names, or `count`. */
static size_t find_name(struct span inner, const char *const *names, size_t count)
{
    uint8_t buf[OPERATOR_LEN_MAX];
    struct writer writer = writer_of(buf, sizeof(buf));
    json_put_text(&writer, inner);
    size_t index = 0;
    while (index < count && (writer_is_overflown(&writer) ||
                             !span_equal(writer_written(&writer), span_of_text(names[index])))) {
        index++;
    }
    return index;
}

static void put_u32(struct writer *out, size_t number)
{
    const uint32_t value = (uint32_t)number;
    writer_put(out, span_of(&value, sizeof(value)));
}

static void put_text(struct writer *out, struct span inner)
{
    struct writer measure = writer_for_measuring();
    json_put_text(&measure, inner);
    put_u32(out, measure.overflow);
    json_put_text(out, inner);
}

/* Starts a node; its length is known at the end of it. */
static uint8_t *begin_node(struct compiler *compiler, enum filter_opcode opcode)
{
    writer_put_byte(&compiler->out, (uint8_t)opcode);
    return writer_claim(&compiler->out, sizeof(uint32_t));
}

static void end_node(struct compiler *compiler, uint8_t *len_at)
{
    if (len_at != NULL && !writer_is_overflown(&compiler->out)) {
        const uint32_t len = (uint32_t)(compiler->out.at - len_at - (ptrdiff_t)sizeof(uint32_t));
        memcpy(len_at, &len, sizeof(len));
    }
}

static enum filter_result put_vals(struct compiler *compiler, struct span vals)
{
    struct json_reader reader;
    struct json_value value;
    json_reader_begin(&reader, vals);
    enum json_result result = json_enter_array(&reader);
    while (result == JSON_OK && (result = json_next_element(&reader)) == JSON_OK) {
        result = json_read_value(&reader, &value);
        if (result != JSON_OK || (value.type != JSON_STRING && value.type != JSON_NULL)) {
            return FILTER_ERROR_JSON;
        }
        if (compiler->vals++ == FILTER_VALS_MAX) {
            return FILTER_ERROR_VALS;
        }
        put_text(&compiler->out, value.type == JSON_NULL
                                     ? SPAN_EMPTY
                                     : span_of(value.raw.at + 1, value.raw.len - 2));
    }
    return result == JSON_DONE ? FILTER_OK : FILTER_ERROR_JSON;
}

static bool has_vals(const struct node *node)
{
    struct json_reader reader;
    json_reader_begin(&reader, node->vals);
    return node->vals.len > 0 && json_enter_array(&reader) == JSON_OK &&
           json_next_element(&reader) == JSON_OK;
}

static enum filter_result check_leaf(enum filter_opcode cmp, const struct node *node)
{
    const bool is_set = cmp == FILTER_IN || cmp == FILTER_NIN;
    const bool is_presence = cmp == FILTER_EX || cmp == FILTER_NEX;
    const bool wants_val = !is_set && !is_presence;
    if ((wants_val && node->val.len == 0) || (is_set && !has_vals(node))) {
        return FILTER_ERROR_NO_VAL;
    }
    if ((!wants_val && node->val.len > 0) || (!is_set && has_vals(node))) {
        return FILTER_ERROR_VAL;
    }
    return node->key.len == 0 && !is_presence ? FILTER_ERROR_NO_KEY : FILTER_OK;
}

static enum filter_result compile_leaf(struct compiler *compiler, const struct node *node)
{
    static const char *const names[FILTER_LEAF_COUNT] = {
        [FILTER_EQ] = "eq",   [FILTER_NEQ] = "neq", [FILTER_IN] = "in",   [FILTER_NIN] = "nin",
        [FILTER_EX] = "ex",   [FILTER_NEX] = "nex", [FILTER_SW] = "sw",   [FILTER_EW] = "ew",
        [FILTER_CT] = "ct",   [FILTER_GT] = "gt",   [FILTER_GTE] = "gte", [FILTER_LT] = "lt",
        [FILTER_LTE] = "lte",
    };
    if (node->cmp.len == 0) {
        return FILTER_ERROR_NO_CMP;
    }
    const size_t cmp = find_name(node->cmp, names, FILTER_LEAF_COUNT);
    if (cmp == FILTER_LEAF_COUNT) {
        return FILTER_ERROR_CMP;
    }
    enum filter_result result = check_leaf((enum filter_opcode)cmp, node);
    if (result != FILTER_OK) {
        return result;
    }
    uint8_t *len_at = begin_node(compiler, (enum filter_opcode)cmp);
    put_text(&compiler->out, node->key);
    if (node->val.len > 0) {
        put_text(&compiler->out, node->val);
    } else if (node->vals.len > 0) {
        result = put_vals(compiler, node->vals);
    }
    end_node(compiler, len_at);
    return result;
}

static enum filter_result compile_node(struct compiler *compiler, struct span json, uint32_t depth);

static enum filter_result compile_group(struct compiler *compiler, enum filter_opcode opcode,
                                        const struct node *node, uint32_t depth)
{
    struct json_reader reader;
    struct json_value child;
    size_t children = 0;
    enum json_result result = JSON_DONE;
    uint8_t *len_at = begin_node(compiler, opcode);
    if (node->nodes.len > 0) {
        json_reader_begin(&reader, node->nodes);
        result = json_enter_array(&reader);
    }
    while (result == JSON_OK && (result = json_next_element(&reader)) == JSON_OK) {
        result = json_read_value(&reader, &child);
        if (result != JSON_OK) {
            break;
        }
        const enum filter_result compiled = compile_node(compiler, child.raw, depth + 1);
        if (compiled != FILTER_OK) {
            return compiled;
        }
        children++;
    }
    if (result != JSON_DONE) {
        return FILTER_ERROR_JSON;
    }
    end_node(compiler, len_at);
    const bool is_right = opcode == FILTER_NOT ? children == 1 : children > 0;
    return is_right ? FILTER_OK : FILTER_ERROR_CHILDREN;
}

static enum filter_result compile_node(struct compiler *compiler, struct span json, uint32_t depth)
{
    static const char *const groups[] = {"and", "or", "not"};
    if (depth == FILTER_DEPTH_MAX) {
        return FILTER_ERROR_DEPTH;
    }
    if (compiler->nodes++ == FILTER_NODES_MAX) {
        return FILTER_ERROR_NODES;
    }
    struct node node;
    const enum filter_result result = read_node(json, &node);
    if (result != FILTER_OK) {
        return result;
    }
    if (node.op.len == 0) {
        return compile_leaf(compiler, &node);
    }
    const size_t group = find_name(node.op, groups, 3);
    if (group == 3) {
        return FILTER_ERROR_OP;
    }
    return compile_group(compiler, (enum filter_opcode)(FILTER_AND + group), &node, depth);
}

enum filter_result filter_compile(struct span json, struct scratch *scratch, struct filter *out)
{
    struct compiler compiler = {.out = writer_of(scratch->at, scratch_room(scratch))};
    const enum filter_result result = compile_node(&compiler, json, 0);
    if (result != FILTER_OK) {
        return result;
    }
    if (writer_is_overflown(&compiler.out)) {
        return FILTER_ERROR_SPACE;
    }
    out->program = scratch_take(scratch, writer_written_len(&compiler.out));
    return FILTER_OK;
}
