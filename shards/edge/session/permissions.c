/* SPDX-License-Identifier: Apache-2.0 */
/* Channel names and permissions: PROTOCOL 9.1 and 13 as pure functions over the options. */
#include "shards/edge/session/permissions.h"

#include "codec/json.h"
#include "codec/pattern.h"
#include "codec/utf8.h"
#include "shards/channel/wildcard.h"

static struct span without_private_prefix(const struct node_options *options, struct span channel)
{
    struct span prefix = span_of_text(options->channel_private_prefix);
    if (!span_is_empty(prefix) && span_starts_with(channel, prefix)) {
        return span_skip(channel, prefix.len);
    }
    return channel;
}

/* The index of `needle` in `text`, or text.len. */
static size_t index_of(struct span text, struct span needle)
{
    if (span_is_empty(needle)) {
        return text.len;
    }
    for (size_t i = 0; i + needle.len <= text.len; i++) {
        if (memcmp(text.at + i, needle.at, needle.len) == 0) {
            return i;
        }
    }
    return text.len;
}

/* False: it is in none. Otherwise *name is the namespace's, *rest what stands behind it. */
static bool split_channel(const struct node_options *options, struct span channel,
                          struct span *name, struct span *rest)
{
    const struct span boundary = span_of_text(options->channel_namespace_boundary);
    const struct span bare = without_private_prefix(options, channel);
    const size_t at = index_of(bare, boundary);
    if (at == bare.len) {
        return false;
    }
    *name = span_of(bare.at, at);
    *rest = span_skip(bare, at + boundary.len);
    return true;
}

/* Of the namespace, whatever the channel is in it. */
static const struct channel_options *find_namespace(const struct node_options *options,
                                                    struct span channel)
{
    struct span wanted;
    struct span rest;
    if (!split_channel(options, channel, &wanted, &rest)) {
        return &options->without_namespace;
    }
    for (size_t i = 0; i < options->namespaces_len; i++) {
        if (span_equal(wanted, span_of_text(options->namespaces[i].name))) {
            return &options->namespaces[i];
        }
    }
    return NULL;
}

const struct channel_options *permissions_find_channel(const struct node_options *options,
                                                       struct span channel)
{
    const struct channel_options *found = find_namespace(options, channel);
    if (found == NULL || found->wildcard == NULL || !wildcard_is_name(options, channel)) {
        return found;
    }
    return wildcard_depth_of(options, channel) < found->wildcard_max_depth ? found->wildcard : NULL;
}

