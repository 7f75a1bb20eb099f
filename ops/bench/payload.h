/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of every message sent: a JSON string that tells its number, channel and due time. */
#ifndef ROOST_OPS_BENCH_PAYLOAD_H
#define ROOST_OPS_BENCH_PAYLOAD_H

#include "codec/span.h"

#include <stdbool.h>
#include <stdint.h>

/*
 *   "nnnnnnnnccccttttttttttttttxxx...x"
 *
 * hexadecimal: 8 digits of number, 4 of channel, 14 of the nanosecond (monotonic) at which it was
 * due. A JSON string, so that protocols that want JSON carry it as it is.
 */
enum {
    PAYLOAD_LEN_MIN = 28,
    PAYLOAD_STAMP_LEN = 27, /* what changes between two payloads: the quote and the digits */
};

struct payload_stamp {
    uint64_t due_ns;
    uint32_t number;
    uint16_t channel;
};

/* Fills len >= PAYLOAD_LEN_MIN bytes; payload_stamp_write() only the first PAYLOAD_STAMP_LEN. */
void payload_write(uint8_t *at, uint32_t len, const struct payload_stamp *stamp);
void payload_stamp_write(uint8_t *at, const struct payload_stamp *stamp);

/* False when these are not bytes that payload_write() made. */
bool payload_read(struct span payload, struct payload_stamp *out);

#endif
