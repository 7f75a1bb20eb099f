/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's methods on maps. */
#include "codec/api_json.h"
#include "shards/edge/api/api.h"
#include "shards/edge/api/call.h"
#include "shards/edge/session/permissions.h"
#include "shards/limits.h"

/* The channel as that of a map. NULL: the call's error says why it is none. */
static const struct channel_options *judge_map(struct edge *edge, struct call *call,
                                               struct span channel)
{
    const struct channel_options *options;
    call->error = call_judge_channel(edge->options, call->key, channel, &options);
    if (call->error == API_ERROR_NONE && options->map.mode == MAP_NONE) {
        call->error = API_ERROR_BAD_REQUEST;
    }
    return call->error == API_ERROR_NONE ? options : NULL;
}

/* ---- map_publish, map_remove ---- */

static bool key_mode_of(struct span name, enum key_mode *mode)
{
    *mode = span_is_empty(name)                           ? KEY_REPLACE
            : span_equal(name, SPAN_LITERAL("if_new"))    ? KEY_IF_NEW
            : span_equal(name, SPAN_LITERAL("if_exists")) ? KEY_IF_EXISTS
                                                          : KEY_MODES;
    return *mode != KEY_MODES;
}

static bool is_good(const struct channel_options *options,
                    const struct api_map_publish_request *request)
{
    return !span_is_empty(request->key) && request->key.len <= MAP_KEY_LEN_MAX &&
           request->idempotency_key.len <= IDEMPOTENCY_KEY_LEN_MAX &&
           (span_is_empty(request->data) || permissions_is_data(options, request->data));
}

