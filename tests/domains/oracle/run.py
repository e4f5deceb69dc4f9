#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The reference model (tests/model) as an oracle for the kernel that runs in QEMU: driver.c makes random steps on both.

    run.py --build DIR [--cpus 1] [--icount] [--seed 1] [--boots 2] [--steps 5000]
           [--plant result|state] [--verbose]

Each boot is an episode with a seed of its own. A divergence is shown with its seed, its step and the steps before
it; with --icount it is booted again and must come out the same. With --plant the driver spoils a result, or does on
the side what the model does not know of: the run is good if that is found at that step, or when the whole state is
compared next.
"""

import argparse
import collections
import pathlib
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import pvrun  # noqa: E402
from manifest import lower, schema  # noqa: E402
from ringfence import qemu  # noqa: E402

FIXED_INSNS = 4_000_000_000
INSNS_A_STEP = 2_000_000  # a puppet on a CPU that is busy elsewhere is waited for
WALL = 3000
COLUMNS = ("0", ">0", "NOSYS", "INVAL", "RANGE", "CAP", "PERM", "DEAD", "STATE", "FAULT", "NOENT", "EXIST", "BUSY",
           "NOSPC", "NOMEM", "AGAIN")
EVERY = 64  # as in driver.c


def boot(options, image, seed):
    machine = qemu.Machine(
        kernel=options.kernel or options.build / "kernel" / "ringfence.elf", image=image, cpus=options.cpus,
        icount=options.icount,
        append=f"panic=exit oracle.seed={seed} oracle.steps={options.steps}"
               + (f" oracle.plant={options.plant}" if options.plant else "")
               + (" oracle.verbose=1" if options.verbose else ""))
    result = pvrun.boot(machine, options.build, FIXED_INSNS + INSNS_A_STEP * options.steps, WALL)
    return result, pvrun.judge_alone(result, 1)


def diverged(result):
    """Seed, step and what it was; None: it did not."""
    found = re.search(r"# DIVERGENCE seed (\d+) step (\d+): (.*)", result.kernel)
    return found and (int(found[1]), int(found[2]), found[3])


def show(result, problems, options, seed):
    where = diverged(result)
    shown = [line for line in result.kernel.splitlines() if line.startswith("#   ")]
    print(*shown[-12:], sep="\n")
    print(f"DIVERGENCE seed {where[0]} step {where[1]}: {where[2]}" if where else "the machine ended", *problems,
          sep="\n    ")
    print(f"replay: run.py{' --icount' if options.icount else ''} --cpus {options.cpus} --seed {seed} --boots 1 "
          f"--steps {options.steps}")


def planted_is_found(result, options):
    """In the middle of the episode, at that step or until the next comparison of everything."""
    where, at = diverged(result), options.steps // 2
    print(f"planted {options.plant} at step {at}: {where}")
    return bool(where) and at <= where[1] <= at + EVERY


def histogram(rows):
    print(" " * 14 + "".join(f"{name:>9}" for name in COLUMNS))
    for name, counts in rows.items():
        print(f"{name:14}" + "".join(f"{n or '.':>9}" for n in counts[:len(COLUMNS)]))


def run(options, image):
    rows, sums, begin = {}, collections.Counter(), time.monotonic()
    for seed in range(options.seed, options.seed + options.boots):
        result, problems = boot(options, image, seed)
        if options.plant:
            if not planted_is_found(result, options):
                return False
            continue
        if problems:
            show(result, problems, options, seed)
            if options.icount:
                again = diverged(boot(options, image, seed)[0])
                print(f"replayed: {'the same' if again == diverged(result) else f'differs: {again}'}")
            return False
        told = dict(re.findall(r"(\w+)=(\d+)", re.search(r"# oracle (.*)", result.kernel)[1]))
        sums.update({key: int(value) for key, value in told.items() if key != "seed"})
        for name, counts in re.findall(r"# results (\S+)((?: \d+)+)", result.kernel):
            old = rows.get(name, [0] * 17)
            rows[name] = [a + int(b) for a, b in zip(old, counts.split())]
    if options.plant:
        return True
    histogram(rows)
    seconds = time.monotonic() - begin
    print(f"seeds {options.seed} to {options.seed + options.boots - 1}: {sums['calls']} calls and {sums['accesses']} "
          f"accesses, {sums['puppets']} of them by other domains, {sums['away']} that did not come back at once, "
          f"{sums['states']} whole states compared, {seconds:.1f} s: kernel and model agree")
    if options.steps * options.boots >= 5000 and not (sums["puppets"] * 4 > sums["calls"] and sums["away"]):
        print("too tame: other domains have done too little")
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--kernel", type=pathlib.Path)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--icount", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--boots", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--plant", choices=("result", "state"))
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    manifest = pathlib.Path(__file__).with_name("oracle.toml")
    with tempfile.TemporaryDirectory(prefix="oracle") as directory:
        image = pathlib.Path(directory) / "image"
        image.write_bytes(lower.lower(schema.parse(manifest.read_text()), manifest.parent, options.build, 512 << 20)[0])
        return 0 if run(options, image) else 1


if __name__ == "__main__":
    sys.exit(main())
