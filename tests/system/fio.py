#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fio in a VM: 32 requests at a time to a disk on the PCI bus that a driver domain serves, every block with its own
checksum, read back and verified in the same boot and in the next one, and with a driver that dies meanwhile."""

import re
import sys

import harness
from harness import case, link, nightly, service, vm
from medium import MIB, SLOT, image, plugged

WAIT = "until [ -b /dev/vda ]; do sleep 1; done; "
FIO = "fio --name=v --filename=/dev/vda --direct=1 --ioengine=libaio --iodepth=32 --thread --randseed=7 " \
      "--eta=never --verify={verify} --verify_fatal=1 --verify_state_save=0 --size={size}m --output=/tmp/fio {more} " \
      "&& echo fine-$((6*7)) || cat /tmp/fio; grep -e depths -e read: -e write: -e err= /tmp/fio; "
MIXED = "--rw=randrw --rwmixread=30 --bssplit=4k/60:16k/25:64k/15"


def driver(cmdline="", kernel="blkd.elf"):
    return service("disk", cmdline, kernel=kernel, pci=[SLOT], dma="trusted", on_exit="restart")


def fio(size, more, verify="crc32c"):
    return WAIT + FIO.format(size=size, more=more, verify=verify)


def run(system, path, command, disk=None):
    linux = vm("vm1", command, initrd="fio.cpio", mem="320M")
    system.boot(system.image(linux, disk or driver(), link("vm1", "disk", device=SLOT)), append="exit-with=vm1",
                mem=640, extra=plugged(path))
    system.healthy()
    system.said(r"^vm1\| fine-42")
    system.never(r"I/O error", r"verify: ", r"err= *[1-9]")


def at_depth_32(system):
    """fio says how many requests it had in flight, and it was not one at a time."""
    match = re.search(r"IO depths.* 32=([\d.]+)%", system.result.text)
    if not match or float(match[1]) < 50:
        raise harness.Wrong(f"32 requests were in flight {match and match[1]} % of the time")


@case
def fio_verify(system):
    """Random blocks at depth 32, verified; and again after a reboot, from what the medium has."""
    with image(16 * MIB) as path:
        run(system, path, fio(16, "--rw=randwrite --bs=4k"))
        at_depth_32(system)
        run(system, path, fio(16, "--rw=randwrite --bs=4k --verify_only"))


@case
def fio_verify_deaths(system):
    """Reads and writes of three sizes while the driver dies three times."""
    with image(32 * MIB) as path:
        run(system, path, fio(32, MIXED), driver("crash=3,400,3", kernel="blkd_crash.elf"))
        at_depth_32(system)
        system.said(r"serves vm1, epoch 4")


@nightly
def fio_verify_long(system):
    """An eighth of a gibibyte, twice over, with SHA-256 for a checksum."""
    with image(128 * MIB) as path:
        for more in ("--rw=randwrite --bs=4k --loops=2", MIXED):
            run(system, path, fio(128, more, "sha256"))
            at_depth_32(system)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
