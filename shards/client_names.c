/* SPDX-License-Identifier: Apache-2.0 */
/* Names of applications to labels. */
#include "shards/client_names.h"

#include "shards/options.h"

/* What the client libraries of Centrifugo call themselves, unless their application has a name. */
static const char *const known[CLIENT_NAMES_KNOWN] = {
    "js", "dart", "swift", "java", "go", "python", "csharp",
};

struct span client_name_text(const struct node_options *options, uint32_t name)
{
    if (name == CLIENT_NAME_NONE) {
        return SPAN_LITERAL("unnamed");
    }
    if (name == CLIENT_NAME_OTHER) {
        return SPAN_LITERAL("unregistered");
    }
    if (name < CLIENT_NAME_ADDITIONAL) {
        return span_of_text(known[name - CLIENT_NAME_KNOWN]);
    }
    const uint32_t additional = name - CLIENT_NAME_ADDITIONAL;
    return additional < options->additional_client_names_len
               ? span_of_text(options->additional_client_names[additional])
               : SPAN_EMPTY;
}

uint32_t client_label_of(const struct node_options *options, struct span name, struct span version)
{
    uint32_t found = span_is_empty(name) ? CLIENT_NAME_NONE : CLIENT_NAME_OTHER;
    for (uint32_t i = CLIENT_NAME_KNOWN; found == CLIENT_NAME_OTHER && i < CLIENT_NAMES; i++) {
        found = span_equal(client_name_text(options, i), name) ? i : CLIENT_NAME_OTHER;
    }
    return 2 * found + (span_is_empty(version) ? 0 : 1);
}
