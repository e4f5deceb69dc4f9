#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""VMs and services side by side: they do their work, misbehave, end, and leave nothing behind."""

import sys

import harness
from harness import WORK, Wrong, case, service, status, vm


# ---- two VMs side by side ----

def two_vms(system, cpus):
    system.boot(system.image(vm("vm1", WORK), vm("vm2", WORK)), cpus=cpus)
    for name in ("vm1", "vm2"):
        system.said(rf"^{name}\| Linux version 6\.12", rf"^{name}\| 42-done", rf"{name}.*powered off")
    system.healthy()


@case
def two_vms_1cpu(system):
    two_vms(system, 1)


@case
def two_vms_2cpu(system):
    two_vms(system, 2)


# ---- what Linux complains of is heard ----

@case
def warning_is_noticed(system):
    """A warning of the level of WARN() reaches the console, and a case that has to be healthy is not."""
    system.boot(system.image(vm("vm1", "echo \\<4\\>WARNING: planted > /dev/kmsg")))
    system.said(r"^vm1\| rf\.run: exit 0")
    try:
        system.healthy()
    except Wrong as error:
        if "WARNING: planted" in str(error):
            return
        raise
    raise Wrong("a warning was planted, and nobody noticed")


# ---- the vTLB at each capacity, audited ----

def vtlb(system, capacity):
    system.boot(system.image(vm("vm1", WORK, vtlb=capacity)), append="audit")
    system.said(r"^vm1\| 42-done")
    system.healthy()
    system.never(r"findings [1-9]")


@case
def vtlb_max_audit(system):
    vtlb(system, "max")


@case
def vtlb_64_audit(system):
    vtlb(system, 64)


@case
def vtlb_0_audit(system):
    vtlb(system, 0)


# ---- one domain misbehaves, the others go on ----

def misbehaves(system, bad, *patterns, ends=True):
    """`bad` does its worst; vm2 runs its work to the end. `ends`: bad ends too, and init says so."""
    system.boot(system.image(bad, vm("vm2", WORK)), append="" if ends else "exit-with=vm2",
                want=None if ends else status.OK)
    if ends:
        system.said(r"bad stopped: ")
    system.said(r"^vm2\| 42-done", *patterns)
    system.never(r"PANIC on CPU")


@case
def guest_panics(system):
    misbehaves(system, vm("bad", "echo 1 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger"),
               r"Kernel panic", r"bad stopped: panic")


@case
def guest_loops(system):
    misbehaves(system, vm("bad", "while :; do :; done"), ends=False)


@case
def guest_eats_its_memory(system):
    misbehaves(system, vm("bad", "tail /dev/zero; echo survived"), r"[Oo]ut of memory|Killed|survived")


def service_misdeed(system, deed, *patterns, ends=True):
    misbehaves(system, service("bad", f"do={deed}"), *patterns, ends=ends)


@case
def service_null_pointer(system):
    service_misdeed(system, "null", r"bad stopped: .*(fault|vector 14)")


@case
def service_bad_opcode(system):
    service_misdeed(system, "opcode", r"bad stopped: .*vector 6")


@case
def service_stack_overflow(system):
    service_misdeed(system, "stack", r"bad stopped: .*vector 14")


@case
def service_divides_by_zero(system):
    service_misdeed(system, "divide", r"bad stopped: .*vector 0")


@case
def service_loops(system):
    service_misdeed(system, "loop", ends=False)


@case
def service_eats_its_memory(system):
    service_misdeed(system, "memory", r"out of memory after", ends=False)


@case
def service_wild_hypercalls(system):
    service_misdeed(system, "hypercalls", ends=False)


@case
def service_aborts(system):
    service_misdeed(system, "abort", r"bad stopped")


# ---- life cycles leave nothing behind ----

def cycles(system, domain, name, count):
    system.boot(system.image(domain), append=f"cycle={name},{count}", mem=256)
    system.healthy()


@case
def cycle_newlib_1000(system):
    cycles(system, service("child", "exit=0"), "child", 1000)


@case
def cycle_linux_20(system):
    cycles(system, vm("child", "true"), "child", 20)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
