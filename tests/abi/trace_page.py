# SPDX-License-Identifier: BSD-2-Clause
"""The traceability page: each clause, the kernel functions behind it, and the cases that show it.

A case counts as positive for its clauses if it expected results, as negative if it expected errors, as
boundary if it says so (.edge), as race if two vCPUs take part. That comes from what ran, not from names.
"""

import re

import profile_abi

DEFINITION = re.compile(r"^(?!\s)(?:[\w*]+[ *]+)+(\w+)\(", re.MULTILINE)
LABEL = re.compile(r"^(?:\s*\.globl\s+)(\w+)", re.MULTILINE)


def functions(root):
    """{name: "file:line"} of what the kernel's sources define."""
    found = {}
    for path in sorted((root / "kernel").rglob("*.[cS]")):
        text = path.read_text()
        for match in (DEFINITION if path.suffix == ".c" else LABEL).finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            found.setdefault(match[1], f"{path.relative_to(root)}:{line}")
    return found


def problems(root, abi):
    """Functions that abi.toml names and the kernel has not."""
    known = functions(root)
    for area in abi["area"]:
        for name in area["kernel"]:
            if name not in known:
                yield f"abi.toml: area {area['name']} names {name}(), which the kernel has not"


def kinds(case):
    """Which columns a case stands in."""
    if case["good"] or not case["bad"]:
        yield "positive"
    if case["bad"]:
        yield "negative"
    if case["edge"]:
        yield "boundary"
    if case["vcpus"] > 1:
        yield "race"


def page(root, abi, profile, results):
    columns = ("positive", "negative", "boundary", "race")
    known = functions(root)
    behind = {area["name"]: area["kernel"] for area in abi["area"]}
    mandatory = set(profile_abi.clauses(profile, "mandatory", abi))
    held = results.clauses()
    cells = {clause["id"]: {column: [] for column in columns} for clause in abi["clause"]}
    for name, case in sorted(results.cases.items()):
        for clause in case["clauses"] & cells.keys():
            for column in kinds(case):
                cells[clause][column].append(name)
    lines = ["<!-- SPDX-License-Identifier: BSD-2-Clause -->", f"# Traceability: {profile['name']}", "",
             f"{len(results.cases)} cases, {results.checks} assertions in the runs this page is made of.", ""]
    for area in abi["area"]:
        places = ", ".join(f"`{name}` ({known.get(name, '?')})" for name in behind[area["name"]])
        lines += [f"## {area['name']}: {area['doc']}", "", f"Kernel: {places}", "",
                  "| clause | held | text | " + " | ".join(columns) + " |", "|-|-|-|-|-|-|-|"]
        for clause in abi["clause"]:
            if clause["id"][6:9] != area["name"]:
                continue
            text = clause["text"] + ("" if clause["id"] in mandatory else " (optional)")
            row = [" ".join(cells[clause["id"]][column]) for column in columns]
            lines.append(f"| {clause['id']} | {held.get(clause['id'], '-')} | {text} | "
                         + " | ".join(row) + " |")
        lines.append("")
    return "\n".join(lines)
