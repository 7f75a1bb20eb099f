/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file as a tree with the place of every value: YAML (and so JSON) without what can
 * hurt.
 *
 * Refused: anchors, aliases and tags (a small file could stand for a huge one), a second document,
 * the same key twice in one mapping, keys that are no scalars, bytes that are no text, and more
 * than the limits below.
 */
#ifndef ROOST_OPS_CONFIG_CONFIG_YAML_H
#define ROOST_OPS_CONFIG_CONFIG_YAML_H

#include "ops/config/config_report.h"
#include "ops/config/config_value.h"

enum {
    CONFIG_YAML_DEPTH_MAX = 16,
    CONFIG_YAML_NODES_MAX = 32 * 1024,
    CONFIG_YAML_MEMBERS_MAX = 1024, /* Of one mapping. */
};

enum config_node_kind {
    CONFIG_NODE_SCALAR,
    CONFIG_NODE_SEQUENCE,
    CONFIG_NODE_MAPPING,
};

struct config_node {
    enum config_node_kind kind;
    struct config_origin origin;
    const char *text; /* Of a scalar; never NULL, holds no NUL. */
    bool is_null;     /* A plain scalar that is empty, `~` or `null`. */
    /* Of a member of a mapping: its key, and where that stands. */
    const char *key;
    struct config_origin key_origin;
    struct config_node *first; /* Members, in the order of the file. */
    struct config_node *next;
    uint32_t members;
};

/* The tree, allocated from `texts`; NULL when the bytes are no such file (reported) or hold nothing
 * (not reported). */
struct config_node *config_yaml_parse(const char *name, const char *bytes, size_t len,
                                      struct config_texts *texts, struct config_report *report);

/* "a mapping", "a list", or the text in quotes. Returns out. */
const char *config_node_describe(const struct config_node *node,
                                 char out[4 * CONFIG_REPORT_FOUND_MAX]);

/* A member of a section; NULL: it has none of that name, or is none. */
const struct config_node *config_node_member(const struct config_node *node, const char *key);

/* That member as a number (0: none, or none that is a small number), and as a text ("": none). */
uint32_t config_node_number(const struct config_node *node, const char *key);
const char *config_node_text(const struct config_node *node, const char *key);

#endif
