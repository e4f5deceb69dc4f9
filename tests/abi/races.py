#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The cases of races, once for each seed, on ringfence-race.elf and two CPUs.

    races.py --build DIR [--area PAR] [--seeds 1-20] [--icount] [--case NAME] [--kernel ELF]

Areas: RAC, what one takes away while another uses it, and PAR, two operations on one object at once. Of the latter
each pair must have met in the kernel at one of the seeds at least (unless it is one seed alone).

With --icount the CPUs take turns and the seed decides every turn: the first seed is run twice and must come
out equal to the instruction, and no two seeds may have taken the same turns. Without it both CPUs run at
once and a seed only sets the delays.
"""

import argparse
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import pvrun  # noqa: E402
from manifest import lower, schema  # noqa: E402
from ringfence import qemu  # noqa: E402

BUDGET = 8_000_000_000
BUDGET_AT_ONCE = 200_000_000_000  # who waits spins, for as long as the build machine pleases
WALL = 1800
CASES = {"RAC": 8, "PAR": 150}  # at least
CPUS = {"RAC": 2, "PAR": 3}
SEEDS_TO_MEET = 20
MET = re.compile(r"# pair (\w+) rounds=(\d+) met=(\d+) a=(\d+) b=(\d+) named=(\d+)")


def image(build, directory):
    manifest = ROOT / "tests" / "abi" / "abi.toml"
    path = pathlib.Path(directory) / "image"
    path.write_bytes(lower.lower(schema.parse(manifest.read_text()), manifest.parent, build, 512 << 20)[0])
    return path


def run(kernel, build, path, seed, icount=False, case=None, area="RAC"):
    """One boot; the result, what is wrong with it, and which turns the CPUs took."""
    which = f"abi.case={case}" if case else f"abi={area}"
    machine = qemu.Machine(kernel=kernel, image=path, cpus=CPUS[area], icount=icount,
                           append=f"panic=exit {which} race={seed} abi.seed={seed}")
    result = pvrun.boot(machine, build, BUDGET if icount else BUDGET_AT_ONCE, WALL)
    problems = pvrun.judge_alone(result, 1 if case else CASES[area])
    turns = re.search(r"race: seed \d+, (\d+) pauses, order ([0-9a-f]+)", result.kernel)
    if not turns and not problems:
        problems.append("the kernel says nothing of its race points")
    return result, problems, turns and turns.groups()


def add_pairs(pairs, result):
    """{pair: [rounds, rounds in which the two met, came out like A first, like B first, like a named outcome]}"""
    for found in MET.finditer(result.kernel):
        sums = pairs.setdefault(found[1], [0] * 5)
        pairs[found[1]] = [old + int(new) for old, new in zip(sums, found.groups()[1:])]


def pairs_that_never_met(pairs):
    """Tells what the pairs came to."""
    if pairs:
        rounds, met, first, second, named = (sum(column) for column in zip(*pairs.values()))
        print(f"{len(pairs)} pairs, {rounds} rounds, in {met} of them the two met; like A first {first}, "
              f"like B first alone {second}, as named {named}")
    return sorted(name for name, sums in pairs.items() if not sums[1])


def seeds_of(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--kernel", type=pathlib.Path)
    parser.add_argument("--seeds", type=seeds_of, default=seeds_of("1-20"))
    parser.add_argument("--icount", action="store_true")
    parser.add_argument("--case")
    parser.add_argument("--area", choices=CASES, default="RAC")
    options = parser.parse_args()
    kernel = options.kernel or options.build / "kernel" / "ringfence-race.elf"
    failed, seen, pairs = [], {}, {}
    with tempfile.TemporaryDirectory(prefix="races") as directory:
        path = image(options.build, directory)
        for seed in options.seeds:
            result, problems, turns = run(kernel, options.build, path, seed, options.icount, options.case,
                                          options.area)
            add_pairs(pairs, result)
            print(f"seed {seed}: {turns and turns[0]} pauses, {result.insns} instructions", flush=True)
            if options.icount and not problems:
                if not seen:
                    again, _, same = run(kernel, options.build, path, seed, True, options.case,
                                         options.area)
                    if (again.insns, same) != (result.insns, turns):
                        problems.append(f"run again: {same}, {again.insns} instructions")
                if turns[1] in seen:
                    problems.append(f"takes the same turns as seed {seen[turns[1]]}")
                seen[turns[1]] = seed
            if problems:
                failed.append(seed)
                print("\n".join(["PROBLEMS:", *problems, *result.lines()[-30:]]), flush=True)
    never = pairs_that_never_met(pairs) if len(options.seeds) > 1 else []
    # Of few seeds none may bring a pair together, and two real CPUs meet as the build machine likes.
    luck = len(options.seeds) < SEEDS_TO_MEET or not options.icount
    if never:
        print("never met:", *never)
    print(f"{len(options.seeds)} seeds, failed: {failed or 'none'}")
    return 1 if failed or (never and not luck) or not len(options.seeds) else 0


if __name__ == "__main__":
    sys.exit(main())
