#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two VMs of two vCPUs on two CPUs under the stress mix (tests/guest/stress), counted in instructions."""

import sys

import harness
from harness import Wrong, case, nightly, vm

def stress(system, insns, rounds, vtlb="max", append="", mem="96M", kernel="bzImage", user_kernel="split", **options):
    """Both VMs run `rounds` rounds a worker; each must have executed `insns` instructions by then."""
    domains = [vm(f"vm{i}", f"stress seed={i} vm={i} rounds={rounds}", initrd="work.cpio", mem=mem,
                  vcpus=2, vtlb=vtlb, kernel=kernel, user_kernel=user_kernel) for i in (1, 2)]
    system.boot(system.image(*domains), append=append, owners=True, budget=1000 * insns,
                **({"cpus": 2} | options))
    system.healthy()
    for i in (1, 2):
        system.said(rf"^vm{i}\| stress: good", rf"vm{i}.*powered off")
        if (did := system.result.owners.get(i, 0)) < insns:
            raise Wrong(f"vm{i} executed {did} instructions, at least {insns} are asked for")
    print("instructions:", ", ".join(f"vm{i} {system.result.owners[i]:,}" for i in (1, 2)))


@case
def stress_max(system):
    stress(system, 500_000_000, 220)


@case
def stress_64(system):
    stress(system, 500_000_000, 220, vtlb=64)


@case
def stress_audit(system):
    stress(system, 100_000_000, 60, append="audit")


@case
def stress_0(system):
    stress(system, 10_000_000, 15, vtlb=0)


@nightly
def stress_max_long(system):
    stress(system, 20_000_000_000, 7500)


@nightly
def stress_64_long(system):
    stress(system, 20_000_000_000, 7500, vtlb=64)


@nightly
def stress_0_long(system):
    stress(system, 2_000_000_000, 800, vtlb=0)


# ---- one root for user and kernel ----

@case
def stress_fused_max(system):
    stress(system, 100_000_000, 60, append="audit", user_kernel="fused")


@case
def stress_fused_64(system):
    stress(system, 100_000_000, 60, vtlb=64, append="audit", user_kernel="fused")


@case
def stress_fused_0(system):
    stress(system, 10_000_000, 15, vtlb=0, user_kernel="fused")


@nightly
def stress_fused_max_long(system):
    stress(system, 20_000_000_000, 7500, user_kernel="fused")


# ---- Linux that checks itself: lock order, page tables, states at entry ----

def debug_kernel(system, insns, rounds, **options):
    image = system.build / "linux-debug" / "arch" / "x86" / "boot" / "bzImage"
    stress(system, insns, rounds, kernel=str(image), mem="192M", **options)


@nightly
def debug_kernel_max(system):
    debug_kernel(system, 500_000_000, 100)


@nightly
def debug_kernel_64(system):
    debug_kernel(system, 500_000_000, 100, vtlb=64)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
