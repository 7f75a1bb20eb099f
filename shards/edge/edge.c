/* SPDX-License-Identifier: Apache-2.0 */
/* The edge of a shard: made, fed with messages and events, ended. */
#include "shards/edge/edge.h"

#include <stdlib.h>
#include <string.h>

#include "shards/edge/api/api.h"
#include "shards/edge/api/api_series.h"
#include "shards/edge/backends/backends.h"
#include "shards/edge/fanout/broadcast.h"
#include "shards/edge/transport/connection.h"
#include "shards/edge/api/connections.h"
#include "shards/edge/transport/emulation.h"
#include "shards/edge/fanout/filters.h"
#include "shards/edge/fanout/hub.h"
#include "shards/edge/transport/listener.h"
#include "shards/edge/maps/map_presence.h"
#include "shards/edge/maps/map_catch_ups.h"
#include "shards/edge/maps/map_subscriptions.h"
#include "shards/edge/polls/key_poller.h"
#include "shards/edge/backends/proxy.h"
#include "shards/edge/session/rates.h"
#include "shards/edge/session/revoked.h"
#include "shards/edge/stopwatch.h"
#include "shards/edge/polls/tracking.h"
#include "shards/edge/session/users.h"
#include "shards/edge/fanout/streams.h"
#include "shards/edge/backends/webhooks.h"

static struct map_key key_of_hub_channel(const void *object)
{
    const struct hub_channel *channel = object;
    return (struct map_key){channel->name->bytes, channel->name->len};
}

static struct map_key key_of_user(const void *object)
{
    const struct local_user *user = object;
    return (struct map_key){user->id->bytes, user->id->len};
}

static struct map_key key_of_fallback(const void *object)
{
    const struct fallback *fallback = object;
    return (struct map_key){fallback->key, sizeof(fallback->key)};
}

static struct frame *make_frame(unsigned opcode, struct span payload)
{
    struct frame *frame = frame_create(WEBSOCKET_SERVER_HEADER_LEN_MAX + (uint32_t)payload.len);
    if (frame != NULL) {
        uint8_t *at = frame_bytes(frame);
        const size_t header_len =
            websocket_encode_header(at, WEBSOCKET_FIN | opcode, payload.len, NULL);
        if (payload.len > 0) {
            memcpy(at + header_len, payload.at, payload.len);
        }
        frame->len = (uint32_t)(header_len + payload.len);
    }
    return frame;
}

static bool make_pings(struct edge *edge)
{
    bool is_made = true;
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        const enum client_protocol protocol = (enum client_protocol)i;
        edge->pings[i] = make_frame(connection_opcode(protocol), client_protocol_ping(protocol));
        is_made = is_made && edge->pings[i] != NULL;
    }
    edge->frame_ping = make_frame(WEBSOCKET_OPCODE_PING, SPAN_EMPTY);
    return is_made && edge->frame_ping != NULL;
}

static void release_pings(struct edge *edge)
{
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        if (edge->pings[i] != NULL) {
            frame_release(edge->pings[i]);
        }
    }
    if (edge->frame_ping != NULL) {
        frame_release(edge->frame_ping);
    }
}

static uint32_t ping_step_ms(uint64_t interval_ms)
{
    uint32_t step_ms = PING_STEP_MS_MAX;
    while (step_ms > 1 && step_ms * 64 > interval_ms) {
        step_ms /= 2;
    }
    return step_ms;
}

static bool make_verifiers(struct edge *edge)
{
    const struct client_options *client = &edge->options->client;
    const struct token_options *const options[KEY_SOURCES] = {
        [KEYS_OF_CONNECTIONS] = &client->token,
        [KEYS_OF_SUBSCRIPTIONS] = &client->subscription_token,
    };
    bool is_made = true;
    for (uint32_t i = 0; i <= edge_keys_for_subscriptions(edge); i++) {
        is_made =
            verifier_init(&edge->verifiers[i], options[i],
                          client->insecure_skip_token_signature_verify) &&
            key_source_init(&edge->key_sources[i], edge, (enum key_source_use)i, options[i]) &&
            is_made;
        edge->verifiers[i].keys.jwks = edge->key_sources[i].jwks;
    }
    return is_made;
}

