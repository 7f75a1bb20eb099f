/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent when: echoes and publications, by a window or by the clock. */
#include "ops/bench/engine.h"

#include <stdlib.h>
#include <string.h>

#include "codec/websocket.h"
#include "ops/bench/payload.h"

enum { PUBLISH_OVERHEAD_MAX = 256 };

/* Publications of a worker without the channels' traffic would be nobody's. */
static bool traffic_publishes(const struct worker *worker)
{
    return worker->index == 0 && !worker->engine->plan.is_echo &&
           !worker->engine->options->no_publish;
}

/* The frame of a bare payload but for its stamp, masked; only the stamp is written again. */
static bool traffic_prepare_echo(struct worker *worker)
{
    const struct protocol *protocol = worker->engine->protocol;
    const uint32_t size = (uint32_t)worker->engine->options->size;
    uint32_t mask;
    worker->echo_frame = malloc(WEBSOCKET_HEADER_LEN_MAX + size);
    if (worker->echo_frame == NULL) {
        return false;
    }
    const unsigned first =
        WEBSOCKET_FIN | (protocol->is_binary ? WEBSOCKET_BINARY : WEBSOCKET_TEXT);
    const size_t header_len =
        websocket_encode_header(worker->echo_frame, first, size, protocol->mask);
    memcpy(worker->echo_frame + header_len, worker->payload, size);
    memcpy(&mask, protocol->mask, sizeof mask);
    websocket_mask(worker->echo_frame + header_len, size, mask);
    worker->echo_frame_len = (uint32_t)header_len + size;
    return true;
}

bool traffic_prepare(struct worker *worker)
{
    const uint32_t size = (uint32_t)worker->engine->options->size;
    const struct payload_stamp stamp = {0};
    worker->dirty = calloc(worker->engine->channels_len, sizeof worker->dirty[0]);
    worker->payload = malloc(size);
    if (worker->dirty == NULL || worker->payload == NULL) {
        return false;
    }
    payload_write(worker->payload, size, &stamp);
    return traffic_prepare_echo(worker);
}

/* What one message takes at most. */
static size_t traffic_frame_len_max(const struct worker *worker)
{
    return WEBSOCKET_HEADER_LEN_MAX + PUBLISH_OVERHEAD_MAX + worker->engine->options->size;
}

/* Writes a message with its frame at `at`, as the protocol wants it; returns how long it is. */
static size_t traffic_put(struct worker *worker, uint8_t *at, const char *channel,
                          const struct payload_stamp *stamp)
{
    const struct engine *engine = worker->engine;
    const struct protocol *protocol = engine->protocol;
    const struct span payload = span_of(worker->payload, engine->options->size);
    /* The message is made behind the largest header, and moved to where its header ends. */
    uint8_t *body = at + WEBSOCKET_HEADER_LEN_MAX;
    struct writer out = writer_of(body, payload.len + PUBLISH_OVERHEAD_MAX);
    payload_stamp_write(worker->payload, stamp);
    if (engine->plan.is_echo && protocol->echo != NULL) {
        protocol->echo(&out, channel, payload);
    } else if (protocol->publish != NULL) {
        protocol->publish(&out, channel, payload);
    } else {
        writer_put(&out, payload);
    }
    const size_t len = writer_written_len(&out);
    const unsigned first =
        WEBSOCKET_FIN | (protocol->is_binary ? WEBSOCKET_BINARY : WEBSOCKET_TEXT);
    const size_t header_len = websocket_encode_header(at, first, len, protocol->mask);
    uint32_t mask;
    memcpy(&mask, protocol->mask, sizeof mask);
    memmove(at + header_len, body, len);
    websocket_mask(at + header_len, len, mask);
    return header_len + len;
}

/* The same where the message is the payload: the frame is there but for its stamp. */
static size_t traffic_put_bare(struct worker *worker, uint8_t *at,
                               const struct payload_stamp *stamp)
{
    const size_t header_len = worker->echo_frame_len - worker->engine->options->size;
    uint32_t mask;
    memcpy(&mask, worker->engine->protocol->mask, sizeof mask);
    memcpy(at, worker->echo_frame, worker->echo_frame_len);
    payload_stamp_write(at + header_len, stamp);
    websocket_mask(at + header_len, PAYLOAD_STAMP_LEN, mask);
    return worker->echo_frame_len;
}

