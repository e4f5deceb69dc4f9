#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""From power-on to VMs that have nothing to do: instructions to start, kernel memory, instructions while all are idle.

All VMs are alike: the shell's /init behind a program (boot.c) whose first instruction is the VM's first user
instruction. The first VM says when, by two markers, the machine is idle; then it ends the machine, and the root domain
says how much kernel memory each VM has. With more than one VM the last asks for a reboot after the idle stretch: how
much a start takes while the others are there and idle. Instructions are counted by the plugin at addresses.
With --limits the first VM's start and the kernel memory are judged.
Usage: boot.py --build DIR [--kernel FILE] [--vms N ...] [--mem SIZE] [--limits]
"""
import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import run  # noqa: E402
from manifest import files, lower, schema  # noqa: E402
from ringfence import qemu  # noqa: E402

HEAD = ('manifest = 1\n[image]\nname = "boot"\n[[domain]]\nname = "console"\nkind = "newlib"\nkernel = "console.elf"\n'
        'mem = "8M"\nuart = true\n')
# What the benchmark measures: memory of each VM, how many. 48 MiB is the least Linux and this initrd fit into.
MEASURED = (("64M", (1,)), ("48M", (1, 8, 16, 63)))
IDLE_S = 5
# Virtual seconds until all have started, the idle stretch begins; one VM takes less than half a second.
SETTLE_S, SETTLE_EACH_S = 3, 0.5
# Of the everyday kernel, a little above what it takes. The goals are 250 million instructions and 1 MiB.
LIMITS = {"start": 120_000_000, "kmem": 576}
# Places at which the plugin says what has run so far.
KERNEL, INIT, CREATE, ENTRY, USER = range(5)


@dataclasses.dataclass
class Result:
    vms: int
    mem: str
    boot: dict       # kernel's first instruction to the root domain's first
    check: dict      # from there to the first DOM_CREATE, of the console
    load: dict       # DOM_CREATE of the first VM to its first instruction
    start: dict      # from there to its first user instruction
    again: dict | None  # DOM_CREATE to first user instruction of one more while the others are idle
    idle: dict       # IDLE_S seconds
    kmem: list       # KiB of each VM, of the last one in both its lives


def vm(name, mem, command):
    word = f' rf.run="{command}"' if command else ""
    return (f'[[domain]]\nname = "{name}"\nkind = "linux"\nkernel = "bzImage"\ninitrd = "boot.cpio"\nmem = "{mem}"\n'
            f"cmdline = 'console=hvc0 quiet rf.name={name}{word}'\n")


def image(build, vms, mem):
    settle = int(SETTLE_S + SETTLE_EACH_S * vms)
    names = [f"vm{number}" for number in range(1, vms + 1)]
    commands = [f"/init idle {settle} {IDLE_S}"] + [""] * (vms - 1)
    if vms > 1:
        commands[0] += f"; sleep {6 + vms // 4}"  # the last one began to wait later
        commands[-1] = f"sleep {settle + IDLE_S + 1}; busybox reboot -f"
    text = HEAD + "".join(vm(name, mem, command) for name, command in zip(names, commands))
    return lower.lower(schema.parse(text), run.ROOT / "images", build)[0]


def entry_of(path):
    """Where an ELF file says it begins."""
    head = path.read_bytes()[:32]
    return int.from_bytes(head[24:32], "little")


def symbol(elf, name):
    listing = subprocess.run(["nm", str(elf)], capture_output=True, text=True, check=True).stdout
    return int(re.search(rf"^([0-9a-f]+) \w {name}$", listing, re.MULTILINE)[1], 16)


def linux_entry(build):
    note = files.Elf((build / "linux" / "vmlinux").read_bytes()).note(b"ringfence", files.ABI.NOTE_TYPE_ENTRY)
    return int.from_bytes(note[:8], "little")


def places(build, kernel):
    return (entry_of(kernel), entry_of(build / "domains" / "init.elf"), symbol(kernel, "hc_dom_create"),
            linux_entry(build), entry_of(build / "tests" / "bench" / "boot"))


def counts(text):
    return {what: int(times) for what, times in re.findall(r"(\w+)=(\d+)", text)}


def between(first, second):
    return {what: second[what] - first[what] for what in second}


def after(moment, hits):
    """The first that came later; the program runs more than once in a VM."""
    return next(hit for hit in hits if hit["insns"] > moment["insns"])


def measure(build, kernel, vms, mem):
    at = ",".join(f"at={address:#x}" for address in places(build, kernel))
    with tempfile.TemporaryDirectory(prefix="boot") as directory:
        path = pathlib.Path(directory) / "image"
        path.write_bytes(image(build, vms, mem))
        machine = qemu.Machine(kernel=kernel, image=path, mem=256 + vms * 66, icount=True,
                               append="headless panic=exit accounts exit-with=vm1",
                               plugins=run.plugin(build, f",{at}"))
        text = run.boot(f"boot-{vms}-{mem}-{kernel.stem}", machine, build)
    hits = {place: [] for place in range(5)}
    for place, line in re.findall(r"AT (\d+) (insns=.*)", text):
        hits[int(place)].append(counts(line))
    idle = re.search(r"MARK 0 (insns=.*)", text)
    kmem = [int(used) for used in re.findall(r"vm\d+ ran .*; (\d+) of \d+ KiB of kmem", text)]
    starts = vms + (vms > 1)
    if not idle or len(kmem) != starts or len(hits[CREATE]) != starts + 1 or len(hits[ENTRY]) != starts:
        raise run.BenchError(f"boot-{vms}-{mem}: {len(hits[CREATE])} domains created, {len(hits[ENTRY])} VMs started, "
                             f"{len(kmem)} accounts; {starts + 1}, {starts} and {starts} were expected; see the logs")
    return Result(vms, mem, between(hits[KERNEL][0], hits[INIT][0]), between(hits[INIT][0], hits[CREATE][0]),
                  between(hits[CREATE][1], hits[ENTRY][0]), between(hits[ENTRY][0], hits[USER][0]),
                  between(hits[CREATE][-1], after(hits[ENTRY][-1], hits[USER])) if vms > 1 else None,
                  counts(idle[1]), kmem)


def millions(count):
    return f"{count / 1e6:,.2f}"


def table(results):
    one = results[0]
    counted = f"| VMs | of | kmem of each, KiB | idle for {IDLE_S} s, thousands of instructions | of a CPU " \
              "| microkernel | Linux | one more start, millions of instructions |"
    lines = ["| from | to | millions of instructions | root domain | microkernel | Linux |",
             "|---|---|--:|--:|--:|--:|",
             f"| the kernel's first | the root domain's first | {millions(one.boot['insns'])} | – | "
             f"{millions(one.boot['insns'])} | – |",
             f"| the root domain's first | its first DOM_CREATE | {millions(one.check['insns'])} | "
             f"{millions(one.check['user'])} | {millions(one.check['hole'])} | – |"]
    if one.vms == 1:
        lines += [f"| DOM_CREATE of a VM, {one.mem} | its first | {millions(one.load['insns'])} | "
                  f"{millions(one.load['user'])} | {millions(one.load['hole'])} | – |",
                  f"| its first | its first in user mode | {millions(one.start['insns'])} | – | "
                  f"{millions(one.start['hole'])} | {millions(one.start['high'] + one.start['user'])} |"]
    lines += ["", counted, "|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for each in results:
        idle = each.idle
        again = millions(each.again["insns"]) if each.again else millions(each.load["insns"] + each.start["insns"])
        least, most = min(each.kmem), max(each.kmem)
        kmem = f"{least}" if least == most else f"{least}–{most}"
        lines.append(f"| {each.vms} | {each.mem} | {kmem} | {idle['insns'] / 1e3:,.0f} | "
                     f"{idle['insns'] / (IDLE_S * 1e7):.3f} % | {idle['hole'] / 1e3:,.0f} | "
                     f"{(idle['high'] + idle['user']) / 1e3:,.0f} | {again} |")
    return lines


def over(result):
    """What is over its limit, in words."""
    start, kmem = result.load["insns"] + result.start["insns"], max(result.kmem)
    found = [] if 0 < start <= LIMITS["start"] else [f"a VM takes {start} instructions to its first in user mode"]
    return found + ([] if 0 < kmem <= LIMITS["kmem"] else [f"a VM has {kmem} KiB of kernel memory"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, help="another microkernel than the build's release one")
    parser.add_argument("--vms", type=int, nargs="+", default=[1])
    parser.add_argument("--mem", default="64M")
    parser.add_argument("--limits", action="store_true", help="fail if something is over its limit")
    options = parser.parse_args()
    if not run.plugin(options.build):
        sys.exit("boot: the counting plugin is not built")
    kernel = options.kernel or options.build / "kernel" / run.RELEASE
    try:
        results = [measure(options.build, kernel, vms, options.mem) for vms in options.vms]
    except run.BenchError as error:
        sys.exit(f"boot: {error}")
    print("\n".join(table(results)))
    found = over(results[0])
    if options.limits and found:
        sys.exit("boot: " + "; ".join(found))


if __name__ == "__main__":
    main()
