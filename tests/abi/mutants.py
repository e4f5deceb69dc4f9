#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Proof that the cases of races can fail: kernels with one step left out, each of which must be caught.

    mutants.py --build DIR [--only NAME] [--seeds 1-40]

A copy of the kernel's source gets one change at a time and is built as ringfence-race.elf beside the real
one's build. The case named must fail under icount at one of the seeds (with real concurrency at the latest);
the unchanged kernel passes them all, which races.py sees to.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import races

ROOT = pathlib.Path(__file__).resolve().parents[2]

# name, file below kernel/, text that stands there once, what replaces it, case that must notice
MUTANTS = [
    ("flush does not ask the others", "core/mm/aspace.c",
     "	if (flags & PV_FLUSH_ALL)\n", "	if (flags & ~flags & PV_FLUSH_ALL)\n", "race_fill_flush"),
    ("flush does not wait for the others", "core/mm/tlbflush.c",
     "	while (wait) {\n", "	wait = 0;\n	while (wait) {\n", "race_fill_flush"),
    ("release does not flush", "core/mm/mem.c",
     "	flush_cpus(flush_mask(dom)); /* after it", "	/* after it", "race_fill_flush"),
    ("the walk sets D in an entry that has changed", "core/mm/walk.c",
     "		if (!atomic_cmpxchg(p, &e, e | need))\n			return WALK_RETRY;\n",
     "		atomic_store_relaxed(p, e | need);\n", "race_fill_flush"),
    ("revoke does not flush", "core/mm/grant.c",
     "		flush_cpus(flush_mask(holder));\n		spin_lock(&grant_lock);\n		record_shrink(holder, use",
     "		spin_lock(&grant_lock);\n		record_shrink(holder, use", "race_revoke_use"),
    ("revoke leaves the holder's tables", "core/mm/grant.c",
     "		}\n	}\n	tables_drop_all(holder);\n}\n", "		}\n	}\n}\n",
     "race_revoke_use_walked"),
    ("destroying does not wait for the vCPUs", "core/destroy.c",
     "	if (domain_runs(dom)) {\n		sched_domain_stop(dom);\n		return false;\n	}\n", "",
     "race_destroy_run"),
    ("falling asleep does not look again", "core/sched.c",
     "		if (!vcpu_pending(v) && !atomic_load_seq(&v->kicked)) {\n			now_idle(v);\n			break;\n		}\n",
     "		now_idle(v);\n		break;\n",
     "race_hotplug_ipi"),
    ("a kick is not remembered", "core/vcpu.c",
     "	atomic_store_seq(&v->kicked, 1u);\n", "", "race_hotplug_ipi"),
    ("stop does not wait", "core/sched.c",
     "		sched_kick(v);\n		wait_stopped(v);\n		return;\n",
     "		sched_kick(v);\n		return;\n", "race_hotplug_ipi"),
]


class Copy:
    """A tree of its own in which one file differs at a time."""

    def __init__(self, directory):
        self.root = directory / "tree"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns("build", "out", ".git"))
        self.build = directory / "build"
        # A step left out may leave something unused, which is no error here.
        self.run("cmake", "-S", self.root, "-B", self.build, "-G", "Ninja", "-DRINGFENCE_LINUX=OFF",
                 "-DCMAKE_C_FLAGS=-Wno-unused -Wno-type-limits")

    def run(self, *argv):
        environment = dict(os.environ, CCACHE_BASEDIR=str(self.root), CCACHE_NOHASHDIR="1")
        done = subprocess.run([str(word) for word in argv], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(f"{argv[0]}:\n{done.stdout[-4000:]}")

    def kernel(self, file, old, new):
        path = self.root / "kernel" / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"{file}: the text of this mutant stands there {text.count(old)} times:\n{old}")
        path.write_text(text.replace(old, new))
        self.run("ninja", "-C", self.build, "ringfence-race.elf")
        path.write_text(text)
        return self.build / "kernel" / "ringfence-race.elf"


def caught(kernel, build, path, case, seeds):
    """How the mutant gave itself away: (icount?, seed, first problem), or None."""
    for icount in (True, False):
        for seed in seeds:
            _, problems, _ = races.run(kernel, build, path, seed, icount, case)
            if problems:
                return icount, seed, " ".join(problems)[:300]
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--only", help="mutants with this in their name")
    parser.add_argument("--seeds", type=races.seeds_of, default=races.seeds_of("1-20"))
    options = parser.parse_args()
    survived, tried = [], 0
    with tempfile.TemporaryDirectory(prefix="mutants") as directory:
        directory = pathlib.Path(directory)
        path = races.image(options.build, directory)
        copy = Copy(directory)
        for name, file, old, new, case in MUTANTS:
            if options.only and options.only not in name:
                continue
            tried += 1
            how = caught(copy.kernel(file, old, new), options.build, path, case, options.seeds)
            if how:
                print(f"caught: {name}: {case}, seed {how[1]}, "
                      f"{'icount' if how[0] else 'two CPUs at once'}: {how[2]}", flush=True)
            else:
                survived.append(name)
                print(f"SURVIVED: {name}: {case}", flush=True)
    print(f"{tried} mutants, {len(survived)} survived")
    return 1 if survived or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
