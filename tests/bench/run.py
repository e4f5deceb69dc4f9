#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures one program in native Linux and in a VM on the same QEMU line, and prints the table.

Same bzImage, same initramfs, `-icount shift=0,sleep=off -smp 1`: one TSC tick is one executed
instruction of the whole machine. The counting plugin adds CR3 loads per operation. The microkernel is the
release build; the column "assertions on" is the one of everyday. "fused" is a VM with user_kernel = "fused" in the
release build, never mixed with the others, whose roots are split.
Usage: run.py --build DIR [--only NAME] [--output FILE]
"""
import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "bench")]

import disk  # noqa: E402
import network  # noqa: E402
from ringfence import image, qemu  # noqa: E402

WALL_LIMIT = 900
RELEASE, DEBUG = "ringfence-release.elf", "ringfence.elf"
# name: the case of domains.c that measures it, processors
DOMAIN_OPERATIONS = {"null_hypercall": ("null_hypercall", 1), "send_pending": ("send_pending_event", 1),
                     "send_running": ("send_running_event", 2), "domain_switch_x2": ("yield_round_trip", 1),
                     "event_round_trip": ("event_round_trip", 1)}
NATIVE_APPEND = "console=ttyS0 quiet norandmaps mitigations=off tsc=reliable no_timer_check"
# Xen 4.17 PV (dom0) over native on the same kind of machine; None: not measured there.
XEN_RATIO = {"null_syscall": 3.98, "read_1": 2.61, "clock_gettime": 1.00, "pipe_pingpong": 2.29,
             "context_switch_x2": 1.65, "fork_exit": 3.95, "fork_exec": 4.40, "anon_fault": 2.57,
             "mprotect_pair": 2.41, "signal": 1.30, "futex_pair": 2.07, "memcpy_1m": 1.00,
             "tcp_rtt": 1.49}


# What block.c measures.
DISK_ROWS = tuple(f"{way}_{size}{depth}" for size in ("4k", "64k", "1m") for depth in ("", "_depth32")
                  for way in ("read", "write")) + ("write_4k_fsync",)


class BenchError(Exception):
    """A run did not deliver; the text says which and what it printed last."""


@dataclasses.dataclass
class Result:
    cost: dict      # name -> instructions per operation
    events: dict    # name -> {what the plugin counted: times per operation}


def boot(name, machine, build):
    """Runs one machine to its end and returns what it printed."""
    log = build / "logs" / f"bench-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        try:
            subprocess.run(qemu.command(machine), stdin=subprocess.DEVNULL, stdout=out,
                           stderr=subprocess.STDOUT, timeout=WALL_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{name}: no end after {WALL_LIMIT} s; see {log}") from None
    return log.read_text(errors="replace")


def parse(name, text):
    if "BENCH-END" not in text or "BENCH-ERROR" in text:
        tail = "\n".join(text.splitlines()[-15:])
        raise BenchError(f"{name}: the benchmark did not finish; the log ends with\n{tail}")
    cost = {key: float(value) for key, value in re.findall(r"BENCH (\w+) ([\d.]+)", text)}
    ids = {int(number): (key, int(count))
           for number, key, count in re.findall(r"BENCH-ID (\d+) (\w+) (\d+)", text)}
    events = {}
    for mark, counts in re.findall(r"MARK (\d+) (.*)", text):
        if int(mark) in ids:
            key, count = ids[int(mark)]
            events[key] = {what: int(times) / count
                           for what, times in re.findall(r"(\w+)=(\d+)", counts)}
    return Result(cost, events)


def plugin(build, options=""):
    library = build / "tests" / "plugin" / "libcount.so"
    return (f"{library}{options}",) if library.exists() else ()


def native_machine(build, plugins, icount=True):
    return qemu.Machine(
        kernel=build / "linux" / "arch" / "x86" / "boot" / "bzImage",
        image=build / "images" / "bench.cpio", mem=1024, icount=icount, append=NATIVE_APPEND,
        plugins=plugins)


def native(build):
    return parse("native", boot("native", native_machine(build, plugin(build)), build))


def guest_machine(build, kernel, plugins, user_kernel="split", icount=True):
    manifest_path = ROOT / "tests" / "bench" / "bench.toml"
    manifest = image.parse(manifest_path)
    for domain in manifest.domains:
        if domain.kind == "linux":
            domain.user_kernel = user_kernel
    packed = image.make(manifest_path.with_stem(f"bench-{user_kernel}"), manifest, 1024)
    return qemu.Machine(kernel=kernel, image=packed, mem=1024, icount=icount, append="headless panic=exit", plugins=plugins)


def guest(build, kernel, user_kernel="split"):
    name = kernel.stem if user_kernel == "split" else f"{kernel.stem}-{user_kernel}"
    return parse(name, boot(name, guest_machine(build, kernel, plugin(build), user_kernel), build))


def boot_domains(build, kernel, name, plugins):
    """The log of one operation between two newlib domains; each has a boot of its own."""
    case, cpus = DOMAIN_OPERATIONS.get(name, (name, 1))
    machine = qemu.Machine(kernel=kernel, image=build / "images" / "bench-domains.img", icount=True,
                           append=f"panic=exit abi.case={case}", cpus=cpus, plugins=plugins)
    return boot(f"domains-{name}-{kernel.stem}", machine, build)


def domains(build, kernel, names=tuple(DOMAIN_OPERATIONS)):
    """{name: instructions in the kernel per operation}"""
    inside = {}
    for name in names:
        text = boot_domains(build, kernel, name, plugin(build, ",exact=on"))
        if not re.search(r"^ok 1 ", text, re.MULTILINE):
            raise BenchError(f"{name}: the case did not pass; see build/logs")
        mark, count = re.search(rf"BENCH-ID (\d+) {name} (\d+)", text).groups()
        holes = re.findall(rf"MARK {mark} insns=\d+ hole=(\d+)", text)
        inside[name] = int(holes[-1]) / int(count)
    return inside


def disks(build, only):
    """Lines of the disk's table; [] without the plugin, which counts for it."""
    if not plugin(build):
        return []
    print("bench: disks, native ...", file=sys.stderr, flush=True)
    plain = disk.native(build, boot, *plugin(build))
    print("bench: disks, in a VM ...", file=sys.stderr, flush=True)
    inside = disk.guest(build, boot, build / "kernel" / RELEASE, *plugin(build))
    if not plain or not inside:
        raise BenchError("the disks were not measured; see block-native and block-vm in the logs")
    return ["", "Instructions per request of a disk, the least of five runs (native: of the front end's machine, the "
            "device is QEMU's).", "", *disk.table(plain, inside, only)]


