/* SPDX-License-Identifier: Apache-2.0 */
/* What names channels may have, from channel_regex of their namespaces. */
#ifndef ROOST_OPS_CONFIG_CONFIG_CHANNEL_NAMES_H
#define ROOST_OPS_CONFIG_CONFIG_CHANNEL_NAMES_H

#include "ops/config/config.h"

/* After all readers, before the namespaces are copied into the options. What is wrong is reported.
 */
void config_derive_channel_names(struct config *config, struct config_report *report);

/* Gives back what that has made. */
void config_free_channel_names(struct config *config);

#endif
