/* SPDX-License-Identifier: Apache-2.0 */
/* Channel names and what a client may do with them: namespaces, well-formedness, permissions. Pure.
 */
#ifndef ROOST_SHARDS_EDGE_SESSION_PERMISSIONS_H
#define ROOST_SHARDS_EDGE_SESSION_PERMISSIONS_H

#include "codec/client.h"
#include "shards/options.h"

/* A channel's options, those of wildcards for such a name; or NULL: its namespace is not
 * configured, or it is a wildcard of a depth at which nothing is passed on (error 102). */
const struct channel_options *permissions_find_channel(const struct node_options *options,
                                                       struct span channel);

/* Length and characters (error 107 otherwise) of a name, whoever says it: UTF-8 where the namespace
 * says by an expression what it may be, ASCII elsewhere. */
bool permissions_is_channel_name(const struct node_options *options,
                                 const struct channel_options *channel_options,
                                 struct span channel);

/* The same where a client says it: that expression has to match what is behind the namespace. */
bool permissions_is_clients_channel_name(const struct node_options *options,
                                         const struct channel_options *channel_options,
                                         struct span channel);

/* A name that may only be subscribed to with a token. */
bool permissions_is_private(const struct node_options *options, struct span channel);

/* Why a client is subscribed, with Centrifugo's numbers, as the server API tells them. */
enum subscription_source {
    SUBSCRIPTION_BY_NOTHING,
    SUBSCRIPTION_BY_CONNECTION_TOKEN,
    SUBSCRIPTION_BY_CONNECT_PROXY,
    SUBSCRIPTION_BY_TOKEN,
    SUBSCRIPTION_BY_PROXY,
    SUBSCRIPTION_BY_USER_LIST,  /* In the channel's name. */
    SUBSCRIPTION_BY_PERMISSION, /* allow_subscribe_for_client, or that for wildcards. */
    SUBSCRIPTION_BY_INSECURE,
    SUBSCRIPTION_BY_CONNECT, /* It had asked for it in its connect command. */
    SUBSCRIPTION_AS_PERSONAL,
    SUBSCRIPTION_BY_API,
};

/* Who asks. */
struct permissions_client {
    struct span user; /* Empty: anonymous. */
    bool is_subscribed;
};

/* A backend decides who may subscribe to it, instead of what follows. */
bool permissions_asks_subscribe_proxy(const struct node_options *options,
                                      const struct channel_options *channel_options,
                                      struct span channel);

/* SUBSCRIPTION_BY_NOTHING: it may not. */
enum subscription_source permissions_may_subscribe(const struct node_options *options,
                                                   const struct channel_options *channel_options,
                                                   struct span channel,
                                                   struct permissions_client client);
bool permissions_may_publish(const struct node_options *options,
                             const struct channel_options *channel_options,
                             struct permissions_client client);
/* Sets keys of a map, or removes them. */
bool permissions_may_change_key(const struct node_options *options,
                                const struct channel_options *channel_options, bool removes,
                                struct permissions_client client);
bool permissions_may_see_presence(const struct node_options *options,
                                  const struct channel_options *channel_options,
                                  struct permissions_client client);
bool permissions_may_see_history(const struct node_options *options,
                                 const struct channel_options *channel_options,
                                 struct permissions_client client);

/* Is the payload what publication_data_format asks for (error 107 otherwise)? */
bool permissions_is_data(const struct channel_options *channel_options, struct span data);

/* Shell patterns: `*` (not over `.`-less limits: any bytes), `**`, `?`, `[abc]`, `[!a-z]`, `{a,b}`;
 * linear in practice, bounded always. */
bool permissions_glob_matches(struct span pattern, struct span text);

#endif
