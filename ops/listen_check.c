/* SPDX-License-Identifier: Apache-2.0 */
/* Tries to listen on an address alone, and explains why that fails. */
#include "ops/listen_check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t to_system(const struct socket_address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (address->family == 4) {
        struct sockaddr_in *four = (struct sockaddr_in *)out;

        four->sin_family = AF_INET;
        four->sin_port = htons(address->port);
        memcpy(&four->sin_addr, address->bytes, 4);
        return sizeof(*four);
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

    six->sin6_family = AF_INET6;
    six->sin6_port = htons(address->port);
    memcpy(&six->sin6_addr, address->bytes, 16);
    return sizeof(*six);
}

/* 0, or why it failed. The socket does without SO_REUSEPORT, so that it meets whoever listens there
 * already. */
static int try_listen(const struct socket_address *address)
{
    struct sockaddr_storage system_address;
    socklen_t len = to_system(address, &system_address);
    int fd = socket(system_address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failure = 0;
    int on = 1;

    if (fd < 0) {
        return errno;
    }
    /* Connections of a node that just ended linger; only a listener counts. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->family == 6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, (struct sockaddr *)&system_address, len) != 0 || listen(fd, 1) != 0) {
        failure = errno;
    }
    close(fd);
    return failure;
}

bool listen_check(const struct socket_address *address, const char *flag,
                  char problem[LISTEN_PROBLEM_SIZE])
{
    int failure = try_listen(address);
    char text[64];

    socket_address_format(address, text);
    problem[0] = '\0';
    switch (failure) {
    case 0:
        return true;
    case EADDRINUSE:
        snprintf(problem, LISTEN_PROBLEM_SIZE,
                 "%s is taken by another program; `ss -ltnp sport = :%u` shows it, %s chooses "
                 "another",
                 text, address->port, flag);
        break;
    case EACCES:
        snprintf(problem, LISTEN_PROBLEM_SIZE,
                 "%s needs the right to use ports below 1024 (CAP_NET_BIND_SERVICE); %s chooses "
                 "another",
                 text, flag);
        break;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        snprintf(problem, LISTEN_PROBLEM_SIZE,
                 "%s is no address of this machine; `ip address` lists them", text);
        break;
    default:
        snprintf(problem, LISTEN_PROBLEM_SIZE, "%s cannot be listened on: %s", text,
                 strerror(failure));
        break;
    }
    return false;
}
