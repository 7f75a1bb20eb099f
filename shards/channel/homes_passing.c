/* SPDX-License-Identifier: Apache-2.0 */
/* Publications on their way from the home of the channel in which they were made to the homes of
 * the wildcards that stand for it.
 *
 * Whoever published does not wait for them. What one shard passes on to one wildcard is a queue:
 * its passes leave in the order in which they were accepted, each names the one before it if that
 * is not answered yet, and each is kept until it is answered. The wildcard's home takes them in
 * this order alone and refuses what comes too early (go-back-N; as in RFC 1982 a number is never
 * compared but with its neighbours). So what a link refused, what waited at a home that moved, or
 * what nobody knows about is sent again, from there on, and comes once and in order.
 *
 *   first                                    last
 *   | sent | sent | sent | waiting | waiting |      sent, ...: not answered
 *
 *   one is refused:       what is sent is awaited, then the first alone is sent until it is taken
 *   too much is waiting:  it is lost; a mark takes its place, which tells the wildcard's home so
 */
#include <stdlib.h>

#include "codec/json.h"
#include "codec/json_writer.h"
#include "codec/link_message.h"
#include "shards/channel/homes_state.h"
#include "shards/channel/wildcard.h"
#include "shards/limits.h"
#include "shards/router/placement.h"

/* A wildcard that something is on its way to. */
struct pass_target {
    struct buf *name;
    struct list queue;
    struct list retry; /* In the list of those whose first is to be sent again. */
    uint32_t handle;
    uint32_t in_flight; /* Sent and not answered. */
    uint64_t number;    /* Of the newest that was sent. */
    bool was_refused;   /* One was, since all had been answered. */
    bool owes;          /* A mark, for which there was no room. */
};

struct pass_record {
    struct list link; /* In the target's queue. */
    struct pass_target *target;
    struct message_pass_on body; /* Without its pass; a mark has nothing. */
    uint64_t number;             /* 0: it was not sent yet. */
    uint64_t generation;         /* In which it was sent last (homes_heard.c). */
    uint32_t handle;
    uint16_t slot; /* In which it was made. */
    bool is_sent;  /* And not answered. */
};

static struct map_key target_key(const void *object)
{
    const struct pass_target *target = object;
    return (struct map_key){target->name->bytes, target->name->len};
}

bool homes_passing_init(struct homes *homes)
{
    struct passing *passing = &homes->passing;
    struct random *random = &homes->actors->shard->random;
    list_init(&passing->retries);
    passing->lane = random_next(random) | 1;
    passing->targets = pool_create(sizeof(struct pass_target), PASS_TARGETS_MAX);
    passing->records = pool_create(sizeof(struct pass_record), PASS_RECORDS_MAX);
    passing->by_name = map_create(target_key, random);
    passing->records_of_slot = calloc(SLOTS, sizeof(*passing->records_of_slot));
    return passing->targets != NULL && passing->records != NULL && passing->by_name != NULL &&
           passing->records_of_slot != NULL;
}

static struct pass_record *first_of(const struct pass_target *target)
{
    return CONTAINER_OF(target->queue.next, struct pass_record, link);
}

static bool is_mark(const struct pass_record *record)
{
    return record->body.request == NULL;
}

static void count_waiting(struct homes *homes, const struct pass_record *record, int64_t change)
{
    const uint64_t bytes = is_mark(record) ? 0 : record->body.request->len;
    homes->passing.waiting_len += (uint32_t)change;
    homes->passing.waiting_bytes += bytes * (uint64_t)change;
}

static void record_free(struct homes *homes, struct pass_record *record)
{
    if (!record->is_sent) {
        count_waiting(homes, record, -1);
    }
    if (!is_mark(record)) {
        homes->passing.records_of_slot[record->slot]--;
        buf_release(record->body.request);
        buf_release(record->body.identity);
    }
    list_remove(&record->link);
    pool_put(homes->passing.records, record->handle);
}

static void target_free(struct homes *homes, struct pass_target *target)
{
    list_remove(&target->retry);
    map_remove(homes->passing.by_name, target);
    buf_release(target->name);
    pool_put(homes->passing.targets, target->handle);
    actors_gauge_add(homes->actors, COUNTER_WILDCARD_TARGETS, -1);
}

