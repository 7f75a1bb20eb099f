/* SPDX-License-Identifier: Apache-2.0 */
/* Publications on their way from the home of the channel in which they were made to the homes of
 * the wildcards that stand for it.
 *
 * Whoever published does not wait for them. What is passed on to one wildcard leaves in the order
 * in which it was accepted here, and is answered one by one. While the wildcard's home moves, what
 * is next waits until all that went to the home before has been answered. What could not be
 * passed on, or is not known to have been, is lost there: the wildcard's home is told so until it
 * says that it knows, and begins its channel anew, so that its subscribers are told.
 *
 *               accepted             all answered
 *   (no target) -------> in flight --------------> (no target)
 *                         |     ^
 *      one was refused, ..|     | the mark was answered
 *                         v     |
 *                        owes --+   what comes meanwhile is lost too, up to the mark; the mark is
 *                                   sent when nothing else is in flight
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
    struct list owes;    /* In the list of those that owe a mark; */
    struct list waiting; /* what may not leave yet. */
    uint32_t handle;
    uint32_t in_flight; /* Not answered, the mark among them. */
    uint64_t number;    /* Of the newest that left. */
    bool has_moved;     /* What is in flight went to a home of before. */
    bool was_refused;   /* The newest mark was: the next waits for a tick. */
};

/* One that waits. */
struct pass_waiting {
    struct list link;
    struct message_pass_on body; /* Without its pass. */
};

/* The cookie of a mark; that of a publication is the slot in which it was made. */
enum { COOKIE_MARK = SLOTS };

static struct map_key target_key(const void *object)
{
    const struct pass_target *target = object;
    return (struct map_key){target->name->bytes, target->name->len};
}

bool homes_passing_init(struct homes *homes)
{
    struct passing *passing = &homes->passing;
    struct random *random = &homes->actors->shard->random;
    list_init(&passing->owing);
    passing->lane = random_next(random) | 1;
    passing->targets = pool_create(sizeof(struct pass_target), PASS_TARGETS_MAX);
    passing->by_name = map_create(target_key, random);
    passing->in_flight_of_slot = calloc(SLOTS, sizeof(*passing->in_flight_of_slot));
    return passing->targets != NULL && passing->by_name != NULL &&
           passing->in_flight_of_slot != NULL;
}

static void release_body(const struct message_pass_on *body)
{
    buf_release(body->pass);
    buf_release(body->request);
    buf_release(body->identity);
}

static void drop_waiting(struct homes *homes, struct pass_target *target)
{
    struct passing *passing = &homes->passing;
    struct list *link;
    while ((link = list_take_first(&target->waiting)) != NULL) {
        struct pass_waiting *waiting = CONTAINER_OF(link, struct pass_waiting, link);
        passing->in_flight_of_slot[waiting->body.cookie]--;
        passing->waiting_len--;
        passing->waiting_bytes -= waiting->body.request->len;
        release_body(&waiting->body);
        free(waiting);
        actors_count(homes->actors, COUNTER_WILDCARD_LOST);
    }
}

static void target_free(struct homes *homes, struct pass_target *target)
{
    list_remove(&target->owes);
    map_remove(homes->passing.by_name, target);
    buf_release(target->name);
    pool_put(homes->passing.targets, target->handle);
}

void homes_passing_destroy(struct homes *homes)
{
    struct passing *passing = &homes->passing;
    size_t cursor = 0;
    struct pass_target *target;
    while (passing->by_name != NULL && (target = map_next(passing->by_name, &cursor)) != NULL) {
        drop_waiting(homes, target);
        target_free(homes, target);
    }
    timer_stop(homes->actors->shard->timers, &passing->tick);
    map_destroy(passing->by_name);
    pool_destroy(passing->targets);
    free(passing->in_flight_of_slot);
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
    list_init(&target->waiting);
    target->handle = handle;
    target->name = buf_copy(name.at, name.len);
    if (target->name == NULL || !map_insert(passing->by_name, target)) {
        buf_release(target->name);
        pool_put(passing->targets, handle);
        return NULL;
    }
    return target;
}

