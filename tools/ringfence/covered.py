# SPDX-License-Identifier: BSD-2-Clause
"""What a run of the tests covered, read from CTest's JUnit file: how many cases, hypercalls, instructions, seeds and
so on, and how long it took. The numbers are those the tests print themselves."""

import re
import xml.etree.ElementTree as ElementTree

# What it is called -> what a test prints of it; all that is found in one test is added up.
COUNTS = {
    "cases": re.compile(r"^(\d+) cases: |^\[  PASSED  \] (\d+) test|^Ran (\d+) tests? in", re.MULTILINE),
    "calls": re.compile(r"\b(\d+) calls (?:in \d+ episodes|and \d+ accesses)"),
    "states": re.compile(r"\b(\d+) (?:distinct states|whole states compared)"),
    "instructions": re.compile(r"\b(\d+) instructions\b"),
    "seeds": re.compile(r"^(\d+) seeds, failed", re.MULTILINE),
    "inputs": re.compile(r"^Done (\d+) runs in", re.MULTILINE),
    "mutants": re.compile(r"\b(\d+) mutants\b"),
}


def _counts(text):
    found = {}
    for what, pattern in COUNTS.items():
        numbers = [int(next(filter(None, match.groups()))) for match in pattern.finditer(text)]
        if numbers:
            found[what] = sum(numbers)
    # A test that does not say how many cases it has is one.
    return {"cases": 1} | found


def read(path):
    """[(name, passed, seconds, counts)] of the tests that ran."""
    for test in ElementTree.parse(path).getroot().iter("testcase"):
        if test.get("status") in ("run", "fail"):
            yield (test.get("name"), test.get("status") == "run", float(test.get("time")),
                   _counts(test.findtext("system-out") or ""))


def duration(seconds):
    hours, minutes = divmod(int(seconds + 30) // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if seconds >= 90 else f"{seconds:.1f} s"


def _told(counts):
    return ", ".join(f"{counts[what]:,} {what}" for what in COUNTS if what in counts)


def _sum(tests):
    total = {}
    for _, _, _, counts in tests:
        for what, number in counts.items():
            total[what] = total.get(what, 0) + number
    return total


def summary(tests, each):
    """Lines: a total for each first word of the names, and with `each` every test."""
    tests = list(tests)
    for name, passed, seconds, counts in sorted(tests) if each else ():
        yield f"  {name}: {'' if passed else 'FAILED, '}{_told(counts)}, {duration(seconds)}"
    for label in sorted({name.partition(".")[0] for name, _, _, _ in tests}):
        mine = [test for test in tests if test[0].startswith(label + ".")]
        yield (f"{label}: {len(mine)} tests, {_told(_sum(mine))}, "
               f"{duration(sum(seconds for _, _, seconds, _ in mine))} of tests")
