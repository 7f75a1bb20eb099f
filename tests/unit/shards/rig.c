/* SPDX-License-Identifier: Apache-2.0 */
/* Steps the shards of a rig in turn, on one thread. */
#include "tests/unit/shards/rig.h"

#include "shards/channel/homes.h"
#include "shards/router/directory.h"

void rig_open(struct rig *rig, uint32_t shards, uint32_t channels_max, uint32_t users_max)
{
    struct random random;
    assert_true(shards < RIG_SHARDS_MAX);
    memset(rig, 0, sizeof(*rig));
    node_options_init(&rig->options);
    rig->options.shards = shards;
    rig->shards = shards;
    random_init_seeded(&random, 7);
    rig->node = node_create(&rig->options, &random, 0);
    rig->matrix = mailbox_matrix_create(shards + 1);
    assert_non_null(rig->node);
    assert_non_null(rig->matrix);
    for (uint32_t i = 0; i < shards; i++) {
        struct shard *shard = &rig->shard[i];
        shard->id = i;
        shard->count = shards + 1;
        shard->mailbox = mailbox_of(rig->matrix, i);
        random_init_seeded(&shard->random, i + 1);
        shard->stats = stats_create(COUNTERS_LEN, HISTS_LEN);
        shard->log = log_create("test");
        assert_non_null(shard->stats);
        assert_non_null(shard->log);
    }
    struct actors *home = &rig->home;
    home->node = rig->node;
    home->options = &rig->options;
    home->shard = &rig->shard[RIG_HOME];
    home->shard->timers = timer_wheel_create(0, home);
    assert_non_null(home->shard->timers);
    home->outbox = outbox_create(home->shard);
    home->homes = homes_create(home, channels_max);
    home->directory = directory_create(home, users_max);
    assert_non_null(home->outbox);
    assert_non_null(home->homes);
    assert_non_null(home->directory);
}

void rig_close(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->shards; i++) {
        assert_int_equal(rig_left(rig, i), 0);
        free(rig->inbox[i].messages);
    }
    homes_destroy(rig->home.homes);
    directory_destroy(rig->home.directory);
    outbox_destroy(rig->home.outbox);
    timer_wheel_destroy(rig->home.shard->timers);
    for (uint32_t i = 0; i < rig->shards; i++) {
        stats_destroy(rig->shard[i].stats);
        log_destroy(rig->shard[i].log);
    }
    mailbox_matrix_destroy(rig->matrix);
    node_destroy(rig->node);
}

static void inbox_append(struct inbox *inbox, const struct message *message)
{
    if (inbox->len == inbox->room) {
        inbox->room = inbox->room == 0 ? 64 : 2 * inbox->room;
        struct message *grown = aligned_alloc(64, inbox->room * sizeof(*grown));
        assert_non_null(grown);
        if (inbox->len > 0) {
            memcpy(grown, inbox->messages, inbox->len * sizeof(*grown));
        }
        free(inbox->messages);
        inbox->messages = grown;
    }
    inbox->messages[inbox->len++] = *message;
}

struct rig_drain {
    struct rig *rig;
    uint32_t shard;
};

/* The home asks itself too; the other shards have nothing to say, unless a test speaks for them. */
static void rig_on_survey(struct rig *rig, uint32_t shard, const struct message *message)
{
    if (!survey_is_of_wildcards(message) || (rig->keeps_surveys && shard != RIG_HOME)) {
        inbox_append(&rig->inbox[shard], message);
    } else if (shard == RIG_HOME) {
        homes_on_message(rig->home.homes, message);
    } else {
        const struct message_survey_result result = {.op = message_as_survey(message).op};
        message_release(message);
        assert_true(message_send_survey_result(rig->shard[shard].mailbox, RIG_HOME, 0, &result));
    }
}

