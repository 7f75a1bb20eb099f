/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of events, the batches that are made of them, and how often each is sent. */
#include <stdlib.h>
#include <string.h>

#include "codec/http1.h"
#include "shards/channel/homes.h"
#include "shards/edge/session/permissions.h"
#include "shards/edge/backends/webhooks_state.h"

enum { HEADERS_LEN_MAX = 16 * 1024, END_LOOK_MS = 10 };

/* ---- life ---- */

static uint32_t find_target(const struct webhooks *webhooks, const struct proxy_options *proxy)
{
    for (uint32_t i = 0; i < webhooks->len; i++) {
        if (webhooks->targets[i].proxy == proxy) {
            return i;
        }
    }
    return WEBHOOK_TARGET_NONE;
}

static void add_target(struct webhooks *webhooks, const struct proxy_options *proxy)
{
    if (proxy == NULL || find_target(webhooks, proxy) != WEBHOOK_TARGET_NONE) {
        return;
    }
    struct webhook_target *target = &webhooks->targets[webhooks->len++];
    target->webhooks = webhooks;
    target->proxy = proxy;
    target->seq = 1;
    list_init(&target->events);
}

bool webhooks_are_configured(const struct node_options *options)
{
    bool are = options->webhooks.clients != NULL || options->without_namespace.state_proxy != NULL;
    for (size_t i = 0; i < options->namespaces_len; i++) {
        are = are || options->namespaces[i].state_proxy != NULL;
    }
    return are;
}

struct webhooks *webhooks_create(struct actors *actors)
{
    const struct node_options *options = actors->options;
    struct webhooks *webhooks = calloc(1, sizeof(*webhooks));
    if (webhooks == NULL) {
        return NULL;
    }
    webhooks->actors = actors;
    webhooks->targets = calloc(options->namespaces_len + 2, sizeof(*webhooks->targets));
    if (webhooks->targets == NULL) {
        free(webhooks);
        return NULL;
    }
    add_target(webhooks, options->webhooks.clients);
    add_target(webhooks, options->without_namespace.state_proxy);
    for (size_t i = 0; i < options->namespaces_len; i++) {
        add_target(webhooks, options->namespaces[i].state_proxy);
    }
    webhooks->clients = find_target(webhooks, options->webhooks.clients);
    const uint32_t queues = webhooks->len * actors->node->shards;
    webhooks->events_max = options->webhooks.queue_max_events / queues + 1;
    webhooks->bytes_max = options->webhooks.queue_max_size / queues;
    return webhooks;
}

static void forget_first(struct webhook_target *target, struct list *first)
{
    struct webhook_queued *event = CONTAINER_OF(first, struct webhook_queued, link);
    struct actors *actors = target->webhooks->actors;
    const uint64_t bytes = sizeof(*event) + event->len;
    list_remove(&event->link);
    target->len--;
    target->bytes -= bytes;
    actors_gauge_add(actors, COUNTER_WEBHOOK_QUEUE_EVENTS, -1);
    actors_gauge_add(actors, COUNTER_WEBHOOK_QUEUE_BYTES, -(int64_t)bytes);
    free(event);
}

void webhooks_destroy(struct webhooks *webhooks)
{
    if (webhooks == NULL) {
        return;
    }
    struct timer_wheel *timers = webhooks->actors->shard->timers;
    for (uint32_t i = 0; i < webhooks->len; i++) {
        struct webhook_target *target = &webhooks->targets[i];
        timer_stop(timers, &target->timer);
        while (!list_is_empty(&target->events)) {
            forget_first(target, target->events.next);
        }
    }
    timer_stop(timers, &webhooks->end_timer);
    free(webhooks->targets);
    free(webhooks);
}

uint32_t webhooks_target_of_channel(const struct webhooks *webhooks, struct span channel)
{
    const struct channel_options *options =
        permissions_find_channel(webhooks->actors->options, channel);
    return options == NULL || options->state_proxy == NULL
               ? (uint32_t)WEBHOOK_TARGET_NONE
               : find_target(webhooks, options->state_proxy);
}