static void destroy_verifiers(struct edge *edge)
{
    for (uint32_t i = 0; i < KEY_SOURCES; i++) {
        key_source_destroy(&edge->key_sources[i]);
        verifier_destroy(&edge->verifiers[i]);
    }
}

struct edge *edge_create(struct actors *actors)
{
    struct edge *edge = calloc(1, sizeof(*edge));
    if (edge == NULL) {
        return NULL;
    }
    struct random *random = &actors->shard->random;
    edge->actors = actors;
    edge->options = actors->options;
    edge->shard = actors->shard;
    for (uint32_t i = 0; i < LISTENERS; i++) {
        edge->listeners[i].socket = -1;
    }
    list_init(&edge->users_told);
    list_init(&edge->users_due);
    list_init(&edge->users_unsure);
    list_init(&edge->moves);
    list_init(&edge->retries);
    edge->connections = pool_create(sizeof(struct connection), CONNECTIONS_A_SHARD_MAX);
    edge->sessions = pool_create(sizeof(struct session), CONNECTIONS_A_SHARD_MAX);
    edge->subscriptions = pool_create(sizeof(struct subscription), POOL_OBJECTS_MAX);
    edge->grants = pool_create(sizeof(struct subscription_grant), POOL_OBJECTS_MAX);
    edge->hub_channels = pool_create(sizeof(struct hub_channel), CHANNELS_A_SHARD_MAX);
    edge->calls = api_pool_create();
    edge->series = api_series_pool_create();
    edge->backends = backends_create(edge);
    edge->tracking = tracking_create(edge);
    edge->key_poller = key_poller_create(edge);
    key_poller_make_epoch(edge, edge->poll_epoch);
    edge->proxy_calls = proxy_pool_create();
    proxy_uses_find(edge->options, &edge->proxy_uses);
    edge->stopwatch = stopwatch_create();
    edge->map_catch_ups = map_catch_ups_pool_create();
    edge->hub = map_create(key_of_hub_channel, random);
    edge->users = map_create(key_of_user, random);
    edge->filters = filters_create(random);
    edge->revocations = revocations_create(REVOCATIONS_MAX, random);
    edge->apps = apps_create(random, edge->options);
    edge->emulated = map_create(key_of_fallback, random);
    edge->ping_step_ms = ping_step_ms(actors->options->client.ping_interval_ms);
    edge->scratch = malloc(EDGE_SCRATCH_SIZE);
    const bool is_made =
        edge->connections != NULL && edge->sessions != NULL && edge->subscriptions != NULL &&
        edge->grants != NULL && edge->hub_channels != NULL && edge->calls != NULL &&
        edge->series != NULL && edge->backends != NULL && edge->proxy_calls != NULL &&
        edge->stopwatch != NULL && edge->map_catch_ups != NULL && edge->tracking != NULL &&
        edge->key_poller != NULL && edge->hub != NULL && edge->users != NULL &&
        edge->filters != NULL && edge->revocations != NULL && edge->apps != NULL &&
        edge->emulated != NULL && edge->scratch != NULL && make_pings(edge) &&
        make_verifiers(edge) && rates_init(edge);
    if (!is_made) {
        edge_destroy(edge);
        return NULL;
    }
    return edge;
}

/* The first `count` of the closed ones. */
static void edge_free_closed(struct edge *edge, uint32_t count)
{
    struct connection_list *closed = &edge->closed;
    if (count == 0) {
        return; /* There may be no array yet, whose items could be moved. */
    }
    for (uint32_t i = 0; i < count; i++) {
        connection_free(edge, closed->items[i]);
    }
    closed->len -= count;
    memmove(closed->items, closed->items + count, closed->len * sizeof(struct connection *));
}

