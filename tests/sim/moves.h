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

/* A node is stopped in order and dies at once, so that some of what it accepted is lost: whoever
 * goes on as if nothing had been has all of it. */
bool moves_tell_death(uint64_t seed);

#endif
