/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a JSON string, written piece by piece where no scratch could hold it whole. */
#ifndef ROOST_CODEC_JSON_TEXT_H
#define ROOST_CODEC_JSON_TEXT_H

#include "codec/span.h"
#include "codec/writer.h"

/*
 * Writes what the string stands for. `inner` is what is between its quotes, out of a checked text;
 * it is understood as json_key_decode() understands it. A slice that was never checked does no
 * harm: the text ends before the first escape that is none. Pure, any shard.
 */
void json_put_text(struct writer *out, struct span inner);

#endif
