# SPDX-License-Identifier: Apache-2.0
"""Makes one directory of system headers visible to the targets that depend on it."""

_BUILD = """
cc_library(
    name = "headers",
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
    visibility = ["//visibility:public"],
)
"""

def _system_headers_impl(repository_ctx):
    directory = repository_ctx.path(repository_ctx.attr.directory)
    if not directory.exists:
        fail("%s is missing: run ops/setup, which installs its package" % directory)
    repository_ctx.symlink(directory, "include/" + directory.basename)
    repository_ctx.file("BUILD", _BUILD)

system_headers = repository_rule(
    doc = "A repository with the target :headers, whose include path holds `directory` under its own name.",
    implementation = _system_headers_impl,
    attrs = {"directory": attr.string(mandatory = True)},
    local = True,
)
