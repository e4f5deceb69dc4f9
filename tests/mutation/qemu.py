#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Breaks the processor's part of the kernel in many ways and sees whether tests notice, on QEMU and on the host.

    qemu.py --build DIR [--sample N] [--seed N] [--report FILE] [--alive] [--keep]

One kernel has every mutant of kernel/arch/x86_64 in it (mutate.py, everything); which is at work is a word of the image
that is written before it boots. Tests of CTest are run as they are: they find QEMU by its name, and the name leads to a
script that boots the broken kernel in place of the build's and ends a boot that uses more instructions than it should.
First each test runs with no mutant at work, and tells which it comes by. A mutant meets the quick tests, then the host
tests of its file if there are any, which take no time, then the other tests on QEMU.

excused-qemu.toml names mutants that change nothing a test could notice, with the reason. A run of the whole sample
fails if a mutant of the kind `check` survives, if fewer than KILLED percent are noticed, or if an excuse is of no
survivor.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests" / "coverage")]

import machine  # noqa: E402
import mutate  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402

SAMPLE, SEED = 200, 1
# The least share of the sample that must be noticed, in percent.
KILLED = 85
# The quick ones that notice most; then, after the host's, the others.
QUICK = ("system.boot.q35-2cpu", "system.toy.1cpu", "system.toy.2cpu-3vcpu")
TESTS = (*QUICK, "system.boot.doors", "system.boot.timer", "system.boot.poweroff", "system.boot.reboot",
         "system.boot.panic-fault", "system.boot.panic-exec", "system.boot.panic-stack", "system.boot.microvm",
         "system.boot.pc-16cpu", "system.boot.small-pages", "system.boot.memory-none", "system.boot.cpu-no-syscall",
         "system.boot.cpu-qemu64", "system.toy.qemu64", "abi.general", "abi.events-1", "abi.events-2", "abi.walked-1",
         "abi.walked-2", "abi.devices-iommu", "abi.vcpus", "abi.every-call-1", "abi.advisories", "abi.smap",
         "system.toy.vtlb-0", "abi.domains", "abi.memory", "abi.hostile", "abi.cpu-EPYC", "abi.events-1-2cpu",
         "abi.events-2-2cpu", *(f"abi.every-call-{part}" for part in range(2, 7)))
# Host tests by the files of the kernel they are built from.
ON_HOST = {"test_apic": "ioapic lapic", "test_clock": "clock", "test_cpu": "console cpuid power",
           "test_start": "boot cpu_features platform pvh smp", "test_boot": "cpu_features", "test_traps": "traps",
           "test_vtd": "vtd pci_ports dmar", "test_dmar": "dmar", "test_emulate": "emulate",
           "test_firmware": "acpi multiboot2", "test_whole": "event vcpu_setup", "test_calls": "event vcpu_setup",
           "test_sched": "event vcpu_setup"}
# How many times the instructions and seconds it takes without a mutant a boot may use. CPUs that really run at once
# wait for each other for as long as the host lets them, so it is not few.
BUDGET, MORE, PATIENCE, LEAST = 20, 10 ** 9, 8, 30
PLUGIN = "tests/plugin/libcount.so"


def all_mutants(kernel, write):
    mutator = mutate.Mutator(everything=True)
    for path in sorted((kernel / "arch" / "x86_64").glob("*.c")):
        text = mutator.mutate(str(path.relative_to(kernel)), path.read_text())
        if write:
            path.write_text(text)
    return mutator.mutants


