/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the table of counters that is about wildcard channels: rows as counters.h has them.
 */
#ifndef ROOST_SHARDS_COUNTERS_WILDCARDS_H
#define ROOST_SHARDS_COUNTERS_WILDCARDS_H

#define COUNTER_TABLE_WILDCARDS(X) \
    X(WILDCARD_TARGETS, "wildcard_channels_passed_on_to", "", GAUGE, \
      "Wildcard channels that something is on its way to.") \
    X(WILDCARD_PASSED_ON, "wildcard_publications_passed_on", "", COUNTER, \
      "Publications sent to a wildcard channel, one for each.") \
    X(WILDCARD_LOST, "wildcard_publications_lost", "", COUNTER, \
      "Publications that could not be passed on to one: its subscribers are told.") \
    X(WILDCARD_TOLD, "wildcard_channels_begun_anew", "", COUNTER, \
      "Wildcard channels whose subscribers were told that they may have missed something.")

#endif
