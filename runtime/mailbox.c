/* SPDX-License-Identifier: Apache-2.0 */
/* Rings, staging, and the only place where one shard wakes another.
 *
 * OVERVIEW. Two shards share three things: a ring for each direction, the bitmap `pending` of the
 * consumer (bit s: ring (s, t) may hold messages, so that a drain looks at those rings alone and
 * not at all 255), and the consumer's flag `is_asleep`. Everything else here has one owner.
 *
 * USE. In each turn the owner drains, works, sends (which only stages), and flushes. When a turn
 * leaves no work: if mailbox_fall_asleep() then wait at the poller, then mailbox_wake_up().
 *
 * HOW. A flush copies the batch into the ring, sets the bit, and looks at is_asleep; whoever turns
 * is_asleep from 1 to 0 rings the doorbell, so a batch costs at most one and several producers
 * together cost one. A batch goes out at the end of the turn, or earlier when half a ring has come
 * together: a turn may send a target more than a ring holds, and the target can begin meanwhile.
 * A drain takes the bits with an exchange and empties those rings; rings that outlast the budget
 * are remembered in `leftover`. A producer whose ring is full may sleep as well: it sets the ring's
 * room_wanted, and the consumer that has drained wakes it. What a shard tells itself needs no ring:
 * a flush only notes how much of its own staging the next drain may take.
 *
 * WHY IT IS CORRECT. No message is seen half-written: the ring stores precede the bit (a
 * sequentially consistent read-modify-write, so also a release), and the consumer reads the ring
 * after the exchange that showed it the bit (an acquire); ck orders the slots against the ring's
 * indices. A bit that is set while the consumer is already draining costs one look at an empty
 * ring, no more.
 *
 * No wake-up is lost. All accesses to `pending` and `is_asleep` below are sequentially consistent,
 * so they have one total order. Producer: P1 set bit, P2 read is_asleep. Consumer: C1 set
 * is_asleep, C2 read pending, then wait. If P2 reads 0 although the consumer goes to wait, then P2
 * precedes C1, so P1 precedes C2, so C2 sees the bit and the consumer does not wait. If P2 reads 1,
 * the doorbell is rung, and as an eventfd keeps its count the wait returns even if it has not yet
 * begun. Clearing is_asleep too early (another producer rang) means that the consumer is about to
 * wake and to look at `pending` after mailbox_wake_up: work that arrives then is found by that
 * look.
 *
 * The same argument serves a full ring, with the roles exchanged: the producer sets is_asleep and
 * room_wanted, fences, and reads the ring's room; the consumer advances the ring, fences, and reads
 * room_wanted. Either the producer sees the room or the consumer sees the wish.
 */
#include "runtime/mailbox.h"

#include <ck_pr.h>
#include <ck_ring.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/poller.h"
#include "runtime/sanitizer.h"
#include "runtime/staging.h"

/* ThreadSanitizer cannot see the barriers in ck's assembly: it is told of them. RING_SEEN stands
 * where the other side's index was read, RING_TELL where the own one is about to be advanced. */
#if UNDER_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#define RING_SEEN(index) __tsan_acquire(index)
#define RING_TELL(index) __tsan_release(index)
#else
#define RING_SEEN(index) ((void)(index))
#define RING_TELL(index) ((void)(index))
#endif

enum {
    MAILBOX_WORDS = SHARDS_MAX / 64,
    /* So many staged messages for one target are sent before the turn ends. */
    BATCH_MESSAGES = RING_DEPTH / 2,
};

static_assert(SHARDS_MAX % 64 == 0, "a bit for each shard");

CK_RING_PROTOTYPE(message, message)

/* Of one ordered pair. The slots are a block of their own, since 8 KiB is a size that the
 * allocator wastes nothing on. */
struct ring {
    struct ck_ring ck;    /* The consumer's line, the producer's line, and a rest. */
    uint32_t room_wanted; /* Atomic: the producer sleeps until there is room. */
    struct message *slots;
} __attribute__((aligned(64)));

static_assert(sizeof(struct ring) == 192, "the rest of ck's third line is used");

struct mailbox {
    /* Written by every shard. */
    uint64_t pending[MAILBOX_WORDS];
    uint32_t is_asleep;

