# SPDX-License-Identifier: BSD-2-Clause
"""What the tests execute of a kernel: runs them on a QEMU with the plugin `cover`, adds up what it wrote.

The tests are not told: they find QEMU by its name, and the name leads to a script that adds the plugin.
"""

import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

PROGRAM = "qemu-system-x86_64"
# Where code of the kernel runs: the image where it is linked, its boot part, the page of the trampoline.
LOW = "1000-9f000"
BOOT = "100000-102000"


def symbols(elf):
    listing = subprocess.run(["nm", str(elf)], capture_output=True, text=True, check=True).stdout
    return {name: int(address, 16) for address, name in re.findall(r"^(\w+) \w (\S+)$", listing, re.MULTILINE)}


def wrapper(directory, plugin, elf, out):
    """The environment in which QEMU writes into `out` what it executed of this kernel; a script in `directory` stands
    for it. Of boots of other kernels (ringfence-race.elf) nothing is written: their addresses mean something else."""
    known = symbols(elf)
    text = f"{known['text_start']:x}-{known['text_end']:x}"
    script = directory / PROGRAM
    script.write_text(f"""#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
case " $* " in
*" {elf} "*) exec {shutil.which(PROGRAM)} "$@" -plugin {plugin},out={out}/$$.cov,\
range={text},range={LOW},range={BOOT} ;;
*) exec {shutil.which(PROGRAM)} "$@" ;;
esac
""")
    script.chmod(0o755)
    return dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}", RINGFENCE_QEMU=str(script))


def tests(build, pattern):
    """(name, argument vector, environment) of CTest's tests whose names match; CTest's own patterns know no (?!)."""
    listing = subprocess.run(["ctest", "--test-dir", str(build), "--show-only=json-v1"],
                             capture_output=True, text=True, check=True).stdout
    for test in json.loads(listing)["tests"]:
        if not re.search(pattern, test["name"]):
            continue
        properties = {item["name"]: item["value"] for item in test.get("properties", [])}
        if not {"nightly", "release"} & set(properties.get("LABELS", [])) and "command" in test:
            yield test["name"], test["command"], dict(
                item.split("=", 1) for item in properties.get("ENVIRONMENT", []))


def same_kernel(elf, directory):
    """Empties the directory if what is in it is of another kernel."""
    out, now = directory / "machine", hashlib.sha256(elf.read_bytes()).hexdigest()
    stamp = out / "kernel"
    if not stamp.exists() or stamp.read_text() != now:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        stamp.write_text(now)
    return out


def run_one(build, plugin, elf, out, name, command, more):
    """Runs one test, whose boots write into a directory of its own; whether it passed."""
    own = out / name
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    environment = wrapper(own, plugin, elf, own)
    done = subprocess.run(command, env=environment | more, cwd=build, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    result = "FAILED" if done.returncode else "passed"
    print(f"{result} {name}" + (f"\n{done.stdout[-1500:]}" if done.returncode else ""), flush=True)
    (own / "result").write_text(result)


def run(build, plugin, pattern, directory, piece=(1, 1), jobs=1):
    """Runs the tests, or every n-th of them, beside what other pieces have left of this very kernel. Two tests
    whose boots share a log are never run at once: one test has one name."""
    elf = (build / "kernel" / "ringfence.elf").resolve()
    out = same_kernel(elf, directory)
    chosen = list(tests(build, pattern))[piece[0] - 1::piece[1]]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda test: run_one(build, plugin, elf, out, *test), chosen))


def judge_runs(build, pattern, directory):
    """What is wrong with the runs of all pieces: a failure is not ours to judge, but what did not run to its end has
    not been covered."""
    out, problems, count = same_kernel((build / "kernel" / "ringfence.elf").resolve(), directory), [], 0
    for name, _, _ in tests(build, pattern):
        count += 1
        result = out / name / "result"
        if not result.exists():
            problems.append(f"{name} has not been run on this kernel")
        elif result.read_text() != "passed":
            problems.append(f"{name} failed")
    return problems + ([] if count else ["there are no such tests"])


class Executed:
    """The sum of all boots, or of those of the tests `names`: what ran, and the ways conditional jumps went."""

    def __init__(self, directory, names=None):
        self.ran, self.fell, self.taken, self.boots = set(), set(), set(), 0
        self.by_test = collections.defaultdict(set)  # {test: (address, "x", "n" or "t")}
        low, out = set(), pathlib.Path(directory, "machine")
        self.tests = sorted(file.parent.name for file in out.glob("*/result")
                            if names is None or file.parent.name in names)
        for file in sorted(out.rglob("*.cov")):
            if names is not None and file.parent.name not in names:
                continue
            self.boots += 1
            own = self.by_test[file.parent.name]
            for line in file.read_text().splitlines():
                what, address, *ways = line.split()
                address = int(address, 16)
                (low if address < 0xa0000 else self.ran).add(address)
                own.update((address, way) for way in (what, *ways))
                if "n" in ways:
                    self.fell.add(address)
                if "t" in ways:
                    self.taken.add(address)
        self.low_page = max(low, default=0) & ~0xfff
        self.low = {address - self.low_page for address in low if address >= self.low_page}

    def least(self):
        """[(test, what it adds)]: few tests that together do what all do, the one that adds most first."""
        left, chosen = dict(self.by_test), []
        while left:
            test = max(sorted(left), key=lambda name: len(left[name]))
            done = left.pop(test)
            if not done:
                break
            chosen.append((test, len(done)))
            left = {name: does - done for name, does in left.items()}
        return chosen
