/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds the reader of key sets with documents, and the keys that it takes with signatures. */
#include "codec/json.h"
#include "codec/jwks.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* A key with an id that is one letter, and a signature that is the document: never a good one. */
static void use_key(const struct jwks *jwks, char kid, struct span document)
{
    enum jwt_algorithm only;
    const struct jwt_key *key = jwks_find(jwks, span_of(&kid, 1), &only);
    if (key == NULL) {
        return;
    }
    MUST(only == JWT_ALGORITHM_NONE || jwt_key_takes(key, only));
    MUST(key->family != JWT_FAMILY_NONE && key->family != JWT_FAMILY_HMAC);
    for (int algorithm = JWT_ALGORITHM_NONE; algorithm <= JWT_EDDSA; algorithm++) {
        MUST(!jwt_key_verify(key, (enum jwt_algorithm)algorithm, SPAN_LITERAL("text"), document));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct jwks jwks;
    const struct span document = span_of(bytes, len);
    const size_t room = JWKS_SCRATCH_LEN(len);
    uint8_t *buf = malloc(room);
    struct scratch scratch = scratch_of(buf, room);
    MUST(buf != NULL);
    const enum jwks_result result = jwks_parse(document, &scratch, &jwks);
    MUST(result != JWKS_ERROR_SPACE);
    if (result == JWKS_OK) {
        MUST(json_check(document) == JSON_OK && jwks.count <= JWKS_KEYS_MAX);
        use_key(&jwks, 'a', document);
        use_key(&jwks, 'b', document);
    } else {
        MUST(jwks.count == 0);
    }
    jwks_clear(&jwks);
    free(buf);
    return 0;
}
