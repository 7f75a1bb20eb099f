/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue's names and classes, and what a message carries. */
#include "shards/messages.h"

#include "shards/payloads.h"

const char *message_type_name(enum message_type type)
{
    static const char *const names[MESSAGE_TYPES_LEN] = {[MESSAGE_TYPE_NONE] = "none",
#define MESSAGE_NAME(name, body, from, to, class) [MESSAGE_##name] = #body,
                                                         MESSAGE_TABLE(MESSAGE_NAME)
#undef MESSAGE_NAME
    };
    return (unsigned)type < MESSAGE_TYPES_LEN ? names[type] : "unknown";
}

enum message_class message_class_of(enum message_type type)
{
    switch (type) {
#define MESSAGE_CLASS(name, body, from, to, class) \
    case MESSAGE_##name: \
        return class;
        MESSAGE_TABLE(MESSAGE_CLASS)
#undef MESSAGE_CLASS
    case MESSAGE_TYPE_NONE:
    case MESSAGE_TYPES_LEN:
        break;
    }
    return MESSAGE_REQUEST;
}

void message_mark_detour(struct message *message)
{
    if (message->type == MESSAGE_SUBSCRIBE) {
        struct message_subscribe body = message_as_subscribe(message);
        body.flags |= FLAGS_DETOUR;
        memcpy(message->body, &body, sizeof(body));
    } else if (message->type == MESSAGE_UNSUBSCRIBE) {
        struct message_unsubscribe body = message_as_unsubscribe(message);
        body.flags |= FLAGS_DETOUR;
        memcpy(message->body, &body, sizeof(body));
    }
}

bool survey_is_of_wildcards(const struct message *message)
{
    const uint32_t op = message->type == MESSAGE_SURVEY ? message_as_survey(message).op
                                                        : message_as_survey_result(message).op;
    return op == SURVEY_WILDCARDS_HEARD || op == SURVEY_WILDCARDS_MISSED;
}

/* X(name, body, member): messages with one buf, which their body begins with. */
#define MESSAGES_WITH_ONE_BUF(X) \
    X(PUBLICATION, publication, frames) \
    X(PRESENCE_ASK, presence_ask, channel) \
    X(HISTORY_ASK, history_ask, channel) \
    X(USER_ADD, user_add, user) \
    X(USER_REMOVE, user_remove, user) \
    X(USER_SET, user_set, user) \
    X(USER_TAKE, user_take, user) \
    X(USER_COMMAND, user_command, command) \
    X(SESSION_COMMAND, session_command, command) \
    X(SURVEY_RESULT, survey_result, result) \
    X(EMULATE, emulate, frame) \
    X(SLOTS_READY, slots_ready, slots) \
    X(SLOTS_MISSED, slots_missed, slots) \
    X(SLOTS_NOTED, slots_noted, slots) \
    X(USERS_WANTED, users_wanted, slots) \
    X(REVOKE, revoke, entries) \
    X(REVOCATIONS, revocations, entries) \
    X(PLACEMENT, placement, placement) \
    X(NODES, nodes, nodes)

#define ASSERT_FIRST(name, body, member) \
    static_assert(offsetof(struct message_##body, member) == 0, #body " begins with its buf");
MESSAGES_WITH_ONE_BUF(ASSERT_FIRST)
#undef ASSERT_FIRST

static void release_only_buf(const struct message *message)
{
#define HAS_ONE_BUF(name, body, member) [MESSAGE_##name] = true,
    static const bool has_one[MESSAGE_TYPES_LEN] = {MESSAGES_WITH_ONE_BUF(HAS_ONE_BUF)};
#undef HAS_ONE_BUF
    struct buf *buf;
    if (message->type < MESSAGE_TYPES_LEN && has_one[message->type]) {
        memcpy(&buf, message->body, sizeof(buf));
        buf_release(buf);
    }
}

static void release_pass_on(struct message_pass_on body)
{
    buf_release(body.pass);
    buf_release(body.request);
    buf_release(body.identity);
}

/* X(name, body, member, member): messages with two bufs, which their body begins with. */
#define MESSAGES_WITH_TWO_BUFS(X) \
    X(SUBSCRIBE, subscribe, channel, identity) \
    X(UNSUBSCRIBE, unsubscribe, channel, identity) \
    X(PUBLISH, publish, request, identity) \
    X(MAP_ASK, map_ask, channel, cursor) \
    X(SURVEY, survey, pattern, request) \
    X(POLL_TRACK, poll_track, channel, keys) \
    X(POLL_UNTRACK, poll_untrack, channel, keys) \
    X(POLL_UPDATE, poll_update, channel, item) \
    X(POLL_EPOCH, poll_epoch, channel, epoch)

#define ASSERT_BOTH(name, body, one, other) \
    static_assert(offsetof(struct message_##body, one) == 0 && \
                      offsetof(struct message_##body, other) == sizeof(struct buf *), \
                  #body " begins with its bufs");
MESSAGES_WITH_TWO_BUFS(ASSERT_BOTH)
#undef ASSERT_BOTH

static void release_both(const struct message *message)
{
    struct buf *bufs[2];
    memcpy(bufs, message->body, sizeof(bufs));
    buf_release(bufs[0]);
    buf_release(bufs[1]);
}

void message_release(const struct message *message)
{
    switch ((enum message_type)message->type) {
#define HAS_TWO_BUFS(name, body, one, other) case MESSAGE_##name:
        MESSAGES_WITH_TWO_BUFS(HAS_TWO_BUFS)
#undef HAS_TWO_BUFS
        release_both(message);
        break;
    case MESSAGE_PASS_ON:
        release_pass_on(message_as_pass_on(message));
        break;
    case MESSAGE_PRESENCE:
        presence_snapshot_release(message_as_presence(message).snapshot);
        break;
    case MESSAGE_SUBSCRIBED:
        stream_page_release(message_as_subscribed(message).page);
        break;
    case MESSAGE_HISTORY:
        stream_page_release(message_as_history(message).page);
        break;
    case MESSAGE_MAP_PAGE:
        stream_page_release(message_as_map_page(message).page);
        break;
    case MESSAGE_CHANNEL_MOVE:
        channel_move_release(message_as_channel_move(message).move);
        break;
    default:
        release_only_buf(message);
        break;
    }
}