/* As a shard's actor does, but for the edge. */
static void rig_on_message(void *context, const struct message *message)
{
    const struct rig_drain *drain = context;
    const struct actors *home = &drain->rig->home;
    switch ((enum message_type)message->type) {
    case MESSAGE_SUBSCRIBE:
    case MESSAGE_UNSUBSCRIBE:
    case MESSAGE_PUBLISH:
    case MESSAGE_PRESENCE_ASK:
    case MESSAGE_HISTORY_ASK:
    case MESSAGE_MAP_ASK:
    case MESSAGE_PASS_ON:
    case MESSAGE_CHANNEL_MOVE:
    case MESSAGE_CHANNEL_TAKEN:
    case MESSAGE_SLOTS_READY:
    case MESSAGE_SLOTS_MISSED:
    case MESSAGE_SLOTS_NOTED:
        homes_on_message(home->homes, message);
        break;
    case MESSAGE_PASSED_ON:
        if (drain->shard == RIG_HOME) {
            homes_on_message(home->homes, message);
        } else {
            inbox_append(&drain->rig->inbox[drain->shard], message);
        }
        break;
    case MESSAGE_SURVEY:
    case MESSAGE_SURVEY_RESULT:
        rig_on_survey(drain->rig, drain->shard, message);
        break;
    case MESSAGE_USER_ADD:
        directory_on_user_add(home->directory, message);
        break;
    case MESSAGE_USER_REMOVE:
        directory_on_user_remove(home->directory, message);
        break;
    case MESSAGE_USER_COMMAND:
        directory_on_user_command(home->directory, message);
        break;
    default:
        inbox_append(&drain->rig->inbox[drain->shard], message);
        break;
    }
}

void rig_settle(struct rig *rig)
{
    uint32_t moved;
    do {
        moved = 0;
        for (uint32_t i = 0; i < rig->shards; i++) {
            mailbox_flush(rig->shard[i].mailbox);
        }
        for (uint32_t i = 0; i < rig->shards; i++) {
            struct rig_drain drain = {.rig = rig, .shard = i};
            if (!rig->is_stuck[i]) {
                moved += mailbox_drain(rig->shard[i].mailbox, TURN_MESSAGES_A_RING, rig_on_message,
                                       &drain);
            }
        }
        outbox_on_turn_end(rig->home.outbox);
    } while (moved > 0);
}

void rig_advance(struct rig *rig, uint64_t ms)
{
    struct shard *home = rig->home.shard;
    home->now_ms += ms;
    while (timer_wheel_next_ms(home->timers) <= home->now_ms) {
        timer_wheel_advance(home->timers, home->now_ms, UINT32_MAX);
    }
}

struct message rig_take(struct rig *rig, uint32_t shard, enum message_type type)
{
    struct inbox *inbox = &rig->inbox[shard];
    assert_true(inbox->taken < inbox->len);
    const struct message message = inbox->messages[inbox->taken++];
    assert_string_equal(message_type_name(message.type), message_type_name(type));
    return message;
}

size_t rig_left(const struct rig *rig, uint32_t shard)
{
    return rig->inbox[shard].len - rig->inbox[shard].taken;
}

size_t rig_drop(struct rig *rig, uint32_t shard)
{
    struct inbox *inbox = &rig->inbox[shard];
    const size_t left = rig_left(rig, shard);
    while (inbox->taken < inbox->len) {
        message_release(&inbox->messages[inbox->taken++]);
    }
    return left;
}

uint32_t rig_fill(struct rig *rig, uint32_t shard, uint32_t room)
{
    struct mailbox *mailbox = rig->shard[RIG_HOME].mailbox;
    const struct message filler = {.type = MESSAGE_NODES_ASK};
    uint32_t sent = 0;
    rig->is_stuck[shard] = true;
    /* A flush makes room in the staging, until the ring is full as well. */
    while (mailbox_room(mailbox, shard, MESSAGE_REPLY) > room) {
        while (mailbox_room(mailbox, shard, MESSAGE_REPLY) > room) {
            assert_true(mailbox_send(mailbox, shard, &filler, MESSAGE_REPLY));
            sent++;
        }
        mailbox_flush(mailbox);
    }
    return sent;
}

uint64_t rig_counter(const struct rig *rig, enum counter counter)
{
    return stats_get(rig->shard[RIG_HOME].stats, counter);
}

struct buf *rig_text(const char *text)
{
    struct buf *buf = buf_copy(text, strlen(text));
    assert_non_null(buf);
    return buf;
}

struct buf *rig_identity(uint8_t client, const char *user, const char *conn_info,
                         const char *chan_info)
{
    uint8_t id[CLIENT_ID_LEN];
    memset(id, client, sizeof(id));
    struct buf *buf =
        identity_make(id, span_of_text(user), span_of_text(conn_info), span_of_text(chan_info));
    assert_non_null(buf);
    return buf;
}