def networks(build, only):
    """Lines of the network's table; [] without the plugin, which counts for it."""
    if not plugin(build):
        return []
    print("bench: network ...", file=sys.stderr, flush=True)
    rows = network.measure(build, boot, build / "kernel" / RELEASE, *plugin(build), only)
    wanted = (only,) if only else network.ROWS
    if missing := [name for name in wanted if name not in rows]:
        raise BenchError(f"{', '.join(missing)} not measured; see network and network-world in the logs")
    return ["", "Instructions per operation of the network, the least of three runs.", "",
            *network.table(rows, only)]


def crossings(build):
    """Lines of the table of what enters the microkernel; [] without the plugin."""
    import crossings as table_of  # it imports this file
    if not plugin(build):
        return []
    print("bench: ways into the microkernel ...", file=sys.stderr, flush=True)
    return ["", "Times per operation in a VM, release.", "",
            *table_of.table(table_of.measure(build, build / "kernel" / RELEASE))]


def starts(build):
    """Lines of the tables of starts and footprint; [] without the plugin."""
    import boot as table_of  # it imports this file
    if not plugin(build):
        return []
    lines = []
    for mem, counts in table_of.MEASURED:
        print(f"bench: starts of VMs of {mem} ...", file=sys.stderr, flush=True)
        lines += ["", *table_of.table([table_of.measure(build, build / "kernel" / RELEASE, vms, mem)
                                       for vms in counts])]
    return lines


