#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The longest the kernel was at something, in instructions, over cases of the ABI suite on one CPU under icount.

    maxima.py --build DIR [--all | --boots abi=MAP,MEM ...]

Printed and compared with maxima.toml: each hypercall from its entry to the next instruction of a guest, all other
ways through the kernel (with interrupts off, as it always runs), and the time from an interrupt to the first
instruction of the domain that waits for it. More than the file says is a failure: whoever makes something longer
changes the file, and can be asked why. More than the limits is one whatever the file says.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import pvrun  # noqa: E402
from manifest import lower, schema  # noqa: E402
from ringfence import qemu, status  # noqa: E402

FILE = pathlib.Path(__file__).with_name("maxima.toml")
# Where the work of a call is largest; --all: everything.
HEAVY = ["abi.case=wake_beside_long_calls", "abi.case=die_with_long_numbers", "abi=DOM,VCP,REG,MAP,MEM,GRT",
         "abi=WLK,HST,INF,CON"]
ALL = [*HEAVY, "abi=SCH,VLK", "abi=HOS", "abi=GEN", "abi=CAP", "abi=SET,WAI,TIM,EVT,PRT,SND,IPI,SEG,DBG,MSR,CPU,ISO",
       "abi=ADV"]
NAMES = re.compile(r"^([0-9a-f]+) [Tt] (hc_\w+|guest_trap|guest_eretu|guest_erets|guest_user_syscall|"
                   r"arch_irq_dispatch)$", re.MULTILINE)
WALL = 1500
LATENCY = "interrupt-to-domain"
SLACK = 1.05  # another layout of the kernel moves loops by a few instructions


def boot(build, image, areas, names):
    """{name: instructions} of one boot, and what is wrong with it."""
    machine = qemu.Machine(kernel=build / "kernel" / "ringfence.elf", image=image, icount=True,
                           append=f"panic=exit {areas}",
                           plugins=(f"{build}/tests/plugin/liblongest.so,names={names}",))
    with tempfile.TemporaryDirectory(prefix="maxima") as directory:
        machine.debugcon = pathlib.Path(directory) / "log"
        done = subprocess.run(qemu.command(machine), capture_output=True, text=True, errors="replace",
                              timeout=WALL, stdin=subprocess.DEVNULL)
        log = machine.debugcon.read_text(errors="replace")
    code, _ = status.from_qemu(done.returncode)
    result = pvrun.Result(code, log, done.stdout, None, None, {})
    problems = pvrun.judge_ktap(result, None, 1)[1]
    found = {name: int(n) for name, n in re.findall(r"^LONGEST (\w+)=(\d+)$", done.stderr, re.MULTILINE)}
    if latency := re.search(r"# insns interrupt-to-domain=(\d+)", log):
        found[LATENCY] = int(latency[1])
    return found, problems if found else [*problems, "the plugin says nothing", done.stderr[-400:]]


def measure(build, groups):
    longest, problems = {}, []
    listing = subprocess.run(["nm", str(build / "kernel" / "ringfence.elf")], capture_output=True, text=True,
                             check=True).stdout
    manifest = ROOT / "tests" / "abi" / "abi.toml"
    with tempfile.TemporaryDirectory(prefix="maxima") as directory:
        names, image = pathlib.Path(directory) / "names", pathlib.Path(directory) / "image"
        names.write_text("".join(f"{address} {name}\n" for address, name in NAMES.findall(listing)))
        image.write_bytes(lower.lower(schema.parse(manifest.read_text()), manifest.parent, build, 512 << 20)[0])
        for areas in groups:
            found, wrong = boot(build, image, areas, names)
            problems += [f"{areas}: {line}" for line in wrong]
            for name, n in found.items():
                longest[name] = max(longest.get(name, 0), n)
            print(f"{areas}: longest {max(found, key=found.get, default='?')}", flush=True)
    return longest, problems


def limit_of(ratchet, name):
    limits = ratchet["limits"]
    return limits["interrupt-to-domain"] if name == LATENCY else limits["kernel"]


def judge(longest, ratchet):
    """Prints the table; what rose, and what the file says too much."""
    problems = []
    for name, n in sorted(longest.items(), key=lambda item: -item[1]):
        known, limit = ratchet["longest"].get(name), limit_of(ratchet, name)
        print(f"{name:24}{n:>9}{known if known is not None else '-':>9}{limit:>9}")
        if n > limit:
            problems.append(f"{name}: {n} instructions, and {limit} is the limit")
        elif n and known is None:
            problems.append(f"{name}: {n} instructions, and maxima.toml does not know it")
        elif n > (known or 0) * SLACK:
            problems.append(f"{name}: {n} instructions, maxima.toml says {known}")
    problems += [f"maxima.toml: {name} = {n} is above the limit of {limit_of(ratchet, name)}"
                 for name, n in ratchet["longest"].items() if n > limit_of(ratchet, name)]
    return problems


def write(longest):
    """The numbers, which are the end of the file, become what was measured."""
    head = FILE.read_text().partition("[longest]\n")[0]
    lines = [f"{name} = {n}" for name, n in sorted(longest.items()) if n]
    FILE.write_text("\n".join([head + "[longest]", *lines, ""]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--boots", nargs="+", help="boot parameters that choose cases, one for each boot")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--write", action="store_true", help="write what was measured into maxima.toml")
    options = parser.parse_args()
    longest, problems = measure(options.build, options.boots or (ALL if options.all else HEAVY))
    print(f"{'':24}{'measured':>9}{'file':>9}{'limit':>9}")
    problems += judge(longest, tomllib.loads(FILE.read_text()))
    if options.write:
        write(longest)
    if problems:
        print(*problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
