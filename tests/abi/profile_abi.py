# SPDX-License-Identifier: BSD-2-Clause
"""abi.toml and profile.toml, read and compared: every clause is mandatory or optional, never both."""

import tomllib


def load(root):
    abi = tomllib.loads((root / "pv-abi" / "abi.toml").read_text())
    return abi, tomllib.loads((root / "tests" / "abi" / "profile.toml").read_text())


def numbers(text):
    """"1-3,7" -> 1, 2, 3, 7"""
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        yield from range(int(first), int(last or first) + 1)


def clauses(profile, kind, abi):
    """Ids, with the revision of today, of the mandatory or the optional clauses."""
    today = {clause["id"].rpartition(".")[0]: clause["id"] for clause in abi["clause"]}
    wanted = [f"PVABI-{area}-{number:03}" for area, text in profile[kind].items() for number in numbers(text)]
    return [today.get(clause, clause) for clause in wanted]


def operations(abi):
    for call in abi["hypercall"]:
        for op in call.get("ops") or [None]:
            yield (f"{call['name']} {op['name']}" if op else call["name"]), (op or call)["errors"]


def problems(abi, profile):
    """What is wrong with the profile."""
    named = [clause for kind in ("mandatory", "optional") for clause in clauses(profile, kind, abi)]
    ids = [clause["id"] for clause in abi["clause"]]
    yield from (f"profile.toml: {clause} stands there twice" for clause in set(named)
                if named.count(clause) > 1)
    yield from (f"profile.toml: there is no clause {clause}" for clause in named if clause not in ids)
    yield from (f"profile.toml: {clause} is neither mandatory nor optional"
                for clause in ids if clause not in named)
    known = dict(operations(abi))
    for waiver in profile["waiver"]:
        if waiver["error"] not in ["OK", *known.get(waiver["operation"], [])]:
            yield f"profile.toml: {waiver['operation']} does not document {waiver['error']}"
