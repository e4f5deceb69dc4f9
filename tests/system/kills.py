#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A block driver domain that is killed over and over under a client whose every write carries a number: what
was acknowledged stays, and nothing older comes back."""

import sys

import harness
from harness import Wrong, case, link, nightly, service, vm
from medium import MIB, SLOT, behind_iommu, image, plugged
from stamps import NAMES, client, counts, nothing_lost

OTHER = "00:05.0"
SERVED_WITHIN_US = 100_000
STEPS = range(6)
LIFE_US = 6000  # with -icount: a start takes two milliseconds, so a third dies before it has served anything
LIFE_ON_DISK_US = 60_000
LIFE_OF_LINUX_US = 1_000_000  # from when it answers over its link: some die before they have served anything


def on_ram(system, disk, append="", **words):
    """One boot on a RAM disk, counted in instructions; each of them could be the last of a life."""
    system.boot(system.image(client(**words), disk, link("front", "disk", size="1M")), mem=256, icount=True,
                append=f"exit-with=front {append}")
    system.healthy()
    return counts(system)


def on_disk(system, disk, append="", **words):
    """The same on a disk of the machine, in real time."""
    with image(MIB) as path:
        system.boot(system.image(client(patience=600, **words), disk, link("front", "disk", device=SLOT)), mem=256,
                    append=f"exit-with=front {append}", extra=plugged(path))
    system.healthy()
    return counts(system)


def driver(on_disk, cmdline="", kernel="blkd.elf", **keys):
    return service("disk", cmdline, kernel=kernel, **(({"pci": [SLOT], "dma": "trusted"} if on_disk else {}) | keys))


def killed(system, boot, lives, seed):
    """Killed at any instruction of its start or of its work, until `lives` of them have served the client."""
    most = LIFE_US if boot == on_ram else LIFE_ON_DISK_US
    return boot(system, driver(boot == on_disk), f"kills=disk,0,{most},{seed}", lives=lives, seed=seed)


def crashed(system, boot, lives, seed):
    """Dies `lives` times, each time at one of the six steps of a request."""
    disk = driver(boot == on_disk, f"crash-seed={seed},{lives}", "blkd_crash.elf", on_exit="restart", restarts=lives)
    return boot(system, disk, lives=lives, seed=seed)


def on_linux(system, run, append="", on_exit="report", **words):
    """On a disk of the machine whose driver is a Linux VM. Each life of it is a boot."""
    with image(MIB) as path:
        disk = vm("disk", run, initrd="driver.cpio", pci=[SLOT], on_exit=on_exit)
        system.boot(system.image(client(**words), disk, link("front", "disk", device=SLOT)),
                    append=f"exit-with=front {append}", extra=behind_iommu(plugged(path)))
    system.healthy()
    return counts(system)


def linux_killed(system, seed, **words):
    return on_linux(system, "rfblkd", f"kills=disk,0,{LIFE_OF_LINUX_US},{seed},serving", seed=seed, **words)


@case
def kills_at_any_instruction(system):
    """40 lives on a RAM disk; each successor serves its first request in time."""
    nothing_lost(killed(system, on_ram, 40, 1), 40, SERVED_WITHIN_US)


@case
def kills_on_disk(system):
    nothing_lost(killed(system, on_disk, 12, 2), 12)


@case
def kills_linux(system):
    """Twice, and the third goes on where they were."""
    nothing_lost(linux_killed(system, 10, lives=2, writes=100), 2)
    system.said(r"serves front, epoch [3-9]")


@case
def kills_linux_process(system):
    """Only its process is killed: the VM powers off, and both begin anew."""
    run = "rfblkd > /tmp/o & p=$!; until grep -q serves /tmp/o; do sleep 0.1; done; sleep 0.1; kill -9 $p"
    nothing_lost(on_linux(system, run, on_exit="restart", lives=1, writes=100), 1)
    system.said(r"disk .*powered off")


@case
def kills_at_each_step(system):
    nothing_lost(crashed(system, on_ram, 24, 3), 24)
    system.said(*(rf"disk stopped: panic, code {100 + step}" for step in STEPS))


@case
def kills_first_served(system):
    """A driver that crashes is started again by itself: from its death to the first request of its successor."""
    waits = []
    for step in STEPS:
        disk = driver(False, f"crash={step},200,1", "blkd_crash.elf", on_exit="restart")
        waits.append(nothing_lost(on_ram(system, disk, lives=1), 1, SERVED_WITHIN_US)["wait"])
    print(f"longest waits: {waits} us")


@nightly
def kills_thousand(system):
    """1,000 deaths: 750 at any instruction, 250 at the steps of a request."""
    runs = [(killed, on_ram, 125, seed) for seed in range(1, 5)]
    runs += [(killed, on_disk, 125, 5), (killed, on_disk, 125, 6)]
    runs += [(crashed, on_ram, 100, 7), (crashed, on_ram, 100, 8), (crashed, on_disk, 50, 9)]
    total, longest = dict.fromkeys(NAMES, 0), 0
    for how, boot, lives, seed in runs:
        counted = (how, boot) == (killed, on_ram)  # else it is real time, or init's delay
        told = nothing_lost(how(system, boot, lives, seed), lives, SERVED_WITHIN_US if counted else None)
        total = {name: total[name] + told[name] for name in NAMES}
        longest = max(longest, told["wait"] if counted else 0)
    print(f"{total['deaths']} deaths, {total['writes']} writes acknowledged, {total['lost']} lost, "
          f"{total['ghosts'] + total['foreign']} ghosts, longest wait on a RAM disk {longest} us")


@nightly
def kills_linux_hundred(system):
    """100 deaths of Linux driver VMs that have served the client."""
    told = [nothing_lost(linux_killed(system, seed, lives=25), 25) for seed in range(11, 15)]
    print(f"{sum(t['deaths'] for t in told)} deaths, {sum(t['writes'] for t in told)} writes acknowledged, 0 lost")


# ---- ghosts ----

def two_ways(system, init):
    """One medium behind two functions. The first is slow, and its driver dies with writes in it; its successor
    takes the second, so that no reset but the fence of init stops those. They would land when all is over."""
    with image(MIB) as path:
        slow = plugged(path, SLOT, throttle="throttling.iops-write=2,file.locking=off")
        fast = plugged(path, OTHER, throttle="file.locking=off")
        words = [*slow[:-1], slow[-1] + ",share-rw=on,ioeventfd=off,request-merging=off",
                 *fast[:-1], fast[-1] + ",share-rw=on"]
        disk = driver(True, "ways crash=2,20,1", "blkd_crash.elf", on_exit="restart", pci=[SLOT, OTHER])
        system.boot(system.image(client(lives=1, writes=300, settle=9000), disk,
                                 link("front", "disk", device=SLOT), init=init),
                    mem=256, append="exit-with=front", extra=words, want=None)
    system.healthy()
    system.said(rf"disk {SLOT}: ", rf"disk {OTHER}: ")
    return counts(system)


@case
def kills_ghosts(system):
    nothing_lost(two_ways(system, "init.elf"), 1)


@case
def kills_ghosts_planted(system):
    """The same with an init that forgets the fence: it must be noticed."""
    told = two_ways(system, "init_unfenced.elf")
    if not told["ghosts"] + told["foreign"] + told["lost"]:
        raise Wrong("a dead driver's writes landed, or should have, and nobody noticed")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
