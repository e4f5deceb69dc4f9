#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Static checkers over the kernel and userland, each file with the flags it is built with.

    check.py --build DIR TOOL...

clang     all of it with clang's warnings as errors
analyzer  gcc -fanalyzer
tidy      clang-tidy, the checks of tests/static/tidy.txt
cppcheck  warnings, portability and performance
sparse    address spaces: pointers to memory that a guest changes at will (__guest)

Nothing may be found but what tests/static/findings.toml knows, each with the reason why it is none; an entry
there that matches nothing any more is an error too.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = ("kernel/core/", "kernel/arch/x86_64/", "kernel/debug/", "userland/")
# gcc's way to say what clang does not know.
NOT_CLANGS = re.compile(r"-fno-(?:toplevel-reorder|tree-loop-distribute-patterns)$")
FINDING = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+):(?:\d+:)? (?:warning|error|style|performance|portability):"
                     r" (?P<text>.*)$", re.MULTILINE)
CPPCHECK = ["cppcheck", "--enable=warning,portability,performance", "--std=c11", "--quiet",
            "--platform=unix64", "--template={file}:{line}: {severity}: {message} [{id}]",
            "--suppress=missingIncludeSystem", "--inline-suppr", "-D__x86_64__", "-D__GNUC__=12"]


def sources(build):
    """(file, directory, words of the command) of each C file, once."""
    seen = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"]).resolve()
        name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else ""
        if not name.startswith(PARTS) or "/test/" in name or path.suffix != ".c" or name in seen:
            continue
        words = shlex.split(entry["command"])
        words = words[1:] if words[0].endswith("ccache") else words
        at = words.index("-o")
        seen[name] = (path, entry["directory"], words[1:at] + words[at + 2:])
    return [seen[name] for name in sorted(seen)]


def without(words, *unwanted):
    return [word for word in words if word not in unwanted]


def clang_words(words, path):
    """The command for clang: its own headers where gcc's were named, nothing only gcc knows."""
    kept = without([word for word in words if not NOT_CLANGS.match(word)], "-c", str(path))
    while "-isystem" in kept and any("/gcc/" in word for word in kept):
        at = next(i for i, word in enumerate(kept) if "/gcc/" in word)
        del kept[at - 1:at + 1]
    return without(kept, "-nostdinc")


def macros_and_paths(words):
    """What says which text is compiled: -D, -U, -I, -isystem, -include and the argument."""
    kept, words = [], iter(words)
    for word in words:
        if word in ("-isystem", "-include", "-iquote"):
            kept += [word, next(words)]
        elif word.startswith(("-D", "-U", "-I")):
            kept.append(word)
    return kept


def clang(path, words):
    # newlib's headers come first, as with gcc; clang brings stddef.h and the like itself.
    return ["clang-14", "-fsyntax-only", "-fno-caret-diagnostics", "-nostdlibinc",
            *clang_words(words, path), str(path)]


def analyzer(path, words):
    return ["gcc", *without(words, "-Werror"), "-fanalyzer", "-fdiagnostics-path-format=none",
            "-fno-diagnostics-show-caret", "-o", "/dev/null"]


def tidy(path, words):
    checks = ",".join(line.split()[0] for line in (HERE / "tidy.txt").read_text().splitlines()
                      if line and not line.startswith("#"))
    return ["clang-tidy-14", "--quiet", f"--checks=-*,{checks}", str(path), "--", "-nostdlibinc",
            *without(clang_words(words, path), "-Werror")]


def cppcheck(path, words):
    kept = [word for word in macros_and_paths(words) if not word.startswith("-U")]
    while "-isystem" in kept:
        del kept[kept.index("-isystem"):kept.index("-isystem") + 2]
    while "-include" in kept:
        del kept[kept.index("-include"):kept.index("-include") + 2]
    return [*CPPCHECK, *kept, str(path)]


def sparse(path, words):
    return ["sparse", "-m64", "-std=gnu11", "-Wno-decl", "-Waddress-space", "-Wcontext", "-nostdinc",
            "-ffreestanding", "-include", str(HERE / "sparse.h"), *macros_and_paths(words),
            "-isystem", resource_directory(), str(path)]


def resource_directory():
    return subprocess.run(["gcc", "-print-file-name=include"], capture_output=True, text=True,
                          check=True).stdout.strip()


TOOLS = {"clang": clang, "analyzer": analyzer, "tidy": tidy, "cppcheck": cppcheck, "sparse": sparse}


def check(tool, path, directory, words):
    """(findings of one file as (file, line, text), what it said if it failed without one)."""
    environment = dict(os.environ, LC_ALL="C")
    done = subprocess.run(TOOLS[tool](path, words), cwd=directory, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = []
    for match in FINDING.finditer(done.stdout):
        file = match["file"].removeprefix(f"{ROOT}/")
        found.append((file, int(match["line"]), match["text"]))
    if done.returncode and not found:
        return found, f"{path}: {tool} ended with {done.returncode}:\n{done.stdout[-2000:]}"
    return found, None


def known_findings(tool):
    data = tomllib.loads((HERE / "findings.toml").read_text())
    for entry in data.get("finding", []):
        if not entry.get("why"):
            raise SystemExit(f"findings.toml: {entry}: no reason")
    return [entry for entry in data.get("finding", []) if entry["tool"] == tool]


def run(tool, files, jobs, all_files):
    """Number of problems with one tool, printed."""
    if tool == "sparse":  # userland has no pointers of that kind
        files = [entry for entry in files if entry[0].is_relative_to(ROOT / "kernel")]
    known, used, unknown, broken = known_findings(tool), set(), set(), []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for found, failure in pool.map(lambda entry: check(tool, *entry), files):
            broken += [failure] if failure else []
            for file, line, text in found:
                match = next((i for i, entry in enumerate(known) if re.fullmatch(entry["file"], file)
                              and re.search(entry["text"], text)), None)
                if match is None:
                    unknown.add((file, line, text))
                used.add(match)
    stale = [entry for i, entry in enumerate(known) if i not in used and all_files]
    for file, line, text in sorted(unknown):
        print(f"{file}:{line}: {text}")
    print("".join(f"findings.toml: nothing matches any more: {entry}\n" for entry in stale)
          + "\n".join(broken))
    print(f"{tool}: {len(files)} files, {len(unknown)} findings, {len(known)} known ones", flush=True)
    return len(unknown) + len(stale) + len(broken)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--only", default="", help="files with this in their name")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("tool", nargs="+", choices=TOOLS)
    options = parser.parse_args()
    files = [entry for entry in sources(options.build) if options.only in str(entry[0])]
    if not files:
        sys.exit("no file to check")
    return 1 if sum(run(tool, files, options.jobs, not options.only) for tool in options.tool) else 0


if __name__ == "__main__":
    sys.exit(main())
