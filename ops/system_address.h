/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as the system's resolver and interfaces tell them. */
#ifndef ROOST_OPS_SYSTEM_ADDRESS_H
#define ROOST_OPS_SYSTEM_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "runtime/poller.h"

/* With this port. False: it is neither IPv4 nor IPv6. All bytes of *out are set, so that they may
 * be compared. */
bool system_address_read(const struct sockaddr *address, uint16_t port, struct socket_address *out);

#endif
