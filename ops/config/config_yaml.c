/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the tree of a configuration file from libyaml's events, within limits. */
#include "ops/config/config_yaml.h"

#include <string.h>
#include <yaml.h>

struct builder {
    yaml_parser_t parser;
    const char *name;
    struct config_texts *texts;
    struct config_report *report;
    uint32_t nodes;
};

static struct config_origin origin_at(const struct builder *builder, yaml_mark_t mark)
{
    return (struct config_origin){.source = CONFIG_FROM_FILE,
                                  .line = (uint32_t)mark.line + 1,
                                  .column = (uint32_t)mark.column + 1,
                                  .name = builder->name};
}

static void report_parser_error(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    struct config_origin origin = origin_at(builder, parser->problem_mark);
    const char *problem = parser->problem != NULL ? parser->problem : "memory is out";

    if (parser->error == YAML_READER_ERROR) {
        /* The reader counts bytes only: what is wrong is the encoding. */
        origin = (struct config_origin){.source = CONFIG_FROM_FILE, .name = builder->name};
        config_report_error(builder->report, &origin, "byte %zu is no text: %s, expected UTF-8",
                            parser->problem_offset, problem);
        return;
    }
    config_report_error(builder->report, &origin, "this is no YAML or JSON: %s%s%s", problem,
                        parser->context != NULL ? ", " : "",
                        parser->context != NULL ? parser->context : "");
}

static bool next_event(struct builder *builder, yaml_event_t *event)
{
    if (!yaml_parser_parse(&builder->parser, event)) {
        report_parser_error(builder);
        return false;
    }
    return true;
}

static bool has_decoration(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL;
    default:
        return false;
    }
}

/* A node for an event that begins one; NULL when it is refused. */
static struct config_node *make_node(struct builder *builder, const yaml_event_t *event)
{
    struct config_origin origin = origin_at(builder, event->start_mark);

    if (has_decoration(event)) {
        config_report_error(builder->report, &origin,
                            "found an anchor, an alias or a tag, expected a plain value");
        return NULL;
    }
    if (builder->nodes++ == CONFIG_YAML_NODES_MAX) {
        config_report_error(builder->report, &origin, "found more than %d values in one file",
                            CONFIG_YAML_NODES_MAX);
        return NULL;
    }
    struct config_node *node = config_texts_allocate(builder->texts, sizeof(*node));

    if (node == NULL) {
        config_report_error(builder->report, &origin, "memory is out");
        return NULL;
    }
    node->origin = origin;
    node->text = "";
    return node;
}

static bool is_null_text(const char *text)
{
    return strcmp(text, "") == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

static bool fill_scalar(struct builder *builder, struct config_node *node,
                        const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    if (strlen(text) != event->data.scalar.length) {
        config_report_error(builder->report, &node->origin, "found a NUL byte in a text");
        return false;
    }
    node->kind = CONFIG_NODE_SCALAR;
    node->text = config_texts_keep(builder->texts, text, event->data.scalar.length);
    node->is_null = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_null_text(text);
    return node->text != NULL;
}

static struct config_node *build(struct builder *builder, const yaml_event_t *event,
                                 unsigned depth);

static void append(struct config_node *parent, struct config_node **last, struct config_node *node)
{
    if (*last == NULL) {
        parent->first = node;
    } else {
        (*last)->next = node;
    }
    *last = node;
    parent->members++;
}

/* Reads the next value; false at the end of the parent or at an error. `*node` is NULL only then.
 */
static bool build_next(struct builder *builder, yaml_event_type_t end, unsigned depth,
                       struct config_node **node, bool *is_end)
{
    yaml_event_t event;

    *node = NULL;
    *is_end = false;
    if (!next_event(builder, &event)) {
        return false;
    }
    if (event.type == end) {
        *is_end = true;
    } else {
        *node = build(builder, &event, depth);
    }
    yaml_event_delete(&event);
    return *node != NULL;
}

static bool fill_sequence(struct builder *builder, struct config_node *parent, unsigned depth)
{
    struct config_node *last = NULL;
    struct config_node *node;
    bool is_end;

    parent->kind = CONFIG_NODE_SEQUENCE;
    while (build_next(builder, YAML_SEQUENCE_END_EVENT, depth, &node, &is_end)) {
        append(parent, &last, node);
    }
    return is_end;
}

static bool check_key(struct builder *builder, const struct config_node *parent,
                      const struct config_node *key)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    if (key->kind != CONFIG_NODE_SCALAR || key->text[0] == '\0') {
        config_report_error(builder->report, &key->origin, "found %s, expected a key",
                            config_node_describe(key, found));
        return false;
    }
    if (parent->members == CONFIG_YAML_MEMBERS_MAX) {
        config_report_error(builder->report, &key->origin, "found more than %d keys in one section",
                            CONFIG_YAML_MEMBERS_MAX);
        return false;
    }
    for (const struct config_node *other = parent->first; other != NULL; other = other->next) {
        if (strcmp(other->key, key->text) == 0) {
            config_report_error(builder->report, &key->origin,
                                "found the key %s again, it stands in line %u already",
                                config_report_quote(key->text, strlen(key->text), found),
                                other->key_origin.line);
            return false;
        }
    }
    return true;
}

