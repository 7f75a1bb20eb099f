#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the style that a machine can check. Each rule is a function from the tree to its violations."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ALLOWED_AT_TOP = {
    ".bazelignore", ".bazelrc", ".ci", ".clang-format", ".clang-tidy", ".gitignore", "BUILD", "CHANGELOG.md",
    "CONTRIBUTING.md", "LICENSE", "README.md", "WORKSPACE", "bazel", "codec", "ops", "runtime", "shards", "tests",
}
MAY_INCLUDE = {
    "codec": {"codec"},
    "runtime": {"runtime"},
    "shards": {"codec", "runtime", "shards"},
    "ops": {"codec", "ops", "runtime", "shards"},
    "tests": {"codec", "ops", "runtime", "shards", "tests"},
}
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
PRINTED_MAX = 50
# Running text and declarations of a page are broken by whoever shows them.
COLUMNS_MAX = {".c": 100, ".css": None, ".h": 100, ".html": None, ".md": None, ".json": None, ".txt": None}
COLUMNS_MAX_ELSEWHERE = 120

# What is wrong everywhere, with what to write instead.
BANNED_ANYWHERE = {
    "alloca": "a bounded array", "atoi": "a parser that reports errors", "atol": "a parser that reports errors",
    "gets": "fgets", "rand": "runtime/random.h", "random": "runtime/random.h", "sprintf": "snprintf",
    "srand": "runtime/random.h", "strcat": "codec/writer.h", "strcpy": "memcpy with a checked length",
    "strncpy": "memcpy with a checked length", "strtok": "codec/span.h", "vsprintf": "vsnprintf",
}
ALLOCATION = ["aligned_alloc", "calloc", "free", "malloc", "realloc", "strdup"]
OUTSIDE_WORLD = [
    "accept", "accept4", "bind", "clock_gettime", "close", "connect", "epoll_ctl", "epoll_wait", "fopen", "getaddrinfo",
    "getrandom", "gettimeofday", "listen", "nanosleep", "open", "poll", "pread", "pthread_create",
    "pthread_mutex_lock", "pwrite", "read", "readv", "recv", "recvfrom", "recvmsg", "select", "send", "sendmsg",
    "sendto", "setsockopt", "sleep", "socket", "time", "usleep", "write", "writev",
]
ENDING = ["abort", "_exit", "exit"]
BANNED_IN = {
    "codec": ALLOCATION + OUTSIDE_WORLD + ENDING,
    "shards": OUTSIDE_WORLD + ENDING,
}
TEXT_SUFFIXES = {
    "", ".BUILD", ".bzl", ".c", ".css", ".h", ".html", ".js", ".json", ".md", ".mjs", ".proto", ".py", ".sh", ".txt",
    ".yaml", ".yml",
}
CODE_SUFFIXES = {".bzl", ".c", ".css", ".h", ".html", ".js", ".mjs", ".proto", ".py", ".sh"}
NEVER_OPENED = ("tests/fuzz/corpus/",)
# Deeper folders are explained by the one that holds them.
README_DEPTH_MAX = 2
NO_README_IN = ("bazel/rules_cc", "bazel/remote_coverage_tools", ".ci")


