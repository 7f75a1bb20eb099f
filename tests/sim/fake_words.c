/* SPDX-License-Identifier: Apache-2.0 */
/* The client protocol as a client hears it, in the few forms that the simulator's worlds meet. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/fake_client.h"

uint64_t fake_number_behind(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

void fake_text_behind(const char *text, const char *key, char *out, size_t size)
{
    const char *at = strstr(text, key);
    const size_t len = at == NULL ? 0 : strcspn(at + strlen(key), "\"");
    const size_t kept = len < size ? len : size - 1;
    if (kept > 0) {
        memcpy(out, at + strlen(key), kept);
    }
    out[kept] = '\0';
}

/* The next publication in the text; false: there is none. */
static bool next_publication(const char **text, uint32_t *id, uint64_t *offset)
{
    const char *at = strstr(*text, "\"n\":");
    if (at == NULL) {
        return false;
    }
    *id = (uint32_t)fake_number_behind(at, "\"n\":");
    *offset = fake_number_behind(at, "\"offset\":");
    *text = at + 1;
    return true;
}

void fake_note_publications(struct truth *truth, uint8_t channel, struct told_stream *stream,
                            const char *text)
{
    uint32_t id;
    uint64_t offset;
    uint64_t before = 0;
    while (next_publication(&text, &id, &offset)) {
        truth_place(truth, channel, stream, offset, id);
        if (before != 0 && offset != before + 1) {
            truth_fail(truth, channel, "a history has %" PRIu64 " and then %" PRIu64, before,
                       offset);
        }
        before = offset;
    }
}

static uint8_t channel_in(const char *text)
{
    char name[8];
    fake_text_behind(text, "\"channel\":\"", name, sizeof(name));
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        if (strcmp(name, fake_channel_name(channel)) == 0) {
            return channel;
        }
    }
    return CHANNEL_NONE;
}

/* ---- pushes ---- */

static void on_unsubscribe(struct fake_client *client, uint8_t channel, uint64_t code)
{
    struct fake_subscription *subscription = &client->subscriptions[channel];
    bool is_right = code == 2500;
    for (uint32_t i = 0; code == 2000 && i < client->truth->commands_len; i++) {
        const struct user_command *command = &client->truth->commands[i];
        is_right =
            is_right || (command->channel == channel && strcmp(command->user, client->user) == 0);
    }
    if (!is_right) {
        truth_fail(client->truth, channel, "client %u was unsubscribed with code %" PRIu64,
                   client->number, code);
    }
    client->truth->told += code == 2500;
    truth_note(client->truth, channel, "client %u on node %u: unsubscribed from %s, code %" PRIu64,
               client->number, client->node, fake_channel_name(channel), code);
    if (subscription->run != NULL) {
        truth_close(subscription->run);
        if (subscription->state != FAKE_LEAVING) { /* Else the command has crossed the push. */
            *subscription = (struct fake_subscription){0};
        }
    }
}

/* Who hears a wildcard is told where it was made. */
static void check_made_in(const struct fake_client *client, uint8_t channel, uint32_t id,
                          const char *text)
{
    const struct truth *truth = client->truth;
    char name[8];
    fake_text_behind(text, "\"tags\":{\"channel\":\"", name, sizeof(name));
    if (id > truth->publications_len ||
        strcmp(name, fake_channel_name(truth->publications[id].channel)) != 0) {
        truth_fail(client->truth, channel, "client %u got %u, made in \"%s\"", client->number, id,
                   name);
    }
}

static void on_push(struct fake_client *client, const char *text)
{
    const uint8_t channel = channel_in(text);
    uint32_t id;
    uint64_t offset;
    if (channel == CHANNEL_NONE) {
        return;
    }
    struct fake_subscription *subscription = &client->subscriptions[channel];
    if (strstr(text, "\"unsubscribe\":{") != NULL) {
        on_unsubscribe(client, channel, fake_number_behind(text, "\"code\":"));
        return;
    }
    if (strstr(text, "\"pub\":") == NULL || !next_publication(&text, &id, &offset)) {
        return;
    }
    if (channel_is_wildcard(channel)) {
        check_made_in(client, channel, id, text);
    }
    if (subscription->run == NULL ||
        (channel_is_kept(channel) && subscription->run->stream == NULL)) {
        truth_fail(client->truth, channel, "client %u got %u outside of any subscription",
                   client->number, id);
        return;
    }
    truth_deliver(client->truth, subscription->run, id, offset);
    client->places[channel].offset = offset;
}

/* ---- replies ---- */

/* Takes what was missed; or, where that cannot be had any more, begins a new run. */
static struct run *resume(struct fake_client *client, uint8_t channel, const char *text)
{
    struct fake_place *place = &client->places[channel];
    struct truth *truth = client->truth;
    char epoch[EPOCH_TEXT_SIZE];
    uint32_t id;
    uint64_t offset;
    const bool is_recovered = strstr(text, "\"recovered\":true") != NULL;
    const bool has_recovered = client->subscriptions[channel].has_recovered;
    fake_text_behind(text, "\"epoch\":\"", epoch, sizeof(epoch));
    truth->recovered += has_recovered && is_recovered;
    truth->unrecovered += has_recovered && !is_recovered;
    if (is_recovered) {
        if (!has_recovered || strcmp(place->epoch, epoch) != 0) {
            truth_fail(truth, channel, "client %u recovered from epoch %s to %s", client->number,
                       place->epoch, epoch);
        }
        while (next_publication(&text, &id, &offset)) {
            truth_deliver(truth, place->run, id, offset);
            place->offset = offset;
        }
        place->run->is_open = true;
        return place->run;
    }
    if (epoch[0] == '\0') { /* It was ended before its home had answered, and hears so next. */
        fake_client_forget(client, channel);
        return truth_open(truth, client->number, channel, NULL, 0);
    }
    if (strstr(text, "\"publications\"") != NULL) {
        truth_fail(truth, channel, "client %u was not recovered, and got publications",
                   client->number);
    }
    offset = fake_number_behind(text, "\"offset\":");
    if (has_recovered && strcmp(place->epoch, epoch) == 0 && offset < place->offset) {
        truth_fail(truth, channel,
                   "client %u knows %" PRIu64 " of epoch %s, which ends at %" PRIu64 " now",
                   client->number, place->offset, epoch, offset);
    }
    place->is_known = true;
    place->offset = offset;
    memcpy(place->epoch, epoch, sizeof(epoch));
    place->run = truth_open(truth, client->number, channel, epoch, offset);
    return place->run;
}