static bool fill_mapping(struct builder *builder, struct config_node *parent, unsigned depth)
{
    struct config_node *last = NULL;
    struct config_node *key;
    struct config_node *node;
    bool is_end;

    parent->kind = CONFIG_NODE_MAPPING;
    while (build_next(builder, YAML_MAPPING_END_EVENT, depth, &key, &is_end)) {
        /* A key that stands twice is reported, and the rest of the file is still looked at. */
        bool is_good = check_key(builder, parent, key);
        bool is_value_end;

        if (!build_next(builder, YAML_NO_EVENT, depth, &node, &is_value_end)) {
            return false;
        }
        if (is_good) {
            node->key = key->text;
            node->key_origin = key->origin;
            append(parent, &last, node);
        }
    }
    return is_end;
}

static struct config_node *build(struct builder *builder, const yaml_event_t *event, unsigned depth)
{
    struct config_node *node = make_node(builder, event);
    bool is_whole = false;

    if (node == NULL) {
        return NULL;
    }
    if (depth == CONFIG_YAML_DEPTH_MAX) {
        config_report_error(builder->report, &node->origin, "found more than %d levels of nesting",
                            CONFIG_YAML_DEPTH_MAX);
        return NULL;
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        is_whole = fill_scalar(builder, node, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        is_whole = fill_sequence(builder, node, depth + 1);
        break;
    case YAML_MAPPING_START_EVENT:
        is_whole = fill_mapping(builder, node, depth + 1);
        break;
    default:
        break;
    }
    return is_whole ? node : NULL;
}

/* The first document's tree and the proof that there is no second. */
static struct config_node *build_document(struct builder *builder)
{
    struct config_node *root = NULL;
    bool is_done = false;

    while (!is_done) {
        yaml_event_t event;

        if (!next_event(builder, &event)) {
            return NULL;
        }
        if (event.type == YAML_STREAM_END_EVENT) {
            is_done = true;
        } else if (event.type == YAML_DOCUMENT_START_EVENT && root != NULL) {
            struct config_origin origin = origin_at(builder, event.start_mark);

            config_report_error(builder->report, &origin,
                                "found a second document, expected one in a file");
            is_done = true;
        } else if (event.type != YAML_STREAM_START_EVENT &&
                   event.type != YAML_DOCUMENT_START_EVENT &&
                   event.type != YAML_DOCUMENT_END_EVENT) {
            root = build(builder, &event, 0);
            is_done = root == NULL;
        }
        yaml_event_delete(&event);
    }
    return root;
}

struct config_node *config_yaml_parse(const char *name, const char *bytes, size_t len,
                                      struct config_texts *texts, struct config_report *report)
{
    struct builder builder = {.name = name, .texts = texts, .report = report};
    struct config_node *root = NULL;

    if (!yaml_parser_initialize(&builder.parser)) {
        config_report_error(report, NULL, "memory is out");
        return NULL;
    }
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)bytes, len);
    root = build_document(&builder);
    yaml_parser_delete(&builder.parser);
    return root;
}

const char *config_node_describe(const struct config_node *node,
                                 char out[4 * CONFIG_REPORT_FOUND_MAX])
{
    switch (node->kind) {
    case CONFIG_NODE_SCALAR:
        if (node->is_null) {
            snprintf(out, 4 * CONFIG_REPORT_FOUND_MAX, "nothing");
            break;
        }
        return config_report_quote(node->text, strlen(node->text), out);
    case CONFIG_NODE_SEQUENCE:
        snprintf(out, 4 * CONFIG_REPORT_FOUND_MAX, "a list");
        break;
    case CONFIG_NODE_MAPPING:
        snprintf(out, 4 * CONFIG_REPORT_FOUND_MAX, "a section");
        break;
    }
    return out;
}

const struct config_node *config_node_member(const struct config_node *node, const char *key)
{
    const struct config_node *at = node->kind == CONFIG_NODE_MAPPING ? node->first : NULL;

    while (at != NULL && strcmp(at->key, key) != 0) {
        at = at->next;
    }
    return at;
}

uint32_t config_node_number(const struct config_node *node, const char *key)
{
    const struct config_node *member = config_node_member(node, key);
    uint32_t number = 0;

    if (member == NULL || member->kind != CONFIG_NODE_SCALAR || member->text[0] == '\0') {
        return 0;
    }
    for (const char *text = member->text; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || number > 100000) {
            return 0;
        }
        number = number * 10 + (uint32_t)(*text - '0');
    }
    return number;
}

const char *config_node_text(const struct config_node *node, const char *key)
{
    const struct config_node *member = config_node_member(node, key);

    return member == NULL || member->kind != CONFIG_NODE_SCALAR ? "" : member->text;
}