class Tree:
    """The files of the project, as git would list them, with their texts."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root, stdout=subprocess.PIPE, check=True).stdout.decode()
        self.paths = sorted(path for path in set(listing.split("\0")) if path and (self.root / path).is_file())
        self.texts = {path: self._read(path) for path in self.paths if self._is_text(path)}
        self.exceptions = self._read_exceptions()

    def _is_text(self, path):
        return pathlib.PurePosixPath(path).suffix in TEXT_SUFFIXES and not path.startswith(NEVER_OPENED)

    def _read(self, path):
        return (self.root / path).read_bytes().decode("utf-8", errors="replace")

    def _read_exceptions(self):
        lines = self.texts.get("tests/tidy/exceptions.txt", "").splitlines()
        return {tuple(line.split()[:2]) for line in lines if line and not line.startswith("#")}

    def c_files(self):
        return [(path, text) for path, text in self.texts.items() if path.endswith((".c", ".h"))]

    def is_excepted(self, rule, subject):
        return (rule, subject) in self.exceptions


def layer_of(path):
    return path.split("/", 1)[0]


def blank_out(match):
    """Keeps the line breaks of what is removed, so that line numbers stay true."""
    return re.sub(r"[^\n]", " ", match.group(0))


def code_only(text):
    """The text with comments and the contents of literals turned into blanks."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, blank_out, text, flags=re.DOTALL)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def check_top_level(tree):
    for name in sorted({path.split("/", 1)[0] for path in tree.paths} - ALLOWED_AT_TOP):
        yield name, 1, "has no place at the top of the tree"


def check_includes(tree):
    for path, text in tree.c_files():
        allowed = MAY_INCLUDE.get(layer_of(path), set())
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+"([^"]*)"', text, re.MULTILINE):
            target, line = match.group(1), line_of(text, match.start())
            if ".." in target.split("/"):
                yield path, line, "includes by a relative path: %s" % target
            elif layer_of(target) not in allowed or "/" not in target:
                yield path, line, "%s may not include %s" % (layer_of(path), target)
            # What protoc-c makes of a file is there while building.
            elif target not in tree.texts and re.sub(r"\.pb-c\.h$", ".proto", target) not in tree.texts:
                yield path, line, "includes %s, which is not there" % target


def check_headline(tree):
    spdx = "SPDX-License-Identifier: Apache-2.0"
    for path, text in tree.texts.items():
        lines = text.splitlines() + [""] * 3
        if path.endswith((".c", ".h")):
            if lines[0] != "/* %s */" % spdx:
                yield path, 1, "the first line is not /* %s */" % spdx
            # More may follow it, but the sentence starts on the second line and ends in a full stop.
            comment = re.match(r"/\*(.*?)\*/", "\n".join(lines[1:]), re.DOTALL)
            if comment is None or not re.search(r"\w.*\.(\s|$)", comment.group(1), re.DOTALL):
                yield path, 2, "does not open with a sentence on the file's job"
        elif pathlib.PurePosixPath(path).suffix in CODE_SUFFIXES or path.endswith("BUILD"):
            if spdx not in lines[0] + lines[1]:
                yield path, 1, "has no line %s" % spdx


def check_header_guards(tree):
    for path, text in tree.c_files():
        guard = "ROOST_" + re.sub(r"[^A-Z0-9]", "_", path.upper())
        if path.endswith(".h") and not re.search(r"^#ifndef %s\n#define %s$" % (guard, guard), text, re.MULTILINE):
            yield path, 1, "is not guarded by %s" % guard


def check_file_length(tree):
    for path, text in tree.texts.items():
        count = len(text.splitlines())
        if count > FILE_LINES_MAX and pathlib.PurePosixPath(path).suffix in CODE_SUFFIXES:
            yield path, count, "has %d lines, %d are allowed" % (count, FILE_LINES_MAX)


def check_text(tree):
    for path, text in tree.texts.items():
        suffix = pathlib.PurePosixPath(path).suffix
        columns_max = COLUMNS_MAX.get(suffix, COLUMNS_MAX_ELSEWHERE)
        for number, line in enumerate(text.split("\n"), 1):
            if columns_max and len(line) > columns_max:
                yield path, number, "has %d columns, %d are allowed" % (len(line), columns_max)
            if line != line.rstrip():
                yield path, number, "ends in white space"
            if "\t" in line and suffix in CODE_SUFFIXES:
                yield path, number, "holds a tab"
        if text and not text.endswith("\n"):
            yield path, line_of(text, len(text)), "does not end in a line break"


