/* SPDX-License-Identifier: Apache-2.0 */
/* The commands track and untrack: all of one is carried out, or nothing of it. */
#include "codec/track.h"
#include "shards/edge/polls/key_poller.h"
#include "shards/edge/polls/tracking_state.h"

enum {
    /* How long after its end a signature is taken: clocks differ. */
    SIGNATURE_GRACE_S = 5,
    /* Signatures that hold for longer count as holding for so long. */
    SIGNATURE_S_MAX = INT32_MAX,
};

/* A track command on its way. */
struct track_call {
    struct edge *edge;
    struct follower *follower;
    const struct client_sub_refresh_request *request;
    struct scratch scratch; /* Every walk over the request begins it anew. */
    int64_t first_expiry_s;
};

/* ---- walking over the items of all batches ---- */

struct track_items {
    struct json_walk batches;
    struct json_walk items;
    struct scratch scratch;
    int64_t expire_at_s; /* Of the batch. */
};

static void items_begin(struct track_items *at, const struct track_call *call)
{
    *at = (struct track_items){.scratch = call->scratch};
    track_begin(&at->batches, call->request->track);
    track_begin(&at->items, SPAN_EMPTY);
}

/* For requests that were judged: nothing is wrong with them. */
static bool items_next(struct track_items *at, const struct track_call *call,
                       struct track_item *item)
{
    struct track_batch batch;
    struct track_signature signature;
    while (track_next_item(&at->items, &at->scratch, item) != JSON_OK) {
        at->scratch = call->scratch;
        if (track_next_batch(&at->batches, &at->scratch, &batch) != JSON_OK ||
            !track_signature_parse(batch.signature, &signature)) {
            return false;
        }
        const int64_t last_s = call->edge->shard->wall_ms / 1000 + SIGNATURE_S_MAX;
        at->expire_at_s = signature.expires_s < last_s ? signature.expires_s : last_s;
        track_begin(&at->items, batch.items);
    }
    return true;
}

/* ---- judging ---- */

/* NULs stand between the keys that are signed. */
static bool is_key(struct span key)
{
    return !span_is_empty(key) && key.len <= TRACKED_KEY_LEN_MAX &&
           span_index_of(key, '\0') == key.len;
}

static bool is_signed(const struct node_options *options, const struct track_signature *signature,
                      const struct track_claim *claim, const struct track_digest *digest)
{
    const struct span previous = span_of_text(options->shared_poll_hmac_previous_secret_key);
    const int64_t until_s = options->shared_poll_hmac_previous_secret_key_valid_until_s;
    if (track_signature_verify(signature, span_of_text(options->shared_poll_hmac_secret_key), claim,
                               digest)) {
        return true;
    }
    return !span_is_empty(previous) && (until_s == 0 || signature->issued_s <= until_s) &&
           track_signature_verify(signature, previous, claim, digest);
}

/* 0, or the error to answer with. */
static uint32_t judge_batch(struct track_call *call, const struct track_batch *batch,
                            struct scratch scratch, uint64_t *count)
{
    const struct node_options *options = call->edge->options;
    const struct track_claim claim = {.user = session_user(call->follower->conn->session),
                                      .channel = call->request->channel};
    struct track_signature signature;
    struct track_digest digest;
    struct track_item item;
    struct json_walk items;
    enum json_result result;
    bool are_keys = true;
    track_digest_begin(&digest);
    track_begin(&items, batch->items);
    while ((result = track_next_item(&items, &scratch, &item)) == JSON_OK) {
        track_digest_add(&digest, item.key);
        are_keys = are_keys && is_key(item.key);
        (*count)++;
    }
    if (result != JSON_DONE || !are_keys) {
        return CLIENT_ERROR_BAD_REQUEST;
    }
    if (!track_signature_parse(batch->signature, &signature) ||
        !is_signed(options, &signature, &claim, &digest)) {
        return CLIENT_ERROR_PERMISSION_DENIED;
    }
    if (signature.expires_s < call->edge->shard->wall_ms / 1000 - SIGNATURE_GRACE_S) {
        return CLIENT_ERROR_TOKEN_EXPIRED;
    }
    call->first_expiry_s =
        signature.expires_s < call->first_expiry_s ? signature.expires_s : call->first_expiry_s;
    return 0;
}

