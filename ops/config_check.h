/* SPDX-License-Identifier: Apache-2.0 */
/* How the values of a configuration must go together. */
#ifndef ROOST_OPS_CONFIG_CHECK_H
#define ROOST_OPS_CONFIG_CHECK_H

#include "ops/config.h"

/* Reports what each value alone cannot show: as errors what cannot work, as notes what is probably
 * not meant. */
void config_check(struct config *config, struct config_report *report);

#endif
