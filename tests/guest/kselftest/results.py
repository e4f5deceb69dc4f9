# SPDX-License-Identifier: BSD-2-Clause
"""What one boot of the kselftest guest said, and how two boots differ.

A test has an outcome of its own, and often many cases inside, which it reports in KTAP or as [OK], [FAIL] and
[SKIP]. Both are compared: a test that fails natively for one case must not hide another that fails only in a VM.
"""

import dataclasses
import re

import ktap

CASE = re.compile(r"#\s*(?:#\s*)*(not ok|ok)\s+\d+\s*(?:-\s*)?(.*)")
BRACKET = re.compile(r"#\s*\[(RUN|OK|PASS|FAIL|SKIP)\]\s*(.*)")
NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?")
SAID = "ksrun: kernel said: "
LAST = 12


@dataclasses.dataclass
class Outcome:
    status: str                 # pass, skip, fail, timeout, lost
    why: str = ""               # "exit=1", "signal=11"
    seconds: float = 0.0        # of guest time
    cases: dict = dataclasses.field(default_factory=dict)  # name of a case: ok, fail, skip
    last: list = dataclasses.field(default_factory=list)   # last lines of a test that did not pass

    def count(self, kind):
        return sum(value == kind for value in self.cases.values())

    def cell(self):
        """A few words for a table."""
        words = {"pass": "pass", "skip": "skip", "fail": "**fail**", "timeout": "**timeout**",
                 "lost": "**lost**"}[self.status]
        if self.status == "fail" and self.count("fail") and self.count("ok"):
            words += f" ({self.count('fail')} of {len(self.cases)})"
        if self.status == "pass" and self.count("skip"):
            words += f" ({self.count('skip')} of {len(self.cases)} skipped)"
        if self.status == "pass" and self.count("fail"):
            words += f" ({self.count('fail')} of {len(self.cases)} fail)"
        return words


def _cases(lines):
    """The cases inside a test, by name. Addresses and numbers differ from run to run, so they are no part of a
    name; where [RUN] says what is tried, what follows is named after it, because the text after [OK] and [FAIL]
    differs. Cases that then have one name are counted."""
    cases, seen, run = {}, {}, ""
    for line in lines:
        text = ""
        if match := CASE.match(line):
            text = match[2]
            value = "fail" if match[1] == "not ok" else "ok"
            if match := re.search(r"# (SKIP|XFAIL)", text, re.IGNORECASE):
                value = "skip" if match[1].upper() == "SKIP" else "ok"
            text = text.split("# ")[0]
        elif match := BRACKET.match(line):
            value = {"OK": "ok", "PASS": "ok", "FAIL": "fail", "SKIP": "skip", "RUN": ""}[match[1]]
            text = run or match[2]
            if not value:
                run = match[2]
        else:
            continue
        if not value:
            continue
        name = NUMBER.sub("N", text).strip() or "case"
        seen[name] = seen.get(name, 0) + 1
        cases[f"{name} ({seen[name]})" if seen[name] > 1 else name] = value
    return cases


def _outcome(case):
    """A KTAP result line of ksrun, with the output in front of it."""
    name, _, rest = case.name.partition(" # ")
    seconds = re.search(r"secs=([\d.]+)", rest)
    why = re.search(r"(exit|signal)=\d+", rest)
    cases = _cases(case.detail)
    status = case.outcome
    if "TIMEOUT" in rest:
        status = "timeout"
    elif status == "pass" and cases and set(cases.values()) == {"skip"}:
        status = "skip"     # it exits with 0, but says that it did nothing
    last = [line[2:] for line in case.detail[-LAST:]] if status not in ("pass",) else []
    return name.strip(), Outcome(status, why[0] if why else "", float(seconds[1]) if seconds else 0.0,
                                 cases, last)


@dataclasses.dataclass
class Boot:
    outcomes: dict
    problems: list              # of the boot as a whole

    def as_json(self):
        return {"problems": self.problems,
                "outcomes": {name: dataclasses.asdict(o) for name, o in self.outcomes.items()}}

    @staticmethod
    def from_json(data):
        return Boot({name: Outcome(**o) for name, o in data["outcomes"].items()}, data["problems"])


def read(text, domain, wanted):
    """The Boot in a log; `wanted` are the names of the tests it should have run."""
    report = ktap.parse(text, domain)
    outcomes = dict(_outcome(case) for case in report.cases)
    for name in wanted:
        outcomes.setdefault(name, Outcome("lost"))
    problems = list(report.problems)
    for line in text.splitlines():
        if SAID in line and (said := line.split(SAID)[1].strip()) not in problems:
            problems.append(said)
    return Boot(outcomes, problems)


def _plain(problem):
    return NUMBER.sub("N", re.sub(r"^.*\] ", "", problem))


def differences(native, vm, skips):
    """What passes natively and not in the VM, one text each. `skips`: tests that may be skipped there."""
    found = []
    usual = {_plain(problem) for problem in native.problems}
    found += [problem for problem in vm.problems if _plain(problem) not in usual]
    for name, there in vm.outcomes.items():
        here = native.outcomes[name]
        if here.status == "lost":
            found.append(f"{name}: no result natively")
        elif here.status == "pass" and there.status == "skip" and name not in skips:
            found.append(f"{name}: passes natively, is skipped in the VM for no known reason")
        elif here.status == "pass" and there.status not in ("pass", "skip"):
            found += [f"{name}: passes natively, in the VM: {there.status} {there.why}".rstrip(),
                      *(f"    {line}" for line in there.last)]
        found += [f"{name}: the case '{case}' passes natively, fails in the VM"
                  for case, value in here.cases.items()
                  if value == "ok" and there.cases.get(case) == "fail"]
    return found