static uint32_t judge(struct track_call *call)
{
    struct json_walk batches;
    struct track_batch batch;
    enum json_result result;
    uint64_t count = 0;
    if (call->edge->options->shared_poll_hmac_secret_key[0] == '\0') {
        return CLIENT_ERROR_INTERNAL;
    }
    track_begin(&batches, call->request->track);
    while (true) {
        struct scratch scratch = call->scratch;
        result = track_next_batch(&batches, &scratch, &batch);
        if (result != JSON_OK) {
            return result == JSON_DONE && count > 0 ? 0 : (uint32_t)CLIENT_ERROR_BAD_REQUEST;
        }
        const uint32_t error = judge_batch(call, &batch, scratch, &count);
        if (error != 0) {
            return error;
        }
    }
}

/* ---- carrying out ---- */

static bool has_room_for_another(const struct edge *edge)
{
    return map_count(edge->tracking->tracked) < TRACKED_KEYS_A_SHARD_MAX;
}

/* Makes what is not tracked yet. 0, or the error to answer with: what was made is to be taken back.
 */
static uint32_t make_fresh(struct track_call *call)
{
    struct track_items at;
    struct track_item item;
    items_begin(&at, call);
    while (items_next(&at, call, &item)) {
        if (tracking_find(call->edge, call->follower, item.key) != NULL) {
            continue;
        }
        if (!has_room_for_another(call->edge)) {
            actors_count(call->edge->actors, COUNTER_SHARED_POLL_REFUSED);
            return CLIENT_ERROR_LIMIT_EXCEEDED;
        }
        struct tracked *tracked = tracking_make(call->edge, call->follower, item.key);
        if (tracked == NULL) {
            actors_count(call->edge->actors, COUNTER_REFUSED_MEMORY);
            return CLIENT_ERROR_INTERNAL;
        }
        tracked->is_fresh = true;
        tracked->expire_at_s = at.expire_at_s;
    }
    return 0;
}

/* How many go with the command, which may name keys that are no longer wanted. */
static uint32_t mark_leaving(const struct track_call *call, bool is_leaving)
{
    struct json_walk walk;
    struct span key;
    uint32_t count = 0;
    json_strings_begin(&walk, call->request->untrack);
    while (true) {
        struct scratch scratch = call->scratch;
        if (json_strings_next(&walk, &scratch, &key) != JSON_OK) {
            return count;
        }
        struct tracked *tracked = tracking_find(call->edge, call->follower, key);
        if (tracked != NULL && tracked->is_leaving != is_leaving) {
            tracked->is_leaving = is_leaving;
            count++;
        }
    }
}

/* Those that were made stand behind the others. */
static void take_back(struct track_call *call)
{
    struct survey_channels gone = {0};
    struct list *tracked = &call->follower->tracked;
    while (!list_is_empty(tracked)) {
        struct tracked *last = CONTAINER_OF(tracked->prev, struct tracked, of_follower);
        if (!last->is_fresh) {
            break;
        }
        tracking_drop(call->edge, last, &gone);
    }
    buf_release(gone.buf); /* The poller has not heard of them. */
}

/* Asks the poller for what is new to this shard, or of which nothing is known. 0, or the error to
 * answer with: nothing was asked. */
static uint32_t ask_poller(const struct track_call *call)
{
    struct edge *edge = call->edge;
    const struct tracked_channel *channel = call->follower->channel;
    const uint32_t shard = key_poller_shard_of(edge, span_of_buf(channel->name));
    struct survey_channels wanted = {0};
    struct track_items at;
    struct track_item item;
    bool is_made = true;
    items_begin(&at, call);
    while (is_made && items_next(&at, call, &item)) {
        const struct tracked *tracked = tracking_find(edge, call->follower, item.key);
        const bool has_less = tracked->is_fresh || item.version < tracked->version;
        if (has_less && !tracked->is_leaving && tracked->key->item == NULL) {
            is_made = survey_channels_add(&wanted, item.key, 0);
        }
    }
    if (is_made && wanted.buf == NULL) {
        return 0;
    }
    const struct message_poll_track body = {.channel = channel->name, .keys = wanted.buf};
    buf_share(body.channel, 1);
    if (!is_made || edge_is_congested(edge, shard) ||
        !message_send_poll_track(edge->shard->mailbox, shard, 0, &body)) {
        buf_release(body.channel);
        buf_release(body.keys);
        return is_made ? CLIENT_ERROR_TOO_MANY_REQUESTS : CLIENT_ERROR_INTERNAL;
    }
    return 0;
}

