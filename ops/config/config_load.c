/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the sources of a configuration over each other. */
#include "ops/config/config_load.h"

void config_load(struct config *config, const struct arguments *arguments,
                 const char *const *environment, struct config_report *report)
{
    if (!config_init(config)) {
        config_report_error(report, NULL, "memory is out");
        return;
    }
    if (arguments->dev) {
        config_read_dev(config, report);
    }
    if (arguments->config_path != NULL) {
        config_read_file(config, arguments->config_path, report);
    }
    config_read_environment(config, environment, report);
    for (size_t i = 0; i < arguments->keys_len; i++) {
        config_read_flag(config, arguments->keys[i].flag, arguments->keys[i].key,
                         arguments->keys[i].value, report);
    }
    config_finish(config, report);
}