uint32_t webhooks_target_of_clients(const struct webhooks *webhooks)
{
    return webhooks->clients;
}

bool webhooks_includes_meta(const struct webhooks *webhooks, uint32_t target)
{
    return webhooks->targets[target].proxy->include_connection_meta;
}

/* ---- sending ---- */

static void target_on_timer(struct timer *timer, void *context);

static void target_set_timer(struct webhook_target *target, uint64_t from_now_ms)
{
    struct shard *shard = target->webhooks->actors->shard;
    timer_set(shard->timers, &target->timer, shard->now_ms + from_now_ms, target_on_timer);
}

/* There may be a batch to be made; one that is under way or waits comes first. */
static void target_schedule(struct webhook_target *target)
{
    const struct webhook_options *options = &target->webhooks->actors->options->webhooks;
    const bool is_full = target->len >= options->batch_max_events;
    if (target->has_batch || (target->len == 0 && target->lost == 0)) {
        return;
    }
    if (is_full || target->webhooks->is_ending) {
        target_set_timer(target, 0);
    } else if (!timer_is_set(&target->timer)) {
        target_set_timer(target, options->batch_max_delay_ms);
    }
}

static void target_begin_batch(struct webhook_target *target)
{
    const uint32_t len_max = target->webhooks->actors->options->webhooks.batch_max_events;
    uint64_t bytes = 0;
    target->has_batch = true;
    target->attempts = 0;
    target->batch_len = 0;
    target->batch_lost = target->lost;
    target->lost = 0;
    for (struct list *at = target->events.next; at != &target->events; at = at->next) {
        bytes += CONTAINER_OF(at, struct webhook_queued, link)->len;
        if (target->batch_len == len_max ||
            (bytes > WEBHOOK_BATCH_BYTES_MAX && target->batch_len > 0)) {
            break;
        }
        target->batch_len++;
    }
}

static void add_events(struct webhook_batch *batch, const struct webhook_target *target,
                       bool are_about_nodes)
{
    struct list *at = target->events.next;
    for (uint32_t i = 0; i < target->batch_len; i++, at = at->next) {
        const struct webhook_queued *event = CONTAINER_OF(at, struct webhook_queued, link);
        if (event->is_about_node == are_about_nodes) {
            webhook_batch_add(batch, span_of(event->text, event->len));
        }
    }
}

static void encode_batch(struct writer *out, const void *what)
{
    const struct webhook_target *target = what;
    const struct webhooks *webhooks = target->webhooks;
    const struct node *node = webhooks->actors->node;
    struct webhook_batch batch = webhook_batch_begin(out);
    add_events(&batch, target, false);
    webhook_batch_begin_nodes(&batch);
    add_events(&batch, target, true);
    webhook_batch_end(&batch, &(struct webhook_source){
                                  .node = span_of_text(node->options->name),
                                  .run = span_of_text(node->uid),
                                  .number = webhooks->actors->shard->id * webhooks->len +
                                            (uint32_t)(target - webhooks->targets),
                                  .seq = target->seq,
                                  .lost = target->batch_lost,
                              });
}

static void write_headers(struct writer *out, const struct webhook_target *target, struct span body)
{
    const struct edge *edge = target->webhooks->actors->edge;
    const struct proxy_options *proxy = target->proxy;
    for (size_t i = 0; i < proxy->static_headers_len; i++) {
        (void)!http1_write_header(out, span_of_text(proxy->static_headers[i].name),
                                  span_of_text(proxy->static_headers[i].value));
    }
    if (edge->options->webhooks.secret[0] != '\0') {
        webhook_write_signature(out, span_of_text(edge->options->webhooks.secret),
                                edge->shard->wall_ms / 1000, body);
    }
}

/* Twice as long as the last time, and not at the same time as others. */
static void target_try_later(struct webhook_target *target)
{
    struct edge *edge = target->webhooks->actors->edge;
    uint64_t ms = WEBHOOK_RETRY_MS_MIN;
    for (uint32_t i = 1; i < target->attempts && ms < WEBHOOK_RETRY_MS_MAX; i++) {
        ms *= 2;
    }
    ms = ms > WEBHOOK_RETRY_MS_MAX ? WEBHOOK_RETRY_MS_MAX : ms;
    if (target->webhooks->is_ending) {
        ms = WEBHOOK_RETRY_MS_MIN; /* There is no later. */
    }
    actors_count(edge->actors, COUNTER_WEBHOOK_FAILED);
    target_set_timer(target, ms - random_below(&edge->shard->random, ms / 2));
}

