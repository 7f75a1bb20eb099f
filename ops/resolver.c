/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the system's resolver for the hosts of endpoints. */
#include "ops/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/log.h"

/* How long an answer is believed (the system's resolver does not tell how long it may be), and how
 * soon is asked again for what was not found. */
enum { BELIEVED_S = 30, RETRY_S = 2 };

struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t stopping;
    bool is_stopping;
    uint32_t holders; /* The caller and the thread; under the lock. */
    struct node *node;
    struct log *log;
    char **hosts; /* Copies: a question may outlive the configuration. NULL: an address. */
    uint16_t *ports;
    uint32_t len;
    struct node_places *places;
};

static void resolver_release(struct resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    const bool is_last = --resolver->holders == 0;

    pthread_mutex_unlock(&resolver->lock);
    if (is_last) {
        pthread_cond_destroy(&resolver->stopping);
        pthread_mutex_destroy(&resolver->lock);
        log_destroy(resolver->log);
        for (uint32_t i = 0; resolver->hosts != NULL && i < resolver->len; i++) {
            free(resolver->hosts[i]);
        }
        free(resolver->hosts);
        free(resolver->ports);
        free(resolver->places);
        free(resolver);
    }
}

static bool add_address(struct node_place *place, const struct addrinfo *found, uint16_t port)
{
    struct socket_address address = {.port = port};

    if (place->len == NODE_PLACE_ADDRESSES_MAX) {
        return false;
    }
    if (found->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)found->ai_addr;

        address.family = 4;
        memcpy(address.bytes, &in->sin_addr, 4);
    } else if (found->ai_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)found->ai_addr;

        address.family = 6;
        memcpy(address.bytes, &in->sin6_addr, 16);
    } else {
        return true;
    }
    place->at[place->len++] = address;
    return true;
}

static bool find_host(struct resolver *resolver, uint32_t index)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    struct node_place place = {0};
    int failure = getaddrinfo(resolver->hosts[index], NULL, &hints, &found);

    if (failure != 0) {
        log_set_time(resolver->log, clock_read().wall_ms);
        LOG(resolver->log, LOG_WARN, "endpoint_lookup", "host=%s result=failed reason=\"%s\"",
            resolver->hosts[index], gai_strerror(failure));
        return false;
    }
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        if (!add_address(&place, at, resolver->ports[index])) {
            break;
        }
    }
    freeaddrinfo(found);
    if (place.len > 0) {
        resolver->places->of[index] = place;
    }
    return place.len > 0;
}

static void offer(struct resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    if (!resolver->is_stopping && !node_offer_places(resolver->node, resolver->places)) {
        LOG(resolver->log, LOG_WARN, "endpoint_lookup", "%s", "result=failed reason=\"memory\"");
    }
    pthread_mutex_unlock(&resolver->lock);
}

/* False: it is to stop. */
static bool wait_s(struct resolver *resolver, time_t seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&resolver->lock);
    while (!resolver->is_stopping &&
           pthread_cond_timedwait(&resolver->stopping, &resolver->lock, &until) == 0) {
    }
    const bool goes_on = !resolver->is_stopping;

    pthread_mutex_unlock(&resolver->lock);
    return goes_on;
}

static void *resolver_run(void *context)
{
    struct resolver *resolver = context;
    bool all_found;

    do {
        all_found = true;
        for (uint32_t i = 0; i < resolver->len; i++) {
            if (resolver->hosts[i] != NULL) {
                all_found = find_host(resolver, i) && all_found;
            }
        }
        offer(resolver);
    } while (wait_s(resolver, all_found ? BELIEVED_S : RETRY_S));
    resolver_release(resolver);
    return NULL;
}

static bool copy_hosts(struct resolver *resolver, const struct node_options *options)
{
    for (uint32_t i = 0; i < resolver->len; i++) {
        const struct endpoint_options *endpoint = &options->endpoints[i];

        resolver->ports[i] = endpoint->address.port;
        if (endpoint->address.family == 0) {
            resolver->hosts[i] = strdup(endpoint->host);
            if (resolver->hosts[i] == NULL) {
                return false;
            }
        }
    }
    return true;
}

static struct resolver *resolver_create(struct node *node)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    pthread_condattr_t clock;

    if (resolver == NULL) {
        return NULL;
    }
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->stopping, &clock);
    pthread_condattr_destroy(&clock);
    resolver->holders = 1;
    resolver->node = node;
    resolver->len = (uint32_t)node->options->endpoints_len;
    resolver->hosts = calloc(resolver->len, sizeof(char *));
    resolver->ports = calloc(resolver->len, sizeof(uint16_t));
    resolver->places =
        calloc(1, sizeof(*resolver->places) + resolver->len * sizeof(struct node_place));
    resolver->log = log_create("resolver");
    if (resolver->hosts == NULL || resolver->ports == NULL || resolver->places == NULL ||
        resolver->log == NULL || !copy_hosts(resolver, node->options)) {
        resolver_release(resolver);
        return NULL;
    }
    resolver->places->len = resolver->len;
    return resolver;
}

static bool has_names(const struct node_options *options)
{
    for (size_t i = 0; i < options->endpoints_len; i++) {
        if (options->endpoints[i].address.family == 0) {
            return true;
        }
    }
    return false;
}

struct resolver *resolver_start(struct node *node, bool *failed)
{
    pthread_t thread;

    *failed = false;
    if (!has_names(node->options)) {
        return NULL;
    }
    struct resolver *resolver = resolver_create(node);

    if (resolver == NULL) {
        *failed = true;
        return NULL;
    }
    resolver->holders++;
    if (pthread_create(&thread, NULL, resolver_run, resolver) != 0) {
        resolver->holders--;
        resolver_release(resolver);
        *failed = true;
        return NULL;
    }
    pthread_detach(thread);
    return resolver;
}

void resolver_stop(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    pthread_mutex_lock(&resolver->lock);
    resolver->is_stopping = true;
    pthread_cond_signal(&resolver->stopping);
    pthread_mutex_unlock(&resolver->lock);
    resolver_release(resolver);
}
