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
    case MESSAGE_PUBLICATION:
        buf_release(message_as_publication(message).frames);
        break;
    case MESSAGE_PRESENCE_ASK:
        buf_release(message_as_presence_ask(message).channel);
        break;
    case MESSAGE_PRESENCE:
        presence_snapshot_release(message_as_presence(message).snapshot);
        break;
    case MESSAGE_SUBSCRIBED:
        stream_page_release(message_as_subscribed(message).page);
        break;
    case MESSAGE_HISTORY_ASK:
        buf_release(message_as_history_ask(message).channel);
        break;
    case MESSAGE_HISTORY:
        stream_page_release(message_as_history(message).page);
        break;
    case MESSAGE_USER_ADD:
        buf_release(message_as_user_add(message).user);
        break;
    case MESSAGE_USER_REMOVE:
        buf_release(message_as_user_remove(message).user);
        break;
    case MESSAGE_USER_SET:
        buf_release(message_as_user_set(message).user);
        break;
    case MESSAGE_USER_COMMAND:
        buf_release(message_as_user_command(message).command);
        break;
    case MESSAGE_SESSION_COMMAND:
        buf_release(message_as_session_command(message).command);
        break;
    case MESSAGE_SURVEY:
        buf_release(message_as_survey(message).pattern);
        break;
    case MESSAGE_SURVEY_RESULT:
        buf_release(message_as_survey_result(message).result);
        break;
    case MESSAGE_PLACEMENT:
        buf_release(message_as_placement(message).placement);
        break;
    case MESSAGE_NODES:
        buf_release(message_as_nodes(message).nodes);
        break;
    case MESSAGE_PUBLISHED:
    case MESSAGE_USER_ADDED:
    case MESSAGE_NODES_ASK:
    case MESSAGE_MOVED:
    case MESSAGE_ORIGIN_GONE:
    case MESSAGE_TYPE_NONE:
    case MESSAGE_TYPES_LEN:
        break;
    }
}