static bool is_idle(const struct pass_target *target)
{
    return target->in_flight == 0 && list_is_empty(&target->waiting) &&
           !list_is_linked(&target->owes);
}

/* ---- sending ---- */

static void on_tick(struct timer *timer, void *actor);

static void schedule(struct homes *homes)
{
    struct timer *tick = &homes->passing.tick;
    struct shard *shard = homes->actors->shard;
    if (!timer_is_set(tick)) {
        timer_set(shard->timers, tick, shard->now_ms + PASS_RETRY_MS, on_tick);
    }
}

/* Takes over the counts in the body. False: memory is out, nothing was sent. */
static bool target_send(struct homes *homes, struct pass_target *target,
                        struct message_pass_on *body)
{
    struct passing *passing = &homes->passing;
    const struct pass pass = {
        .wildcard = name_of(target->name),
        .lane = passing->lane,
        .number = passing->number + 1,
        .before = target->in_flight == 0 ? 0 : target->number,
    };
    body->pass = pass_make(&pass);
    if (body->pass == NULL) {
        release_body(body);
        return false;
    }
    target->number = ++passing->number;
    target->in_flight++;
    OUTBOX_SEND(homes->actors->outbox, actors_home_of(homes->actors, pass.wildcard), pass_on,
                target->handle, body);
    return true;
}

/* Something is lost for the wildcard, so what waits for it is of no use. */
static void target_owes(struct homes *homes, struct pass_target *target)
{
    drop_waiting(homes, target);
    if (!list_is_linked(&target->owes)) {
        list_append(&homes->passing.owing, &target->owes);
        schedule(homes);
    }
}

static void target_mark(struct homes *homes, struct pass_target *target)
{
    struct message_pass_on body = {.cookie = COOKIE_MARK};
    if (target->in_flight == 0 && target_send(homes, target, &body)) {
        list_remove(&target->owes);
        target->has_moved = false;
    }
}

static void on_tick(struct timer *timer, void *actor)
{
    struct homes *homes = CONTAINER_OF(timer, struct homes, passing.tick);
    struct list *next;
    (void)actor;
    for (struct list *at = homes->passing.owing.next; at != &homes->passing.owing; at = next) {
        next = at->next;
        target_mark(homes, CONTAINER_OF(at, struct pass_target, owes));
    }
    if (!list_is_empty(&homes->passing.owing)) {
        schedule(homes);
    }
}

/* Takes over the counts in the body. */
static void target_wait(struct homes *homes, struct pass_target *target,
                        const struct message_pass_on *body)
{
    struct passing *passing = &homes->passing;
    const uint64_t bytes = passing->waiting_bytes + body->request->len;
    struct pass_waiting *waiting =
        passing->waiting_len >= PASS_WAITING_MAX || bytes > PASS_WAITING_BYTES_MAX
            ? NULL
            : calloc(1, sizeof(*waiting));
    if (waiting == NULL) {
        release_body(body);
        actors_count(homes->actors, COUNTER_WILDCARD_LOST);
        target_owes(homes, target);
        return;
    }
    waiting->body = *body;
    list_append(&target->waiting, &waiting->link);
    passing->waiting_len++;
    passing->waiting_bytes = bytes;
    passing->in_flight_of_slot[body->cookie]++;
}

static void target_pass(struct homes *homes, struct pass_target *target,
                        struct message_pass_on *body)
{
    const uint32_t slot = body->cookie;
    if (list_is_linked(&target->owes)) {
        release_body(body);
        actors_count(homes->actors, COUNTER_WILDCARD_LOST);
    } else if (target->has_moved) {
        target_wait(homes, target, body);
    } else if (target_send(homes, target, body)) {
        homes->passing.in_flight_of_slot[slot]++;
        actors_count(homes->actors, COUNTER_WILDCARD_PASSED_ON);
    } else {
        actors_count(homes->actors, COUNTER_WILDCARD_LOST);
        target_owes(homes, target);
    }
}

