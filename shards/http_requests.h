/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests as metrics tell them apart: by the path that serves them, their method, and the
 * status of their answer.
 *
 * A path is what the configuration serves, never what a peer wrote, so that there are few.
 */
#ifndef ROOST_SHARDS_HTTP_REQUESTS_H
#define ROOST_SHARDS_HTTP_REQUESTS_H

#include <stdint.h>

#include "codec/api.h"
#include "codec/http1.h"
#include "shards/transport.h"

struct node_options;
struct writer;

enum http_path {
    HTTP_PATH_OTHER, /* Nothing is served there. */
    HTTP_PATH_WEB,   /* The demo page and what it asks for. */
    HTTP_PATH_EMULATION,
    HTTP_PATH_INIT,
    HTTP_PATH_ECHO,
    HTTP_PATH_HEALTH,
    HTTP_PATH_METRICS,
    HTTP_PATH_TRANSPORT,                              /* The first; enum transport follows. */
    HTTP_PATH_API = HTTP_PATH_TRANSPORT + TRANSPORTS, /* The same of enum api_method; the last is
                                                         that without a method. */
    HTTP_PATHS = HTTP_PATH_API + API_METHOD_COUNT + 1,
};

/* Of `method` and `status` together: what one value of the label stands for. */
enum {
    HTTP_METHODS = HTTP1_OTHER + 1,
    HTTP_STATUSES = 26,
    HTTP_ANSWERS = HTTP_METHODS * HTTP_STATUSES
};

uint32_t http_answer_of(enum http1_method method, unsigned status);

/* As the configuration has it; nothing when it is not served. */
void http_path_write(struct writer *out, const struct node_options *options, enum http_path path);
/* `method="...",status="..."` */
void http_answer_write(struct writer *out, uint32_t answer);

#endif