/* Clients are not told any more: whoever wants that lets the node drain first. */
static void edge_close_all(struct edge *edge)
{
    uint32_t cursor = 0;
    uint32_t handle;
    struct connection *conn;
    while ((conn = pool_next(edge->connections, &cursor, &handle)) != NULL) {
        connection_close(edge, conn);
    }
}

/* Those that only wait for their directory. */
static void edge_end_sessions(struct edge *edge)
{
    uint32_t cursor = 0;
    uint32_t handle;
    struct session *session;
    while ((session = pool_next(edge->sessions, &cursor, &handle)) != NULL) {
        session_close(edge, session);
    }
}

void edge_destroy(struct edge *edge)
{
    if (edge == NULL) {
        return;
    }
    edge->is_ending = true;
    timer_stop(edge->shard->timers, &edge->stop_timer);
    timer_stop(edge->shard->timers, &edge->moves_timer);
    timer_stop(edge->shard->timers, &edge->users_timer);
    map_presence_stop(edge);
    if (edge->connections != NULL && edge->hub != NULL) {
        listeners_close(edge);
        edge_close_all(edge);
        edge_free_closed(edge, edge->closed.len);
        edge_end_sessions(edge);
    }
    broadcast_destroy(edge);
    tracking_destroy(edge->tracking);
    key_poller_destroy(edge->key_poller);
    backends_destroy(edge->backends);
    pool_destroy(edge->proxy_calls);
    stopwatch_destroy(edge->stopwatch);
    pool_destroy(edge->map_catch_ups);
    free(edge->proxy_text);
    free(edge->ready.items);
    free(edge->closed.items);
    api_destroy(edge);
    api_series_destroy(edge);
    destroy_verifiers(edge);
    rates_destroy(edge);
    revocations_destroy(edge->revocations);
    apps_destroy(edge->apps);
    release_pings(edge);
    deflate_compressor_destroy(edge->compressor);
    deflate_inflater_destroy(edge->inflater);
    map_destroy(edge->hub);
    if (edge->users != NULL) {
        users_end(edge);
    }
    map_destroy(edge->users);
    filters_destroy(edge->filters);
    map_destroy(edge->emulated);
    pool_destroy(edge->connections);
    pool_destroy(edge->sessions);
    pool_destroy(edge->subscriptions);
    pool_destroy(edge->grants);
    pool_destroy(edge->hub_channels);
    pool_destroy(edge->calls);
    pool_destroy(edge->series);
    free(edge->decoded);
    free(edge->scratch);
    free(edge);
}

bool edge_start(struct edge *edge)
{
    if (edge->options->cluster.enabled) {
        users_on_placement(edge); /* Other nodes may not know of this one yet. */
    }
    map_presence_start(edge);
    return listeners_open(edge);
}

struct span edge_encode(struct edge *edge, edge_encode_function *encode, const void *what,
                        uint8_t **larger)
{
    struct writer out = writer_of(edge->scratch, EDGE_SCRATCH_SIZE);
    encode(&out, what);
    *larger = NULL;
    if (writer_is_overflown(&out)) {
        const size_t size = writer_written_len(&out) + out.overflow;
        *larger = malloc(size);
        if (*larger == NULL) {
            return SPAN_EMPTY;
        }
        out = writer_of(*larger, size);
        encode(&out, what);
    }
    return writer_written(&out);
}

static void edge_on_survey(struct edge *edge, const struct message *message)
{
    const struct message_survey body = message_as_survey(message);
    struct message_survey_result result = {.op = body.op};
    if (body.op == SURVEY_CHANNELS) {
        result.result = hub_survey(edge, body.pattern, &result.error);
    } else if (body.op == SURVEY_POLL_PUBLISH) {
        result.error =
            key_poller_publish(edge, span_of_buf(body.pattern), span_of_buf(body.request));
    } else if (body.op == SURVEY_CONNECTIONS) {
        result.result = connections_survey(edge, body.pattern, &result.error);
    }
    message_release(message);
    OUTBOX_SEND(edge->actors->outbox, message->from, survey_result, message->handle, &result);
}

