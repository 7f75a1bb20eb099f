/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes bodies of the server API by each decoder, and encodes what came out. */
#include "codec/api_json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

static uint8_t *buf_of(size_t len)
{
    uint8_t *buf = malloc(len > 0 ? len : 1);
    MUST(buf != NULL);
    return buf;
}

static void encode_all(struct writer *out, struct span text, struct span data)
{
    const struct client_info info = {.user = text, .client = text, .conn_info = data};
    const struct api_publish_outcome outcome = {.result = {.offset = 1, .epoch = text}};
    const struct client_publication entry = {.key = text, .data = data, .offset = 1};
    const struct api_map_page_result page = {&entry, 1, 2, text, text};
    const struct api_map_publish_result published = {1, text, text};
    const struct api_node_result node = {.uid = text, .name = text, .version = text};
    writer_put_byte(out, '[');
    api_json_encode_presence_begin(out);
    api_json_encode_presence_item(out, true, &info);
    api_json_encode_presence_item(out, false, &info);
    api_json_encode_presence_end(out);
    writer_put_byte(out, ',');
    api_json_encode_broadcast_begin(out);
    api_json_encode_broadcast_item(out, true, &outcome);
    api_json_encode_broadcast_item(out, false, &outcome);
    api_json_encode_broadcast_end(out);
    writer_put_byte(out, ',');
    api_json_encode_channels_begin(out);
    api_json_encode_channels_item(out, true, text, 1);
    api_json_encode_channels_item(out, false, text, 0);
    api_json_encode_channels_end(out);
    writer_put_byte(out, ',');
    api_json_encode_map_page(out, &page);
    writer_put_byte(out, ',');
    api_json_encode_map_publish(out, &published);
    writer_put_byte(out, ',');
    api_json_encode_info_begin(out);
    api_json_encode_info_item(out, true, &node);
    api_json_encode_info_item(out, false, &node);
    api_json_encode_info_end(out);
    writer_put_byte(out, ']');
}

static void must_encode(struct span text, struct span data)
{
    struct writer measure = writer_for_measuring();
    encode_all(&measure, text, data);
    uint8_t *buf = buf_of(measure.overflow);
    struct writer writer = writer_of(buf, measure.overflow);
    encode_all(&writer, text, data);
    MUST(!writer_is_overflown(&writer) && writer_room(&writer) == 0);
    MUST(json_check(writer_written(&writer)) == JSON_OK);
    free(buf);
}

static void must_walk(struct span strings, struct scratch scratch)
{
    struct json_walk walk;
    struct span text;
    enum json_result result;
    json_strings_begin(&walk, strings);
    while ((result = json_strings_next(&walk, &scratch, &text)) == JSON_OK) {
        must_encode(text, SPAN_EMPTY);
    }
    MUST(result == JSON_DONE);
}

static enum json_result decode_publish(uint8_t which, struct span body, struct scratch *scratch)
{
    struct api_publish_request publish;
    enum json_result result = which == 0 ? api_json_decode_publish(body, scratch, &publish)
                                         : api_json_decode_broadcast(body, scratch, &publish);
    if (result == JSON_OK) {
        uint8_t *buf = buf_of(body.len);
        must_walk(publish.channels, scratch_of(buf, body.len));
        free(buf);
        must_encode(publish.channel, publish.data_is_binary ? publish.tags : publish.data);
    }
    return result;
}

static enum json_result decode_disconnect(struct span body, struct scratch *scratch)
{
    struct api_disconnect_request disconnect;
    enum json_result result = api_json_decode_disconnect(body, scratch, &disconnect);
    if (result == JSON_OK) {
        uint8_t *buf = buf_of(body.len);
        must_walk(disconnect.whitelist, scratch_of(buf, body.len));
        free(buf);
        MUST(disconnect.code != 0 && disconnect.reason.len > 0);
    }
    return result;
}

static enum json_result decode_map(uint8_t which, struct span body, struct scratch *scratch)
{
    struct api_map_publish_request publish;
    struct api_map_read_state_request read_state;
    struct api_map_read_stream_request read_stream;
    enum json_result result;
    switch (which % 4) {
    case 0:
    case 1:
        result = which % 4 == 0 ? api_json_decode_map_publish(body, scratch, &publish)
                                : api_json_decode_map_remove(body, scratch, &publish);
        if (result == JSON_OK) {
            must_encode(publish.key, publish.data_is_binary ? publish.tags : publish.data);
        }
        return result;
    case 2:
        return api_json_decode_map_read_state(body, scratch, &read_state);
    default:
        return api_json_decode_map_read_stream(body, scratch, &read_stream);
    }
}

enum { OF_MAPS = 0x80 };

static enum json_result decode(uint8_t which, struct span body, struct scratch *scratch)
{
    if ((which & OF_MAPS) != 0) {
        return decode_map(which, body, scratch);
    }
    struct api_subscribe_request subscribe;
    struct api_unsubscribe_request unsubscribe;
    struct api_refresh_request refresh;
    struct api_channel_request channel;
    struct api_history_request history;
    struct api_channels_request channels;
    switch (which % 10) {
    case 0:
    case 1:
        return decode_publish(which % 10, body, scratch);
    case 2:
        return api_json_decode_subscribe(body, scratch, &subscribe);
    case 3:
        return api_json_decode_unsubscribe(body, scratch, &unsubscribe);
    case 4:
        return decode_disconnect(body, scratch);
    case 5:
        return api_json_decode_refresh(body, scratch, &refresh);
    case 6:
        return api_json_decode_channel(body, scratch, &channel);
    case 7:
        return api_json_decode_history(body, scratch, &history);
    case 8:
        return api_json_decode_channels(body, scratch, &channels);
    default:
        return api_json_decode_info(body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1) {
        return 0;
    }
    struct span body = span_skip(span_of(bytes, len), 1);
    uint8_t *buf = buf_of(body.len + 8);
    struct scratch scratch = scratch_of(buf, body.len + 8);
    enum json_result result = decode(bytes[0], body, &scratch);
    MUST(result != JSON_ERROR_SPACE && result != JSON_DONE);
    MUST(result != JSON_OK || body.len == 0 || json_check(body) == JSON_OK ||
         json_check(body) == JSON_ERROR_EMPTY);
    struct scratch small = scratch_of(buf, body.len / 8);
    enum json_result again = decode(bytes[0], body, &small);
    MUST(again == result || again == JSON_ERROR_SPACE);
    free(buf);
    return 0;
}