void homes_passing_destroy(struct homes *homes)
{
    struct passing *passing = &homes->passing;
    size_t cursor = 0;
    struct pass_target *target;
    while (passing->by_name != NULL && (target = map_next(passing->by_name, &cursor)) != NULL) {
        while (!list_is_empty(&target->queue)) {
            record_free(homes, first_of(target));
        }
        target_free(homes, target);
    }
    timer_stop(homes->actors->shard->timers, &passing->tick);
    map_destroy(passing->by_name);
    pool_destroy(passing->targets);
    pool_destroy(passing->records);
    free(passing->records_of_slot);
}

/* NULL: there are too many, or memory is out. */
static struct pass_target *target_for(struct homes *homes, struct span name)
{
    struct passing *passing = &homes->passing;
    struct pass_target *target = map_find(passing->by_name, name.at, name.len);
    uint32_t handle;
    if (target != NULL) {
        return target;
    }
    target = pool_take(passing->targets, &handle);
    if (target == NULL) {
        return NULL;
    }
    list_init(&target->queue);
    target->handle = handle;
    target->name = buf_copy(name.at, name.len);
    if (target->name == NULL || !map_insert(passing->by_name, target)) {
        buf_release(target->name);
        pool_put(passing->targets, handle);
        return NULL;
    }
    actors_gauge_add(homes->actors, COUNTER_WILDCARD_TARGETS, 1);
    return target;
}

static void target_free_if_idle(struct homes *homes, struct pass_target *target)
{
    if (list_is_empty(&target->queue) && !target->owes) {
        target_free(homes, target);
    }
}

/* ---- the queue ---- */

/* At the end of the queue, waiting. NULL: there are too many. */
static struct pass_record *record_add(struct homes *homes, struct pass_target *target)
{
    uint32_t handle;
    struct pass_record *record = pool_take(homes->passing.records, &handle);
    if (record != NULL) {
        record->handle = handle;
        record->target = target;
        list_append(&target->queue, &record->link);
    }
    return record;
}

/* False: memory is out, nothing was sent. */
static bool record_send(struct homes *homes, struct pass_record *record)
{
    struct pass_target *target = record->target;
    const struct pass pass = {
        .wildcard = name_of(target->name),
        .lane = homes->passing.lane,
        .number = record->number == 0 ? homes->passing.number + 1 : record->number,
        .before = target->in_flight == 0 ? 0 : target->number,
    };
    struct message_pass_on body = record->body;
    body.pass = pass_make(&pass);
    if (body.pass == NULL) {
        return false;
    }
    if (!is_mark(record)) {
        buf_share(body.request, 1);
    }
    if (body.identity != NULL) {
        buf_share(body.identity, 1);
    }
    count_waiting(homes, record, -1);
    homes->passing.number += record->number == 0;
    record->number = pass.number;
    record->generation = homes_heard_generation(homes);
    record->is_sent = true;
    target->number = pass.number;
    target->in_flight++;
    OUTBOX_SEND(homes->actors->outbox, actors_home_of(homes->actors, pass.wildcard), pass_on,
                record->handle, &body);
    return true;
}

static void on_tick(struct timer *timer, void *actor);

static void retry_later(struct homes *homes, struct pass_target *target)
{
    struct timer *tick = &homes->passing.tick;
    struct shard *shard = homes->actors->shard;
    if (!list_is_linked(&target->retry)) {
        list_append(&homes->passing.retries, &target->retry);
    }
    if (!timer_is_set(tick)) {
        timer_set(shard->timers, tick, shard->now_ms + PASS_RETRY_MS, on_tick);
    }
}

/* What waits may leave: behind what is sent there is nothing else. */
static void target_send_all(struct homes *homes, struct pass_target *target)
{
    for (struct list *at = target->queue.next; at != &target->queue; at = at->next) {
        struct pass_record *record = CONTAINER_OF(at, struct pass_record, link);
        if (!record->is_sent && !record_send(homes, record)) {
            target->was_refused = true;
            if (target->in_flight == 0) {
                retry_later(homes, target);
            }
            return;
        }
    }
}

/* What waits is lost, and a mark takes its place. */
static void target_lose(struct homes *homes, struct pass_target *target)
{
    struct list *next;
    for (struct list *at = target->queue.next; at != &target->queue; at = next) {
        struct pass_record *record = CONTAINER_OF(at, struct pass_record, link);
        next = at->next;
        if (!record->is_sent) {
            actors_count_many(homes->actors, COUNTER_WILDCARD_LOST, !is_mark(record));
            record_free(homes, record);
        }
    }
    struct pass_record *mark = record_add(homes, target);
    target->owes = mark == NULL;
    if (mark != NULL) {
        count_waiting(homes, mark, 1);
    } else if (target->in_flight == 0) {
        retry_later(homes, target);
    }
}

