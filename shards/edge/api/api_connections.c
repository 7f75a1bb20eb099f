/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's `connections`: what it asks all shards, and the page that their answers make. */
#include <stdlib.h>

#include "codec/hex.h"
#include "codec/json_writer.h"
#include "runtime/array.h"
#include "shards/edge/api/connections.h"
#include "shards/edge/api/connections_place.h"

enum { CURSOR_LEN = 2 * CONNECTIONS_PLACE_LEN, ROWS_ROOM_MIN = 256 };

/* ---- the request ---- */

/* An empty one is before the first page. */
static bool read_cursor(struct span text, struct connections_place *place)
{
    uint8_t bytes[CONNECTIONS_PLACE_LEN];
    *place = (struct connections_place){0};
    if (text.len != CURSOR_LEN) {
        return span_is_empty(text);
    }
    struct span rest = span_of(bytes, sizeof(bytes));
    return hex_read(text.at, bytes, sizeof(bytes)) && connections_place_take(&rest, place);
}

static void write_cursor(struct json_writer *json, const struct connections_place *place)
{
    uint8_t bytes[CONNECTIONS_PLACE_LEN];
    char text[CURSOR_LEN];
    struct writer out = writer_of(bytes, sizeof(bytes));
    connections_place_put(&out, place);
    hex_write(bytes, sizeof(bytes), text);
    JSON_WRITE_KEY(json, "cursor");
    json_write_string(json, span_of(text, sizeof(text)));
}

bool connections_request_read(struct span bytes, struct connections_request *out)
{
    if (!connections_place_take(&bytes, &out->behind) || bytes.len < 4) {
        return false;
    }
    out->limit = (uint32_t)bytes.at[0] << 8 | bytes.at[1];
    const size_t user_len = (size_t)bytes.at[2] << 8 | bytes.at[3];
    bytes = span_skip(bytes, 4);
    if (out->limit == 0 || out->limit > CONNECTIONS_LIMIT_MAX || user_len > bytes.len) {
        return false;
    }
    out->user = span_of(bytes.at, user_len);
    out->channel = span_skip(bytes, user_len);
    return true;
}

static enum api_error judge(const struct api_connections_request *asked,
                            struct connections_request *request)
{
    if (!span_is_empty(asked->expression) || !span_is_empty(asked->label_filter)) {
        return API_ERROR_NOT_AVAILABLE;
    }
    *request = (struct connections_request){
        .limit = asked->limit == 0 ? CONNECTIONS_LIMIT : asked->limit,
        .user = asked->user,
        .channel = asked->channel,
    };
    return request->limit <= CONNECTIONS_LIMIT_MAX && asked->user.len <= USER_ID_LEN_MAX &&
                   read_cursor(asked->cursor, &request->behind)
               ? API_ERROR_NONE
               : API_ERROR_BAD_REQUEST;
}

enum json_result call_connections(struct edge *edge, struct call *call, struct span body,
                                  struct scratch *scratch)
{
    struct api_connections_request asked;
    const enum json_result result = api_json_decode_connections(body, scratch, &asked);
    if (result != JSON_OK) {
        return result;
    }
    struct connections_request request;
    uint8_t room[SURVEY_QUESTION_LEN_MAX];
    struct writer out = writer_of(room, sizeof(room));
    call->error = judge(&asked, &request);
    if (call->error == API_ERROR_NONE) {
        connections_request_put(&out, &request);
    }
    if (writer_is_overflown(&out)) {
        call->error = API_ERROR_BAD_REQUEST;
    }
    if (call->error == API_ERROR_NONE) {
        call->limit = request.limit;
        call_survey(edge, call, SURVEY_CONNECTIONS, writer_written(&out));
    }
    return JSON_OK;
}

/* ---- the response ---- */

struct row {
    struct connections_place place;
    struct span text;
};

struct rows {
    struct row *items;
    uint32_t len;
    uint32_t room;
    uint32_t limit;
    bool has_bound; /* Beyond it some rows are not known. */
    struct connections_place bound;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    return connections_place_compare(&left->place, &right->place);
}

static bool add_row(struct rows *rows, const struct row *row)
{
    struct row *items =
        array_reserve(rows->items, rows->len, &rows->room, ROWS_ROOM_MIN, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    rows->items = items;
    rows->items[rows->len++] = *row;
    return true;
}

/* False: memory is out. */
static bool collect(const struct call *call, struct rows *rows)
{
    for (uint32_t shard = 0; shard < call->outcomes_len; shard++) {
        uint32_t cursor = 0;
        uint32_t is_cut;
        struct row row;
        while (survey_channels_next(call->surveys[shard], &cursor, &row.text, &is_cut)) {
            if (!connections_place_take(&row.text, &row.place)) {
                continue;
            }
            if (!add_row(rows, &row)) {
                return false;
            }
            if (is_cut != 0 &&
                (!rows->has_bound || connections_place_compare(&row.place, &rows->bound) < 0)) {
                rows->has_bound = true;
                rows->bound = row.place;
            }
        }
    }
    return true;
}

static void encode_page(struct writer *out, const void *what)
{
    const struct rows *rows = what;
    uint32_t i = 0;
    writer_put_literal(out, "{\"result\":{\"connections\":{");
    for (; i < rows->len && i < rows->limit; i++) {
        if (rows->has_bound && connections_place_compare(&rows->items[i].place, &rows->bound) > 0) {
            break;
        }
        if (i > 0) {
            writer_put_byte(out, ',');
        }
        writer_put(out, rows->items[i].text);
    }
    writer_put_byte(out, '}');
    if (i > 0 && (i < rows->len || rows->has_bound)) {
        struct json_writer json = {.out = out, .comma = true};
        write_cursor(&json, &rows->items[i - 1].place);
    }
    writer_put_literal(out, "}}");
}

struct span connections_write(struct edge *edge, const struct call *call, uint8_t **larger)
{
    struct rows rows = {.limit = call->limit};
    struct span body = SPAN_EMPTY;
    *larger = NULL;
    if (collect(call, &rows)) {
        if (rows.len > 0) {
            qsort(rows.items, rows.len, sizeof(*rows.items), compare_rows);
        }
        body = edge_encode(edge, encode_page, &rows, larger);
    }
    free(rows.items);
    return body;
}
