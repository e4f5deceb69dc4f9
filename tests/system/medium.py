# SPDX-License-Identifier: BSD-2-Clause
"""Disks plugged into the machines of tests: an image for one boot or more, and QEMU's words for it."""

import contextlib
import pathlib
import re
import tempfile

from harness import Wrong, service
from manifest.devices import MachineDisk
from ringfence import cards, disks

SLOT = "00:04.0"
MIB = 1 << 20
Q35 = ["-machine", "q35", "-device", "intel-iommu,intremap=on,caching-mode=on,aw-bits=48"]  # with VT-d


@contextlib.contextmanager
def image(size):
    with tempfile.TemporaryDirectory(prefix="disk") as directory:
        path = pathlib.Path(directory) / "disk.img"
        with open(path, "wb") as file:
            file.truncate(size)
        yield path


def plugged(path, slot=SLOT, read_only=False, throttle="", model="virtio"):
    """The disk's words; those of slot 4 call it disk0."""
    index = int(slot[3:5], 16) - 4
    disk = MachineDisk(index, slot, str(path), 0, read_only, model=model)
    return disks.qemu_arguments(disk, path, throttle=throttle)


def plug_all(manifest, where):
    """The words for all disks and cards of a parsed manifest, with images in `where`, made as `run` makes them."""
    words = []
    for disk in manifest.disks:
        disk.file = str(where / pathlib.Path(disk.file).name)
        words += disks.qemu_arguments(disk, disks.find(disk), manifest.iommu)
    for card in manifest.cards:
        words += cards.qemu_arguments(card, manifest.iommu)
    return words


def behind_iommu(words, confined=True):
    """The same disk in a machine with VT-d; `confined`: it goes through it."""
    return [*Q35, *words[:-1], words[-1] + (",iommu_platform=on" if confined else "")]


# ---- what linkfront writes (tests/domains/linkfront) ----

def front(name="front", cmdline=""):
    return service(name, cmdline, kernel="linkfront.elf")


def block(number, round_now, size=4096):
    words = ((number << 32 ^ round_now << 16 ^ i) * 0x9e3779b97f4a7c15 % 2**64 for i in range(size // 8))
    return b"".join(word.to_bytes(8, "little") for word in words)


def same_blocks(path, first, count, name, zeroes=0):
    """The medium holds what linkfront wrote in its second round, and zeroes in the first blocks."""
    data = path.read_bytes()
    if any(data[first:first + zeroes * 4096]):
        raise Wrong(f"what was made zero on {name} is not")
    for number in range(zeroes, count):
        at = first + number * 4096
        if data[at:at + 4096] != block(number, 2):
            raise Wrong(f"block {number} of {name} is not on the medium")


# ---- what a Linux VM does with its disk /dev/vda ----

WAIT = "until [ -b /dev/vda ]; do sleep 1; done; "
FORGET = "echo 3 > /proc/sys/vm/drop_caches; "
MAKE = "mke2fs /dev/vda > /dev/null && mkdir /m && mount -t ext4 /dev/vda /m; "
FILE = "dd if=/dev/urandom of=/m/f bs=64k count=64 2>/dev/null; sync; "
SUM = "s=$(md5sum < /m/f); echo sum=${s%% *}; "


def checksum(system):
    match = re.search(r"^\w+\| sum=([0-9a-f]{32})", system.result.text, re.MULTILINE)
    if not match:
        raise Wrong("the VM printed no checksum")
    return match[1]
