/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the options of map channels. */
#ifndef ROOST_OPS_CONFIG_CONFIG_MAPS_H
#define ROOST_OPS_CONFIG_CONFIG_MAPS_H

#include "ops/config/config.h"

/* Reports what is at odds in the maps of each namespace. */
void config_check_maps(struct config *config, struct config_report *report);

/* The type and the map options of a namespace as a node goes by them, after the check. */
void config_derive_map(struct channel_options *options);

#endif
