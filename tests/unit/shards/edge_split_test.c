/* SPDX-License-Identifier: Apache-2.0 */
/* However a client's bytes are cut into reads, the node answers the same bytes. */
#include <stdio.h>

#include "tests/unit/shards/edge_rig.h"

/* Each step is said when the one before it has been answered in full. */
enum { STEPS_MAX = 8 };

struct conversation {
    struct edge_text steps[STEPS_MAX];
    size_t len;
};

static void add_step(struct conversation *conversation, struct peer *maker)
{
    assert_true(conversation->len < STEPS_MAX);
    conversation->steps[conversation->len++] = maker->out;
    maker->out = (struct edge_text){0};
}

/* A text message in fragments of `piece` bytes, a ping before each but the first. */
static void put_fragments(struct peer *maker, const char *text, size_t piece)
{
    const size_t len = strlen(text);
    for (size_t at = 0; at < len; at += piece) {
        const size_t taken = piece < len - at ? piece : len - at;
        if (at > 0) {
            peer_put_frame(maker, 0x89, text + at, 3);
        }
        peer_put_frame(maker, (at == 0 ? 0x01u : 0x00u) | (at + taken == len ? 0x80u : 0),
                       text + at, taken);
    }
}

static void make_conversation(struct edge_rig *rig, struct conversation *conversation)
{
    struct peer *maker = peer_open(rig);
    peer_put_text(maker, "GET /health HTTP/1.1\r\nHost: rig\r\n\r\n");
    add_step(conversation, maker);
    peer_put_text(maker, "GET /connection/websocket HTTP/1.1\r\nHost: rig\r\n"
                         "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Protocol: centrifuge-json\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    add_step(conversation, maker);
    put_fragments(maker,
                  "{\"id\":1,\"connect\":{\"name\":\"js\"}}\n"
                  "{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"join_leave\":true}}\n"
                  "{\"id\":3,\"publish\":{\"channel\":\"a\",\"data\":{\"text\":\"caf\xc3\xa9\"}}}",
                  37);
    add_step(conversation, maker);
    static const char frames[] = "{\"id\":4,\"presence\":{\"channel\":\"a\"}}";
    peer_put_frame(maker, 0x8a, "", 0); /* A pong that nobody asked for is none of ours. */
    peer_put_frame(maker, 0x81, frames, sizeof(frames) - 1);
    add_step(conversation, maker);
    static const char again[] = "{\"id\":5,\"unsubscribe\":{\"channel\":\"a\"}}\n"
                                "{\"id\":6,\"subscribe\":{\"channel\":\"a\"}}\n"
                                "{\"id\":7,\"unsubscribe\":{\"channel\":\"a\"}}\n"
                                "{\"id\":8,\"rpc\":{}}\n";
    peer_put_frame(maker, 0x82, again, sizeof(again) - 1);
    add_step(conversation, maker);
    /* The second form of the length. */
    static char large[200];
    memset(large, ' ', sizeof(large));
    memcpy(large, "{\"id\":9,\"rpc\":{}}", 17);
    peer_put_frame(maker, 0x81, large, sizeof(large));
    add_step(conversation, maker);
    peer_put_frame(maker, 0x88,
                   "\x03\xe8"
                   "bye",
                   5);
    add_step(conversation, maker);
    peer_close(maker);
}

/* Client ids are as random as they should be: they are compared by their place. */
static void hide_ids(struct edge_text *text, const char *client)
{
    char *at = text->at;
    while ((at = memmem(at, text->len - (size_t)(at - text->at), client,
                        EDGE_CLIENT_ID_SIZE - 1)) != NULL) {
        memset(at, 'i', EDGE_CLIENT_ID_SIZE - 1);
    }
}

/* Where the cuts are. */
enum cut { CUT_NONE, CUT_AT, CUT_EVERYWHERE };

static struct edge_text hold(struct edge_rig *rig, const struct conversation *conversation,
                             enum cut cut, size_t place)
{
    struct peer *peer = peer_open_at(rig, 0);
    for (size_t i = 0; i < conversation->len; i++) {
        const struct edge_text *step = &conversation->steps[i];
        const size_t start = cut == CUT_AT && place < step->len ? place : 0;
        peer_put(peer, step->at, start);
        edge_rig_settle(rig);
        const size_t piece = cut == CUT_EVERYWHERE ? 1 : step->len;
        for (size_t at = start; at < step->len; at += piece) {
            peer_put(peer, step->at + at, piece < step->len - at ? piece : step->len - at);
            edge_rig_settle(rig);
        }
        place = cut == CUT_AT && place < step->len ? SIZE_MAX : place - step->len;
    }
    assert_true(peer->has_ended);
    const char *id = memmem(peer->in.at, peer->in.len, "\"client\":\"", 10);
    assert_non_null(id);
    char client[EDGE_CLIENT_ID_SIZE] = "";
    memcpy(client, id + 10, EDGE_CLIENT_ID_SIZE - 1);
    struct edge_text heard = peer->in;
    peer->in = (struct edge_text){0};
    peer_close(peer);
    edge_rig_assert_empty(rig);
    hide_ids(&heard, client);
    return heard;
}

static void assert_same(const struct edge_text *whole, struct edge_text heard, size_t place)
{
    if (heard.len != whole->len || memcmp(heard.at, whole->at, whole->len) != 0) {
        fail_msg("cut at %zu: %zu bytes came instead of %zu", place, heard.len, whole->len);
    }
    free(heard.at);
}

static void every_cut_gives_the_same_answer(void **state)
{
    (void)state;
    static const uint32_t shard_counts[] = {1, 3};
    for (size_t n = 0; n < 2; n++) {
        static struct edge_rig rig;
        struct conversation conversation = {.len = 0};
        edge_rig_init(&rig, shard_counts[n]);
        rig.options.without_namespace.presence = true;
        rig.options.without_namespace.join_leave = true;
        edge_rig_start(&rig);
        make_conversation(&rig, &conversation);
        size_t len = 0;
        for (size_t i = 0; i < conversation.len; i++) {
            len += conversation.steps[i].len;
        }
        struct edge_text whole = hold(&rig, &conversation, CUT_NONE, 0);
        /* It is what it should be: its last frame is the close. */
        static const char close[] = "\x88\x02\x03\xe8";
        assert_memory_equal(whole.at + whole.len - 4, close, 4);
        assert_non_null(memmem(whole.at, whole.len, "{\"id\":8,\"error\"", 15));
        assert_non_null(memmem(whole.at, whole.len, "{\"id\":9,\"error\"", 15));
        assert_non_null(memmem(whole.at, whole.len, "\"text\":\"caf\xc3\xa9\"", 14));
        for (size_t place = 1; place < len; place++) {
            assert_same(&whole, hold(&rig, &conversation, CUT_AT, place), place);
        }
        assert_same(&whole, hold(&rig, &conversation, CUT_EVERYWHERE, 0), 0);
        for (size_t i = 0; i < conversation.len; i++) {
            free(conversation.steps[i].at);
        }
        free(whole.at);
        edge_rig_stop(&rig);
    }
}

/* All at once, nothing waited for: the same frames come, each channel's in the same order. */
static void all_at_once_gives_the_same_frames(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 3);
    edge_rig_start(&rig);
    struct peer *peer = peer_open(&rig);
    struct edge_text all = {0};
    for (int i = 1; i <= 40; i++) {
        char text[256];
        const int len = snprintf(text, sizeof(text),
                                 "%s{\"id\":%d,\"subscribe\":{\"channel\":\"c%d\"}}\n"
                                 "{\"id\":%d,\"publish\":{\"channel\":\"c%d\",\"data\":%d}}\n"
                                 "{\"id\":%d,\"unsubscribe\":{\"channel\":\"c%d\"}}",
                                 i == 1 ? "{\"id\":1,\"connect\":{}}\n" : "", 10 * i, i % 7,
                                 10 * i + 1, i % 7, i, 10 * i + 2, i % 7);
        peer_put_frame(peer, 0x81, text, (size_t)len);
    }
    all = peer->out;
    peer->out = (struct edge_text){0};
    peer_close(peer);
    for (size_t piece = 1; piece < all.len; piece = piece * 3 + 1) {
        peer = peer_open(&rig);
        peer_upgrade(peer);
        for (size_t at = 0; at < all.len; at += piece) {
            peer_put(peer, all.at + at, piece < all.len - at ? piece : all.len - at);
            edge_rig_settle(&rig);
        }
        peer_hear_frame(peer, 0x81);
        for (int i = 1; i <= 40; i++) {
            /* A client does not wait for its own publication before it leaves. */
            peer_hear(peer, "{\"id\":%d,\"subscribe\":{}}", 10 * i);
            unsigned seen = 0;
            while (seen != 3 && peer_has_news(peer)) {
                char published[64];
                char left[64];
                (void)snprintf(published, sizeof(published), "{\"id\":%d,\"publish\":{}}",
                               10 * i + 1);
                (void)snprintf(left, sizeof(left), "{\"id\":%d,\"unsubscribe\":{}}", 10 * i + 2);
                peer_hear_frame(peer, 0x81);
                seen |= strcmp(peer->message.at, published) == 0 ? 1 : 0;
                seen |= strcmp(peer->message.at, left) == 0 ? 2 : 0;
            }
            assert_int_equal(seen, 3);
        }
        peer_hear_nothing(peer);
        peer_close(peer);
        edge_rig_assert_empty(&rig);
    }
    free(all.at);
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_answer),
        cmocka_unit_test(all_at_once_gives_the_same_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
