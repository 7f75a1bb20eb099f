/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches, keeps and refreshes a key set, and resumes those who waited for it. */
#include "shards/edge/backends/key_source.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/array.h"
#include "shards/edge/backends/backends.h"
#include "shards/edge/session/session.h"

bool key_source_init(struct key_source *source, struct edge *edge, enum key_source_use use,
                     const struct token_options *options)
{
    *source = (struct key_source){.edge = edge, .use = use, .endpoint = options->jwks_endpoint};
    if (options->has_jwks_endpoint) {
        source->jwks = calloc(1, sizeof(*source->jwks));
    }
    return !options->has_jwks_endpoint || source->jwks != NULL;
}

void key_source_destroy(struct key_source *source)
{
    if (source->jwks == NULL) {
        return;
    }
    timer_stop(source->edge->shard->timers, &source->timer);
    jwks_clear(source->jwks);
    free(source->jwks);
    free(source->waiting);
    source->jwks = NULL;
}

/* False: it cannot be asked now. */
static bool fetch(struct key_source *source)
{
    source->request = backends_ask(source->edge->backends, &(struct backend_request){
                                                               .endpoint = source->endpoint,
                                                               .asker = BACKEND_ASKER_KEYS,
                                                               .handle = source->use,
                                                               .timeout_ms = KEY_SET_TIMEOUT_MS,
                                                               .is_get = true,
                                                           });
    return source->request != POOL_HANDLE_NONE;
}

static void on_timer(struct timer *timer, void *context)
{
    struct key_source *source = CONTAINER_OF(timer, struct key_source, timer);
    (void)context;
    if (source->request == POOL_HANDLE_NONE && !fetch(source)) {
        timer_set(source->edge->shard->timers, timer,
                  source->edge->shard->now_ms + KEY_SET_RETRY_MS, on_timer);
    }
}

static bool add_waiting(struct key_source *source, uint32_t handle)
{
    uint32_t *waiting = source->waiting_len == KEY_WAITERS_MAX
                            ? NULL
                            : array_reserve(source->waiting, source->waiting_len,
                                            &source->waiting_room, 16, sizeof(*waiting));
    if (waiting == NULL) {
        return false;
    }
    source->waiting = waiting;
    source->waiting[source->waiting_len++] = handle;
    return true;
}

enum key_step key_source_await(struct key_source *source, struct session *session)
{
    const uint64_t age_ms = source->edge->shard->now_ms - source->ended_ms;
    if (session->awaits_keys) {
        return KEY_WAITS; /* Something else has resumed it. */
    }
    if (source->request == POOL_HANDLE_NONE) {
        if (source->has_failed && age_ms < KEY_SET_RETRY_MS) {
            return KEY_UNAVAILABLE;
        }
        if (source->is_fetched && !source->has_failed && age_ms < KEY_SET_REFETCH_MS) {
            return KEY_UNKNOWN;
        }
        if (!fetch(source)) {
            return KEY_UNAVAILABLE;
        }
    }
    if (!add_waiting(source, session->conn->handle)) {
        return KEY_UNAVAILABLE;
    }
    session->awaits_keys = true;
    return KEY_WAITS;
}

/* False: it is no key set, or memory is out; the one that there was stays. */
static bool take_set(struct key_source *source, struct span document)
{
    const size_t room = JWKS_SCRATCH_LEN(document.len);
    struct jwks *newer = calloc(1, sizeof(*newer));
    uint8_t *bytes = document.len > JWKS_LEN_MAX ? NULL : malloc(room);
    struct scratch scratch = scratch_of(bytes, bytes == NULL ? 0 : room);
    const bool is_good =
        newer != NULL && bytes != NULL && jwks_parse(document, &scratch, newer) == JWKS_OK;
    if (is_good) {
        jwks_clear(source->jwks);
        *source->jwks = *newer;
    }
    free(bytes);
    free(newer);
    return is_good;
}

/* Each of them may end, and bring others to wait for another set. */
static void resume_all(struct key_source *source)
{
    struct edge *edge = source->edge;
    for (uint32_t i = 0; i < source->waiting_len; i++) {
        struct connection *conn = pool_get(edge->connections, source->waiting[i]);
        if (conn != NULL && conn->state == CONNECTION_SESSION) {
            conn->session->awaits_keys = false;
            connection_resume(edge, conn);
        }
    }
    free(source->waiting);
    source->waiting = NULL;
    source->waiting_len = 0;
    source->waiting_room = 0;
}

void key_source_on_answer(struct key_source *source, const struct backend_answer *answer)
{
    struct shard *shard = source->edge->shard;
    const bool is_good = answer->outcome == BACKEND_ANSWERED && answer->status == 200 &&
                         take_set(source, answer->body);
    source->request = POOL_HANDLE_NONE;
    source->ended_ms = shard->now_ms;
    source->has_failed = !is_good;
    source->is_fetched = source->is_fetched || is_good;
    actors_count(source->edge->actors,
                 is_good ? COUNTER_TOKEN_KEY_SETS : COUNTER_TOKEN_KEY_SETS_FAILED);
    LOG(shard->log, is_good ? LOG_INFO : LOG_WARN, "token_keys",
        "url=%s result=%s status=%u keys=%u skipped=%u",
        source->edge->options->endpoints[source->endpoint].url, is_good ? "taken" : "failed",
        answer->status, source->jwks->count, source->jwks->skipped);
    timer_set(shard->timers, &source->timer,
              shard->now_ms + (is_good ? KEY_SET_REFRESH_MS : KEY_SET_REFETCH_MS), on_timer);
    resume_all(source);
}
