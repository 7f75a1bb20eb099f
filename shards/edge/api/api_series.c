/* SPDX-License-Identifier: Apache-2.0 */
/* Series of API commands: read, driven, and their answers put together. */
#include "shards/edge/api/api_series.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/array.h"
#include "shards/edge/transport/http.h"

struct item {
    struct api_command command; /* Its params lie in the series' text. */
    uint8_t *answer;            /* NULL: none yet. */
    size_t answer_len;
};

struct series {
    uint32_t handle;
    uint32_t connection;
    uint8_t *text; /* The request's body. */
    struct item *items;
    uint32_t len;
    uint32_t begun;
    uint32_t answered;
    uint16_t key;
    bool has_lines;
    bool is_parallel;
    bool is_driven; /* Further up the stack: an answer that comes at once drives nothing. */
};

struct pool *api_series_pool_create(void)
{
    return pool_create(sizeof(struct series), API_CALLS_A_SHARD_MAX);
}

static void series_free(struct edge *edge, struct series *series)
{
    for (uint32_t i = 0; i < series->len; i++) {
        free(series->items[i].answer);
    }
    free(series->items);
    free(series->text);
    pool_put(edge->series, series->handle);
}

void api_series_destroy(struct edge *edge)
{
    uint32_t cursor = 0;
    uint32_t handle;
    struct series *series;
    while (edge->series != NULL && (series = pool_next(edge->series, &cursor, &handle)) != NULL) {
        series_free(edge, series);
    }
}

/* ---- reading ---- */

