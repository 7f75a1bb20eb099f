/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what an HTTP status of a backend means out of the tree of a configuration. */
#include "ops/config/config_transform.h"

#include <string.h>

const char *config_transform_read(const struct config_node *node, struct proxy_transform *out)
{
    const struct config_node *error = config_node_member(node, "to_error");
    const struct config_node *disconnect = config_node_member(node, "to_disconnect");
    const bool is_error = error != NULL && config_node_number(error, "code") != 0;

    *out = (struct proxy_transform){.status = config_node_number(node, "status_code")};
    if (out->status < 100 || out->status > 599) {
        return "found no status_code, expected one of 100 to 599";
    }
    if (is_error) {
        out->code = config_node_number(error, "code");
        out->text = config_node_text(error, "message");
        out->is_temporary = strcmp(config_node_text(error, "temporary"), "true") == 0;
        return out->code >= 400 && out->code <= 1999
                   ? NULL
                   : "found another code of an error, expected 400 to 1999";
    }
    if (disconnect == NULL || config_node_number(disconnect, "code") == 0) {
        return "found no code, expected to_error.code or to_disconnect.code";
    }
    out->is_disconnect = true;
    out->code = config_node_number(disconnect, "code");
    out->text = config_node_text(disconnect, "reason");
    return out->code >= 4000 && out->code <= 4999
               ? NULL
               : "found another code of a disconnect, expected 4000 to 4999";
}
