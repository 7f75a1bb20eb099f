/* SPDX-License-Identifier: Apache-2.0 */
/* From the names in a token to subscriptions, and from the homes' answers to the connect reply. */
#include "shards/edge/session/server_subs.h"

#include <stdlib.h>

#include "codec/client_json.h"
#include "codec/writer.h"
#include "runtime/array.h"
#include "shards/edge/fanout/broadcast.h"
#include "shards/edge/maps/map_presence.h"
#include "shards/edge/session/permissions.h"
#include "shards/edge/fanout/streams.h"
#include "shards/edge/fanout/tailored.h"

/* ---- what is asked for ---- */

/* One that is to be made. The spans are of the command or of its scratch. */
struct wish {
    struct jwt_sub sub;
    const struct channel_options *options;
    enum subscription_source source;
    struct client_subscribe_request since; /* What the client says of it. */
};

struct wishes {
    const struct node_options *options;
    struct wish *items;
    uint32_t len;
    enum subscription_source source; /* Of what is added now. */
    uint32_t disconnect;             /* Why it cannot be; 0: it can. */
};

static struct wish *find_wish(const struct wishes *wishes, struct span channel)
{
    for (uint32_t i = 0; i < wishes->len; i++) {
        if (span_equal(wishes->items[i].sub.channel, channel)) {
            return &wishes->items[i];
        }
    }
    return NULL;
}

/* A channel that is named twice is one; what is said of it last counts. */
static void add_wish(struct wishes *wishes, const struct jwt_sub *sub)
{
    struct wish *wish = find_wish(wishes, sub->channel);
    const struct channel_options *options = permissions_find_channel(wishes->options, sub->channel);
    if (options == NULL || !permissions_is_channel_name(wishes->options, options, sub->channel)) {
        wishes->disconnect = CLIENT_DISCONNECT_BAD_REQUEST;
        return;
    }
    if (wish == NULL) {
        if (wishes->len == wishes->options->client.channel_limit) {
            wishes->disconnect = CLIENT_DISCONNECT_CHANNEL_LIMIT;
            return;
        }
        wish = &wishes->items[wishes->len++];
    }
    *wish = (struct wish){.sub = *sub, .options = options, .source = wishes->source};
}

static void wish_personal_channel(struct wishes *wishes, const struct session *session,
                                  struct scratch *scratch)
{
    const struct personal_channel_options *personal = &wishes->options->client.personal_channel;
    const struct span user = session_user(session);
    if (!personal->enabled || span_is_empty(user)) {
        return;
    }
    struct writer name = writer_of(scratch->at, scratch_room(scratch));
    if (personal->channel_namespace[0] != '\0') {
        writer_put(&name, span_of_text(personal->channel_namespace));
        writer_put(&name, span_of_text(wishes->options->channel_namespace_boundary));
    }
    writer_put(&name, span_of_text(wishes->options->channel_user_boundary));
    writer_put(&name, user);
    if (writer_is_overflown(&name)) {
        wishes->disconnect = CLIENT_DISCONNECT_INTERNAL;
        return;
    }
    wishes->source = SUBSCRIPTION_AS_PERSONAL;
    add_wish(wishes,
             &(struct jwt_sub){.channel = scratch_take(scratch, writer_written_len(&name))});
}

static enum json_result wish_of_channels(struct wishes *wishes, struct span channels,
                                         struct scratch *scratch)
{
    struct json_walk walk;
    struct jwt_sub sub = {0};
    enum json_result result;
    json_strings_begin(&walk, channels);
    while ((result = json_strings_next(&walk, scratch, &sub.channel)) == JSON_OK &&
           wishes->disconnect == 0) {
        add_wish(wishes, &sub);
    }
    return result;
}

static enum json_result wish_of_subs(struct wishes *wishes, struct span subs,
                                     struct scratch *scratch)
{
    struct json_walk walk;
    struct jwt_sub sub;
    enum json_result result;
    jwt_subs_begin(&walk, subs);
    while ((result = jwt_subs_next(&walk, scratch, &sub)) == JSON_OK && wishes->disconnect == 0) {
        add_wish(wishes, &sub);
    }
    return result;
}

