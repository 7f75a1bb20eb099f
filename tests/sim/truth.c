/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what was told of each publication, and compares. */
#include "tests/sim/truth.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/sim.h"

enum {
    /* Nobody waits longer for a place in a wildcard: it is told that there is none. */
    PASSED_ON_MS_MAX = 10 * 1000,
    /* So long after views have become one again, everybody who has to has been told. */
    TOLD_MS_MAX = 10 * 1000,
};

void truth_init(struct truth *truth, const struct sim *sim)
{
    memset(truth, 0, sizeof(*truth));
    truth->sim = sim;
}

void truth_clear(struct truth *truth)
{
    map_truth_clear(&truth->maps);
    while (truth->runs != NULL) {
        struct run *run = truth->runs;
        truth->runs = run->next;
        free(run->ids);
        free(run);
    }
    while (truth->streams != NULL) {
        struct told_stream *stream = truth->streams;
        truth->streams = stream->next;
        free(stream->ids);
        free(stream);
    }
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        free(truth->unsure_ms[i]);
    }
    free(truth->publications);
}

/* ---- saying so ---- */

void truth_note(struct truth *truth, uint8_t channel, const char *format, ...)
{
    struct truth_note *note = &truth->notes[truth->notes_len++ % TRUTH_NOTES];
    va_list arguments;
    va_start(arguments, format);
    note->at_ms = sim_now_ms(truth->sim);
    note->channel = channel;
    (void)vsnprintf(note->text, sizeof(note->text), format, arguments);
    va_end(arguments);
}

