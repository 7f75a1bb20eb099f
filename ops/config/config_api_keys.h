/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the server API beside http_api.key, each with what it may do. */
#ifndef ROOST_OPS_CONFIG_CONFIG_API_KEYS_H
#define ROOST_OPS_CONFIG_CONFIG_API_KEYS_H

#include "ops/config/config.h"

/* Of the list http_api.keys; what is wrong with it is reported. After all readers. */
void config_derive_api_keys(struct config *config, struct config_report *report);

#endif
