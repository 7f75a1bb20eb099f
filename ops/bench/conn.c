/* SPDX-License-Identifier: Apache-2.0 */
/* One connection's descriptor: opening from many addresses, upgrading, reading, sending, closing.
 */
#include "ops/bench/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/websocket.h"

enum { CONNECTIONS_AN_ADDRESS = 10000, JOIN_SIZE = 512, REQUEST_SIZE = 512 };

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

void channel_name(uint32_t channel, char out[CHANNEL_NAME_SIZE])
{
    snprintf(out, CHANNEL_NAME_SIZE, "bench%u", channel);
}

/* Those that only fill the server share a silent channel; an echo needs one of its own. */
void conn_channel_name(const struct worker *worker, uint32_t index, char out[CHANNEL_NAME_SIZE])
{
    const uint8_t listens = CONN_SUBSCRIBER | CONN_LISTENER | CONN_PUBLISHER;
    if (worker->engine->plan.is_echo) {
        snprintf(out, CHANNEL_NAME_SIZE, "echo%u", (unsigned)conn_number(worker, index));
    } else if ((worker->conns[index].flags & listens) != 0) {
        channel_name(conn_channel(worker, index), out);
    } else {
        snprintf(out, CHANNEL_NAME_SIZE, "bench-idle");
    }
}

/*
 * On loopback every address 127.x.y.z is ours, and each brings its own ports. The process takes
 * part in the choice, so that several of them do not fight for the same.
 */
static bool conn_bind(const struct worker *worker, int fd, uint32_t index)
{
    const uint32_t target = ntohl(worker->engine->target.sin_addr.s_addr);
    if (target >> 24 != 127) {
        return true;
    }
    const uint64_t number = conn_number(worker, index) / CONNECTIONS_AN_ADDRESS;
    const uint32_t low = (uint32_t)((uint64_t)getpid() * 997 + number) % 0xfeffffu;
    struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(UINT32_C(0x7f010000) + low),
    };
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&source, sizeof source) == 0;
}

static void conn_refused(struct worker *worker, uint32_t index, const char *what)
{
    worker_fail(worker, what, span_of_text(strerror(errno)));
    counter_add(&worker->counters.refused, 1);
    conn_close(worker, index);
}

static uint8_t conn_role(const struct worker *worker, uint32_t index)
{
    const struct engine *engine = worker->engine;
    if (conn_is_publisher(worker, index)) {
        return CONN_PUBLISHER;
    }
    if (conn_number(worker, index) >= engine->plan.subscribers) {
        return engine->plan.fillers_listen ? CONN_LISTENER : 0;
    }
    return engine->options->no_publish ? CONN_LISTENER : CONN_SUBSCRIBER | CONN_SYNCED;
}

void conn_open(struct worker *worker, uint32_t index, uint64_t due_ns)
{
    struct conn *conn = &worker->conns[index];
    const int on = 1;
    conn->order = order_from(0);
    conn->sent = 0;
    conn->due_ns = due_ns;
    conn->flags = conn_role(worker, index);
    conn->generation++;
    conn->state = CONN_CONNECTING;
    counter_add(&worker->counters.opened, 1);
    counter_add(&worker->counters.handshakes, 1);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        conn_refused(worker, index, "no socket");
        return;
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!conn_bind(worker, conn->fd, index)) {
        conn_refused(worker, index, "no source address");
        return;
    }
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u64 = (uint64_t)conn->generation << 32 | index,
    };
    const struct sockaddr_in *target = conn_is_publisher(worker, index)
                                           ? &worker->engine->publish_target
                                           : &worker->engine->target;
    if ((connect(conn->fd, (const struct sockaddr *)target, sizeof *target) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(worker->epoll, EPOLL_CTL_ADD, conn->fd, &event) != 0) {
        conn_refused(worker, index, "cannot connect");
    }
}

void conn_close(struct worker *worker, uint32_t index)
{
    struct conn *conn = &worker->conns[index];
    if (conn->state == CONN_CLOSED) {
        return;
    }
    counter_subtract(conn->state == CONN_READY ? &worker->counters.ready
                                               : &worker->counters.handshakes,
                     1);
    if (conn->fd >= 0) {
        close(conn->fd);
    }
    free(conn->carry);
    free(conn->rest);
    conn->carry = NULL;
    conn->rest = NULL;
    conn->carry_len = 0;
    conn->rest_len = 0;
    conn->fd = -1;
    conn->state = CONN_CLOSED;
}