static void target_send(struct webhook_target *target)
{
    struct edge *edge = target->webhooks->actors->edge;
    uint8_t room[HEADERS_LEN_MAX];
    struct writer headers = writer_of(room, sizeof(room));
    uint8_t *larger;
    const struct span body = edge_encode(edge, encode_batch, target, &larger);
    target->attempts++;
    if (body.at != NULL) {
        write_headers(&headers, target, body);
        target->request = backends_ask(edge->backends,
                                       &(struct backend_request){
                                           .endpoint = target->proxy->endpoint,
                                           .asker = BACKEND_ASKER_WEBHOOKS,
                                           .handle = (uint32_t)(target - target->webhooks->targets),
                                           .timeout_ms = target->proxy->timeout_ms,
                                           .headers = writer_written(&headers),
                                           .body = body,
                                       });
    }
    free(larger);
    if (target->request == POOL_HANDLE_NONE) {
        target_try_later(target);
    }
}

static void target_on_timer(struct timer *timer, void *context)
{
    struct webhook_target *target = CONTAINER_OF(timer, struct webhook_target, timer);
    (void)context;
    if (!target->has_batch) {
        target_begin_batch(target);
    }
    target_send(target);
}

static void say_failure(const struct webhook_target *target, const struct backend_answer *answer)
{
    const struct endpoint_options *endpoint =
        &target->webhooks->actors->options->endpoints[target->proxy->endpoint];
    static const char *const outcomes[] = {
        [BACKEND_ANSWERED] = "it was not taken",
        [BACKEND_TIMED_OUT] = "no answer in time",
        [BACKEND_UNREACHABLE] = "it cannot be reached",
        [BACKEND_BROKEN] = "no answer",
    };
    LOG(target->webhooks->actors->shard->log, LOG_WARN, "webhook",
        "url=%s result=failed seq=%llu attempts=%u status=%u reason=\"%s\"", endpoint->url,
        (unsigned long long)target->seq, target->attempts, answer->status,
        outcomes[answer->outcome]);
}

void webhooks_on_answer(struct webhooks *webhooks, uint32_t index,
                        const struct backend_answer *answer)
{
    struct webhook_target *target = &webhooks->targets[index];
    target->request = POOL_HANDLE_NONE;
    if (answer->outcome != BACKEND_ANSWERED || !webhook_is_taken(answer->status, answer->body)) {
        if ((target->attempts & (target->attempts - 1)) == 0) {
            say_failure(target, answer); /* The 1st, 2nd, 4th, 8th ... */
        }
        target_try_later(target);
        return;
    }
    for (uint32_t i = 0; i < target->batch_len; i++) {
        forget_first(target, target->events.next);
    }
    actors_count(webhooks->actors, COUNTER_WEBHOOK_TAKEN);
    target->has_batch = false;
    target->batch_len = 0;
    target->seq++;
    target_schedule(target);
}

/* ---- queueing ---- */

static void target_lose(struct webhook_target *target)
{
    target->lost++;
    actors_count(target->webhooks->actors, COUNTER_WEBHOOK_LOST);
    target_schedule(target);
}

/* What is in the batch may have been told, and is told again as it was: the oldest behind it goes.
 */
static void target_make_room(struct webhook_target *target)
{
    const struct webhooks *webhooks = target->webhooks;
    if (target->len <= webhooks->events_max && target->bytes <= webhooks->bytes_max) {
        return;
    }
    struct list *at = target->events.next;
    for (uint32_t i = 0; i < target->batch_len; i++) {
        at = at->next;
    }
    while (at != &target->events &&
           (target->len > webhooks->events_max || target->bytes > webhooks->bytes_max)) {
        struct list *next = at->next;
        forget_first(target, at);
        target_lose(target);
        at = next;
    }
}

