/* SPDX-License-Identifier: Apache-2.0 */
/* Stories with an end that is known beforehand. */
#ifndef ROOST_TESTS_SIM_STORIES_H
#define ROOST_TESTS_SIM_STORIES_H

enum story_result { STORY_HOLDS, STORY_WRONG, STORY_UNKNOWN };

/* Tells the story of that name (join, crash, leave, partition, pause, moves), or (NULL) all of
 * them, and prints how each went. */
enum story_result stories_tell(const char *name);

#endif
