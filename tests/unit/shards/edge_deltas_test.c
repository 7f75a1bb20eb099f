/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribers that take deltas: whatever they are told, they end up with what was published. */
#include <stdio.h>

#include "codec/delta.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "runtime/random.h"
#include "tests/unit/shards/edge_streams.h"

enum { PAYLOAD_SIZE = 2048, FOLLOWERS_MAX = 8 };

/* A client with the payload that it knows, as SDKs keep it. */
struct follower {
    struct peer *peer;
    bool takes_deltas;
    char base[PAYLOAD_SIZE];
    unsigned whole;
    unsigned deltas;
};

/* The payload of the publication whose `"data":` is at `at`; *end is behind it. A client that
 * speaks JSON is told a string, and the frames of one that speaks Protobuf were translated byte by
 * byte, so that the next field is where the payload ends. */
static struct span told_at(const struct peer *peer, const char *at, bool takes_deltas,
                           uint8_t *room, const char **end)
{
    const char *data = at + strlen("\"data\":");
    const char *next = strstr(data, ",\"info\":{");
    next = next == NULL ? strstr(data, ",\"offset\":") : next;
    assert_non_null(next);
    *end = next;
    if (peer->protocol == CLIENT_PROTOBUF || !takes_deltas) {
        return span_of(data, (size_t)(next - data));
    }
    struct json_reader reader;
    struct json_value value;
    struct span text;
    struct scratch scratch = scratch_of(room, PAYLOAD_SIZE);
    json_reader_begin(&reader, span_of(data, strlen(data)));
    assert_int_equal(json_read_value(&reader, &value), JSON_OK);
    assert_int_equal(value.type, JSON_STRING);
    assert_int_equal(json_string_decode(value.raw, &scratch, &text), JSON_OK);
    *end = (const char *)value.raw.at + value.raw.len;
    return text;
}

/* The translation leaves out the one line feed of a delta, which is behind its target's length. */
static void apply(const struct follower *follower, struct span told, size_t target_len,
                  struct writer *out)
{
    uint8_t room[PAYLOAD_SIZE];
    struct writer delta = writer_of(room, sizeof(room));
    const size_t digits = target_len < 64 ? 1 : target_len < 64 * 64 ? 2 : 3;
    writer_put(&delta, span_of(told.at, digits));
    if (follower->peer->protocol == CLIENT_PROTOBUF) {
        writer_put_byte(&delta, '\n');
    }
    writer_put(&delta, span_skip(told, digits));
    assert_int_equal(delta_apply(span_of(follower->base, strlen(follower->base)),
                                 writer_written(&delta), out),
                     DELTA_OK);
}

/* Takes in the publication at `at` of what was heard; it must be `payload`. */
static const char *takes_in(struct follower *follower, const char *at, const char *payload)
{
    uint8_t room[PAYLOAD_SIZE];
    uint8_t made[PAYLOAD_SIZE];
    const char *end;
    const struct span told = told_at(follower->peer, at, follower->takes_deltas, room, &end);
    const char *is_delta = strstr(end, "\"delta\":true");
    const char *others = strstr(end, "]");
    const char *next = strstr(end, "\"data\":");
    others = others == NULL || (next != NULL && next < others) ? next : others;
    struct writer out = writer_of(made, sizeof(made));
    if (is_delta != NULL && (others == NULL || is_delta < others)) {
        assert_true(follower->takes_deltas);
        apply(follower, told, strlen(payload), &out);
        follower->deltas++;
    } else {
        writer_put(&out, told);
        follower->whole++;
    }
    writer_put_byte(&out, '\0');
    assert_false(writer_is_overflown(&out));
    assert_string_equal((const char *)made, payload);
    memcpy(follower->base, made, writer_written_len(&out));
    return end;
}

static void hears(struct follower *follower, const char *payload)
{
    peer_hear_frame(follower->peer, 0x81);
    (void)takes_in(follower, strstr(follower->peer->message.at, "\"data\":"), payload);
}

/* What a JSON document is to a client of the API that has it in its hands. */
static void publishes(const char *channel, const char *payload, bool wants_delta)
{
    char head[256];
    char body[PAYLOAD_SIZE + 256];
    struct peer *peer = peer_open(&streams);
    const int len = snprintf(body, sizeof(body), "{\"channel\":\"%s\",\"data\":%s,\"delta\":%s}",
                             channel, payload, wants_delta ? "true" : "false");
    (void)snprintf(head, sizeof(head),
                   "POST /api/publish HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: %d\r\n\r\n",
                   len);
    peer_put_text(peer, head);
    peer_send(peer, body);
    peer_hear_response(peer, 200, NULL);
    peer_close(peer);
}

static struct follower follower_at(uint32_t shard, const char *channel, bool takes_deltas)
{
    struct follower follower = {.peer = client_at(shard), .takes_deltas = takes_deltas};
    peer_say(follower.peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"delta\":\"%s\"}}",
             channel, takes_deltas ? "fossil" : "");
    peer_hear_frame(follower.peer, 0x81);
    assert_true((strstr(follower.peer->message.at, "\"delta\":true") != NULL) == takes_deltas);
    return follower;
}