/* Nothing is in flight: what waited for that goes to the home of now. */
static void target_go_on(struct homes *homes, struct pass_target *target)
{
    struct passing *passing = &homes->passing;
    struct list *link;
    target->has_moved = false;
    while ((link = list_take_first(&target->waiting)) != NULL) {
        struct pass_waiting *waiting = CONTAINER_OF(link, struct pass_waiting, link);
        passing->waiting_len--;
        passing->waiting_bytes -= waiting->body.request->len;
        passing->in_flight_of_slot[waiting->body.cookie]--;
        target_pass(homes, target, &waiting->body);
        free(waiting);
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
        if (is_idle(plan->targets[i])) {
            target_free(homes, plan->targets[i]);
        }
    }
    buf_release(plan->request);
    *plan = (struct pass_plan){0};
}

void homes_passing_send(struct homes *homes, const struct message_publish *body,
                        const struct publish_request *request, struct pass_plan *plan)
{
    for (uint32_t i = 0; i < plan->len; i++) {
        struct message_pass_on pass_on = {
            .request = plan->request,
            .identity = body->identity,
            .cookie = placement_slot_of(request->channel),
            .history_size = body->history_size,
            .history_ttl_s = body->history_ttl_s,
            .meta_ttl_s = body->meta_ttl_s,
        };
        buf_share(pass_on.request, 1);
        if (pass_on.identity != NULL) {
            buf_share(pass_on.identity, 1);
        }
        target_pass(homes, plan->targets[i], &pass_on);
    }
    homes_passing_drop(homes, plan);
}

void homes_on_passed_on(struct homes *homes, const struct message *message)
{
    const struct message_passed_on body = message_as_passed_on(message);
    struct pass_target *target = pool_get(homes->passing.targets, message->handle);
    if (body.cookie < SLOTS) {
        homes->passing.in_flight_of_slot[body.cookie]--;
    }
    if (target == NULL) {
        actors_count(homes->actors, COUNTER_STALE_MESSAGES);
        return;
    }
    target->in_flight--;
    if (body.cookie == COOKIE_MARK) {
        target->was_refused = body.error != 0;
    }
    if (body.error != 0) {
        actors_count_many(homes->actors, COUNTER_WILDCARD_LOST, body.cookie != COOKIE_MARK);
        target_owes(homes, target);
    }
    if (target->in_flight > 0) {
        return;
    }
    if (list_is_linked(&target->owes) && !target->was_refused) {
        target_mark(homes, target);
    } else if (!list_is_linked(&target->owes)) {
        target_go_on(homes, target);
    }
    if (is_idle(target)) {
        target_free(homes, target);
    }
}

/* ---- homes that move ---- */

static bool is_same_home(const struct placement *before, const struct placement *now,
                         struct span name)
{
    const uint16_t slot = placement_slot_of(name);
    const struct placement_home was = placement_home_of(before, slot);
    const struct placement_home is = placement_home_of(now, slot);
    return was.shard == is.shard &&
           memcmp(&before->members[was.node].uid, &now->members[is.node].uid,
                  sizeof(struct gossip_uid)) == 0;
}

void homes_passing_on_placement(struct homes *homes, const struct placement *before)
{
    const struct placement *now = homes->actors->placement;
    size_t cursor = 0;
    struct pass_target *target;
    while (before != NULL && (target = map_next(homes->passing.by_name, &cursor)) != NULL) {
        if (target->in_flight > 0 && !is_same_home(before, now, name_of(target->name))) {
            target->has_moved = true;
        }
    }
}

bool homes_passing_of_slot(const struct homes *homes, uint16_t slot)
{
    return homes->passing.in_flight_of_slot[slot] > 0;
}

bool homes_passing_is_settled(const struct homes *homes)
{
    const struct placement *placement = homes->actors->placement;
    if (map_count(homes->passing.by_name) == 0) {
        return true;
    }
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (homes->passing.in_flight_of_slot[slot] > 0 &&
            placement->node_of_slot[slot] != placement->self) {
            return false;
        }
    }
    return true;
}
