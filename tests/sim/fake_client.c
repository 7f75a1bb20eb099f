/* SPDX-License-Identifier: Apache-2.0 */
/* The client protocol as a client sees it, in the few forms that the simulator's worlds use. */
#include "tests/sim/fake_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void client_put(struct fake_client *client, const void *at, size_t len)
{
    /* A client that cannot send for long is one that the node does not read: it just says less. */
    if (client->out_len + len <= sizeof(client->out)) {
        memcpy(client->out + client->out_len, at, len);
        client->out_len += len;
    }
}

static void client_put_text(struct fake_client *client, const char *text)
{
    uint8_t frame[WEBSOCKET_HEADER_LEN_MAX];
    const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    const size_t len = strlen(text);
    uint8_t payload[4096];
    BUG_IF(len > sizeof(payload));
    const size_t header_len =
        websocket_encode_header(frame, WEBSOCKET_FIN | WEBSOCKET_TEXT, len, mask);
    if (client->out_len + header_len + len > sizeof(client->out)) {
        return;
    }
    uint32_t word;
    memcpy(&word, mask, sizeof(word));
    memcpy(payload, text, len);
    (void)websocket_mask(payload, len, word);
    client_put(client, frame, header_len);
    client_put(client, payload, len);
}

static const char *channel_prefix(uint32_t channel)
{
    return fake_channel_is_kept(channel) ? "r:" : "";
}

bool fake_client_open(struct fake_client *client, struct sim *sim, uint32_t node,
                      const struct socket_address *address)
{
    struct fake_place places[CHANNELS_MAX];
    memcpy(places, client->places, sizeof(places));
    memset(client, 0, sizeof(*client));
    memcpy(client->places, places, sizeof(places));
    client->sim = sim;
    client->node = node;
    client->socket = sim_client_connect(sim, node, address);
    if (client->socket < 0) {
        return false;
    }
    client->state = FAKE_HANDSHAKE;
    client->next_id = 2;
    websocket_decoder_init(&client->decoder, sizeof(client->message), WEBSOCKET_FROM_SERVER);
    static const char request[] = "GET /connection/websocket HTTP/1.1\r\nHost: sim\r\n"
                                  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    client_put(client, request, sizeof(request) - 1);
    return true;
}

static void client_end(struct fake_client *client)
{
    client->state = FAKE_ENDED;
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        if (client->subscriptions[i].run != NULL) {
            client->subscriptions[i].run->is_open = false;
        }
        client->subscriptions[i] = (struct fake_subscription){0};
    }
}

void fake_client_close(struct fake_client *client, bool reset)
{
    if (client->state != FAKE_UNUSED) {
        sim_client_close(client->sim, client->socket, reset);
        client_end(client);
        client->state = FAKE_UNUSED;
    }
}

void fake_client_pause(struct fake_client *client, bool paused)
{
    client->is_paused = paused;
    sim_client_pause(client->sim, client->socket, paused);
}

void fake_client_subscribe(struct fake_client *client, uint8_t channel)
{
    struct fake_subscription *subscription = &client->subscriptions[channel];
    const struct fake_place *place = &client->places[channel];
    char recover[128] = "";
    char text[256];
    subscription->state = FAKE_ASKED;
    subscription->command_id = client->next_id++;
    if (place->is_known) {
        /* Some would rather have an error than begin anew. */
        const unsigned flag = subscription->command_id % 4 == 0 ? 2 : 0;
        (void)snprintf(recover, sizeof(recover),
                       ",\"recover\":true,\"offset\":%llu,\"epoch\":\"%s\",\"flag\":%u",
                       (unsigned long long)place->offset, place->epoch, flag);
    }
    (void)snprintf(text, sizeof(text), "{\"id\":%u,\"subscribe\":{\"channel\":\"%sc%u\"%s}}",
                   subscription->command_id, channel_prefix(channel), channel, recover);
    client_put_text(client, text);
}

void fake_client_unsubscribe(struct fake_client *client, uint8_t channel)
{
    struct fake_subscription *subscription = &client->subscriptions[channel];
    char text[128];
    subscription->state = FAKE_LEAVING;
    subscription->command_id = client->next_id++;
    (void)snprintf(text, sizeof(text), "{\"id\":%u,\"unsubscribe\":{\"channel\":\"%sc%u\"}}",
                   subscription->command_id, channel_prefix(channel), channel);
    client_put_text(client, text);
}

bool fake_client_publish(struct fake_client *client, uint8_t channel, uint32_t publication,
                         uint32_t padding)
{
    if (client->publishes_len == sizeof(client->publishes) / sizeof(client->publishes[0])) {
        return false;
    }
    char text[2048];
    char filler[1025];
    padding = padding < sizeof(filler) ? padding : (uint32_t)sizeof(filler) - 1;
    memset(filler, 'x', padding);
    filler[padding] = '\0';
    const int len =
        snprintf(text, sizeof(text),
                 "{\"id\":%u,\"publish\":{\"channel\":\"%sc%u\",\"data\":{\"n\":%u,"
                 "\"p\":\"%s\"}}}",
                 client->next_id, channel_prefix(channel), channel, publication, filler);
    if (client->out_len + (size_t)len + WEBSOCKET_HEADER_LEN_MAX > sizeof(client->out)) {
        return false;
    }
    client->publishes[client->publishes_len++] =
        (struct fake_publish){.command_id = client->next_id++, .publication = publication};
    client_put_text(client, text);
    return true;
}

