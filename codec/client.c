/* SPDX-License-Identifier: Apache-2.0 */
/* The tables behind the codes and methods of the client protocol. */
#include "codec/client.h"

#include <assert.h>

struct code_row {
    uint32_t code;
    const char *text;
    bool flag; /* temporary, reconnect or resubscribe */
};

#define CODE_ROW(name, code, text, flag) {(code), (text), (flag)},
static const struct code_row errors[] = {CLIENT_ERRORS(CODE_ROW)};
static const struct code_row disconnects[] = {CLIENT_DISCONNECTS(CODE_ROW)};
static const struct code_row unsubscribes[] = {CLIENT_UNSUBSCRIBES(CODE_ROW)};
#undef CODE_ROW

/* SDKs go by the range and know nothing of the table: the two must say the same. */
#define CHECK_RECONNECT(name, code, text, reconnect) \
    static_assert((reconnect) == !((code) >= 3500 && (code) <= 3999), "range of " text);
CLIENT_DISCONNECTS(CHECK_RECONNECT)
#undef CHECK_RECONNECT
#define CHECK_RESUBSCRIBE(name, code, text, resubscribe) \
    static_assert((resubscribe) == ((code) >= 2500), "range of " text);
CLIENT_UNSUBSCRIBES(CHECK_RESUBSCRIBE)
#undef CHECK_RESUBSCRIBE

static size_t index_of(const struct code_row *rows, size_t count, uint32_t code)
{
    size_t index = 0;
    while (index < count && rows[index].code != code) {
        index++;
    }
    return index;
}

size_t client_error_index(uint32_t code)
{
    return index_of(errors, CLIENT_ERROR_COUNT, code);
}

size_t client_disconnect_index(uint32_t code)
{
    return index_of(disconnects, CLIENT_DISCONNECT_COUNT, code);
}

size_t client_unsubscribe_index(uint32_t code)
{
    return index_of(unsubscribes, CLIENT_UNSUBSCRIBE_COUNT, code);
}

static struct span text_at(const struct code_row *rows, size_t count, size_t index)
{
    return index < count ? span_of_text(rows[index].text) : SPAN_EMPTY;
}

struct span client_error_message(uint32_t code)
{
    return text_at(errors, CLIENT_ERROR_COUNT, client_error_index(code));
}

struct span client_disconnect_reason(uint32_t code)
{
    return text_at(disconnects, CLIENT_DISCONNECT_COUNT, client_disconnect_index(code));
}

struct span client_unsubscribe_reason(uint32_t code)
{
    return text_at(unsubscribes, CLIENT_UNSUBSCRIBE_COUNT, client_unsubscribe_index(code));
}

bool client_error_is_temporary(uint32_t code)
{
    size_t index = client_error_index(code);
    return index < CLIENT_ERROR_COUNT && errors[index].flag;
}

bool client_disconnect_is_terminal(uint32_t code)
{
    return (code >= 3500 && code <= 3999) || (code >= 4500 && code <= 4999);
}

bool client_unsubscribe_resubscribes(uint32_t code)
{
    return code >= 2500;
}

struct client_error_reply client_error_reply_of(enum client_error code)
{
    uint32_t number = (uint32_t)code;
    return (struct client_error_reply){
        .code = number,
        .message = client_error_message(number),
        .temporary = client_error_is_temporary(number),
    };
}

const char *client_method_name(enum client_method method)
{
    static const char *const names[CLIENT_METHOD_COUNT] = {
        [CLIENT_METHOD_PONG] = "pong",
        [CLIENT_METHOD_CONNECT] = "connect",
        [CLIENT_METHOD_SUBSCRIBE] = "subscribe",
        [CLIENT_METHOD_UNSUBSCRIBE] = "unsubscribe",
        [CLIENT_METHOD_PUBLISH] = "publish",
        [CLIENT_METHOD_PRESENCE] = "presence",
        [CLIENT_METHOD_PRESENCE_STATS] = "presence_stats",
        [CLIENT_METHOD_HISTORY] = "history",
        [CLIENT_METHOD_RPC] = "rpc",
        [CLIENT_METHOD_SEND] = "send",
        [CLIENT_METHOD_REFRESH] = "refresh",
        [CLIENT_METHOD_SUB_REFRESH] = "sub_refresh",
        [CLIENT_METHOD_PING] = "ping",
    };
    return (unsigned)method < CLIENT_METHOD_COUNT ? names[method] : "unknown";
}
