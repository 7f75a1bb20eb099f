/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what our codecs make, a JSON object a line, for an implementation that is not ours. */
#include "codec/client_json.h"
#include "codec/client_protobuf.h"
#include "codec/delta.h"

#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BYTES(literal) \
    { \
        (const uint8_t *)("" literal), sizeof(literal) - 1 \
    }

static void print_hex(const char *name, struct span bytes)
{
    printf("\"%s\":\"", name);
    for (size_t i = 0; i < bytes.len; i++) {
        printf("%02x", bytes.at[i]);
    }
    printf("\"");
}

static void print_delta(const char *name, struct span source, struct span target,
                        enum delta_alignment alignment)
{
    static uint8_t room[DELTA_SCRATCH_LEN(8192)];
    static uint8_t buf[8192];
    struct writer out = writer_of(buf, sizeof(buf));
    const enum delta_result result =
        delta_create(source, target, alignment, scratch_of(room, sizeof(room)), &out);
    printf("{\"kind\":\"delta\",\"name\":\"%s\",\"result\":\"%s\",\"aligned\":%s,", name,
           delta_result_text(result), alignment == DELTA_OF_UTF8 ? "true" : "false");
    print_hex("source", source);
    printf(",");
    print_hex("target", target);
    printf(",");
    print_hex("delta", writer_written(&out));
    printf("}\n");
}

/* The text with the character at `at`, which is of 2 bytes, replaced by each of some others. */
static void print_letter_edits(struct span source)
{
    static const char *const letters[] = {"а", "я", "Ж", "z", "😀", ""};
    for (size_t at = 0; at < source.len; at++) {
        if (source.at[at] < 0xC0) {
            continue;
        }
        for (size_t i = 0; i < COUNT(letters); i++) {
            uint8_t buf[1024];
            struct writer target = writer_of(buf, sizeof(buf));
            writer_put(&target, span_of(source.at, at));
            writer_put(&target, span_of_text(letters[i]));
            writer_put(&target, span_skip(source, at + 2));
            print_delta("a letter", source, writer_written(&target), DELTA_OF_UTF8);
            print_delta("a letter", source, writer_written(&target), DELTA_OF_BYTES);
        }
    }
}

static void print_deltas(void)
{
    static const struct span price = BYTES("{\"value\":1234,\"name\":\"the room of one\"}");
    static const struct span other_price = BYTES("{\"value\":987,\"name\":\"the room of one\"}");
    print_delta("a price", price, other_price, DELTA_OF_UTF8);
    print_delta("the same", price, price, DELTA_OF_UTF8);
    static const struct span russian =
        BYTES("{\"текст\":\"Съешь же ещё этих мягких французских булок, да выпей чаю\"}");
    print_letter_edits(russian);
    /* Moved and doubled, so that blocks are what is found; and any bytes at all. */
    uint8_t source[2000];
    uint8_t target[3000];
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof(source); i++) {
        state = state * 1664525u + 1013904223u;
        source[i] = (uint8_t)(state >> 24);
    }
    memcpy(target, source + 1000, 1000);
    memcpy(target + 1000, source, 1000);
    memcpy(target + 2000, source + 500, 1000);
    print_delta("moved blocks", span_of(source, sizeof(source)), span_of(target, sizeof(target)),
                DELTA_OF_BYTES);
}

static void print_reply(const char *name, const struct client_reply *reply)
{
    uint8_t text[2048];
    uint8_t wire[2048];
    struct writer line = writer_of(text, sizeof(text));
    struct writer frame = writer_of(wire, sizeof(wire));
    client_json_encode_reply(&line, reply);
    client_protobuf_encode_reply(&frame, reply);
    printf("{\"kind\":\"reply\",\"name\":\"%s\",", name);
    print_hex("json", writer_written(&line));
    printf(",");
    print_hex("protobuf", writer_written(&frame));
    printf("}\n");
}