/* The server left, or said what we cannot read. */
static void conn_gone(struct worker *worker, uint32_t index, const char *why)
{
    const bool was_ready = worker->conns[index].state == CONN_READY;
    worker_fail(worker, was_ready ? "a connection was lost" : "a connection was refused",
                span_of_text(why));
    counter_add(was_ready ? &worker->counters.lost : &worker->counters.refused, 1);
    conn_close(worker, index);
}

static void conn_keep_rest(struct worker *worker, uint32_t index, const uint8_t *at, size_t len)
{
    struct conn *conn = &worker->conns[index];
    uint8_t *grown = realloc(conn->rest, conn->rest_len + len);
    if (grown == NULL) {
        conn_gone(worker, index, "memory is out");
        return;
    }
    memcpy(grown + conn->rest_len, at, len);
    conn->rest = grown;
    conn->rest_len += (uint32_t)len;
}

void conn_send(struct worker *worker, uint32_t index, const uint8_t *at, size_t len)
{
    struct conn *conn = &worker->conns[index];
    if (conn->state == CONN_CLOSED) {
        return;
    }
    if (conn->rest_len > 0) {
        conn_keep_rest(worker, index, at, len);
        return;
    }
    const ssize_t taken = send(conn->fd, at, len, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        conn_gone(worker, index, strerror(errno));
        return;
    }
    counter_add(&worker->counters.bytes_out, len);
    const size_t done = taken < 0 ? 0 : (size_t)taken;
    if (done < len) {
        conn_keep_rest(worker, index, at + done, len - done);
    }
}

static void conn_send_rest(struct worker *worker, uint32_t index)
{
    struct conn *conn = &worker->conns[index];
    const ssize_t taken = send(conn->fd, conn->rest, conn->rest_len, MSG_NOSIGNAL);
    if (taken < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            conn_gone(worker, index, strerror(errno));
        }
        return;
    }
    conn->rest_len -= (uint32_t)taken;
    memmove(conn->rest, conn->rest + taken, conn->rest_len);
    if (conn->rest_len == 0) {
        free(conn->rest);
        conn->rest = NULL;
    }
}

void conn_send_message(struct worker *worker, uint32_t index, struct span message)
{
    const struct protocol *protocol = worker->engine->protocol;
    uint8_t frame[WEBSOCKET_HEADER_LEN_MAX + JOIN_SIZE];
    const unsigned first =
        WEBSOCKET_FIN | (protocol->is_binary ? WEBSOCKET_BINARY : WEBSOCKET_TEXT);
    const size_t header_len = websocket_encode_header(frame, first, message.len, protocol->mask);
    uint32_t mask;
    memcpy(&mask, protocol->mask, sizeof mask);
    memcpy(frame + header_len, message.at, message.len);
    websocket_mask(frame + header_len, message.len, mask);
    conn_send(worker, index, frame, header_len + message.len);
}

void conn_ready(struct worker *worker, uint32_t index)
{
    struct conn *conn = &worker->conns[index];
    conn->state = CONN_READY;
    counter_subtract(&worker->counters.handshakes, 1);
    counter_add(&worker->counters.ready, 1);
    counter_add(&worker->counters.joined, 1);
    const uint64_t now = engine_now_ns();
    hist_record(worker->connect_latency, now > conn->due_ns ? now - conn->due_ns : 0);
    traffic_ready(worker, index);
}

/* The path with its %s, if it has one, replaced by the channel. */
static void conn_path(const struct worker *worker, uint32_t index, char *out, size_t size)
{
    const struct engine *engine = worker->engine;
    const struct protocol *protocol = engine->protocol;
    const char *path = engine->options->path;
    if (path == NULL && engine->plan.is_echo) {
        path = protocol->path_echo;
    } else if (path == NULL && conn_is_publisher(worker, index)) {
        path = protocol->path_publish;
    }
    path = path == NULL ? protocol->path : path;
    const char *hole = strstr(path, "%s");
    if (hole == NULL) {
        snprintf(out, size, "%s", path);
        return;
    }
    char name[CHANNEL_NAME_SIZE];
    conn_channel_name(worker, index, name);
    snprintf(out, size, "%.*s%s%s", (int)(hole - path), path, name, hole + 2);
}

static void conn_upgrade(struct worker *worker, uint32_t index)
{
    const struct engine *engine = worker->engine;
    const struct protocol *protocol = engine->protocol;
    char path[160];
    char request[REQUEST_SIZE];
    conn_path(worker, index, path, sizeof path);
    const int len =
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Key: cm9vc3QtYmVuY2gga2V5IQ==\r\n"
                 "Sec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                 path, engine->options->host, ntohs(engine->target.sin_port),
                 protocol->subprotocol == NULL ? "" : "Sec-WebSocket-Protocol: ",
                 protocol->subprotocol == NULL ? "" : protocol->subprotocol,
                 protocol->subprotocol == NULL ? "" : "\r\n");
    worker->conns[index].state = CONN_UPGRADING;
    conn_send(worker, index, (const uint8_t *)request, (size_t)len);
}