def functions_of(text):
    """Yields (name, parameters, first line, count of lines); a function's braces stand in the first column."""
    code = code_only(text)
    for match in re.finditer(r"^([A-Za-z_][^;{}#]*?)\n\{\n(.*?)^\}", code, re.MULTILINE | re.DOTALL):
        head = re.match(r".*?(\w+)\s*\((.*)\)[^()]*$", match.group(1), re.DOTALL)
        if head is None or "=" in match.group(1).split("(")[0]:
            continue
        first = line_of(code, match.start())
        yield head.group(1), parameter_count(head.group(2)), first, match.group(0).count("\n") + 1


def parameter_count(parameters):
    # What stands in inner parentheses belongs to one parameter: a pointer to a function.
    while re.search(r"\([^()]*\)", parameters):
        parameters = re.sub(r"\([^()]*\)", "", parameters)
    names = [name.strip() for name in parameters.split(",")]
    return len([name for name in names if name not in ("", "void", "...")])


def check_functions(tree):
    for path, text in tree.c_files():
        for name, parameters, line, count in functions_of(text):
            if count > FUNCTION_LINES_MAX and not tree.is_excepted("length", "%s:%s" % (path, name)):
                yield path, line, "%s has %d lines, %d are allowed" % (name, count, FUNCTION_LINES_MAX)
            if parameters > PARAMETERS_MAX and not tree.is_excepted("parameters", "%s:%s" % (path, name)):
                yield path, line, "%s has %d parameters, %d are allowed" % (name, parameters, PARAMETERS_MAX)


def check_banned_calls(tree):
    for path, text in tree.c_files():
        code = code_only(text)
        banned = {name: "use %s" % instead for name, instead in BANNED_ANYWHERE.items()}
        for name in BANNED_IN.get(layer_of(path), []):
            banned[name] = "%s/ may not call it" % layer_of(path)
        # A call through a member is a call of ours: stream->close(...).
        for match in re.finditer(r"(?<![\w.>])(%s)\s*\(" % "|".join(banned), code):
            if not tree.is_excepted("call", "%s:%s" % (path, match.group(1))):
                yield path, line_of(code, match.start()), "calls %s: %s" % (match.group(1), banned[match.group(1)])


def check_words(tree):
    for path, text in tree.texts.items():
        for match in re.finditer(r"^(<{7} |={7}$|>{7} )", text, re.MULTILINE):
            yield path, line_of(text, match.start()), "leaves a conflict of a merge"
        if layer_of(path) == "tests" and "/tidy/" in path:
            continue
        for match in re.finditer(r"\b(TODO|FIXME|XXX)\b", text):
            yield path, line_of(text, match.start()), "leaves work behind: %s" % match.group(1)
        if path.endswith((".c", ".h")):
            typedef = r"^[ \t]*typedef\s+(struct|union|enum)\b[^;(]*[{;]"
            for match in re.finditer(typedef, code_only(text), re.MULTILINE):
                yield path, line_of(text, match.start()), "gives a second name to a %s" % match.group(1)


def check_readmes(tree):
    folders = {str(parent) for path in tree.paths for parent in pathlib.PurePosixPath(path).parents}
    for folder in sorted(folders):
        if folder.startswith(NO_README_IN) or len(pathlib.PurePosixPath(folder).parts) > README_DEPTH_MAX:
            continue
        readme = "README.md" if folder == "." else folder + "/README.md"
        if readme not in tree.texts:
            yield folder, 1, "has no README.md"


def check_pages(tree):
    """A page may name files, folders and packages that are there."""
    folders = {str(parent) for path in tree.paths for parent in pathlib.PurePosixPath(path).parents}
    for path, text in tree.texts.items():
        if not path.endswith(".md"):
            continue
        for match in re.finditer(r"//((?:codec|ops|runtime|shards|tests)(?:/\w+)*)", text):
            if match.group(1) not in folders:
                yield path, line_of(text, match.start()), "names //%s, which is not there" % match.group(1)
        for match in re.finditer(r"(?<![\w/.])((?:codec|ops|runtime|shards|tests)/[\w./]*\w)(?![\w/*{]|-)", text):
            named = match.group(1)
            # A part in capitals stands for whatever it is.
            if re.search(r"\b[A-Z]+\b", named):
                continue
            if named not in folders and not any(named + end in tree.paths for end in ("", ".c", ".h", ".mjs", ".py")):
                yield path, line_of(text, match.start()), "names %s, which is not there" % named