static const struct client_info info = {BYTES("u1"), BYTES("c1"), BYTES("{\"n\":1}"), BYTES("[2]")};
static const struct client_publication publications[] = {
    {.data = BYTES("{\"x\":\"é\"}"),
     .info = &info,
     .tags = BYTES("{\"k\":\"v\",\"ключ\":\"😀\"}"),
     .epoch = BYTES("ep"),
     .key = BYTES("key"),
     .offset = 300,
     .version = 7,
     .time_ms = 1700000000123,
     .score = -5,
     .removed = true},
    {.data = BYTES("1"), .offset = 301, .score = 64},
};
static const struct client_subscription subs[] = {
    {BYTES("#u1"), {.recoverable = true, .positioned = true, .epoch = BYTES("e")}},
    {BYTES("news"), {.data = BYTES("{}")}},
};

static void print_replies(void)
{
    const struct client_subscribe_result subscribed = {.expires = true,
                                                       .ttl_s = 300,
                                                       .recoverable = true,
                                                       .recovered = true,
                                                       .was_recovering = true,
                                                       .positioned = true,
                                                       .delta = true,
                                                       .offset = 301,
                                                       .epoch = BYTES("ep"),
                                                       .type = 1,
                                                       .publications = publications,
                                                       .publication_count = 2};
    const struct client_connect_result connected = {.client = BYTES("id"),
                                                    .version = BYTES("v"),
                                                    .data = BYTES("{\"d\":[]}"),
                                                    .subs = subs,
                                                    .sub_count = 2,
                                                    .ping_s = 25,
                                                    .pong = true,
                                                    .time_ms = 1700000000123};
    const struct client_push push = {.kind = CLIENT_PUSH_PUBLICATION,
                                     .channel = BYTES("news"),
                                     .publication = publications[0]};
    const struct client_push leave = {.kind = CLIENT_PUSH_LEAVE,
                                      .channel = BYTES("news"),
                                      .leave = info};
    const struct client_push disconnect = {.kind = CLIENT_PUSH_DISCONNECT,
                                           .disconnect = {3001, BYTES("shutdown")}};
    const struct client_reply replies[] = {
        {.kind = CLIENT_REPLY_PING},
        {.id = 1, .kind = CLIENT_REPLY_CONNECT, .connect = connected},
        {.id = 2, .kind = CLIENT_REPLY_SUBSCRIBE, .subscribe = subscribed},
        {.id = 3, .kind = CLIENT_REPLY_UNSUBSCRIBE},
        {.id = 4, .kind = CLIENT_REPLY_PUBLISH},
        {.id = 5, .kind = CLIENT_REPLY_PRESENCE, .presence = {&info, 1}},
        {.id = 6, .kind = CLIENT_REPLY_PRESENCE_STATS, .presence_stats = {3, 2}},
        {.id = 7, .kind = CLIENT_REPLY_HISTORY, .history = {publications, 2, BYTES("ep"), 301}},
        {.id = 8, .kind = CLIENT_REPLY_RPC, .rpc = {BYTES("\"r\"")}},
        {.id = 9, .kind = CLIENT_REPLY_REFRESH, .refresh = {.expires = true, .ttl_s = 60}},
        {.id = 10, .kind = CLIENT_REPLY_SUB_REFRESH, .refresh = {.expires = true, .ttl_s = 60}},
        {.id = 11,
         .kind = CLIENT_REPLY_ERROR,
         .error = client_error_reply_of(CLIENT_ERROR_TOO_MANY_REQUESTS)},
        {.kind = CLIENT_REPLY_PUSH, .push = push},
        {.kind = CLIENT_REPLY_PUSH, .push = leave},
        {.kind = CLIENT_REPLY_PUSH, .push = disconnect},
    };
    static const char *const names[] = {
        "ping",        "connect",        "subscribe",        "unsubscribe", "publish",
        "presence",    "presence_stats", "history",          "rpc",         "refresh",
        "sub_refresh", "error",          "publication push", "leave push",  "disconnect push",
    };
    for (size_t i = 0; i < COUNT(replies); i++) {
        print_reply(names[i], &replies[i]);
    }
}

int main(void)
{
    print_deltas();
    print_replies();
    return 0;
}
