# SPDX-License-Identifier: BSD-2-Clause
"""What the tests execute of a kernel: runs them on a QEMU with the plugin `cover`, adds up what it wrote.

The tests are not told: they find QEMU by its name, and the name leads to a script that adds the plugin.
"""

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
    """A directory for PATH in which QEMU writes into `out` what it executed of this kernel. Of boots of other
    kernels (ringfence-race.elf) nothing is written: their addresses mean something else."""
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


def run(build, plugin, pattern, directory):
    """Runs the tests; the names of those that failed, and how many ran. A failure is not ours to judge, but
    what did not run to its end has not been covered."""
    out = directory / "machine"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    environment = wrapper(directory, plugin, (build / "kernel" / "ringfence.elf").resolve(), out)
    failed, count = [], 0
    for name, command, more in tests(build, pattern):
        done = subprocess.run(command, env=environment | more, cwd=build, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        count += 1
        line = f"{'passed' if not done.returncode else 'FAILED'} {name}"
        print(line, flush=True)
        with (out / "tests").open("a") as log:
            log.write(line + "\n")
        if done.returncode:
            print(done.stdout[-1500:], flush=True)
            failed.append(name)
    return failed, count


class Executed:
    """The sum of all boots: addresses that ran, and the ways conditional jumps went."""

    def __init__(self, directory):
        self.ran, self.fell, self.taken, self.boots = set(), set(), set(), 0
        low, log = set(), pathlib.Path(directory, "machine", "tests")
        self.tests = [line.split()[1] for line in log.read_text().splitlines()] if log.exists() else []
        for file in sorted(pathlib.Path(directory, "machine").glob("*.cov")):
            self.boots += 1
            for line in file.read_text().splitlines():
                _, address, *ways = line.split()
                address = int(address, 16)
                (low if address < 0xa0000 else self.ran).add(address)
                if "n" in ways:
                    self.fell.add(address)
                if "t" in ways:
                    self.taken.add(address)
        self.low_page = max(low, default=0) & ~0xfff
        self.low = {address - self.low_page for address in low if address >= self.low_page}