static void wish_of_token(struct wishes *wishes, const struct auth_result *who,
                          struct scratch *scratch)
{
    wishes->source = who->subs_source;
    enum json_result result = wish_of_channels(wishes, who->channels_raw, scratch);
    if (result == JSON_DONE) {
        result = wish_of_subs(wishes, who->subs_raw, scratch);
    }
    if (result != JSON_DONE && wishes->disconnect == 0) {
        wishes->disconnect = result == JSON_ERROR_SPACE ? CLIENT_DISCONNECT_INTERNAL
                                                        : CLIENT_DISCONNECT_INVALID_TOKEN;
    }
}

/* Where the client was, in those that it gets; and others that it had, if it may subscribe to them
 * by itself: those that it may not are left out. */
static void wish_of_client(struct wishes *wishes, const struct session *session,
                           const struct client_connect_request *request, struct scratch *scratch)
{
    const struct permissions_client client = {.user = session_user(session)};
    struct json_walk walk;
    struct client_subscribe_request since = {0};
    wishes->source = SUBSCRIPTION_BY_CONNECT;
    client_json_subs_begin(&walk, request->subs);
    while (wishes->disconnect == 0 && client_json_subs_next(&walk, scratch, &since) == JSON_OK) {
        const struct channel_options *options =
            permissions_find_channel(wishes->options, since.channel);
        if (find_wish(wishes, since.channel) == NULL && options != NULL &&
            permissions_is_clients_channel_name(wishes->options, options, since.channel) &&
            !permissions_asks_subscribe_proxy(wishes->options, options, since.channel) &&
            permissions_may_subscribe(wishes->options, options, since.channel, client)) {
            add_wish(wishes, &(struct jwt_sub){.channel = since.channel});
        }
        struct wish *wish = find_wish(wishes, since.channel);
        if (wish != NULL) {
            wish->since = since;
        }
    }
}

static void override_one(bool *option, struct jwt_switch by)
{
    *option = by.is_set ? by.value : *option;
}

struct channel_options server_subs_override(const struct channel_options *options,
                                            const struct jwt_override *override)
{
    struct channel_options effective = *options;
    override_one(&effective.presence, override->presence);
    override_one(&effective.join_leave, override->join_leave);
    override_one(&effective.force_recovery, override->force_recovery);
    override_one(&effective.force_positioning, override->force_positioning);
    override_one(&effective.force_push_join_leave, override->force_push_join_leave);
    return effective;
}

/* ---- what is waited for ---- */

struct server_sub {
    bool is_answered;
    struct message_subscribed answer; /* Its page is ours. */
};

struct server_subs {
    uint32_t len;
    uint32_t waiting;
    struct frame **held; /* In the order in which they came. */
    uint32_t held_len;
    uint32_t held_room;
    uint64_t held_bytes;
    struct server_sub items[]; /* By the subscription's command_id. */
};

static struct server_subs *subs_of(const struct session *session)
{
    return session->account == NULL ? NULL : session->account->server_subs;
}

void server_subs_free(struct server_subs *subs)
{
    for (uint32_t i = 0; subs != NULL && i < subs->len; i++) {
        stream_page_release(subs->items[i].answer.page);
    }
    for (uint32_t i = 0; subs != NULL && i < subs->held_len; i++) {
        frame_release(subs->held[i]);
    }
    if (subs != NULL) {
        free(subs->held);
    }
    free(subs);
}

bool server_subs_hold(struct edge *edge, struct session *session, struct frame *frame)
{
    struct server_subs *subs = subs_of(session);
    if (subs->held_bytes + frame->len > edge->options->client.queue_max_size) {
        return false;
    }
    struct frame **held =
        array_reserve(subs->held, subs->held_len, &subs->held_room, 8, sizeof(struct frame *));
    if (held == NULL) {
        return false;
    }
    subs->held = held;
    subs->held[subs->held_len++] = frame_hold(frame);
    subs->held_bytes += frame->len;
    return true;
}

static uint32_t make(struct edge *edge, struct session *session, const struct wish *wish,
                     uint32_t index)
{
    const struct channel_options effective =
        server_subs_override(wish->options, &wish->sub.override);
    const struct hub_subscribe request = {
        .channel = wish->sub.channel,
        .options = wish->options,
        .chan_info = wish->sub.info,
        .data = wish->sub.data,
        .expire_at_s = wish->sub.expire_at_s,
        .command_id = index,
        .is_server_side = true,
        .source = wish->source,
        .emits = hub_emits_of(&effective),
        .push_join_leave = effective.join_leave && effective.force_push_join_leave,
        .stream_flags =
            streams_flags_of(&effective,
                             &(struct client_subscribe_request){.recover = wish->since.recover},
                             false),
        .since = {wish->since.offset, epoch_parse(wish->since.epoch)},
    };
    switch (hub_subscribe(edge, session, &request)) {
    case 0:
        return 0;
    case CLIENT_ERROR_TOO_MANY_REQUESTS:
        return CLIENT_DISCONNECT_TOO_MANY_REQUESTS;
    default:
        return CLIENT_DISCONNECT_INTERNAL;
    }
}

