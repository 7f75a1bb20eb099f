/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled expressions in memory of their own. */
#ifndef ROOST_SHARDS_PATTERNS_H
#define ROOST_SHARDS_PATTERNS_H

#include "codec/pattern.h"
#include "runtime/check.h"

/* As pattern_compile; false too when memory is out. */
MUST_CHECK bool patterns_make(struct span text, struct pattern *out);

/* Of one that is not set nothing happens. */
void patterns_free(struct pattern *pattern);

#endif