static bool add(struct series *series, uint32_t *room, const struct api_command *command)
{
    struct item *items = series->len == API_SERIES_LEN_MAX
                             ? NULL
                             : array_reserve(series->items, series->len, room, 16, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    series->items = items;
    series->items[series->len++] = (struct item){.command = *command};
    return true;
}

/* JSON_ERROR_SPACE: there are too many. */
static enum json_result read_batch(struct series *series, struct span text, struct scratch *scratch)
{
    struct api_batch_request request;
    struct api_command command;
    struct json_reader reader;
    uint32_t room = 0;
    enum json_result result = api_json_decode_batch(text, scratch, &request);
    series->is_parallel = request.parallel;
    if (result != JSON_OK || span_is_empty(request.commands)) {
        return result;
    }
    json_reader_begin(&reader, request.commands);
    result = json_enter_array(&reader);
    while (result == JSON_OK && (result = api_json_next_command(&reader, &command)) == JSON_OK) {
        result = add(series, &room, &command) ? JSON_OK : JSON_ERROR_SPACE;
    }
    return result == JSON_DONE ? JSON_OK : result;
}

static enum json_result read_lines(struct series *series, struct span text, struct scratch *scratch)
{
    uint32_t room = 0;
    enum json_result result = JSON_OK;
    while (!span_is_empty(text) && result == JSON_OK) {
        const struct span line = span_of(text.at, span_index_of(text, '\n'));
        struct api_command command;
        text = span_skip(text, line.len + 1);
        result = api_json_decode_line(line, scratch, &command);
        if (result == JSON_ERROR_EMPTY) {
            result = JSON_OK;
        } else if (result == JSON_OK && !add(series, &room, &command)) {
            result = JSON_ERROR_SPACE;
        }
    }
    return result == JSON_OK && series->len == 0 ? JSON_ERROR_EMPTY : result;
}

/* ---- answers ---- */

/* Where memory was out there is none. */
static struct span answer_of(const struct item *item)
{
    static const char failed[] = "{\"error\":{\"code\":100,\"message\":\"internal server error\"}}";
    return item->answer == NULL ? span_of(failed, sizeof(failed) - 1)
                                : span_of(item->answer, item->answer_len);
}

/* {"replies":[{"publish":{..}},{"error":{..}}]}, {} for none: what a call by itself answers as its
 * result stands under the method's name. */
static void write_batch(struct writer *out, const void *what)
{
    const struct series *series = what;
    const struct span result = SPAN_LITERAL("{\"result\":");
    if (series->len == 0) {
        writer_put_literal(out, "{}");
        return;
    }
    writer_put_literal(out, "{\"replies\":[");
    for (uint32_t i = 0; i < series->len; i++) {
        const struct span answer = answer_of(&series->items[i]);
        if (i > 0) {
            writer_put_byte(out, ',');
        }
        if (span_starts_with(answer, result)) {
            writer_put_literal(out, "{\"");
            writer_put(out, span_of_text(api_method_name(series->items[i].command.method)));
            writer_put_literal(out, "\":");
            writer_put(out, span_skip(answer, result.len));
        } else {
            writer_put(out, answer);
        }
    }
    writer_put_literal(out, "]}");
}

static void write_lines(struct writer *out, const void *what)
{
    const struct series *series = what;
    for (uint32_t i = 0; i < series->len; i++) {
        if (i > 0) {
            writer_put_byte(out, '\n');
        }
        writer_put(out, answer_of(&series->items[i]));
    }
}

static void respond(struct edge *edge, struct series *series)
{
    struct connection *conn = pool_get(edge->connections, series->connection);
    if (conn != NULL && conn->state == CONNECTION_HTTP_CALL && conn->call == series->handle) {
        http_respond_written(edge, conn, "application/json",
                             series->has_lines ? write_lines : write_batch, series);
    }
}

static void keep_answer(struct edge *edge, struct series *series, uint32_t index, struct span body)
{
    struct item *item = &series->items[index];
    item->answer = body.at == NULL ? NULL : malloc(body.len);
    if (item->answer != NULL) {
        memcpy(item->answer, body.at, body.len);
        item->answer_len = body.len;
    } else {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
    }
    series->answered++;
}

/* ---- driving ---- */

static void keep_error(struct edge *edge, struct series *series, uint32_t index,
                       enum api_error error)
{
    uint8_t room[128];
    struct writer out = writer_of(room, sizeof(room));
    const enum api_method method = series->items[index].command.method;
    actors_count(edge->actors, COUNTER_OF(API_ERROR, method, label_of_error(error)));
    api_json_encode_error(&out, error);
    keep_answer(edge, series, index, writer_written(&out));
}

static void begin_one(struct edge *edge, struct series *series)
{
    const uint32_t index = series->begun++;
    const struct api_command *command = &series->items[index].command;
    if (command->method == API_METHOD_COUNT || command->method == API_METHOD_BATCH) {
        actors_count(edge->actors, COUNTER_API_UNKNOWN);
        keep_error(edge, series, index, API_ERROR_NOT_FOUND);
    } else if (!api_call_in_series(edge, command, series->key, series->handle, index)) {
        keep_error(edge, series, index, API_ERROR_INTERNAL);
    }
}

/* Begins what may begin; frees the series when it is over. */
static void drive(struct edge *edge, struct series *series)
{
    series->is_driven = true;
    while (series->begun < series->len &&
           (series->is_parallel || series->answered == series->begun)) {
        begin_one(edge, series);
    }
    series->is_driven = false;
    if (series->answered == series->len) {
        respond(edge, series);
        series_free(edge, series);
    }
}

void api_series_on_answer(struct edge *edge, uint32_t handle, uint32_t index, struct span body)
{
    struct series *series = pool_get(edge->series, handle);
    if (series == NULL) {
        return; /* The shard ends. */
    }
    keep_answer(edge, series, index, body);
    if (!series->is_driven) {
        drive(edge, series);
    }
}

void api_series_begin(struct edge *edge, struct connection *conn, const struct api_request *request)
{
    uint32_t handle;
    struct series *series = pool_take(edge->series, &handle);
    const size_t len = request->body.len;
    uint8_t *text = malloc(2 * len + 64); /* And behind it the scratch. */
    if (series == NULL || text == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        http_respond_error(edge, conn, 503, "too many calls are under way");
        free(text);
        if (series != NULL) {
            pool_put(edge->series, handle);
        }
        return;
    }
    if (len > 0) {
        memcpy(text, request->body.at, len);
    }
    *series = (struct series){.handle = handle, .connection = conn->handle, .text = text};
    series->has_lines = request->method == API_METHOD_COUNT;
    series->key = request->key;
    conn->call = handle;
    struct scratch scratch = scratch_of(text + len, len + 64);
    const enum json_result result = series->has_lines
                                        ? read_lines(series, span_of(text, len), &scratch)
                                        : read_batch(series, span_of(text, len), &scratch);
    if (result != JSON_OK) {
        actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
        http_respond_error(edge, conn, 400,
                           result == JSON_ERROR_SPACE ? "too many commands in one request"
                                                      : json_result_text(result));
        series_free(edge, series);
        return;
    }
    if (!series->has_lines) {
        actors_count(edge->actors, COUNTER_API_BATCH);
    }
    drive(edge, series);
}
