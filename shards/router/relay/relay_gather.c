/* SPDX-License-Identifier: Apache-2.0 */
/* Surveys: questions to the shards of all nodes, whose answers are one. */
#include "shards/router/relay/relay_state.h"

#include "shards/payloads.h"

static struct relay_gather *gather_open(struct relay *relay)
{
    uint32_t handle;
    struct relay_gather *gather = pool_take(relay->gathers, &handle);
    if (gather == NULL) {
        relay_count(relay, COUNTER_RELAY_REFUSED_REQUESTS);
        return NULL;
    }
    gather->handle = handle;
    return gather;
}

static void gather_free(struct relay *relay, struct relay_gather *gather)
{
    buf_release(gather->channels.buf);
    pool_put(relay->gathers, gather->handle);
}

void relay_gathers_destroy(struct relay *relay)
{
    uint32_t cursor = 0;
    uint32_t handle;
    struct relay_gather *gather;
    while (relay->gathers != NULL &&
           (gather = pool_next(relay->gathers, &cursor, &handle)) != NULL) {
        gather_free(relay, gather);
    }
}

/* ---- the end ---- */

static void put_channels(struct writer *out, const struct buf *channels)
{
    uint32_t cursor = 0;
    struct link_channel channel;
    while (survey_channels_next(channels, &cursor, &channel.name, &channel.clients)) {
        link_put_channel(out, &channel);
    }
}

static void answer_node(struct relay *relay, struct relay_gather *gather)
{
    const struct relay_peer *peer = relay_peer_of(relay, gather->asker);
    struct link_message answer = {.kind = LINK_MESSAGE_SURVEY_RESULT,
                                  .cookie = gather->cookie,
                                  .error = gather->error};
    struct buf *payload = NULL;
    struct writer measure = writer_for_measuring();
    put_channels(&measure, gather->channels.buf);
    if (measure.overflow > RELAY_ANSWER_BYTES_MAX) {
        answer.error = CLIENT_ERROR_LIMIT_EXCEEDED;
    } else if (measure.overflow > 0) {
        payload = buf_create((uint32_t)measure.overflow);
        if (payload == NULL) {
            answer.error = CLIENT_ERROR_INTERNAL;
        } else {
            struct writer out = writer_of(payload->bytes, payload->len);
            put_channels(&out, gather->channels.buf);
        }
    }
    if (peer != NULL) {
        (void)relay_send(relay, peer, &answer, payload);
    }
    buf_release(payload);
}

static void answer_shard(struct relay *relay, struct relay_gather *gather)
{
    const struct message_survey_result body = {.result = gather->channels.buf,
                                               .op = gather->op,
                                               .error = gather->error};
    gather->channels.buf = NULL;
    OUTBOX_SEND(relay->options.outbox, gather->asker_shard, survey_result, gather->asker_handle,
                &body);
}

static void gather_answered(struct relay *relay, struct relay_gather *gather)
{
    if (--gather->waiting > 0) {
        return;
    }
    if (gather->asker != 0) {
        answer_node(relay, gather);
    } else {
        answer_shard(relay, gather);
    }
    gather_free(relay, gather);
}

/* ---- asking every node ---- */

/* A member without a link cannot be asked: the answer would not be the whole. Of wildcards that are
 * heard all are told that there is a link to, and who has none sees that by itself. */
static bool is_asked(const struct relay_peer *peer, const struct link_message *question)
{
    if (question->what == SURVEY_WILDCARDS_HEARD) {
        return peer->origin != 0 || (peer->is_member && peer->is_reachable);
    }
    return peer->is_member;
}

static void ask_members(struct relay *relay, struct relay_gather *gather,
                        const struct link_message *question, struct buf *payload)
{
    for (uint32_t slot = 0; slot < relay->peers_end; slot++) {
        const struct relay_peer *peer = relay->peers[slot];
        if (peer == NULL || !is_asked(peer, question)) {
            continue;
        }
        struct relay_ask *ask = peer->origin == 0 ? NULL : relay_ask_add(relay, question->kind);
        struct link_message out = *question;
        if (ask == NULL) {
            gather->error = CLIENT_ERROR_INTERNAL;
            continue;
        }
        ask->target = peer->origin;
        ask->gather = gather->handle;
        out.cookie = ask->handle;
        if (relay_send(relay, peer, &out, payload)) {
            gather->waiting++;
        } else {
            gather->error = CLIENT_ERROR_INTERNAL;
            relay_ask_remove(relay, ask);
        }
    }
}

static void take_channels(struct relay_gather *gather, struct span payload)
{
    struct link_channel channel;
    enum link_message_result result;
    while ((result = link_next_channel(&payload, &channel)) == LINK_MESSAGE_OK) {
        if (!survey_channels_add(&gather->channels, channel.name, channel.clients)) {
            gather->error = CLIENT_ERROR_INTERNAL;
            return;
        }
    }
    if (result != LINK_MESSAGE_DONE) {
        gather->error = CLIENT_ERROR_INTERNAL;
    }
}

