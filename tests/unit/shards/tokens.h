/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens for tests, signed with HS256 by BoringSSL and not by the code under test. */
#ifndef ROOST_TESTS_UNIT_SHARDS_TOKENS_H
#define ROOST_TESTS_UNIT_SHARDS_TOKENS_H

enum { TOKEN_SIZE = 2048 };

/* `claims` is a printf format of the payload. Returns a buffer of the function's own: one of eight,
 * used in turn. */
const char *token_of(const char *secret, const char *claims, ...)
    __attribute__((format(printf, 2, 3)));

#endif
