#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the files of a folder as one C source that defines the tables of ops/web_assets.h."""

import argparse
import pathlib
import sys

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
BYTES_PER_LINE = 16


def web_path(name):
    return "/" if name == "index.html" else "/" + name


def array_of(index, content):
    # A zero closes each array: an empty file still makes a legal one, and a debugger can print it.
    numbers = [str(byte) for byte in content + b"\0"]
    lines = [", ".join(numbers[i : i + BYTES_PER_LINE]) for i in range(0, len(numbers), BYTES_PER_LINE)]
    return "static const uint8_t asset_%d[] = {\n    %s\n};\n" % (index, ",\n    ".join(lines))


def source_of(files):
    parts = ["/* Generated from ops/web by bazel/embed_web.py; do not edit. */\n", '#include "ops/web_assets.h"\n']
    rows = []
    for index, (name, content) in enumerate(files):
        content_type = CONTENT_TYPES.get(pathlib.PurePosixPath(name).suffix)
        if content_type is None:
            sys.exit("embed_web: no content type is known for %s" % name)
        parts.append(array_of(index, content))
        rows.append('    {"%s", "%s", asset_%d, %d},\n' % (web_path(name), content_type, index, len(content)))
    # C has no empty arrays; the spare row is not counted in the length.
    parts.append("const struct web_asset web_assets[] = {\n%s    {0, 0, 0, 0},\n};\n" % "".join(rows))
    parts.append("const size_t web_assets_len = %d;\n" % len(rows))
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--root", required=True, help="the folder that paths are relative to")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    files = [(pathlib.Path(name).relative_to(options.root).as_posix(), pathlib.Path(name).read_bytes())
             for name in options.files]
    files.sort(key=lambda file: web_path(file[0]))
    pathlib.Path(options.out).write_text(source_of(files))


if __name__ == "__main__":
    main()
