/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files of any bytes: read or refused with words, and what is printed of them reads
 * back. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ops/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct config config;
    static struct config_report report;
    char *text = NULL;
    size_t text_len = 0;

    config_report_init(&report);
    if (!config_init(&config)) {
        abort();
    }
    config_read_bytes(&config, "fuzz.yaml", (const char *)bytes, len, &report);
    config_finish(&config, &report);
    if ((report.errors + report.notes > 0) != (report.len > 0)) {
        abort();
    }
    FILE *out = open_memstream(&text, &text_len);

    if (out == NULL) {
        abort();
    }
    config_print(&config, out);
    if (fclose(out) != 0 || text_len == 0) {
        abort();
    }
    free(text);
    /* What has no errors is what a node may be started with. */
    if (report.errors == 0) {
        const struct node_options *options = &config.options;

        if (options->shards == 0 || options->listen.port == 0 || options->name[0] == '\0' ||
            (options->client.ping_interval_ms > 0 &&
             options->client.pong_timeout_ms >= options->client.ping_interval_ms)) {
            abort();
        }
    }
    config_free(&config);
    return 0;
}
