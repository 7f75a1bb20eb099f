/* SPDX-License-Identifier: Apache-2.0 */
/* The types of configuration values: what each reads, what it refuses, and how it is written back.
 */
#ifndef ROOST_OPS_CONFIG_CONFIG_VALUE_H
#define ROOST_OPS_CONFIG_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/check.h"

enum config_type {
    CONFIG_BOOL,      /* bool: true, false, 1, 0 */
    CONFIG_NUMBER,    /* uint32_t, in [min, max] */
    CONFIG_UNIX_TIME, /* int64_t, seconds */
    CONFIG_DURATION,  /* uint64_t, ms: "300ms", "1h30m", "1.5s", "0", as Go writes them */
    CONFIG_SIZE,      /* uint32_t, bytes: 65536, "64KiB", "1MiB" */
    CONFIG_MEMORY,    /* uint64_t, bytes: as a size, for amounts that outgrow 4 GiB */
    CONFIG_STRING,    /* const char *, at most max bytes */
    CONFIG_CHOICE,    /* unsigned: the index of the text among `choices` */
    CONFIG_CHOICES,   /* unsigned: a list; a bit for each text of it, by its index in `choices` */
    CONFIG_LIST,      /* struct config_list, each item at most max bytes */
    CONFIG_TREE,      /* const struct config_node *: what stands in the file; NULL: nothing */
};

enum {
    CONFIG_LIST_MAX = 256,
    CONFIG_EXPECTED_SIZE = 256,
};

struct config_list {
    const char **items;
    size_t len;
};

/* One row of the table: a key, what it may hold, where it goes. */
struct config_key {
    const char *path; /* "client.ping_interval", or relative to its scope */
    enum config_type type;
    bool is_secret; /* Never printed, in no error either. */
    size_t offset;  /* Of the value in the scope's struct. */
    uint64_t min;
    uint64_t max;
    const char *const *choices; /* NULL-terminated. */
    const char *initial;        /* The default, in the form in which it is written. */
    const char *help;           /* One line. */
};

static inline bool config_is_list(const struct config_key *key)
{
    return key->type == CONFIG_LIST || key->type == CONFIG_CHOICES;
}

/* Owns what values point to. Freed as a whole. */
struct config_texts {
    struct config_text *first;
};

/* A copy that lives as long as the texts. NULL: memory is out. */
const char *config_texts_keep(struct config_texts *texts, const char *text, size_t len);
void *config_texts_allocate(struct config_texts *texts, size_t size);
void config_texts_free(struct config_texts *texts);

/* Reads a text as the key's type into values + key->offset; untouched when false. A list is read as
 * words between spaces. */
MUST_CHECK bool config_value_parse(const struct config_key *key, const char *text, size_t len,
                                   void *values, struct config_texts *texts);

/* A list from its items. */
MUST_CHECK bool config_value_set_list(const struct config_key *key, const char *const *items,
                                      size_t len, void *values, struct config_texts *texts);

/* What the key wants, for "expected ...". Returns out. */
const char *config_value_expected(const struct config_key *key, char out[CONFIG_EXPECTED_SIZE]);

/* The value as YAML that would be read back as the same; of a secret whether it is set. */
void config_value_print(const struct config_key *key, const void *values, FILE *out);

/* Milliseconds of a Go duration. False: no duration, a negative one, or one finer than a
 * millisecond. */
bool config_duration_parse(const char *text, size_t len, uint64_t *out_ms);

#endif