void relay_gather_on_answer(struct relay *relay, const struct relay_ask *ask,
                            const struct link_message *answer, struct span payload)
{
    struct relay_gather *gather = pool_get(relay->gathers, ask->gather);
    if (gather == NULL) {
        return;
    }
    if (answer->error != 0) {
        gather->error = CLIENT_ERROR_INTERNAL;
    } else {
        take_channels(gather, payload);
    }
    gather_answered(relay, gather);
}

/* ---- surveys ---- */

void relay_on_survey(struct relay *relay, const struct message *message)
{
    const struct message_survey body = message_as_survey(message);
    const struct link_message question = {
        .kind = LINK_MESSAGE_SURVEY,
        .what = body.op,
        .name = body.pattern == NULL ? SPAN_EMPTY : relay_name(body.pattern),
    };
    struct relay_gather *gather = gather_open(relay);
    if (gather == NULL) {
        const struct message_survey_result refused = {.op = body.op,
                                                      .error = CLIENT_ERROR_TOO_MANY_REQUESTS};
        OUTBOX_SEND(relay->options.outbox, message->from, survey_result, message->handle, &refused);
    } else {
        gather->asker_shard = message->from;
        gather->asker_handle = message->handle;
        gather->op = body.op;
        gather->waiting = 1; /* For this call itself, so that no answer ends it too early. */
        ask_members(relay, gather, &question, body.request);
        gather_answered(relay, gather);
    }
    message_release(message);
}

/* A copy for each: shards give back what they were sent. */
static void ask_shard(struct relay *relay, struct relay_gather *gather, uint32_t shard,
                      const struct link_message *survey, struct span payload)
{
    struct message_survey body = {.op = survey->what};
    if (survey->name.len > 0) {
        body.pattern = buf_copy(survey->name.at, survey->name.len);
    }
    if (payload.len > 0) {
        body.request = buf_copy(payload.at, payload.len);
    }
    const struct message message = message_make_survey(gather->handle, &body);
    if ((survey->name.len > 0 && body.pattern == NULL) ||
        (payload.len > 0 && body.request == NULL) || !relay_send_local(relay, shard, &message)) {
        gather->error = CLIENT_ERROR_INTERNAL;
        message_release(&message);
    } else {
        gather->waiting++;
    }
}

static void refuse_node(struct relay *relay, const struct relay_peer *peer,
                        const struct link_message *survey, uint32_t error)
{
    const struct link_message refused = {.kind = LINK_MESSAGE_SURVEY_RESULT,
                                         .cookie = survey->cookie,
                                         .error = error};
    (void)relay_send(relay, peer, &refused, NULL);
}

void relay_on_link_survey(struct relay *relay, struct relay_peer *peer,
                          const struct link_message *survey, struct span payload)
{
    /* What only a newer node asks is not answered as if nothing were found. */
    if (survey->what >= SURVEY_OPS || survey->what == SURVEY_ALIVE) {
        relay_count(relay, COUNTER_RELAY_STALE);
        refuse_node(relay, peer, survey, CLIENT_ERROR_NOT_AVAILABLE);
        return;
    }
    struct relay_gather *gather = gather_open(relay);
    if (gather == NULL) {
        refuse_node(relay, peer, survey, CLIENT_ERROR_TOO_MANY_REQUESTS);
        return;
    }
    gather->asker = peer->origin;
    gather->cookie = survey->cookie;
    gather->waiting = 1;
    /* A channel has one poller a node. */
    const uint32_t shards = relay->options.node->shards;
    const bool is_for_one = survey->what == SURVEY_POLL_PUBLISH;
    const uint32_t first = is_for_one ? placement_slot_of(survey->name) % shards : 0;
    for (uint32_t shard = first; shard < (is_for_one ? first + 1 : shards); shard++) {
        ask_shard(relay, gather, shard, survey, payload);
    }
    gather_answered(relay, gather);
}

void relay_on_survey_result(struct relay *relay, const struct message *message)
{
    const struct message_survey_result body = message_as_survey_result(message);
    struct relay_gather *gather = pool_get(relay->gathers, message->handle);
    if (gather == NULL) {
        relay_count(relay, COUNTER_RELAY_STALE);
    } else {
        uint32_t cursor = 0;
        struct span name;
        uint32_t clients;
        bool is_added = body.error == 0;
        while (is_added && survey_channels_next(body.result, &cursor, &name, &clients)) {
            is_added = survey_channels_add(&gather->channels, name, clients);
        }
        gather->error = is_added ? gather->error : CLIENT_ERROR_INTERNAL;
        gather_answered(relay, gather);
    }
    message_release(message);
}
