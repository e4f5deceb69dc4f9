#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux VMs of several vCPUs: all come up, go down and up again, share too few CPUs (tests/guest/smpload.c)."""

import sys

import harness
from harness import LINUX_WARNS, case, nightly, vm


def smp(system, vcpus, *commands, cpus=2, words="", vtlb="max", audit=True, icount=False, mem="128M",
        before="true", seen=None, known=None):
    """One VM that runs the commands, each of which must say it is good, and on all vCPUs (or `seen`)."""
    run = "; ".join((before, "echo online=$(cat /sys/devices/system/cpu/online)",
                     *(f"smpload {command}" for command in commands)))
    cmdline = f'console=hvc0 {LINUX_WARNS} panic=1 {words} rf.name=vm1 rf.run="{run}"'
    system.boot(system.image(vm("vm1", run, initrd="work.cpio", cmdline=cmdline, mem=mem, vcpus=vcpus,
                                vtlb=vtlb)),
                append="audit" if audit else "", cpus=cpus, icount=icount)
    for command in commands:
        system.said(rf"^vm1\| smpload: {command.split()[0]} good, {command.split()[1]} rounds on "
                    rf"{seen or vcpus} CPUs")
    system.healthy(known)
    system.never(r"smpload: WRONG")


def online(system, what):
    system.said(rf"^vm1\| online={what}$")


# ---- all come up, and see the same memory and the same time ----

def together(system, vcpus, **keys):
    smp(system, vcpus, "load 200", "clocks 20000", **keys)
    online(system, f"0-{vcpus - 1}")


@case
def vcpus_2(system):
    together(system, 2)


@case
def vcpus_4(system):
    together(system, 4)


@case
def vcpus_8_on_1cpu(system):
    together(system, 8, cpus=1, icount=True)


# ---- the vTLB at small capacities ----

@case
def vcpus_4_vtlb_64(system):
    smp(system, 4, "load 200", vtlb=64)


@case
def vcpus_4_vtlb_0(system):
    smp(system, 4, "load 10", vtlb=0)


# ---- memory that is swapped out and in: the batched flushes of reclaim ----

SWAP = "echo 512M > /sys/block/zram0/disksize; mkswap /dev/zram0 > /dev/null; swapon /dev/zram0"


@case
def swap(system):
    smp(system, 2, "swap 2", mem="64M", before=SWAP, cpus=1, icount=True)


@nightly
def swap_long(system):
    smp(system, 4, "swap 50", mem="64M", before=SWAP)


# ---- what the command line says about CPUs ----

@case
def nr_cpus(system):
    smp(system, 4, "load 40", cpus=1, words="nr_cpus=3", icount=True, seen=3)
    online(system, "0-2")


@case
def maxcpus(system):
    """What was not brought up at boot is, later."""
    later = "for i in 2 3; do echo 1 > /sys/devices/system/cpu/cpu$i/online; done"
    smp(system, 4, "load 40", cpus=1, words="maxcpus=2", icount=True,
        before=f"echo first=$(cat /sys/devices/system/cpu/online); {later}")
    system.said(r"^vm1\| first=0-1$")
    online(system, "0-3")


# ---- down and up, while the others flush and interrupt ----

# Linux 6.12 counts the server by which it runs starved tasks among the tasks of a CPU (inc_dl_tasks()). If that
# server waits on a CPU that goes, Linux warns of a task that is left, lists them, and finds none but its own.
SERVER_COUNTED = (r"\[ cut here \].*\n.*Dying CPU not properly vacated!\n(?:.*\n){1,60}?"
                  r".*CPU(\d+) enqueued tasks \(2 total\):\n.*pid: \d+, name: migration/\1\n(?!.*\tpid: )")


def hotplug(system, rounds, **keys):
    smp(system, 8, f"hotplug {rounds}", known=SERVER_COUNTED, **keys)
    online(system, "0-7")


@case
def hotplug_2cpu(system):
    hotplug(system, 20)


@case
def hotplug_1cpu(system):
    hotplug(system, 10, cpus=1, icount=True)


@nightly
def hotplug_long(system):
    hotplug(system, 2000)


@nightly
def hotplug_long_vtlb_64(system):
    hotplug(system, 500, vtlb=64)


@nightly
def hotplug_long_1cpu(system):
    hotplug(system, 500, cpus=1, icount=True)


@nightly
def load_long(system):
    together(system, 8, audit=False)
    smp(system, 8, "load 20000", "locks 20000", "clocks 1000000")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
