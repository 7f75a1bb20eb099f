/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes frames of commands, and encodes what came out: no input may break either. */
#include "codec/client_json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

static uint8_t *buf_of(size_t len)
{
    uint8_t *buf = malloc(len > 0 ? len : 1);
    MUST(buf != NULL);
    return buf;
}

/* One line of valid JSON, and exactly as long as was measured. */
static void must_encode(const struct client_reply *reply)
{
    struct writer measure = writer_for_measuring();
    client_json_encode_reply(&measure, reply);
    uint8_t *buf = buf_of(measure.overflow);
    struct writer writer = writer_of(buf, measure.overflow);
    client_json_encode_reply(&writer, reply);
    MUST(!writer_is_overflown(&writer) && writer_room(&writer) == 0);
    struct span text = writer_written(&writer);
    MUST(json_check(text) == JSON_OK);
    MUST(span_index_of(text, '\n') == text.len);
    free(buf);
}

static void echo_publication(uint32_t id, struct span data, struct span tags, struct span text)
{
    const struct client_info info = {.user = text,
                                     .client = text,
                                     .conn_info = data,
                                     .chan_info = tags};
    const struct client_publication publication = {.data = data,
                                                   .info = &info,
                                                   .tags = tags,
                                                   .epoch = text,
                                                   .channel = text,
                                                   .key = text,
                                                   .offset = id,
                                                   .score = -(int64_t)id,
                                                   .delta = true};
    const struct client_reply replies[] = {
        {.kind = CLIENT_REPLY_PUSH,
         .push = {.kind = CLIENT_PUSH_PUBLICATION, .channel = text, .publication = publication}},
        {.kind = CLIENT_REPLY_PUSH,
         .push = {.kind = CLIENT_PUSH_LEAVE, .channel = text, .leave = info}},
        {.kind = CLIENT_REPLY_PUSH,
         .push = {.kind = CLIENT_PUSH_UNSUBSCRIBE, .unsubscribe = {.code = id, .reason = text}}},
        {.id = id, .kind = CLIENT_REPLY_ERROR, .error = {.code = id, .message = text}},
        {.id = id, .kind = CLIENT_REPLY_PRESENCE, .presence = {&info, 1}},
        {.id = id, .kind = CLIENT_REPLY_RPC, .rpc = {data}},
        {.id = id,
         .kind = CLIENT_REPLY_HISTORY,
         .history = {.publications = &publication, .publication_count = 1, .epoch = text}},
        {.id = id,
         .kind = CLIENT_REPLY_SUBSCRIBE,
         .subscribe = {.publications = &publication, .publication_count = 1, .data = data}},
    };
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        must_encode(&replies[i]);
    }
}

static void walk_connect(const struct client_connect_request *connect, struct scratch scratch)
{
    struct json_walk walk;
    struct client_subscribe_request request;
    enum json_result result;
    size_t subs = 0;
    client_json_subs_begin(&walk, connect->subs);
    struct scratch rest = scratch;
    while ((result = client_json_subs_next(&walk, &rest, &request)) == JSON_OK) {
        subs++;
        echo_publication((uint32_t)subs, request.data, request.tf, request.channel);
    }
    MUST(result == JSON_DONE);
    struct span name;
    struct span value;
    rest = scratch;
    json_map_begin(&walk, connect->headers);
    while ((result = json_map_next(&walk, &rest, &name, &value)) == JSON_OK) {
        echo_publication(1, SPAN_EMPTY, SPAN_EMPTY, value);
    }
    MUST(result == JSON_DONE);
}

static void echo(const struct client_command *command, struct scratch scratch)
{
    switch (command->method) {
    case CLIENT_METHOD_CONNECT:
        walk_connect(&command->connect, scratch);
        echo_publication(command->id, command->connect.data, command->connect.headers,
                         command->connect.token);
        break;
    case CLIENT_METHOD_SUBSCRIBE:
        echo_publication(command->id, command->subscribe.data, command->subscribe.tf,
                         command->subscribe.channel);
        break;
    case CLIENT_METHOD_PUBLISH:
        echo_publication(command->id, command->publish.data, SPAN_EMPTY, command->publish.key);
        break;
    case CLIENT_METHOD_RPC:
        echo_publication(command->id, command->rpc.data, SPAN_EMPTY, command->rpc.method);
        break;
    case CLIENT_METHOD_HISTORY:
        echo_publication(command->id, SPAN_EMPTY, SPAN_EMPTY, command->history.since_epoch);
        break;
    case CLIENT_METHOD_SUB_REFRESH:
        echo_publication(command->id, command->sub_refresh.track, SPAN_EMPTY,
                         command->sub_refresh.token);
        break;
    default:
        break;
    }
}

static void decode(struct span line)
{
    struct client_command command;
    uint8_t *buf = buf_of(line.len);
    uint8_t *walk_buf = buf_of(line.len);
    struct scratch scratch = scratch_of(buf, line.len);
    enum json_result result = client_json_decode_command(line, &scratch, &command);
    MUST(result != JSON_ERROR_SPACE && result != JSON_DONE);
    if (result == JSON_OK) {
        MUST(json_check(line) == JSON_OK);
        echo(&command, scratch_of(walk_buf, line.len));
    }
    /* Less room changes nothing but that it may not suffice. */
    struct scratch small = scratch_of(buf, line.len / 8);
    enum json_result again = client_json_decode_command(line, &small, &command);
    MUST(again == result || again == JSON_ERROR_SPACE);
    struct client_connect_request connect;
    struct scratch other = scratch_of(buf, line.len);
    MUST(client_json_decode_connect(line, &other, &connect) != JSON_ERROR_SPACE);
    struct client_emulation_request emulation;
    struct scratch third = scratch_of(buf, line.len);
    MUST(client_json_decode_emulation(line, &third, &emulation) != JSON_ERROR_SPACE);
    free(walk_buf);
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct client_json_lines lines;
    struct span line;
    enum json_result result;
    size_t total = 0;
    client_json_lines_begin(&lines, span_of(bytes, len));
    while ((result = client_json_lines_next(&lines, &line)) == JSON_OK) {
        MUST(line.len > 0);
        total += line.len + 1;
        decode(line);
    }
    MUST(result == JSON_ERROR_EMPTY || (result == JSON_DONE && (total == len || total == len + 1)));
    return 0;
}
