/* SPDX-License-Identifier: Apache-2.0 */
/* The backend's node: one shard that accepts, collects what comes, and does nothing by itself. */
#include "tests/unit/shards/backend_rig.h"

#include <stdio.h>

enum { PORT = 80, TOKEN_LISTENER = 1u << 31 };

static bool on_start(void *actor, struct shard *shard)
{
    struct backend_rig *backend = actor;
    struct socket_address any;
    backend->shard = shard;
    assert_true(socket_address_parse("0.0.0.0", PORT, &any));
    backend->listener = poller_listen(shard->poller, &any, 64);
    return backend->listener >= 0 && poller_watch(shard->poller, backend->listener, TOKEN_LISTENER);
}

static void on_message(void *actor, const struct message *message)
{
    (void)actor;
    (void)message;
}

static void accept_all(struct backend_rig *backend)
{
    int socket;
    while ((socket = poller_accept(backend->shard->poller, backend->listener, NULL)) >= 0) {
        assert_true(backend->peers_len < BACKEND_PEERS_MAX);
        backend->peers[backend->peers_len].socket = socket;
        assert_true(poller_watch(backend->shard->poller, socket, backend->peers_len));
        backend->peers_len++;
    }
}

static void on_event(void *actor, uint64_t token, uint32_t events)
{
    struct backend_rig *backend = actor;
    (void)events;
    if (token == TOKEN_LISTENER) {
        accept_all(backend);
        return;
    }
    struct backend_peer *peer = &backend->peers[token];
    char bytes[4096];
    ssize_t got = POLLER_AGAIN;
    while (peer->socket >= 0 &&
           (got = poller_receive(backend->shard->poller, peer->socket, bytes, sizeof(bytes))) > 0) {
        edge_text_add(&peer->in, bytes, (size_t)got);
    }
    if (peer->socket >= 0 && got != POLLER_AGAIN) {
        poller_close(backend->shard->poller, peer->socket);
        peer->socket = -1;
    }
}

static void on_turn_end(void *actor)
{
    (void)actor;
}

static bool has_work(void *actor)
{
    (void)actor;
    return false;
}

static const struct shard_actor *ops_of(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = on_start,
        .on_message = on_message,
        .on_event = on_event,
        .on_turn_end = on_turn_end,
        .has_work = has_work,
        .stop = on_turn_end,
    };
    (void)id;
    return &ops;
}

static void *actor_of(uint32_t id, void *context)
{
    (void)id;
    return context;
}

void backend_rig_init(struct backend_rig *backend, struct edge_rig *rig)
{
    memset(backend, 0, sizeof(*backend));
    backend->rig = rig;
    backend->endpoint = (struct endpoint_options){
        .url = "http://backend/ask?a=b",
        .host = "backend",
        .authority = "backend",
        .target = "/ask?a=b",
    };
    /* The node of the rig is the first, this one the second. */
    sim_node_address(1, PORT, &backend->endpoint.address);
    rig->options.endpoints = &backend->endpoint;
    rig->options.endpoints_len = 1;
}

void backend_rig_start(struct backend_rig *backend)
{
    const struct shard_set_options set = {.count = 1,
                                          .actor_ops = ops_of,
                                          .actor_create = actor_of,
                                          .context = backend};
    backend->number = sim_add_node(backend->rig->sim, &set);
    assert_int_equal(backend->number, 1);
}

void backend_close(struct backend_rig *backend, uint32_t peer)
{
    if (backend->peers[peer].socket >= 0) {
        poller_close(backend->shard->poller, backend->peers[peer].socket);
        backend->peers[peer].socket = -1;
    }
    edge_rig_settle(backend->rig);
}

void backend_rig_stop(struct backend_rig *backend)
{
    for (uint32_t i = 0; i < backend->peers_len; i++) {
        backend_close(backend, i);
        free(backend->peers[i].in.at);
    }
    free(backend->head.at);
    free(backend->body.at);
    edge_rig_advance(backend->rig, 1);
}

/* The length of a whole request at the front of what was not heard; 0: none is there. */
static size_t request_len(const struct backend_peer *peer, size_t *head_len)
{
    const char *at = peer->in.at == NULL ? "" : peer->in.at + peer->heard;
    const char *end = strstr(at, "\r\n\r\n");
    const char *length = strstr(at, "Content-Length: ");
    if (end == NULL) {
        return 0;
    }
    *head_len = (size_t)(end - at) + 4;
    const bool has_body = length != NULL && length < end;
    const size_t len = *head_len + (has_body ? strtoul(length + 16, NULL, 10) : 0);
    return peer->in.len - peer->heard >= len ? len : 0;
}

bool backend_has_news(struct backend_rig *backend)
{
    edge_rig_settle(backend->rig);
    for (uint32_t i = 0; i < backend->peers_len; i++) {
        if (backend->peers[i].in.len > backend->peers[i].heard) {
            return true;
        }
    }
    return false;
}

uint32_t backend_hear_from(const char *file, int line, struct backend_rig *backend,
                           const char *body)
{
    edge_rig_settle(backend->rig);
    for (uint32_t i = 0; i < backend->peers_len; i++) {
        struct backend_peer *peer = &backend->peers[i];
        size_t head_len = 0;
        const size_t len = request_len(peer, &head_len);
        if (len == 0) {
            continue;
        }
        backend->head.len = 0;
        backend->body.len = 0;
        edge_text_add(&backend->head, peer->in.at + peer->heard, head_len);
        edge_text_add(&backend->body, peer->in.at + peer->heard + head_len, len - head_len);
        peer->heard += len;
        if (body != NULL && !edge_text_matches(backend->body.at, body)) {
            print_error("heard    %s\nexpected %s\n", backend->body.at, body);
            _fail(file, line);
        }
        return i;
    }
    print_error("no request came, expected %s\n", body == NULL ? "any" : body);
    _fail(file, line);
    return 0;
}

void backend_say(struct backend_rig *backend, uint32_t peer, const char *bytes)
{
    const struct iovec slice = {(void *)(uintptr_t)bytes, strlen(bytes)};
    assert_true(backend->peers[peer].socket >= 0);
    assert_int_equal(poller_send(backend->shard->poller, backend->peers[peer].socket, &slice, 1),
                     slice.iov_len);
    edge_rig_settle(backend->rig);
}

void backend_answer(struct backend_rig *backend, uint32_t peer, const char *body)
{
    char *text;
    assert_true(asprintf(&text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
                         body) > 0);
    backend_say(backend, peer, text);
    free(text);
}

bool backend_is_left(struct backend_rig *backend, uint32_t peer)
{
    edge_rig_settle(backend->rig);
    return backend->peers[peer].socket < 0;
}
