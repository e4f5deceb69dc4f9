#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Frozen copies of the ABI: what programs were built from, and whether today's abi.toml still serves them.

    freeze.py write ABI.toml NAME          pv-abi/frozen/NAME.toml, once
    freeze.py check ABI.toml FROZEN...     names everything that has changed for such programs; status 1 if anything
    freeze.py header FROZEN OUT.h          the frozen numbers for an assembler: PV_*, PVO_<struct>_<field>, PV_SIZEOF_<struct>

A frozen copy holds no words, only numbers: of constants, calls, arguments, operations, errors and their order, budgets,
structures field by field, clauses by revision and a digest of their text. New ones may come; a structure may
use what was reserved.
"""
import hashlib
import json
import pathlib
import sys
import tomllib

import pvgen
import registry

FROZEN = pathlib.Path(__file__).resolve().parents[1] / "frozen"
SPARE = ("reserved", "pad")
HEAD = """# SPDX-License-Identifier: BSD-2-Clause
# The ABI as programs were built from it. Written once by pv-abi/gen/freeze.py, never edited: the digest is of all
# that follows it. docs/decisions/0018-a-frozen-program-is-kept-as-text-and-hash.md says how a freeze ends.
"""


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def facts(abi):
    """What programs rely on, as plain tables."""
    shapes = pvgen.layout(abi)
    sizes = {name: size for name, (size, _, _) in shapes.items()} | pvgen.SIZES
    return {
        "version": {key: abi["abi"][key] for key in ("major", "minor", "stage", "date")},
        "errors": [error["name"] for error in abi["error"]],
        "constants": {name: value for name, value, _, _ in pvgen.constants(abi) if name != "HC_COUNT"},
        "calls": {call["name"]: {"nr": call["nr"], "args": call["args"], "max_insns": call["max_insns"],
                                 "ops": {op["name"]: op["errors"] for op in call.get("ops") or [call]}}
                  for call in abi["hypercall"]},
        "structs": {name: {"size": size, "fields": {
            field["name"]: [offset, field["type"], field.get("count", 1),
                            sizes[field["type"]] * field.get("count", 1)] for field, offset in fields}}
                    for name, (size, _, fields) in shapes.items()},
        "clauses": {clause.number: [clause.revision, digest(clause.text)[:16]]
                    for clause in registry.clauses(abi)},
    }


def dump(table, path=()):
    """TOML of nested tables whose leaves JSON writes in the same way."""
    leaves = [f"{key if key.replace('_', '').replace('-', '').isalnum() else json.dumps(key)} = {json.dumps(value)}"
              for key, value in table.items() if not isinstance(value, dict)]
    lines = ([f"[{'.'.join(path)}]"] if leaves and path else []) + leaves + ([""] if leaves else [])
    for key, value in table.items():
        if isinstance(value, dict):
            lines += dump(value, (*path, key))
    return lines


def load(path):
    """A frozen copy; refuses one that was edited."""
    text = path.read_text()
    first, _, body = text.removeprefix(HEAD).partition("\n")
    if first != f'sha256 = "{digest(body)}"':
        raise pvgen.AbiError(f"{path.name}: it was edited; a frozen copy never is")
    return tomllib.loads(body)


def _changed(kind, old, new):
    """Names that are gone, or whose value differs."""
    for name, value in old.items():
        if name not in new:
            yield f"{kind} {name} is gone"
        elif new[name] != value:
            yield f"{kind} {name} was {value}, is {new[name]}"


def _errors(old, new):
    kept = [name for name in new["errors"] if name in old["errors"]]
    if kept != old["errors"]:
        yield f"errors: the order of precedence was {' '.join(old['errors'])}, is {' '.join(kept)}"


def _calls(old, new):
    for name, call in old["calls"].items():
        now = new["calls"].get(name)
        if not now:
            yield f"hypercall {name} is gone"
            continue
        yield from _changed(f"hypercall {name}:", {key: call[key] for key in ("nr", "args")}, now)
        if now["max_insns"] > call["max_insns"]:
            yield f"hypercall {name}: max_insns was {call['max_insns']}, is {now['max_insns']}"
        for op, errors in call["ops"].items():
            where = f"hypercall {name}" + (f" {op}" if op != name else "")
            if op not in now["ops"]:
                yield f"{where} is gone"
                continue
            lost = [error for error in errors if error not in now["ops"][op]]
            if lost:
                yield f"{where}: no longer documents {' '.join(lost)}"


def _structs(old, new):
    for name, struct in old["structs"].items():
        now = new["structs"].get(name)
        if not now:
            yield f"struct {name} is gone"
            continue
        if now["size"] != struct["size"]:
            yield f"struct {name}: its size was {struct['size']}, is {now['size']}"
        taken = [field for field in struct["fields"] if not field.startswith(SPARE)]
        yield from _changed(f"struct {name}: field", {field: struct["fields"][field] for field in taken},
                            now["fields"])


def _clauses(old, abi):
    retired = {entry["id"] for entry in abi.get("retired", [])}
    today = {clause.number: clause for clause in registry.clauses(abi)}
    for number, (revision, text) in old["clauses"].items():
        clause = today.get(number)
        if not clause:
            yield f"clause {number} is {'retired' if number in retired else 'gone'}"
        elif clause.revision < revision:
            yield f"clause {number}: its revision was {revision}, is {clause.revision}"
        elif clause.revision == revision and digest(clause.text)[:16] != text:
            yield f"clause {number}: its text has changed, but not its revision"
        elif clause.revision > revision and not clause.compatible:
            yield (f"clause {clause.id}: it was revised and does not say in `compatible` why programs that rely on "
                   f"revision {revision} keep working")


def differences(old, abi):
    """What programs built from the frozen facts could trip over."""
    new = facts(abi)
    if new["version"]["major"] != old["version"]["major"]:
        return
    yield from _changed("constant", {f"PV_{name}": value for name, value in old["constants"].items()
                                     if name != "ABI_MINOR"},
                        {f"PV_{name}": value for name, value in new["constants"].items()})
    yield from _errors(old, new)
    yield from _calls(old, new)
    yield from _structs(old, new)
    yield from _clauses(old, abi)


def header(old):
    lines = ["/* SPDX-License-Identifier: BSD-2-Clause */", "/* Generated from a frozen copy of the ABI. */"]
    lines += [f"#define PV_{name} {value:#x}" for name, value in old["constants"].items()]
    for name, struct in old["structs"].items():
        lines += [f"#define PV_SIZEOF_{name} {struct['size']}"]
        lines += [f"#define PVO_{name}_{field} {place[0]}" for field, place in struct["fields"].items()]
    return "\n".join([*lines, ""])


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ("write", "check", "header"):
        sys.exit(__doc__)
    command, first, *rest = sys.argv[1:]
    if command == "header":
        pvgen.write(pathlib.Path(rest[0]), header(load(pathlib.Path(first))))
        return 0
    abi = tomllib.loads(pathlib.Path(first).read_text())
    pvgen.check(abi)
    if command == "write":
        path, body = FROZEN / f"{rest[0]}.toml", "\n".join(dump(facts(abi)))
        if path.exists():
            sys.exit(f"freeze: {path} exists; a frozen copy is written once")
        pvgen.write(path, HEAD + f'sha256 = "{digest(body)}"\n' + body)
        return 0
    wrong = [f"{path}: {text}" for path in rest for text in differences(load(pathlib.Path(path)), abi)]
    print("\n".join(wrong) or f"{len(rest)} frozen copies: nothing has changed for programs built from them")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except pvgen.AbiError as error:
        sys.exit(f"freeze: {error}")
