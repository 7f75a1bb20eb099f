/* SPDX-License-Identifier: Apache-2.0 */
/* What the keys of cluster.* come to: addresses, names, keys. */
#ifndef ROOST_OPS_CONFIG_CONFIG_CLUSTER_H
#define ROOST_OPS_CONFIG_CONFIG_CLUSTER_H

#include "ops/config/config.h"

/* Fills options.cluster and cluster_names; reports what cannot be, if the node is to be one of a
 * cluster. After options.listen and options.shards are known. */
void config_derive_cluster(struct config *config, struct config_report *report);

#endif
