#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A disk served by another domain: every block, several requests at a time, deaths of the server."""

import sys

import harness
from harness import case, link, service


@case
def link_newlib(system):
    """A newlib front end: every block written and read twice, 16 requests at a time."""
    system.boot(system.image(service("front", kernel="linkfront.elf"),
                             service("disk", kernel="blkd.elf"), link("front", "disk", size="4M")),
                append="exit-with=front", mem=256)
    system.said(r"front\| 2 rounds of 1024 blocks, 0 bad, epoch 1")
    system.healthy()


@case
def link_newlib_deaths(system):
    """Its back end dies at each step of a request, six times, and 16 requests are in flight each time."""
    for first in (0, 3):
        disk = service("disk", f"crash={first},50,3", kernel="blkd_crash.elf", on_exit="restart")
        system.boot(system.image(service("front", kernel="linkfront.elf"), disk,
                                 link("front", "disk", size="1M")), append="exit-with=front", mem=256)
        system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch 4",
                    *(rf"disk stopped: panic, code {100 + first + i}" for i in range(3)))
        system.healthy()


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