static const char long_text[] =
    "{\"text\":\"a payload of which little changes from one publication to the next\",\"n\":%u}";

static const char *numbered(unsigned number)
{
    static char payload[PAYLOAD_SIZE];
    (void)snprintf(payload, sizeof(payload), long_text, number);
    return payload;
}

/* ---- tests ---- */

static void it_is_negotiated(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peer = client_at(0);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"kept:c\",\"delta\":\"fossil\"}}");
    peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"d:c\",\"delta\":\"rsync\"}}");
    peer_hear_close(peer, 3501, "bad request");
    struct follower follower = follower_at(1, "d:c", true);
    peer_close(follower.peer);
    edge_rig_stop(&streams);
}

static void the_first_is_whole_and_others_follow(void **state)
{
    (void)state;
    streams_open(0);
    struct follower takes = follower_at(0, "d:c", true);
    struct follower plain = follower_at(0, "d:c", false);
    struct follower late = {.takes_deltas = true};
    for (unsigned i = 1; i <= 6; i++) {
        if (i == 4) {
            late = follower_at(0, "d:c", true);
        }
        publishes("d:c", numbered(i), true);
        hears(&takes, numbered(i));
        hears(&plain, numbered(i));
        if (late.peer != NULL) {
            hears(&late, numbered(i));
        }
    }
    assert_int_equal(takes.whole, 1);
    assert_int_equal(takes.deltas, 5);
    assert_int_equal(late.whole, 1);
    assert_int_equal(late.deltas, 2);
    assert_int_equal(plain.whole, 6);
    /* One for both of them. */
    assert_int_equal(edge_rig_count(&streams, COUNTER_DELTAS_MADE), 5);
    assert_true(edge_rig_count(&streams, COUNTER_DELTA_KEPT_BYTES) > 0);
    /* Nobody asks for a difference to this one, or nothing is in common with it. */
    publishes("d:c", numbered(7), false);
    hears(&takes, numbered(7));
    publishes("d:c", "[]", true);
    hears(&takes, "[]");
    publishes("d:c", numbered(8), true);
    hears(&takes, numbered(8));
    assert_int_equal(takes.deltas, 5);
    peer_close(late.peer);
    peer_close(takes.peer);
    assert_int_equal(edge_rig_count(&streams, COUNTER_DELTA_KEPT_BYTES), 0);
    edge_rig_stop(&streams);
}

/* Back after the first of the publications until `newest`, and then told the next two. */
static void comes_back(uint32_t shard, const char *epoch, unsigned newest, bool is_followed)
{
    struct follower back = {.peer = client_at(shard), .takes_deltas = true};
    (void)snprintf(back.base, sizeof(back.base), "%s", numbered(1));
    peer_say(back.peer,
             "{\"id\":3,\"subscribe\":{\"channel\":\"d:c\",\"recover\":true,\"offset\":1,"
             "\"epoch\":\"%s\",\"delta\":\"fossil\"}}",
             epoch);
    peer_hear_frame(back.peer, 0x81);
    assert_non_null(strstr(back.peer->message.at, "\"recovered\":true"));
    const char *at = back.peer->message.at;
    for (unsigned i = 2; i <= newest; i++) {
        at = strstr(at, "\"data\":");
        assert_non_null(at);
        at = takes_in(&back, at, numbered(i));
    }
    assert_int_equal(back.whole, 1);
    for (unsigned i = 1; i <= 2; i++) {
        publishes("d:c", numbered(newest + i), true);
        hears(&back, numbered(newest + i));
        /* Where the shard has followed the channel, it tells the difference at once. */
        assert_int_equal(back.whole, is_followed ? 1 : 2);
    }
    peer_say(back.peer, "{\"id\":4,\"history\":{\"channel\":\"d:c\",\"limit\":-1}}");
    peer_hear_frame(back.peer, 0x81);
    assert_null(strstr(back.peer->message.at, "\"delta\":true"));
    peer_close(back.peer);
}

static void who_comes_back_goes_on(void **state)
{
    (void)state;
    streams_open(0);
    char epoch[EPOCH_SIZE];
    struct follower stays = follower_at(2, "d:c", true);
    (void)snprintf(epoch, sizeof(epoch), "%s", epoch_in(stays.peer));
    for (unsigned i = 1; i <= 3; i++) {
        publishes("d:c", numbered(i), true);
    }
    comes_back(2, epoch, 3, true);
    comes_back(3, epoch, 5, false);
    edge_rig_stop(&streams);
}

