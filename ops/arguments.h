/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of roostd as values; flags that set configuration keys stay as texts until their
 * turn. */
#ifndef ROOST_OPS_ARGUMENTS_H
#define ROOST_OPS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "ops/config/config_report.h"

enum { ARGUMENTS_KEYS_MAX = 64 };

struct argument_key {
    const char *flag; /* As it was written: "--port". */
    const char *key;  /* "http_server.port" */
    const char *value;
};

struct arguments {
    const char *config_path; /* NULL: none. */
    bool check;
    bool dev;
    bool version;
    bool help;
    bool help_config;
    struct argument_key keys[ARGUMENTS_KEYS_MAX];
    size_t keys_len;
};

/* Points into argv, which must outlive the arguments; splits "--flag=value" there. Errors are
 * reported. */
void arguments_parse(int argc, char **argv, struct arguments *out, struct config_report *report);

/* What --help prints. */
extern const char arguments_usage[];

#endif
