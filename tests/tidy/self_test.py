#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation of each rule in a small tree and expects tidy to name its place, so that no rule rots."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import tidy

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
OPENING = SPDX + "/* A file that is planted here to be looked at. */\n"


def header(path, body=""):
    guard = "ROOST_" + path.upper().replace("/", "_").replace(".", "_")
    return OPENING + "#ifndef %s\n#define %s\n%s\n#endif\n" % (guard, guard, body)


def function(body_lines, parameters="void"):
    body = "".join("    (void)%d;\n" % number for number in range(body_lines))
    return "\nvoid planted(%s)\n{\n%s}\n" % (parameters, body)


# What a tree without a fault looks like; every rule must be silent on it.
CLEAN = {
    ".clang-format": None,
    ".clang-tidy": None,
    "README.md": "# planted\n",
    "codec/README.md": "# codec\n",
    "codec/span.h": header("codec/span.h", "struct span {\n    int len;\n};\n"),
    "codec/span.c": OPENING + '#include "codec/span.h"\n\n/* malloc(1) in a comment or "time(0)" is no call. */\n',
    "shards/README.md": "# shards\n",
    "shards/session.c": OPENING + '#include "codec/span.h"\n' + function(60, "int a, void (*call)(int, int)"),
    "ops/README.md": "# ops\n",
    "ops/setup": "#!/usr/bin/env bash\n# SPDX-License-Identifier: Apache-2.0\nset -euo pipefail\n",
}

# (rule, planted file, its text, the line that must be named)
PLANTED = [
    ("top level", "src/a.c", OPENING, ("src", 1)),
    ("includes and layers", "codec/a.c", OPENING + '#include "runtime/pool.h"\n', ("codec/a.c", 3)),
    ("includes and layers", "runtime/a.c", OPENING + '#include "codec/span.h"\n', ("runtime/a.c", 3)),
    ("includes and layers", "shards/a.c", OPENING + '#include "ops/config/config.h"\n', ("shards/a.c", 3)),
    ("includes and layers", "codec/a.c", OPENING + '#include "../codec/span.h"\n', ("codec/a.c", 3)),
    ("includes and layers", "codec/a.c", OPENING + '#include "span.h"\n', ("codec/a.c", 3)),
    ("includes and layers", "codec/a.c", OPENING + '#include "codec/gone.h"\n', ("codec/a.c", 3)),
    ("includes and layers", "codec/a.c", OPENING + '#include "codec/gone.pb-c.h"\n', ("codec/a.c", 3)),
    ("licence and opening sentence", "codec/a.c", "/* A file. */\n", ("codec/a.c", 1)),
    ("licence and opening sentence", "codec/a.c", SPDX + "\nint a;\n", ("codec/a.c", 2)),
    ("licence and opening sentence", "ops/a.py", "print(1)\n", ("ops/a.py", 1)),
    ("header guards", "codec/a.h", OPENING + "#ifndef A_H\n#define A_H\n#endif\n", ("codec/a.h", 1)),
    ("file length", "codec/a.c", OPENING + "\n" * 599, ("codec/a.c", 601)),
    ("white space and columns", "codec/a.c", OPENING + "/* " + "x" * 95 + " */\n", ("codec/a.c", 3)),
    ("white space and columns", "codec/a.c", OPENING + "int a; \n", ("codec/a.c", 3)),
    ("white space and columns", "codec/a.c", OPENING + "\tint a;\n", ("codec/a.c", 3)),
    ("white space and columns", "codec/a.c", OPENING + "int a;", ("codec/a.c", 3)),
    ("function length and parameters", "shards/a.c", OPENING + function(68), ("shards/a.c", 4)),
    ("function length and parameters", "shards/a.c", OPENING + function(1, "int a, int b, int c, int d, int e, int f"),
     ("shards/a.c", 4)),
    ("banned calls", "runtime/a.c", OPENING + "\nvoid f(char *a)\n{\n    strcpy(a, a);\n}\n", ("runtime/a.c", 6)),
    ("banned calls", "codec/a.c", OPENING + "void *f(void)\n{\n    return malloc(1);\n}\n", ("codec/a.c", 5)),
    ("banned calls", "shards/a.c", OPENING + "long f(void)\n{\n    return time(0);\n}\n", ("shards/a.c", 5)),
    ("banned calls", "shards/a.c", OPENING + "int f(void)\n{\n    return socket(1, 2, 3);\n}\n", ("shards/a.c", 5)),
    ("words and typedefs", "codec/a.c", OPENING + "/* TO" + "DO: later */\n", ("codec/a.c", 3)),
    ("words and typedefs", "codec/a.c", OPENING + "typedef struct a {\n    int b;\n} a_t;\n", ("codec/a.c", 3)),
    ("words and typedefs", "codec/a.c", OPENING + "int a;\n" + "<" * 7 + " HEAD\n", ("codec/a.c", 4)),
    ("a README in each folder", "ops/bench/a.c", OPENING, ("ops/bench", 1)),
    ("pages name what is there", "ops/README.md", "# ops\n\n`codec/span` and codec/gone.c\n", ("ops/README.md", 3)),
    ("pages name what is there", "ops/README.md", "# ops\n\nbazel test //codec/...\n//ops/gone:a\n",
     ("ops/README.md", 4)),
    ("shell scripts", "ops/a.sh", "#!/usr/bin/env bash\nif then\nset -euo pipefail\n", ("ops/a.sh", 1)),
    ("shell scripts", "ops/a.sh", "#!/usr/bin/env bash\necho\n", ("ops/a.sh", 1)),
    ("exceptions still needed", "tests/tidy/exceptions.txt", "length codec/gone.c:f why\n",
     ("tests/tidy/exceptions.txt", 1)),
    ("clang-format", "codec/a.c", OPENING + "int a( void );\n", ("codec/a.c", 3)),
    ("clang-tidy", "codec/a.c", OPENING + "int f(int a);\n\nint f(int a)\n{\n    if (a)\n        return 1;\n"
     "    return 2;\n}\n", ("codec/a.c", 7)),
]


