/* SPDX-License-Identifier: Apache-2.0 */
/* What one link costs: messages a second and CPU a million messages, beside a bare send and recv of
 * the same bytes. Two threads on loopback, one for each end, the CPU of both counted.
 *
 *     links-bench [MESSAGES [SIZE [CERTIFICATE KEY AUTHORITY]]]
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shards/router/links/links.h"

enum {
    MESSAGES_DEFAULT = 5 * 1000 * 1000,
    SIZE_DEFAULT = 128,
    HEAD_LEN = 24, /* Of a message; the rest is its payload. */
    QUEUE_LEN = 256 * 1024,
    RAW_SEND_LEN = 256 * 1024,
    FILE_LEN_MAX = 64 * 1024,
};

struct end {
    struct links_options options;
    struct links *links;
    struct socket_address address;
    struct socket_address peer_address;
    struct gossip_uid peer;
    struct buf *payload;
    uint64_t messages;
    uint64_t count; /* Sent, or heard. */
    bool sends;
    bool is_up;
    uint32_t *is_done; /* Atomic. */
};

/* ---- what it took ---- */

struct reading {
    double wall_s;
    double cpu_s;
};

static struct reading read_clocks(void)
{
    struct timespec now;
    struct rusage usage;
    clock_gettime(CLOCK_MONOTONIC, &now);
    getrusage(RUSAGE_SELF, &usage);
    return (struct reading){
        .wall_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
        .cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
    };
}

static struct reading since(struct reading before)
{
    const struct reading now = read_clocks();
    return (struct reading){now.wall_s - before.wall_s, now.cpu_s - before.cpu_s};
}

/* ---- the link ---- */

static void on_up(void *owner, const struct gossip_uid *peer, uint32_t protocol)
{
    struct end *end = owner;
    (void)peer;
    (void)protocol;
    end->is_up = true;
}

static void on_down(void *owner, const struct gossip_uid *peer)
{
    struct end *end = owner;
    (void)peer;
    end->is_up = false;
}

static void on_link_message(void *owner, const struct gossip_uid *peer, struct span message)
{
    struct end *end = owner;
    (void)peer;
    (void)message;
    if (++end->count == end->messages) {
        __atomic_store_n(end->is_done, 1, __ATOMIC_RELEASE);
    }
}

static bool end_start(void *actor, struct shard *shard)
{
    struct end *end = actor;
    const struct links_sink sink = {end, on_up, on_down, on_link_message};
    end->links = links_create(shard, &end->options, &sink);
    if (end->links == NULL || !links_listen(end->links, &end->address)) {
        return false;
    }
    if (end->sends) {
        links_keep(end->links, &end->peer, &end->peer_address);
    }
    return true;
}

static void end_on_message(void *actor, const struct message *message)
{
    (void)actor;
    (void)message;
}

static void end_on_event(void *actor, uint64_t token, uint32_t events)
{
    links_on_event(((struct end *)actor)->links, token, events);
}

static bool end_may_send(const struct end *end)
{
    return end->sends && end->is_up && end->count < end->messages &&
           links_queue_bytes(end->links, &end->peer) < QUEUE_LEN;
}

static void end_on_turn_end(void *actor)
{
    struct end *end = actor;
    while (end_may_send(end)) {
        uint8_t head[HEAD_LEN];
        memset(head, (int)(end->count & 0xff), sizeof(head));
        if (!links_send(end->links, &end->peer, MESSAGE_REQUEST, span_of(head, sizeof(head)),
                        end->payload)) {
            break;
        }
        end->count++;
    }
    links_on_turn_end(end->links);
}

static bool end_has_work(void *actor)
{
    const struct end *end = actor;
    return end_may_send(end) || links_has_work(end->links);
}

static void end_stop(void *actor)
{
    links_destroy(((struct end *)actor)->links);
}