enum json_result call_map_publish(struct edge *edge, struct call *call, struct span body,
                                  struct scratch *scratch)
{
    struct api_map_publish_request request;
    const bool is_removed = call->method == API_METHOD_MAP_REMOVE;
    const enum json_result result = is_removed
                                        ? api_json_decode_map_remove(body, scratch, &request)
                                        : api_json_decode_map_publish(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    const struct channel_options *options = judge_map(edge, call, request.channel);
    enum key_mode mode;
    if (options == NULL) {
        return JSON_OK;
    }
    if (!is_good(options, &request) || !key_mode_of(request.key_mode, &mode)) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    const uint32_t home = actors_home_of(edge->actors, request.channel);
    const struct publish_request packed = {
        .channel = request.channel,
        .data = request.data,
        .tags = request.tags,
        .idempotency_key = request.idempotency_key,
        .version_epoch = request.version_epoch,
        .key = request.key,
        .version = request.version,
        .score = request.score,
        .time_ms = edge->shard->wall_ms,
        .key_mode = mode,
        .is_binary = request.data_is_binary && json_check(request.data) != JSON_OK,
        .wants_delta = request.delta || options->delta_publish,
        .is_removed = is_removed,
    };
    struct message_publish ask = {.request = publish_request_make(&packed), .origin = ORIGIN_API};
    streams_keep(edge, options, false, &ask);
    call_note_sent(call,
                   ask.request != NULL && !edge_is_congested(edge, home) &&
                       message_send_publish(edge->shard->mailbox, home, call->handle, &ask),
                   ask.request, NULL);
    return JSON_OK;
}

/* ---- map_read_state, map_stats, map_clear ---- */

/* What the home is asked for a request of the method. */
static enum json_result decode_ask(const struct call *call, struct span body,
                                   struct scratch *scratch,
                                   struct api_map_read_state_request *request,
                                   struct message_map_ask *ask)
{
    if (call->method == API_METHOD_MAP_READ_STATE) {
        const enum json_result result = api_json_decode_map_read_state(body, scratch, request);
        ask->flags = span_is_empty(request->key) ? 0 : MAP_ASK_KEY;
        ask->limit = request->limit < 0 ? UINT32_MAX : (uint32_t)request->limit;
        ask->epoch = epoch_parse(request->revision_epoch);
        return result;
    }
    struct api_channel_request channel;
    const enum json_result result = api_json_decode_channel(body, scratch, &channel);
    *request = (struct api_map_read_state_request){.channel = channel.channel};
    ask->flags = call->method == API_METHOD_MAP_CLEAR ? MAP_ASK_CLEAR : 0;
    return result;
}

enum json_result call_map_state(struct edge *edge, struct call *call, struct span body,
                                struct scratch *scratch)
{
    struct api_map_read_state_request request;
    struct message_map_ask ask = {.origin = ORIGIN_API, .bytes_max = UINT32_MAX};
    const enum json_result result = decode_ask(call, body, scratch, &request, &ask);
    if (result != JSON_OK) {
        return result;
    }
    const struct channel_options *options = judge_map(edge, call, request.channel);
    if (options == NULL) {
        return JSON_OK;
    }
    if (request.revision_offset > 0 && span_is_empty(request.revision_epoch)) {
        call->error = API_ERROR_UNRECOVERABLE_POSITION; /* No map has such an epoch. */
        return JSON_OK;
    }
    const struct span cursor = span_is_empty(request.key) ? request.cursor : request.key;
    const uint32_t home = actors_home_of(edge->actors, request.channel);
    call->is_streamless = options->map.mode == MAP_EPHEMERAL;
    ask.meta_ttl_s = streams_meta_ttl_s(edge, options);
    ask.channel = buf_copy(request.channel.at, request.channel.len);
    ask.cursor = span_is_empty(cursor) ? NULL : buf_copy(cursor.at, cursor.len);
    const bool is_made = ask.channel != NULL && (ask.cursor != NULL || span_is_empty(cursor));
    call_note_sent(call,
                   is_made && !edge_is_congested(edge, home) &&
                       message_send_map_ask(edge->shard->mailbox, home, call->handle, &ask),
                   ask.channel, ask.cursor);
    return JSON_OK;
}

void api_on_map_page(struct edge *edge, const struct message *message)
{
    const struct message_map_page body = message_as_map_page(message);
    struct call *call = call_of_handle(edge, message->handle);
    if (call == NULL) {
        stream_page_release(body.page);
        return;
    }
    call->history.page = body.page;
    call->history.newest = body.newest;
    call->keys = body.keys;
    call->is_more = body.is_more != 0;
    call->error = call_error_of(body.error);
    call_answered(edge, call);
}

/* ---- map_read_stream ---- */

enum json_result call_map_stream(struct edge *edge, struct call *call, struct span body,
                                 struct scratch *scratch)
{
    struct api_map_read_stream_request request;
    const enum json_result result = api_json_decode_map_read_stream(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    const struct channel_options *options = judge_map(edge, call, request.channel);
    const bool has_since = request.since_offset > 0 || !span_is_empty(request.since_epoch);
    if (options == NULL) {
        return JSON_OK;
    }
    if (request.reverse && has_since && request.since_offset == 0) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    const uint32_t home = actors_home_of(edge->actors, request.channel);
    const struct message_history_ask ask = {
        .channel = buf_copy(request.channel.at, request.channel.len),
        .since = {request.since_offset, epoch_parse(request.since_epoch)},
        .origin = ORIGIN_API,
        .flags = (has_since ? HISTORY_SINCE : 0u) | (request.reverse ? HISTORY_REVERSE : 0u),
        .limit = request.limit < 0 ? UINT32_MAX : (uint32_t)request.limit,
        .bytes_max = UINT32_MAX,
        .meta_ttl_s = streams_meta_ttl_s(edge, options),
    };
    call->is_streamless = options->map.mode == MAP_EPHEMERAL;
    call_note_sent(call,
                   ask.channel != NULL && !edge_is_congested(edge, home) &&
                       message_send_history_ask(edge->shard->mailbox, home, call->handle, &ask),
                   ask.channel, NULL);
    return JSON_OK;
}

/* ---- responses ---- */

static void encode_publish(struct writer *out, const struct call *call)
{
    static const char *const reasons[] = {
        [SUPPRESS_NONE] = "",
        [SUPPRESS_IDEMPOTENCY] = "idempotency",
        [SUPPRESS_VERSION] = "version",
        [SUPPRESS_KEY_EXISTS] = "key_exists",
        [SUPPRESS_KEY_NOT_FOUND] = "key_not_found",
    };
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    const uint32_t reason = call->published.suppressed;
    const struct api_map_publish_result result = {
        .offset = call->published.offset,
        .epoch = epoch_format(call->published.epoch, room),
        .suppress_reason = span_of_text(
            reason < sizeof(reasons) / sizeof(reasons[0]) ? reasons[reason] : "unknown"),
    };
    api_json_encode_map_publish(out, &result);
}

/* Of a map without a stream no offset is told. */
static void encode_page(struct writer *out, const struct call *call)
{
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    struct client_publication *entries = call->publications.items;
    const size_t len = call->publications.len;
    for (size_t i = 0; i < len; i++) {
        const struct stream_page *page = stream_page_of(call->history.page);
        entries[i].time_ms = publish_request_of(page->entries[i].request).time_ms;
        entries[i].offset = call->is_streamless ? 0 : entries[i].offset;
    }
    const struct api_map_page_result result = {
        .entries = entries,
        .entry_count = len,
        .offset = call->is_streamless ? 0 : call->history.newest.offset,
        .epoch = epoch_format(call->history.newest.epoch, room),
        .cursor = call->is_more && len > 0 ? entries[len - 1].key : SPAN_EMPTY,
    };
    api_json_encode_map_page(out, &result);
}

void call_encode_map(struct writer *out, const struct call *call)
{
    switch (call->method) {
    case API_METHOD_MAP_PUBLISH:
    case API_METHOD_MAP_REMOVE:
        encode_publish(out, call);
        break;
    case API_METHOD_MAP_READ_STATE:
    case API_METHOD_MAP_READ_STREAM:
        encode_page(out, call);
        break;
    case API_METHOD_MAP_STATS:
        api_json_encode_map_stats(out, call->keys);
        break;
    default:
        api_json_encode_empty(out);
        break;
    }
}
