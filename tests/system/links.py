#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A disk served by another domain: every block, several requests at a time, deaths of the server."""

import random
import re
import sys

import harness
from harness import case, link, nightly, service


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


def deaths_anywhere(system, seed):
    """Four deaths, each between two stores to shared memory."""
    at = ",".join(str(random.Random(f"{seed}.{i}").randint(1, 2500)) for i in range(4))
    disk = service("disk", f"crash-store={at}", kernel="blkd_crash.elf", on_exit="restart")
    system.boot(system.image(service("front", kernel="linkfront.elf"), disk,
                             link("front", "disk", size="1M")), append="exit-with=front", mem=256)
    system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch")
    system.healthy()
    return int(re.search(r" 0 bad, epoch (\d+)", system.result.text)[1]) - 1


@case
def link_newlib_deaths_anywhere(system):
    """Three seeds of the nightly case."""
    deaths = sum(deaths_anywhere(system, seed) for seed in range(3))
    if deaths < 6:
        raise harness.Wrong(f"only {deaths} of 12 deaths happened")
    print(f"{deaths} deaths")


@nightly
def link_newlib_deaths_many(system):
    """1,000 deaths and what they lose: nothing."""
    deaths = seed = 0
    while deaths < 1000:
        seed += 1
        deaths += deaths_anywhere(system, 1000 + seed)
    print(f"{deaths} deaths in {seed} boots")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