def build(files, project):
    """Writes a tree to a new folder and reads it as tidy would."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="roost-tidy-"))
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text((project / path).read_text() if text is None else text)
        if text is not None and text.startswith("#!"):
            (root / path).chmod(0o755)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root, tidy.Tree(root)


def outcome(what, fault):
    print("not ok tidy self-test: %s: %s" % (what, fault) if fault else "ok tidy self-test: %s" % what)
    return 1 if fault else 0


def check_clean(project):
    root, tree = build(CLEAN, project)
    found = [violation for rule in tidy.RULES.values() for violation in rule(tree)]
    shutil.rmtree(root)
    return outcome("a clean tree", "complains about %s" % (found,) if found else "")


def check_planted(project, number, rule, path, text, expected):
    root, tree = build({**CLEAN, path: text}, project)
    found = {(place, line) for place, line, _ in tidy.RULES[rule](tree)}
    shutil.rmtree(root)
    return outcome("%s, planted %d" % (rule, number),
                   "" if expected in found else "%s is not among %s" % (expected, sorted(found)))


def check_exception(project):
    exceptions = "length shards/a.c:planted x\n"
    excepted = {**CLEAN, "shards/a.c": OPENING + function(68), "tests/tidy/exceptions.txt": exceptions}
    root, tree = build(excepted, project)
    found = list(tidy.check_functions(tree))
    shutil.rmtree(root)
    return outcome("an exception is honoured", "complains about %s" % (found,) if found else "")


def main():
    project = pathlib.Path(__file__).resolve().parents[2]
    failures = check_clean(project) + check_exception(project)
    for number, case in enumerate(PLANTED, 1):
        failures += check_planted(project, number, *case)
    untested = set(tidy.RULES) - {case[0] for case in PLANTED}
    failures += outcome("every rule has a planted violation", "not %s" % sorted(untested) if untested else "")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
