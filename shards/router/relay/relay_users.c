/* SPDX-License-Identifier: Apache-2.0 */
/* Users whose directory is on another node, and commands on their way to sessions. None of these
 * has an answer. */
#include "shards/router/relay/relay_state.h"

#include "shards/payloads.h"

static struct link_command command_of(const struct session_command *command)
{
    return (struct link_command){
        .kind = (uint32_t)command->kind,
        .code = command->code,
        .user = command->user,
        .client = command->client,
        .session = command->session,
        .channel = command->channel,
        .reason = command->reason,
        .whitelist = command->whitelist,
        .detail = command->detail,
    };
}

static struct buf *command_pack(const struct link_command *command)
{
    return session_command_make(&(struct session_command){
        .kind = (enum session_command_kind)command->kind,
        .code = command->code,
        .user = command->user,
        .client = command->client,
        .session = command->session,
        .channel = command->channel,
        .reason = command->reason,
        .whitelist = command->whitelist,
        .detail = command->detail,
    });
}

/* To the directory of a user: on the node that has it, or on this one. `place` says whose session
 * it is, in this node's terms. */
static void send_user(struct relay *relay, struct link_message *change, uint32_t place)
{
    const struct relay_home home = relay_home_of(relay, change->name);
    struct message message;
    if (home.peer != NULL) {
        if (message_place_origin(place) == 0) {
            change->shard = message_place_shard(place);
            (void)relay_send(relay, home.peer, change, NULL);
        }
        return; /* A node's own message reaches the directory in one hop, or its next one does. */
    }
    change->shard = place;
    if (home.is_known && relay_to_request(change, SPAN_EMPTY, 0, &message)) {
        outbox_send(relay->options.outbox, home.shard, &message);
    }
}

/* To every session of the user on this node, wherever it is: the directory's shard knows. */
static bool command_here(struct relay *relay, const struct link_command *command, uint32_t shard)
{
    const struct message_user_command body = {.command = command_pack(command)};
    if (body.command == NULL) {
        return false;
    }
    OUTBOX_SEND(relay->options.outbox, shard, user_command, 0, &body);
    return true;
}

/* The anonymous user has no directory: every shard looks. */
static void command_every_shard(struct relay *relay, const struct link_command *command)
{
    const uint32_t shards = relay->options.node->shards;
    const struct message_session_command body = {.command = command_pack(command)};
    if (body.command == NULL) {
        return;
    }
    buf_share(body.command, shards - 1);
    for (uint32_t shard = 0; shard < shards; shard++) {
        OUTBOX_SEND(relay->options.outbox, shard, session_command, 0, &body);
    }
}

static void on_user_command(struct relay *relay, const struct message *message)
{
    const struct session_command command =
        session_command_of(message_as_user_command(message).command);
    struct link_message out = {.kind = LINK_MESSAGE_USER_COMMAND,
                               .has_command = true,
                               .command = command_of(&command)};
    if (span_is_empty(command.user)) {
        for (uint32_t slot = 0; slot < relay->peers_end; slot++) {
            const struct relay_peer *peer = relay->peers[slot];
            if (peer != NULL && peer->origin != 0 && !relay_send(relay, peer, &out, NULL)) {
                relay_count(relay, COUNTER_RELAY_LOST);
            }
        }
        return;
    }
    const struct relay_home home = relay_home_of(relay, command.user);
    const bool is_sent = home.peer != NULL
                             ? relay_send(relay, home.peer, &out, NULL)
                             : home.is_known && command_here(relay, &out.command, home.shard);
    if (!is_sent) {
        relay_count(relay, COUNTER_RELAY_LOST);
    }
}

/* A directory of this node found sessions on another one. */
static void on_session_command(struct relay *relay, const struct message *message)
{
    const struct message_session_command body = message_as_session_command(message);
    const struct session_command command = session_command_of(body.command);
    const struct relay_peer *peer = relay_peer_of(relay, message_place_origin(body.place));
    const struct link_message out = {.kind = LINK_MESSAGE_SESSION_COMMAND,
                                     .shard = message_place_shard(body.place),
                                     .has_command = true,
                                     .command = command_of(&command)};
    if (peer == NULL || !relay_send(relay, peer, &out, NULL)) {
        relay_count(relay, COUNTER_RELAY_LOST);
    }
}

void relay_on_user_message(struct relay *relay, const struct message *message)
{
    struct link_message change = {0};
    switch ((enum message_type)message->type) {
    case MESSAGE_USER_REMOVE:
        change.kind = LINK_MESSAGE_USER_REMOVE;
        change.name = relay_name(message_as_user_remove(message).user);
        send_user(relay, &change, message->from);
        break;
    case MESSAGE_USER_SET:
        change.kind = LINK_MESSAGE_USER_SET;
        change.name = relay_name(message_as_user_set(message).user);
        change.clients = message_as_user_set(message).sessions;
        send_user(relay, &change, message->from);
        break;
    case MESSAGE_USER_COMMAND:
        on_user_command(relay, message);
        break;
    default:
        on_session_command(relay, message);
        break;
    }
    message_release(message);
}

static void on_link_user_command(struct relay *relay, const struct link_message *message)
{
    struct link_message out = *message;
    if (span_is_empty(out.command.user)) {
        command_every_shard(relay, &out.command);
        return;
    }
    const struct relay_home home = relay_home_of(relay, out.command.user);
    bool is_sent = false;
    if (home.is_known && home.peer == NULL) {
        is_sent = command_here(relay, &out.command, home.shard);
    } else if (home.peer != NULL && out.hops == 0) {
        out.hops = 1;
        is_sent = relay_send(relay, home.peer, &out, NULL);
    }
    if (!is_sent) {
        relay_count(relay, COUNTER_RELAY_LOST);
    }
}

void relay_on_link_user_message(struct relay *relay, struct relay_peer *peer,
                                const struct link_message *message)
{
    if (message->kind == LINK_MESSAGE_USER_COMMAND) {
        on_link_user_command(relay, message);
        return;
    }
    if (message->shard >= SHARDS_MAX) {
        relay_count(relay, COUNTER_RELAY_STALE);
        return;
    }
    if (message->kind != LINK_MESSAGE_SESSION_COMMAND) {
        struct link_message change = *message;
        send_user(relay, &change, message_place(peer->origin, message->shard));
        return;
    }
    const struct message_session_command body = {.command = command_pack(&message->command)};
    if (message->shard < relay->options.node->shards && body.command != NULL) {
        OUTBOX_SEND(relay->options.outbox, message->shard, session_command, 0, &body);
    } else {
        buf_release(body.command);
        relay_count(relay, COUNTER_RELAY_LOST);
    }
}