void traffic_echo_send(struct worker *worker, uint32_t index, uint32_t count, uint64_t due_ns)
{
    struct conn *conn = &worker->conns[index];
    const struct protocol *protocol = worker->engine->protocol;
    if (!worker_stage(worker)->has_traffic) {
        return;
    }
    const bool is_bare = protocol->echo == NULL && protocol->publish == NULL;
    char name[CHANNEL_NAME_SIZE] = "";
    if (!is_bare) {
        conn_channel_name(worker, index, name);
    }
    uint8_t *at = worker->out;
    const uint8_t *full = worker->out + ENGINE_OUT_SIZE - traffic_frame_len_max(worker);
    for (uint32_t i = 0; i < count; i++) {
        if (at > full) {
            conn_send(worker, index, worker->out, (size_t)(at - worker->out));
            at = worker->out;
        }
        const struct payload_stamp stamp = {
            .due_ns = due_ns,
            .number = conn->sent++,
            .channel = (uint16_t)conn_number(worker, index),
        };
        at +=
            is_bare ? traffic_put_bare(worker, at, &stamp) : traffic_put(worker, at, name, &stamp);
    }
    counter_add(&worker->counters.sent, count);
    conn_send(worker, index, worker->out, (size_t)(at - worker->out));
}

static void traffic_flush(struct worker *worker)
{
    if (worker->out_len > 0) {
        conn_send(worker, worker->out_conn, worker->out, worker->out_len);
        worker->out_len = 0;
    }
}

/* Publications of one turn to one publisher leave in one send. */
static void traffic_publish(struct worker *worker, uint32_t channel_index, uint64_t due_ns)
{
    struct channel *channel = &worker->engine->channels[channel_index];
    const uint32_t index = worker->conns_len + (worker->publishers_len > 1 ? channel_index : 0);
    if (worker->conns[index].state != CONN_READY) {
        return;
    }
    if (worker->out_conn != index ||
        worker->out_len + traffic_frame_len_max(worker) > ENGINE_OUT_SIZE) {
        traffic_flush(worker);
        worker->out_conn = index;
    }
    const struct payload_stamp stamp = {
        .due_ns = due_ns,
        .number = channel->published,
        .channel = (uint16_t)channel_index,
    };
    char name[CHANNEL_NAME_SIZE];
    channel_name(channel_index, name);
    worker->out_len += (uint32_t)traffic_put(worker, worker->out + worker->out_len, name, &stamp);
    __atomic_store_n(&channel->published, channel->published + 1, __ATOMIC_RELEASE);
    counter_add(&worker->counters.sent, 1);
}

static void traffic_mark(struct worker *worker, uint32_t channel_index)
{
    struct channel *channel = &worker->engine->channels[channel_index];
    if (!channel->is_dirty) {
        channel->is_dirty = true;
        worker->dirty[worker->dirty_len++] = channel_index;
    }
}

void traffic_completed(struct worker *worker, uint32_t channel)
{
    struct engine *engine = worker->engine;
    if (worker->index == 0) {
        traffic_mark(worker, channel);
        return;
    }
    /* A channel may be told several times before worker 0 looks: the list is as long as that. */
    pthread_mutex_lock(&engine->opened_lock);
    engine->opened_channels[engine->opened_len] = channel;
    engine->opened_len++;
    pthread_mutex_unlock(&engine->opened_lock);
    worker_wake(&engine->workers[0]);
}

static void traffic_take_opened(struct worker *worker)
{
    struct engine *engine = worker->engine;
    if (engine->workers_len == 1) {
        return;
    }
    pthread_mutex_lock(&engine->opened_lock);
    for (uint32_t i = 0; i < engine->opened_len; i++) {
        traffic_mark(worker, engine->opened_channels[i]);
    }
    engine->opened_len = 0;
    pthread_mutex_unlock(&engine->opened_lock);
}

/* Fills the windows that opened. */
static void traffic_windows(struct worker *worker)
{
    const struct engine *engine = worker->engine;
    traffic_take_opened(worker);
    const uint64_t now = worker->dirty_len > 0 ? engine_now_ns() : 0;
    for (uint32_t i = 0; i < worker->dirty_len; i++) {
        struct channel *channel = &engine->channels[worker->dirty[i]];
        channel->is_dirty = false;
        const uint32_t completed = __atomic_load_n(&channel->completed, __ATOMIC_ACQUIRE);
        const uint32_t in_flight = channel->published - completed;
        for (uint32_t n = in_flight; n < engine->options->window; n++) {
            traffic_publish(worker, worker->dirty[i], now);
        }
    }
    worker->dirty_len = 0;
    traffic_flush(worker);
}

