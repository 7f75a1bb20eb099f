/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP statuses that mean an error or a disconnect: an entry of status_to_code_transforms. */
#ifndef ROOST_OPS_CONFIG_CONFIG_TRANSFORM_H
#define ROOST_OPS_CONFIG_CONFIG_TRANSFORM_H

#include "ops/config/config_yaml.h"
#include "shards/options.h"

/* What is wrong with the entry; NULL: nothing, and *out is what it says. */
const char *config_transform_read(const struct config_node *node, struct proxy_transform *out);

#endif
