#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures one program in native Linux and in a VM on the same QEMU line, and prints the table.

Same bzImage, same initramfs, `-icount shift=0,sleep=off -smp 1`: one TSC tick is one executed
instruction of the whole machine. The counting plugin adds CR3 loads per operation.
Usage: run.py --build DIR [--only NAME] [--output FILE]
"""
import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from ringfence import image, qemu  # noqa: E402

WALL_LIMIT = 900
NATIVE_APPEND = "console=ttyS0 quiet norandmaps mitigations=off tsc=reliable no_timer_check"
# Xen 4.17 PV (dom0) over native on the same kind of machine; None: not measured there.
XEN_RATIO = {"null_syscall": 3.98, "read_1": 2.61, "clock_gettime": 1.00, "pipe_pingpong": 2.29,
             "context_switch_x2": 1.65, "fork_exit": 3.95, "fork_exec": 4.40, "anon_fault": 2.57,
             "mprotect_pair": 2.41, "signal": 1.30, "futex_pair": 2.07, "memcpy_1m": 1.00,
             "tcp_rtt": 1.49}


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


def plugin(build):
    library = build / "tests" / "plugin" / "libcount.so"
    return (str(library),) if library.exists() else ()


def native(build):
    machine = qemu.Machine(
        kernel=build / "linux" / "arch" / "x86" / "boot" / "bzImage",
        image=build / "images" / "bench.cpio", mem=1024, icount=True, append=NATIVE_APPEND,
        plugins=plugin(build))
    return parse("native", boot("native", machine, build))


def guest(build):
    manifest_path = ROOT / "tests" / "bench" / "bench.toml"
    manifest = image.parse(manifest_path)
    machine = qemu.Machine(
        kernel=build / "kernel" / "ringfence.elf", image=image.make(manifest_path, manifest, 1024),
        mem=1024, icount=True, append="headless panic=exit", plugins=plugin(build))
    return parse("vm", boot("vm", machine, build))


def domains(build):
    """Null hypercall and event round trip between two newlib domains; {} if not built."""
    init = build / "images" / "bench-domains.img"
    if not init.exists():
        return {}
    machine = qemu.Machine(kernel=build / "kernel" / "ringfence.elf", image=init, icount=True,
                           append="panic=exit")
    text = boot("domains", machine, build)
    return {key: float(value) for key, value in re.findall(r"BENCH (\w+) ([\d.]+)", text)}


def number(value):
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def both(plain, inside, key, whats):
    """`native / VM` times per operation of what the plugin counted, summed over whats."""
    return " / ".join(f"{sum(r.events[key][what] for what in whats):.1f}" if key in r.events else "–"
                      for r in (plain, inside))


def table(plain, inside, only):
    lines = ["| operation | native | Ringfence | ratio | Xen PV ratio | in the microkernel "
             "| CR3 loads | SYSCALL + IRET |",
             "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for key, cost in plain.cost.items():
        if only and key != only:
            continue
        here = inside.cost.get(key)
        ratio = f"{here / cost:.2f}" if here else "–"
        xen = XEN_RATIO.get(key)
        hole = inside.events.get(key, {}).get("hole")
        lines.append(f"| {key} | {number(cost)} | {number(here)} | {ratio} | "
                     f"{f'{xen:.2f}' if xen else '–'} | {number(hole)} | "
                     f"{both(plain, inside, key, ['cr3'])} | "
                     f"{both(plain, inside, key, ['syscall', 'iret'])} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--only")
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    try:
        print("bench: native Linux ...", file=sys.stderr, flush=True)
        plain = native(options.build)
        if options.only and options.only not in plain.cost:
            raise BenchError(f"there is no operation '{options.only}'; "
                             f"known: {', '.join(plain.cost)}")
        print("bench: Linux in a VM ...", file=sys.stderr, flush=True)
        inside = guest(options.build)
        print("bench: two newlib domains ...", file=sys.stderr, flush=True)
        pair = domains(options.build)
    except BenchError as error:
        sys.exit(f"bench: {error}")
    lines = ["Instructions of the whole machine per operation (QEMU TCG, icount); the last two columns",
             "are times per operation, native / Ringfence.", ""]
    lines += table(plain, inside, options.only)
    if pair and not options.only:
        lines += ["", "| between newlib domains | instructions |", "|---|--:|"]
        lines += [f"| {key} | {number(value)} |" for key, value in pair.items()]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if options.output:
        options.output.write_text("<!-- SPDX-License-Identifier: BSD-2-Clause -->\n" + text)


if __name__ == "__main__":
    main()