def tool_violations(command, tree, paths):
    """Runs a tool that prints path:line:column: what is wrong."""
    seen = set()
    for start in range(0, len(paths), 20):
        run = subprocess.run(command[0] + paths[start : start + 20] + command[1], cwd=tree.root, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        found = re.findall(r"^(\S+?):(\d+):\d+: (?:error|warning): (.*)$", run.stdout, re.MULTILINE)
        for path, line, message in found:
            path = os.path.relpath(tree.root / path, tree.root)
            if (path, line, message) not in seen:
                seen.add((path, line, message))
                yield path, int(line), message
        if run.returncode != 0 and not found:
            yield paths[start], 1, "%s failed: %s" % (command[0][0], run.stdout.strip()[-300:])


def check_format(tree):
    paths = [path for path, _ in tree.c_files()]
    for path, line, _ in tool_violations((["clang-format", "--dry-run", "-Werror"], []), tree, paths):
        yield path, line, "is not laid out as clang-format does it"


def check_clang_tidy(tree):
    paths = [path for path, _ in tree.c_files() if path.endswith(".c")]
    protos = [path for path in tree.texts if path.endswith(".proto")]
    with tempfile.TemporaryDirectory() as made:
        if protos:
            subprocess.run(["protoc-c", "--c_out=" + made] + protos, cwd=tree.root, check=True)
        flags = ["--", "-std=gnu11", "-D_GNU_SOURCE=", "-I.", "-isystem", made, "-isystem", "/usr/include/android"]
        yield from tool_violations((["clang-tidy", "--quiet"], flags), tree, paths)


def check_scripts(tree):
    for path, text in tree.texts.items():
        if not re.match(r"#!.*\bbash\b", text):
            continue
        run = subprocess.run(["bash", "-n", path], cwd=tree.root, text=True, stderr=subprocess.PIPE, check=False)
        if run.returncode != 0:
            yield path, 1, "bash cannot read it: %s" % run.stderr.strip()
        if not re.search(r"^set -euo pipefail$", text, re.MULTILINE):
            yield path, 1, "does not say set -euo pipefail"
        if not os.access(tree.root / path, os.X_OK):
            yield path, 1, "is not executable"


def check_exceptions(tree):
    for rule, subject in sorted(tree.exceptions):
        if subject.split(":")[0] not in tree.texts:
            yield "tests/tidy/exceptions.txt", 1, "excepts %s, which is not there (%s)" % (subject, rule)


RULES = {
    "top level": check_top_level,
    "includes and layers": check_includes,
    "licence and opening sentence": check_headline,
    "header guards": check_header_guards,
    "file length": check_file_length,
    "white space and columns": check_text,
    "function length and parameters": check_functions,
    "banned calls": check_banned_calls,
    "words and typedefs": check_words,
    "a README in each folder": check_readmes,
    "pages name what is there": check_pages,
    "shell scripts": check_scripts,
    "exceptions still needed": check_exceptions,
    "clang-format": check_format,
    "clang-tidy": check_clang_tidy,
}


def main():
    tree = Tree(pathlib.Path(__file__).resolve().parents[2])
    failures = 0
    for name, rule in RULES.items():
        violations = list(rule(tree))
        for path, line, message in violations[:PRINTED_MAX]:
            print("%s:%d: %s" % (path, line, message))
        if len(violations) > PRINTED_MAX:
            print("... and %d more" % (len(violations) - PRINTED_MAX))
        if violations:
            failures += 1
            print("not ok tidy: %s: %d places" % (name, len(violations)))
        else:
            print("ok tidy: %s" % name)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
