/* SPDX-License-Identifier: Apache-2.0 */
/* What is passed on to wildcards, as messages of links and back. */
#include "shards/payloads.h"
#include "shards/router/relay/relay_state.h"

bool relay_from_pass_on(const struct message *message, struct link_message *out,
                        struct buf **payload)
{
    const struct message_pass_on body = message_as_pass_on(message);
    const struct stream_page_entry entry = {.request = body.request, .identity = body.identity};
    const struct pass pass = pass_of(body.pass);
    out->kind = LINK_MESSAGE_PASS_ON;
    out->name = pass.wildcard;
    out->epoch = pass.lane;
    out->sequence = pass.number;
    out->offset = pass.before;
    out->flags = body.flags;
    out->history_size = body.history_size;
    out->history_ttl_s = body.history_ttl_s;
    out->meta_ttl_s = body.meta_ttl_s;
    return body.request == NULL || relay_list_make(relay_put_entry, &entry, payload);
}

bool relay_to_pass_on(const struct link_message *request, struct span payload, uint32_t handle,
                      struct message *out)
{
    struct link_entry entry;
    struct stream_page_entry taken = {0};
    const enum link_message_result result = link_next_entry(&payload, &entry);
    const struct pass pass = {.wildcard = request->name,
                              .lane = request->epoch,
                              .number = request->sequence,
                              .before = request->offset};
    if (result != LINK_MESSAGE_DONE &&
        (result != LINK_MESSAGE_OK || !relay_take_entry(&entry, &taken))) {
        return false;
    }
    const struct message_pass_on body = {
        .pass = pass_make(&pass),
        .request = taken.request,
        .identity = taken.identity,
        /* From where it was made it takes one. */
        .flags = (request->flags & PASS_UNSURE) | (request->hops > 1 ? PASS_DETOUR : 0),
        .history_size = request->history_size,
        .history_ttl_s = request->history_ttl_s,
        .meta_ttl_s = request->meta_ttl_s,
    };
    *out = message_make_pass_on(handle, &body);
    if (body.pass == NULL) {
        message_release(out);
    }
    return body.pass != NULL;
}
