/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from the server: frames, events of the protocol, echoes and publications. */
#include "ops/bench/engine.h"

#include <string.h>

#include "codec/websocket.h"
#include "ops/bench/frame.h"
#include "ops/bench/payload.h"

static void receive_verdict(struct worker *worker, enum order_verdict verdict, uint32_t missing)
{
    struct counters *counters = &worker->counters;
    switch (verdict) {
    case ORDER_GOOD:
        break;
    case ORDER_GAP:
        counter_add(&counters->missing, missing);
        break;
    case ORDER_LATE:
        counter_subtract(&counters->missing, 1);
        counter_add(&counters->misordered, 1);
        break;
    case ORDER_REPEATED:
        counter_add(&counters->repeated, 1);
        break;
    }
}

static void receive_latency(struct worker *worker, uint64_t due_ns)
{
    if (worker_stage(worker)->is_measured) {
        const uint64_t now = worker->now_ns;
        hist_record(worker->latency[worker->stage], now > due_ns ? now - due_ns : 0);
    }
}

static void receive_echo(struct worker *worker, uint32_t index, struct span payload)
{
    struct conn *conn = &worker->conns[index];
    struct payload_stamp stamp;
    uint32_t missing = 0;
    if (payload.len != worker->engine->options->size || !payload_read(payload, &stamp) ||
        stamp.channel != (uint16_t)conn_number(worker, index)) {
        counter_add(&worker->counters.damaged, 1);
        worker_fail(worker, "an echo is not what was sent", payload);
        return;
    }
    receive_verdict(worker, order_take(&conn->order, stamp.number, &missing), missing);
    receive_latency(worker, stamp.due_ns);
    counter_add(&worker->counters.received, 1);
    worker->echo_credit++;
}

/* One more receiver has it; the last one opens the window. */
static void receive_count(struct worker *worker, uint32_t number, uint32_t channel_index)
{
    const struct engine *engine = worker->engine;
    struct channel *channel = &engine->channels[channel_index];
    uint32_t *done = &channel->done[number & engine->ring_mask];
    if (__atomic_add_fetch(done, 1, __ATOMIC_ACQ_REL) == channel->receivers) {
        __atomic_store_n(done, 0, __ATOMIC_RELAXED);
        __atomic_add_fetch(&channel->completed, 1, __ATOMIC_RELEASE);
        traffic_completed(worker, channel_index);
    }
}

static void receive_publication(struct worker *worker, uint32_t index, struct span payload)
{
    struct conn *conn = &worker->conns[index];
    struct payload_stamp stamp;
    uint32_t missing = 0;
    if ((conn->flags & CONN_PUBLISHER) != 0) {
        return;
    }
    const uint32_t channel = conn_channel(worker, index);
    if (payload.len != worker->engine->options->size || !payload_read(payload, &stamp) ||
        stamp.channel != (uint16_t)channel) {
        counter_add(&worker->counters.damaged, 1);
        worker_fail(worker, "a publication is not what was sent", payload);
        return;
    }
    counter_add(&worker->counters.received, 1);
    if ((conn->flags & CONN_SYNCED) == 0) {
        conn->order = order_from(stamp.number);
        conn->flags |= CONN_SYNCED;
    }
    const enum order_verdict verdict = order_take(&conn->order, stamp.number, &missing);
    receive_verdict(worker, verdict, missing);
    if ((conn->flags & CONN_SUBSCRIBER) != 0 || worker->engine->options->no_publish) {
        receive_latency(worker, stamp.due_ns);
    }
    if (worker->engine->has_windows && (conn->flags & CONN_SUBSCRIBER) != 0 &&
        verdict != ORDER_REPEATED) {
        receive_count(worker, stamp.number, channel);
    }
}

static void receive_payload(struct worker *worker, uint32_t index, struct span payload)
{
    if (worker->engine->plan.is_echo) {
        receive_echo(worker, index, payload);
    } else {
        receive_publication(worker, index, payload);
    }
}

static bool receive_message(struct worker *worker, uint32_t index, struct span message)
{
    const struct protocol *protocol = worker->engine->protocol;
    struct conn *conn = &worker->conns[index];
    if (protocol->next == NULL) {
        receive_payload(worker, index, message);
        return true;
    }
    struct span out;
    enum protocol_event event;
    while (conn->state != CONN_CLOSED && (event = protocol->next(&message, &out)) != PROTOCOL_END) {
        if (event == PROTOCOL_PUBLICATION) {
            receive_payload(worker, index, out);
        } else if (event == PROTOCOL_PING) {
            counter_add(&worker->counters.pings, 1);
            conn_send_message(worker, index, protocol->pong);
        } else if (event == PROTOCOL_JOINED && conn->state == CONN_JOINING) {
            conn_ready(worker, index);
        } else if (event == PROTOCOL_ERROR) {
            worker_fail(worker, "the server refused", out);
            return false;
        }
    }
    return true;
}

static void receive_ping(struct worker *worker, uint32_t index, struct span payload)
{
    uint8_t pong[WEBSOCKET_CONTROL_FRAME_LEN_MAX];
    const size_t len = websocket_encode_control(pong, WEBSOCKET_OPCODE_PONG, payload,
                                                worker->engine->protocol->mask);
    counter_add(&worker->counters.pings, 1);
    conn_send(worker, index, pong, len);
}

static bool receive_frame(struct worker *worker, uint32_t index, const struct frame *frame)
{
    switch (frame->opcode) {
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        return receive_message(worker, index, frame->payload);
    case WEBSOCKET_OPCODE_PING:
        receive_ping(worker, index, frame->payload);
        return true;
    case WEBSOCKET_OPCODE_PONG:
        return true;
    case WEBSOCKET_OPCODE_CLOSE:
        worker_fail(worker, "the server sent a close frame:", span_skip(frame->payload, 2));
        return false;
    default:
        worker_fail(worker, "a frame of an unknown kind", SPAN_EMPTY);
        return false;
    }
}

bool receive_bytes(struct worker *worker, uint32_t index, const uint8_t **at, const uint8_t *end)
{
    struct frame frame;
    while (worker->conns[index].state != CONN_CLOSED) {
        const enum frame_result result =
            frame_take(at, end, ENGINE_IN_SIZE - WEBSOCKET_HEADER_LEN_MAX, &frame);
        if (result == FRAME_MORE) {
            return true;
        }
        if (result == FRAME_BAD || !receive_frame(worker, index, &frame)) {
            return false;
        }
    }
    return true;
}
