# SPDX-License-Identifier: BSD-2-Clause
"""Disks plugged into the machines of tests: an image for one boot or more, and QEMU's words for it."""

import contextlib
import pathlib
import tempfile

from harness import Wrong, service
from manifest.devices import MachineDisk
from ringfence import cards, disks

SLOT = "00:04.0"
MIB = 1 << 20


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


def front(name="front", cmdline=""):
    return service(name, cmdline, kernel="linkfront.elf")


def block(number, round_now, size=4096):
    """What linkfront writes (tests/domains/linkfront)."""
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


def plug_all(manifest, where):
    """The words for all disks and cards of a parsed manifest, with images in `where`, made as `run` makes them."""
    words = []
    for disk in manifest.disks:
        disk.file = str(where / pathlib.Path(disk.file).name)
        words += disks.qemu_arguments(disk, disks.find(disk), manifest.iommu)
    for card in manifest.cards:
        words += cards.qemu_arguments(card, manifest.iommu)
    return words