void edge_on_poll_message(struct edge *edge, const struct message *message)
{
    if (message->type == MESSAGE_POLL_TRACK || message->type == MESSAGE_POLL_UNTRACK) {
        key_poller_on_message(edge, message);
    } else {
        tracking_on_message(edge, message);
    }
}

/* What only the server API asks for. */
static void edge_on_call_answer(struct edge *edge, const struct message *message)
{
    if (message->type == MESSAGE_SURVEY_RESULT) {
        api_on_survey_result(edge, message);
    } else if (message->type == MESSAGE_NODES) {
        api_on_nodes(edge, message);
    } else {
        api_on_revoked(edge, message);
    }
}

static void edge_on_history(struct edge *edge, const struct message *message)
{
    const uint32_t origin = message_as_history(message).origin;
    if (origin == ORIGIN_SESSION) {
        streams_on_history(edge, message);
    } else if (origin == ORIGIN_CATCH_UP) {
        map_subscriptions_on_stream(edge, message);
    } else {
        api_on_history(edge, message);
    }
}

static void edge_on_map_page(struct edge *edge, const struct message *message)
{
    if (message_as_map_page(message).origin == ORIGIN_CATCH_UP) {
        map_subscriptions_on_keys(edge, message);
    } else {
        api_on_map_page(edge, message);
    }
}

void edge_on_message(struct edge *edge, const struct message *message)
{
    switch ((enum message_type)message->type) {
    case MESSAGE_SUBSCRIBED:
        hub_on_subscribed(edge, message);
        break;
    case MESSAGE_MOVED:
        hub_on_moved(edge, message);
        break;
    case MESSAGE_PUBLICATION:
        broadcast_on_publication(edge, message);
        break;
    case MESSAGE_PUBLISHED:
        if (message_as_published(message).origin == ORIGIN_SESSION) {
            session_on_published(edge, message);
        } else if (message_as_published(message).origin == ORIGIN_API) {
            api_on_published(edge, message);
        }
        break;
    case MESSAGE_PRESENCE:
        if (message_as_presence(message).origin == ORIGIN_SESSION) {
            session_on_presence(edge, message);
        } else {
            api_on_presence(edge, message);
        }
        break;
    case MESSAGE_HISTORY:
        edge_on_history(edge, message);
        break;
    case MESSAGE_MAP_PAGE:
        edge_on_map_page(edge, message);
        break;
    case MESSAGE_USER_ADDED:
        session_on_user_added(edge, message);
        break;
    case MESSAGE_USER_TAKEN:
        rates_on_taken(edge, message);
        break;
    case MESSAGE_SESSION_COMMAND:
        session_on_command(edge, message);
        break;
    case MESSAGE_SURVEY:
        edge_on_survey(edge, message);
        break;
    case MESSAGE_EMULATE:
        emulation_on_emulate(edge, message);
        break;
    case MESSAGE_EMULATED:
        emulation_on_emulated(edge, message);
        break;
    case MESSAGE_REVOCATIONS:
        revoked_on_entries(edge, message);
        break;
    case MESSAGE_USERS_WANTED:
        users_on_wanted(edge, message);
        break;
    case MESSAGE_SURVEY_RESULT:
    case MESSAGE_NODES:
    case MESSAGE_REVOKED:
        edge_on_call_answer(edge, message);
        break;
    default:
        BUG_IF(true); /* Not in the catalogue as a message to an edge. */
    }
}

void edge_on_event(struct edge *edge, uint64_t token, uint32_t events)
{
    if (token >> 32 == EDGE_TOKEN_LISTENER) {
        listener_on_event(edge, (enum listener_kind)(uint32_t)token);
        return;
    }
    if (token >> 32 == EDGE_TOKEN_BACKEND) {
        backends_on_event(edge->backends, (uint32_t)token);
        return;
    }
    struct connection *conn = pool_get(edge->connections, (uint32_t)token);
    if (conn == NULL) {
        actors_count(edge->actors, COUNTER_STALE_EVENTS);
        return;
    }
    connection_on_event(edge, conn, events);
}

/* ---- stopping ---- */

