/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts names at their dots. */
#include "shards/channel/wildcard.h"

#include <string.h>

/* Where `needle` begins in `text` from `from` on, or text.len. */
static size_t find_from(struct span text, size_t from, struct span needle)
{
    while (needle.len > 0 && from + needle.len <= text.len) {
        const uint8_t *at = memchr(text.at + from, needle.at[0], text.len - needle.len - from + 1);
        if (at == NULL) {
            break;
        }
        from = (size_t)(at - text.at);
        if (memcmp(at, needle.at, needle.len) == 0) {
            return from;
        }
        from++;
    }
    return text.len;
}

/* Where the first segment begins: behind the private prefix and the namespace. */
static size_t rest_of(const struct node_options *options, struct span channel)
{
    const struct span prefix = span_of_text(options->channel_private_prefix);
    const struct span boundary = span_of_text(options->channel_namespace_boundary);
    const size_t from =
        !span_is_empty(prefix) && span_starts_with(channel, prefix) ? prefix.len : 0;
    const size_t at = find_from(channel, from, boundary);
    return at == channel.len ? from : at + boundary.len;
}

static bool names_users(const struct node_options *options, struct span channel)
{
    return find_from(channel, 0, span_of_text(options->channel_user_boundary)) < channel.len;
}

bool wildcard_is_name(const struct node_options *options, struct span channel)
{
    if (span_is_empty(channel) || channel.at[channel.len - 1] != '*') {
        return false; /* As nearly all are. */
    }
    const size_t rest = rest_of(options, channel);
    return channel.len > rest && (channel.len == rest + 1 || channel.at[channel.len - 2] == '.') &&
           !names_users(options, channel);
}

uint32_t wildcard_depth_of(const struct node_options *options, struct span wildcard)
{
    uint32_t depth = 0;
    for (size_t i = rest_of(options, wildcard); i < wildcard.len; i++) {
        depth += wildcard.at[i] == '.';
    }
    return depth;
}

void wildcard_walk_begin(struct wildcard_walk *walk, const struct node_options *options,
                         struct span channel, uint32_t max_depth)
{
    *walk = (struct wildcard_walk){.channel = channel, .at = channel.len, .left = max_depth};
    if (max_depth > 0 && !names_users(options, channel)) {
        walk->at = rest_of(options, channel);
    }
}

bool wildcard_next(struct wildcard_walk *walk, uint8_t *room, struct span *wildcard)
{
    const size_t at = walk->at;
    /* Something has to stand where the `*` does. */
    if (walk->left == 0 || at >= walk->channel.len) {
        return false;
    }
    memcpy(room, walk->channel.at, at);
    room[at] = '*';
    *wildcard = span_of(room, at + 1);
    walk->left--;
    const size_t dot = find_from(walk->channel, at, SPAN_LITERAL("."));
    walk->at = dot == walk->channel.len ? dot : dot + 1;
    return true;
}