void fake_client_ask_presence(struct fake_client *client, uint8_t channel)
{
    char text[128];
    client->asked_clients = UINT64_MAX;
    client->asked_id = client->next_id++;
    (void)snprintf(text, sizeof(text), "{\"id\":%u,\"presence_stats\":{\"channel\":\"%sc%u\"}}",
                   client->asked_id, channel_prefix(channel), channel);
    client_put_text(client, text);
}

void fake_client_send_garbage(struct fake_client *client, struct random *random)
{
    uint8_t bytes[64];
    const size_t len = 1 + (size_t)random_below(random, sizeof(bytes));
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)random_next(random);
    }
    client_put(client, bytes, len);
}

void fake_run_add(struct fake_run *run, uint32_t id)
{
    if (run->len == run->room) {
        run->room = run->room == 0 ? 16 : run->room * 2;
        run->ids = realloc(run->ids, run->room * sizeof(*run->ids));
        BUG_IF(run->ids == NULL);
    }
    run->ids[run->len++] = id;
}

/* ---- what the node says ---- */

static uint32_t number_behind(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at == NULL ? 0 : (uint32_t)strtoul(at + strlen(key), NULL, 10);
}

/* The publication in the text is the one after what the client has. */
static void client_moves_on(struct fake_client *client, const struct fake_listener *listener,
                            uint32_t channel, const char *text)
{
    if (number_behind(text, "\"offset\":") != ++client->places[channel].offset) {
        listener->violation(listener->context, "an offset is not the next one");
    }
}

static void client_on_push(struct fake_client *client, const struct fake_listener *listener,
                           const char *text)
{
    const bool is_kept = strstr(text, "\"channel\":\"r:c") != NULL;
    const uint32_t channel = number_behind(text, is_kept ? "\"channel\":\"r:c" : "\"channel\":\"c");
    if (channel >= CHANNELS_MAX) {
        return;
    }
    struct fake_subscription *subscription = &client->subscriptions[channel];
    if (strstr(text, "\"unsubscribe\":{") != NULL && subscription->run != NULL) {
        subscription->run->is_open = false;
        if (subscription->state != FAKE_LEAVING) { /* Else the command has crossed the push. */
            *subscription = (struct fake_subscription){0};
        }
    }
    if (strstr(text, "\"pub\":") == NULL) {
        return;
    }
    if (subscription->run == NULL) {
        listener->violation(listener->context, "a publication outside of any subscription");
        return;
    }
    fake_run_add(subscription->run, number_behind(text, "\"n\":"));
    if (is_kept) {
        client_moves_on(client, listener, channel, text);
    }
}

/* Takes what was missed; or, where that cannot be had any more, begins a new run. */
static struct fake_run *client_resume(struct fake_client *client,
                                      const struct fake_listener *listener, uint8_t channel,
                                      const char *text)
{
    struct fake_place *place = &client->places[channel];
    const bool is_recovered = strstr(text, "\"recovered\":true") != NULL;
    if (place->is_known) {
        listener->recovered(listener->context, is_recovered);
    }
    if (is_recovered) {
        for (const char *at = text; (at = strstr(at, "\"n\":")) != NULL; at++) {
            fake_run_add(place->run, number_behind(at, "\"n\":"));
            client_moves_on(client, listener, channel, at);
        }
        place->run->is_open = true;
        return place->run;
    }
    const char *epoch = strstr(text, "\"epoch\":\"");
    if (epoch == NULL || strstr(text, "\"publications\"") != NULL) {
        listener->violation(listener->context, "a subscribe reply without its position");
        return listener->open_run(listener->context, client, channel);
    }
    epoch += strlen("\"epoch\":\"");
    place->is_known = true;
    place->offset = number_behind(text, "\"offset\":");
    (void)snprintf(place->epoch, sizeof(place->epoch), "%.*s", (int)strcspn(epoch, "\""), epoch);
    place->run = listener->open_run(listener->context, client, channel);
    return place->run;
}

static void client_on_subscription_reply(struct fake_client *client,
                                         const struct fake_listener *listener, uint8_t channel,
                                         const char *text)
{
    const bool is_error = strstr(text, "\"error\":") != NULL;
    struct fake_subscription *subscription = &client->subscriptions[channel];
    subscription->command_id = 0;
    if (subscription->state == FAKE_LEAVING) {
        subscription->run->is_open = false;
        *subscription = (struct fake_subscription){0};
    } else if (is_error) {
        subscription->state = FAKE_NONE;
        if (strstr(text, "\"code\":112") != NULL) {
            client->places[channel].is_known = false;
        }
    } else if (fake_channel_is_kept(channel)) {
        subscription->state = FAKE_SUBSCRIBED;
        subscription->run = client_resume(client, listener, channel, text);
    } else {
        subscription->state = FAKE_SUBSCRIBED;
        subscription->run = listener->open_run(listener->context, client, channel);
    }
}