static void on_tick(struct timer *timer, void *actor)
{
    struct homes *homes = CONTAINER_OF(timer, struct homes, passing.tick);
    struct list due;
    struct list *link;
    (void)actor;
    list_init(&due);
    while ((link = list_take_first(&homes->passing.retries)) != NULL) {
        list_append(&due, link);
    }
    while ((link = list_take_first(&due)) != NULL) {
        struct pass_target *target = CONTAINER_OF(link, struct pass_target, retry);
        if (target->owes) {
            target_lose(homes, target);
        }
        target->was_refused = false;
        if (!target->owes && !record_send(homes, first_of(target))) {
            retry_later(homes, target);
        }
    }
}

/* Takes over the counts in the body. */
static void target_pass(struct homes *homes, struct pass_target *target,
                        const struct message_pass_on *body, uint16_t slot)
{
    struct passing *passing = &homes->passing;
    struct pass_record *record = target->owes ? NULL : record_add(homes, target);
    if (record == NULL) {
        buf_release(body->request);
        buf_release(body->identity);
        actors_count(homes->actors, COUNTER_WILDCARD_LOST);
        if (!target->owes) {
            target_lose(homes, target);
        }
        return;
    }
    /* Behind one that waits it waits too. */
    const bool waits = target->was_refused || list_is_linked(&target->retry) ||
                       (target->queue.next != &record->link &&
                        !CONTAINER_OF(record->link.prev, struct pass_record, link)->is_sent);
    record->body = *body;
    record->slot = slot;
    passing->records_of_slot[slot]++;
    count_waiting(homes, record, 1);
    actors_count(homes->actors, COUNTER_WILDCARD_PASSED_ON);
    if (!waits) {
        target_send_all(homes, target);
    } else if (passing->waiting_len > PASS_WAITING_MAX ||
               passing->waiting_bytes > PASS_WAITING_BYTES_MAX) {
        target_lose(homes, target);
    }
}

void homes_on_passed_on(struct homes *homes, const struct message *message)
{
    const struct message_passed_on body = message_as_passed_on(message);
    struct pass_record *record = pool_get(homes->passing.records, message->handle);
    if (record == NULL || !record->is_sent) {
        actors_count(homes->actors, COUNTER_STALE_MESSAGES);
        return;
    }
    struct pass_target *target = record->target;
    target->in_flight--;
    if (body.is_unheard != 0 && body.error == 0) {
        homes_become_quiet(homes, name_of(target->name), record->generation);
    }
    if (body.error == 0) {
        record_free(homes, record);
    } else {
        record->is_sent = false;
        record->body.flags |= body.error == CLIENT_ERROR_TOO_MANY_REQUESTS ? 0 : PASS_UNSURE;
        target->was_refused = true;
        count_waiting(homes, record, 1);
    }
    if (target->owes) {
        target_lose(homes, target);
    }
    if (target->in_flight == 0 && target->was_refused) {
        retry_later(homes, target);
    } else if (target->in_flight == 0) {
        target_send_all(homes, target);
        target_free_if_idle(homes, target);
    }
}

/* ---- what is passed on ---- */

/* Who hears a wildcard sees in the tags where a publication was made, in a key of ours. */
static void write_tags(struct writer *out, struct span tags, struct span channel)
{
    const struct span ours = SPAN_LITERAL("channel");
    struct json_writer json = json_writer_of(out);
    struct json_reader reader;
    struct json_value value;
    struct span key;
    json_write_object_begin(&json);
    json_reader_begin(&reader, tags);
    if (!span_is_empty(tags) && json_enter_object(&reader) == JSON_OK) {
        while (json_next_member(&reader, &key) == JSON_OK &&
               json_read_value(&reader, &value) == JSON_OK) {
            if (json_key_find(key, &ours, 1) != 0) {
                json_write_key(&json, key); /* As it stands, with its escapes. */
                json_write_raw(&json, value.raw);
            }
        }
    }
    json_write_key(&json, ours);
    json_write_string(&json, channel);
    json_write_object_end(&json);
}

