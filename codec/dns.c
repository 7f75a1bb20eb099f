/* SPDX-License-Identifier: Apache-2.0 */
/* Walks through an answer's sections; names may point back into the message, never forward. */
#include "codec/dns.h"

enum {
    HEADER_LEN = 12,
    QUESTION_TAIL_LEN = 4,
    RECORD_HEAD_LEN = 10,
    SERVICE_HEAD_LEN = 6,
    TYPE_SRV = 33,
    CLASS_IN = 1,
    POINTER_BITS = 0xc0,
};

static uint16_t u16_at(struct span message, size_t at)
{
    return (uint16_t)(message.at[at] << 8 | message.at[at + 1]);
}

static bool is_name_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

/* Moves *at behind the name, wherever that may point to. */
static bool skip_name(struct span message, size_t *at)
{
    while (*at < message.len) {
        const uint8_t len = message.at[*at];
        if ((len & POINTER_BITS) == POINTER_BITS) {
            *at += 2;
            return *at <= message.len;
        }
        if ((len & POINTER_BITS) != 0) {
            return false;
        }
        *at += 1u + len;
        if (len == 0) {
            return true;
        }
    }
    return false;
}

/* The name at `at` as text. Each pointer must go further back than the one before, so it ends. */
static bool read_name(struct span message, size_t at, char out[DNS_NAME_LEN_MAX + 1])
{
    size_t len_out = 0;
    size_t limit = at;
    while (at < message.len && message.at[at] != 0) {
        const uint8_t len = message.at[at];
        if ((len & POINTER_BITS) == POINTER_BITS) {
            if (at + 2 > message.len) {
                return false;
            }
            at = (size_t)(u16_at(message, at) & 0x3fff);
            if (at >= limit) {
                return false;
            }
            limit = at;
            continue;
        }
        if ((len & POINTER_BITS) != 0 || at + 1 + len > message.len ||
            len_out + len + 1 > DNS_NAME_LEN_MAX + 1u) {
            return false;
        }
        for (size_t i = 0; i < len; i++) {
            const uint8_t byte = message.at[at + 1 + i];
            if (!is_name_byte(byte)) {
                return false;
            }
            out[len_out++] = (char)byte;
        }
        out[len_out++] = '.';
        at += 1u + len;
    }
    /* The last dot goes; a name of nothing but its end is "". */
    out[len_out == 0 ? 0 : len_out - 1] = '\0';
    return at < message.len;
}

/* The record behind a name: *at is at its type, and behind the record afterwards. */
static bool take_record(struct span message, size_t *at, struct dns_service *out, bool *is_service)
{
    *is_service = false;
    if (message.len - *at < RECORD_HEAD_LEN) {
        return false;
    }
    const uint16_t type = u16_at(message, *at);
    const uint16_t class = u16_at(message, *at + 2);
    const size_t data_len = u16_at(message, *at + 8);
    const size_t data = *at + RECORD_HEAD_LEN;
    if (message.len - data < data_len) {
        return false;
    }
    *at = data + data_len;
    if (type != TYPE_SRV || class != CLASS_IN) {
        return true;
    }
    if (data_len <= SERVICE_HEAD_LEN || !read_name(message, data + SERVICE_HEAD_LEN, out->target)) {
        return false;
    }
    out->port = u16_at(message, data + 4);
    *is_service = out->target[0] != '\0' && out->port != 0;
    return true;
}

enum dns_result dns_services_decode(struct span answer, struct dns_service *out, uint32_t *out_len)
{
    *out_len = 0;
    if (answer.len < HEADER_LEN || (answer.at[2] & 0x80) == 0) {
        return DNS_ERROR_FORMAT;
    }
    if ((answer.at[3] & 0x0f) != 0) {
        return DNS_ERROR_FAILURE;
    }
    size_t at = HEADER_LEN;
    for (uint32_t questions = u16_at(answer, 4); questions > 0; questions--) {
        if (!skip_name(answer, &at) || answer.len - at < QUESTION_TAIL_LEN) {
            return DNS_ERROR_FORMAT;
        }
        at += QUESTION_TAIL_LEN;
    }
    for (uint32_t records = u16_at(answer, 6); records > 0 && *out_len < DNS_SERVICES_MAX;
         records--) {
        bool is_service;
        if (!skip_name(answer, &at) || !take_record(answer, &at, &out[*out_len], &is_service)) {
            return DNS_ERROR_FORMAT;
        }
        *out_len += is_service;
    }
    return DNS_OK;
}
