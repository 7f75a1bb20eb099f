/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a node believes to be its backends: the authorities and certificates of https endpoints. */
#ifndef ROOST_OPS_ENDPOINT_TLS_H
#define ROOST_OPS_ENDPOINT_TLS_H

#include "ops/config/config.h"
#include "ops/pem.h"

/* Sets the tls of each of options.endpoints that needs it. False: `problem` says whose, and why. */
MUST_CHECK bool endpoint_tls_load(struct config *config, char problem[PEM_PROBLEM_SIZE]);
/* After the node. */
void endpoint_tls_destroy(struct config *config);

#endif
