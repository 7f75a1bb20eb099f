/* SPDX-License-Identifier: Apache-2.0 */
/* Where a node listens, from what http_server.* says. */
#ifndef ROOST_OPS_CONFIG_CONFIG_LISTEN_H
#define ROOST_OPS_CONFIG_CONFIG_LISTEN_H

#include "ops/config/config.h"

/* Sets options.listen and options.listen_internal; what is wrong is reported. After all readers. */
void config_derive_listeners(struct config *config, struct config_report *report);

/* What is said of the address on which the server API is served. */
const char *config_api_address(const struct config *config);

#endif
