/* SPDX-License-Identifier: Apache-2.0 */
/* The health check: a question to each shard, and what it is when one stays silent. */
#include "shards/edge/health.h"

#include "codec/json_writer.h"
#include "shards/edge/transport/http.h"

static void respond(struct edge *edge, struct connection *conn, const char *reason)
{
    uint8_t room[128];
    struct writer out = writer_of(room, sizeof(room));
    struct json_writer json = json_writer_of(&out);
    json_write_object_begin(&json);
    if (reason != NULL) {
        JSON_WRITE_KEY(&json, "reason");
        json_write_string(&json, span_of_text(reason));
    }
    json_write_object_end(&json);
    http_respond(edge, conn,
                 &(struct http_response){.status = reason == NULL ? 200 : 503,
                                         .content_type = "application/json",
                                         .headers = SPAN_LITERAL("Cache-Control: no-store\r\n"),
                                         .body = writer_written(&out)});
}

/* Whoever is cut off with few others serves channels that have other homes by now. */
static bool sees_minority(const struct edge *edge)
{
    const struct node *node = edge->actors->node;
    const uint64_t alive = node_sum(node, COUNTER_CLUSTER_ALIVE);
    const uint64_t lost =
        node_sum(node, COUNTER_CLUSTER_SUSPECT) + node_sum(node, COUNTER_CLUSTER_UNREACHABLE);
    return edge->options->cluster.enabled && alive < lost;
}

static struct connection *caller_of(struct edge *edge, const struct call *call)
{
    struct connection *conn = pool_get(edge->connections, call->connection);
    const bool waits =
        conn != NULL && conn->state == CONNECTION_HTTP_CALL && conn->call == call->handle;
    return waits ? conn : NULL;
}

static void end(struct edge *edge, struct call *call, const char *reason)
{
    struct connection *conn = caller_of(edge, call);
    call_free(edge, call);
    if (conn != NULL) {
        respond(edge, conn, reason);
    }
}

void health_finish(struct edge *edge, struct call *call)
{
    const char *reason = NULL;
    if (call->error != API_ERROR_NONE) {
        reason = "a shard has no room for messages";
    } else if (edge->shard->now_ns - call->started_ns > (uint64_t)HEALTH_MS_MAX * 1000000) {
        reason = "a shard is slow";
    } else if (sees_minority(edge)) {
        reason = "most nodes of the cluster are out of reach";
    }
    end(edge, call, reason);
}

static void on_timer(struct timer *timer, void *actor)
{
    struct edge *edge = ((struct actors *)actor)->edge;
    end(edge, CONTAINER_OF(timer, struct call, timer), "a shard does not answer");
}

void health_begin(struct edge *edge, struct connection *conn)
{
    struct mailbox *mailbox = edge->shard->mailbox;
    const uint32_t shards = edge->actors->node->shards;
    uint32_t handle;
    struct call *call =
        node_is_stopping(edge->actors->node) ? NULL : pool_take(edge->calls, &handle);
    if (call == NULL) {
        respond(edge, conn, edge->stop_seen ? "the node stops" : "too many calls are under way");
        return;
    }
    call->handle = handle;
    call->connection = conn->handle;
    call->is_health = true;
    call->started_ns = edge->shard->now_ns;
    connection_enter(edge, conn, CONNECTION_HTTP_CALL, 0);
    conn->call = handle;
    for (uint32_t shard = 0; shard < shards; shard++) {
        const struct message_survey ask = {.op = SURVEY_ALIVE};
        if (message_send_survey(mailbox, shard, handle, &ask)) {
            call->pending++;
        } else {
            call->error = API_ERROR_INTERNAL;
        }
    }
    const struct message_nodes_ask ask = {0};
    if (message_send_nodes_ask(mailbox, shards, handle, &ask)) {
        call->pending++;
    } else {
        call->error = API_ERROR_INTERNAL;
    }
    timer_set(edge->shard->timers, &call->timer, edge->shard->now_ms + HEALTH_MS_MAX, on_timer);
    if (call->pending == 0) {
        health_finish(edge, call);
    }
}