    /* Of the owner alone. */
    uint64_t leftover[MAILBOX_WORDS] __attribute__((aligned(64)));
    uint64_t staged_for[MAILBOX_WORDS]; /* Targets whose staging is not empty. */
    struct staging *staging;            /* One a target. */
    struct mailbox_matrix *matrix;
    struct poller *poller;
    const char *owner; /* The mark of the thread that may call; NULL: unclaimed. */
    struct staging_store chunks;
    uint32_t id;
    uint32_t own_ready; /* Messages to itself that the next drain hands over. */

    struct mailbox_counters counters __attribute__((aligned(64)));
};

struct mailbox_matrix {
    uint32_t shards;
    struct mailbox_limits limits;
    struct mailbox *mailboxes;
    struct ring **rings; /* [target * shards + sender]; atomic, NULL until the first message. */
};

/* Its address tells threads apart. */
static _Thread_local char mailbox_thread_mark;

static void mailbox_assert_owner(const struct mailbox *mailbox)
{
    BUG_IF(mailbox->owner != NULL && mailbox->owner != &mailbox_thread_mark);
}

/* A release, so that whoever reads `received` also sees what was sent before it. */
static void mailbox_count(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELEASE);
}

static void bits_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= 1ull << (i % 64);
}

static void bits_clear(uint64_t *bits, uint32_t i)
{
    bits[i / 64] &= ~(1ull << (i % 64));
}

/* The lowest bit, taken out of the word. */
static uint32_t bits_take_lowest(uint64_t *word)
{
    const uint32_t bit = (uint32_t)__builtin_ctzll(*word);
    *word &= *word - 1;
    return bit;
}

/* ---- the matrix ---- */

static struct ring **ring_place(const struct mailbox_matrix *matrix, uint32_t sender,
                                uint32_t target)
{
    return &matrix->rings[(size_t)target * matrix->shards + sender];
}

static struct ring *ring_of(const struct mailbox_matrix *matrix, uint32_t sender, uint32_t target)
{
    return __atomic_load_n(ring_place(matrix, sender, target), __ATOMIC_ACQUIRE);
}

static struct ring *ring_create(uint32_t depth)
{
    struct ring *ring = aligned_alloc(64, sizeof *ring);
    struct message *slots = aligned_alloc(64, depth * sizeof *slots);
    if (ring == NULL || slots == NULL) {
        free(ring);
        free(slots);
        return NULL;
    }
    ck_ring_init(&ring->ck, depth);
    ring->room_wanted = 0;
    ring->slots = slots;
    return ring;
}

static void ring_destroy(struct ring *ring)
{
    if (ring != NULL) {
        free(ring->slots);
        free(ring);
    }
}

static bool mailbox_init(struct mailbox *mailbox, struct mailbox_matrix *matrix, uint32_t id)
{
    mailbox->matrix = matrix;
    mailbox->id = id;
    mailbox->staging = calloc(matrix->shards, sizeof *mailbox->staging);
    return mailbox->staging != NULL;
}

struct mailbox_matrix *mailbox_matrix_create(uint32_t shards)
{
    BUG_IF(shards == 0 || shards > SHARDS_MAX);
    struct mailbox_matrix *matrix = calloc(1, sizeof *matrix);
    if (matrix == NULL) {
        return NULL;
    }
    matrix->rings = calloc((size_t)shards * shards, sizeof(struct ring *));
    matrix->mailboxes = aligned_alloc(64, shards * sizeof *matrix->mailboxes);
    if (matrix->rings == NULL || matrix->mailboxes == NULL) {
        mailbox_matrix_destroy(matrix);
        return NULL;
    }
    memset(matrix->mailboxes, 0, shards * sizeof *matrix->mailboxes);
    matrix->shards = shards;
    mailbox_matrix_limit(matrix, &(struct mailbox_limits){0});
    for (uint32_t i = 0; i < shards; i++) {
        if (!mailbox_init(&matrix->mailboxes[i], matrix, i)) {
            mailbox_matrix_destroy(matrix);
            return NULL;
        }
    }
    return matrix;
}

void mailbox_matrix_limit(struct mailbox_matrix *matrix, const struct mailbox_limits *limits)
{
    const uint32_t depth = limits->ring_depth == 0 ? RING_DEPTH : limits->ring_depth;
    const uint32_t requests_max = limits->staged_requests_max == 0 ? MAILBOX_STAGED_REQUESTS_MAX
                                                                   : limits->staged_requests_max;
    const uint32_t staged_max = limits->staged_max == 0 ? MAILBOX_STAGED_MAX : limits->staged_max;
    BUG_IF(depth > RING_DEPTH || depth < 4 || (depth & (depth - 1)) != 0);
    BUG_IF(requests_max > MAILBOX_STAGED_REQUESTS_MAX || staged_max > MAILBOX_STAGED_MAX);
    BUG_IF(staged_max < 2 * requests_max);
    matrix->limits = (struct mailbox_limits){
        .ring_depth = depth,
        .staged_requests_max = requests_max,
        .staged_max = staged_max,
    };
}