static uint64_t error_in(const char *text)
{
    return strstr(text, "\"error\":") == NULL ? 0 : fake_number_behind(text, "\"code\":");
}

static void on_subscription_reply(struct fake_client *client, uint8_t channel, const char *text)
{
    const uint64_t error = error_in(text);
    struct fake_subscription *subscription = &client->subscriptions[channel];
    subscription->command_id = 0;
    if (subscription->state == FAKE_LEAVING) {
        truth_close(subscription->run);
        *subscription = (struct fake_subscription){0};
        return;
    }
    if (error != 0) {
        subscription->state = FAKE_NONE;
        if (error == 112) {
            client->truth->unrecovered++;
            fake_client_forget(client, channel);
        } else if (error != 111 && error != 100) {
            truth_fail(client->truth, channel, "client %u may not subscribe: error %" PRIu64,
                       client->number, error);
        }
        return;
    }
    subscription->state = FAKE_SUBSCRIBED;
    subscription->run = channel_is_kept(channel)
                            ? resume(client, channel, text)
                            : truth_open(client->truth, client->number, channel, NULL, 0);
    const struct run *run = subscription->run;
    truth_note(client->truth, channel, "client %u on node %u: subscribed to %s, %s%s at %" PRIu64,
               client->number, client->node, fake_channel_name(channel),
               strstr(text, "\"recovered\":true") != NULL ? "recovered " : "",
               run->stream == NULL ? "no epoch" : run->stream->epoch, run->offset);
}

static void on_presence(struct fake_client *client, const char *text)
{
    client->presence.id = 0;
    client->present_len = 0;
    for (const char *at = text; (at = strstr(at, "\"client\":\"")) != NULL; at++) {
        if (client->present_len < PRESENT_MAX) {
            fake_text_behind(at, "\"client\":\"", client->present[client->present_len],
                             CLIENT_ID_SIZE);
        }
        client->present_len++;
    }
    if (error_in(text) != 0) {
        client->present_len = UINT32_MAX;
    }
}

static void on_history(struct fake_client *client, const char *text)
{
    const uint8_t channel = client->history.channel;
    char epoch[EPOCH_TEXT_SIZE];
    client->history.id = 0;
    if (error_in(text) != 0) {
        return;
    }
    const char *behind = text;
    for (const char *at = text; (at = strstr(at, "\"epoch\":\"")) != NULL; at++) {
        behind = at;
    }
    fake_text_behind(behind, "\"epoch\":\"", epoch, sizeof(epoch));
    struct told_stream *stream = truth_stream(client->truth, channel, epoch);
    fake_note_publications(client->truth, channel, stream, text);
    truth_check_end(client->truth, stream, fake_number_behind(behind, "\"offset\":"),
                    client->history.asked_at);
}

static bool on_publish_reply(struct fake_client *client, uint32_t id, const char *text)
{
    const uint64_t error = error_in(text);
    for (uint32_t i = 0; i < client->publishes_len; i++) {
        if (client->publishes[i].command_id != id) {
            continue;
        }
        const uint32_t publication = client->publishes[i].publication;
        client->publishes[i] = client->publishes[--client->publishes_len];
        if (error == 0) {
            truth_acknowledge(client->truth, publication, NULL, 0);
        } else if (error == 111 || error == 100) {
            truth_refuse(client->truth, publication, error == 111);
        } else {
            truth_fail(client->truth, CHANNEL_NONE, "client %u may not publish: error %" PRIu64,
                       client->number, error);
        }
        return true;
    }
    return false;
}

static void on_reply(struct fake_client *client, const char *text, uint32_t id)
{
    if (client->state == FAKE_CONNECTING) {
        if (error_in(text) != 0 || strstr(text, "\"connect\":") == NULL) {
            truth_fail(client->truth, CHANNEL_NONE, "client %u: connect was answered with %s",
                       client->number, text);
        }
        fake_text_behind(text, "\"client\":\"", client->id, sizeof(client->id));
        client->state = FAKE_CONNECTED;
        truth_note(client->truth, CHANNEL_NONE, "client %u: connected to node %u", client->number,
                   client->node);
        return;
    }
    if (id == client->presence.id && id != 0) {
        on_presence(client, text);
        return;
    }
    if (id == client->history.id && id != 0) {
        on_history(client, text);
        return;
    }
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        if (client->subscriptions[channel].command_id == id) {
            on_subscription_reply(client, channel, text);
            return;
        }
    }
    if (!on_publish_reply(client, id, text)) {
        truth_fail(client->truth, CHANNEL_NONE, "client %u: a reply to nothing that was asked: %s",
                   client->number, text);
    }
}

void fake_client_hear(struct fake_client *client, const char *line)
{
    if (strncmp(line, "{\"push\"", 7) == 0) {
        on_push(client, line);
    } else {
        on_reply(client, line, (uint32_t)fake_number_behind(line, "{\"id\":"));
    }
}
