/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the system's resolver for the hosts of endpoints. */
#include "ops/resolver.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "ops/system_address.h"
#include "runtime/log.h"

/* How long an answer is believed (the system's resolver does not tell how long it may be), and how
 * soon is asked again for what was not found. */
enum { BELIEVED_MS = 30000, RETRY_MS = 2000 };

struct resolver {
    struct node *node;
    char **hosts; /* Copies: a question may outlive the configuration. NULL: an address. */
    uint16_t *ports;
    uint32_t len;
    struct node_places *places;
};

static void resolver_free(void *state)
{
    struct resolver *resolver = state;
    for (uint32_t i = 0; resolver->hosts != NULL && i < resolver->len; i++) {
        free(resolver->hosts[i]);
    }
    free(resolver->hosts);
    free(resolver->ports);
    free(resolver->places);
    free(resolver);
}

static bool find_host(struct resolver *resolver, struct log *log, uint32_t index)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    struct node_place place = {0};
    const int failure = getaddrinfo(resolver->hosts[index], NULL, &hints, &found);
    if (failure != 0) {
        log_set_time(log, clock_read().wall_ms);
        LOG(log, LOG_WARN, "endpoint_lookup", "host=%s result=failed reason=\"%s\"",
            resolver->hosts[index], gai_strerror(failure));
        return false;
    }
    for (const struct addrinfo *at = found; at != NULL && place.len < NODE_PLACE_ADDRESSES_MAX;
         at = at->ai_next) {
        if (system_address_read(at->ai_addr, resolver->ports[index], &place.at[place.len])) {
            place.len++;
        }
    }
    freeaddrinfo(found);
    if (place.len > 0) {
        resolver->places->of[index] = place;
    }
    return place.len > 0;
}

static uint64_t resolver_turn(struct helper_thread *thread, struct log *log, void *state)
{
    struct resolver *resolver = state;
    bool all_found = true;
    for (uint32_t i = 0; i < resolver->len; i++) {
        if (resolver->hosts[i] != NULL) {
            all_found = find_host(resolver, log, i) && all_found;
        }
    }
    if (helper_thread_enter(thread)) {
        if (!node_offer_places(resolver->node, resolver->places)) {
            LOG(log, LOG_WARN, "endpoint_lookup", "%s", "result=failed reason=\"memory\"");
        }
        helper_thread_leave(thread);
    }
    return all_found ? BELIEVED_MS : RETRY_MS;
}

static const struct helper_work resolver_work = {"resolver", resolver_turn, resolver_free};

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
    if (resolver == NULL) {
        return NULL;
    }
    resolver->node = node;
    resolver->len = (uint32_t)node->options->endpoints_len;
    resolver->hosts = calloc(resolver->len, sizeof(char *));
    resolver->ports = calloc(resolver->len, sizeof(uint16_t));
    resolver->places =
        calloc(1, sizeof(*resolver->places) + resolver->len * sizeof(struct node_place));
    if (resolver->hosts == NULL || resolver->ports == NULL || resolver->places == NULL ||
        !copy_hosts(resolver, node->options)) {
        resolver_free(resolver);
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

struct helper_thread *resolver_start(struct node *node, bool *failed)
{
    *failed = false;
    if (!has_names(node->options)) {
        return NULL;
    }
    struct resolver *resolver = resolver_create(node);
    struct helper_thread *thread =
        resolver == NULL ? NULL : helper_thread_start(&resolver_work, resolver);
    *failed = thread == NULL;
    return thread;
}
