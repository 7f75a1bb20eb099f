/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the two families. */
#include "ops/system_address.h"

#include <netinet/in.h>
#include <string.h>

bool system_address_read(const struct sockaddr *address, uint16_t port, struct socket_address *out)
{
    memset(out, 0, sizeof(*out));
    out->port = port;
    if (address->sa_family == AF_INET) {
        out->family = 4;
        memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        out->family = 6;
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    }
    return out->family != 0;
}
