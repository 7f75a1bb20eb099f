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

/* Bodies with one buf have it first. */
#define ASSERT_FIRST(body, member) \
    static_assert(offsetof(struct message_##body, member) == 0, #body " begins with its buf")
ASSERT_FIRST(publication, frames);
ASSERT_FIRST(presence_ask, channel);
ASSERT_FIRST(history_ask, channel);
ASSERT_FIRST(user_add, user);
ASSERT_FIRST(user_remove, user);
ASSERT_FIRST(user_set, user);
ASSERT_FIRST(user_take, user);
ASSERT_FIRST(user_command, command);
ASSERT_FIRST(session_command, command);
ASSERT_FIRST(survey, pattern);
ASSERT_FIRST(survey_result, result);
ASSERT_FIRST(emulate, frame);
ASSERT_FIRST(slots_ready, slots);
ASSERT_FIRST(users_wanted, slots);
ASSERT_FIRST(placement, placement);
ASSERT_FIRST(nodes, nodes);

static struct buf *only_buf_of(const struct message *message)
{
    struct buf *buf;
    memcpy(&buf, message->body, sizeof(buf));
    return buf;
}

static void release_pass_on(struct message_pass_on body)
{
    buf_release(body.pass);
    buf_release(body.request);
    buf_release(body.identity);
}

void message_release(const struct message *message)
{
    switch ((enum message_type)message->type) {
    case MESSAGE_SUBSCRIBE:
        buf_release(message_as_subscribe(message).channel);
        buf_release(message_as_subscribe(message).identity);
        break;
    case MESSAGE_UNSUBSCRIBE:
        buf_release(message_as_unsubscribe(message).channel);
        buf_release(message_as_unsubscribe(message).identity);
        break;
    case MESSAGE_PUBLISH:
        buf_release(message_as_publish(message).request);
        buf_release(message_as_publish(message).identity);
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
    case MESSAGE_MAP_ASK:
        buf_release(message_as_map_ask(message).channel);
        buf_release(message_as_map_ask(message).cursor);
        break;
    case MESSAGE_MAP_PAGE:
        stream_page_release(message_as_map_page(message).page);
        break;
    case MESSAGE_CHANNEL_MOVE:
        channel_move_release(message_as_channel_move(message).move);
        break;
    case MESSAGE_PUBLICATION:
    case MESSAGE_PRESENCE_ASK:
    case MESSAGE_HISTORY_ASK:
    case MESSAGE_USER_ADD:
    case MESSAGE_USER_REMOVE:
    case MESSAGE_USER_SET:
    case MESSAGE_USER_TAKE:
    case MESSAGE_USER_COMMAND:
    case MESSAGE_SESSION_COMMAND:
    case MESSAGE_SURVEY:
    case MESSAGE_SURVEY_RESULT:
    case MESSAGE_EMULATE:
    case MESSAGE_SLOTS_READY:
    case MESSAGE_USERS_WANTED:
    case MESSAGE_PLACEMENT:
    case MESSAGE_NODES:
        buf_release(only_buf_of(message));
        break;
    case MESSAGE_PUBLISHED:
    case MESSAGE_USER_ADDED:
    case MESSAGE_USER_TAKEN:
    case MESSAGE_EMULATED:
    case MESSAGE_NODES_ASK:
    case MESSAGE_MOVED:
    case MESSAGE_PASSED_ON:
    case MESSAGE_CHANNEL_TAKEN:
    case MESSAGE_SLOTS_SETTLED:
    case MESSAGE_ORIGIN_GONE:
    case MESSAGE_TYPE_NONE:
    case MESSAGE_TYPES_LEN:
        break;
    }
}
