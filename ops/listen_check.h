/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an address can be listened on, before the shards try: they share the port, so that a
 * second node would not fail. */
#ifndef ROOST_OPS_LISTEN_CHECK_H
#define ROOST_OPS_LISTEN_CHECK_H

#include <stdbool.h>

#include "runtime/poller.h"

enum { LISTEN_PROBLEM_SIZE = 256 };

/* False: `problem` says why and what to do. `flag` is what chooses another port. */
bool listen_check(const struct socket_address *address, const char *flag,
                  char problem[LISTEN_PROBLEM_SIZE]);

#endif
