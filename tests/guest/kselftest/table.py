#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes docs/kselftest.md from the outcomes matrix.py left in <build>/kselftest/results.

    table.py --build DIR [--out FILE]

A test that does not simply pass natively needs a sentence in suites.toml; without it the table is not written.
"""

import argparse
import json
import pathlib
import sys

import matrix
import results
import suites

ROOT = matrix.ROOT
HEAD = """<!-- SPDX-License-Identifier: BSD-2-Clause -->
# Linux's own tests in a VM

Linux's selftests (`tools/testing/selftests` of Debian's linux-source-6.12) and Debian's stress-ng, run natively
and in Ringfence VMs: the same QEMU, bzImage and initial file system. **Nothing that passes natively may fail in a
VM**, neither a test nor a case inside one; `./ringfence test` checks that for the quick part, `./ringfence test -L
nightly` for all. What is skipped, or fails natively too, is shown with the reason.

This page is generated from real runs, by

    ./ringfence test -L nightly -R kselftest
    python3 tests/guest/kselftest/table.py --build build

Columns: the native kernel; VMs whose page-table cache holds any number of leaf tables, 64, and none; and two CPUs. On
one CPU time is counted in instructions (icount); the two-CPU columns run freely. "n of m skipped" counts the cases
inside a test; a dash means the column has not been run for that test. The machine has no SMAP (QEMU 7.2 lets LRETQ of
a user program fault when it is on, which kills native Linux) and no protection keys (a VM does not have them). Which
tests there are, their arguments, and every sentence below are in
[suites.toml](../tests/guest/kselftest/suites.toml).
"""


def load(build):
    """{column: {test name: Outcome}}."""
    found = {key: {} for key in matrix.COLUMNS}
    for path in sorted((build / "kselftest/results").glob("*.json")):
        _, key = path.stem.split(".")
        found[key].update(results.Boot.from_json(json.loads(path.read_text())).outcomes)
    return found


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def header(first, columns):
    return [row(first, *(matrix.COLUMNS[key].title for key in columns)), "|---" * (len(columns) + 1) + "|"]


def summary(found, columns):
    lines = ["\n## Summary\n", *header("group", columns)]
    for group in suites.groups():
        names = [test.name for test in suites.tests(group=group)]
        cells = []
        for key in columns:
            have = [found[key][name].status for name in names if name in found[key]]
            words = [f"{have.count(status)} {word}" for status, word in
                     (("pass", "pass"), ("skip", "skip"), ("fail", "fail"), ("timeout", "time out"),
                      ("lost", "lost")) if status in have]
            cells.append(", ".join(words) or "–")
        lines.append(row(group, *cells))
    return lines


def differences(found, columns):
    """What the VM columns of these runs owe to their native ones."""
    skips = {f"{suite.name}/{short}" for suite in suites.load() for short in suite.skips}
    lines = ["\n## Differences in these runs\n"]
    for key in columns:
        column = matrix.COLUMNS[key]
        if column.vtlb is not None:
            native = found[column.against]
            shared = {name: outcome for name, outcome in found[key].items() if name in native}
            lines += [f"- {column.title}: {text}" for text in
                      results.differences(results.Boot(native, []), results.Boot(shared, []), skips)
                      if not text.startswith(" ")]
    return lines if len(lines) > 1 else lines + ["None."]


def section(suite, found, columns):
    lines = [f"\n## {suite.name}\n", *header("test", columns)]
    for test in suite.tests:
        cells = [found[key][test.name].cell() if test.name in found[key] else "–" for key in columns]
        lines.append(row(test.short, *cells))
    said = [*suite.remarks.items(), *((name, f"skipped in a VM: {why}") for name, why in suite.skips.items())]
    left = [(name, f"not run: {why}") for name, why in suite.left_out.items()]
    left += [(name, f"not built: {why}") for name, why in suite.unbuilt.items()]
    if said or left:
        lines.append("")
    return lines + [f"- `{name}`: {why}." for name, why in said + left]


def unexplained(suite, native):
    return [test.name for test in suite.tests if test.name in native and test.short not in suite.remarks
            and (native[test.name].status != "pass" or native[test.name].count("fail"))]


def main():
    parser = argparse.ArgumentParser(description="write the table of Linux's own tests")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/kselftest.md")
    options = parser.parse_args()
    found = load(options.build)
    columns = [key for key in matrix.COLUMNS if found[key]]
    everything = suites.load()
    missing = [name for suite in everything for name in unexplained(suite, found["native"])]
    if missing:
        sys.exit("suites.toml has no remark for: " + " ".join(missing))
    lines = [HEAD.rstrip(), *summary(found, columns), *differences(found, columns)]
    for suite in everything:
        lines += section(suite, found, columns)
    options.out.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
