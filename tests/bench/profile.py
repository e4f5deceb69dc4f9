#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Where the instructions of one operation of the benchmark go: by function, natively and in a VM.

Both machines of run.py are booted with the plugin `profile`, which knows the functions of the microkernel and of
Linux; so an operation's whole way is seen, and why the microkernel was entered (calls of guest_syscall, eretu,
guest_trap_entry, hc_*). Operations between newlib domains are profiled too.
Usage: profile.py --build DIR [--kernel FILE] [--least N] NAME
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import run  # noqa: E402  (it knows where the tools are)
import network  # noqa: E402

HIGH = 0xffff800000000000
LINE = re.compile(r"^PROFILE (\d+) (\S+) insns=(\d+) calls=(\d+)", re.MULTILINE)
OTHER = re.compile(r"^PROFILE-OTHER (\d+) insns=(\d+)", re.MULTILINE)
USER = "(user mode)"


def symbols(*programs, domain=None):
    """`address name` of all functions, in order; what stands at a low address runs before there are operations, but
    for those of a domain, which must be the only program there that runs meanwhile."""
    found = {}
    for program in (*programs, *([domain] if domain else ())):
        listing = subprocess.run(["nm", str(program)], capture_output=True, text=True, check=True).stdout
        for address, name in re.findall(r"^([0-9a-f]{16}) [Tt] ([\w.]+)$", listing, re.MULTILINE):
            if int(address, 16) >= HIGH or program is domain:
                found.setdefault(int(address, 16), name[:60])
    return "".join(f"{address:x} {name}\n" for address, name in sorted(found.items()))


def functions(text, name, again=False):
    """{function: (instructions, calls)} per operation; {} if the log does not know it. again: each stretch is the
    whole operation once more."""
    match = re.search(rf"BENCH-ID (\d+) {re.escape(name)} (\d+)", text)
    if not match:
        return {}
    mark, count = match[1], int(match[2])
    last = {}  # an operation that is marked one by one: the last one
    for found, function, insns, calls in LINE.findall(text):
        if found == mark:
            before = last.get(function, (0, 0)) if count > 1 and not again else (0, 0)
            last[function] = (before[0] + int(insns), before[1] + int(calls))
    other = [int(insns) for found, insns in OTHER.findall(text) if found == mark]
    if other:
        last[USER] = (other[-1], 0)
    return {function: (insns / count, calls / count) for function, (insns, calls) in last.items()}


def measure(build, kernel, name):
    """(native or None, VM) of one operation."""
    with tempfile.TemporaryDirectory(prefix="profile") as directory:
        names = pathlib.Path(directory) / "names"
        domain = build / "domains" / "netd.elf" if name in network.NEIGHBOUR else None
        names.write_text(symbols(kernel, build / "linux" / "vmlinux", domain=domain))
        plugins = (f"{build}/tests/plugin/libprofile.so,names={names}",)
        if name in run.DOMAIN_OPERATIONS:
            return None, functions(run.boot_domains(build, kernel, name, plugins), name)
        if name in network.ROWS:
            way = network.world if name in network.WORLD else network.neighbour
            return None, functions(way(build, run.boot, kernel, plugins), name, again=True)
        plain = run.boot("native-profile", run.native_machine(build, plugins), build)
        inside = run.boot("vm-profile", run.guest_machine(build, kernel, plugins), build)
    return functions(plain, name), functions(inside, name)


def table(plain, inside, least):
    sides = [plain, inside] if plain is not None else [inside]
    order = sorted({name for side in sides for name in side},
                   key=lambda name: -max(side.get(name, (0, 0))[0] for side in sides))
    head = ["native", "Ringfence"] if plain is not None else ["Ringfence"]
    lines = [f"{'function':44}" + "".join(f"{title + ' insns':>16}{'calls':>8}" for title in head)]
    total = "".join(f"{sum(insns for insns, _ in side.values()):16.1f}{'':8}" for side in sides)
    lines.append(f"{'all':44}{total}")
    for name in order:
        cells = [side.get(name, (0, 0)) for side in sides]
        if max(insns for insns, _ in cells) >= least:
            lines.append(f"{name:44}" + "".join(f"{insns:16.1f}{calls:8.2f}" for insns, calls in cells))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, help="another microkernel than the build's release one")
    parser.add_argument("--least", type=float, default=1.0, help="leave functions with fewer instructions out")
    parser.add_argument("name", help="a row of the table")
    options = parser.parse_args()
    kernel = options.kernel or options.build / "kernel" / run.RELEASE
    try:
        plain, inside = measure(options.build, kernel, options.name)
    except run.BenchError as error:
        sys.exit(f"profile: {error}")
    if not inside:
        sys.exit(f"profile: there is no operation '{options.name}'")
    print("\n".join(table(plain, inside, options.least)))


if __name__ == "__main__":
    main()
