/* SPDX-License-Identifier: Apache-2.0 */
/* Planned moves of homes under steady publishing. */
#ifndef ROOST_TESTS_SIM_MOVES_H
#define ROOST_TESTS_SIM_MOVES_H

#include <stdbool.h>
#include <stdint.h>

/* Nodes come, two at nearly the same time, and are stopped in order, while nothing fails: nobody is
 * told that anything was lost, no subscription ends, and every subscriber gets every publication
 * that was accepted, once, in one order. Prints how it went. */
bool moves_tell(uint64_t seed);

#endif
