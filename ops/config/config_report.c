/* SPDX-License-Identifier: Apache-2.0 */
/* Collects an operator's errors and notes as lines, with the place that each is about. */
#include "ops/config/config_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    REPORT_LINE_MAX = 768,
    PLACE_MAX = 320,
};

void config_report_init(struct config_report *report)
{
    report->errors = 0;
    report->notes = 0;
    report->len = 0;
    report->text[0] = '\0';
}

const char *config_origin_format(const struct config_origin *origin, char *out, size_t out_size)
{
    switch (origin->source) {
    case CONFIG_FROM_DEFAULT:
        snprintf(out, out_size, "default");
        break;
    case CONFIG_FROM_DEV:
        snprintf(out, out_size, "--dev");
        break;
    case CONFIG_FROM_FILE:
        if (origin->line == 0) {
            snprintf(out, out_size, "%s", origin->name);
        } else {
            snprintf(out, out_size, "%s:%u:%u", origin->name, origin->line, origin->column);
        }
        break;
    case CONFIG_FROM_ENVIRONMENT:
        snprintf(out, out_size, "environment %s", origin->name);
        break;
    case CONFIG_FROM_FLAG:
        snprintf(out, out_size, "flag %s", origin->name);
        break;
    case CONFIG_FROM_MACHINE:
        snprintf(out, out_size, "this machine");
        break;
    }
    return out;
}

static void add_line(struct config_report *report, const struct config_origin *origin,
                     const char *kind, const char *message)
{
    char place[PLACE_MAX];
    char line[PLACE_MAX + REPORT_LINE_MAX + 16];

    /* A value that nobody set is still wrong together with one that somebody did set. */
    if (origin == NULL || origin->source == CONFIG_FROM_DEFAULT) {
        snprintf(line, sizeof(line), "%s%s\n", kind, message);
    } else {
        snprintf(line, sizeof(line), "%s: %s%s\n",
                 config_origin_format(origin, place, sizeof(place)), kind, message);
    }
    size_t len = strlen(line);

    if (report->len + len >= sizeof(report->text)) {
        return;
    }
    memcpy(report->text + report->len, line, len + 1);
    report->len += len;
}

void config_report_error(struct config_report *report, const struct config_origin *origin,
                         const char *format, ...)
{
    char message[REPORT_LINE_MAX];
    va_list arguments;

    report->errors++;
    if (report->errors > CONFIG_REPORT_ERRORS_SHOWN) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    add_line(report, origin, "", message);
}

void config_report_note(struct config_report *report, const struct config_origin *origin,
                        const char *format, ...)
{
    char message[REPORT_LINE_MAX];
    va_list arguments;

    report->notes++;
    if (report->notes > CONFIG_REPORT_ERRORS_SHOWN) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    add_line(report, origin, "note: ", message);
}

const char *config_report_quote(const char *text, size_t len, char out[4 * CONFIG_REPORT_FOUND_MAX])
{
    size_t used = 0;
    size_t shown = len < CONFIG_REPORT_FOUND_MAX - 4 ? len : CONFIG_REPORT_FOUND_MAX - 4;

    out[used++] = '"';
    for (size_t i = 0; i < shown; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte < 0x20 || byte == 0x7f) {
            used += (size_t)snprintf(out + used, 5, "\\x%02x", byte);
        } else {
            out[used++] = (char)byte;
        }
    }
    out[used++] = '"';
    if (shown < len) {
        memcpy(out + used, "...", 3);
        used += 3;
    }
    out[used] = '\0';
    return out;
}
