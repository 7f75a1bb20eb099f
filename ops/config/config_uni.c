/* SPDX-License-Identifier: Apache-2.0 */
/* The list of client.connect_code_to_unidirectional_disconnect. */
#include "ops/config/config_uni.h"

#include <string.h>

#include "ops/config/config.h"
#include "ops/config/config_yaml.h"
#include "shards/limits.h"

enum { CLOSE_CODE_MIN = 3000, CLOSE_CODE_MAX = 4999 };

static bool is_ascii(const char *text)
{
    while (*text > 0) {
        text++;
    }
    return *text == '\0';
}

/* What is wrong with it; NULL: nothing. */
static const char *read_one(const struct config_node *node, struct uni_disconnect *out)
{
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

void config_derive_uni(struct config *config, struct config_report *report)
{
    static const char path[] = "client.connect_code_to_unidirectional_disconnect.transforms";
    const struct config_node *node = config->uni_disconnects;
    struct client_options *options = &config->options.client;

    if (node == NULL || node->members == 0 || !config->uni_disconnects_enabled) {
        return;
    }
    struct uni_disconnect *made =
        config_texts_allocate(&config->texts, node->members * sizeof(*made));

    if (node->kind != CONFIG_NODE_SEQUENCE || made == NULL) {
        config_report_error(report, &node->origin, "%s: found no list, expected one", path);
        return;
    }
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        const char *wrong = read_one(each, &made[options->uni_disconnects_len]);

        if (wrong != NULL) {
            config_report_error(report, &each->origin, "%s: %s", path, wrong);
        }
        options->uni_disconnects_len++;
    }
    options->uni_disconnects = made;
}