bool permissions_is_channel_name(const struct node_options *options,
                                 const struct channel_options *channel_options, struct span channel)
{
    if (channel.len == 0 || channel.len > options->channel_max_length) {
        return false;
    }
    if (channel_options->channel_pattern != NULL) {
        return utf8_is_valid(channel);
    }
    for (size_t i = 0; i < channel.len; i++) {
        if (channel.at[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

bool permissions_is_clients_channel_name(const struct node_options *options,
                                         const struct channel_options *channel_options,
                                         struct span channel)
{
    struct span name;
    struct span rest = channel;
    if (!permissions_is_channel_name(options, channel_options, channel)) {
        return false;
    }
    if (channel_options->channel_pattern == NULL) {
        return true;
    }
    (void)split_channel(options, channel, &name, &rest);
    return pattern_matches(channel_options->channel_pattern, rest);
}

bool permissions_is_private(const struct node_options *options, struct span channel)
{
    const struct span prefix = span_of_text(options->channel_private_prefix);
    return !span_is_empty(prefix) && span_starts_with(channel, prefix);
}

/* Is the user in the list behind the user boundary: `ns:name#42,567`? */
static bool is_in_user_list(const struct node_options *options, struct span list, struct span user)
{
    const struct span separator = span_of_text(options->channel_user_separator);
    while (true) {
        const size_t end = index_of(list, separator);
        if (span_equal(span_of(list.at, end), user)) {
            return true;
        }
        if (end == list.len) {
            return false;
        }
        list = span_skip(list, end + separator.len);
    }
}

/* What is only for some users is no backend's affair. */
bool permissions_asks_subscribe_proxy(const struct node_options *options,
                                      const struct channel_options *channel_options,
                                      struct span channel)
{
    return channel_options->subscribe_proxy != NULL && !permissions_is_private(options, channel) &&
           !(channel_options->allow_user_limited_channels &&
             index_of(channel, span_of_text(options->channel_user_boundary)) < channel.len);
}

enum subscription_source permissions_may_subscribe(const struct node_options *options,
                                                   const struct channel_options *channel_options,
                                                   struct span channel,
                                                   struct permissions_client client)
{
    const enum subscription_source otherwise =
        options->client.insecure ? SUBSCRIPTION_BY_INSECURE : SUBSCRIPTION_BY_NOTHING;
    if (permissions_is_private(options, channel)) {
        return SUBSCRIPTION_BY_NOTHING;
    }
    const struct span boundary = span_of_text(options->channel_user_boundary);
    const size_t users_at = index_of(channel, boundary);
    if (users_at < channel.len && channel_options->allow_user_limited_channels) {
        const struct span users = span_skip(channel, users_at + boundary.len);
        return !span_is_empty(client.user) && is_in_user_list(options, users, client.user)
                   ? SUBSCRIPTION_BY_USER_LIST
                   : otherwise;
    }
    if (channel_options->allow_subscribe_for_client &&
        (!span_is_empty(client.user) || channel_options->allow_subscribe_for_anonymous)) {
        return SUBSCRIPTION_BY_PERMISSION;
    }
    return otherwise;
}

/* What publishing, presence and history ask: a client of a kind that is let in, and anonymous ones
 * only where they are named too. */
static bool is_let_in(bool for_client, bool for_subscriber, bool for_anonymous,
                      struct permissions_client client)
{
    return (for_client || (for_subscriber && client.is_subscribed)) &&
           (for_anonymous || !span_is_empty(client.user));
}

bool permissions_may_publish(const struct node_options *options,
                             const struct channel_options *channel_options,
                             struct permissions_client client)
{
    return options->client.insecure ||
           is_let_in(channel_options->allow_publish_for_client,
                     channel_options->allow_publish_for_subscriber,
                     channel_options->allow_publish_for_anonymous, client);
}

bool permissions_may_change_key(const struct node_options *options,
                                const struct channel_options *channel_options, bool removes,
                                struct permissions_client client)
{
    const struct map_options *map = &channel_options->map;
    return options->client.insecure ||
           (removes ? is_let_in(map->allow_remove_for_client, map->allow_remove_for_subscriber,
                                map->allow_remove_for_anonymous, client)
                    : is_let_in(map->allow_publish_for_client, map->allow_publish_for_subscriber,
                                map->allow_publish_for_anonymous, client));
}

bool permissions_may_see_presence(const struct node_options *options,
                                  const struct channel_options *channel_options,
                                  struct permissions_client client)
{
    return options->client.insecure ||
           is_let_in(channel_options->allow_presence_for_client,
                     channel_options->allow_presence_for_subscriber,
                     channel_options->allow_presence_for_anonymous, client);
}

bool permissions_may_see_history(const struct node_options *options,
                                 const struct channel_options *channel_options,
                                 struct permissions_client client)
{
    return options->client.insecure ||
           is_let_in(channel_options->allow_history_for_client,
                     channel_options->allow_history_for_subscriber,
                     channel_options->allow_history_for_anonymous, client);
}

bool permissions_is_data(const struct channel_options *channel_options, struct span data)
{
    struct json_value value;
    switch (channel_options->publication_data_format) {
    case PUBLICATION_DATA_BINARY:
        return true;
    case PUBLICATION_DATA_JSON:
        return json_check(data) == JSON_OK;
    case PUBLICATION_DATA_JSON_OBJECT:
        return json_parse(data, &value) == JSON_OK && value.type == JSON_OBJECT;
    case PUBLICATION_DATA_NOT_EMPTY:
        break;
    }
    return !span_is_empty(data);
}

/* ---- glob ---- */

/* Each comparison of a pattern's element costs one step, so that no pattern runs for long. */
struct glob {
    uint32_t steps_left;
};

static bool glob_here(struct glob *glob, struct span pattern, struct span text);

/* Does `byte` match the class that begins behind '['? *len is set to the class's length up to and
 * with ']'; 0: no class. */
static bool glob_class(struct span pattern, uint8_t byte, size_t *len)
{
    size_t at = 0;
    bool negated = false;
    bool matches = false;
    if (at < pattern.len && pattern.at[at] == '!') {
        negated = true;
        at++;
    }
    const size_t first = at;
    while (at < pattern.len && (pattern.at[at] != ']' || at == first)) {
        uint8_t low = pattern.at[at];
        uint8_t high = low;
        if (at + 2 < pattern.len && pattern.at[at + 1] == '-' && pattern.at[at + 2] != ']') {
            high = pattern.at[at + 2];
            at += 2;
        }
        matches = matches || (byte >= low && byte <= high);
        at++;
    }
    if (at >= pattern.len) {
        *len = 0;
        return false;
    }
    *len = at + 1;
    return matches != negated;
}

/* The alternatives behind '{': each in turn with what follows the '}'. */
static bool glob_alternatives(struct glob *glob, struct span pattern, struct span text)
{
    uint32_t depth = 1;
    size_t close = 0;
    while (close < pattern.len && depth > 0) {
        depth += pattern.at[close] == '{';
        depth -= pattern.at[close] == '}';
        close++;
    }
    if (depth > 0) {
        return false;
    }
    const struct span rest = span_skip(pattern, close);
    size_t start = 0;
    depth = 0;
    for (size_t at = 0; at < close; at++) {
        const uint8_t byte = pattern.at[at];
        depth += byte == '{';
        if (depth > 0) {
            depth -= byte == '}';
            continue;
        }
        if (byte != ',' && at != close - 1) {
            continue;
        }
        uint8_t joined[512];
        const size_t len = at - start;
        if (len + rest.len > sizeof(joined)) {
            return false;
        }
        memcpy(joined, pattern.at + start, len);
        if (rest.len > 0) {
            memcpy(joined + len, rest.at, rest.len);
        }
        if (glob_here(glob, span_of(joined, len + rest.len), text)) {
            return true;
        }
        start = at + 1;
    }
    return false;
}

static bool glob_star(struct glob *glob, struct span pattern, struct span text)
{
    while (!span_is_empty(pattern) && pattern.at[0] == '*') {
        pattern = span_skip(pattern, 1);
    }
    if (span_is_empty(pattern)) {
        return true;
    }
    for (size_t skip = 0; skip <= text.len; skip++) {
        if (glob_here(glob, pattern, span_skip(text, skip))) {
            return true;
        }
        if (glob->steps_left == 0) {
            return false;
        }
    }
    return false;
}

static bool glob_here(struct glob *glob, struct span pattern, struct span text)
{
    while (!span_is_empty(pattern)) {
        if (glob->steps_left == 0) {
            return false;
        }
        glob->steps_left--;
        uint8_t wanted = pattern.at[0];
        if (wanted == '*') {
            return glob_star(glob, pattern, text);
        }
        if (wanted == '{') {
            return glob_alternatives(glob, span_skip(pattern, 1), text);
        }
        if (span_is_empty(text)) {
            return false;
        }
        size_t taken = 1;
        if (wanted == '[') {
            size_t len;
            if (!glob_class(span_skip(pattern, 1), text.at[0], &len) || len == 0) {
                return false;
            }
            taken = len + 1;
        } else if (wanted == '\\' && pattern.len > 1) {
            wanted = pattern.at[1];
            taken = 2;
        }
        if (pattern.at[0] != '[' && pattern.at[0] != '?' && wanted != text.at[0]) {
            return false;
        }
        pattern = span_skip(pattern, taken);
        text = span_skip(text, 1);
    }
    return span_is_empty(text);
}

bool permissions_glob_matches(struct span pattern, struct span text)
{
    struct glob glob = {.steps_left = 100000};
    return glob_here(&glob, pattern, text);
}
