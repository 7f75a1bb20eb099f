/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls the server API, and what that key may do. */
#ifndef ROOST_SHARDS_EDGE_API_API_KEYS_H
#define ROOST_SHARDS_EDGE_API_API_KEYS_H

#include "codec/api.h"
#include "codec/http1.h"
#include "runtime/check.h"
#include "shards/options.h"

/* What http_api.key and `insecure` give: everything. Others are the index of one of
 * http_api.keys. */
enum { API_KEY_ALL = 0xffff };

/* False: the request has no key, or one that nobody has. */
MUST_CHECK bool api_keys_find(const struct http_api_options *options,
                              const struct http1_request *request, uint16_t *key);

/* May the key call the method? */
bool api_keys_allow_method(const struct http_api_options *options, uint16_t key,
                           enum api_method method);

/* May it name a channel with these options? */
bool api_keys_allow_channel(const struct http_api_options *options, uint16_t key,
                            const struct channel_options *channel_options);

/* Is all that the method does about channels that it names? A key that is limited to namespaces
 * may call no other. */
bool api_keys_is_of_channels(enum api_method method);

#endif
