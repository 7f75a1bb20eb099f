/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people write them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "runtime/poller.h"

enum {
    FAMILY_IPV4 = 4,
    FAMILY_IPV6 = 6,
};

bool socket_address_parse(const char *text, uint16_t port, struct socket_address *out)
{
    struct socket_address address = {.port = port};
    if (inet_pton(AF_INET, text, address.bytes) == 1) {
        address.family = FAMILY_IPV4;
    } else if (inet_pton(AF_INET6, text, address.bytes) == 1) {
        address.family = FAMILY_IPV6;
    } else {
        return false;
    }
    *out = address;
    return true;
}

void socket_address_format(const struct socket_address *address, char out[64])
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address->family == FAMILY_IPV4) {
        inet_ntop(AF_INET, address->bytes, host, sizeof(host));
        snprintf(out, SOCKET_ADDRESS_TEXT_SIZE, "%s:%u", host, address->port);
    } else if (address->family == FAMILY_IPV6) {
        inet_ntop(AF_INET6, address->bytes, host, sizeof(host));
        snprintf(out, SOCKET_ADDRESS_TEXT_SIZE, "[%s]:%u", host, address->port);
    } else {
        snprintf(out, SOCKET_ADDRESS_TEXT_SIZE, "none");
    }
}
