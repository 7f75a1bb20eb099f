/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, methods and statuses of HTTP requests as labels. */
#include "shards/http_requests.h"

#include "codec/writer.h"
#include "shards/options.h"

/* Those that are answered. Transforms of the configuration may ask for any other. */
static const uint16_t statuses[HTTP_STATUSES - 1] = {
    101, 200, 204, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410,
    413, 414, 416, 417, 426, 429, 431, 500, 501, 502, 503, 505,
};

uint32_t http_answer_of(enum http1_method method, unsigned status)
{
    uint32_t i = 0;
    while (i < HTTP_STATUSES - 1 && statuses[i] != status) {
        i++;
    }
    return (uint32_t)method * HTTP_STATUSES + i;
}

void http_path_write(struct writer *out, const struct node_options *options, enum http_path path)
{
    const char *text = "";
    if (path >= HTTP_PATH_API) {
        const enum api_method method = (enum api_method)((uint32_t)path - HTTP_PATH_API);
        writer_put(out, span_of_text(options->http_api.handler_prefix));
        if (method != API_METHOD_COUNT) {
            writer_put_byte(out, '/');
            writer_put(out, span_of_text(api_method_name(method)));
        }
        return;
    }
    switch (path) {
    case HTTP_PATH_WEB:
        text = "/";
        break;
    case HTTP_PATH_EMULATION:
        text = options->emulation.handler_prefix;
        break;
    case HTTP_PATH_INIT:
        text = options->init_handler_prefix;
        break;
    case HTTP_PATH_ECHO:
        text = options->echo.path;
        break;
    case HTTP_PATH_HEALTH:
        text = options->health_handler_prefix;
        break;
    case HTTP_PATH_METRICS:
        text = options->prometheus_handler_prefix;
        break;
    case HTTP_PATH_TRANSPORT:
        text = options->websocket.handler_prefix;
        break;
    case HTTP_PATH_OTHER:
        text = "other";
        break;
    default:
        text = options->transports[(uint32_t)path - HTTP_PATH_TRANSPORT].handler_prefix;
        break;
    }
    writer_put(out, span_of_text(text));
}

void http_answer_write(struct writer *out, uint32_t answer)
{
    static const char *const methods[HTTP_METHODS] = {
        [HTTP1_GET] = "GET",         [HTTP1_HEAD] = "HEAD",   [HTTP1_POST] = "POST",
        [HTTP1_OPTIONS] = "OPTIONS", [HTTP1_OTHER] = "other",
    };
    const uint32_t status = answer % HTTP_STATUSES;
    writer_put_literal(out, "method=\"");
    writer_put(out, span_of_text(methods[answer / HTTP_STATUSES]));
    writer_put_literal(out, "\",status=\"");
    if (status == HTTP_STATUSES - 1) {
        writer_put_literal(out, "other");
    } else {
        writer_put_u64(out, statuses[status]);
    }
    writer_put_byte(out, '"');
}
