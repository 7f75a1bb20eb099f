/* SPDX-License-Identifier: Apache-2.0 */
/* Moves a compiled expression out of the scratch, into memory of its size. */
#include "shards/patterns.h"

#include <stdlib.h>
#include <string.h>

bool patterns_make(struct span text, struct pattern *out)
{
    void *scratch = malloc(PATTERN_SCRATCH_LEN);
    *out = (struct pattern){0};
    if (scratch != NULL && pattern_compile(text, scratch, out)) {
        void *kept = malloc(out->size);
        if (kept != NULL) {
            memcpy(kept, out->program, out->size);
        }
        out->program = kept;
    }
    free(scratch);
    return out->program != NULL;
}

void patterns_free(struct pattern *pattern)
{
    free((void *)(uintptr_t)pattern->program);
    *pattern = (struct pattern){0};
}
