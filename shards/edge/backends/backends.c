/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to endpoints: asked, queued, given to connections, answered, given up. */
#include "shards/edge/backends/backends.h"

#include <stdlib.h>
#include <string.h>

#include "shards/edge/backends/backends_state.h"
#include "shards/edge/polls/key_poller.h"
#include "shards/edge/backends/proxy.h"
#include "shards/edge/backends/webhooks.h"

/* How often is looked whether the helper thread has found an address. */
enum { PLACES_LOOK_MS = 20 };

struct backends *backends_create(struct edge *edge)
{
    struct backends *backends = calloc(1, sizeof(*backends));
    if (backends == NULL) {
        return NULL;
    }
    const uint32_t len = (uint32_t)edge->options->endpoints_len;
    backends->edge = edge;
    backends->shard = edge->shard;
    list_init(&backends->due);
    backends->asks = pool_create(sizeof(struct backend_ask), BACKEND_ASKS_MAX);
    backends->conns = pool_create(sizeof(struct backend_conn), BACKEND_ASKS_MAX);
    backends->of = calloc(len + 1, sizeof(*backends->of));
    if (backends->asks == NULL || backends->conns == NULL || backends->of == NULL) {
        backends_destroy(backends);
        return NULL;
    }
    backends->len = len;
    for (uint32_t i = 0; i < len; i++) {
        struct backend *backend = &backends->of[i];
        backend->backends = backends;
        backend->options = &edge->options->endpoints[i];
        list_init(&backend->waiting);
        list_init(&backend->idle);
    }
    return backends;
}

static void ask_free(struct backend_ask *ask)
{
    struct backends *backends = ask->backend->backends;
    if (list_is_linked(&ask->link)) {
        list_remove(&ask->link);
        ask->backend->waiting_len--;
    }
    timer_stop(backends->shard->timers, &ask->timer);
    actors_gauge_add(backends->edge->actors, COUNTER_BACKEND_REQUESTS_INFLIGHT, -1);
    free(ask->text);
    pool_put(backends->asks, ask->handle);
}

void backends_destroy(struct backends *backends)
{
    if (backends == NULL) {
        return;
    }
    uint32_t cursor = 0;
    uint32_t handle;
    struct backend_conn *conn;
    while (backends->conns != NULL &&
           (conn = pool_next(backends->conns, &cursor, &handle)) != NULL) {
        backend_conn_close(conn);
    }
    struct backend_ask *ask;
    cursor = 0;
    while (backends->asks != NULL && (ask = pool_next(backends->asks, &cursor, &handle)) != NULL) {
        ask_free(ask);
    }
    for (uint32_t i = 0; i < backends->len; i++) {
        timer_stop(backends->shard->timers, &backends->of[i].timer);
    }
    pool_destroy(backends->asks);
    pool_destroy(backends->conns);
    free(backends->places);
    free(backends->of);
    free(backends);
}

/* ---- asking ---- */

static void write_request(struct writer *out, const struct endpoint_options *endpoint,
                          const struct backend_request *request)
{
    writer_put(out, request->is_get ? SPAN_LITERAL("GET ") : SPAN_LITERAL("POST "));
    writer_put(out, span_of_text(endpoint->target));
    writer_put_literal(out, " HTTP/1.1\r\nHost: ");
    writer_put(out, span_of_text(endpoint->authority));
    writer_put_literal(out, "\r\n");
    if (!request->is_get) {
        writer_put_literal(out, "Content-Type: application/json\r\n");
        http1_write_content_length(out, request->body.len);
    }
    writer_put(out, request->headers);
    http1_write_head_end(out);
    writer_put(out, request->body);
}

static bool make_text(struct backend_ask *ask, const struct backend_request *request)
{
    struct writer out = writer_for_measuring();
    write_request(&out, ask->backend->options, request);
    const size_t len = out.overflow;
    ask->text = malloc(len);
    if (ask->text == NULL) {
        return false;
    }
    out = writer_of(ask->text, len);
    write_request(&out, ask->backend->options, request);
    ask->text_len = len;
    return true;
}

static void ask_on_timer(struct timer *timer, void *context)
{
    struct backend_ask *ask = CONTAINER_OF(timer, struct backend_ask, timer);
    (void)context;
    if (ask->conn != NULL) {
        backend_conn_close(ask->conn);
    }
    backends_finish(ask, &(struct backend_answer){.outcome = BACKEND_TIMED_OUT});
}

uint32_t backends_ask(struct backends *backends, const struct backend_request *request)
{
    struct backend *backend = &backends->of[request->endpoint];
    struct shard *shard = backends->shard;
    uint32_t handle;
    struct backend_ask *ask =
        backend->waiting_len >= BACKEND_WAITING_MAX ? NULL : pool_take(backends->asks, &handle);
    if (ask == NULL) {
        actors_count(backends->edge->actors, COUNTER_BACKEND_REFUSED);
        return POOL_HANDLE_NONE;
    }
    ask->handle = handle;
    ask->backend = backend;
    ask->asker = (uint8_t)request->asker;
    ask->asker_handle = request->handle;
    if (!make_text(ask, request)) {
        pool_put(backends->asks, handle);
        actors_count(backends->edge->actors, COUNTER_BACKEND_REFUSED);
        return POOL_HANDLE_NONE;
    }
    actors_gauge_add(backends->edge->actors, COUNTER_BACKEND_REQUESTS_INFLIGHT, 1);
    list_append(&backend->waiting, &ask->link);
    backend->waiting_len++;
    timer_set(shard->timers, &ask->timer, shard->now_ms + request->timeout_ms, ask_on_timer);
    backends_make_due(backend);
    return handle;
}

