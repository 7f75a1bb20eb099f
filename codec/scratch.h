/* SPDX-License-Identifier: Apache-2.0 */
/* A scratch is bounded room for the few decoded values that cannot be slices of the input. */
#ifndef ROOST_CODEC_SCRATCH_H
#define ROOST_CODEC_SCRATCH_H

#include "codec/span.h"

#include <stddef.h>
#include <stdint.h>

/*
 *    at                    end
 *     v                     v
 *     +---------------------+
 *     |        room         |
 *     +---------------------+
 *
 * The buffer is the caller's, and so is the decision how much one decoding may take. What was taken
 * lives as long as the buffer does. A caller that wants the room back keeps a copy of the struct
 * and restores it. Room as large as the input is always enough for all strings of one JSON text,
 * since an escape is never shorter than what it stands for.
 */
struct scratch {
    uint8_t *at;
    uint8_t *end;
};

static inline struct scratch scratch_of(void *buf, size_t len)
{
    uint8_t *at = (uint8_t *)buf;
    return (struct scratch){at, len == 0 ? at : at + len};
}

static inline size_t scratch_room(const struct scratch *scratch)
{
    return scratch->end == scratch->at ? 0 : (size_t)(scratch->end - scratch->at);
}

/* Takes the first `len` bytes, which the caller has filled already; len <= scratch_room(). */
static inline struct span scratch_take(struct scratch *scratch, size_t len)
{
    struct span taken = span_of(scratch->at, len);
    if (len > 0) {
        scratch->at += len;
    }
    return taken;
}

#endif