static struct webhook_queued *queued_make(const struct webhook_event *event)
{
    struct writer out = writer_for_measuring();
    webhook_encode_event(&out, event);
    const size_t len = out.overflow;
    struct webhook_queued *queued = malloc(sizeof(*queued) + len);
    if (queued != NULL) {
        queued->link = (struct list){0};
        queued->len = (uint32_t)len;
        queued->is_about_node = webhook_is_about_node(event->type);
        out = writer_of(queued->text, len);
        webhook_encode_event(&out, event);
    }
    return queued;
}

void webhooks_tell(struct webhooks *webhooks, uint32_t index, const struct webhook_event *event)
{
    struct webhook_target *target = &webhooks->targets[index];
    struct actors *actors = webhooks->actors;
    struct webhook_queued *queued = queued_make(event);
    actors_count(actors, COUNTER_WEBHOOK_OCCUPIED + event->type);
    webhooks->quiet_since_ms = webhooks->actors->shard->now_ms;
    if (queued == NULL) {
        target_lose(target);
        return;
    }
    const uint64_t bytes = sizeof(*queued) + queued->len;
    list_append(&target->events, &queued->link);
    target->len++;
    target->bytes += bytes;
    actors_gauge_add(actors, COUNTER_WEBHOOK_QUEUE_EVENTS, 1);
    actors_gauge_add(actors, COUNTER_WEBHOOK_QUEUE_BYTES, (int64_t)bytes);
    target_make_room(target);
    target_schedule(target);
}

void webhooks_lose(struct webhooks *webhooks, uint32_t target)
{
    target_lose(&webhooks->targets[target]);
}

/* ---- the end ---- */

static void end_on_timer(struct timer *timer, void *context)
{
    (void)timer;
    (void)context; /* The turn that it begins asks again. */
}

static bool all_is_told(const struct webhooks *webhooks)
{
    bool is_told = true;
    for (uint32_t i = 0; i < webhooks->len; i++) {
        const struct webhook_target *target = &webhooks->targets[i];
        is_told = is_told && target->len == 0 && target->lost == 0 && !target->has_batch;
    }
    return is_told;
}

static void end_begin(struct webhooks *webhooks)
{
    const struct edge *edge = webhooks->actors->edge;
    webhooks->is_ending = true;
    __atomic_fetch_add(&edge->actors->node->shards_without_clients, 1, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < webhooks->len; i++) {
        struct webhook_target *target = &webhooks->targets[i];
        if (target->has_batch && target->request == POOL_HANDLE_NONE) {
            target_set_timer(target, 0);
        }
        target_schedule(target);
    }
}

/* Homes here hear of clients of other shards when those are gone already. */
bool webhooks_have_ended(struct webhooks *webhooks)
{
    const struct edge *edge = webhooks->actors->edge;
    const uint64_t now_ms = edge->shard->now_ms;
    if (!webhooks->is_ending) {
        end_begin(webhooks);
    }
    if (!webhooks->has_no_clients && node_has_no_clients(edge->actors->node)) {
        webhooks->has_no_clients = true;
        webhooks->quiet_since_ms = now_ms;
        webhooks->ends_ms = now_ms + edge->options->webhooks.flush_timeout_ms;
    }
    if (webhooks->has_no_clients && now_ms >= webhooks->ends_ms) {
        return true;
    }
    if (webhooks->has_no_clients && now_ms - webhooks->quiet_since_ms >= WEBHOOK_SETTLE_MS) {
        homes_vacate_now(edge->actors->homes);
        if (all_is_told(webhooks)) {
            return true;
        }
    }
    timer_set(edge->shard->timers, &webhooks->end_timer, now_ms + END_LOOK_MS, end_on_timer);
    return false;
}

#define SAME_ORDER(name, text) \
    static_assert((int)COUNTER_WEBHOOK_##name == \
                      (int)COUNTER_WEBHOOK_OCCUPIED + (int)WEBHOOK_##name, \
                  "counters stand in the order of the events");
WEBHOOK_EVENTS(SAME_ORDER)
