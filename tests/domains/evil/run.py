#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A malicious guest beside a victim (driver.c), on ringfence-race.elf with two CPUs.

    run.py --build DIR [--icount] [--seed 1] [--calls 200000] [--kernel ELF] [--plant change|leak|vm86]
    run.py --build DIR --replay FINDING.json

A finding is a kernel panic, a victim that was changed, seen or stopped, levels that do not come back, or a
machine that stands still. (QEMU 7.2 ends in an assertion of its own when a guest comes to run at address ~0, and lets an
IRETD set the VM flag in long mode, see tests/plugin/vm86.h: both are no finding, the run goes on with the next seed.)
It is kept in <build>/logs/tests as seed, step of each vCPU and everything a boot
needs. With --icount it is booted again at once and must come out equal to the instruction. With --plant the
driver does itself what the attacker must not be able to do: the run is good if that is found and replayed. With
--plant vm86 an attacker does such an IRETD: the run is good if that is what ended the machine.
"""

import argparse
import collections
import hashlib
import json
import pathlib
import re
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import grammar  # noqa: E402
import pvrun  # noqa: E402
from manifest import lower, schema  # noqa: E402
from ringfence import qemu  # noqa: E402

VM_FLAG = "an IRETD has set the VM flag"
QEMU_FLAWS = {"Assertion `s->pc_save != -1' failed": "code at address ~0", VM_FLAG: VM_FLAG}
INSNS_A_CALL = 50_000  # far more than any; a machine that uses them stands still
FIXED_INSNS = 4_000_000_000
WALL = 28_000
TELLING_LIVES = 60  # about one life in four ends by force
LIFE_MS = 1000  # without icount, where it is the build machine's time


def boot(options, path):
    """The result, what is wrong with it."""
    machine = qemu.Machine(
        kernel=options["kernel"], image=path, cpus=2, icount=options["icount"],
        append=f"panic=exit race={options['seed']} evil.seed={options['seed']} evil.calls={options['calls']}"
               + ("" if options["icount"] else f" evil.life={LIFE_MS}")
               + (f" evil.plant={options['plant']}" if options["plant"] else ""))
    budget = FIXED_INSNS + INSNS_A_CALL * options["calls"]
    result = pvrun.boot(machine, pathlib.Path(options["build"]), budget, WALL)
    return result, pvrun.judge_alone(result, 1)


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def finding_of(options, path, result, problems):
    return options | {"kernel_sha256": digest(options["kernel"]), "image_sha256": digest(path),
                      "found_at_seed": last_seed(result), "steps": result.steps,
                      "insns": result.insns, "problems": problems}


def histogram(rows, width=8):
    """Calls by operation and error, as the attackers counted them."""
    abi = tomllib.loads((ROOT / "pv-abi" / "abi.toml").read_text())
    errors = ["done", *(error["name"] for error in abi["error"])]
    names = [call["name"] + (f" {op['name']}" if op else "") for call, op in grammar.operations(abi)]
    if rows:
        print(" " * 26 + "".join(f"{name.removeprefix('E'):>{width}}" for name in errors))
    for row, counts in sorted(rows.items()):
        print(f"{names[row] if row < len(names) else '?':26}"
              + "".join(f"{count or '.':>{width}}" for count in counts[:len(errors)]))


class Sums:
    """What several boots came to together."""

    def __init__(self):
        self.begin, self.lives, self.calls, self.insns, self.died, self.rounds = time.monotonic(), *[0] * 5
        self.rows, self.flaws = {}, collections.Counter()

    def add(self, result):
        """The lives and hypercalls of one boot; of one that broke off those it had told of."""
        self.insns += result.insns or 0
        told = re.findall(r"((?:# calls .*\n)+)# evil lives=(\d+) died=(\d+) calls=(\d+) rounds=(\d+)", result.kernel)
        if not told:
            return
        rows, lives, died, calls, rounds = told[-1]
        self.lives += int(lives)
        self.died += int(died)
        self.calls += int(calls)
        self.rounds += int(rounds)
        for row, counts in re.findall(r"# calls (\d+)((?: \d+)+)", rows):
            old = self.rows.setdefault(int(row), [0] * 16)
            self.rows[int(row)] = [a + int(b) for a, b in zip(old, counts.split())]

    def toothless(self, icount):
        """What shows that the attackers do not attack: of the lives of a long run some end by force. Not where both
        CPUs run at once: there a busy build machine lets none of 130 come that far in its 60 ms."""
        if self.lives < 2 or (icount and self.lives >= TELLING_LIVES and not self.died):
            return f"too tame: of {self.lives} attackers {self.died} were stopped for what they did"
        return None

    def report(self):
        seconds = time.monotonic() - self.begin
        print(f"{self.lives} attackers, {self.calls} hypercalls, {self.calls / seconds:.0f} a second, {self.died} "
              f"attackers stopped for what they did, {self.rounds} rounds of the victim, {self.insns} instructions, "
              f"{self.flaws.total()} boots ended by QEMU itself"
              + "".join(f", {n} of them by {what}" for what, n in self.flaws.items()))
        histogram(self.rows)


def replay(finding, path):
    """Boots a finding again; true if the same comes out."""
    again, problems = boot(finding, path)
    same = (finding["problems"], finding["insns"], finding["steps"]) == (problems, again.insns, again.steps)
    print(f"replayed: {'the same' if same else f'differs: {again.insns} instructions, {again.steps}, {problems}'}")
    return same


def last_seed(result):
    """Of the life in which a boot ended; None: before the first."""
    seeds = re.findall(r"# life \d+ seed (\d+)", result.kernel)
    return int(seeds[-1]) if seeds else None


def flaw_of(problems):
    """Which of QEMU's own ended the machine; None: none of them."""
    return next((what for text, what in QEMU_FLAWS.items() if any(text in line for line in problems)), None)


