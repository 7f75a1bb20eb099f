/* SPDX-License-Identifier: Apache-2.0 */
/* One session in two encodings: the same commands, to nodes of the same seed, have the same answers
 * and pushes in JSON and in Protobuf. */
#include <stdio.h>

#include "runtime/random.h"
#include "tests/unit/shards/edge_streams.h"

enum { CLIENTS = 3, COMMANDS = 120, SEEDS = 25 };

/* Every command, with what clients may put into it: %u is an id, a channel follows it where there
 * is a %s. */
static const char *const commands[] = {
    "{\"id\":%u,\"subscribe\":{\"channel\":\"%s\"}}",
    ("{\"id\":%u,\"subscribe\":{\"channel\":\"%s\",\"positioned\":true,\"recoverable\":true,"
     "\"join_leave\":true,\"flag\":3,\"data\":{\"a\":[1,\"x\"]}}}"),
    "{\"id\":%u,\"subscribe\":{\"channel\":\"%s\",\"recover\":true,\"offset\":1,\"epoch\":\"7\"}}",
    "{\"id\":%u,\"subscribe\":{\"channel\":\"%s\",\"recover\":true}}",
    "{\"id\":%u,\"subscribe\":{\"channel\":\"%s\",\"recover\":true,\"offset\":3,\"flag\":2}}",
    ("{\"id\":%u,\"subscribe\":{\"channel\":\"%s\",\"tf\":{\"op\":\"or\",\"nodes\":[{\"key\":\"k\","
     "\"cmp\":\"in\",\"vals\":[\"1\",\"2\"]},{\"op\":\"not\",\"nodes\":[{\"key\":\"k\",\"cmp\":"
     "\"ex\"}]}]}}}"),
    "{\"id\":%u,\"subscribe\":{\"channel\":\"%s\",\"type\":1,\"phase\":2,\"limit\":5}}",
    "{\"id\":%u,\"subscribe\":{\"channel\":\"%s\",\"token\":\"not.a.token\"}}",
    "{\"id\":%u,\"unsubscribe\":{\"channel\":\"%s\"}}",
    ("{\"id\":%u,\"publish\":{\"channel\":\"%s\",\"data\":{\"text\":\"\\u20ac \\\"quoted\\\"\","
     "\"n\":12345678901234567890}}}"),
    "{\"id\":%u,\"publish\":{\"channel\":\"%s\",\"data\":\"a string\"}}",
    "{\"id\":%u,\"publish\":{\"channel\":\"%s\",\"data\":[],\"type\":1,\"key\":\"k\"}}",
    "{\"id\":%u,\"publish\":{\"channel\":\"%s\"}}",
    "{\"id\":%u,\"presence\":{\"channel\":\"%s\"}}",
    "{\"id\":%u,\"presence_stats\":{\"channel\":\"%s\"}}",
    "{\"id\":%u,\"history\":{\"channel\":\"%s\"}}",
    "{\"id\":%u,\"history\":{\"channel\":\"%s\",\"limit\":-1}}",
    "{\"id\":%u,\"history\":{\"channel\":\"%s\",\"limit\":2,\"reverse\":true}}",
    "{\"id\":%u,\"history\":{\"channel\":\"%s\",\"limit\":3,\"since\":{\"offset\":1}}}",
    ("{\"id\":%u,\"history\":{\"channel\":\"%s\",\"limit\":3,\"since\":{\"offset\":1,\"epoch\":"
     "\"9\"}}}"),
    "{\"id\":%u,\"rpc\":{\"method\":\"a.method\",\"data\":{\"of\":\"%s\"}}}",
    /* These may end the connection. */
    "{\"id\":%u,\"sub_refresh\":{\"channel\":\"%s\",\"token\":\"not.a.token\"}}",
    "{\"id\":%u,\"refresh\":{\"token\":\"%s\"}}",
};
enum { COMMANDS_LEN = sizeof(commands) / sizeof(commands[0]), CLOSING_LEN = 2 };

