/* SPDX-License-Identifier: Apache-2.0 */
/* The negotiation of permessage-deflate: its grammar, and what makes an offer usable. */
#include "codec/deflate.h"

#include "codec/http1_syntax.h"

enum deflate_param {
    DEFLATE_SERVER_NO_CONTEXT = 0,
    DEFLATE_CLIENT_NO_CONTEXT,
    DEFLATE_SERVER_BITS,
    DEFLATE_CLIENT_BITS,
    DEFLATE_PARAM_COUNT,
};

static const char *const deflate_param_names[DEFLATE_PARAM_COUNT] = {
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
};

/* A parameter's value without its quotes. More than three bytes are counted but not kept. */
struct deflate_value {
    bool is_there;
    size_t len;
    uint8_t text[3];
};

struct deflate_offer {
    bool is_ours;
    bool is_usable;
    unsigned seen; /* a bit for each enum deflate_param */
    unsigned server_bits;
};

static bool deflate_at(const struct span *rest, uint8_t byte)
{
    return rest->len > 0 && rest->at[0] == byte;
}

static void deflate_skip_space(struct span *rest)
{
    while (rest->len > 0 && http1_is_space(rest->at[0])) {
        *rest = span_skip(*rest, 1);
    }
}

/* Takes `byte` and the white space around it. */
static bool deflate_take(struct span *rest, uint8_t byte)
{
    deflate_skip_space(rest);
    if (!deflate_at(rest, byte)) {
        return false;
    }
    *rest = span_skip(*rest, 1);
    deflate_skip_space(rest);
    return true;
}

static struct span deflate_take_token(struct span *rest)
{
    size_t len = 0;
    while (len < rest->len && http1_is_token_byte(rest->at[len])) {
        len++;
    }
    struct span token = span_of(rest->at, len);
    *rest = span_skip(*rest, len);
    return token;
}

static void deflate_keep_byte(struct deflate_value *value, uint8_t byte)
{
    if (value->len < sizeof(value->text)) {
        value->text[value->len] = byte;
    }
    value->len++;
}

/*
 * What stands in the quotes must be a token once its backslashes are gone (RFC 6455 section 9.1).
 */
static bool deflate_take_quoted(struct span *rest, struct deflate_value *value)
{
    *rest = span_skip(*rest, 1);
    while (rest->len > 0 && rest->at[0] != '"') {
        if (rest->at[0] == '\\') {
            *rest = span_skip(*rest, 1);
        }
        if (rest->len == 0 || !http1_is_token_byte(rest->at[0])) {
            return false;
        }
        deflate_keep_byte(value, rest->at[0]);
        *rest = span_skip(*rest, 1);
    }
    bool is_closed = deflate_at(rest, '"');
    *rest = span_skip(*rest, 1);
    return is_closed && value->len > 0;
}

static bool deflate_take_value(struct span *rest, struct deflate_value *value)
{
    value->is_there = true;
    if (deflate_at(rest, '"')) {
        return deflate_take_quoted(rest, value);
    }
    struct span token = deflate_take_token(rest);
    for (size_t i = 0; i < token.len; i++) {
        deflate_keep_byte(value, token.at[i]);
    }
    return token.len > 0;
}

/* 8 to 15 in decimal without a leading zero, else 0. */
static unsigned deflate_window_bits(const struct deflate_value *value)
{
    unsigned bits = 0;
    if (value->len == 0 || value->len > 2 || value->text[0] == '0') {
        return 0;
    }
    for (size_t i = 0; i < value->len; i++) {
        if (!http1_is_digit(value->text[i])) {
            return 0;
        }
        bits = bits * 10 + (unsigned)(value->text[i] - '0');
    }
    return bits >= 8 && bits <= 15 ? bits : 0;
}

/* Is the parameter one that is defined, comes once, and has a value that we can serve? */
static bool deflate_accept_param(struct deflate_offer *offer, struct span name,
                                 const struct deflate_value *value)
{
    unsigned param = 0;
    while (param < DEFLATE_PARAM_COUNT &&
           !span_equal_ignore_case(name, span_of_text(deflate_param_names[param]))) {
        param++;
    }
    if (param == DEFLATE_PARAM_COUNT || (offer->seen >> param & 1) != 0) {
        return false;
    }
    offer->seen |= 1u << param;
    unsigned bits = deflate_window_bits(value);
    switch ((enum deflate_param)param) {
    case DEFLATE_SERVER_BITS:
        offer->server_bits = bits;
        return bits >= DEFLATE_WINDOW_BITS_MIN;
    case DEFLATE_CLIENT_BITS:
        return !value->is_there || bits != 0;
    default:
        return !value->is_there;
    }
}

/* Reads one extension with its parameters. False when it is not the grammar. */
static bool deflate_take_offer(struct span *rest, struct deflate_offer *offer)
{
    struct span name = deflate_take_token(rest);
    if (name.len == 0) {
        return false;
    }
    offer->is_ours = span_equal_ignore_case(name, SPAN_LITERAL("permessage-deflate"));
    offer->is_usable = offer->is_ours;
    while (deflate_take(rest, ';')) {
        struct deflate_value value = {.is_there = false};
        struct span param = deflate_take_token(rest);
        if (param.len == 0 || (deflate_take(rest, '=') && !deflate_take_value(rest, &value))) {
            return false;
        }
        if (offer->is_ours && !deflate_accept_param(offer, param, &value)) {
            offer->is_usable = false;
        }
    }
    return true;
}

static void deflate_accept(const struct deflate_offer *offer, const struct deflate_config *config,
                           struct deflate_params *out)
{
    unsigned own =
        config->server_window_bits == 0 ? DEFLATE_WINDOW_BITS_MAX : config->server_window_bits;
    bool is_bound = (offer->seen >> DEFLATE_SERVER_BITS & 1) != 0;
    unsigned bits = is_bound && offer->server_bits < own ? offer->server_bits : own;
    *out = (struct deflate_params){.server_window_bits = (uint8_t)bits,
                                   .is_server_window_bound = is_bound};
}

enum deflate_negotiation deflate_negotiate(struct span header, const struct deflate_config *config,
                                           struct deflate_params *out)
{
    enum deflate_negotiation result = DEFLATE_NOT_OFFERED;
    deflate_skip_space(&header);
    while (header.len > 0) {
        if (deflate_take(&header, ',')) {
            continue; /* the list rule lets a recipient meet empty elements */
        }
        struct deflate_offer offer = {.seen = 0};
        if (!deflate_take_offer(&header, &offer)) {
            return DEFLATE_MALFORMED;
        }
        if (offer.is_usable && result != DEFLATE_ACCEPTED) {
            deflate_accept(&offer, config, out);
            result = DEFLATE_ACCEPTED;
        } else if (offer.is_ours && result == DEFLATE_NOT_OFFERED) {
            result = DEFLATE_NOT_USABLE;
        }
        deflate_skip_space(&header);
        if (header.len > 0 && !deflate_at(&header, ',')) {
            return DEFLATE_MALFORMED;
        }
    }
    return result;
}

void deflate_write_answer(struct writer *writer, const struct deflate_params *params)
{
    writer_put_literal(writer, "permessage-deflate; server_no_context_takeover; "
                               "client_no_context_takeover");
    if (params->is_server_window_bound) {
        writer_put_literal(writer, "; server_max_window_bits=");
        writer_put_u64(writer, params->server_window_bits);
    }
}
