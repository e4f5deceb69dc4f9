# SPDX-License-Identifier: BSD-2-Clause
"""Reads suites.toml: the tests, and what is said about them."""

import dataclasses
import pathlib
import tomllib

FILE = pathlib.Path(__file__).with_name("suites.toml")
KEYS = {"group", "quick", "make", "before", "seconds", "plain", "helpers", "slow", "left_out", "unbuilt",
        "remarks", "skips", "run", "programs"}
SECONDS = 20  # of guest time: under icount 20 thousand million instructions


@dataclasses.dataclass(frozen=True)
class Test:
    suite: str
    short: str
    command: str
    seconds: int
    quick: bool
    program: str | None  # the file that must have been built, when it runs as it is

    @property
    def name(self):
        return f"{self.suite}/{self.short}"


class Suite:
    def __init__(self, name, data):
        unknown = data.keys() - KEYS
        if unknown:
            raise ValueError(f"suite {name}: unknown {', '.join(sorted(unknown))}")
        self.name, self.group = name, data["group"]
        self.make = data.get("make", [])
        self.programs = data.get("programs")
        self.helpers = data.get("helpers", [])
        self.left_out, self.unbuilt = data.get("left_out", {}), data.get("unbuilt", {})
        self.remarks, self.skips = data.get("remarks", {}), data.get("skips", {})
        self.tests = list(self._tests(data))
        short = [test.short for test in self.tests]
        slow = data.get("slow", [])
        for wrong in {*self.remarks, *self.skips, *slow} - {*short}:
            raise ValueError(f"suite {name}: {wrong} is not a test of it")
        if len(short) != len(set(short)):
            raise ValueError(f"suite {name}: a test is there twice")

    def _tests(self, data):
        before, seconds = data.get("before", ""), data.get("seconds", SECONDS)

        def test(short, command, program=None, seconds=seconds):
            quick = data.get("quick", False) and short not in data.get("slow", [])
            return Test(self.name, short, f"{before} {command}".strip(), seconds, quick, program)

        for program in data.get("plain", []):
            yield test(program, f"./{program}", program)
        for run in data.get("run", []):
            yield test(run["name"], run["command"], None, run.get("seconds", seconds))

    def named(self):
        """Every file of the suite that suites.toml has an opinion on."""
        return {*self.helpers, *self.left_out, *self.unbuilt,
                *(test.program or test.short for test in self.tests)}

    def staged(self):
        """The files the guest gets."""
        own = set() if self.programs else {test.program or test.short for test in self.tests}
        return own | set(self.helpers)


def load():
    """All suites in the order of the file."""
    return [Suite(name, data) for name, data in tomllib.loads(FILE.read_text())["suite"].items()]


def tests(quick=False, group=None):
    return [test for suite in load() for test in suite.tests
            if (test.quick or not quick) and group in (None, suite.group)]


def groups(quick=False):
    return list(dict.fromkeys(suite.group for suite in load()
                              if not quick or any(test.quick for test in suite.tests)))