/* What was not kept is no base of what a client has recovered. */
static void a_publication_without_a_place_is_no_base(void **state)
{
    (void)state;
    streams_open(0);
    char epoch[EPOCH_SIZE];
    struct follower stays = follower_at(2, "d:c", true);
    (void)snprintf(epoch, sizeof(epoch), "%s", epoch_in(stays.peer));
    for (unsigned i = 1; i <= 3; i++) {
        publishes("d:c", numbered(i), true);
    }
    call(.method = "publish",
         .body = "{\"channel\":\"d:c\",\"data\":\"aside\",\"skip_history\":true,\"delta\":true}",
         .answer = "{\"result\":{}}");
    comes_back(2, epoch, 3, false);
    edge_rig_stop(&streams);
}

/* A JSON string that begins like the one before it: letters of one to four bytes, and escapes. */
static void draw_payload(struct random *random, char payload[PAYLOAD_SIZE], const char *before)
{
    static const char *const letters[] =
        {"a",    "b",    "\xd1\x8f", "\xd0\xb6", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
         "\\\"", "\\\\", " ",        "\\u2028"};
    const size_t kept_max = strlen(before) < 2 ? 0 : strlen(before) - 2;
    struct json_value value;
    size_t len = (size_t)random_below(random, kept_max + 1);
    do {
        (void)snprintf(payload, PAYLOAD_SIZE, "\"%.*s\"", (int)len, before + (len > 0));
    } while (json_parse(span_of_text(payload), &value) != JSON_OK && len-- > 0);
    len = strlen(payload) - 1;
    for (uint64_t i = random_below(random, 40); i > 0 && len < PAYLOAD_SIZE / 2; i--) {
        const char *letter = letters[random_below(random, sizeof(letters) / sizeof(letters[0]))];
        memcpy(payload + len, letter, strlen(letter));
        len += strlen(letter);
    }
    memcpy(payload + len, "\"", 2);
}

/* Followers that come and go while several publications leave together. */
static void whatever_happens_all_have_what_was_published(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random random;
        struct follower followers[FOLLOWERS_MAX] = {0};
        char payloads[4][PAYLOAD_SIZE] = {""};
        random_init_seeded(&random, seed);
        streams_open(0);
        for (unsigned step = 0; step < 30; step++) {
            struct follower *follower = &followers[random_below(&random, FOLLOWERS_MAX)];
            if (follower->peer == NULL) {
                *follower = follower_at((uint32_t)random_below(&random, SHARDS), "every:c",
                                        random_below(&random, 4) != 0);
            } else if (random_below(&random, 3) == 0) {
                peer_close(follower->peer);
                follower->peer = NULL;
            }
            const uint64_t burst = 1 + random_below(&random, 4);
            struct peer *publisher = client_at(0);
            for (uint64_t i = 0; i < burst; i++) {
                draw_payload(&random, payloads[i], payloads[i == 0 ? 3 : i - 1]);
                char command[PAYLOAD_SIZE + 128];
                (void)snprintf(command, sizeof(command),
                               "{\"id\":%u,\"publish\":{\"channel\":\"every:c\",\"data\":%s}}",
                               (unsigned)i + 9, payloads[i]);
                peer_put_frame(publisher, 0x81, command, strlen(command));
            }
            edge_rig_settle(&streams);
            peer_close(publisher);
            for (uint32_t i = 0; i < FOLLOWERS_MAX; i++) {
                for (uint64_t k = 0; k < burst && followers[i].peer != NULL; k++) {
                    hears(&followers[i], payloads[k]);
                }
            }
            memcpy(payloads[3], payloads[burst - 1], PAYLOAD_SIZE);
        }
        assert_true(edge_rig_count(&streams, COUNTER_DELTAS_MADE) > 0);
        edge_rig_stop(&streams);
    }
}

/* On whichever shard, and whatever it is told in. */
static void who_publishes_need_not_hear_it(void **state)
{
    (void)state;
    streams_init(0);
    streams.namespaces[0].publish_without_echo = true; /* "r" */
    edge_rig_start(&streams);
    struct peer *peers[SHARDS];
    for (uint32_t i = 0; i < SHARDS; i++) {
        peers[i] = client_at(i / 2);
        (void)follows(peers[i], "r:c", 0);
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        peer_say(peers[i], "{\"id\":3,\"publish\":{\"channel\":\"r:c\",\"data\":{\"info\":1}}}");
        for (uint32_t k = 0; k < SHARDS; k++) {
            peer_hear_frame(peers[k], 0x81);
            assert_true((strstr(peers[k]->message.at, "\"push\":") != NULL) == (k != i));
            peer_hear_nothing(peers[k]);
        }
    }
    publish("r:c", 7);
    for (uint32_t i = 0; i < SHARDS; i++) {
        peer_hear_frame(peers[i], 0x81);
    }
    edge_rig_stop(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_negotiated),
        cmocka_unit_test(the_first_is_whole_and_others_follow),
        cmocka_unit_test(who_comes_back_goes_on),
        cmocka_unit_test(a_publication_without_a_place_is_no_base),
        cmocka_unit_test(who_publishes_need_not_hear_it),
        cmocka_unit_test(whatever_happens_all_have_what_was_published),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
