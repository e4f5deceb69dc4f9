# SPDX-License-Identifier: BSD-2-Clause
"""Disks plugged into the machines of tests: an image for one boot or more, and QEMU's words for it."""

import contextlib
import pathlib
import tempfile

import harness  # noqa: F401  (it knows where the tools are)
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


def plugged(path, slot=SLOT, read_only=False, throttle=""):
    """The disk's words; those of slot 4 call it disk0."""
    index = int(slot[3:5], 16) - 4
    return disks.qemu_arguments(MachineDisk(index, slot, str(path), 0, read_only), path, throttle=throttle)


def plug_all(manifest, where):
    """The words for all disks and cards of a parsed manifest, with images in `where`, made as `run` makes them."""
    words = []
    for disk in manifest.disks:
        disk.file = str(where / pathlib.Path(disk.file).name)
        words += disks.qemu_arguments(disk, disks.find(disk), manifest.iommu)
    for card in manifest.cards:
        words += cards.qemu_arguments(card, manifest.iommu)
    return words