def number(value):
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def each(key, whats, *results):
    """`native / VM ...` times per operation of what the plugin counted, summed over whats."""
    return " / ".join(f"{sum(r.events[key][what] for what in whats):.1f}" if key in r.events else "–"
                      for r in results)


def ratio(cost, native_cost):
    return f"{cost / native_cost:.2f}" if cost else "–"


def table(plain, release, debug, fused, only):
    lines = ["| operation | native | Ringfence | ratio | assertions on | Xen PV ratio | in the microkernel "
             "| CR3 loads | SYSCALL + IRET | fused | ratio, fused | CR3 loads, fused |",
             "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for key, cost in plain.cost.items():
        if only and key != only:
            continue
        here = release.cost.get(key)
        xen = XEN_RATIO.get(key)
        hole = release.events.get(key, {}).get("hole")
        lines.append(f"| {key} | {number(cost)} | {number(here)} | {ratio(here, cost)} | "
                     f"{ratio(debug.cost.get(key), cost)} | {f'{xen:.2f}' if xen else '–'} | {number(hole)} | "
                     f"{each(key, ['cr3'], plain, release)} | "
                     f"{each(key, ['syscall', 'iret'], plain, release)} | "
                     f"{number(fused.cost.get(key))} | {ratio(fused.cost.get(key), cost)} | "
                     f"{each(key, ['cr3'], fused)} |")
    return lines


def domain_table(release, debug):
    return ["", "| between newlib domains, instructions in the microkernel | release | assertions on |", "|---|--:|--:|",
            *(f"| {key} | {number(value)} | {number(debug[key])} |" for key, value in release.items())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--only")
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    kernels = [options.build / "kernel" / name for name in (RELEASE, DEBUG)]
    try:
        if options.only == "crossings":
            print("\n".join(crossings(options.build)[1:]))
            return
        if options.only == "boot":
            print("\n".join(starts(options.build)[1:]))
            return
        if options.only == "disks" or options.only in DISK_ROWS:
            print("\n".join(disks(options.build, None if options.only == "disks" else options.only)[1:]))
            return
        if options.only == "network" or options.only in network.ROWS:
            print("\n".join(networks(options.build, None if options.only == "network" else options.only)[1:]))
            return
        print("bench: native Linux ...", file=sys.stderr, flush=True)
        plain = native(options.build)
        if options.only and options.only not in plain.cost:
            known = (*plain.cost, "boot", "crossings", "disks", *DISK_ROWS, *network.ROWS)
            raise BenchError(f"there is no operation '{options.only}'; known: {', '.join(known)}")
        print("bench: Linux in a VM, release and debug ...", file=sys.stderr, flush=True)
        release, debug = (guest(options.build, kernel) for kernel in kernels)
        print("bench: Linux in a VM, fused roots ...", file=sys.stderr, flush=True)
        fused = guest(options.build, kernels[0], "fused")
        print("bench: newlib domains ...", file=sys.stderr, flush=True)
        pairs = [] if options.only else [domains(options.build, kernel) for kernel in kernels]
        more = [] if options.only else \
            crossings(options.build) + starts(options.build) + disks(options.build, None) + \
            networks(options.build, None)
    except BenchError as error:
        sys.exit(f"bench: {error}")
    lines = ["Instructions of the whole machine per operation (QEMU TCG, icount); CR3 loads and SYSCALL + IRET",
             "are times per operation, native / Ringfence; the last three columns are of a VM with fused roots.", ""]
    lines += table(plain, release, debug, fused, options.only)
    if pairs:
        lines += domain_table(*pairs)
    text = "\n".join(lines + more) + "\n"
    print(text, end="")
    if options.output:
        options.output.write_text("<!-- SPDX-License-Identifier: BSD-2-Clause -->\n" + text)


if __name__ == "__main__":
    main()
