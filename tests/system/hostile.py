#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guest kernels that mean harm (tests/domains/hostile) beside a VM at work.

The VM must do its work to the end, its audit must find nothing, and each deed must have got somewhere: what a
hostile kernel tells of its progress is counted, so that a deed which dies at its first step is a failure of
the case and not a quiet success.
"""

import re
import sys

import harness
from harness import WORK, Wrong, case, nightly, service, vm

# What may become of a hostile kernel: it ran out of rounds, or was stopped for what it did.
# 8: its rounds are over; 9: a vCPU that a sibling's noise sent back to the start found that nothing is as it was.
ENDS = r"panic, code [89]|double fault|unhandled exception|fault"


def bad(name, deed, seed, vcpus=1, vtlb="max", rounds=0, **keys):
    return service(name, f"do={deed} seed={seed}" + (f" rounds={rounds}" if rounds else ""),
                   kernel="hostile.elf", kind="linux", mem="48M", vtlb=vtlb, vcpus=vcpus, **keys)


def progress(system, name):
    """The last words of one: rounds, ok, errors, events."""
    told = [0, 0, 0, 0]
    for line in system.result.lines():
        found = re.search(rf"{name}: progress \S+ rounds (\d+) ok (\d+) errors (\d+) events (\d+)", line)
        if found:
            told = [int(number) for number in found.groups()]
    return told


def beside_a_vm(system, *domains, cpus=1, icount=False):
    """The domains do their worst and vm2 works to its end."""
    system.boot(system.image(*domains, vm("vm2", WORK)), append="exit-with=vm2 audit", cpus=cpus,
                mem=768, icount=icount)
    system.said(r"^vm2\| 42-done")
    system.healthy(known=r".* (WRN domain \d+ 'bad|WRN bad|ERR audit: domain bad)\d+.*")
    for line in system.result.lines():
        if re.search(r"init: bad\d+ stopped", line) and not re.search(ENDS, line):
            raise Wrong(f"an end nobody expected: {line}")


def misdeed(system, deed, rounds, seeds=4, cpus=1, vtlb="max", vcpus=1, answers=False, events=False):
    """One deed by several domains, each of a seed of its own; `rounds` are what all together must reach."""
    names = [f"bad{seed}" for seed in range(1, seeds + 1)]
    beside_a_vm(system, *(bad(name, deed, int(name[3:]), vcpus, vtlb) for name in names), cpus=cpus)
    check(system, deed, names, rounds, answers, events)


def check(system, deed, names, rounds, answers=False, events=False):
    did = [sum(column) for column in zip(*(progress(system, name) for name in names))]
    if did[0] < rounds:
        raise Wrong(f"{deed}: {did[0]} rounds, at least {rounds} are expected")
    if answers and not (did[1] and did[2]):
        raise Wrong(f"{deed}: {did[1]} calls succeeded and {did[2]} were refused")
    if events and not did[3]:
        raise Wrong(f"{deed}: nothing arrived in its kernel")


# ---- alone ----

@case
def kernel_panics_halts_and_loops(system):
    beside = [service(f"quiet{i}", f"do={deed}", kernel="hostile.elf", kind="linux", mem="48M")
              for i, deed in enumerate(("panic", "halt", "loop"))]
    beside_a_vm(system, *beside)
    system.said(r"quiet0 stopped: panic, code 7", r"quiet1 stopped: halted")
    system.never(r"quiet2 stopped")


@case
def kernel_jumps_into_hypervisor(system):
    misdeed(system, "jump", 1000, seeds=1, events=True)


@case
def kernel_makes_wild_calls(system):
    misdeed(system, "calls", 4000, answers=True)


@case
def kernel_makes_wilder_calls(system):
    misdeed(system, "wild", 256, cpus=2, answers=True)


@case
def kernel_scribbles_on_page_tables(system):
    misdeed(system, "tables", 4000, cpus=2, events=True)


@case
def kernel_scribbles_on_page_tables_vtlb_64(system):
    misdeed(system, "tables", 4000, vtlb=64, events=True)


@case
def kernel_scribbles_on_its_page(system):
    misdeed(system, "vcs", 256, cpus=2, answers=True, events=True)


@case
def kernel_loads_noise_as_roots(system):
    misdeed(system, "roots", 1000, answers=True)


@case
def kernel_returns_to_nowhere(system):
    misdeed(system, "frames", 1000, events=True)


@case
def kernel_wants_ring_0(system):
    misdeed(system, "privileged", 1000, events=True)


@case
def kernel_runs_out_of_stack(system):
    """The kernel entry cannot push: an event while the frame is busy, and told as that."""
    beside_a_vm(system, bad("bad1", "overflow", 1), bad("bad2", "recurse", 1))
    for name in ("bad1", "bad2"):
        system.said(rf"'{name}' vcpu 0: event while the frame was busy: vector 14",
                    rf"{name} stopped: double fault")
        check(system, "the end of the stack", [name], 1)


# ---- several vCPUs against each other ----

GANG = ("rewrite", "register", "hotplug")


def gang(system, cpus, seeds=2, vtlb="max"):
    """Hand-over pages rewritten and registered anew, vCPUs stopped and started, all by their siblings."""
    names = {deed: [f"bad{seed}{i}" for seed in range(1, seeds + 1)] for i, deed in enumerate(GANG)}
    beside_a_vm(system, *(bad(name, deed, int(name[3:]), 3, vtlb)
                          for deed in GANG for name in names[deed]), cpus=cpus)
    for deed in GANG:
        check(system, deed, names[deed], 256, answers=True)


@case
def siblings_rewrite_each_other_1cpu(system):
    gang(system, 1, seeds=1)


@case
def siblings_rewrite_each_other_2cpu(system):
    gang(system, 2)


def walkers(system, cpus, seeds, capacities=("max", 64, 0)):
    """Page tables in frames of every kind, changed under the walk, at each capacity of the vTLB."""
    kinds = [(f"bad{seed}{i}", seed, vtlb) for seed in seeds for i, vtlb in enumerate(capacities)]
    beside_a_vm(system, *(bad(name, "walker", seed, 3, vtlb) for name, seed, vtlb in kinds), cpus=cpus)
    for i in range(len(capacities)):
        check(system, f"walker, kind {i}", [name for name, _, _ in kinds if name.endswith(str(i))], 500,
              answers=True, events=True)


@case
def tables_change_under_the_walk_1cpu(system):
    walkers(system, 1, (1,), (64,))


@case
def tables_change_under_the_walk_2cpu(system):
    walkers(system, 2, (2, 3))


@case
def events_off_on_all_vcpus(system):
    """Two vCPUs loop with events off; the third asks them to flush and to stop, again and again."""
    misdeed(system, "spin", 20, seeds=1, cpus=2, vcpus=3, answers=False)


def flooded(system, vcpus):
    """A storm of events costs the neighbour half of the CPU and no more, counted in instructions."""
    beside_a_vm(system, icount=True)
    alone = system.result.insns
    beside_a_vm(system, bad("bad1", "storm", 1, vcpus, rounds=10**9), icount=True)
    check(system, "storm", ["bad1"], 1000, events=True)
    most = 2 * 1.25 * alone  # each domain has an equal share, however many vCPUs
    if system.result.insns > most:
        raise Wrong(f"{system.result.insns} instructions beside a storm, {alone} alone")


@case
def neighbour_of_a_storm_gets_its_share(system):
    flooded(system, 1)


@case
def neighbour_of_a_storm_of_twelve_gets_its_share(system):
    flooded(system, 12)


# ---- on fused roots, beside a split VM ----

@case
def fused_kernels_change_tables_under_the_walk(system):
    """The walkers at each capacity, three vCPUs each, and one that scribbles."""
    names = {f"bad1{i}": vtlb for i, vtlb in enumerate(("max", 64, 0))}
    walking = [bad(name, "walker", 1, 3, vtlb, user_kernel="fused") for name, vtlb in names.items()]
    beside_a_vm(system, *walking, bad("bad2", "tables", 2, user_kernel="fused"), cpus=2)
    for name in names:
        check(system, "walker", [name], 100, answers=True, events=True)
    check(system, "tables", ["bad2"], 256, events=True)


# ---- many seeds ----

def many(deeds, cpus, vtlb):
    """Sixteen seeds of each deed, as many at a time as leave the VM enough of the CPUs."""
    def run(system):
        for deed, vcpus in deeds:
            together = 1 if deed == "storm" else 4 // vcpus + 1
            for first in range(10, 26, together):
                names = [f"bad{seed}" for seed in range(first, min(first + together, 26))]
                beside_a_vm(system, *(bad(name, deed, int(name[3:]), vcpus, vtlb) for name in names),
                            cpus=cpus)
                check(system, deed, names, 16)
    run.__name__ = f"hostile_seeds_{deeds[0][0]}_{cpus}cpu_vtlb_{vtlb}"
    nightly(run)


for _cpus in (1, 2):
    for _vtlb in ("max", 64, 0):
        many([(deed, 3) for deed in (*GANG, "storm")], _cpus, _vtlb)
        many([("walker", 3)], _cpus, _vtlb)
        many([(deed, 1) for deed in ("calls", "wild", "tables", "vcs", "roots", "frames", "privileged")],
             _cpus, _vtlb)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
