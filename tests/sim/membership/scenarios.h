/* SPDX-License-Identifier: Apache-2.0 */
/* What the small network is put through, and what must hold. */
#ifndef ROOST_TESTS_SIM_MEMBERSHIP_SCENARIOS_H
#define ROOST_TESTS_SIM_MEMBERSHIP_SCENARIOS_H

#include <stdbool.h>
#include <stdint.h>

/* Each prints a line and returns whether all held. */

/* A small cluster under a mixture of faults drawn from the seed; it must converge once they stop.
 * *digest: the same for the same seed. */
bool scenario_swarm(uint64_t seed, uint64_t *digest);

/* `trials` times one node of many dies: how long until all others hold it for dead. */
bool scenario_detection(uint32_t nodes, uint32_t trials, uint64_t seed);

/* `trials` times nobody hears one node of five any more, and another one hears nobody: how long
 * until each of the two finds that it is alone. */
bool scenario_one_sided(uint32_t trials, uint64_t seed);

/* A tenth of 100 nodes starves for tens of seconds at a time. With Lifeguard no healthy node may be
 * held for dead by anybody; plain SWIM is run for comparison and judged by nothing. */
bool scenario_starved(uint32_t minutes, bool is_plain_swim, uint64_t seed);

/* From nothing to a cluster: how long, and what it then costs. */
bool scenario_scale(uint32_t nodes, uint64_t seed);

/* What sealing and opening one datagram takes, which the scenarios leave out. */
bool scenario_seal(void);

#endif
