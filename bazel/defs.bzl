# SPDX-License-Identifier: Apache-2.0
"""The rules that roost's own C is built with: one place for the language, the warnings and the defaults."""

_COPTS = [
    "-std=gnu11",
    # Empty, so that a file may still say it for itself.
    "-D_GNU_SOURCE=",
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wpointer-arith",
    "-Wcast-qual",
    "-Wwrite-strings",
    "-Wvla",
    "-Wundef",
    "-Wformat=2",
    "-Werror",
]

# Objects that can be optimised as one program when they are linked, and linked as they are as well.
_OPTIMISED = select({
    "//bazel:whole_program": [
        "-O3",
        "-flto",
        "-ffat-lto-objects",
    ],
    "//conditions:default": [],
})

# Linked statically with each other: no test pays for a shared library of each layer, and each layer is compiled once.
def roost_cc_library(name, copts = [], **kwargs):
    native.cc_library(
        name = name,
        copts = _COPTS + _OPTIMISED + copts,
        linkstatic = True,
        **kwargs
    )

def roost_cc_binary(name, copts = [], **kwargs):
    native.cc_binary(
        name = name,
        copts = _COPTS + _OPTIMISED + copts,
        linkopts = select({
            # gold does not look into libgcc again for what the optimiser asks for: __builtin_cpu_supports needs this.
            "//bazel:whole_program": [
                "-flto=auto",
                "-Wl,-u,__cpu_model",
            ],
            "//conditions:default": [],
        }),
        linkstatic = True,
        **kwargs
    )

def roost_cc_test(name, copts = [], data = [], linkopts = [], size = "small", **kwargs):
    native.cc_test(
        name = name,
        copts = _COPTS + copts,
        # There are hundreds of tests: none waits for an optimiser.
        linkopts = select({
            "//bazel:whole_program": ["-fno-lto"],
            "//conditions:default": [],
        }) + linkopts,
        # Read under --config=tsan.
        data = data + ["//bazel:tsan.supp"],
        linkstatic = True,
        size = size,
        **kwargs
    )

def roost_unit_tests(deps, sources, support = [], **kwargs):
    """One cmocka test for each file of `sources` that is named `<module>_test.c`.

    Args:
      deps: the layers under test.
      sources: the test files; each has a main function of its own.
      support: files that every one of the tests may include or link.
      **kwargs: handed to each cc_test.
    """
    for source in sources:
        roost_cc_test(
            name = source[:-len(".c")],
            srcs = [source] + support,
            deps = deps + ["//bazel/libs:cmocka"],
            **kwargs
        )

def roost_fuzz_test(source):
    """`<module>_fuzz.c` replayed over corpus/<module>/, or under --config=fuzz linked with libFuzzer.

    Args:
      source: a file that defines LLVMFuzzerTestOneInput.
    """
    module = source[:-len("_fuzz.c")]
    corpus = native.glob(
        ["corpus/%s/**" % module],
        allow_empty = True,
    )
    roost_cc_test(
        name = module + "_fuzz",
        srcs = [source] + select({
            "//bazel:libfuzzer": [],
            "//conditions:default": ["replay_main.c"],
        }) + native.glob(
            ["*.h"],
            allow_empty = True,
        ),
        args = select({
            # One pass over the seeds: a test ends. A hunt is started by tests/fuzz/run.
            "//bazel:libfuzzer": ["-runs=0"],
            "//conditions:default": [],
        }) + ["tests/fuzz/corpus/" + module],
        data = corpus,
        linkopts = select({
            "//bazel:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        # Decoders are in codec; other readers of foreign bytes are the configuration, links and a whole node.
        deps = [
            "//bazel/libs:jansson",
            "//bazel/libs:wslay",
            "//codec",
            "//tests/unit/codec:protobuf_oracle",
        ] + {
            "config": ["//ops"],
            "links": ["//shards"],
            "node": ["//shards"],
        }.get(module, []),
    )

def roost_simulator(name, sources, headers, data = []):
    """The simulator as one program: run by `bazel test` with its default seeds, by `bazel run` with any.

    Args:
      name: of the target.
      sources: C files, one of them with the main function.
      headers: what they include from each other.
      data: files that it reads.
    """
    if not sources:
        return
    roost_cc_test(
        name = name,
        size = "medium",
        srcs = sources + headers,
        data = data,
        deps = [
            "//bazel/libs:cmocka",
            "//codec",
            "//runtime",
            "//shards",
        ],
    )
