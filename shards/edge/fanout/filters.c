/* SPDX-License-Identifier: Apache-2.0 */
/* A table of compiled filters by their programs, since equal filters have equal programs. */
#include "shards/edge/fanout/filters.h"

#include <stdlib.h>
#include <string.h>

struct shared_filter {
    uint32_t refs;
    bool lets_pass; /* What it said of the publication `asked`. */
    uint64_t asked;
    struct filter filter;
    uint8_t program[];
};

struct filters {
    struct map *by_program;
    size_t bytes;
    uint64_t publication; /* The number of the one that is sent. */
};

static struct map_key key_of_filter(const void *object)
{
    const struct shared_filter *filter = object;
    return (struct map_key){filter->filter.program.at, filter->filter.program.len};
}

struct filters *filters_create(struct random *random)
{
    struct filters *filters = calloc(1, sizeof(*filters));
    if (filters == NULL) {
        return NULL;
    }
    filters->by_program = map_create(key_of_filter, random);
    if (filters->by_program == NULL) {
        free(filters);
        return NULL;
    }
    return filters;
}

void filters_destroy(struct filters *filters)
{
    if (filters != NULL) {
        map_destroy(filters->by_program);
        free(filters);
    }
}

static size_t filter_bytes(size_t program_len)
{
    return sizeof(struct shared_filter) + program_len;
}

static struct shared_filter *filter_add(struct edge *edge, struct span program)
{
    struct filters *filters = edge->filters;
    struct shared_filter *filter = malloc(filter_bytes(program.len));
    if (filter == NULL) {
        return NULL;
    }
    *filter = (struct shared_filter){.refs = 0};
    memcpy(filter->program, program.at, program.len);
    filter->filter.program = span_of(filter->program, program.len);
    if (!map_insert(filters->by_program, filter)) {
        free(filter);
        return NULL;
    }
    filters->bytes += filter_bytes(program.len);
    actors_gauge_add(edge->actors, COUNTER_TAGS_FILTER_BYTES, (int64_t)filter_bytes(program.len));
    return filter;
}

uint32_t filters_take(struct edge *edge, struct span tf, struct shared_filter **out)
{
    struct filters *filters = edge->filters;
    struct scratch scratch = scratch_of(edge->scratch, EDGE_SCRATCH_SIZE);
    struct filter compiled;
    if (filter_compile(tf, &scratch, &compiled) != FILTER_OK ||
        compiled.program.len > FILTER_PROGRAM_LEN_MAX) {
        return CLIENT_ERROR_BAD_REQUEST;
    }
    struct shared_filter *filter =
        map_find(filters->by_program, compiled.program.at, compiled.program.len);
    if (filter == NULL && filters->bytes >= FILTER_BYTES_A_SHARD_MAX) {
        return CLIENT_ERROR_LIMIT_EXCEEDED;
    }
    if (filter == NULL) {
        filter = filter_add(edge, compiled.program);
    }
    if (filter == NULL) {
        return CLIENT_ERROR_INTERNAL;
    }
    filter->refs++;
    *out = filter;
    return 0;
}

void filters_release(struct edge *edge, struct shared_filter *filter)
{
    if (filter == NULL || --filter->refs > 0) {
        return;
    }
    const size_t bytes = filter_bytes(filter->filter.program.len);
    map_remove(edge->filters->by_program, filter);
    edge->filters->bytes -= bytes;
    actors_gauge_add(edge->actors, COUNTER_TAGS_FILTER_BYTES, -(int64_t)bytes);
    free(filter);
}

bool filters_let_pass(const struct shared_filter *filter, const struct filter_tags *tags)
{
    return filter_matches(&filter->filter, tags);
}

void filters_next_publication(struct edge *edge)
{
    edge->filters->publication++;
}

bool filters_let_publication_pass(const struct edge *edge, struct shared_filter *filter,
                                  const struct filter_tags *tags)
{
    if (filter->asked != edge->filters->publication) {
        filter->asked = edge->filters->publication;
        filter->lets_pass = filters_let_pass(filter, tags);
    }
    return filter->lets_pass;
}
