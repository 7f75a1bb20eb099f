/* SPDX-License-Identifier: Apache-2.0 */
/* Which names of applications metrics tell apart: those of the client libraries, and those that the
 * configuration lists (prometheus.additional_client_names). Clients write what they like, so that
 * any other is one label, `unregistered`.
 */
#ifndef ROOST_SHARDS_CLIENT_NAMES_H
#define ROOST_SHARDS_CLIENT_NAMES_H

#include <stdint.h>

#include "codec/span.h"

struct node_options;
struct writer;

/* Names: none, any other, those of libraries, those of the configuration. */
enum {
    CLIENT_NAME_NONE,
    CLIENT_NAME_OTHER,
    CLIENT_NAME_KNOWN,
    CLIENT_NAMES_KNOWN = 7,
    CLIENT_NAME_ADDITIONAL = CLIENT_NAME_KNOWN + CLIENT_NAMES_KNOWN,
    CLIENT_NAMES_ADDITIONAL_MAX = 32 - CLIENT_NAME_ADDITIONAL,
    CLIENT_NAMES = CLIENT_NAME_ADDITIONAL + CLIENT_NAMES_ADDITIONAL_MAX,
};

/* A label of clients: their name, and whether they have said a version. */
enum { CLIENT_LABELS = 2 * CLIENT_NAMES };

/* 0 for who has said nothing. */
uint32_t client_label_of(const struct node_options *options, struct span name, struct span version);

static inline uint32_t client_label_name(uint32_t label)
{
    return label / 2;
}

static inline bool client_label_has_version(uint32_t label)
{
    return label % 2 != 0;
}

/* Empty: there is no such name. */
struct span client_name_text(const struct node_options *options, uint32_t name);

#endif
