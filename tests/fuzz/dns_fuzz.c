/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of DNS servers: what is decoded keeps to its limits, whatever came. */
#include "codec/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct dns_service services[DNS_SERVICES_MAX];
    uint32_t services_len = 0;
    if (dns_services_decode(span_of(bytes, len), services, &services_len) != DNS_OK) {
        return 0;
    }
    if (services_len > DNS_SERVICES_MAX) {
        abort();
    }
    for (uint32_t i = 0; i < services_len; i++) {
        const size_t target_len = strnlen(services[i].target, sizeof(services[i].target));
        if (target_len == 0 || target_len > DNS_NAME_LEN_MAX || services[i].port == 0) {
            abort();
        }
    }
    return 0;
}
