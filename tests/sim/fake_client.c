/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection and what it sends; what it hears is in fake_words.c. */
#include "tests/sim/fake_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/base64.h"

enum { PADDING_MAX = 1024 };

static void client_put(struct fake_client *client, const void *at, size_t len)
{
    /* A client that cannot send for long is one that the node does not read: it just says less. */
    if (client->out_len + len <= sizeof(client->out)) {
        memcpy(client->out + client->out_len, at, len);
        client->out_len += len;
    }
}

void fake_client_say(struct fake_client *client, const char *text)
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

const char *fake_channel_name(uint32_t channel)
{
    static const char *const names[CHANNELS_MAX] = {"r:c0", "c1",   "r:c2", "c3",  "r:c4",
                                                    "c5",   "r:c6", "c7",   "r:*", "*"};
    return names[channel];
}

void fake_client_init(struct fake_client *client, struct sim *sim, struct truth *truth,
                      uint32_t number)
{
    client->sim = sim;
    client->truth = truth;
    client->number = number;
}

/* ---- the connection ---- */

bool fake_client_open(struct fake_client *client, uint32_t node,
                      const struct socket_address *address)
{
    memset(client->subscriptions, 0, sizeof(client->subscriptions));
    client->is_paused = false;
    client->is_mute = false;
    client->is_garbling = false;
    client->close_code = 0;
    client->publishes_len = 0;
    client->presence.id = 0;
    client->history.id = 0;
    client->out_len = 0;
    client->in_len = 0;
    client->message_len = 0;
    client->id[0] = '\0';
    client->node = node;
    client->socket = sim_client_connect(client->sim, node, address);
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

/* What was published and not answered may have arrived. */
static void client_end(struct fake_client *client)
{
    client->state = FAKE_ENDED;
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        if (client->subscriptions[i].run != NULL) {
            truth_close(client->subscriptions[i].run);
        }
        client->subscriptions[i] = (struct fake_subscription){0};
    }
    for (uint32_t i = 0; i < client->publishes_len; i++) {
        truth_refuse(client->truth, client->publishes[i].publication, false);
    }
    client->publishes_len = 0;
    truth_note(client->truth, CHANNEL_NONE, "client %u: its connection to node %u ends, code %u",
               client->number, client->node, client->close_code);
}

void fake_client_close(struct fake_client *client, bool reset)
{
    if (client->state != FAKE_UNUSED) {
        sim_client_close(client->sim, client->socket, reset);
        if (client->state != FAKE_ENDED) {
            client_end(client);
        }
        client->state = FAKE_UNUSED;
    }
}

void fake_client_pause(struct fake_client *client, bool paused)
{
    client->is_paused = paused;
    sim_client_pause(client->sim, client->socket, paused);
}

/* ---- commands ---- */

/* A token that nobody has signed: nodes of the simulator do not look. Users' names have five
 * letters, so that no padding is needed. */
static void client_connect(struct fake_client *client)
{
    char text[256];
    char claims[32];
    uint8_t room[64];
    if (client->user[0] == '\0') {
        fake_client_say(client, "{\"id\":1,\"connect\":{}}");
        return;
    }
    struct writer encoded = writer_of(room, sizeof(room));
    const int len = snprintf(claims, sizeof(claims), "{\"sub\":\"%s\"}", client->user);
    BUG_IF(len % 3 != 0);
    base64_encode(&encoded, span_of(claims, (size_t)len));
    const struct span payload = writer_written(&encoded);
    (void)snprintf(text, sizeof(text),
                   "{\"id\":1,\"connect\":{\"token\":\"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
                   "%.*s.AAAA\"}}",
                   (int)payload.len, (const char *)payload.at);
    fake_client_say(client, text);
}

void fake_client_subscribe(struct fake_client *client, uint8_t channel)
{
    struct fake_subscription *subscription = &client->subscriptions[channel];
    const struct fake_place *place = &client->places[channel];
    char recover[128] = "";
    char text[256];
    subscription->state = FAKE_ASKED;
    subscription->command_id = client->next_id++;
    subscription->has_recovered = place->is_known;
    if (place->is_known) {
        /* Some would rather have an error than begin anew. */
        const unsigned flag = subscription->command_id % 4 == 0 ? 2 : 0;
        (void)snprintf(recover, sizeof(recover),
                       ",\"recover\":true,\"offset\":%" PRIu64 ",\"epoch\":\"%s\",\"flag\":%u",
                       place->offset, place->epoch, flag);
    }
    (void)snprintf(text, sizeof(text), "{\"id\":%u,\"subscribe\":{\"channel\":\"%s\"%s}}",
                   subscription->command_id, fake_channel_name(channel), recover);
    fake_client_say(client, text);
}

void fake_client_unsubscribe(struct fake_client *client, uint8_t channel)
{
    struct fake_subscription *subscription = &client->subscriptions[channel];
    char text[128];
    subscription->state = FAKE_LEAVING;
    subscription->command_id = client->next_id++;
    (void)snprintf(text, sizeof(text), "{\"id\":%u,\"unsubscribe\":{\"channel\":\"%s\"}}",
                   subscription->command_id, fake_channel_name(channel));
    fake_client_say(client, text);
}

