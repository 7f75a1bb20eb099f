/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and histograms that are told apart by labels: one for each combination of the labels'
 * values, which are enumerations, so that counting costs an add at a known place.
 *
 * They stand behind the rows of counters.h and are shown under /metrics once they are not zero.
 */
#ifndef ROOST_SHARDS_FAMILIES_H
#define ROOST_SHARDS_FAMILIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/api.h"
#include "codec/client.h"
#include "shards/actions.h"
#include "shards/client_names.h"
#include "shards/frame_types.h"
#include "shards/http_requests.h"
#include "shards/proxy_uses.h"
#include "shards/transport.h"

/* Codes from 100 on, and one place for all others. */
enum { ERROR_CODE_FIRST = 100, ERROR_CODE_LAST = 113 };
/* Close codes that servers send; one place for those of applications. */
enum { CLOSE_CODES = 31 };

/* Why keys of a shared poll are asked for, and what became of them. */
enum poll_trigger { POLL_BY_TIMER, POLL_BY_NOTIFICATION, POLL_TRIGGERS };
enum poll_result { POLL_POLLED, POLL_CHANGED, POLL_UNCHANGED, POLL_REMOVED, POLL_RESULTS };

/* How many values a label has. Methods have one more: it is not known any more, or there is none.
 */
enum {
    LABEL_NONE_LEN = 1,
    LABEL_TRANSPORT_LEN = TRANSPORTS,
    LABEL_FRAME_LEN = FRAME_TYPES,
    LABEL_METHOD_LEN = CLIENT_METHOD_COUNT + 1,
    LABEL_ERROR_LEN = ERROR_CODE_LAST - ERROR_CODE_FIRST + 2,
    LABEL_API_ERROR_LEN = LABEL_ERROR_LEN,
    LABEL_CLOSE_LEN = CLOSE_CODES,
    LABEL_API_METHOD_LEN = API_METHOD_COUNT + 1,
    LABEL_ACTION_LEN = ACTIONS,
    LABEL_PROXY_USE_LEN = PROXY_USES_MAX,
    LABEL_POLL_PROXY_LEN = PROXY_USES_MAX,
    LABEL_TRIGGER_LEN = POLL_TRIGGERS,
    LABEL_POLLED_LEN = POLL_RESULTS,
    LABEL_CLIENT_LEN = CLIENT_LABELS,
    LABEL_CLIENT_NAME_LEN = CLIENT_NAMES,
    LABEL_HTTP_PATH_LEN = HTTP_PATHS,
    LABEL_HTTP_ANSWER_LEN = HTTP_ANSWERS,
    LABEL_YES_RECOVERED_LEN = 2,
    LABEL_YES_PUBLICATIONS_LEN = 2,
};

#define WITH_NAMESPACE "channel_namespace=\"\""

/* X(id, name, label, label, labels that are always the same, kind, help) */
#define FAMILY_TABLE(X) \
    X(ACCEPTED, "client_connections_accepted", TRANSPORT, CLIENT, WITH_ACCEPT, COUNTER, \
      "Sessions that were accepted.") \
    X(INFLIGHT, "client_connections_inflight", TRANSPORT, CLIENT, WITH_ACCEPT, GAUGE, \
      "Sessions that are connected.") \
    X(SUBSCRIBED, "client_subscriptions_accepted", CLIENT_NAME, NONE, WITH_NAMESPACE, COUNTER, \
      "Subscriptions that were made.") \
    X(SUBSCRIPTIONS, "client_subscriptions_inflight", CLIENT_NAME, NONE, WITH_NAMESPACE, GAUGE, \
      "Subscriptions of sessions.") \
    X(HTTP_REQUEST, "node_incoming_http_requests_total", HTTP_PATH, HTTP_ANSWER, "", COUNTER, \
      "HTTP requests that were answered.") \
    X(TRANSPORT_SENT, "transport_messages_sent", TRANSPORT, FRAME, WITH_NAMESPACE, COUNTER, \
      "Messages put on transports.") \
    X(TRANSPORT_SENT_SIZE, "transport_messages_sent_size", TRANSPORT, FRAME, WITH_NAMESPACE, \
      COUNTER, "Bytes of these messages, before compression and framing.") \
    X(TRANSPORT_RECEIVED, "transport_messages_received", TRANSPORT, FRAME, WITH_NAMESPACE, \
      COUNTER, "Messages read from transports.") \
    X(TRANSPORT_RECEIVED_SIZE, "transport_messages_received_size", TRANSPORT, FRAME, \
      WITH_NAMESPACE, COUNTER, "Bytes of these messages, without compression and framing.") \
    X(TRANSPORT_CLOSE, "transport_outgoing_close_count", TRANSPORT, CLOSE, "", COUNTER, \
      "Close frames that the server sent first.") \
    X(REPLY_ERROR, "client_num_reply_errors", METHOD, ERROR, WITH_NAMESPACE, COUNTER, \
      "Errors answered to commands.") \
    X(RECOVERS, "client_recover", YES_RECOVERED, YES_PUBLICATIONS, WITH_NAMESPACE, COUNTER, \
      "Subscriptions that asked to recover.") \
    X(ACTION, "node_action_count", ACTION, NONE, WITH_NAMESPACE, COUNTER, \
      "What the node was asked to do, by clients and by itself.") \
    X(API_ERROR, "api_command_errors_total", API_METHOD, API_ERROR, "protocol=\"http\"", COUNTER, \
      "Errors answered to the server API.") \
    X(POLL_ERROR, "shared_poll_handler_error_count", TRIGGER, NONE, WITH_NAMESPACE, COUNTER, \
      "Polls of keys that failed.") \
    X(POLL_ITEMS, "shared_poll_items_count", TRIGGER, POLLED, WITH_NAMESPACE, COUNTER, \
      "Keys that backends were asked for, and what they answered.") \
    X(PROXY_INFLIGHT, "proxy_inflight_requests", PROXY_USE, NONE, "protocol=\"http\"", GAUGE, \
      "Requests of proxies that are not answered yet.") \
    X(PROXY_ERROR, "proxy_errors", PROXY_USE, NONE, "protocol=\"http\"", COUNTER, \
      "Requests of proxies that were not decided.")