def mutated_tree(tree, header):
    """A copy of the source with the mutants in it."""
    old = tree.with_name(tree.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if tree.exists():
        tree.rename(old)
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", "out", ".git"))
    (tree / "kernel" / "include" / "mutant.h").write_text(header)
    # What is left out may leave something unused.
    for path in (tree / "cmake" / "HostTest.cmake", tree / "kernel" / "CMakeLists.txt"):
        path.write_text(re.sub(r"[ ;]-Werror(?=>?\))", "", path.read_text()))
    all_mutants(tree / "kernel", True)
    run.keep_times(tree, old)


def build(tree, out, *targets):
    for argv in (("cmake", "-S", tree, "-B", out, "-G", "Ninja", "-DRINGFENCE_LINUX=OFF", "-DRINGFENCE_SANITIZE=OFF"),
                 ("ninja", "-C", out, *targets)):
        done = subprocess.run([str(word) for word in argv], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(f"{argv[0]}:\n{done.stdout[-4000:]}")


class Kernel:
    """The image with all mutants, and where in it the word is."""

    def __init__(self, elf):
        self.data = elf.read_bytes()
        address = machine.symbols(elf)["mutant_at_work"]
        headers, count = struct.unpack_from("<Q", self.data, 32)[0], struct.unpack_from("<H", self.data, 56)[0]
        for i in range(count):
            _, _, offset, start, _, size = struct.unpack_from("<IIQQQQ", self.data, headers + 56 * i)
            if start <= address < start + size:
                self.at = offset + address - start
        if struct.unpack_from("<I", self.data, self.at)[0] != mutate.NONE:
            sys.exit(f"{elf}: the word that names the mutant is not where it should be")

    def write(self, path, number):
        path.write_bytes(self.data[:self.at] + struct.pack("<I", number) + self.data[self.at + 4:])


class Machine:
    """Runs tests of the build on another kernel."""

    def __init__(self, build_directory, directory, kernel):
        self.build, self.directory, self.kernel = build_directory, directory, kernel
        self.image = directory / "mutant.elf"
        self.told = directory / "told"
        script = directory / "bin" / machine.PROGRAM
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"""#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
arguments=()
for word; do
	case "$word" in
	{build_directory}/kernel/ringfence.elf) word={self.image} ;;
	*/libcount.so,budget=*) word="{build_directory / PLUGIN},budget=$MUTANT_BUDGET" ;;
	esac
	arguments+=("$word")
done
case " $* " in
*" -plugin "*) ;;
*) arguments+=(-plugin "{build_directory / PLUGIN},budget=$MUTANT_BUDGET") ;;
esac
[ -z "$MUTANT_TOLD" ] || arguments+=(-chardev "file,id=told,path=$MUTANT_TOLD/$$" \\
	-device isa-debugcon,iobase={mutate.PORT:#x},chardev=told)
exec {shutil.which(machine.PROGRAM)} "${{arguments[@]}}" 2> >(tee -a "$MUTANT_ERRORS" >&2)
""")
        script.chmod(0o755)
        self.environment = dict(os.environ, PATH=f"{script.parent}:{os.environ['PATH']}", RINGFENCE_QEMU=str(script))
        pattern = "^(" + "|".join(map(re.escape, TESTS)) + ")$"
        found = {name: (command, more) for name, command, more in machine.tests(build_directory, pattern)}
        if set(found) != set(TESTS):
            sys.exit(f"no such tests: {set(TESTS) - set(found)}")
        self.commands = {name: found[name] for name in TESTS}
        self.known = {}  # test -> (seconds, instructions of its longest boot, mutants it comes by)

    def run(self, test, number, told=""):
        """What gave it away, or None; seconds; instructions."""
        self.kernel.write(self.image, number)
        errors = self.directory / "errors"
        errors.write_text("")
        command, more = self.commands[test]
        seconds, insns, _ = self.known.get(test, (400, 10 ** 11, None))
        start = time.monotonic()
        why = run.run(command, LEAST + PATIENCE * seconds, MUTANT_BUDGET=str(BUDGET * insns + MORE),
                      MUTANT_TOLD=str(told), MUTANT_ERRORS=str(errors), **(
                          {key: self.environment[key] for key in ("PATH", "RINGFENCE_QEMU")} | more))
        counted = [int(n) for n in re.findall(r"^COUNT total=(\d+)", errors.read_text(), re.MULTILINE)]
        return why, time.monotonic() - start, max(counted, default=0)

    def baseline(self):
        for test in TESTS:
            shutil.rmtree(self.told, ignore_errors=True)
            self.told.mkdir()
            why, _, _ = self.run(test, mutate.NOTE, self.told)
            seen = set()
            for file in self.told.iterdir():
                data = file.read_bytes()
                seen |= {number for number, in struct.iter_unpack("<H", data[:len(data) & ~1])}
            again, seconds, insns = self.run(test, mutate.NONE)
            if why or again:
                sys.exit(f"{test} fails without a mutant: {why}, {again}")
            self.known[test] = seconds, insns, seen
            print(f"{test}: {seconds:.1f} s, {insns} instructions, comes by {len(seen)} mutants", flush=True)

    def judge(self, mutant, tests):
        """(test, how) that noticed, None, or report.NOT_REACHED."""
        tried = False
        for test in tests:
            if not run.reached(mutant, self.known[test][2]):
                continue
            tried = True
            why, _, _ = self.run(test, mutant.number)
            # Tests on CPUs that really run at once may fail of a busy machine: it has to happen twice.
            if why == "test":
                why, _, _ = self.run(test, mutant.number)
            if why:
                return test, why
        return None if tried else report.NOT_REACHED


def judge_on_host(mutant, programs):
    for test, files in ON_HOST.items():
        if pathlib.Path(mutant.file).stem in files.split():
            why = run.run(programs[test], 60, MUTANT=str(mutant.number))
            if why:
                return f"host.{test}", why
    return None


def try_all(options, directory, chosen, before):
    build_directory = options.build.resolve()
    if not options.no_build:
        mutated_tree(directory / "tree", mutate.KERNEL_HEADER)
        build(directory / "tree", directory / "kernel", "ringfence.elf")
        mutated_tree(directory / "host-tree", mutate.HEADER)
        build(directory / "host-tree", directory / "host", *ON_HOST)
    board = Machine(build_directory, directory, Kernel(directory / "kernel" / "kernel" / "ringfence.elf"))
    programs = {test: [str(next(path for path in (directory / "host").rglob(test) if path.is_file()))]
                for test in ON_HOST}
    known = directory / "baseline.json"
    if options.no_build and known.exists():
        board.known = {test: (seconds, insns, set(seen))
                       for test, (seconds, insns, seen) in json.loads(known.read_text()).items()}
    else:
        board.baseline()
        known.write_text(json.dumps({test: (seconds, insns, sorted(seen))
                                     for test, (seconds, insns, seen) in board.known.items()}))
    for mutant in chosen:
        known_by = (before.get(mutant.number) or report.NOT_REACHED)[0]
        first = [test for test in TESTS if test == known_by] + [test for test in QUICK if test != known_by]
        result = board.judge(mutant, first)
        if result in (None, report.NOT_REACHED):
            rest = [test for test in TESTS if test not in first]
            result = judge_on_host(mutant, programs) or board.judge(mutant, rest)
        how = ("survived" if result is None else "not reached" if result == report.NOT_REACHED
               else f"killed by {result[0]} ({result[1]})")
        print(f"{mutant.number}: {mutant.file}:{mutant.line}: {mutant.key}: {how}", flush=True)
        yield mutant.number, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--sample", type=int, default=SAMPLE)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--alive", action="store_true", help="only those that the last runs did not kill")
    parser.add_argument("--no-build", action="store_true", help="what the last run built and measured is up to date")
    parser.add_argument("--keep", action="store_true", help="run nothing: judge what the last runs found out")
    parser.add_argument("--report", type=pathlib.Path, help="write the part of this page that is about QEMU")
    options = parser.parse_args()
    directory = options.build.resolve() / "mutation-qemu"
    directory.mkdir(parents=True, exist_ok=True)
    mutants = all_mutants(ROOT / "kernel", False)
    drawn = random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))
    sample = sorted(drawn, key=lambda one: one.number)
    results = run.remembered(directory / "results.json", mutants)
    chosen = [] if options.keep else [one for one in sample if not (
        options.alive and results.get(one.number, report.NOT_REACHED) not in (None, report.NOT_REACHED))]
    for number, result in try_all(options, directory, chosen, dict(results)) if chosen else ():
        results[number] = result
        run.remember(directory / "results.json", mutants, results)
    sample = [one for one in sample if one.number in results]
    excused, problems = run.judge(sample, results, True, HERE / "excused-qemu.toml", "arch/x86_64/", KILLED)
    print(report.summary(sample, results, excused))
    if options.report:
        report.write_qemu(options.report, len(mutants), sample, results, excused, options.seed)
    print("\n".join(problems))
    return 1 if problems or not sample else 0


if __name__ == "__main__":
    sys.exit(main())