static uint32_t make_all(struct edge *edge, struct session *session, const struct wishes *wishes)
{
    struct session_account *account = session_account_of(session);
    struct server_subs *subs = calloc(1, sizeof(*subs) + wishes->len * sizeof(struct server_sub));
    uint32_t disconnect = 0;
    if (account == NULL || subs == NULL) {
        free(subs);
        return CLIENT_DISCONNECT_INTERNAL;
    }
    account->server_subs = subs;
    subs->len = wishes->len;
    subs->waiting = wishes->len;
    for (uint32_t i = 0; i < wishes->len && disconnect == 0; i++) {
        disconnect = make(edge, session, &wishes->items[i], i);
    }
    return disconnect;
}

static bool has_any(const struct edge *edge, const struct session *session,
                    const struct auth_result *who, const struct client_connect_request *request)
{
    const bool has_personal =
        edge->options->client.personal_channel.enabled && !span_is_empty(session_user(session));
    return has_personal || !span_is_empty(who->channels_raw) || !span_is_empty(who->subs_raw) ||
           !span_is_empty(request->subs);
}

static uint32_t find_wishes(struct wishes *wishes, const struct session *session,
                            const struct auth_result *who,
                            const struct client_connect_request *request, struct scratch *scratch)
{
    wishes->items = calloc(wishes->options->client.channel_limit, sizeof(struct wish));
    if (wishes->items == NULL) {
        return CLIENT_DISCONNECT_INTERNAL;
    }
    wish_personal_channel(wishes, session, scratch);
    if (wishes->disconnect == 0) {
        wish_of_token(wishes, who, scratch);
    }
    wish_of_client(wishes, session, request, scratch);
    return wishes->disconnect;
}

uint32_t server_subs_begin(struct edge *edge, struct session *session,
                           const struct auth_result *who,
                           const struct client_connect_request *request, struct scratch *scratch)
{
    struct wishes wishes = {.options = edge->options};
    if (!has_any(edge, session, who, request)) {
        return 0;
    }
    uint32_t disconnect = find_wishes(&wishes, session, who, request, scratch);
    if (disconnect == 0 && wishes.len > 0) {
        disconnect = make_all(edge, session, &wishes);
    }
    free(wishes.items);
    return disconnect;
}

bool server_subs_wait(const struct session *session)
{
    const struct server_subs *subs = subs_of(session);
    return subs != NULL && subs->waiting > 0;
}

/* ---- while the client is connected ---- */

/* What was missed comes as if it were published now. */
static void push_publications(struct edge *edge, struct session *session, struct span channel,
                              const struct stream_publications *publications)
{
    const struct connection *conn = session->conn;
    for (size_t i = 0; i < publications->len && conn->state == CONNECTION_SESSION; i++) {
        struct client_reply reply = {.kind = CLIENT_REPLY_PUSH};
        reply.push = (struct client_push){.kind = CLIENT_PUSH_PUBLICATION, .channel = channel};
        reply.push.publication = publications->items[i];
        session_reply(edge, session, &reply);
    }
}

static void tell_by_push(struct edge *edge, struct subscription *subscription,
                         const struct message_subscribed *answer)
{
    struct session *session = subscription->conn->session;
    struct subscription_grant *grant = hub_grant_of(edge, subscription);
    struct buf *name = subscription->channel->name;
    struct stream_publications publications = {0};
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    const bool positioned = (answer->flags & SUBSCRIBE_POSITIONED) != 0;
    const bool recovered = (answer->flags & SUBSCRIBED_RECOVERED) != 0;
    const struct span epoch = epoch_format(answer->newest.epoch, room);
    struct buf *data = grant == NULL ? NULL : grant->data;
    if (grant != NULL) {
        grant->data = NULL;
    }
    broadcast_flush_channel(edge, subscription->channel);
    subscription->state = SUBSCRIPTION_ACTIVE;
    session_on_answered(edge, subscription);
    buf_share(name, 1);
    if (!stream_publications_make(recovered ? answer->page : NULL, epoch, &publications) ||
        !streams_may_tell(edge, session, &publications)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
    } else {
        struct client_reply reply = {.kind = CLIENT_REPLY_PUSH};
        reply.push =
            (struct client_push){.kind = CLIENT_PUSH_SUBSCRIBE, .channel = span_of_buf(name)};
        reply.push.subscribe = (struct client_subscribe_push){
            .recoverable = (answer->flags & SUBSCRIBE_RECOVERABLE) != 0,
            .positioned = positioned,
            .offset = recovered    ? answer->since_offset
                      : positioned ? answer->newest.offset
                                   : 0,
            .epoch = positioned ? epoch : SPAN_EMPTY,
            .data = span_of_buf(data),
        };
        streams_count_recovery(edge, answer->flags, publications.len);
        map_presence_enter(edge, subscription);
        session_reply(edge, session, &reply);
        push_publications(edge, session, span_of_buf(name), &publications);
    }
    stream_publications_free(&publications);
    buf_release(name);
    buf_release(data);
}

