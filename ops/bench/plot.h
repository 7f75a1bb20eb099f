/* SPDX-License-Identifier: Apache-2.0 */
/* Draws results as one HTML page that needs nothing else. */
#ifndef ROOST_OPS_BENCH_PLOT_H
#define ROOST_OPS_BENCH_PLOT_H

/* `plot RESULT.json... --html FILE`; the exit code. */
int plot_run(int argc, char **argv);

#endif
