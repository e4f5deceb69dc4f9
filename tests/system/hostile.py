#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Guest kernels that mean harm (tests/domains/hostile) beside a VM at work."""

import sys

import harness
from harness import WORK, case, service, vm


# ---- guest kernels that mean harm: tests/domains/hostile ----

def kernel_misdeed(system, deed, *patterns, seeds=1, cpus=1, vtlb="max"):
    """Hostile kernels, one for each seed, beside a VM that does its work to the end."""
    bad = [service(f"bad{seed}", f"do={deed} seed={seed}", kernel="hostile.elf", kind="linux",
                   mem="48M", vtlb=vtlb) for seed in range(1, seeds + 1)]
    system.boot(system.image(*bad, vm("vm2", WORK)), append="exit-with=vm2 audit", cpus=cpus)
    system.said(r"^vm2\| 42-done", *patterns)
    system.healthy()
    system.never(r"audit: domain vm2")


@case
def kernel_panics(system):
    kernel_misdeed(system, "panic", r"bad1 stopped: panic, code 7")


@case
def kernel_halts(system):
    kernel_misdeed(system, "halt", r"bad1 stopped: halted")


@case
def kernel_loops_with_events_off(system):
    kernel_misdeed(system, "loop")


@case
def kernel_jumps_into_hypervisor(system):
    kernel_misdeed(system, "jump")


@case
def kernel_makes_wild_calls(system):
    kernel_misdeed(system, "calls", seeds=4)


@case
def kernel_makes_wilder_calls(system):
    kernel_misdeed(system, "wild", seeds=4, cpus=2)


@case
def kernel_scribbles_on_page_tables(system):
    kernel_misdeed(system, "tables", seeds=4, cpus=2)


@case
def kernel_scribbles_on_page_tables_vtlb_64(system):
    kernel_misdeed(system, "tables", seeds=4, vtlb=64)


@case
def kernel_scribbles_on_its_page(system):
    kernel_misdeed(system, "vcs", seeds=4, cpus=2)


@case
def kernel_loads_noise_as_roots(system):
    kernel_misdeed(system, "roots", seeds=4)


@case
def kernel_returns_to_nowhere(system):
    kernel_misdeed(system, "frames", seeds=4)


@case
def kernel_wants_ring_0(system):
    kernel_misdeed(system, "privileged", seeds=4)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