def keep(options, path, result, problems):
    """Writes down what is needed to see it again."""
    finding = finding_of(options, path, result, problems)
    place = pathlib.Path(options["build"]) / "logs" / "tests" / f"evil-{finding['found_at_seed']}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(finding, indent=1))
    place.with_suffix(".log").write_text(result.text)
    print(f"FINDING at seed {finding['found_at_seed']}, steps {result.steps}: {place}", *problems, sep="\n    ")
    return finding


def attack(options, path):
    sums, first = Sums(), options
    while True:
        result, problems = boot(options, path)
        sums.add(result)
        flaw = flaw_of(problems)
        if options["plant"] == "vm86":
            print(f"ended by: {flaw}", *problems)
            return flaw == VM_FLAG
        if not flaw:
            break
        sums.flaws[flaw] += 1
        options = options | {"seed": (last_seed(result) or options["seed"]) + 1,
                             "calls": max(first["calls"] - sums.calls, 20_000)}  # several lives
    sums.report()
    if not problems:
        print(sums.toothless(options["icount"]) or "no finding")
        return not (sums.toothless(options["icount"]) or options["plant"])
    finding = keep(options, path, result, problems)
    if not options["plant"]:
        print(*result.lines()[-60:], sep="\n")
    same = not options["icount"] or replay(finding, path)
    wanted = {"change": "the victim found wrong", "leak": "should not see"}.get(options["plant"])
    return bool(wanted and same and any(wanted in line for line in problems))


def make_image(directory, build):
    manifest = pathlib.Path(__file__).with_name("evil.toml")
    path = pathlib.Path(directory) / "image"
    path.write_bytes(lower.lower(schema.parse(manifest.read_text()), manifest.parent, build, 512 << 20)[0])
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--kernel", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--icount", action="store_true")
    parser.add_argument("--plant", choices=("change", "leak", "vm86"))
    parser.add_argument("--replay", type=pathlib.Path)
    args = parser.parse_args()
    kernel = args.kernel or args.build / "kernel" / "ringfence-race.elf"
    options = {"build": str(args.build), "kernel": str(kernel), "seed": args.seed, "calls": args.calls,
               "icount": args.icount, "plant": args.plant}
    with tempfile.TemporaryDirectory(prefix="evil") as directory:
        path = make_image(directory, args.build)
        if not args.replay:
            return 0 if attack(options, path) else 1
        finding = json.loads(args.replay.read_text())
        if (digest(finding["kernel"]), digest(path)) != (finding["kernel_sha256"], finding["image_sha256"]):
            print("note: kernel or image are not those of the finding")
        return 0 if replay(finding, path) else 1


if __name__ == "__main__":
    sys.exit(main())
