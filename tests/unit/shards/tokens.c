/* SPDX-License-Identifier: Apache-2.0 */
/* The compact form of RFC 7515, by hand. */
#include "tests/unit/shards/tokens.h"

#include <openssl/base64.h>
#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* base64url without padding, behind what is there. */
static void add_base64url(char *token, const void *at, size_t len)
{
    const size_t start = strlen(token);
    assert_true(start + 4 * (len / 3 + 1) + 1 <= TOKEN_SIZE);
    (void)EVP_EncodeBlock((uint8_t *)token + start, at, len);
    for (char *digit = token + start; *digit != '\0'; digit++) {
        *digit = (char)(*digit == '+' ? '-' : *digit == '/' ? '_' : *digit == '=' ? '\0' : *digit);
    }
}

static void add_dot(char *token)
{
    const size_t len = strlen(token);
    assert_true(len + 2 <= TOKEN_SIZE);
    memcpy(token + len, ".", 2);
}

const char *token_of(const char *secret, const char *claims, ...)
{
    static char tokens[8][TOKEN_SIZE];
    static unsigned next;
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    char payload[TOKEN_SIZE];
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned signature_len;
    char *token = tokens[next++ % 8];
    va_list args;
    va_start(args, claims);
    const int len = vsnprintf(payload, sizeof(payload), claims, args);
    va_end(args);
    assert_true(len >= 0 && len < TOKEN_SIZE);
    memset(token, 0, TOKEN_SIZE);
    add_base64url(token, header, sizeof(header) - 1);
    add_dot(token);
    add_base64url(token, payload, (size_t)len);
    assert_non_null(HMAC(EVP_sha256(), secret, strlen(secret), (const uint8_t *)token,
                         strlen(token), signature, &signature_len));
    add_dot(token);
    add_base64url(token, signature, signature_len);
    return token;
}
