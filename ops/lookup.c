/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the system's resolver: SRV records for services, addresses for hosts. */
#include "ops/lookup.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "codec/dns.h"
#include "ops/system_address.h"
#include "runtime/limits.h"
#include "runtime/log.h"
#include "shards/router/membership/membership.h"

enum {
    ANSWER_LEN_MAX = 65535,
    RETRY_MS = 5000, /* After a failure, if that is sooner. */
};

/* What one name was found to mean last. */
struct meaning {
    uint32_t len;
    struct socket_address at[MEMBERSHIP_SEEDS_MAX];
};

struct lookup {
    struct node *node;
    uint64_t interval_ms;
    uint8_t family;            /* Of cluster.bind. */
    struct config_name *names; /* Copies: a question may outlive the configuration. */
    size_t names_len;
    uint8_t answer[ANSWER_LEN_MAX];
    struct meaning *meanings; /* [names_len] */
    struct meaning offered;
};

static void lookup_free(void *state)
{
    struct lookup *lookup = state;
    for (size_t i = 0; i < lookup->names_len && lookup->names != NULL; i++) {
        free((void *)(uintptr_t)lookup->names[i].name);
    }
    free(lookup->names);
    free(lookup->meanings);
    free(lookup);
}

static bool find_host(const struct lookup *lookup, const char *host, uint16_t port,
                      struct meaning *meaning)
{
    const struct addrinfo hints = {.ai_family = lookup->family == 4 ? AF_INET : AF_INET6,
                                   .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return false;
    }
    for (const struct addrinfo *at = found; at != NULL && meaning->len < MEMBERSHIP_SEEDS_MAX;
         at = at->ai_next) {
        if (system_address_read(at->ai_addr, port, &meaning->at[meaning->len])) {
            meaning->len++;
        }
    }
    freeaddrinfo(found);
    return true;
}

/* A service whose hosts are partly not found means those that are. */
static bool find_service(struct lookup *lookup, const char *name, struct meaning *meaning)
{
    struct dns_service services[DNS_SERVICES_MAX];
    uint32_t len = 0;
    bool is_found = false;
    const int answer_len = res_query(name, ns_c_in, ns_t_srv, lookup->answer, ANSWER_LEN_MAX);
    if (answer_len < 0 || answer_len > ANSWER_LEN_MAX ||
        dns_services_decode(span_of(lookup->answer, (size_t)answer_len), services, &len) !=
            DNS_OK) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        is_found = find_host(lookup, services[i].target, services[i].port, meaning) || is_found;
    }
    return is_found || len == 0;
}

static bool find_name(struct lookup *lookup, struct log *log, size_t index)
{
    const struct config_name *name = &lookup->names[index];
    struct meaning meaning = {0};
    const bool is_found = name->port == 0 ? find_service(lookup, name->name, &meaning)
                                          : find_host(lookup, name->name, name->port, &meaning);
    if (is_found) {
        lookup->meanings[index] = meaning;
    } else {
        log_set_time(log, clock_read().wall_ms);
        LOG(log, LOG_WARN, "cluster_lookup", "name=%s result=failed", name->name);
    }
    return is_found;
}

static int compare_addresses(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct socket_address));
}

/* All meanings together, each address once, in an order of their own: servers change theirs. */
static struct meaning sum_of(const struct lookup *lookup)
{
    struct meaning sum = {0};
    for (size_t i = 0; i < lookup->names_len; i++) {
        for (uint32_t j = 0; j < lookup->meanings[i].len && sum.len < MEMBERSHIP_SEEDS_MAX; j++) {
            sum.at[sum.len++] = lookup->meanings[i].at[j];
        }
    }
    qsort(sum.at, sum.len, sizeof(sum.at[0]), compare_addresses);
    return sum;
}

static void offer(struct helper_thread *thread, struct log *log, struct lookup *lookup)
{
    const struct meaning sum = sum_of(lookup);
    const size_t size = sum.len * sizeof(sum.at[0]);
    if (sum.len == lookup->offered.len && memcmp(sum.at, lookup->offered.at, size) == 0) {
        return;
    }
    struct node_seeds *seeds = malloc(sizeof(*seeds) + size);
    if (seeds == NULL) {
        return;
    }
    seeds->len = sum.len;
    memcpy(seeds->at, sum.at, size);
    if (!helper_thread_enter(thread)) {
        free(seeds); /* The node may be gone. */
        return;
    }
    node_offer_seeds(lookup->node, seeds);
    helper_thread_leave(thread);
    lookup->offered = sum;
    log_set_time(log, clock_read().wall_ms);
    LOG(log, LOG_INFO, "cluster_lookup", "result=changed addresses=%u", sum.len);
}

static uint64_t lookup_turn(struct helper_thread *thread, struct log *log, void *state)
{
    struct lookup *lookup = state;
    bool all_found = true;
    for (size_t i = 0; i < lookup->names_len; i++) {
        all_found = find_name(lookup, log, i) && all_found;
    }
    offer(thread, log, lookup);
    return !all_found && lookup->interval_ms > RETRY_MS ? RETRY_MS : lookup->interval_ms;
}

static const struct helper_work lookup_work = {"lookup", lookup_turn, lookup_free};

static bool copy_names(struct lookup *lookup, const struct config *config)
{
    lookup->names_len = config->cluster_names_len;
    lookup->names = calloc(lookup->names_len, sizeof(*lookup->names));
    for (size_t i = 0; i < lookup->names_len && lookup->names != NULL; i++) {
        lookup->names[i].port = config->cluster_names[i].port;
        lookup->names[i].name = strdup(config->cluster_names[i].name);
        if (lookup->names[i].name == NULL) {
            return false;
        }
    }
    return lookup->names != NULL;
}

static struct lookup *lookup_create(struct node *node, const struct config *config)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL) {
        return NULL;
    }
    lookup->node = node;
    lookup->interval_ms = config->cluster_join_interval_ms;
    lookup->family = config->options.cluster.bind.family;
    const bool has_names = copy_names(lookup, config);
    lookup->meanings = calloc(lookup->names_len, sizeof(*lookup->meanings));
    if (!has_names || lookup->meanings == NULL) {
        lookup_free(lookup);
        return NULL;
    }
    return lookup;
}

struct helper_thread *lookup_start(struct node *node, const struct config *config, bool *failed)
{
    *failed = false;
    if (!config->options.cluster.enabled || config->cluster_names_len == 0) {
        return NULL;
    }
    struct lookup *lookup = lookup_create(node, config);
    struct helper_thread *thread =
        lookup == NULL ? NULL : helper_thread_start(&lookup_work, lookup);
    *failed = thread == NULL;
    return thread;
}
