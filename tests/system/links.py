#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A disk and an entropy source served by other domains to a newlib front end and to Linux: data, a file
system, deaths, hangs."""

import random
import re
import sys

import deaths
import harness
from harness import case, link, nightly, service, vm


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


@case
def link_newlib_hangs(system):
    """Its back end loops for ever at two steps of a request; the watchdog notices, nothing is lost."""
    disk = service("disk", "hang crash=1,50,2", kernel="blkd_crash.elf", on_exit="restart", watchdog=2)
    system.boot(system.image(service("front", kernel="linkfront.elf"), disk,
                             link("front", "disk", size="1M")), append="exit-with=front", mem=256)
    system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch 3", r"disk stopped: hung: it answered nothing "
                                                                  r"for 2 s")
    system.healthy()


@case
def link_watchdog_budget(system):
    """A back end that hangs each time it is started is given up when its restarts are used up."""
    disk = service("disk", "hang crash=1,50,99", kernel="blkd_crash.elf", on_exit="restart", watchdog=1,
                   restarts=2)
    system.boot(system.image(service("front", kernel="linkfront.elf"), disk,
                             link("front", "disk", size="1M")), append="exit-with=front", mem=256, want=None)
    system.said(r"disk: not started again: 3 ends within 12 s", r"front: nothing happens any more")
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
    deaths.few(deaths_anywhere, system)


@nightly
def link_newlib_deaths_many(system):
    """1,000 deaths and what they lose: nothing."""
    deaths.thousand(deaths_anywhere, system)


# ---- Linux ----

WAIT = "until [ -b /dev/vda ]; do sleep 1; done; "
FORGET = "echo 3 > /proc/sys/vm/drop_caches; "
DATA = "dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null; a=$(md5sum < /tmp/data); "
WRITE = "dd if=/tmp/data of=/dev/vda bs=64k conv=fsync 2>/dev/null; "
READ = "b=$(dd if=/dev/vda bs=4k count=1024 2>/dev/null | md5sum); "
SAME = "[ x${a%% *} = x${b%% *} ] && echo same-$((6*7)); "


def linux(system, run, disk=None, mem=512, **keys):
    system.boot(system.image(vm("vm1", run), disk or service("disk", kernel="blkd.elf"),
                             link("vm1", "disk", size="8M", **keys)),
                append="exit-with=vm1", mem=mem)
    system.healthy()


@case
def link_disk(system):
    """Written, forgotten, read back; then a file system with files in it."""
    linux(system, WAIT + "cat /sys/block/vda/size; " + DATA + WRITE + FORGET + READ + SAME
         + "mke2fs /dev/vda > /dev/null && mkdir /m && mount -t ext4 /dev/vda /m && cp /tmp/data /m/f && "
         "umount /m && " + FORGET + "mount -t ext4 /dev/vda /m && b=$(md5sum < /m/f); "
         "[ x${a%% *} = x${b%% *} ] && echo files-$((6*7))")
    system.said(r"^vm1\| 16384", r"^vm1\| same-42", r"^vm1\| files-42", r"serves vm1, epoch 1")


@case
def link_small_window(system):
    """The smallest window: requests wait for room in it."""
    linux(system, WAIT + DATA + WRITE + FORGET + READ + SAME, window="2M")
    system.said(r"^vm1\| same-42")


@case
def link_read_only(system):
    linux(system, WAIT + "cat /sys/block/vda/ro; echo x > /dev/vda || echo refused-$((6*7))",
         read_only=True)
    system.said(r"^vm1\| 1$", r"^vm1\| refused-42")


@case
def link_back_end_dies(system):
    """The back end dies at each step of a request, in the middle of I/O; nothing is lost and the VM sees
    a slow disk."""
    for first in (0, 3):
        disk = service("disk", f"crash={first},9,3", kernel="blkd_crash.elf", on_exit="restart")
        linux(system, WAIT + DATA + WRITE + FORGET + READ + SAME, disk)
        system.said(r"^vm1\| same-42", r"serves vm1, epoch 4",
                    *(rf"disk stopped: panic, code {100 + first + i}" for i in range(3)))
        system.never(r"I/O error", r"does not answer")


# ---- entropy ----

@case
def link_rng(system):
    """Linux's hwrng is another domain's; its bytes are not the same twice, and it outlives deaths of that
    domain."""
    read = "dd if=/dev/hwrng bs=32 count=32 2>/dev/null | md5sum"
    source = service("source", "crash=3,9,3", kernel="rngd_crash.elf", on_exit="restart")
    system.boot(system.image(vm("vm1", "until [ -c /dev/hwrng ] && grep -q virtio "
                                "/sys/class/misc/hw_random/rng_current; do sleep 1; done; "
                                f"a=$({read}); b=$({read}); [ x${{a%% *}} != x${{b%% *}} ] && "
                                "echo fresh-$((6*7)); dd if=/dev/hwrng bs=32 count=32 2>/dev/null | wc -c"),
                             source, link("vm1", "source", kind="rng")), append="exit-with=vm1")
    system.said(r"^vm1\| fresh-42", r"^vm1\| 1024$", r"serves vm1, epoch 4",
                *(rf"source stopped: panic, code {103 + i}" for i in range(3)))
    system.healthy()


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
