/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the clients of HTTP streams, on their way to the node that has the session. The way
 * is one hop: the client knows the node, and the session's name tells the shard. */
#include "shards/router/relay/relay_state.h"

#include <string.h>

/* 0: it is on its way, and will be answered. */
static uint32_t send_to_node(struct relay *relay, const struct message *message)
{
    const struct message_emulate body = message_as_emulate(message);
    struct gossip_uid uid;
    static_assert(sizeof(uid.bytes) == EMULATION_NAME_LEN, "a node is named by its uid");
    memcpy(uid.bytes, body.node, sizeof(uid.bytes));
    const struct relay_peer *peer = relay_peer_find(relay, &uid);
    if (peer == NULL || (!peer->is_member && peer->origin == 0)) {
        return CLIENT_ERROR_NOT_AVAILABLE;
    }
    struct relay_ask *ask = peer->origin == 0 ? NULL : relay_ask_add(relay, LINK_MESSAGE_EMULATE);
    if (ask == NULL) {
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    ask->target = peer->origin;
    ask->asker_shard = message->from;
    ask->asker_handle = message->handle;
    const struct link_message request = {.kind = LINK_MESSAGE_EMULATE,
                                         .cookie = ask->handle,
                                         .name = span_of(body.session, sizeof(body.session))};
    if (!relay_send(relay, peer, &request, body.frame)) {
        relay_ask_remove(relay, ask);
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    return 0;
}

void relay_on_emulate(struct relay *relay, const struct message *message)
{
    const struct message_emulated answer = {.error = send_to_node(relay, message)};
    if (answer.error != 0) {
        OUTBOX_SEND(relay->options.outbox, message->from, emulated, message->handle, &answer);
    }
    message_release(message);
}

/* False: it has not reached the shard. */
static bool send_to_shard(struct relay *relay, struct relay_ask *ask,
                          const struct link_message *request, struct span payload)
{
    struct message_emulate body = {0};
    memcpy(body.session, request->name.at, sizeof(body.session));
    if (payload.len > 0) {
        body.frame = buf_copy(payload.at, payload.len);
    }
    const struct message message = message_make_emulate(ask->handle, &body);
    if ((payload.len > 0 && body.frame == NULL) ||
        !relay_send_local(relay, body.session[0], &message)) {
        buf_release(body.frame);
        return false;
    }
    return true;
}

void relay_on_link_emulate(struct relay *relay, struct relay_peer *peer,
                           const struct link_message *request, struct span payload)
{
    struct link_message answer = {.kind = LINK_MESSAGE_EMULATED, .cookie = request->cookie};
    if (request->name.len != EMULATION_NAME_LEN ||
        request->name.at[0] >= relay->options.node->shards) {
        relay_count(relay, COUNTER_RELAY_STALE); /* No session of this node is called so. */
        (void)relay_send(relay, peer, &answer, NULL);
        return;
    }
    struct relay_ask *ask = relay_ask_add(relay, request->kind);
    if (ask != NULL) {
        ask->asker = peer->origin;
        ask->cookie = request->cookie;
        if (send_to_shard(relay, ask, request, payload)) {
            return;
        }
        relay_ask_remove(relay, ask);
    }
    answer.error = CLIENT_ERROR_TOO_MANY_REQUESTS;
    relay_count(relay, COUNTER_RELAY_REFUSED_REQUESTS);
    (void)relay_send(relay, peer, &answer, NULL);
}