static const char *const channels[] = {
    "r:c",    "cache:c", "auto:c",  "p:c",       "shown:c",
    "kept:c", "every:c", "without", "nowhere:c", "d:c",
};

/* The next frame that the client hears. One that is closed comes back. */
static void write_one_down(struct edge_text *transcript, struct peer **client, unsigned number)
{
    char who[32];
    struct peer *peer = *client;
    const bool is_close = (uint8_t)peer->in.at[peer->heard] == 0x88;
    peer_hear_frame(peer, is_close ? 0x88 : 0x81);
    const uint8_t *bytes = (const uint8_t *)peer->message.at;
    const size_t at = is_close ? 2 : 0;
    const int len = is_close ? snprintf(who, sizeof(who), "%u: closed %u ", number,
                                        (unsigned)bytes[0] << 8 | bytes[1])
                             : snprintf(who, sizeof(who), "%u: ", number);
    edge_text_add(transcript, who, (size_t)len);
    edge_text_add(transcript, peer->message.at + at, peer->message.len - at);
    edge_text_add(transcript, "\n", 1);
    if (is_close) {
        peer_close(peer);
        *client = client_at(number);
    }
}

static void write_down(struct edge_text *transcript, struct peer *peers[CLIENTS])
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        while (peer_has_news(peers[i])) {
            write_one_down(transcript, &peers[i], i);
        }
    }
}

/* What the clients of a node hear, drawn from a seed; a NUL behind it. */
static struct edge_text session_of(enum client_protocol protocol, uint64_t seed)
{
    struct edge_text transcript = {0};
    struct peer *peers[CLIENTS];
    struct random random;
    random_init_seeded(&random, seed);
    edge_rig_protocol = protocol;
    streams_open(0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        peers[i] = client_at(i);
    }
    for (unsigned i = 0; i < COMMANDS; i++) {
        const uint64_t closing = random_below(&random, 10) == 0 ? CLOSING_LEN : 0;
        const char *command = commands[random_below(&random, COMMANDS_LEN - CLOSING_LEN + closing)];
        const char *channel =
            channels[random_below(&random, sizeof(channels) / sizeof(channels[0]))];
        char text[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof(text), command, i + 2, channel);
#pragma GCC diagnostic pop
        peer_say(peers[random_below(&random, CLIENTS)], "%s", text);
        write_down(&transcript, peers);
        if (random_below(&random, 8) == 0) {
            edge_rig_advance(&streams, 1 + random_below(&random, 3000));
            write_down(&transcript, peers);
        }
    }
    edge_rig_stop(&streams);
    edge_text_add(&transcript, "", 1);
    return transcript;
}

static void both_encodings_are_one_session(void **state)
{
    (void)state;
    size_t errors = 0;
    size_t pushes = 0;
    size_t recovered = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct edge_text json = session_of(CLIENT_JSON, seed);
        struct edge_text protobuf = session_of(CLIENT_PROTOBUF, seed);
        assert_string_equal(protobuf.at, json.at);
        for (const char *line = json.at; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
            line += *line == '\n';
            const size_t len = strcspn(line, "\n");
            errors += len > 0 && memmem(line, len, "\"error\":", 8) != NULL;
            pushes += len > 0 && memmem(line, len, "\"push\":", 7) != NULL;
            recovered += len > 0 && memmem(line, len, "\"recovered\":true", 16) != NULL;
        }
        free(json.at);
        free(protobuf.at);
    }
    /* They were sessions in which things happened. */
    assert_in_range(errors, SEEDS * 5, SEEDS * COMMANDS);
    assert_in_range(pushes, SEEDS * 5, SEEDS * COMMANDS * CLIENTS);
    assert_in_range(recovered, SEEDS / 2, SEEDS * COMMANDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_encodings_are_one_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
