/* SPDX-License-Identifier: Apache-2.0 */
/* What a DNS server answered to a question for SRV records (RFC 1035, section 4; RFC 2782). */
#ifndef ROOST_CODEC_DNS_H
#define ROOST_CODEC_DNS_H

#include "codec/must_check.h"
#include "codec/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DNS_NAME_LEN_MAX = 253, /* As text, without the last dot. */
    DNS_SERVICES_MAX = 64,  /* Of one answer; further ones are not looked at. */
};

struct dns_service {
    char target[DNS_NAME_LEN_MAX + 1]; /* Letters, digits, "-", "_" and dots. */
    uint16_t port;
};

enum dns_result {
    DNS_OK,
    DNS_ERROR_FORMAT,  /* Not an answer, or cut. */
    DNS_ERROR_FAILURE, /* The server answered that it cannot, or that there is no such name. */
};

/* Records of other types are skipped, and so are services that a target "." says are not there.
 * `out` has room for DNS_SERVICES_MAX. Pure. */
CODEC_MUST_CHECK enum dns_result dns_services_decode(struct span answer, struct dns_service *out,
                                                     uint32_t *out_len);

#endif
