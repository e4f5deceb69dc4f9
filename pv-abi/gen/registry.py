# SPDX-License-Identifier: BSD-2-Clause
"""The clauses of abi.toml with what they inherit from their areas, and the rules about their numbers.

A clause is PVABI-<area>-<number>.<revision>. Numbers of an area run from 1 without a gap, those of `retired` clauses
among them, so a number that vanishes is noticed and one that was used is never used again.
"""
import dataclasses
import re

ID = re.compile(r"PVABI-([A-Z]{3})-(\d{3})(?:\.([1-9]\d*))?")
VERSION = re.compile(r"\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class Clause:
    id: str             # PVABI-GRT-010.1
    text: str
    rationale: str
    own_rationale: bool  # it has one of its own, beside that of its area
    since: str          # version of the ABI
    compatible: str     # why programs that rely on the former revision keep working; "" if there is none

    @property
    def number(self):
        return self.id.rpartition(".")[0]

    @property
    def area(self):
        return self.id[6:9]

    @property
    def revision(self):
        return int(self.id.rpartition(".")[2])


def clauses(abi):
    """Every clause, in the order of the file."""
    areas = {area["name"]: area for area in abi.get("area", [])}
    for clause in abi.get("clause", []):
        area = areas[clause["id"][6:9]]
        yield Clause(clause["id"], clause["text"], clause.get("rationale", area.get("rationale", "")),
                     "rationale" in clause, clause.get("since", area.get("since", "")),
                     clause.get("compatible", ""))


def _wrong_names(abi):
    areas = {area["name"] for area in abi.get("area", [])}
    for kind, revision in (("clause", True), ("retired", False)):
        for entry in abi.get(kind, []):
            match = ID.fullmatch(entry["id"])
            if not match or bool(match[3]) != revision or match[1] not in areas:
                yield (f"{kind} {entry['id']} is not PVABI-<area>-<number>{'.<revision>' if revision else ''} "
                       "of an area that is defined")


def _wrong_numbers(abi):
    """Twice, reused, or missing."""
    retired = {entry["id"] for entry in abi.get("retired", [])}
    seen = set()
    for clause in abi.get("clause", []):
        number = clause["id"].rpartition(".")[0]
        if number in seen:
            yield f"clause {number} is defined twice"
        if number in retired:
            yield f"clause {clause['id']}: the number was retired and is never used again"
        seen.add(number)
    for area in abi.get("area", []):
        used = {int(number[10:]) for number in seen | retired if number[6:9] == area["name"]}
        for number in sorted(set(range(1, max(used, default=0) + 1)) - used):
            yield (f"PVABI-{area['name']}-{number:03} is neither a clause nor retired: numbers have no gaps, "
                   "and a clause that goes stands in [[retired]]")


def _wrong_facts(abi):
    version = f"{abi['abi']['major']}.{abi['abi']['minor']}"
    for clause in clauses(abi):
        if not clause.rationale:
            yield f"clause {clause.id}: neither it nor area {clause.area} has a rationale"
        if not VERSION.fullmatch(clause.since):
            yield f"clause {clause.id}: neither it nor area {clause.area} says since which version"
        elif [*map(int, clause.since.split("."))] > [*map(int, version.split("."))]:
            yield f"clause {clause.id} is since {clause.since}, but this is {version}"
    for entry in abi.get("retired", []):
        if not entry.get("why") or not VERSION.fullmatch(entry.get("until", "")):
            yield f"retired clause {entry['id']}: `until` (a version) and `why` are needed"


def _wrong_calls(abi):
    names = [call["name"] for call in abi["hypercall"]]
    stated = {call for area in abi.get("area", []) for call in area.get("calls", [])}
    yield from (f"area {area['name']}: there is no hypercall {call}"
                for area in abi.get("area", []) for call in area.get("calls", []) if call not in names)
    yield from (f"hypercall {name}: no area has it among its calls" for name in names if name not in stated)


def problems(abi):
    """What is wrong; each names the culprit."""
    names = list(_wrong_names(abi))
    return names or [*_wrong_numbers(abi), *_wrong_facts(abi), *_wrong_calls(abi)]
