/* SPDX-License-Identifier: Apache-2.0 */
/* What a node does for clients and by itself, as metrics tell it. */
#ifndef ROOST_SHARDS_ACTIONS_H
#define ROOST_SHARDS_ACTIONS_H

/* X(id, name): the names are Centrifugo's. */
#define ACTION_TABLE(X) \
    X(ADD_CLIENT, "add_client") \
    X(REMOVE_CLIENT, "remove_client") \
    X(ADD_SUBSCRIPTION, "add_subscription") \
    X(REMOVE_SUBSCRIPTION, "remove_subscription") \
    X(BROKER_SUBSCRIBE, "broker_subscribe") \
    X(BROKER_UNSUBSCRIBE, "broker_unsubscribe") \
    X(ADD_PRESENCE, "add_presence") \
    X(REMOVE_PRESENCE, "remove_presence") \
    X(PRESENCE, "presence") \
    X(PRESENCE_STATS, "presence_stats") \
    X(HISTORY, "history") \
    X(HISTORY_RECOVER, "history_recover") \
    X(HISTORY_RECOVER_CACHE, "history_recover_cache") \
    X(HISTORY_STREAM_TOP, "history_stream_top") \
    X(HISTORY_REMOVE, "history_remove") \
    X(SURVEY, "survey")

enum action {
#define ACTION_ID(id, name) ACTION_##id,
    ACTION_TABLE(ACTION_ID)
#undef ACTION_ID
        ACTIONS
};

#endif