static const struct shard_actor *end_ops(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = end_start,
        .on_message = end_on_message,
        .on_event = end_on_event,
        .on_turn_end = end_on_turn_end,
        .has_work = end_has_work,
        .stop = end_stop,
    };
    (void)id;
    return &ops;
}

static void *end_create(uint32_t id, void *context)
{
    (void)id;
    return context;
}

static struct shard_set *end_run(struct end *end)
{
    const struct shard_set_options set = {
        .count = 1,
        .actor_ops = end_ops,
        .actor_create = end_create,
        .context = end,
    };
    return shard_set_start(&set);
}

static bool free_address(struct socket_address *out)
{
    struct socket_address any;
    struct poller *poller = poller_create_epoll();
    if (poller == NULL || !poller_open_private(poller) ||
        !socket_address_parse("127.0.0.1", 0, &any)) {
        return false;
    }
    const int listener = poller_listen(poller, &any, 1);
    const bool is_had = listener >= 0 && poller_epoll_local_address(poller, listener, out);
    if (listener >= 0) {
        poller_close(poller, listener);
    }
    poller_destroy(poller);
    return is_had;
}

static struct end end_of(bool sends, uint64_t messages, struct tls_context *tls)
{
    struct end end = {.options = links_options_default(), .messages = messages, .sends = sends};
    end.options.incarnation = 1;
    end.options.cluster = 1;
    end.options.tls = tls;
    end.options.uid.bytes[0] = sends ? 1 : 2;
    end.peer.bytes[0] = sends ? 2 : 1;
    return end;
}

static bool measure_link(uint64_t messages, uint32_t size, struct tls_context *tls,
                         struct reading *out)
{
    uint32_t is_done = 0;
    struct end sender = end_of(true, messages, tls);
    struct end receiver = end_of(false, messages, tls);
    sender.is_done = &is_done;
    receiver.is_done = &is_done;
    sender.payload = buf_create(size > HEAD_LEN ? size - HEAD_LEN : 0);
    if (sender.payload == NULL || !free_address(&receiver.address) ||
        !free_address(&sender.address)) {
        return false;
    }
    memset(sender.payload->bytes, 'x', sender.payload->len);
    sender.peer_address = receiver.address;
    struct shard_set *at_receiver = end_run(&receiver);
    const struct reading before = read_clocks();
    struct shard_set *at_sender = at_receiver == NULL ? NULL : end_run(&sender);
    const struct timespec nap = {.tv_nsec = 1000 * 1000};
    while (at_sender != NULL && __atomic_load_n(&is_done, __ATOMIC_ACQUIRE) == 0) {
        nanosleep(&nap, NULL);
    }
    *out = since(before);
    if (at_sender != NULL) {
        shard_set_stop(at_sender);
    }
    if (at_receiver != NULL) {
        shard_set_stop(at_receiver);
    }
    buf_release(sender.payload);
    return at_sender != NULL && receiver.count == messages;
}

/* ---- the same bytes without it ---- */

struct raw {
    int socket;
    uint64_t bytes;
};

static void *raw_receive(void *context)
{
    struct raw *raw = context;
    uint8_t *buffer = malloc(RAW_SEND_LEN);
    ssize_t got;
    while (buffer != NULL && (got = recv(raw->socket, buffer, RAW_SEND_LEN, 0)) > 0) {
        raw->bytes += (uint64_t)got;
    }
    free(buffer);
    return NULL;
}

