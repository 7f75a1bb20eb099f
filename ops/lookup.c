/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the system's resolver: SRV records for services, addresses for hosts. */
#include "ops/lookup.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/dns.h"
#include "runtime/limits.h"
#include "runtime/log.h"
#include "shards/router/membership.h"

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
    pthread_mutex_t lock;
    pthread_cond_t stopping;
    bool is_stopping;
    uint32_t holders; /* The caller and the thread; under the lock. */
    struct node *node;
    struct log *log;
    uint64_t interval_ms;
    uint8_t family;            /* Of cluster.bind. */
    struct config_name *names; /* Copies: a question may outlive the configuration. */
    size_t names_len;
    uint8_t answer[ANSWER_LEN_MAX];
    struct meaning *meanings; /* [names_len] */
    struct meaning offered;
};

static void lookup_release(struct lookup *lookup)
{
    pthread_mutex_lock(&lookup->lock);
    const bool is_last = --lookup->holders == 0;
    pthread_mutex_unlock(&lookup->lock);
    if (is_last) {
        pthread_cond_destroy(&lookup->stopping);
        pthread_mutex_destroy(&lookup->lock);
        log_destroy(lookup->log);
        for (size_t i = 0; i < lookup->names_len && lookup->names != NULL; i++) {
            free((void *)(uintptr_t)lookup->names[i].name);
        }
        free(lookup->names);
        free(lookup->meanings);
        free(lookup);
    }
}

static void add_address(const struct lookup *lookup, const struct addrinfo *found, uint16_t port,
                        struct meaning *meaning)
{
    struct socket_address address;
    if (meaning->len == MEMBERSHIP_SEEDS_MAX) {
        return;
    }
    memset(&address, 0, sizeof(address)); /* Compared byte by byte. */
    address.family = lookup->family;
    address.port = port;
    if (lookup->family == 4) {
        const struct sockaddr_in *in = (const void *)found->ai_addr;
        memcpy(address.bytes, &in->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *in = (const void *)found->ai_addr;
        memcpy(address.bytes, &in->sin6_addr, 16);
    }
    meaning->at[meaning->len++] = address;
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
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        add_address(lookup, at, port, meaning);
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

static bool find_name(struct lookup *lookup, size_t index)
{
    const struct config_name *name = &lookup->names[index];
    struct meaning meaning = {0};
    const bool is_found = name->port == 0 ? find_service(lookup, name->name, &meaning)
                                          : find_host(lookup, name->name, name->port, &meaning);
    if (is_found) {
        lookup->meanings[index] = meaning;
    } else {
        log_set_time(lookup->log, clock_read().wall_ms);
        LOG(lookup->log, LOG_WARN, "cluster_lookup", "name=%s result=failed", name->name);
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

static void offer(struct lookup *lookup)
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
    pthread_mutex_lock(&lookup->lock);
    if (lookup->is_stopping) {
        free(seeds); /* The node may be gone. */
    } else {
        node_offer_seeds(lookup->node, seeds);
        lookup->offered = sum;
    }
    pthread_mutex_unlock(&lookup->lock);
    log_set_time(lookup->log, clock_read().wall_ms);
    LOG(lookup->log, LOG_INFO, "cluster_lookup", "result=changed addresses=%u", sum.len);
}

/* False: it is to stop. */
static bool wait_ms(struct lookup *lookup, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    pthread_mutex_lock(&lookup->lock);
    while (!lookup->is_stopping &&
           pthread_cond_timedwait(&lookup->stopping, &lookup->lock, &until) == 0) {
    }
    const bool goes_on = !lookup->is_stopping;
    pthread_mutex_unlock(&lookup->lock);
    return goes_on;
}

static void *lookup_run(void *context)
{
    struct lookup *lookup = context;
    uint64_t pause_ms;
    do {
        bool all_found = true;
        for (size_t i = 0; i < lookup->names_len; i++) {
            all_found = find_name(lookup, i) && all_found;
        }
        offer(lookup);
        pause_ms = lookup->interval_ms;
        if (!all_found && pause_ms > RETRY_MS) {
            pause_ms = RETRY_MS;
        }
    } while (wait_ms(lookup, pause_ms));
    lookup_release(lookup);
    return NULL;
}

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
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&lookup->lock, NULL);
    pthread_cond_init(&lookup->stopping, &clock);
    pthread_condattr_destroy(&clock);
    lookup->holders = 1;
    lookup->node = node;
    lookup->interval_ms = config->cluster_join_interval_ms;
    lookup->family = config->options.cluster.bind.family;
    const bool has_names = copy_names(lookup, config);
    lookup->meanings = calloc(lookup->names_len, sizeof(*lookup->meanings));
    lookup->log = log_create("lookup");
    if (!has_names || lookup->meanings == NULL || lookup->log == NULL) {
        lookup_release(lookup);
        return NULL;
    }
    return lookup;
}

struct lookup *lookup_start(struct node *node, const struct config *config, bool *failed)
{
    pthread_t thread;
    *failed = false;
    if (!config->options.cluster.enabled || config->cluster_names_len == 0) {
        return NULL;
    }
    struct lookup *lookup = lookup_create(node, config);
    if (lookup == NULL) {
        *failed = true;
        return NULL;
    }
    lookup->holders++;
    if (pthread_create(&thread, NULL, lookup_run, lookup) != 0) {
        lookup->holders--;
        lookup_release(lookup);
        *failed = true;
        return NULL;
    }
    pthread_detach(thread);
    return lookup;
}

void lookup_stop(struct lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    pthread_mutex_lock(&lookup->lock);
    lookup->is_stopping = true;
    pthread_cond_signal(&lookup->stopping);
    pthread_mutex_unlock(&lookup->lock);
    lookup_release(lookup);
}
