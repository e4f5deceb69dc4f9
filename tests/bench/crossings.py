#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How often a VM enters the microkernel for what it does most: faults, switches of its processes, forks.

The benchmark's VM is booted with the plugin `profile`, which counts how often functions are entered, and a row of the
table is made of that and of QEMU's log of exceptions. A page fault takes one trap if the page is filled when Linux's
handler returns. Else the next trap is at the same page: all of these are counted against it, also a fault of Linux's
own, as when a program writes to a page that it has just read. The other traps are at pages that are in the guest's
tables and not yet in the microkernel's; Linux does not see them. With --limits the table is judged.
Usage: crossings.py --build DIR [--kernel FILE] [--limits]
"""
import argparse
import dataclasses
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import profile  # noqa: E402
import run  # noqa: E402

ROWS = ("fork_exec", "fork_exit", "anon_fault", "context_switch_x2", "ring_of_12", "fork_1000_pages")
# Of a hundred faults of fork and exec so many take one trap; hypercalls of a switch and of a fork of 1,000 pages.
ONE_TRAP = 95.0
PER_SWITCH = 1.05  # an interrupt of the clock may come between
PER_FORK = 3
MARK = re.compile(r"PROFILE-MARK (\d+)")
FAULT = re.compile(r"^ *\d+: v=0e .*CR2=([0-9a-f]{16})")
ROOT = re.compile(r"^CR0=.* CR3=([0-9a-f]{16})")
USER_END = 1 << 47


def hypercalls(entered):
    """{name: times per operation}; the returns to user and kernel mode are none of these."""
    return {name[3:]: calls for name, (_, calls) in sorted(entered.items()) if name.startswith("hc_") and calls}


def repeats(log):
    """{number of the stretch: page faults at the page of the one before, in the same address space}"""
    found, stretch, last, page = {}, None, None, None
    for line in log:
        if (mark := MARK.search(line)):
            stretch = None if int(mark[1]) % 2 else int(mark[1]) // 2
            found[int(mark[1]) // 2] = 0 if stretch is not None else found[int(mark[1]) // 2]
            last = None
        elif (fault := FAULT.search(line)):
            page = int(fault[1], 16) >> 12
        elif page is not None and (root := ROOT.search(line)):  # of the registers that follow a fault
            if page < USER_END >> 12 and stretch is not None:
                found[stretch] += (root[1], page) == last
                last = (root[1], page)
            page = None
    return found


def row(entered, again):
    """again: of all operations of the stretch, per operation."""
    def calls(name):
        return entered.get(name, (0, 0))[1]
    own = calls("event_inject_pf")
    return {"traps": calls("mm_guest_fault"), "own": own, "again": again,
            "one": 100 * (1 - again / own) if own else None, "emulated": calls("emulate_privileged"),
            "calls": hypercalls(entered)}


def measure(build, kernel):
    with tempfile.TemporaryDirectory(prefix="crossings") as directory:
        names = pathlib.Path(directory) / "names"
        names.write_text(profile.symbols(kernel, build / "linux" / "vmlinux"))
        plugins = (f"{build}/tests/plugin/libprofile.so,names={names}",)
        log = pathlib.Path(directory) / "exceptions"
        machine = dataclasses.replace(run.guest_machine(build, kernel, plugins),
                                      extra=("-d", "int,plugin", "-D", str(log)))
        text = run.boot("crossings", machine, build)
        with log.open(errors="replace") as lines:
            again = repeats(lines)
    run.parse("crossings", text)  # it has come to its end
    rows = {}
    for name in ROWS:
        stretch, count = map(int, re.search(rf"BENCH-ID (\d+) {name} (\d+)", text).groups())
        rows[name] = row(profile.functions(text, name), again[stretch] / count)
    return rows


def table(rows):
    lines = ["| operation | page-fault traps | of them Linux's own | a second one | faults with one trap "
             "| emulated instructions | hypercalls |", "|---|--:|--:|--:|--:|--:|---|"]
    for name, found in rows.items():
        one = "–" if found["one"] is None else f"{found['one']:.1f} %"
        listed = ", ".join(f"{call} {times:.2f}" for call, times in found["calls"].items()) or "none"
        lines.append(f"| {name} | {found['traps']:.2f} | {found['own']:.2f} | {found['again']:.2f} | {one} "
                     f"| {found['emulated']:.2f} | {listed} |")
    return lines


def over(rows):
    """What is over its limit, in words."""
    one = rows["fork_exec"]["one"]
    switch = sum(rows["context_switch_x2"]["calls"].values()) / 2
    fork = sum(rows["fork_1000_pages"]["calls"].values())
    found = [] if one is not None and one >= ONE_TRAP else [f"{one} % of the faults of fork_exec take one trap"]
    if not 0 < switch <= PER_SWITCH:
        found.append(f"a switch takes {switch:.2f} hypercalls")
    if fork > PER_FORK:
        found.append(f"a fork of 1,000 pages takes {fork:.0f} hypercalls")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, help="another microkernel than the build's release one")
    parser.add_argument("--limits", action="store_true", help="fail if something is over its limit")
    options = parser.parse_args()
    try:
        rows = measure(options.build, options.kernel or options.build / "kernel" / run.RELEASE)
    except run.BenchError as error:
        sys.exit(f"crossings: {error}")
    print("\n".join(table(rows)))
    found = over(rows)
    if options.limits and found:
        sys.exit("crossings: " + "; ".join(found))


if __name__ == "__main__":
    main()
