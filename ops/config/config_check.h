/* SPDX-License-Identifier: Apache-2.0 */
/* How the values of a configuration must go together. */
#ifndef ROOST_OPS_CONFIG_CONFIG_CHECK_H
#define ROOST_OPS_CONFIG_CONFIG_CHECK_H

#include "ops/config/config.h"

/* Reports what each value alone cannot show: as errors what cannot work, as notes what is probably
 * not meant. */
void config_check(struct config *config, struct config_report *report);

/* Has the namespace shared polls, and a backend to be asked for them? Without one config_check
 * reports it. */
bool config_asks_shared_poll(const struct config *config, const struct channel_options *options);

#endif