void backends_cancel(struct backends *backends, uint32_t request)
{
    struct backend_ask *ask = pool_get(backends->asks, request);
    if (ask != NULL) {
        if (ask->conn != NULL) {
            backend_conn_close(ask->conn);
        }
        ask_free(ask);
    }
}

/* ---- addresses ---- */

/* Where the endpoint's host was found to be; NULL: not known, or not asked for. */
static const struct node_place *place_of(const struct backend *backend)
{
    const struct backends *backends = backend->backends;
    const uint32_t index = (uint32_t)(backend - backends->of);
    if (backends->places == NULL || index >= backends->places->len ||
        backends->places->of[index].len == 0) {
        return NULL;
    }
    return &backends->places->of[index];
}

bool backends_next_address(struct backend *backend, struct socket_address *out)
{
    struct backends *backends = backend->backends;
    if (backend->options->address.family != 0) {
        *out = backend->options->address;
        return true;
    }
    struct node_places *newer = node_take_places(backends->edge->actors->node, backends->shard->id);
    if (newer != NULL) {
        free(backends->places);
        backends->places = newer;
    }
    const struct node_place *place = place_of(backend);
    if (place != NULL) {
        *out = place->at[backend->next_address++ % place->len];
    }
    return place != NULL;
}

/* ---- ending ---- */

static enum counter outcome_counter(enum backend_outcome outcome)
{
    switch (outcome) {
    case BACKEND_ANSWERED:
        return COUNTER_BACKEND_ANSWERED;
    case BACKEND_TIMED_OUT:
        return COUNTER_BACKEND_TIMED_OUT;
    case BACKEND_UNREACHABLE:
        return COUNTER_BACKEND_UNREACHABLE;
    case BACKEND_BROKEN:
        break;
    }
    return COUNTER_BACKEND_BROKEN;
}

void backends_finish(struct backend_ask *ask, const struct backend_answer *answer)
{
    struct edge *edge = ask->backend->backends->edge;
    const enum backend_asker asker = (enum backend_asker)ask->asker;
    const uint32_t handle = ask->asker_handle;
    actors_count(edge->actors, outcome_counter(answer->outcome));
    ask_free(ask);
    switch (asker) {
    case BACKEND_ASKER_PROXY:
        proxy_on_answer(edge, handle, answer);
        break;
    case BACKEND_ASKER_KEYS:
        key_source_on_answer(&edge->key_sources[handle], answer);
        break;
    case BACKEND_ASKER_POLLER:
        key_poller_on_answer(edge, handle, answer);
        break;
    case BACKEND_ASKER_WEBHOOKS:
        webhooks_on_answer(edge->actors->webhooks, handle, answer);
        break;
    }
}

static uint32_t count_addresses(const struct backend *backend)
{
    const struct node_place *place = place_of(backend);
    return place == NULL ? 1 : place->len;
}

void backends_again(struct backend_ask *ask, enum backend_outcome outcome)
{
    struct backend *backend = ask->backend;
    ask->conn = NULL;
    if (++ask->addresses_tried >= count_addresses(backend)) {
        backends_finish(ask, &(struct backend_answer){.outcome = outcome});
        return;
    }
    list_prepend(&backend->waiting, &ask->link);
    backend->waiting_len++;
    backends_make_due(backend);
}

/* ---- beginning ---- */

void backends_make_due(struct backend *backend)
{
    if (!list_is_linked(&backend->due)) {
        list_append(&backend->backends->due, &backend->due);
    }
}

static void backend_on_timer(struct timer *timer, void *context)
{
    (void)context;
    backends_make_due(CONTAINER_OF(timer, struct backend, timer));
}

/* What waits gets a connection, while there are any. */
static void backend_begin(struct backend *backend)
{
    while (!list_is_empty(&backend->waiting)) {
        struct backend_ask *ask = CONTAINER_OF(backend->waiting.next, struct backend_ask, link);
        if (!list_is_empty(&backend->idle)) {
            backend_conn_use(CONTAINER_OF(backend->idle.next, struct backend_conn, link), ask);
        } else if (backend->conns >= BACKEND_CONNS_MAX ||
                   backend_conn_open(backend, ask) == BACKEND_OPEN_NOT_NOW) {
            break;
        }
    }
    if (!list_is_empty(&backend->waiting) && backend->conns == 0) {
        /* No address, or no descriptor: nothing that ends would tell to try again. */
        struct shard *shard = backend->backends->shard;
        timer_set(shard->timers, &backend->timer, shard->now_ms + PLACES_LOOK_MS, backend_on_timer);
    }
}

void backends_on_event(struct backends *backends, uint32_t handle)
{
    struct backend_conn *conn = pool_get(backends->conns, handle);
    if (conn == NULL) {
        actors_count(backends->edge->actors, COUNTER_STALE_EVENTS);
        return;
    }
    backend_conn_on_event(conn);
}

void backends_on_turn_end(struct backends *backends)
{
    struct list due;
    list_init(&due);
    /* Those that become due on the way wait for the next turn. */
    for (struct list *at; (at = list_take_first(&backends->due)) != NULL;) {
        list_append(&due, at);
    }
    for (struct list *at; (at = list_take_first(&due)) != NULL;) {
        backend_begin(CONTAINER_OF(at, struct backend, due));
    }
}

bool backends_has_work(const struct backends *backends)
{
    return !list_is_empty(&backends->due);
}

bool backends_are_busy(const struct backends *backends)
{
    return pool_count(backends->asks) > 0;
}
