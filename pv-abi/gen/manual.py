#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The manual of the ABI, from abi.toml and from what the tests cite.

Usage: manual.py ABI.toml CITATIONS.json OUTDIR
Writes OUTDIR/pv-abi.html          one page that needs nothing else (manual_html.py)
       OUTDIR/man/man2/pv_*.2      a page for each hypercall, OUTDIR/man/man5, man7 the rest (manual_man.py)

CITATIONS.json is what tests/abi/clauses.py has found: {clause id: ["abi/cases/grant.c: case", ...]}.
"""
import dataclasses
import json
import pathlib
import re
import sys
import tomllib

import manual_html
import manual_man
import pvgen
import registry

REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
# What a text may refer to; everything that looks like a name of the ABI must be one.
REFERENCE = re.compile(r"`(?P<code>[^`]+)`|(?P<clause>PVABI-[A-Z]{3}-\d{3})(?:\.\d+)?|struct (?P<struct>pv_\w+)"
                       r"|(?P<constant>PV_[A-Z0-9_]*[A-Z0-9_])(?P<star>\*)?|\b(?P<word>[A-Z][A-Z0-9_]+)\b")


@dataclasses.dataclass
class Manual:
    abi: dict
    shapes: dict     # pvgen.layout()
    clauses: list    # registry.Clause
    citations: dict  # clause id -> where

    def __post_init__(self):
        self.version = f"{self.abi['abi']['major']}.{self.abi['abi']['minor']} {self.abi['abi']['stage']}".strip()
        self.calls = {call["name"]: call for call in self.abi["hypercall"]}
        self.numbers = {clause.number for clause in self.clauses} | {
            entry["id"] for entry in self.abi.get("retired", [])}
        self.errors = {error["name"]: error for error in self.abi["error"]}
        self.constants = {f"PV_{name}" for name, _, _, _ in pvgen.constants(self.abi)}

    def errors_of(self, call):
        """[(error, names of the operations that return it)] in order of precedence."""
        ops = call.get("ops", [])
        yield self.errors["ENOSYS"], [] if not ops else ["any other operation"]
        for name in call["errors"]:
            yield self.errors[name], [op["name"] for op in ops if name in op["errors"]]

    def clauses_of(self, call):
        """Those of the areas that are about the call."""
        areas = [area["name"] for area in self.abi["area"] if call["name"] in area.get("calls", [])]
        return [clause for clause in self.clauses if clause.area in areas]

    def synopsis(self, call):
        """[(register, what it holds)] of a call."""
        return [("rax", f"PV_HC_{call['name']}"), *zip(REGISTERS, call["args"])]

    def family(self, prefix):
        """The first constant that begins so: where PV_KIND_* leads."""
        return next((name for name in sorted(self.constants) if name.startswith(prefix)), None)

    def pieces(self, text):
        """A text cut up: (kind, text, target), kind one of text, code, clause, struct, constant, call."""
        at = 0
        for match in REFERENCE.finditer(text):
            kind, target = match.lastgroup, match[match.lastgroup]
            if kind == "star":
                kind, target = "constant", self.family(match["constant"])
            elif kind == "constant" and target not in self.constants:
                target = self.family(target)
            if kind == "word":
                if target in self.calls:
                    kind = "call"
                elif f"PV_{target}" in self.constants:
                    kind, target = "constant", f"PV_{target}"
                else:
                    continue
            if kind == "clause" and target not in self.numbers or kind == "struct" and target[3:] not in self.shapes \
                    or target is None:
                raise pvgen.AbiError(f"'{match[0]}' in \"{text}\" is no name of this ABI")
            if match.start() > at:
                yield "text", text[at:match.start()], ""
            yield kind, target if kind == "code" else match[0], target
            at = match.end()
        if at < len(text):
            yield "text", text[at:], ""


def load(abi_path, citations_path):
    abi = tomllib.loads(abi_path.read_text())
    pvgen.check(abi)
    return Manual(abi, pvgen.layout(abi), list(registry.clauses(abi)), json.loads(citations_path.read_text()))


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: manual.py ABI.toml CITATIONS.json OUTDIR")
    abi, citations, out = map(pathlib.Path, sys.argv[1:])
    try:
        manual = load(abi, citations)
        pages = {out / "pv-abi.html": manual_html.page(manual)}
        pages |= {out / "man" / f"man{name[-1]}" / name: text for name, text in manual_man.pages(manual)}
    except (pvgen.AbiError, KeyError) as error:
        sys.exit(f"manual: {abi}: {error}")
    for path, text in pages.items():
        pvgen.write(path, text)
    for path in (out / "man").rglob("pv*.[0-9]"):
        if path not in pages:
            path.unlink()


if __name__ == "__main__":
    main()
