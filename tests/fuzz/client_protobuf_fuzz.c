/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes frames of commands beside protobuf-c, and what that understood once more as JSON. */
#include "codec/client_json.h"
#include "codec/client_protobuf.h"
#include "tests/fuzz/fuzz_pieces.h"
#include "tests/unit/codec/protobuf_oracle.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static uint8_t *buf_of(size_t len)
{
    uint8_t *buf = malloc(len > 0 ? len : 1);
    FUZZ_CHECK(buf != NULL);
    return buf;
}

/* Where we are strict and protobuf-c is not; it takes a bool in the form of any type. */
static bool is_strictness(enum protobuf_result result)
{
    return result == PROTOBUF_ERROR_RANGE || result == PROTOBUF_ERROR_UTF8 ||
           result == PROTOBUF_ERROR_VARINT || result == PROTOBUF_ERROR_DEPTH ||
           result == PROTOBUF_ERROR_WIRE_TYPE || result == PROTOBUF_ERROR_DOUBLED ||
           result == PROTOBUF_ERROR_TAG;
}

/* JSON in scratch of exactly the promised size, and JSON it is. */
static enum protobuf_result decode(struct span message, uint8_t *room,
                                   struct client_command *command)
{
    struct scratch scratch = scratch_of(room, CLIENT_PROTOBUF_SCRATCH_FACTOR * message.len);
    const enum protobuf_result result = client_protobuf_decode_command(message, &scratch, command);
    FUZZ_CHECK(result != PROTOBUF_ERROR_SPACE && result != PROTOBUF_DONE);
    return result;
}

static void check_json(struct span json)
{
    FUZZ_CHECK(json.len == 0 || json_check(json) == JSON_OK);
}

/* Walks as a session would. */
static void check_values(const struct client_command *command)
{
    if (command->method == CLIENT_METHOD_SUBSCRIBE) {
        check_json(command->subscribe.tf);
    } else if (command->method == CLIENT_METHOD_SUB_REFRESH) {
        check_json(command->sub_refresh.track);
        check_json(command->sub_refresh.untrack);
    } else if (command->method == CLIENT_METHOD_CONNECT) {
        check_json(command->connect.headers);
        const struct span subs = command->connect.subs;
        uint8_t *room = buf_of(subs.len);
        struct scratch scratch = scratch_of(room, subs.len);
        struct client_subscribe_request request;
        struct json_walk walk;
        enum json_result result;
        client_json_subs_begin(&walk, subs);
        while ((result = client_json_subs_next(&walk, &scratch, &request)) == JSON_OK) {
            check_json(request.tf);
        }
        FUZZ_CHECK(result == JSON_DONE);
        free(room);
    }
}

/* The message as protobuf-c writes what it read: our two decoders must agree about it. */
static void compare(const Roost__Client__Command *read)
{
    const size_t len = roost__client__command__get_packed_size(read);
    uint8_t *packed = buf_of(len);
    uint8_t *room = buf_of(CLIENT_PROTOBUF_SCRATCH_FACTOR * len);
    (void)roost__client__command__pack(read, packed);
    struct client_command from_protobuf;
    const enum protobuf_result result = decode(span_of(packed, len), room, &from_protobuf);
    FUZZ_CHECK(result == PROTOBUF_OK || is_strictness(result));

    struct writer measure = writer_for_measuring();
    const bool is_json = protobuf_oracle_to_json(&measure, &read->base);
    uint8_t *text = buf_of(measure.overflow);
    uint8_t *json_room = buf_of(measure.overflow);
    struct writer line = writer_of(text, measure.overflow);
    (void)protobuf_oracle_to_json(&line, &read->base);
    if (is_json && result == PROTOBUF_OK) {
        struct client_command from_json;
        struct scratch scratch = scratch_of(json_room, measure.overflow);
        FUZZ_CHECK(client_json_decode_command(writer_written(&line), &scratch, &from_json) ==
                   JSON_OK);
        FUZZ_CHECK(protobuf_oracle_same_command(&from_protobuf, &from_json));
    }
    free(json_room);
    free(text);
    free(room);
    free(packed);
}

static void check_message(struct span message)
{
    /* At the end of its memory, so that a byte read beyond it is seen. */
    uint8_t *copy = buf_of(message.len);
    if (message.len > 0) {
        memcpy(copy, message.at, message.len);
    }
    uint8_t *room = buf_of(CLIENT_PROTOBUF_SCRATCH_FACTOR * message.len);
    struct client_command command;
    const enum protobuf_result result = decode(span_of(copy, message.len), room, &command);
    Roost__Client__Command *read = roost__client__command__unpack(NULL, message.len, copy);
    if (result == PROTOBUF_OK) {
        FUZZ_CHECK(read != NULL);
        check_values(&command);
        struct scratch small = scratch_of(room, message.len / 8);
        const enum protobuf_result again =
            client_protobuf_decode_command(span_of(copy, message.len), &small, &command);
        FUZZ_CHECK(again == PROTOBUF_OK || again == PROTOBUF_ERROR_SPACE);
    } else {
        FUZZ_CHECK(read == NULL || is_strictness(result));
    }
    if (read != NULL) {
        compare(read);
        roost__client__command__free_unpacked(read, NULL);
    }
    struct client_emulation_request emulation;
    Roost__Client__EmulationRequest *other =
        roost__client__emulation_request__unpack(NULL, message.len, copy);
    const enum protobuf_result emulated =
        client_protobuf_decode_emulation(span_of(copy, message.len), &emulation);
    if (emulated == PROTOBUF_OK) {
        FUZZ_CHECK(other != NULL && other->data.len == emulation.data.len);
    } else {
        FUZZ_CHECK(other == NULL || is_strictness(emulated));
    }
    if (other != NULL) {
        roost__client__emulation_request__free_unpacked(other, NULL);
    }
    free(room);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct client_protobuf_frame frame;
    struct span message;
    enum protobuf_result result;
    client_protobuf_frame_begin(&frame, span_of(bytes, len), 4096);
    while ((result = client_protobuf_frame_next(&frame, &message)) == PROTOBUF_OK) {
        FUZZ_CHECK(message.len <= 4096);
        check_message(message);
    }
    FUZZ_CHECK(result == client_protobuf_frame_next(&frame, &message));
    return 0;
}
