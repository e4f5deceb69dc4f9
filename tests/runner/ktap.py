# SPDX-License-Identifier: BSD-2-Clause
"""A strict KTAP reader: what is not a complete, consistent report of every case is a failure.

Sources mix several writers on one line-oriented log, so lines that are neither KTAP nor a sign of
disaster are ignored at the top level. A missing or second plan, a missing, repeated or misnumbered case,
`Bail out!`, and words only a dying kernel or sanitizer says make the report bad, whatever the
cases say.
"""

import dataclasses
import re

DISASTER = re.compile(
    r"PANIC on CPU|Kernel panic - not syncing|BUG: |Oops: |UBSAN: |AddressSanitizer|runtime error:"
    r"|assertion failed|audit: domain |---\[ end trace|rcu: INFO: .* stall|soft lockup")
VERSION = re.compile(r"K?TAP version (\d+)")
PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*SKIP\b(.*))?")
RESULT = re.compile(r"(not ok|ok)\b(?:\s+(\d+))?(?:\s+(?:-\s*)?(.*))?")
DIRECTIVE = re.compile(r"(?:^|\s)#\s*(SKIP|XFAIL|TIMEOUT|ERROR)\b\s*(.*)", re.IGNORECASE)
ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])")
STAMP = re.compile(r"\[ *\d+\.\d+\] (?:\w{3} |    )?")


@dataclasses.dataclass
class Case:
    number: int
    name: str
    outcome: str  # pass, fail, skip
    detail: list


@dataclasses.dataclass
class Report:
    cases: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)
    plan: int | None = None

    @property
    def good(self):
        return not self.problems and not self.failed and bool(self.cases)

    @property
    def failed(self):
        return [case for case in self.cases if case.outcome == "fail"]

    def summary(self):
        count = {kind: sum(c.outcome == kind for c in self.cases) for kind in ("pass", "fail", "skip")}
        return (f"{len(self.cases)} cases: {count['pass']} passed, {count['fail']} failed, "
                f"{count['skip']} skipped")


def clean(line, domain=None):
    """A raw log line without escapes, time stamp and the prefix of `domain`; None: not of domain."""
    line = ESCAPE.sub("", line.rstrip("\r\n")).replace("\r", "")
    if domain:
        for separator in ("| ", ": "):
            if line.startswith(domain + separator):
                return STAMP.sub("", line[len(domain) + len(separator):], 1)
        return None
    return STAMP.sub("", line, 1)


def disasters(text):
    """The lines of `text` that only something dying says."""
    return [line.strip() for line in text.splitlines() if DISASTER.search(line)]


class Parser:
    def __init__(self):
        self.report = Report()
        self.started = False
        self.notes = []

    def problem(self, text):
        self.report.problems.append(text)

    def _plan(self, match):
        if self.report.plan is not None:
            self.problem(f"second plan '{match[0]}'")
            return
        self.report.plan = int(match[1])
        if self.report.plan == 0:
            self.problem("the plan has no cases")

    def _result(self, match):
        expected = len(self.report.cases) + 1
        if self.report.plan is None:
            self.problem(f"result before the plan: '{match[0]}'")
        if match[2] is None:
            self.problem(f"result without a number: '{match[0]}'")
        number = int(match[2] or expected)
        if number != expected:
            self.problem(f"case {number} where {expected} was due")
        text = match[3] or ""
        directive = DIRECTIVE.search(text)
        kind = directive[1].upper() if directive else ""
        outcome = "pass" if match[1] == "ok" else "fail"
        if outcome == "pass" and kind == "SKIP":
            outcome = "skip"
        elif outcome == "fail" and kind == "XFAIL":
            outcome = "pass"
        elif kind in ("TIMEOUT", "ERROR"):
            outcome = "fail"
        self.report.cases.append(Case(number, text, outcome, self.notes))
        self.notes = []

    def line(self, text):
        if DISASTER.search(text):
            self.problem(text.strip())
        if not self.started:
            match = VERSION.fullmatch(text)
            if match:
                self.started = True
                if match[1] != "1":
                    self.problem(f"KTAP version {match[1]} is unknown")
            return
        if text.startswith("Bail out!"):
            self.problem(text)
        elif VERSION.fullmatch(text):
            self.problem("a second report starts: the machine or the test started again")
        elif match := PLAN.fullmatch(text):
            self._plan(match)
        elif match := RESULT.fullmatch(text):
            self._result(match)
        elif text.startswith("#") or text.startswith("  "):
            self.notes.append(text)

    def finish(self):
        report = self.report
        if not self.started:
            self.problem("no KTAP report at all")
        elif report.plan is None:
            self.problem("no plan")
        elif len(report.cases) != report.plan:
            self.problem(f"{len(report.cases)} of {report.plan} cases reported")
        return report


def parse(text, domain=None):
    """Report of the KTAP in `text`; with `domain`, of that domain's lines only.

    Disasters count wherever they are, in any domain's lines.
    """
    parser = Parser()
    for raw in text.splitlines():
        line = clean(raw, domain)
        if line is None:
            if DISASTER.search(raw):
                parser.problem(raw.strip())
            continue
        parser.line(line)
    return parser.finish()
