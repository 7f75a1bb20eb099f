/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made on the spot: an authority, and nodes' certificates of it. */
#ifndef ROOST_TESTS_UNIT_RUNTIME_CERTIFICATES_H
#define ROOST_TESTS_UNIT_RUNTIME_CERTIFICATES_H

#include <stdint.h>

#include "runtime/tls.h"

struct authority;

/* PEM texts, to be freed by certificates_free. */
struct certificate {
    char *certificate;
    char *key;
};

struct authority *authority_create(const char *name);
void authority_destroy(struct authority *authority);
const char *authority_certificate(const struct authority *authority);

/* Valid from one Unix time to the other. `purpose`: NULL, or an extended key usage. */
struct certificate authority_issue(struct authority *authority, int64_t from_s, int64_t to_s,
                                   const char *purpose);
/* A server's, valid now and in the simulator's time, for these names: "DNS:a,IP:10.0.0.1". */
struct certificate authority_issue_names(struct authority *authority, const char *names);
void certificate_free(struct certificate *certificate);

/* Everything that a node of the authority needs. Fails the program when it cannot be made. */
struct tls_context *certificate_context(const struct certificate *certificate,
                                        const struct authority *authority);

/* A node with a new certificate that is valid now and in the simulator's time. */
struct tls_context *authority_context(struct authority *authority);

#endif
