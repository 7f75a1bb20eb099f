/* SPDX-License-Identifier: Apache-2.0 */
/* The files of ops/web as they are compiled into roostd. */
#ifndef ROOST_OPS_WEB_ASSETS_H
#define ROOST_OPS_WEB_ASSETS_H

#include <stddef.h>
#include <stdint.h>

/*
 * One file. `path` is what a browser asks for: "/" for index.html, "/name" for any other.
 * `content_type` is a complete header value. Everything pointed at is constant and lives as long as
 * the program, so that any shard may read it.
 */
struct web_asset {
    const char *path;
    const char *content_type;
    const uint8_t *bytes;
    size_t len;
};

/* Sorted by path. The build generates both from the folder's content. */
extern const struct web_asset web_assets[];
extern const size_t web_assets_len;

#endif