const struct mailbox_limits *mailbox_limits_of(const struct mailbox *mailbox)
{
    return &mailbox->matrix->limits;
}

static void mailbox_clear(struct mailbox *mailbox)
{
    for (uint32_t i = 0; mailbox->staging != NULL && i < mailbox->matrix->shards; i++) {
        staging_clear(&mailbox->staging[i]);
    }
    recycle_clear(&mailbox->chunks.kept);
    free(mailbox->staging);
}

void mailbox_matrix_destroy(struct mailbox_matrix *matrix)
{
    if (matrix == NULL) {
        return;
    }
    for (uint32_t i = 0; i < matrix->shards; i++) {
        mailbox_clear(&matrix->mailboxes[i]);
    }
    for (size_t i = 0; i < (size_t)matrix->shards * matrix->shards; i++) {
        ring_destroy(matrix->rings[i]);
    }
    free(matrix->mailboxes);
    free(matrix->rings);
    free(matrix);
}

struct mailbox *mailbox_of(struct mailbox_matrix *matrix, uint32_t shard)
{
    BUG_IF(shard >= matrix->shards);
    return &matrix->mailboxes[shard];
}

void mailbox_set_poller(struct mailbox *mailbox, struct poller *poller)
{
    mailbox->poller = poller;
}

void mailbox_claim(struct mailbox *mailbox)
{
    mailbox_assert_owner(mailbox);
    mailbox->owner = &mailbox_thread_mark;
}

void mailbox_disclaim(struct mailbox *mailbox)
{
    mailbox_assert_owner(mailbox);
    mailbox->owner = NULL;
}

/* ---- sending ---- */

uint32_t mailbox_room(const struct mailbox *mailbox, uint32_t target, enum message_class class)
{
    BUG_IF(target >= mailbox->matrix->shards);
    const struct mailbox_limits *limits = &mailbox->matrix->limits;
    const uint32_t max =
        class == MESSAGE_REQUEST ? limits->staged_requests_max : limits->staged_max;
    const uint32_t count = mailbox->staging[target].count;
    return count < max ? max - count : 0;
}

/* Rings the doorbell if the shard sleeps. Any thread. */
static void mailbox_rouse(struct mailbox *sleeper, struct mailbox *caller)
{
    if (__atomic_load_n(&sleeper->is_asleep, __ATOMIC_SEQ_CST) != 0 &&
        __atomic_exchange_n(&sleeper->is_asleep, 0, __ATOMIC_SEQ_CST) != 0) {
        poller_wake(sleeper->poller);
        mailbox_count(&caller->counters.doorbells, 1);
    }
}

/* Copies what fits from the staging into the ring; returns how many messages. */
static uint32_t ring_fill(struct ring *ring, struct mailbox *mailbox, struct staging *staging)
{
    uint32_t moved = 0;
    while (staging->count > 0) {
        struct message *slot = ck_ring_enqueue_reserve_spsc_message(&ring->ck, ring->slots);
        if (slot == NULL) {
            break;
        }
        RING_SEEN(&ring->ck.c_head);
        staging_take(staging, &mailbox->chunks, slot);
        RING_TELL(&ring->ck.p_tail);
        ck_ring_enqueue_commit_spsc(&ring->ck);
        moved++;
    }
    return moved;
}

/* Not to itself. */
static void mailbox_flush_to(struct mailbox *mailbox, uint32_t target)
{
    struct mailbox_matrix *matrix = mailbox->matrix;
    struct staging *staging = &mailbox->staging[target];
    if (staging->count > mailbox->counters.staged_peak) {
        mailbox_count(&mailbox->counters.staged_peak,
                      staging->count - mailbox->counters.staged_peak);
    }
    struct ring *ring = ring_of(matrix, mailbox->id, target);
    if (ring == NULL) {
        ring = ring_create(matrix->limits.ring_depth);
        if (ring == NULL) {
            return; /* Memory is out: they stay staged, and this is tried again. */
        }
        __atomic_store_n(ring_place(matrix, mailbox->id, target), ring, __ATOMIC_RELEASE);
    }
    const uint32_t moved = ring_fill(ring, mailbox, staging);
    if (staging->count == 0) {
        bits_clear(mailbox->staged_for, target);
    } else {
        mailbox_count(&mailbox->counters.ring_full, 1);
    }
    if (moved > 0) {
        struct mailbox *receiver = &matrix->mailboxes[target];
        __atomic_fetch_or(&receiver->pending[mailbox->id / 64], 1ull << (mailbox->id % 64),
                          __ATOMIC_SEQ_CST);
        mailbox_rouse(receiver, mailbox);
    }
}

