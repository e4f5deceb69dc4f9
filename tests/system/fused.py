#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""VMs with `user_kernel = "fused"`: Linux works on one root for user and kernel; only its own inner boundary is gone.

Without the loads of CR3 of a split domain nothing forgets stale translations by accident, so the vTLB is audited. More
of this: stress.py and hostile.py.
"""

import re
import sys

import harness
from harness import WORK, Wrong, case, vm

FUSED = {"user_kernel": "fused"}


# ---- Linux on one root, at each capacity of the vTLB ----

def capacity(system, vtlb):
    system.boot(system.image(vm("vm1", WORK, vtlb=vtlb, **FUSED)), append="audit", icount=True)
    system.said(r"^vm1\| Linux version 6\.12", r"^vm1\| 42-done", r"vm1.*powered off")
    system.healthy()
    system.never(r"findings [1-9]")


@case
def fused_vtlb_max(system):
    capacity(system, "max")


@case
def fused_vtlb_16(system):
    """The least that is not none: 64 tables are more than this work needs."""
    capacity(system, 16)


@case
def fused_vtlb_0(system):
    capacity(system, 0)


# ---- beside a split VM ----

@case
def fused_and_split_side_by_side(system):
    system.boot(system.image(vm("vm1", WORK, **FUSED), vm("vm2", WORK)), append="audit", cpus=2, icount=True)
    for name in ("vm1", "vm2"):
        system.said(rf"^{name}\| 42-done", rf"{name}.*powered off")
    system.healthy()


# ---- programs are kept from their kernel, or are not ----

def peek(system, **keys):
    """How many of a program's reads of its kernel's memory were answered, and how many were faults."""
    system.boot(system.image(vm("vm1", "peek", initrd="work.cpio", **keys)), icount=True)
    system.healthy()
    for line in system.result.lines():
        if found := re.search(r"^vm1\| peek: (\d+) read, (\d+) faults", line):
            return int(found[1]), int(found[2])
    raise Wrong("the program did not say what it found")


@case
def fused_gives_the_kernel_to_its_programs(system):
    """What the manual says is given up: were it not so, the test of the split VM below would be worth nothing."""
    read, _ = peek(system, **FUSED)
    if not read:
        raise Wrong("a program of a fused VM read nothing of its kernel: is it fused at all?")


@case
def split_keeps_the_kernel_from_its_programs(system):
    read, faults = peek(system)
    if read or not faults:
        raise Wrong(f"a program of a split VM read its kernel {read} times, {faults} faults")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