void truth_fail(struct truth *truth, uint8_t channel, const char *format, ...)
{
    if (!truth_holds(truth)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    truth->wrong_channel = channel;
    const int len = vsnprintf(truth->wrong, sizeof(truth->wrong), format, arguments);
    va_end(arguments);
    if (len >= 0 && (size_t)len < sizeof(truth->wrong)) {
        (void)snprintf(truth->wrong + len, sizeof(truth->wrong) - (size_t)len,
                       " (at %" PRIu64 " ms)", sim_now_ms(truth->sim));
    }
}

void truth_print(const struct truth *truth, uint32_t lines_max)
{
    const uint32_t first = truth->notes_len > TRUTH_NOTES ? truth->notes_len - TRUTH_NOTES : 0;
    uint32_t at = truth->notes_len;
    uint32_t lines = 0;
    while (at > first && lines < lines_max) {
        const struct truth_note *note = &truth->notes[--at % TRUTH_NOTES];
        lines += note->channel == CHANNEL_NONE || note->channel == truth->wrong_channel;
    }
    for (; at < truth->notes_len; at++) {
        const struct truth_note *note = &truth->notes[at % TRUTH_NOTES];
        if (note->channel == CHANNEL_NONE || note->channel == truth->wrong_channel) {
            printf("  %9" PRIu64 " ms  %s\n", note->at_ms, note->text);
        }
    }
}

/* ---- publications ---- */

static struct publication *publication_of(struct truth *truth, uint32_t id)
{
    return id == PUBLICATION_NONE || id > truth->publications_len ? NULL : &truth->publications[id];
}

uint32_t truth_send(struct truth *truth, uint8_t channel)
{
    const uint32_t id = ++truth->publications_len;
    if (id >= truth->publications_room) {
        truth->publications_room = truth->publications_room == 0 ? 256 : 2 * id;
        truth->publications =
            realloc(truth->publications, truth->publications_room * sizeof(*truth->publications));
        BUG_IF(truth->publications == NULL);
    }
    truth->publications[id] =
        (struct publication){.channel = channel,
                             .fate = FATE_SENT,
                             .places = {{.home = NODE_NONE}, {.home = NODE_NONE}},
                             .sent_at = ++truth->now,
                             .sent_ms = sim_now_ms(truth->sim)};
    return id;
}

void truth_note_unsure(struct truth *truth, uint8_t channel)
{
    const uint64_t now_ms = sim_now_ms(truth->sim);
    uint64_t **times = &truth->unsure_ms[channel];
    uint32_t *len = &truth->unsure_len[channel];
    truth->unsure_at[channel] = ++truth->now;
    if (*len > 0 && (*times)[*len - 1] == now_ms) {
        return;
    }
    if ((*len & (*len - 1)) == 0) {
        *times = realloc(*times, (*len == 0 ? 1 : 2ul * *len) * sizeof(**times));
        BUG_IF(*times == NULL);
    }
    (*times)[(*len)++] = now_ms;
}

/* May it have been on its way to the wildcard while views of that one's home differed? */
static bool was_unsure(const struct truth *truth, uint8_t wildcard,
                       const struct publication *publication)
{
    for (uint32_t i = 0; i < truth->unsure_len[wildcard]; i++) {
        const uint64_t at_ms = truth->unsure_ms[wildcard][i];
        if (at_ms >= publication->sent_ms && at_ms <= publication->answered_ms + PASSED_ON_MS_MAX) {
            return true;
        }
    }
    return false;
}

static struct told_place *place_of(struct publication *publication, uint8_t channel)
{
    return &publication->places[channel_is_wildcard(channel)];
}

void truth_acknowledge(struct truth *truth, uint32_t id, const char *epoch, uint64_t offset)
{
    struct publication *publication = publication_of(truth, id);
    BUG_IF(publication == NULL);
    if (publication->fate != FATE_ACKNOWLEDGED) {
        truth->acknowledged++;
        publication->fate = FATE_ACKNOWLEDGED;
        publication->acknowledged_at = ++truth->now;
        publication->answered_ms = sim_now_ms(truth->sim);
        publication->is_sure = truth->unsure_at[publication->channel] < publication->sent_at;
        truth->sure += publication->is_sure;
    }
    if (epoch != NULL) {
        truth_place(truth, publication->channel, truth_stream(truth, publication->channel, epoch),
                    offset, id);
    }
}

void truth_repeat(struct truth *truth, uint32_t id)
{
    struct publication *publication = publication_of(truth, id);
    BUG_IF(publication == NULL);
    publication->is_repeated = true;
}

void truth_note_home(struct truth *truth, uint32_t id, uint8_t channel, uint32_t node)
{
    struct publication *publication = publication_of(truth, id);
    if (publication != NULL && channel_is_heard_in(publication->channel, channel)) {
        place_of(publication, channel)->home = (uint8_t)node;
        publication->is_passed_on = publication->is_passed_on || channel_is_wildcard(channel);
    }
}

static void place_forget_home(const struct truth *truth, uint8_t channel, struct told_place *place)
{
    const uint32_t len = truth->unsure_len[channel];
    if (len > 0 && sim_now_ms(truth->sim) <= truth->unsure_ms[channel][len - 1] + TOLD_MS_MAX) {
        place->is_gone = true;
    }
    place->home = NODE_NONE;
}

void truth_forget_home(struct truth *truth, uint32_t node)
{
    for (uint32_t id = 1; id <= truth->publications_len; id++) {
        struct publication *publication = &truth->publications[id];
        const uint8_t channels[] = {publication->channel,
                                    channel_wildcard_of(publication->channel)};
        if (publication->places[0].home == node && !publication->is_passed_on) {
            publication->is_kept_back = true;
        }
        for (uint32_t i = 0; i < 2; i++) {
            if (publication->places[i].home == node) {
                place_forget_home(truth, channels[i], &publication->places[i]);
            }
        }
    }
}

void truth_refuse(struct truth *truth, uint32_t id, bool is_certain)
{
    struct publication *publication = publication_of(truth, id);
    BUG_IF(publication == NULL);
    if (publication->is_repeated && publication->fate == FATE_ACKNOWLEDGED) {
        return;
    }
    publication->fate = is_certain ? FATE_REFUSED : FATE_UNKNOWN;
    if (is_certain && publication->is_seen) {
        truth_fail(truth, publication->channel,
                   "publication %u was delivered, and then refused as if nothing had happened", id);
    }
}

/* ---- streams ---- */

struct told_stream *truth_stream(struct truth *truth, uint8_t channel, const char *epoch)
{
    struct told_stream *at = truth->streams;
    while (at != NULL && (at->channel != channel || strcmp(at->epoch, epoch) != 0)) {
        at = at->next;
    }
    if (at == NULL) {
        at = calloc(1, sizeof(*at));
        BUG_IF(at == NULL || strlen(epoch) >= sizeof(at->epoch));
        at->channel = channel;
        memcpy(at->epoch, epoch, strlen(epoch) + 1);
        at->next = truth->streams;
        truth->streams = at;
    }
    return at;
}

static void stream_make_room(struct told_stream *stream, uint64_t offset)
{
    if (offset >= stream->room) {
        const uint64_t room = 2 * offset + 16;
        stream->ids = realloc(stream->ids, room * sizeof(*stream->ids));
        BUG_IF(stream->ids == NULL);
        memset(stream->ids + stream->room, 0, (room - stream->room) * sizeof(*stream->ids));
        stream->room = room;
    }
}

/* Has it another place in the stream? */
static bool is_elsewhere(const struct told_stream *stream, uint64_t offset, uint32_t id)
{
    for (uint64_t at = 0; at < stream->end; at++) {
        if (at != offset && stream->ids[at] == id) {
            return true;
        }
    }
    return false;
}

/* A channel that begins anew may have forgotten keys: what is repeated then is made again, and into
 * a wildcard it comes twice. But no epoch of its own channel has it twice. */
static bool is_twice(const struct truth *truth, const struct told_stream *stream, uint64_t offset,
                     uint32_t id)
{
    struct publication *publication = &truth->publications[id];
    const struct told_place *place = place_of(publication, stream->channel);
    if (place->stream == NULL || (place->stream == stream && place->offset == offset)) {
        return false;
    }
    return !publication->is_repeated ||
           (!channel_is_wildcard(stream->channel) && is_elsewhere(stream, offset, id));
}

void truth_place(struct truth *truth, uint8_t channel, struct told_stream *stream, uint64_t offset,
                 uint32_t id)
{
    struct publication *publication = publication_of(truth, id);
    if (publication == NULL || !channel_is_heard_in(publication->channel, channel)) {
        truth_fail(truth, channel, "publication %u was never made in channel %u", id, channel);
        return;
    }
    if (offset == 0 || offset > truth->publications_len) {
        truth_fail(truth, channel, "publication %u has the offset %" PRIu64, id, offset);
        return;
    }
    struct told_place *place = place_of(publication, channel);
    stream_make_room(stream, offset);
    stream->end = offset >= stream->end ? offset + 1 : stream->end;
    if (stream->ids[offset] != PUBLICATION_NONE && stream->ids[offset] != id) {
        truth_fail(truth, channel, "publications %u and %u are both at %" PRIu64 " of epoch %s",
                   stream->ids[offset], id, offset, stream->epoch);
    }
    if (is_twice(truth, stream, offset, id)) {
        truth_fail(truth, channel,
                   "publication %u is at %" PRIu64 " of epoch %s and at %" PRIu64 " of %s", id,
                   place->offset, place->stream->epoch, offset, stream->epoch);
    }
    stream->ids[offset] = id;
    place->stream = stream;
    place->offset = offset;
}

void truth_check_end(struct truth *truth, const struct told_stream *stream, uint64_t offset,
                     uint64_t asked_at)
{
    /* Into a wildcard they come later than they are acknowledged. */
    for (uint64_t at = offset + 1; at < stream->end && !channel_is_wildcard(stream->channel);
         at++) {
        const struct publication *publication = publication_of(truth, stream->ids[at]);
        /* Of one that was repeated it is not known which time was made here. */
        if (publication != NULL && publication->fate == FATE_ACKNOWLEDGED &&
            publication->acknowledged_at < asked_at && !publication->is_repeated) {
            truth_fail(truth, stream->channel,
                       "epoch %s ends at %" PRIu64 ", but %" PRIu64 " was acknowledged before",
                       stream->epoch, offset, at);
        }
    }
}

/* ---- runs ---- */

struct run *truth_open(struct truth *truth, uint32_t client, uint8_t channel, const char *epoch,
                       uint64_t offset)
{
    struct run *run = calloc(1, sizeof(*run));
    BUG_IF(run == NULL);
    run->number = truth->runs_len++;
    run->client = client;
    run->channel = channel;
    run->is_open = true;
    run->opened_at = ++truth->now;
    run->opened_ms = sim_now_ms(truth->sim);
    run->stream = epoch == NULL ? NULL : truth_stream(truth, channel, epoch);
    run->offset = offset;
    run->next = truth->runs;
    truth->runs = run;
    return run;
}

static void run_add(struct run *run, uint32_t id)
{
    if (run->len == run->room) {
        run->room = run->room == 0 ? 16 : run->room * 2;
        run->ids = realloc(run->ids, run->room * sizeof(*run->ids));
        BUG_IF(run->ids == NULL);
    }
    run->ids[run->len++] = id;
}

/* What came before it, and it behind that, is the same for all who saw both. */
static void check_neighbours(struct truth *truth, const struct run *run, uint32_t id)
{
    const uint32_t before = run->ids[run->len - 1];
    if (publication_of(truth, before)->is_repeated || publication_of(truth, id)->is_repeated) {
        return; /* Their channels keep histories, so that offsets are compared. */
    }
    struct told_place *first = place_of(publication_of(truth, before), run->channel);
    struct told_place *second = place_of(publication_of(truth, id), run->channel);
    if (first->behind != PUBLICATION_NONE && first->behind != id) {
        truth_fail(truth, run->channel,
                   "client %u got %u behind %u, another one %u: two orders, or a silent gap",
                   run->client, id, before, first->behind);
    } else if (second->before != PUBLICATION_NONE && second->before != before) {
        truth_fail(truth, run->channel,
                   "client %u got %u before %u, another one %u: two orders, or a silent gap",
                   run->client, before, id, second->before);
    }
    first->behind = id;
    second->before = before;
}

void truth_deliver(struct truth *truth, struct run *run, uint32_t id, uint64_t offset)
{
    struct publication *publication = publication_of(truth, id);
    truth->deliveries++;
    if (publication == NULL || !channel_is_heard_in(publication->channel, run->channel)) {
        truth_fail(truth, run->channel, "client %u got %u, which nobody published in channel %u",
                   run->client, id, run->channel);
        return;
    }
    if (publication->fate == FATE_REFUSED) {
        truth_fail(truth, run->channel, "client %u got %u, which was refused", run->client, id);
    }
    publication->is_seen = true;
    if (run->len > 0) {
        check_neighbours(truth, run, id);
    }
    run_add(run, id);
    if (run->stream != NULL) {
        run->offset++;
        if (offset != run->offset) {
            truth_fail(truth, run->channel,
                       "client %u is at %" PRIu64 " of epoch %s and gets %" PRIu64, run->client,
                       run->offset - 1, run->stream->epoch, offset);
            run->offset = offset;
        }
        truth_place(truth, run->channel, run->stream, offset, id);
    }
}

/* ---- at rest ---- */

/* Nobody who is left can know of it. */
static bool is_excused(const struct truth *truth, uint8_t channel,
                       const struct publication *publication)
{
    const struct told_place *places = publication->places;
    return (!publication->is_sure && places[0].is_gone) ||
           (channel_is_wildcard(channel) && publication->is_kept_back) ||
           (channel_is_wildcard(channel) && (places[0].is_gone || places[1].is_gone) &&
            was_unsure(truth, channel, publication));
}

static void check_has_all(struct truth *truth, const struct run *run, uint8_t *has)
{
    memset(has, 0, truth->publications_len + 1);
    for (uint32_t i = 0; i < run->len; i++) {
        const bool is_twice_allowed =
            truth->publications[run->ids[i]].is_repeated && channel_is_wildcard(run->channel);
        if (has[run->ids[i]]++ > 0 && !is_twice_allowed) {
            truth_fail(truth, run->channel, "client %u got %u twice", run->client, run->ids[i]);
        }
    }
    for (uint32_t id = 1; id <= truth->publications_len; id++) {
        const struct publication *publication = &truth->publications[id];
        if (channel_is_heard_in(publication->channel, run->channel) &&
            publication->fate == FATE_ACKNOWLEDGED && publication->sent_at > run->opened_at &&
            has[id] == 0 && !is_excused(truth, run->channel, publication)) {
            truth_fail(truth, run->channel,
                       "client %u believes since %" PRIu64 " ms that it has all of channel %u, and "
                       "misses %u, sent at %" PRIu64 ", acknowledged at %" PRIu64 " ms",
                       run->client, run->opened_ms, run->channel, id, publication->sent_ms,
                       publication->answered_ms);
        }
    }
}

void truth_check_rest(struct truth *truth)
{
    const struct run *at_place[CHANNELS_MAX] = {NULL};
    uint8_t *has = malloc(truth->publications_len + 1);
    BUG_IF(has == NULL);
    for (const struct run *run = truth->runs; run != NULL; run = run->next) {
        if (!run->is_open) {
            continue;
        }
        check_has_all(truth, run, has);
        const struct run *other = at_place[run->channel];
        if (run->stream != NULL && other != NULL &&
            (run->stream != other->stream || run->offset != other->offset)) {
            truth_fail(truth, run->channel,
                       "client %u is at %" PRIu64 " of epoch %s, client %u at %" PRIu64 " of %s",
                       run->client, run->offset, run->stream->epoch, other->client, other->offset,
                       other->stream->epoch);
        }
        at_place[run->channel] = run;
    }
    free(has);
}

bool truth_run_ends_with(const struct run *run, uint32_t first, uint32_t len)
{
    bool ends = run != NULL && run->len >= len;
    for (uint32_t i = 0; ends && i < len; i++) {
        ends = run->ids[run->len - len + i] == first + i;
    }
    return ends;
}