void server_subs_add(struct edge *edge, struct session *session,
                     const struct api_subscribe_request *request)
{
    const struct node_options *options = edge->options;
    const int64_t now_s = edge->shard->wall_ms / 1000;
    struct wish wish = {
        .sub = {.channel = request->channel,
                .info = request->info,
                .data = request->data,
                .expire_at_s = request->expire_at_s},
        .options = permissions_find_channel(options, request->channel),
        .source = SUBSCRIPTION_BY_API,
        .since = {.recover = request->recover_since_present,
                  .offset = request->recover_since_offset,
                  .epoch = request->recover_since_epoch},
    };
    if (wish.options == NULL || hub_find_subscription(edge, session, request->channel) != NULL ||
        session->subscription_count >= options->client.channel_limit ||
        (request->expire_at_s != 0 && request->expire_at_s <= now_s) ||
        !session_understands(session, request->data) ||
        jwt_override_decode(request->override, &wish.sub.override) != JSON_OK) {
        return;
    }
    if (make(edge, session, &wish, 0) != 0) {
        server_subs_on_failure(edge, session, CLIENT_ERROR_TOO_MANY_REQUESTS);
    }
}

/* ---- answers ---- */

void server_subs_on_answer(struct edge *edge, struct subscription *subscription,
                           const struct message_subscribed *answer)
{
    struct session *session = subscription->conn->session;
    struct server_subs *subs = subs_of(session);
    if (session->state == SESSION_CONNECTED) {
        tell_by_push(edge, subscription, answer);
        return;
    }
    BUG_IF(subs == NULL || subscription->command_id >= subs->len);
    struct server_sub *sub = &subs->items[subscription->command_id];
    if (sub->is_answered) {
        return;
    }
    /* What has come until now is known to those alone who are subscribed already. */
    broadcast_flush_channel(edge, subscription->channel);
    if (!tailored_hold(edge, subscription)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
        return;
    }
    subscription->state = SUBSCRIPTION_HELD;
    sub->is_answered = true;
    sub->answer = *answer;
    stream_page_share(answer->page);
    subs->waiting--;
    if (subs->waiting == 0 && session->state == SESSION_JOINING && !session->awaits_directory) {
        session_on_joined(edge, session);
    }
}

void server_subs_on_failure(struct edge *edge, struct session *session, uint32_t error)
{
    if (session->state == SESSION_CONNECTED) {
        LOG(edge->shard->log, LOG_WARN, "server_subscribe", "result=failed error=%u", error);
        return; /* A backend's call is no promise. */
    }
    session_disconnect(edge, session,
                       error == CLIENT_ERROR_TOO_MANY_REQUESTS ? CLIENT_DISCONNECT_TOO_MANY_REQUESTS
                                                               : CLIENT_DISCONNECT_INTERNAL,
                       SPAN_EMPTY);
}

/* ---- what is told ---- */

/* What the values of a reply point to. */
struct told {
    struct stream_publications publications;
    uint8_t epoch[EPOCH_TEXT_LEN_MAX];
    struct buf *data;
};

struct telling {
    struct client_subscription *subs;
    struct told *told;
    uint32_t len;
};

static void telling_free(struct telling *telling)
{
    for (uint32_t i = 0; telling->told != NULL && i < telling->len; i++) {
        stream_publications_free(&telling->told[i].publications);
        buf_release(telling->told[i].data);
    }
    free(telling->told);
    free(telling->subs);
}

