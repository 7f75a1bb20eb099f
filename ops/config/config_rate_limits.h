/* SPDX-License-Identifier: Apache-2.0 */
/* Reads client.rate_limit into rules and their buckets. */
#ifndef ROOST_OPS_CONFIG_CONFIG_RATE_LIMITS_H
#define ROOST_OPS_CONFIG_CONFIG_RATE_LIMITS_H

#include "ops/config/config.h"

/* client.rate_limit.{client_command, user_command, client_error}; what is wrong is reported. */
void config_derive_rate_limits(struct config *config, struct config_report *report);

#endif
