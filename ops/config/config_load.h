/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a process: all its sources in their order. */
#ifndef ROOST_OPS_CONFIG_CONFIG_LOAD_H
#define ROOST_OPS_CONFIG_CONFIG_LOAD_H

#include "ops/arguments.h"
#include "ops/config/config.h"

/* Defaults, --dev, the file, the environment (NULL-terminated), the flags; then config_finish. Free
 * with config_free in any case. */
void config_load(struct config *config, const struct arguments *arguments,
                 const char *const *environment, struct config_report *report);

#endif
