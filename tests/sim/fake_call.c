/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP as a backend speaks it: one request, one response with its length, the end. */
#include "tests/sim/fake_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/fake_client.h"

enum { PADDING_MAX = 1024, CODE_FIRST = 4500 };

void fake_call_init(struct fake_call *call, struct sim *sim, struct truth *truth)
{
    call->sim = sim;
    call->truth = truth;
    call->socket = -1;
}

static bool call_begin(struct fake_call *call, const struct fake_target *to,
                       enum fake_call_kind kind)
{
    BUG_IF(call->socket >= 0);
    call->kind = kind;
    call->asked_at = ++call->truth->now;
    call->is_answered = false;
    call->in_len = 0;
    call->out_len = 0;
    call->socket = sim_client_connect(call->sim, to->node, to->address);
    return call->socket >= 0;
}

static void call_say(struct fake_call *call, const char *method, const char *body)
{
    call->out_len = (size_t)snprintf(call->out, sizeof(call->out),
                                     "POST /api/%s HTTP/1.1\r\nHost: sim\r\nContent-Type: "
                                     "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                     method, strlen(body), body);
    BUG_IF(call->out_len >= sizeof(call->out));
}

/* Of the publication that the call has; `key`: what JSON says of its key. */
static void call_say_publish(struct fake_call *call, uint32_t padding, const char *key)
{
    char body[PADDING_MAX + 256];
    char filler[PADDING_MAX + 1];
    padding = padding < PADDING_MAX ? padding : PADDING_MAX;
    memset(filler, 'x', padding);
    filler[padding] = '\0';
    (void)snprintf(body, sizeof(body), "{\"channel\":\"%s\"%s,\"data\":{\"n\":%u,\"p\":\"%s\"}}",
                   fake_channel_name(call->channel), key, call->publication, filler);
    call_say(call, "publish", body);
}

void fake_call_publish(struct fake_call *call, const struct fake_target *to, uint8_t channel,
                       uint32_t padding)
{
    if (call_begin(call, to, CALL_PUBLISH)) {
        call->channel = channel;
        call->publication = truth_send(call->truth, channel);
        call_say_publish(call, padding, "");
    }
}

static void call_say_once(struct fake_call *call, uint32_t padding)
{
    char key[64];
    (void)snprintf(key, sizeof(key), ",\"idempotency_key\":\"k%u\"", call->publication);
    call_say_publish(call, padding, key);
}

void fake_call_publish_once(struct fake_call *call, const struct fake_target *to, uint8_t channel,
                            uint32_t padding)
{
    if (call_begin(call, to, CALL_PUBLISH)) {
        call->channel = channel;
        call->publication = truth_send(call->truth, channel);
        call->once = call->publication;
        call_say_once(call, padding);
    }
}

void fake_call_publish_again(struct fake_call *call, const struct fake_target *to)
{
    if (call->once != PUBLICATION_NONE && call_begin(call, to, CALL_PUBLISH)) {
        call->publication = call->once;
        call->channel = call->truth->publications[call->once].channel;
        truth_repeat(call->truth, call->once);
        call_say_once(call, 0);
    }
}

void fake_call_history(struct fake_call *call, const struct fake_target *to, uint8_t channel)
{
    char body[64];
    if (call_begin(call, to, CALL_HISTORY)) {
        call->channel = channel;
        (void)snprintf(body, sizeof(body), "{\"channel\":\"%s\",\"limit\":-1}",
                       fake_channel_name(channel));
        call_say(call, "history", body);
    }
}

void fake_call_channels(struct fake_call *call, const struct fake_target *to)
{
    if (call_begin(call, to, CALL_CHANNELS)) {
        call_say(call, "channels", "{}");
    }
}

void fake_call_map_write(struct fake_call *call, const struct fake_target *to, uint8_t map,
                         uint8_t key, bool is_removal)
{
    char body[128];
    if (!call_begin(call, to, CALL_MAP_WRITE)) {
        return;
    }
    call->channel = map;
    call->publication = map_truth_send(call->truth, map, key, is_removal);
    (void)snprintf(body, sizeof(body), "{\"channel\":\"m:%u\",\"key\":\"k%u\",\"data\":{\"n\":%u}}",
                   map, key, call->publication);
    call_say(call, is_removal ? "map_remove" : "map_publish", body);
}

void fake_call_map_read(struct fake_call *call, const struct fake_target *to, uint8_t map)
{
    char body[64];
    if (call_begin(call, to, CALL_MAP_READ)) {
        call->channel = map;
        (void)snprintf(body, sizeof(body), "{\"channel\":\"m:%u\",\"limit\":-1}", map);
        call_say(call, "map_read_state", body);
    }
}

void fake_call_map_clear(struct fake_call *call, const struct fake_target *to, uint8_t map)
{
    char body[64];
    if (call_begin(call, to, CALL_MAP_CLEAR)) {
        (void)snprintf(body, sizeof(body), "{\"channel\":\"m:%u\"}", map);
        call_say(call, "map_clear", body);
    }
}

/* A command that somebody may obey from now on. */
static uint32_t add_command(struct truth *truth, uint8_t channel, const char *user)
{
    struct user_command *command = &truth->commands[truth->commands_len];
    command->channel = channel;
    command->code = (uint16_t)(CODE_FIRST + truth->commands_len);
    memcpy(command->user, user, strlen(user) + 1);
    return truth->commands_len++;
}

void fake_call_disconnect(struct fake_call *call, const struct fake_target *to, const char *user)
{
    char body[128];
    if (call->truth->commands_len < USER_COMMANDS_MAX && call_begin(call, to, CALL_DISCONNECT)) {
        const uint32_t command = add_command(call->truth, CHANNEL_NONE, user);
        (void)snprintf(body, sizeof(body),
                       "{\"user\":\"%s\",\"disconnect\":{\"code\":%u,\"reason\":\"told\"}}", user,
                       call->truth->commands[command].code);
        call_say(call, "disconnect", body);
    }
}

void fake_call_unsubscribe(struct fake_call *call, const struct fake_target *to, uint8_t channel,
                           const char *user)
{
    char body[128];
    if (call->truth->commands_len < USER_COMMANDS_MAX && call_begin(call, to, CALL_UNSUBSCRIBE)) {
        (void)add_command(call->truth, channel, user);
        (void)snprintf(body, sizeof(body), "{\"user\":\"%s\",\"channel\":\"%s\"}", user,
                       fake_channel_name(channel));
        call_say(call, "unsubscribe", body);
    }
}

/* ---- the answer ---- */

static void call_end(struct fake_call *call)
{
    sim_client_close(call->sim, call->socket, false);
    call->socket = -1;
}

void fake_call_abort(struct fake_call *call)
{
    if (call->socket >= 0) {
        if (call->kind == CALL_PUBLISH) {
            truth_refuse(call->truth, call->publication, false);
        }
        call_end(call);
    }
}

static void on_history(struct fake_call *call, const char *body)
{
    char epoch[EPOCH_TEXT_SIZE];
    const char *behind = body;
    for (const char *at = body; (at = strstr(at, "\"epoch\":\"")) != NULL; at++) {
        behind = at;
    }
    fake_text_behind(behind, "\"epoch\":\"", epoch, sizeof(epoch));
    struct told_stream *stream = truth_stream(call->truth, call->channel, epoch);
    fake_note_publications(call->truth, call->channel, stream, body);
    truth_check_end(call->truth, stream, fake_number_behind(behind, "\"offset\":"), call->asked_at);
}

static void on_published(struct fake_call *call, const char *body)
{
    char epoch[EPOCH_TEXT_SIZE];
    const uint64_t offset = fake_number_behind(body, "\"offset\":");
    fake_text_behind(body, "\"epoch\":\"", epoch, sizeof(epoch));
    if ((offset != 0) != channel_is_kept(call->channel)) {
        truth_fail(call->truth, call->channel, "publish was answered with %s", body);
    }
    truth_acknowledge(call->truth, call->publication, offset == 0 ? NULL : epoch, offset);
    truth_note(call->truth, call->channel, "%u is published in %s at %" PRIu64 " of %s",
               call->publication, fake_channel_name(call->channel), offset, epoch);
}

static void on_map_written(struct fake_call *call, const char *body)
{
    char epoch[MAP_EPOCH_SIZE];
    if (strstr(body, "\"suppressed\":true") != NULL) {
        map_truth_nothing(call->truth, call->publication);
        return;
    }
    fake_text_behind(body, "\"epoch\":\"", epoch, sizeof(epoch));
    map_truth_done(call->truth, call->publication, epoch, fake_number_behind(body, "\"offset\":"));
}

/* The position stands behind the entries. */
static void on_map_read(struct fake_call *call, const char *body)
{
    struct map_reading reading = {.map = call->channel, .asked_at = call->asked_at};
    const char *at = body;
    for (const char *next; (next = strstr(at, "\"key\":\"k")) != NULL; at = next + 1) {
        const uint64_t key = fake_number_behind(next, "\"key\":\"k");
        if (key >= MAP_KEYS || reading.writes[key] != MAP_WRITE_NONE) {
            truth_fail(call->truth, CHANNEL_NONE, "a map was read as %s", body);
            return;
        }
        reading.writes[key] = (uint32_t)fake_number_behind(next, "\"n\":");
        reading.offsets[key] = fake_number_behind(next, "\"offset\":");
    }
    const char *end = strchr(at, ']');
    end = end == NULL ? at : end;
    reading.offset = fake_number_behind(end, "\"offset\":");
    fake_text_behind(end, "\"epoch\":\"", reading.epoch, sizeof(reading.epoch));
    map_truth_read(call->truth, &reading);
}

/* Errors of the server API do not tell whether anything has happened; but a history may be longer
 * than what the links of this world carry. */
static void on_response(struct fake_call *call, const char *body)
{
    call->is_answered = strstr(body, "\"error\":") == NULL;
    const uint64_t code = call->is_answered ? 0 : fake_number_behind(body, "\"code\":");
    if (code != 0 && code != 100 && (code != 106 || call->kind != CALL_HISTORY)) {
        truth_fail(call->truth, call->channel, "a call was answered with %s", body);
    }
    if (call->kind == CALL_PUBLISH && call->is_answered) {
        on_published(call, body);
    } else if (call->kind == CALL_PUBLISH) {
        truth_refuse(call->truth, call->publication, false);
    } else if (call->kind == CALL_HISTORY && call->is_answered) {
        on_history(call, body);
    } else if (call->kind == CALL_MAP_WRITE && call->is_answered) {
        on_map_written(call, body);
    } else if (call->kind == CALL_MAP_READ && call->is_answered) {
        on_map_read(call, body);
    }
    call_end(call);
}

bool fake_call_poll(struct fake_call *call)
{
    if (call->socket < 0) {
        return false;
    }
    size_t taken = 0;
    if (call->out_len > 0) {
        taken = sim_client_send(call->sim, call->socket, call->out, call->out_len);
        memmove(call->out, call->out + taken, call->out_len - taken);
        call->out_len -= taken;
    }
    const ssize_t got = sim_client_receive(call->sim, call->socket, call->in + call->in_len,
                                           sizeof(call->in) - 1 - call->in_len);
    if (got < 0) {
        fake_call_abort(call);
        return true;
    }
    call->in_len += (size_t)got;
    call->in[call->in_len] = '\0';
    const char *body = strstr(call->in, "\r\n\r\n");
    if (body != NULL) {
        const uint64_t len = fake_number_behind(call->in, "ontent-Length: ");
        body += 4;
        if (call->in_len - (size_t)(body - call->in) >= len) {
            on_response(call, body);
        }
    }
    return taken > 0 || got > 0;
}
