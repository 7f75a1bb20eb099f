/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of what comes of a connect of unidirectional clients. */
#include "ops/config/config_uni.h"

#include <string.h>

#include "ops/config/config.h"
#include "ops/config/config_scope.h"
#include "ops/config/config_yaml.h"
#include "shards/limits.h"

enum {
    CLOSE_CODE_MIN = 3000,
    CLOSE_CODE_MAX = 4999,
    STATUS_MIN = 200,
    STATUS_MAX = 599,
    RESPONSE_BODY_LEN_MAX = 4096,
};

static bool is_ascii(const char *text)
{
    while (*text > 0) {
        text++;
    }
    return *text == '\0';
}

/* What is wrong with it; NULL: nothing. */
static const char *read_disconnect(const struct config_node *node, void *item)
{
    struct uni_disconnect *out = item;
    const struct config_node *to = config_node_member(node, "to");

    out->error = config_node_number(node, "code");
    if (out->error == 0) {
        return "found no code, expected that of an error";
    }
    out->code = to == NULL ? 0 : config_node_number(to, "code");
    out->reason = to == NULL ? "" : config_node_text(to, "reason");
    if (out->code < CLOSE_CODE_MIN || out->code > CLOSE_CODE_MAX) {
        return "found no to.code, expected one of 3000 to 4999";
    }
    return strlen(out->reason) <= DISCONNECT_REASON_LEN_MAX && is_ascii(out->reason)
               ? NULL
               : "found a long or odd to.reason, expected at most 123 characters of ASCII";
}

static const char *read_response(const struct config_node *node, void *item)
{
    struct connect_response *out = item;
    const struct config_node *to = config_node_member(node, "to");

    out->code = config_node_number(node, "code");
    if (out->code == 0) {
        return "found no code, expected that of an error or of a disconnect";
    }
    out->status = to == NULL ? 0 : config_node_number(to, "status_code");
    out->body = to == NULL ? "" : config_node_text(to, "body");
    if (out->status < STATUS_MIN || out->status > STATUS_MAX) {
        return "found no to.status_code, expected one of 200 to 599";
    }
    return strlen(out->body) <= RESPONSE_BODY_LEN_MAX
               ? NULL
               : "found a long to.body, expected at most 4096 bytes";
}

struct list_of {
    const char *path;
    size_t item_size;
    const char *(*read)(const struct config_node *node, void *item);
};

/* How many there are; *items is theirs. */
static size_t read_list(struct config *config, const struct config_node *node,
                        const struct list_of *what, const void **items,
                        struct config_report *report)
{
    size_t len = 0;

    if (node == NULL || node->members == 0) {
        return 0;
    }
    char *made = config_texts_allocate(&config->texts, node->members * what->item_size);

    if (node->kind != CONFIG_NODE_SEQUENCE || made == NULL) {
        config_report_error(report, &node->origin, "%s: found no list, expected one", what->path);
        return 0;
    }
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        const char *wrong = what->read(each, made + len * what->item_size);

        if (wrong != NULL) {
            config_report_error(report, &each->origin, "%s: %s", what->path, wrong);
        }
        len++;
    }
    *items = made;
    return len;
}

static void derive_responses(struct config *config, enum transport transport,
                             const struct config_node *node, const char *path,
                             struct config_report *report)
{
    const struct list_of what = {path, sizeof(struct connect_response), read_response};
    struct transport_options *options = &config->options.transports[transport];
    const void *items = NULL;

    options->connect_responses_len = read_list(config, node, &what, &items, report);
    options->connect_responses = items;
}

static void derive_inflated_size(struct config *config)
{
    struct transport_options *options = &config->options.transports[TRANSPORT_UNI_WEBSOCKET];
    const uint64_t inflated = 10ull * options->request_size_limit;

    if (options->inflated_size_limit == 0) {
        options->inflated_size_limit = inflated > UINT32_MAX ? UINT32_MAX : (uint32_t)inflated;
        *config_origin_of(config, "uni_websocket.decompressed_message_size_limit") =
            *config_origin_of(config, "uni_websocket.message_size_limit");
    }
}

void config_derive_uni(struct config *config, struct config_report *report)
{
    static const struct list_of disconnects =
        {"client.connect_code_to_unidirectional_disconnect.transforms",
         sizeof(struct uni_disconnect), read_disconnect};
    struct client_options *options = &config->options.client;
    const void *items = NULL;

    if (config->uni_disconnects_enabled) {
        options->uni_disconnects_len =
            read_list(config, config->uni_disconnects, &disconnects, &items, report);
        options->uni_disconnects = items;
    }
    derive_inflated_size(config);
    derive_responses(config, TRANSPORT_UNI_HTTP_STREAM, config->uni_http_stream_responses,
                     "uni_http_stream.connect_code_to_http_response.transforms", report);
    derive_responses(config, TRANSPORT_UNI_SSE, config->uni_sse_responses,
                     "uni_sse.connect_code_to_http_response.transforms", report);
}
