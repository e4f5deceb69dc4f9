#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs Linux's own tests natively and in VMs, from one bzImage and one initial file system, and compares.

    matrix.py --build DIR [--quick] [--group NAME...] [--columns NAME,...] [--only SUITE/TEST,...]

A VM column is compared to the native one of the same run or, where `--columns` leaves that out, of an earlier run.

Each group of tests is booted once per column. A test (or a case inside one) that passes natively and fails in a
VM is named and makes the run fail. The outcomes of a full run are kept in <build>/kselftest/results, from which
table.py writes docs/kselftest.md. On one CPU everything runs under icount: guest time is instructions executed,
so no outcome depends on the host's speed.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(ROOT / "tools"), str(ROOT / "tests/runner"), str(ROOT / "tests/system")]

import harness  # noqa: E402
import pvrun  # noqa: E402
import results  # noqa: E402
import suites  # noqa: E402
from ringfence import qemu  # noqa: E402

MEM = 768           # MiB of the guest, native and VM
KERNEL_MEM = 192    # MiB more for the microkernel and the other domains
# QEMU 7.2 lets LRETQ of a user program fault when SMAP is on, which kills native Linux; Ringfence leaves SMAP off
# there. A VM has no protection keys, and one test executes WRPKRU without asking CPUID. Without the two features both
# columns run the same instructions.
CPU = qemu.CPU + ",-smap,-pku"
WALL = 6 * 3600


@dataclasses.dataclass(frozen=True)
class Column:
    title: str
    vtlb: object = None     # None: native
    cpus: int = 1
    scale: int = 1          # of the tests' time limits
    against: str = "native"


COLUMNS = {
    "native": Column("native"),
    "max": Column("VM, max", "max", scale=4),
    "64": Column("VM, 64", 64, scale=8),
    "0": Column("VM, 0", 0, scale=60),
    "native-2": Column("native, 2 CPUs", cpus=2, scale=8),
    "max-2": Column("VM, 2 vCPUs", "max", cpus=2, scale=8, against="native-2"),
}


def machine(options, column, words, image):
    """The QEMU machine of a boot; a VM's boot image is written to `image`."""
    line = f"quiet panic=-1 {words}"
    if column.vtlb is None:
        return qemu.Machine(kernel=options.build / "linux/arch/x86/boot/bzImage", image=options.initramfs,
                            cpus=column.cpus, mem=MEM, append=f"console=ttyS0 {line}",
                            cpu=CPU, icount=column.cpus == 1)
    guest = harness.service("guest", f"console=hvc0 {line}", "bzImage", "linux",
                            initrd=options.initramfs.name, mem=f"{MEM}M", vcpus=column.cpus,
                            vtlb=column.vtlb, on_exit="shutdown")
    image.write_bytes(harness.System(options.build, "kselftest").image(guest))
    return qemu.Machine(kernel=options.build / "kernel/ringfence.elf", image=image, cpus=column.cpus,
                        mem=MEM + KERNEL_MEM, append="panic=exit headless exit-with=guest",
                        cpu=CPU, icount=column.cpus == 1)


def boot(options, key, group):
    """Run a group in a column; its results.Boot."""
    column = COLUMNS[key]
    names = [test.name for test in suites.tests(options.quick, group)
             if not options.only or test.name in options.only]
    words = f"ks.group={group} ks.scale={column.scale}" + (" ks.quick" if options.quick else "")
    if options.only:
        words += f" ks.only={','.join(options.only)}"
    start = time.monotonic()
    log = options.build / "logs/tests" / f"kselftest.{'quick-' * options.quick}{group}.{key}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kselftest") as directory:
        qemu_machine = machine(options, column, words, pathlib.Path(directory) / "image")
        qemu_machine.serial = f"file:{log}"     # to be read while it runs
        result = pvrun.boot(qemu_machine, options.build, 0, WALL)
    result.serial = log.read_text(errors="replace")
    log.write_text(result.text)
    found = results.read(result.report(), "guest" if column.vtlb is not None else None, names)
    found.problems += [result.over] if result.over else []
    count = {}
    for outcome in found.outcomes.values():
        count[outcome.status] = count.get(outcome.status, 0) + 1
    print(f"{group} {key}: " + ", ".join(f"{number} {status}" for status, number in sorted(count.items()))
          + f"; {int(time.monotonic() - start)} s", flush=True)
    return found


def results_file(options, key, group):
    return options.build / "kselftest/results" / f"{group}.{key}.json"


def store(options, key, group, found):
    """Keep the outcomes; those of a run with --only replace what they are about."""
    path = results_file(options, key, group)
    path.parent.mkdir(parents=True, exist_ok=True)
    if options.only and path.exists():
        earlier = results.Boot.from_json(json.loads(path.read_text()))
        found = results.Boot(earlier.outcomes | found.outcomes, earlier.problems + found.problems)
    path.write_text(json.dumps(found.as_json()))


def stored(options, key, group):
    """The outcomes of an earlier run."""
    path = results_file(options, key, group)
    if not path.exists():
        sys.exit(f"kselftest: column '{key}' of {group} has not been run yet")
    earlier = results.Boot.from_json(json.loads(path.read_text()))
    for test in suites.tests(group=group):
        earlier.outcomes.setdefault(test.name, results.Outcome("lost"))
    return earlier


def compare(options, group):
    """Differences of a group's columns to their native one."""
    skips = {f"{suite.name}/{short}" for suite in suites.load() for short in suite.skips}
    boots, lines = {}, []
    for key in options.columns:
        boots[key] = boot(options, key, group)
        if not options.quick:
            store(options, key, group, boots[key])
        column = COLUMNS[key]
        if column.vtlb is not None:
            native = boots.get(column.against) or stored(options, column.against, group)
            found = results.differences(native, boots[key], skips)
            print("".join(f"    {line}\n" for line in found), end="", flush=True)
            lines += [f"{key}: {line}" for line in found]
    return lines


def arguments():
    parser = argparse.ArgumentParser(description="run Linux's own tests natively and in VMs")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--quick", action="store_true", help="the tests of the default set")
    parser.add_argument("--group", action="append", choices=suites.groups())
    parser.add_argument("--columns", default="native,max", help=", ".join(COLUMNS))
    parser.add_argument("--only", help="these tests, separated by commas")
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.initramfs = options.build / "images" / f"kselftest{'-quick' * options.quick}.cpio"
    options.columns = options.columns.split(",")
    options.only = options.only.split(",") if options.only else []
    for key in options.columns:
        if key not in COLUMNS:
            parser.error(f"there is no column '{key}'")
    if options.only and not options.group:
        options.group = list(dict.fromkeys(suite.group for suite in suites.load() for test in suite.tests
                                           if test.name in options.only))
    return options


def main():
    options = arguments()
    lines = [line for group in options.group or suites.groups(options.quick)
             for line in compare(options, group)]
    if lines:
        print("\n".join(["DIFFERENCES:", *lines]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
