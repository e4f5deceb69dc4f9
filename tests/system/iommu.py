#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The system on a machine with VT-d, where nothing but devices must notice (for these see area DEV of tests/abi)."""

import sys

from harness import case, main, service, status
from talk import ESCAPE, Talk, want


@case
def iommu_console(system):
    """The interrupt line of the console comes through the IOMMU's table; domains go and come."""
    t = Talk(system.build, system.name, [("e1", {}), ("e2", {})], "view=e1", cpus=2, iommu=True)
    try:
        t.expect("iommu: VT-d, 1 units, 3-level tables")
        t.expect("hello from e1")
        t.type("good morning\r")
        t.expect("e1: good morning\r\n")
        t.shell()
        t.command("restart e1")
        t.until("list", "running")
        t.type(ESCAPE + "q")
        want(t.end() == status.OK, "quit is not exit status 0")
    finally:
        t.close()


@case
def no_iommu(system):
    """A machine without one boots as ever and says so."""
    system.boot(system.image(service("e1", "exit=0"), console=False), icount=True)
    system.said(r"iommu: not used, the machine has none: a device with DMA has to be trusted", r"e1 stopped")


if __name__ == "__main__":
    sys.exit(main(__doc__))