static void client_on_reply(struct fake_client *client, const struct fake_listener *listener,
                            const char *text, uint32_t id)
{
    const bool is_error = strstr(text, "\"error\":") != NULL;
    if (client->state == FAKE_CONNECTING) {
        if (is_error || strstr(text, "\"connect\":") == NULL) {
            listener->violation(listener->context, "connect was not answered");
        }
        client->state = FAKE_CONNECTED;
        return;
    }
    if (id == client->asked_id) {
        client->asked_clients = number_behind(text, "\"num_clients\":");
        return;
    }
    for (uint8_t channel = 0; channel < CHANNELS_MAX; channel++) {
        if (client->subscriptions[channel].command_id == id) {
            client_on_subscription_reply(client, listener, channel, text);
            return;
        }
    }
    for (uint32_t i = 0; i < client->publishes_len; i++) {
        if (client->publishes[i].command_id == id) {
            listener->published(listener->context, client->publishes[i].publication, !is_error);
            client->publishes[i] = client->publishes[--client->publishes_len];
            return;
        }
    }
    listener->violation(listener->context, "a reply to nothing that was asked");
}

static void client_on_message(struct fake_client *client, const struct fake_listener *listener)
{
    client->message[client->message_len] = '\0';
    char *line = (char *)client->message;
    while (line != NULL) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (strcmp(line, "{}") == 0) {
            if (!client->is_mute) {
                client_put_text(client, "{}");
            }
        } else if (strncmp(line, "{\"push\"", 7) == 0) {
            client_on_push(client, listener, line);
        } else {
            client_on_reply(client, listener, line, number_behind(line, "{\"id\":"));
        }
        line = next;
    }
}

/* Takes the response's head; false: it is not whole yet. */
static bool client_take_handshake(struct fake_client *client, const struct fake_listener *listener)
{
    client->in[client->in_len] = '\0';
    const char *end = strstr((const char *)client->in, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    if (strncmp((const char *)client->in, "HTTP/1.1 101 ", 13) != 0) {
        listener->violation(listener->context, "the upgrade was refused");
    }
    const size_t len = (size_t)(end + 4 - (const char *)client->in);
    memmove(client->in, client->in + len, client->in_len - len);
    client->in_len -= len;
    client->state = FAKE_CONNECTING;
    client_put_text(client, "{\"id\":1,\"connect\":{}}");
    return true;
}

static void client_take_frames(struct fake_client *client, const struct fake_listener *listener)
{
    uint8_t *at = client->in;
    uint8_t *end = client->in + client->in_len;
    struct websocket_event event;
    while (true) {
        const enum websocket_result result = websocket_decode(&client->decoder, &at, end, &event);
        if (result == WEBSOCKET_NEED_MORE) {
            break;
        }
        if (result == WEBSOCKET_ERROR) {
            listener->violation(listener->context, "the node broke the WebSocket protocol");
            break;
        }
        if (result == WEBSOCKET_CLOSE) {
            client->close_code = event.close_code;
            const uint8_t close[] = {0x88, 0x80, 0, 0, 0, 0};
            client_put(client, close, sizeof(close));
            at = end;
            break;
        }
        if (result != WEBSOCKET_DATA) {
            continue;
        }
        if (event.is_first) {
            client->message_len = 0;
        }
        BUG_IF(client->message_len + event.payload.len >= sizeof(client->message));
        memcpy(client->message + client->message_len, event.payload.at, event.payload.len);
        client->message_len += event.payload.len;
        if (event.is_last) {
            client_on_message(client, listener);
        }
    }
    client->in_len = (size_t)(end - at);
    memmove(client->in, at, client->in_len);
}

bool fake_client_poll(struct fake_client *client, const struct fake_listener *listener)
{
    if (client->state == FAKE_UNUSED || client->state == FAKE_ENDED) {
        return false;
    }
    const size_t taken = client->out_len == 0 ? 0
                                              : sim_client_send(client->sim, client->socket,
                                                                client->out, client->out_len);
    memmove(client->out, client->out + taken, client->out_len - taken);
    client->out_len -= taken;
    const ssize_t got =
        client->is_paused
            ? 0
            : sim_client_receive(client->sim, client->socket, client->in + client->in_len,
                                 sizeof(client->in) - 1 - client->in_len);
    if (got < 0) {
        client_end(client);
        return true;
    }
    client->in_len += (size_t)got;
    if (client->state == FAKE_HANDSHAKE && !client_take_handshake(client, listener)) {
        return taken > 0 || got > 0;
    }
    client_take_frames(client, listener);
    return taken > 0 || got > 0;
}