/* NULL: memory is out. */
static struct buf *request_to_pass(const struct publish_request *request)
{
    struct publish_request passed = *request;
    struct writer measure = writer_for_measuring();
    write_tags(&measure, request->tags, request->channel);
    uint8_t *tags = malloc(measure.overflow);
    if (tags == NULL) {
        return NULL;
    }
    struct writer out = writer_of(tags, measure.overflow);
    write_tags(&out, request->tags, request->channel);
    passed.tags = writer_written(&out);
    passed.idempotency_key = SPAN_EMPTY;
    passed.version_epoch = SPAN_EMPTY;
    passed.wants_delta = false;
    passed.is_passed_on = true;
    struct buf *made = publish_request_make(&passed);
    free(tags);
    return made;
}

/* What comes behind something that is on its way goes there too, so that no hole is seen. */
static bool is_unheard(struct homes *homes, struct span name)
{
    const struct map *by_name = homes->passing.by_name;
    const bool has_queue = map_count(by_name) > 0 && map_find(by_name, name.at, name.len) != NULL;
    return !has_queue && homes_is_quiet(homes, name);
}

bool homes_passing_plan(struct homes *homes, const struct message_publish *body,
                        const struct publish_request *request, struct pass_plan *plan)
{
    uint8_t room[LINK_MESSAGE_NAME_LEN_MAX];
    struct wildcard_walk walk;
    struct span name;
    const uint32_t depth_max =
        body->wildcards > WILDCARD_DEPTH_MAX ? WILDCARD_DEPTH_MAX : body->wildcards;
    *plan = (struct pass_plan){0};
    if (depth_max == 0 || request->channel.len > sizeof(room)) {
        return true;
    }
    wildcard_walk_begin(&walk, homes->actors->options, request->channel, depth_max);
    while (wildcard_next(&walk, room, &name)) {
        if (is_unheard(homes, name)) {
            continue;
        }
        struct pass_target *target =
            outbox_takes_publication(homes->actors->outbox, actors_home_of(homes->actors, name))
                ? target_for(homes, name)
                : NULL;
        if (target == NULL) {
            homes_passing_drop(homes, plan);
            return false;
        }
        plan->targets[plan->len++] = target;
    }
    plan->request = plan->len == 0 ? NULL : request_to_pass(request);
    if (plan->len > 0 && plan->request == NULL) {
        homes_passing_drop(homes, plan);
        return false;
    }
    return true;
}

void homes_passing_drop(struct homes *homes, struct pass_plan *plan)
{
    for (uint32_t i = 0; i < plan->len; i++) {
        target_free_if_idle(homes, plan->targets[i]);
    }
    buf_release(plan->request);
    *plan = (struct pass_plan){0};
}

void homes_passing_send(struct homes *homes, const struct message_publish *body,
                        const struct publish_request *request, struct pass_plan *plan)
{
    const uint16_t slot = plan->len == 0 ? 0 : placement_slot_of(request->channel);
    for (uint32_t i = 0; i < plan->len; i++) {
        const struct message_pass_on pass_on = {
            .request = plan->request,
            .identity = body->identity,
            .history_size = body->history_size,
            .history_ttl_s = body->history_ttl_s,
            .meta_ttl_s = body->meta_ttl_s,
        };
        buf_share(pass_on.request, 1);
        if (pass_on.identity != NULL) {
            buf_share(pass_on.identity, 1);
        }
        target_pass(homes, plan->targets[i], &pass_on, slot);
    }
    homes_passing_drop(homes, plan);
}

/* ---- homes that move ---- */

bool homes_passing_of_slot(const struct homes *homes, uint16_t slot)
{
    return homes->passing.records_of_slot[slot] > 0;
}

void homes_passing_lose(struct homes *homes, struct span wildcard)
{
    struct pass_target *target = target_for(homes, wildcard);
    actors_count(homes->actors, COUNTER_WILDCARD_LOST);
    if (target != NULL) {
        target_lose(homes, target);
        if (target->in_flight == 0) {
            retry_later(homes, target);
        }
    }
}

bool homes_passing_is_settled(const struct homes *homes)
{
    const struct placement *placement = homes->actors->placement;
    if (map_count(homes->passing.by_name) == 0) {
        return true;
    }
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (homes->passing.records_of_slot[slot] > 0 &&
            placement->node_of_slot[slot] != placement->self) {
            return false;
        }
    }
    return true;
}