static bool mailbox_stage(struct mailbox *mailbox, uint32_t target, const struct message *message,
                          enum message_class class, uint16_t from)
{
    mailbox_assert_owner(mailbox);
    struct staging *staging = &mailbox->staging[target];
    struct message *copy =
        mailbox_room(mailbox, target, class) > 0 ? staging_add(staging, &mailbox->chunks) : NULL;
    if (copy == NULL) {
        mailbox_count(&mailbox->counters.refused, 1);
        return false;
    }
    *copy = *message;
    copy->from = from;
    mailbox_count(&mailbox->counters.sent, 1);
    if (target != mailbox->id) {
        bits_set(mailbox->staged_for, target);
        if (staging->count % BATCH_MESSAGES == 0) {
            mailbox_flush_to(mailbox, target);
        }
    }
    return true;
}

bool mailbox_send(struct mailbox *mailbox, uint32_t target, const struct message *message,
                  enum message_class class)
{
    return mailbox_stage(mailbox, target, message, class, (uint16_t)mailbox->id);
}

bool mailbox_pass_on(struct mailbox *mailbox, uint32_t target, const struct message *message,
                     enum message_class class)
{
    return mailbox_stage(mailbox, target, message, class, message->from);
}

void mailbox_flush(struct mailbox *mailbox)
{
    mailbox_assert_owner(mailbox);
    mailbox->own_ready = mailbox->staging[mailbox->id].count;
    for (uint32_t word = 0; word < MAILBOX_WORDS; word++) {
        uint64_t targets = mailbox->staged_for[word];
        while (targets != 0) {
            mailbox_flush_to(mailbox, word * 64 + bits_take_lowest(&targets));
        }
    }
}

/* ---- receiving ---- */

static bool ring_take(struct ring *ring, struct message *message)
{
    if (ck_ring_size(&ring->ck) == 0) {
        return false;
    }
    RING_SEEN(&ring->ck.p_tail);
    RING_TELL(&ring->ck.c_head);
    return ck_ring_dequeue_spsc_message(&ring->ck, ring->slots, message);
}

/* Drains the rings of the senders in one word of `leftover`; what outlasts the budget remains. */
static uint32_t mailbox_drain_word(struct mailbox *mailbox, uint32_t word, uint32_t budget,
                                   mailbox_function *handle, void *context)
{
    uint64_t senders = mailbox->leftover[word];
    mailbox->leftover[word] = 0;
    uint32_t received = 0;
    while (senders != 0) {
        const uint32_t sender = word * 64 + bits_take_lowest(&senders);
        struct ring *ring = ring_of(mailbox->matrix, sender, mailbox->id);
        struct message message;
        uint32_t n = 0;
        while (n < budget && ring_take(ring, &message)) {
            handle(context, &message);
            n++;
        }
        if (ck_ring_size(&ring->ck) != 0) {
            bits_set(mailbox->leftover, sender);
        }
        received += n;
    }
    return received;
}

/* What the shard told itself before its last flush; what it adds meanwhile comes next turn. */
static uint32_t mailbox_drain_own(struct mailbox *mailbox, mailbox_function *handle, void *context)
{
    struct staging *own = &mailbox->staging[mailbox->id];
    const uint32_t ready = mailbox->own_ready;
    mailbox->own_ready = 0;
    for (uint32_t i = 0; i < ready; i++) {
        struct message message;
        staging_take(own, &mailbox->chunks, &message);
        handle(context, &message);
    }
    return ready;
}

/* Wakes the producers that sleep because their ring was full. */
static void mailbox_offer_room(struct mailbox *mailbox, const uint64_t *drained)
{
    ck_pr_fence_memory();
    for (uint32_t word = 0; word < MAILBOX_WORDS; word++) {
        uint64_t senders = drained[word];
        while (senders != 0) {
            const uint32_t sender = word * 64 + bits_take_lowest(&senders);
            struct ring *ring = ring_of(mailbox->matrix, sender, mailbox->id);
            if (__atomic_load_n(&ring->room_wanted, __ATOMIC_SEQ_CST) != 0 &&
                __atomic_exchange_n(&ring->room_wanted, 0, __ATOMIC_SEQ_CST) != 0) {
                mailbox_rouse(&mailbox->matrix->mailboxes[sender], mailbox);
            }
        }
    }
}

