#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every clause of the ABI is cited by a test, every citation names a clause of this revision.

Usage: clauses.py ABI.toml DIR [--table OUT.md] [--citations OUT.json]
Looks for PVABI-<area>-<number>.<revision> in the C and Python files below DIR. --table writes which
tests stand behind each clause, --citations the same for the manual.
"""
import argparse
import json
import pathlib
import re
import sys
import tomllib

import profile_abi
import trace_page

ROOT = pathlib.Path(__file__).resolve().parents[2]
CITATION = re.compile(r"PVABI-[A-Z]{3}-\d{3}\.\d+")
# PV_TEST(name, "ids"...), PV_DRIVER_TEST(...), and the rows of tables
CASE = re.compile(r"\b(?:PV_TEST|PV_DRIVER_TEST|PV_ROW|PV_CHILD_ROW)\((\w+(?:##\w+)?),\s*\"([^\"]+)\"", re.MULTILINE)


def clauses_of(path):
    return {clause["id"]: clause["text"] for clause in
            tomllib.loads(path.read_text()).get("clause", [])}


def citations(directory):
    """{clause id: [where]} of every citation in the tests."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.suffix not in (".c", ".h", ".py") or path == pathlib.Path(__file__).resolve():
            continue
        text = path.read_text()
        name = path.relative_to(directory)
        for match in CASE.finditer(text):
            for clause in CITATION.findall(match[2]):
                found.setdefault(clause, []).append(f"{name}: {match[1]}")
        for clause in CITATION.findall(CASE.sub("", text)):
            found.setdefault(clause, []).append(str(name))
    return found


def problems(clauses, found):
    newest = {clause.rpartition(".")[0]: clause for clause in clauses}
    for clause in clauses:
        if clause not in found:
            yield f"{clause} has no test: {clauses[clause]}"
    for clause, where in sorted(found.items()):
        if clause in clauses:
            continue
        current = newest.get(clause.rpartition(".")[0])
        yield (f"{where[0]} cites {clause}: "
               + (f"stale, the clause is {current} now" if current else "there is no such clause"))


def table(clauses, found):
    lines = ["<!-- SPDX-License-Identifier: BSD-2-Clause -->",
             "# Which tests stand behind each clause", "", "| clause | text | tests |", "|-|-|-|"]
    for clause, text in clauses.items():
        lines.append(f"| {clause} | {text} | {', '.join(sorted(set(found[clause])))} |")
    return "\n".join(lines + [""])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("abi", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--citations", type=pathlib.Path)
    options = parser.parse_args()
    clauses, found = clauses_of(options.abi), citations(options.directory.resolve())
    abi, profile = profile_abi.load(ROOT)
    wrong = [*problems(clauses, found), *profile_abi.problems(abi, profile), *trace_page.problems(ROOT, abi)]
    if wrong:
        sys.exit("\n".join(wrong))
    if options.table:
        options.table.write_text(table(clauses, found))
    if options.citations:
        options.citations.write_text(json.dumps(found, indent=1, sort_keys=True))
    print(f"{len(clauses)} clauses, each with a test")


if __name__ == "__main__":
    main()
