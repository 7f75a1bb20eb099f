/* SPDX-License-Identifier: Apache-2.0 */
/* Loads configurations for tests: from a text, an environment and flags, without the machine's own.
 */
#ifndef ROOST_TESTS_UNIT_OPS_LOADING_H
#define ROOST_TESTS_UNIT_OPS_LOADING_H

#include "ops/config/config_load.h"

struct loaded {
    struct config config;
    struct config_report report;
};

/* What a test says of a configuration; NULL: nothing. Lists end with NULL. */
struct sources {
    bool dev;
    const char *file; /* The text; its name is "roost.yaml". */
    const char *const *environment;
    const char *const *flags; /* As on the command line. */
};

/* Freed by unload. */
struct loaded *load(const struct sources *sources);
struct loaded *load_text(const char *text);
void unload(struct loaded *loaded);

/* What `roostd --check` would print; freed by the caller. */
char *print_check(struct loaded *loaded);

/* Loads a text and expects exactly these lines of the report, in order. */
void expect_report(const char *text, const char *report);

#endif
