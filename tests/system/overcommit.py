#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""More vCPUs than CPUs: what is stolen is told, clocks stay right, and busy VMs leave nothing behind."""

import re
import sys
import time

import harness
from harness import Wrong, case, nightly, vm

HZ = 100  # of /proc/stat
BUSY = "n=$(nproc); while [ $n -gt 0 ]; do (while :; do :; done) & p=$p\\ $!; n=$((n-1)); done"


def account(system, name):
    """Milliseconds run and waited, as the scheduler has it."""
    found = re.search(rf"{name} ran (\d+) ms and waited (\d+) ms", system.result.text)
    if not found:
        raise Wrong(f"init does not say how long {name} ran and waited")
    return int(found[1]), int(found[2])


def stolen(system, name):
    """Milliseconds stolen, as the VM's own /proc/stat has it: what `top` shows as st."""
    found = re.findall(rf"^{name}\| cpu  ((?:\d+ )+\d+)", system.result.text, re.MULTILINE)
    if not found:
        raise Wrong(f"{name} does not show its /proc/stat")
    return int(found[-1].split()[7]) * 1000 // HZ


@case
def steal_time(system):
    """Two busy VMs of two vCPUs on one CPU: three quarters of the time are stolen. They rest before, so
    that what was stolen when Linux kept no accounts yet is accounted for, and vm1 after, so that little
    is stolen between its answer and its end."""
    run = f"sleep 2; {BUSY}; sleep 3; kill $p; sleep 1; grep ^cpu /proc/stat"
    system.boot(system.image(vm("vm1", run, vcpus=2),
                             vm("vm2", f"sleep 2; {BUSY}; sleep 1000", vcpus=2)),
                append="exit-with=vm1", icount=True)
    ran, waited = account(system, "vm1")
    told = stolen(system, "vm1")
    print(f"vm1 ran {ran} ms, waited {waited} ms, /proc/stat says {told} ms stolen")
    if waited < ran:
        raise Wrong("the VMs were not busy at the same time")
    if abs(told - waited) > waited * 0.02:
        raise Wrong(f"{told} ms stolen in /proc/stat, {waited} ms on the scheduler's account")
    system.healthy()


def destroy_busy(system, times):
    """VMs of four vCPUs, each destroyed in the middle of its work: it begins after 0.2 s."""
    work = "stress rounds=100000"
    system.boot(system.image(vm("child", work, initrd="work.cpio", vcpus=4, mem="96M")),
                append=f"cycle=child,{times},250", cpus=2, mem=256, icount=True, budget=10**11)
    system.said(rf"cycle: ok, {times} runs of child, 0 bad ends, counters returned to their start")
    system.healthy()


@case
def busy_vms_leave_nothing(system):
    destroy_busy(system, 6)


@nightly
def busy_vms_leave_nothing_50(system):
    destroy_busy(system, 50)


@nightly
def date_stays_right(system):
    """Ten minutes with four busy vCPUs of each of two VMs on two CPUs, against this machine's clock."""
    minutes = 10
    run = f"{BUSY}; i=0; while [ $i -le {minutes} ]; do echo date $(date +%s); sleep 60; i=$((i+1)); done"
    seen = []

    def watch(line):
        if found := re.match(r"vm1\| date (\d+)", line):
            seen.append((time.time(), int(found[1])))

    system.boot(system.image(vm("vm1", run, vcpus=4), vm("vm2", BUSY + "; sleep 10000", vcpus=4)),
                append="exit-with=vm1", cpus=2, on_line=watch)
    if len(seen) != minutes + 1:
        raise Wrong(f"{len(seen)} of {minutes + 1} dates were seen")
    here, there = (seen[-1][i] - seen[0][i] for i in (0, 1))
    print(f"{there} s in the VM while {here:.1f} s passed here; it began {seen[0][1] - seen[0][0]:.1f} s off")
    if abs(here - there) > 2 or abs(seen[0][1] - seen[0][0]) > 5:
        raise Wrong(f"{there} s passed in the VM, {here:.1f} s here")
    system.healthy()


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