#define WITH_ACCEPT "accept_protocol=\"\""

/* X(id, name, label, labels that are always the same, buckets, help). Of a name with `_histogram`
 * there is a summary too, without it. */
#define HIST_TABLE(X) \
    X(PUB_SUB_LAG, "node_pub_sub_lag_seconds", NONE, WITH_NAMESPACE, LAG, \
      "From a home's acceptance of a publication to a shard's fan-out.") \
    X(BROADCAST, "node_broadcast_duration_seconds", NONE, "type=\"publication\"," WITH_NAMESPACE, \
      BROADCAST, "Fan-out of publications to a shard's subscribers of a channel.") \
    X(PING_PONG, "client_ping_pong_duration_seconds", TRANSPORT, "", COMMAND, \
      "From a ping of the server to the client's pong.") \
    X(COMMAND, "client_command_duration_seconds_histogram", METHOD, WITH_NAMESPACE, COMMAND, \
      "From a client's command to its answer.") \
    X(SURVEY, "node_survey_duration_seconds_histogram", NONE, "op=\"channels\"", SURVEY, \
      "Questions to all shards of all nodes.") \
    X(API, "api_command_duration_seconds_histogram", API_METHOD, "protocol=\"http\"", DEFAULT, \
      "Calls of the server API.") \
    X(POLL, "shared_poll_handler_duration_seconds", TRIGGER, WITH_NAMESPACE, POLL, \
      "Polls of keys that clients track.") \
    X(POLL_WAIT, "shared_poll_sem_wait_duration_seconds", TRIGGER, WITH_NAMESPACE, POLL_WAIT, \
      "From when keys are due to their poll.") \
    X(POLL_CYCLE, "shared_poll_cycle_duration_seconds", NONE, WITH_NAMESPACE, POLL_CYCLE, \
      "From the first poll of all keys of a channel to the last answer.") \
    X(POLL_CYCLE_WORK, "shared_poll_cycle_work_duration_seconds", NONE, WITH_NAMESPACE, \
      POLL_CYCLE, "The same without the time over which polls are spread.") \
    X(POLL_ASKED, "shared_poll_proxy_request_items", POLL_PROXY, "", ITEMS, "Keys of a poll.") \
    X(POLL_ANSWERED, "shared_poll_proxy_response_items", POLL_PROXY, "", ITEMS, \
      "Keys of the answer to a poll.") \
    X(RECOVERED, "client_recovered_publications", NONE, WITH_NAMESPACE, RECOVERED, \
      "Publications that a subscriber missed and was given.") \
    X(PROXY, "proxy_duration_seconds_histogram", PROXY_USE, "protocol=\"http\"", DEFAULT, \
      "Requests of proxies.")

/* What one step of the first label skips. */
enum {
#define FAMILY_STRIDE(id, name, first, second, fixed, kind, help) \
    STRIDE_##id = LABEL_##second##_LEN,
    FAMILY_TABLE(FAMILY_STRIDE)
#undef FAMILY_STRIDE
};

/* Histograms, by their number in struct stats. */
enum shard_hist {
#define HIST_ID(id, name, label, fixed, buckets, help) \
    HIST_##id, HIST_##id##_LAST = HIST_##id + LABEL_##label##_LEN - 1,
    HIST_TABLE(HIST_ID)
#undef HIST_ID
        HISTS_LEN
};

struct node;
struct writer;

/* Writes a value of a label: `name="value"`, or several of them. False: it has none (a proxy that
 * there is not). */
typedef bool label_write(struct writer *out, const struct node *node, uint32_t value);

struct label {
    uint32_t len;
    label_write *write; /* NULL: there is no such label. */
};

struct counter_family {
    const char *name; /* After the prefix. */
    const char *help;
    const char *fixed; /* Labels that are always the same, as they are written. */
    bool is_gauge;
    uint32_t first; /* enum counter */
    struct label labels[2];
};

struct hist_family {
    const char *name;
    const char *help;
    const char *fixed;
    uint32_t first; /* enum shard_hist */
    struct label label;
    const struct hist_bucket *buckets;
    size_t buckets_len;
    bool are_counts; /* Not times. */
};

struct hist_bucket {
    const char *text; /* Seconds, or a count. */
    uint64_t ns;      /* Or a count. */
};

extern const struct counter_family counter_families[];
extern const size_t counter_families_len;
extern const struct hist_family hist_families[];
extern const size_t hist_families_len;

/* Of a code of an error: its value of the label ERROR. */
static inline uint32_t label_of_error(uint32_t code)
{
    return code >= ERROR_CODE_FIRST && code <= ERROR_CODE_LAST ? code - ERROR_CODE_FIRST
                                                               : (uint32_t)LABEL_ERROR_LEN - 1;
}

/* The same of a close code. */
uint32_t label_of_close(uint32_t code);

#endif