/* The turn that it begins does the rest: edge_drive_stop. */
static void edge_on_stop_timer(struct timer *timer, void *actor)
{
    (void)timer;
    (void)actor;
}

/* Every client is told to come back elsewhere; who does not go in time is cut. */
static void edge_begin_stop(struct edge *edge)
{
    edge->stop_seen = true;
    edge->stop_deadline_ms = edge->shard->now_ms + edge->options->shutdown_timeout_ms;
    timer_set(edge->shard->timers, &edge->stop_timer, edge->stop_deadline_ms, edge_on_stop_timer);
    listeners_close(edge);
    uint32_t cursor = 0;
    uint32_t handle;
    struct connection *conn;
    while ((conn = pool_next(edge->connections, &cursor, &handle)) != NULL) {
        if (conn->state == CONNECTION_SESSION) {
            session_disconnect(edge, conn->session, CLIENT_DISCONNECT_SHUTDOWN, SPAN_EMPTY);
        } else if (conn->state == CONNECTION_ECHO) {
            connection_end_websocket(edge, conn, WEBSOCKET_CLOSE_GOING_AWAY,
                                     SPAN_LITERAL("shutdown"), false);
        } else if (conn->state == CONNECTION_HTTP_HEAD) {
            connection_begin_closing(edge, conn);
        }
    }
}

static void edge_drive_stop(struct edge *edge)
{
    if (!node_is_stopping(edge->actors->node)) {
        return;
    }
    if (!edge->stop_seen) {
        edge_begin_stop(edge);
    }
    if (edge->shard->now_ms >= edge->stop_deadline_ms) {
        edge_close_all(edge);
    }
    struct webhooks *webhooks = edge->actors->webhooks;
    if (pool_count(edge->connections) == 0 && (webhooks == NULL || webhooks_have_ended(webhooks))) {
        __atomic_store_n(&edge->actors->node->shard_is_drained[edge->shard->id], 1,
                         __ATOMIC_RELEASE);
    }
}

void edge_on_turn_end(struct edge *edge)
{
    broadcast_flush(edge);
    users_on_turn_end(edge);
    revoked_on_turn_end(edge);
    /* Those that closed up to now are named by no list but the one that is worked off here. */
    const uint32_t closed = edge->closed.len;
    const uint32_t ready = edge->ready.len;
    struct connection **items = edge->ready.items;
    for (uint32_t i = 0; i < ready; i += TURN_SENDS) {
        const uint32_t left = ready - i;
        const uint32_t count = left < TURN_SENDS ? left : TURN_SENDS;
        for (uint32_t j = 0; j < count; j++) {
            items[i + j]->flags &= (uint16_t)~CONNECTION_READY;
        }
        connection_on_turn_end(edge, items + i, count);
    }
    /* Those that made themselves ready again wait for the next turn. */
    edge->ready.len -= ready;
    if (edge->ready.len > 0) {
        memmove(items, items + ready, edge->ready.len * sizeof(struct connection *));
    }
    edge_free_closed(edge, closed);
    backends_on_turn_end(edge->backends);
    edge_drive_stop(edge);
}

static void connection_list_trim(struct connection_list *list)
{
    if (list->len == 0) {
        free(list->items);
        *list = (struct connection_list){0};
    }
}

void edge_trim(struct edge *edge)
{
    struct pool *const pools[] = {edge->connections, edge->sessions,     edge->subscriptions,
                                  edge->grants,      edge->hub_channels, edge->calls,
                                  edge->proxy_calls, edge->series};
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        pool_trim(pools[i]);
    }
    rates_trim(edge);
    /* Both have room for every open connection. */
    if (pool_count(edge->connections) == 0) {
        connection_list_trim(&edge->ready);
        connection_list_trim(&edge->closed);
    }
}

void edge_on_placement(struct edge *edge)
{
    users_on_placement(edge);
}

bool edge_has_work(const struct edge *edge)
{
    return users_has_work(edge) || revoked_has_work(edge) || backends_has_work(edge->backends) ||
           edge->ready.len > 0 || edge->closed.len > 0;
}