static bool raw_pair(int sockets[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *any = (struct sockaddr *)(void *)&at;
    socklen_t len = sizeof(at);
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockets[0] = socket(AF_INET, SOCK_STREAM, 0);
    const bool is_connected = bind(listener, any, len) == 0 && listen(listener, 1) == 0 &&
                              getsockname(listener, any, &len) == 0 &&
                              connect(sockets[0], any, len) == 0;
    sockets[1] = is_connected ? accept(listener, NULL, NULL) : -1;
    close(listener);
    return sockets[1] >= 0;
}

static bool measure_raw(uint64_t bytes, struct reading *out)
{
    int sockets[2];
    uint8_t *buffer = calloc(1, RAW_SEND_LEN);
    if (buffer == NULL || !raw_pair(sockets)) {
        free(buffer);
        return false;
    }
    struct raw raw = {.socket = sockets[1]};
    pthread_t thread;
    const struct reading before = read_clocks();
    if (pthread_create(&thread, NULL, raw_receive, &raw) != 0) {
        free(buffer);
        return false;
    }
    for (uint64_t left = bytes; left > 0;) {
        const size_t len = left < RAW_SEND_LEN ? (size_t)left : RAW_SEND_LEN;
        const ssize_t sent = send(sockets[0], buffer, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            break;
        }
        left -= (uint64_t)sent;
    }
    close(sockets[0]);
    pthread_join(thread, NULL);
    *out = since(before);
    close(sockets[1]);
    free(buffer);
    return raw.bytes == bytes;
}

/* ---- the program ---- */

/* NULL with a word on stderr. The text is the caller's. */
static char *read_text(const char *path)
{
    char *text = calloc(1, FILE_LEN_MAX + 1);
    FILE *file = fopen(path, "re");
    if (text == NULL || file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        free(text);
        text = NULL;
    } else {
        text[fread(text, 1, FILE_LEN_MAX, file)] = '\0';
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static struct tls_context *read_tls(char *const paths[3])
{
    char error[TLS_ERROR_TEXT_SIZE] = "a file cannot be read";
    char *texts[3] = {read_text(paths[0]), read_text(paths[1]), read_text(paths[2])};
    struct tls_context *tls = NULL;
    if (texts[0] != NULL && texts[1] != NULL && texts[2] != NULL) {
        const struct tls_options options = {texts[0], texts[1], texts[2]};
        tls = tls_context_create(&options, error);
    }
    if (tls == NULL) {
        fprintf(stderr, "links-bench: %s\n", error);
    }
    for (int i = 0; i < 3; i++) {
        free(texts[i]);
    }
    return tls;
}

static void print_row(const char *name, struct reading reading, uint64_t messages, uint32_t size)
{
    const double million = (double)messages / 1e6;
    printf("%-10s %10.0f messages/s %8.1f MB/s %8.3f CPU s a million messages\n", name,
           (double)messages / reading.wall_s, (double)messages * size / reading.wall_s / 1e6,
           reading.cpu_s / million);
}

static uint64_t number_of(const char *text, uint64_t otherwise)
{
    const uint64_t number = text == NULL ? otherwise : strtoull(text, NULL, 10);
    return number == 0 ? otherwise : number;
}

int main(int argc, char **argv)
{
    log_set_level(LOG_WARN);
    const uint64_t messages = number_of(argc > 1 ? argv[1] : NULL, MESSAGES_DEFAULT);
    const uint32_t size = (uint32_t)number_of(argc > 2 ? argv[2] : NULL, SIZE_DEFAULT);
    struct tls_context *tls = argc > 5 ? read_tls(argv + 3) : NULL;
    struct reading raw;
    struct reading link;
    if ((argc > 5 && tls == NULL) || size < HEAD_LEN ||
        !measure_raw(messages * (size + LINK_HEAD_LEN), &raw)) {
        fprintf(stderr, "links-bench: cannot begin\n");
        return 1;
    }
    const bool is_whole = measure_link(messages, size, tls, &link);
    tls_context_destroy(tls);
    if (!is_whole) {
        fprintf(stderr, "links-bench: the link did not carry all of it\n");
        return 1;
    }
    print_row("raw", raw, messages, size);
    print_row(argc > 5 ? "link, TLS" : "link", link, messages, size);
    printf("link to raw: %.2f of the rate, %.2f of the CPU\n", raw.wall_s / link.wall_s,
           link.cpu_s / raw.cpu_s);
    return 0;
}
