/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the key of a request with those of the options, and looks up what one may do. */
#include "shards/edge/api/api_keys.h"

#include <openssl/mem.h>

enum { API_KEY_LEN_MAX = 512 };

static bool is_key(const char *text, struct span given)
{
    const struct span key = span_of_text(text);
    return !span_is_empty(key) && key.len == given.len &&
           CRYPTO_memcmp(key.at, given.at, key.len) == 0;
}

/* All are compared, so that the time tells nothing of which. */
static bool find(const struct http_api_options *options, struct span given, uint16_t *key)
{
    bool is_found = is_key(options->key, given);
    *key = API_KEY_ALL;
    for (size_t i = 0; i < options->keys_len; i++) {
        if (is_key(options->keys[i].key, given) && !is_found) {
            is_found = true;
            *key = (uint16_t)i;
        }
    }
    return is_found;
}

bool api_keys_find(const struct http_api_options *options, const struct http1_request *request,
                   uint16_t *key)
{
    *key = API_KEY_ALL;
    if (options->insecure) {
        return true;
    }
    struct span value;
    if (http1_find_header(request, "X-API-Key", &value)) {
        return find(options, value, key);
    }
    const struct span scheme = SPAN_LITERAL("apikey ");
    if (http1_find_header(request, "Authorization", &value) && value.len > scheme.len &&
        span_equal_ignore_case(span_of(value.at, scheme.len), scheme)) {
        return find(options, span_skip(value, scheme.len), key);
    }
    uint8_t room[API_KEY_LEN_MAX];
    struct writer given = writer_of(room, sizeof(room));
    return http1_find_query(request->query, SPAN_LITERAL("api_key"), &given) == HTTP1_QUERY_FOUND &&
           find(options, writer_written(&given), key);
}

bool api_keys_is_of_channels(enum api_method method)
{
    switch (method) {
    case API_METHOD_PUBLISH:
    case API_METHOD_BROADCAST:
    case API_METHOD_PRESENCE:
    case API_METHOD_PRESENCE_STATS:
    case API_METHOD_HISTORY:
    case API_METHOD_HISTORY_REMOVE:
    case API_METHOD_MAP_PUBLISH:
    case API_METHOD_MAP_REMOVE:
    case API_METHOD_MAP_READ_STATE:
    case API_METHOD_MAP_READ_STREAM:
    case API_METHOD_MAP_STATS:
    case API_METHOD_MAP_CLEAR:
    case API_METHOD_SHARED_POLL_PUBLISH:
        return true;
    default:
        return false;
    }
}

bool api_keys_allow_method(const struct http_api_options *options, uint16_t key,
                           enum api_method method)
{
    if (key == API_KEY_ALL) {
        return true;
    }
    const struct api_key_options *own = &options->keys[key];
    return (own->methods == 0 || (own->methods >> method & 1u) != 0) &&
           (own->namespaces_len == 0 || api_keys_is_of_channels(method));
}

bool api_keys_allow_channel(const struct http_api_options *options, uint16_t key,
                            const struct channel_options *channel_options)
{
    if (key == API_KEY_ALL || options->keys[key].namespaces_len == 0) {
        return true;
    }
    const struct api_key_options *own = &options->keys[key];
    for (size_t i = 0; i < own->namespaces_len; i++) {
        if (span_equal(span_of_text(own->namespaces[i]), span_of_text(channel_options->name))) {
            return true;
        }
    }
    return false;
}