/* False: memory is out, or the client cannot be told (which has ended it). */
static bool tell_one(struct edge *edge, struct subscription *at, struct message_subscribed answer,
                     struct telling *telling)
{
    struct client_subscription *sub = &telling->subs[telling->len];
    struct told *told = &telling->told[telling->len++];
    struct subscription_grant *grant = hub_grant_of(edge, at);
    const bool recovered = (answer.flags & SUBSCRIBED_RECOVERED) != 0;
    const struct span epoch = epoch_format(answer.newest.epoch, told->epoch);
    if (!stream_publications_make(recovered ? answer.page : NULL, epoch, &told->publications) ||
        !streams_may_tell(edge, at->conn->session, &told->publications)) {
        return false;
    }
    sub->channel = span_of(at->channel->name->bytes, at->channel->name->len);
    streams_put_position(&answer, epoch, &told->publications, &sub->result);
    if (grant != NULL) {
        told->data = grant->data;
        grant->data = NULL;
        sub->result.expires = hub_expires(at, grant);
        sub->result.ttl_s = sub->result.expires ? auth_ttl_s(edge, grant->expire_at_s) : 0;
        sub->result.data =
            told->data == NULL ? SPAN_EMPTY : span_of(told->data->bytes, told->data->len);
    }
    streams_count_recovery(edge, answer.flags, told->publications.len);
    return true;
}

static bool tell_all(struct edge *edge, struct session *session, const struct server_subs *subs,
                     struct telling *telling)
{
    for (struct subscription *at = hub_first_of(edge, session); at != NULL;
         at = hub_next_of(edge, at)) {
        if (!tell_one(edge, at, subs->items[at->command_id].answer, telling)) {
            return false;
        }
        tailored_release(edge, at);
        at->state = SUBSCRIPTION_ACTIVE;
        map_presence_enter(edge, at);
    }
    return true;
}

static void send_held(struct edge *edge, struct session *session, const struct server_subs *subs)
{
    for (uint32_t i = 0; i < subs->held_len; i++) {
        if (!connection_send_shared(edge, session->conn, subs->held[i])) {
            session_disconnect(edge, session, CLIENT_DISCONNECT_SLOW, SPAN_EMPTY);
            return;
        }
    }
}

/* What is too much for the client's queue is left out, and the client told that it missed it. */
static void leave_out_publications(struct telling *telling)
{
    for (uint32_t i = 0; i < telling->len; i++) {
        struct client_subscribe_result *result = &telling->subs[i].result;
        result->recovered = result->recovered && result->publication_count == 0;
        result->publications = NULL;
        result->publication_count = 0;
    }
}

void server_subs_reply(struct edge *edge, struct session *session, struct client_reply *reply)
{
    struct server_subs *subs = subs_of(session);
    if (subs == NULL) {
        session_reply(edge, session, reply);
        return;
    }
    struct connection *conn = session->conn;
    struct client_connect_result *result =
        reply->kind == CLIENT_REPLY_PUSH ? &reply->push.connect : &reply->connect;
    struct telling telling = {.subs = calloc(subs->len, sizeof(*telling.subs)),
                              .told = calloc(subs->len, sizeof(*telling.told))};
    session->account->server_subs = NULL;
    if (telling.subs == NULL || telling.told == NULL || !tell_all(edge, session, subs, &telling)) {
        if (conn->state == CONNECTION_SESSION) {
            session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
        }
    } else {
        result->subs = telling.subs;
        result->sub_count = telling.len;
        if (!session_try_reply(edge, session, reply)) {
            leave_out_publications(&telling);
            session_reply(edge, session, reply);
        }
        if (conn->state == CONNECTION_SESSION) {
            send_held(edge, session, subs);
        }
    }
    telling_free(&telling);
    server_subs_free(subs);
}

/* ---- refresh ---- */

bool server_subs_are_same(struct edge *edge, const struct session *session,
                          const struct auth_result *who, struct scratch *scratch)
{
    struct wishes wishes = {.options = edge->options};
    const struct client_connect_request none = {0};
    if (span_is_empty(who->channels_raw) && span_is_empty(who->subs_raw)) {
        return true;
    }
    bool are_same = find_wishes(&wishes, session, who, &none, scratch) == 0;
    for (uint32_t i = 0; are_same && i < wishes.len; i++) {
        are_same = hub_find_subscription(edge, session, wishes.items[i].sub.channel) != NULL;
    }
    free(wishes.items);
    return are_same;
}