/* Of messages due by the clock each thread sends its share; publications are all worker 0's. */
static uint64_t traffic_rate(const struct worker *worker)
{
    const struct engine *engine = worker->engine;
    const uint64_t rate = worker_stage(worker)->rate;
    if (!engine->plan.is_echo) {
        return traffic_publishes(worker) ? rate : 0;
    }
    return rate / engine->workers_len + (worker->index < rate % engine->workers_len);
}

static void traffic_echo_next(struct worker *worker, uint64_t due_ns)
{
    for (uint32_t tried = 0; tried < worker->conns_len; tried++) {
        const uint32_t index = worker->echo_at++ % worker->conns_len;
        if (worker->conns[index].state == CONN_READY) {
            traffic_echo_send(worker, index, 1, due_ns);
            return;
        }
    }
}

static void traffic_by_clock(struct worker *worker)
{
    const struct engine *engine = worker->engine;
    const uint64_t start = worker_stage_start_ns(worker);
    const uint64_t rate = traffic_rate(worker);
    const uint64_t now = engine_now_ns();
    const uint64_t due = plan_due_count(rate, now > start ? now - start : 0);
    for (; worker->due_index < due; worker->due_index++) {
        const uint64_t due_ns = start + plan_due_ns(rate, worker->due_index);
        counter_add(&worker->counters.late_ns, now > due_ns ? now - due_ns : 0);
        if (engine->plan.is_echo) {
            traffic_echo_next(worker, due_ns);
        } else {
            traffic_publish(worker, (uint32_t)(worker->due_index % engine->channels_len), due_ns);
        }
    }
    traffic_flush(worker);
}

void traffic_turn(struct worker *worker)
{
    const struct stage *stage = worker_stage(worker);
    if (!stage->has_traffic) {
        return;
    }
    if (stage->rate > 0) {
        traffic_by_clock(worker);
    } else if (traffic_publishes(worker)) {
        traffic_windows(worker);
    }
}

uint64_t traffic_next_ns(const struct worker *worker)
{
    const uint64_t rate = worker_stage(worker)->has_traffic ? traffic_rate(worker) : 0;
    return rate == 0 ? UINT64_MAX
                     : worker_stage_start_ns(worker) + plan_due_ns(rate, worker->due_index);
}

/* Brings a connection's echoes in flight up to the window. */
static void traffic_echo_fill(struct worker *worker, uint32_t index)
{
    const struct conn *conn = &worker->conns[index];
    const uint32_t in_flight = conn->sent - conn->order.next;
    const uint32_t window = (uint32_t)worker->engine->options->window;
    if (conn->state == CONN_READY && in_flight < window) {
        traffic_echo_send(worker, index, window - in_flight, engine_now_ns());
    }
}

void traffic_ready(struct worker *worker, uint32_t index)
{
    const struct stage *stage = worker_stage(worker);
    if (stage->has_traffic && stage->rate == 0 && worker->engine->plan.is_echo) {
        traffic_echo_fill(worker, index);
    }
}

void traffic_begin(struct worker *worker)
{
    const struct engine *engine = worker->engine;
    const struct stage *stage = worker_stage(worker);
    worker->due_index = 0;
    worker->churn_index = 0;
    if (!stage->has_traffic || stage->rate > 0) {
        return;
    }
    for (uint32_t i = 0; engine->plan.is_echo && i < worker->opened; i++) {
        traffic_echo_fill(worker, i);
    }
    for (uint32_t i = 0; traffic_publishes(worker) && i < engine->channels_len; i++) {
        traffic_mark(worker, i);
    }
}

void traffic_count_behind(struct worker *worker)
{
    const struct engine *engine = worker->engine;
    const uint64_t counted_ns = engine_now_ns();
    uint64_t behind = 0;
    for (uint32_t i = 0; i < worker->opened; i++) {
        const struct conn *conn = &worker->conns[i];
        uint32_t sent = conn->sent;
        if ((conn->flags & CONN_SUBSCRIBER) == 0) {
            continue;
        }
        if (!engine->plan.is_echo) {
            const struct channel *channel = &engine->channels[conn_channel(worker, i)];
            sent = __atomic_load_n(&channel->published, __ATOMIC_ACQUIRE);
        }
        behind += sent - conn->order.next;
    }
    __atomic_store_n(&worker->counters.behind, behind, __ATOMIC_RELAXED);
    __atomic_store_n(&worker->counters.counted_ns, counted_ns, __ATOMIC_RELEASE);
}