void fake_client_forget(struct fake_client *client, uint8_t channel)
{
    client->places[channel].is_known = false;
}

bool fake_client_publish(struct fake_client *client, uint8_t channel, uint32_t padding)
{
    char text[2048];
    char filler[PADDING_MAX + 1];
    if (client->publishes_len == sizeof(client->publishes) / sizeof(client->publishes[0]) ||
        client->out_len + sizeof(text) > sizeof(client->out)) {
        return false;
    }
    padding = padding < PADDING_MAX ? padding : PADDING_MAX;
    memset(filler, 'x', padding);
    filler[padding] = '\0';
    const uint32_t publication = truth_send(client->truth, channel);
    (void)snprintf(text, sizeof(text),
                   "{\"id\":%u,\"publish\":{\"channel\":\"%s\",\"data\":{\"n\":%u,\"p\":\"%s\"}}}",
                   client->next_id, fake_channel_name(channel), publication, filler);
    client->publishes[client->publishes_len++] =
        (struct fake_publish){.command_id = client->next_id++, .publication = publication};
    fake_client_say(client, text);
    return true;
}

void fake_client_ask_presence(struct fake_client *client, uint8_t channel)
{
    char text[128];
    client->presence = (struct fake_question){client->next_id++, channel, client->truth->now};
    (void)snprintf(text, sizeof(text), "{\"id\":%u,\"presence\":{\"channel\":\"%s\"}}",
                   client->presence.id, fake_channel_name(channel));
    fake_client_say(client, text);
}

void fake_client_ask_history(struct fake_client *client, uint8_t channel, uint32_t limit)
{
    char text[128];
    client->history = (struct fake_question){client->next_id++, channel, ++client->truth->now};
    (void)snprintf(text, sizeof(text), "{\"id\":%u,\"history\":{\"channel\":\"%s\",\"limit\":%u}}",
                   client->history.id, fake_channel_name(channel), limit);
    fake_client_say(client, text);
}

void fake_client_send_garbage(struct fake_client *client, struct random *random)
{
    uint8_t bytes[64];
    const size_t len = 1 + (size_t)random_below(random, sizeof(bytes));
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)random_next(random);
    }
    client->is_garbling = true;
    client_put(client, bytes, len);
}

/* ---- what arrives ---- */

static void client_on_message(struct fake_client *client)
{
    client->message[client->message_len] = '\0';
    char *line = (char *)client->message;
    while (line != NULL) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (strcmp(line, "{}") != 0) {
            fake_client_hear(client, line);
        } else if (!client->is_mute) {
            fake_client_say(client, "{}");
        }
        line = next;
    }
}

/* Takes the response's head; false: it is not whole yet. */
static bool client_take_handshake(struct fake_client *client)
{
    client->in[client->in_len] = '\0';
    const char *end = strstr((const char *)client->in, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    if (strncmp((const char *)client->in, "HTTP/1.1 101 ", 13) != 0) {
        truth_fail(client->truth, CHANNEL_NONE, "the upgrade of client %u was refused",
                   client->number);
    }
    const size_t len = (size_t)(end + 4 - (const char *)client->in);
    memmove(client->in, client->in + len, client->in_len - len);
    client->in_len -= len;
    client->state = FAKE_CONNECTING;
    client_connect(client);
    return true;
}

static void client_on_close(struct fake_client *client, uint16_t code)
{
    static const uint8_t close[] = {0x88, 0x80, 0, 0, 0, 0};
    client->close_code = code;
    client_put(client, close, sizeof(close));
    const bool is_told = code >= 4500; /* By the server API. */
    bool is_right = client->is_garbling || code == 3001 || code == 3008 || code == 3012 ||
                    code == 3013 || code == 3502;
    for (uint32_t i = 0; is_told && i < client->truth->commands_len; i++) {
        const struct user_command *command = &client->truth->commands[i];
        is_right = is_right || (command->channel == CHANNEL_NONE && command->code == code &&
                                strcmp(command->user, client->user) == 0);
    }
    if (!is_right) {
        truth_fail(client->truth, CHANNEL_NONE, "client %u of user \"%s\" was ended with code %u",
                   client->number, client->user, code);
    }
}

static void client_take_frames(struct fake_client *client)
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
            truth_fail(client->truth, CHANNEL_NONE, "client %u: a broken WebSocket frame",
                       client->number);
            break;
        }
        if (result == WEBSOCKET_CLOSE) {
            client_on_close(client, event.close_code);
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
            client_on_message(client);
        }
    }
    client->in_len = (size_t)(end - at);
    memmove(client->in, at, client->in_len);
}

bool fake_client_poll(struct fake_client *client)
{
    if (client->state == FAKE_UNUSED || client->state == FAKE_ENDED) {
        return false;
    }
    size_t taken = 0;
    if (client->out_len > 0) {
        taken = sim_client_send(client->sim, client->socket, client->out, client->out_len);
        memmove(client->out, client->out + taken, client->out_len - taken);
        client->out_len -= taken;
    }
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
    if (client->state == FAKE_HANDSHAKE && !client_take_handshake(client)) {
        return taken > 0 || got > 0;
    }
    if (got > 0) {
        client_take_frames(client);
    }
    return taken > 0 || got > 0;
}
