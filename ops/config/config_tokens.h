/* SPDX-License-Identifier: Apache-2.0 */
/* What tokens are checked against must be usable before a node starts. */
#ifndef ROOST_OPS_CONFIG_CONFIG_TOKENS_H
#define ROOST_OPS_CONFIG_CONFIG_TOKENS_H

#include "ops/config/config.h"

/* Reports keys and expressions of client.token and client.subscription_token that are wrong, or
 * that exclude each other. */
void config_check_tokens(struct config *config, struct config_report *report);

#endif
