/* SPDX-License-Identifier: Apache-2.0 */
/* The scopes of a configuration (the root, channels without a namespace, each namespace) and how a
 * key in one is set. */
#ifndef ROOST_OPS_CONFIG_CONFIG_SCOPE_H
#define ROOST_OPS_CONFIG_CONFIG_SCOPE_H

#include "ops/config/config.h"
#include "ops/config/config_yaml.h"

/* A set of keys that is read into one struct. */
struct config_scope {
    char path[CONFIG_PATH_MAX]; /* What stands before each key: "", "channel.without_namespace.". */
    const struct config_key *keys;
    size_t keys_len;
    const struct config_foreign *foreign;
    size_t foreign_len;
    void *values;
    struct config_origin *origins; /* One a key. */
    struct config_texts *texts;
};

struct config_scope config_scope_root(struct config *config);
struct config_scope config_scope_without_namespace(struct config *config);
struct config_scope config_scope_namespace(struct config *config,
                                           struct config_namespace *channel_namespace);

/* `path` is relative to the scope. NULL: the scope has no such key. */
const struct config_key *config_scope_find(const struct config_scope *scope, const char *path);
const struct config_foreign *config_scope_find_foreign(const struct config_scope *scope,
                                                       const char *path);
/* The same, or the section of Centrifugo that the path lies in. */
const struct config_foreign *config_scope_find_foreign_above(const struct config_scope *scope,
                                                             const char *path);
/* True when a key (ours or Centrifugo's) lies below the path. */
bool config_scope_has_section(const struct config_scope *scope, const char *path);

/* Where the value of a key of the root came from; the key exists. */
struct config_origin *config_origin_of(struct config *config, const char *path);

/* Sets a key from a text and remembers where it came from; a wrong value is reported. */
bool config_scope_set(const struct config_scope *scope, const struct config_key *key,
                      const char *text, const struct config_origin *origin,
                      struct config_report *report);
/* The same for a list. */
bool config_scope_set_list(const struct config_scope *scope, const struct config_key *key,
                           const struct config_list *items, const struct config_origin *origin,
                           struct config_report *report);

/* The same for what stands in a file, which is read later. */
void config_scope_set_tree(const struct config_scope *scope, const struct config_key *key,
                           const struct config_node *node);

/* Every key of the scope at its default. False: memory is out. */
MUST_CHECK bool config_scope_set_defaults(const struct config_scope *scope);
/* Reads a section of a file into the scope; what is wrong with it is reported. */
void config_read_section(struct config *config, const struct config_scope *scope,
                         const struct config_node *node, struct config_report *report);

/* Reports a key that nobody knows, with the nearest that somebody does. `path` is relative to the
 * scope. */
void config_scope_report_unknown(const struct config_scope *scope, const char *path,
                                 const struct config_origin *origin, struct config_report *report);

/* True when a scalar of a foreign key means "off": nothing, false, 0, or the key's own default. */
bool config_foreign_is_off(const char *initial, const char *text);
/* Refuses a foreign key by its full name. */
void config_foreign_refuse(const struct config_scope *scope, const char *path,
                           const struct config_origin *origin, struct config_report *report);
void config_foreign_ignore(const struct config_scope *scope, const char *path,
                           const struct config_origin *origin, struct config_report *report);

/* 2 or more letters, digits, '-', '_' or '.', as names of namespaces and of proxies are. */
bool config_is_name(const char *name);

/* A namespace by name, or NULL. */
struct config_namespace *config_find_namespace(const struct config *config, const char *name);
/* A new namespace with every option at its default. NULL: there are too many, or memory is out. */
struct config_namespace *config_add_namespace(struct config *config, const char *name,
                                              const struct config_origin *origin);
/* The same for a name that an operator wrote; what is wrong with it is reported. */
struct config_namespace *config_declare_namespace(struct config *config, const char *name,
                                                  const struct config_origin *origin,
                                                  struct config_report *report);

/* How many letters must change to make b of a (swaps of neighbours count once), at most `most` + 1.
 */
size_t config_distance(const char *a, const char *b, size_t most);

#endif
