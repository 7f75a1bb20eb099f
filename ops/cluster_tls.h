/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of a cluster's links, from their files. */
#ifndef ROOST_OPS_CLUSTER_TLS_H
#define ROOST_OPS_CLUSTER_TLS_H

#include "ops/config/config.h"
#include "ops/pem.h"

/* Sets options.cluster.tls from the files of cluster.tls, if there are any; the caller destroys it
 * after the node. False: `problem` says which file, and why. */
MUST_CHECK bool cluster_tls_load(struct config *config, char problem[PEM_PROBLEM_SIZE]);

#endif