/* The answer to the upgrade: all of its head, with status 101 and our key's answer. */
static bool conn_upgraded(struct worker *worker, uint32_t index, const uint8_t **at,
                          const uint8_t *end)
{
    const size_t len = (size_t)(end - *at);
    const uint8_t *blank = memmem(*at, len, "\r\n\r\n", 4);
    if (blank == NULL) {
        return true;
    }
    const size_t head_len = (size_t)(blank - *at);
    const char *accept = worker->engine->accept_key;
    if (head_len < 12 || memcmp(*at, "HTTP/1.1 101", 12) != 0 ||
        memmem(*at, head_len, accept, strlen(accept)) == NULL) {
        worker_fail(worker, "the upgrade was answered with",
                    span_of(*at, span_index_of(span_of(*at, head_len), '\r')));
        return false;
    }
    *at = blank + 4;
    const struct protocol *protocol = worker->engine->protocol;
    if (protocol->join == NULL) {
        conn_ready(worker, index);
        return true;
    }
    uint8_t message[JOIN_SIZE];
    char name[CHANNEL_NAME_SIZE];
    struct writer out = writer_of(message, sizeof message);
    conn_channel_name(worker, index, name);
    worker->conns[index].state = CONN_JOINING;
    protocol->join(&out, conn_is_publisher(worker, index) ? NULL : name);
    conn_send_message(worker, index, writer_written(&out));
    return true;
}

/* Hands on what came; what is left is the front of something incomplete. */
static bool conn_parse(struct worker *worker, uint32_t index, size_t len)
{
    struct conn *conn = &worker->conns[index];
    const uint8_t *at = worker->in;
    const uint8_t *end = worker->in + len;
    if (conn->state == CONN_UPGRADING && !conn_upgraded(worker, index, &at, end)) {
        return false;
    }
    if (conn->state > CONN_UPGRADING && !receive_bytes(worker, index, &at, end)) {
        return false;
    }
    const size_t left = (size_t)(end - at);
    if (conn->state == CONN_CLOSED || left == 0) {
        return true;
    }
    conn->carry = malloc(left);
    if (conn->carry == NULL) {
        return false;
    }
    memcpy(conn->carry, at, left);
    conn->carry_len = (uint32_t)left;
    return true;
}

/* Returns whether more may be waiting; behind the last byte waits the end of the stream. */
static bool conn_read(struct worker *worker, uint32_t index, bool is_ending)
{
    struct conn *conn = &worker->conns[index];
    const size_t before = conn->carry_len;
    if (before > 0) {
        memcpy(worker->in, conn->carry, before);
    }
    const size_t room = ENGINE_IN_SIZE - before;
    const ssize_t len = recv(conn->fd, worker->in + before, room, 0);
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return false;
    }
    if (len <= 0) {
        conn_gone(worker, index, len == 0 ? "the server closed it" : strerror(errno));
        return false;
    }
    free(conn->carry);
    conn->carry = NULL;
    conn->carry_len = 0;
    counter_add(&worker->counters.bytes_in, (uint64_t)len);
    worker->now_ns = engine_now_ns();
    worker->echo_credit = 0;
    if (!conn_parse(worker, index, before + (size_t)len)) {
        conn_gone(worker, index, "what it sent cannot be read");
        return false;
    }
    if (worker->echo_credit > 0 && conn->state == CONN_READY && worker_stage(worker)->rate == 0) {
        traffic_echo_send(worker, index, worker->echo_credit, worker->now_ns);
    }
    return conn->state != CONN_CLOSED && (is_ending || (size_t)len == room);
}

void conn_event(struct worker *worker, uint32_t index, uint32_t events)
{
    struct conn *conn = &worker->conns[index];
    if (conn->state == CONN_CONNECTING && (events & EPOLLOUT) != 0 &&
        (events & (EPOLLERR | EPOLLHUP)) == 0) {
        conn_upgrade(worker, index);
    }
    if (conn->state != CONN_CLOSED && conn->rest_len > 0 && (events & EPOLLOUT) != 0) {
        conn_send_rest(worker, index);
    }
    const bool is_ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if ((events & EPOLLIN) != 0 || is_ending) {
        bool more = conn->state != CONN_CLOSED;
        while (more) {
            more = conn_read(worker, index, is_ending);
        }
    }
}
