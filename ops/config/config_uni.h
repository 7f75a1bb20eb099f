/* SPDX-License-Identifier: Apache-2.0 */
/* What unidirectional clients are disconnected with, by the error that others would be told. */
#ifndef ROOST_OPS_CONFIG_CONFIG_UNI_H
#define ROOST_OPS_CONFIG_CONFIG_UNI_H

#include "ops/config/config_report.h"

struct config;

/* Reads client.connect_code_to_unidirectional_disconnect.transforms, and those of
 * uni_{sse,http_stream}.connect_code_to_http_response, into the options. After all readers. */
void config_derive_uni(struct config *config, struct config_report *report);

#endif