/* What the client says that it has counts, also where it was told more. */
static void take_versions(struct track_call *call)
{
    struct track_items at;
    struct track_item item;
    items_begin(&at, call);
    while (items_next(&at, call, &item)) {
        struct tracked *tracked = tracking_find(call->edge, call->follower, item.key);
        tracked->has_base = tracked->has_base && tracked->version == item.version;
        tracked->version = item.version;
        tracked->expire_at_s = at.expire_at_s;
        tracked->is_fresh = false;
    }
}

static void drop_leaving(struct track_call *call)
{
    struct survey_channels gone = {0};
    struct json_walk walk;
    struct span key;
    json_strings_begin(&walk, call->request->untrack);
    while (true) {
        struct scratch scratch = call->scratch;
        if (json_strings_next(&walk, &scratch, &key) != JSON_OK) {
            break;
        }
        struct tracked *tracked = tracking_find(call->edge, call->follower, key);
        if (tracked != NULL) {
            tracking_drop(call->edge, tracked, &gone);
        }
    }
    tracking_tell_gone(call->edge, call->follower->channel, &gone);
}

/* The client may go at any of them. */
static void deliver_known(const struct track_call *call, const struct connection *conn)
{
    struct track_items at;
    struct track_item item;
    items_begin(&at, call);
    while (conn->state == CONNECTION_SESSION && items_next(&at, call, &item)) {
        struct tracked *tracked = tracking_find(call->edge, call->follower, item.key);
        if (tracked != NULL) {
            tracking_deliver(call->edge, tracked);
        }
    }
}

static void reply(struct track_call *call, struct session *session, uint32_t command_id)
{
    const int64_t left_s = call->first_expiry_s - call->edge->shard->wall_ms / 1000;
    struct client_reply answer = {.id = command_id, .kind = CLIENT_REPLY_SUB_REFRESH};
    if (call->first_expiry_s != INT64_MAX) {
        answer.sub_refresh.expires = true;
        answer.sub_refresh.ttl_s = left_s <= 0                ? 0
                                   : left_s > SIGNATURE_S_MAX ? SIGNATURE_S_MAX
                                                              : (uint32_t)left_s;
    }
    session_reply(call->edge, session, &answer);
}

static uint32_t carry_out(struct track_call *call)
{
    uint32_t error = make_fresh(call);
    const uint32_t leaving = error == 0 ? mark_leaving(call, true) : 0;
    if (error == 0 && call->follower->count - leaving >
                          call->follower->channel->options->max_keys_per_connection) {
        error = CLIENT_ERROR_LIMIT_EXCEEDED;
    }
    if (error == 0) {
        error = ask_poller(call);
    }
    if (error != 0) {
        (void)mark_leaving(call, false);
        take_back(call);
    }
    return error;
}

static struct track_call call_of(struct edge *edge, const struct subscription *subscription,
                                 const struct client_command *command,
                                 const struct scratch *scratch)
{
    return (struct track_call){
        .edge = edge,
        .follower = tracking_follower_of(edge, subscription),
        .request = &command->sub_refresh,
        .scratch = *scratch,
        .first_expiry_s = INT64_MAX,
    };
}

struct verdict tracking_track(struct edge *edge, struct subscription *subscription,
                              const struct client_command *command, struct scratch *scratch)
{
    struct track_call call = call_of(edge, subscription, command, scratch);
    struct connection *conn = subscription->conn;
    if (call.follower == NULL) {
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    uint32_t error = judge(&call);
    if (error == 0) {
        error = carry_out(&call);
    }
    if (error != 0) {
        return (struct verdict){.error = error};
    }
    take_versions(&call);
    drop_leaving(&call);
    tracking_schedule(edge, call.follower);
    reply(&call, conn->session, command->id);
    deliver_known(&call, conn);
    return VERDICT_DONE;
}

struct verdict tracking_untrack(struct edge *edge, struct subscription *subscription,
                                const struct client_command *command, struct scratch *scratch)
{
    struct track_call call = call_of(edge, subscription, command, scratch);
    struct json_walk walk;
    struct span key;
    if (call.follower == NULL) {
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    json_strings_begin(&walk, call.request->untrack);
    if (json_strings_next(&walk, scratch, &key) != JSON_OK) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    drop_leaving(&call);
    tracking_schedule(edge, call.follower);
    reply(&call, subscription->conn->session, command->id);
    return VERDICT_DONE;
}