uint32_t mailbox_drain(struct mailbox *mailbox, uint32_t budget, mailbox_function *handle,
                       void *context)
{
    mailbox_assert_owner(mailbox);
    uint64_t drained[MAILBOX_WORDS];
    uint64_t any = 0;
    uint32_t received = mailbox_drain_own(mailbox, handle, context);
    for (uint32_t word = 0; word < MAILBOX_WORDS; word++) {
        if (__atomic_load_n(&mailbox->pending[word], __ATOMIC_RELAXED) != 0) {
            mailbox->leftover[word] |=
                __atomic_exchange_n(&mailbox->pending[word], 0, __ATOMIC_SEQ_CST);
        }
        drained[word] = mailbox->leftover[word];
        any |= drained[word];
        received += mailbox_drain_word(mailbox, word, budget, handle, context);
    }
    if (received != 0) {
        mailbox_count(&mailbox->counters.received, received);
    }
    if (any != 0) {
        mailbox_offer_room(mailbox, drained);
    }
    return received;
}

/* ---- sleeping ---- */

static bool mailbox_ring_has_room(const struct mailbox *mailbox, uint32_t target)
{
    const struct ring *ring = ring_of(mailbox->matrix, mailbox->id, target);
    return ring == NULL || ck_ring_size(&ring->ck) < mailbox->matrix->limits.ring_depth - 1;
}

bool mailbox_has_work(const struct mailbox *mailbox)
{
    if (mailbox->staging[mailbox->id].count != 0) {
        return true;
    }
    for (uint32_t word = 0; word < MAILBOX_WORDS; word++) {
        if (__atomic_load_n(&mailbox->pending[word], __ATOMIC_SEQ_CST) != 0 ||
            mailbox->leftover[word] != 0) {
            return true;
        }
        uint64_t targets = mailbox->staged_for[word];
        while (targets != 0) {
            if (mailbox_ring_has_room(mailbox, word * 64 + bits_take_lowest(&targets))) {
                return true;
            }
        }
    }
    return false;
}

/* Asks the targets behind full rings to tell when there is room. */
static void mailbox_want_room(struct mailbox *mailbox)
{
    bool wants = false;
    for (uint32_t word = 0; word < MAILBOX_WORDS; word++) {
        uint64_t targets = mailbox->staged_for[word];
        while (targets != 0) {
            const uint32_t target = word * 64 + bits_take_lowest(&targets);
            struct ring *ring = ring_of(mailbox->matrix, mailbox->id, target);
            if (ring != NULL) {
                __atomic_store_n(&ring->room_wanted, 1, __ATOMIC_SEQ_CST);
                wants = true;
            }
        }
    }
    if (wants) {
        ck_pr_fence_memory();
    }
}

bool mailbox_fall_asleep(struct mailbox *mailbox)
{
    mailbox_assert_owner(mailbox);
    if (mailbox->poller == NULL || mailbox_has_work(mailbox)) {
        return false;
    }
    __atomic_exchange_n(&mailbox->is_asleep, 1, __ATOMIC_SEQ_CST);
    mailbox_want_room(mailbox);
    if (mailbox_has_work(mailbox)) {
        mailbox_wake_up(mailbox);
        return false;
    }
    return true;
}

void mailbox_wake_up(struct mailbox *mailbox)
{
    mailbox_assert_owner(mailbox);
    __atomic_store_n(&mailbox->is_asleep, 0, __ATOMIC_SEQ_CST);
}

const struct mailbox_counters *mailbox_counters(const struct mailbox *mailbox)
{
    return &mailbox->counters;
}

size_t mailbox_memory(const struct mailbox *mailbox)
{
    const uint32_t shards = mailbox->matrix->shards;
    size_t rings = 0;
    for (uint32_t sender = 0; sender < shards; sender++) {
        rings += ring_of(mailbox->matrix, sender, mailbox->id) != NULL;
    }
    const size_t ring_bytes =
        sizeof(struct ring) + mailbox->matrix->limits.ring_depth * sizeof(struct message);
    return rings * ring_bytes + mailbox->chunks.chunks * sizeof(struct staged_chunk) +
           shards * sizeof(struct staging);
}
