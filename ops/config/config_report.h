/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a configuration: lines for the operator, several of one run, never more than
 * fit. */
#ifndef ROOST_OPS_CONFIG_CONFIG_REPORT_H
#define ROOST_OPS_CONFIG_CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONFIG_REPORT_SIZE = 16 * 1024,
    /* Further errors are only counted: one wrong indentation should not bury the line that has it.
     */
    CONFIG_REPORT_ERRORS_SHOWN = 40,
    /* Of a value that is shown back. */
    CONFIG_REPORT_FOUND_MAX = 60,
};

enum config_source {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_DEV,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_FLAG,
    CONFIG_FROM_MACHINE, /* Derived from the machine: its cores, its name. */
};

/* Where a value came from. `name` is the file, the variable or the flag, and outlives the
 * configuration. */
struct config_origin {
    enum config_source source;
    uint32_t line;
    uint32_t column;
    const char *name;
};

struct config_report {
    size_t errors;
    size_t notes;
    size_t len;
    char text[CONFIG_REPORT_SIZE]; /* Complete lines, NUL-terminated. */
};

void config_report_init(struct config_report *report);

/* "file:line:column: message", "environment NAME: message", "flag --name: message". */
void config_report_error(struct config_report *report, const struct config_origin *origin,
                         const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for what is worth knowing but does not prevent the start. */
void config_report_note(struct config_report *report, const struct config_origin *origin,
                        const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "default", "--dev", "roost.yaml:3:5", "environment ROOST_X", "flag --port", "this machine".
 * Returns out. */
const char *config_origin_format(const struct config_origin *origin, char *out, size_t out_size);

/* A value as an error may show it: quoted, escaped, cut. Returns out. */
const char *config_report_quote(const char *text, size_t len,
                                char out[4 * CONFIG_REPORT_FOUND_MAX]);

#endif
