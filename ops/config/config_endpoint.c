/* SPDX-License-Identifier: Apache-2.0 */
/* http://host:port/path?query, and nothing else. */
#include "ops/config/config_endpoint.h"

#include <string.h>

enum { HOST_BYTES_MAX = 253 };

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text >= 0x7f) {
            return false;
        }
    }
    return true;
}

static bool read_port(const char *text, size_t len, uint16_t *out)
{
    uint32_t port = 0;

    for (size_t i = 0; i < len && port <= UINT16_MAX; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    *out = (uint16_t)port;
    return len > 0 && port > 0 && port <= UINT16_MAX;
}

static bool is_host(const char *text, size_t len)
{
    static const char letters[] =
        "-._:0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return len > 0 && len <= HOST_BYTES_MAX && strspn(text, letters) >= len;
}

/* "host", "host:port", "[::1]:port"; the port is left alone where there is none. */
static bool read_authority(const char *text, size_t len, const char **host, size_t *host_len,
                           uint16_t *port)
{
    const char *end = memchr(text, text[0] == '[' ? ']' : ':', len);
    const char *rest = end == NULL ? text + len : end;

    *host = text;
    if (text[0] == '[') {
        if (end == NULL) {
            return false;
        }
        (*host)++;
        rest++;
    }
    *host_len = (size_t)((end == NULL ? text + len : end) - *host);
    const size_t rest_len = (size_t)(text + len - rest);

    return is_host(*host, *host_len) &&
           (rest_len == 0 || (rest[0] == ':' && read_port(rest + 1, rest_len - 1, port)));
}

const char *config_endpoint_parse(const char *url, struct config_texts *texts,
                                  struct endpoint_options *out, bool *is_tls)
{
    const bool is_https = strncmp(url, "https://", 8) == 0;
    const char *host;
    size_t host_len;

    if (strncmp(url, "grpc://", 7) == 0) {
        return "found an endpoint of gRPC, expected one of HTTP";
    }
    if ((!is_https && strncmp(url, "http://", 7) != 0) || !is_printable(url)) {
        return "found no URL of HTTP, expected http://host:port/path or https://host:port/path";
    }
    const char *authority = url + (is_https ? 8 : 7);
    const size_t authority_len = strcspn(authority, "/?#");
    const char *target = authority + authority_len;
    uint16_t port = is_https ? 443 : 80;

    if (strchr(target, '#') != NULL) {
        return "found a fragment (#), expected a URL without one";
    }
    if (memchr(authority, '@', authority_len) != NULL) {
        return "found a user in the URL, expected one without: headers tell who asks";
    }
    if (!read_authority(authority, authority_len, &host, &host_len, &port)) {
        return "found no host in the URL, expected http://host:port/path";
    }
    *is_tls = is_https;
    *out = (struct endpoint_options){
        .url = url,
        .host = config_texts_keep(texts, host, host_len),
        .authority = config_texts_keep(texts, authority, authority_len),
        .target = target[0] == '/' ? target : NULL,
    };
    if (out->target == NULL) { /* "?a=b" or nothing. */
        char *made = config_texts_allocate(texts, strlen(target) + 2);

        if (made != NULL) {
            made[0] = '/';
            memcpy(made + 1, target, strlen(target));
        }
        out->target = made;
    }
    if (out->host == NULL || out->authority == NULL || out->target == NULL) {
        return "memory is out";
    }
    out->tls_name = out->host;
    if (!socket_address_parse(out->host, port, &out->address)) {
        out->address = (struct socket_address){.port = port};
    }
    return NULL;
}
