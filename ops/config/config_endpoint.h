/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the URL of a backend apart. */
#ifndef ROOST_OPS_CONFIG_CONFIG_ENDPOINT_H
#define ROOST_OPS_CONFIG_CONFIG_ENDPOINT_H

#include "ops/config/config_value.h"
#include "shards/options.h"

/* NULL: *out is it, without its TLS (*is_tls: it needs that). Otherwise what is wrong with it:
 * "found
 * ..., expected ..." */
MUST_CHECK const char *config_endpoint_parse(const char *url, struct config_texts *texts,
                                             struct endpoint_options *out, bool *is_tls);

#endif
