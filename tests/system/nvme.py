#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An NVMe disk behind VT-d, driven by the domain that drives virtio disks: the same promises, by another driver."""

import sys

import harness
from harness import Wrong, case, link, nightly, qemu, service, status, vm
from medium import MIB, SLOT, front, image, plugged, same_blocks
from stamps import client, counts, nothing_lost

LIFE_US = 60_000
OTHER = "00:05.0"


def driver(cmdline="", kernel="blkd.elf", dma="iommu", slot=SLOT, **keys):
    return service("disk", cmdline, kernel=kernel, **({"pci": [slot], "dma": dma} | keys))


def disk(path, confined=True, **keys):
    """The disk's words, and those of a machine with VT-d."""
    return [*(["-machine", "q35", *qemu.IOMMU] if confined else ()), *plugged(path, model="nvme", **keys)]


# ---- data ----

@case
def nvme_newlib(system):
    """Every block written and read twice, 16 requests at a time, then some made zero; the image holds that."""
    with image(4 * MIB) as path:
        system.boot(system.image(front(cmdline="zeroes=300"), driver(), link("front", "disk", device=SLOT)), append="exit-with=front",
                    mem=256, cpus=2, extra=disk(path))
        system.healthy()
        system.said(r"front\| 2 rounds of 1024 blocks, 0 bad, epoch 1", r"disk 00:04\.0: 4096 KiB, NVMe$",
                    r"iommu: VT-d")
        system.never(r"(?i)trusted", r"iommu: device .* may not")
        same_blocks(path, 0, 1024, "the disk", zeroes=300)


@case
def nvme_by_class(system):
    """What it is, is found by its class whoever made it, on a machine without an IOMMU where it is trusted."""
    with image(MIB) as path:
        name = "class 01.08"
        system.boot(system.image(front(), driver(dma="trusted", slot=name), link("front", "disk", device=name)),
                    append="exit-with=front", mem=256, extra=[*disk(path, confined=False), "-machine", "pc"])
        system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch 1",
                    r"disk: TRUSTED WITH ALL MEMORY: its device 00:04\.0 does DMA without an IOMMU")
        system.healthy()
        same_blocks(path, 0, 256, "the disk")


@case
def nvme_both_kinds(system):
    """One driver domain, an NVMe disk and a virtio disk."""
    with image(MIB) as one, image(MIB) as other:
        second = plugged(other, OTHER)
        system.boot(system.image(front("a"), front("b"), driver(pci=[SLOT, OTHER]),
                                 link("a", "disk", device=SLOT), link("b", "disk", device=OTHER)),
                    append="exit-with=b", mem=256, want=None,
                    extra=[*disk(one), *second[:-1], second[-1] + ",iommu_platform=on"])
        system.said(r"b\| 2 rounds of 256 blocks, 0 bad, epoch 1", r"disk 00:04\.0: 1024 KiB, NVMe$",
                    r"disk 00:05\.0: 1024 KiB$")
        system.healthy()
        same_blocks(other, 0, 256, "the virtio disk")


@case
def nvme_linux_discards(system):
    """A VM throws blocks of its disk away: those, and none around them."""
    with image(16 * MIB) as path:
        run = ("until [ -b /dev/vda ]; do sleep 1; done; "
               "yes xxxxxxx | dd of=/dev/vda bs=64k count=64 iflag=fullblock 2>/dev/null; sync; "
               "blkdiscard -o 1048576 -l 1048576 /dev/vda && echo thrown-$((6*7)); sync")
        system.boot(system.image(vm("vm1", run), driver(), link("vm1", "disk", device=SLOT)),
                    append="exit-with=vm1", extra=disk(path, throttle="discard=unmap"))
        system.healthy()
        system.said(r"^vm1\| thrown-42")
        data = path.read_bytes()
        if any(data[MIB:2 * MIB]):  # QEMU's disk reads as zeros there
            raise Wrong("what was thrown away is there")
        written = b"xxxxxxx\n" * (4 * MIB // 8)
        if data[:MIB] != written[:MIB] or data[2 * MIB:4 * MIB] != written[2 * MIB:]:
            raise Wrong("what lies around what was thrown away is not what was written")


# ---- death ----

def killed(system, lives, seed, throttle=""):
    with image(MIB) as path:
        system.boot(system.image(client(lives=lives, seed=seed), driver(), link("front", "disk", device=SLOT)),
                    mem=256, append=f"exit-with=front kills=disk,0,{LIFE_US},{seed}",
                    extra=disk(path, throttle=throttle))
    system.healthy()
    system.never(r"(?i)trusted", r"iommu: device .* may not")
    return counts(system)


@case
def nvme_kills(system):
    """Killed at any instruction of its start or of its work under the client whose every write carries a number."""
    nothing_lost(killed(system, 8, 12), 8)


@case
def nvme_slow_kills(system):
    """The same with a disk that takes its time, so that dead drivers' commands are in flight when it is reset."""
    nothing_lost(killed(system, 5, 13, "throttling.iops-total=400"), 5)


@case
def nvme_crashes(system):
    """It dies six times, each time at one of the steps of a request."""
    with image(MIB) as path:
        mortal = driver("crash-seed=14,6", "blkd_crash.elf", on_exit="restart", restarts=6)
        system.boot(system.image(client(lives=6, seed=14), mortal, link("front", "disk", device=SLOT)), mem=256,
                    append="exit-with=front", extra=disk(path))
    system.healthy()
    nothing_lost(counts(system), 6)


@case
def nvme_ghosts(system):
    """One medium behind two controllers. The first is slow, and its driver dies with writes in it; its successor
    takes the second, so that no reset but the kernel's stops those. They would land when all is over."""
    with image(MIB) as path:
        slow = disk(path, throttle="throttling.iops-write=2,file.locking=off")
        fast = plugged(path, OTHER, throttle="file.locking=off", model="nvme")
        words = [*slow[:-1], slow[-1] + ",share-rw=on", *fast[:-1], fast[-1] + ",share-rw=on"]
        mortal = driver("ways crash=2,20,1", "blkd_crash.elf", on_exit="restart", pci=[SLOT, OTHER])
        system.boot(system.image(client(lives=1, writes=300, settle=9000), mortal, link("front", "disk", device=SLOT)),
                    mem=256, append="exit-with=front", extra=words)
    system.healthy()
    system.said(rf"disk {SLOT}: ", rf"disk {OTHER}: ")
    nothing_lost(counts(system), 1)


@nightly
def nvme_kills_many(system):
    """200 deaths."""
    for seed in range(4):
        nothing_lost(killed(system, 50, seed), 50)


@nightly
def nvme_silent(system):
    """A disk so slow that the last of 15 commands takes more than half a minute: it is reset, and asked again."""
    with image(16 * 4096) as path:
        system.boot(system.image(front(), driver(), link("front", "disk", device=SLOT)), append="exit-with=front",
                    mem=256, extra=disk(path, throttle="throttling.bps-write=1800"))
        system.healthy()
        system.said(r"front\| 2 rounds of 16 blocks, 0 bad, epoch 1",
                    r"disk\| disk 00:04\.0: does not do its commands: it is reset and asked again")
        same_blocks(path, 0, 16, "the disk")


# ---- what goes wrong ----

def refused(system, words, *patterns, drive=None, want=status.INIT):
    system.boot(system.image(front(), drive or driver(), link("front", "disk", device=SLOT)), mem=256,
                append="exit-with=disk", extra=words, want=want)
    system.said(*patterns)
    system.healthy()


@case
def nvme_not_trusted(system):
    with image(MIB) as path:
        refused(system, disk(path, confined=False), r"disk did not start",
                r"disk: its device 00:04\.0 could reach all memory: this machine has no IOMMU")


@case
def nvme_blocks_of_4k(system):
    """A namespace whose blocks are not of 512 bytes is of no use here, and that is said."""
    with image(MIB) as path:
        words = disk(path)
        refused(system, [*words[:-1], words[-1] + ",logical_block_size=4096,physical_block_size=4096"],
                r"disk\| disk 00:04\.0: has blocks of another size than 512 bytes", want=1)


@case
def nvme_no_namespace(system):
    with image(MIB):
        refused(system, ["-machine", "q35", *qemu.IOMMU, "-device", "nvme,addr=04.0,serial=none"],
                r"disk\| disk 00:04\.0: has no namespace", want=1)


@case
def nvme_stranger(system):
    """A function no driver knows is named with what it says it is."""
    refused(system, ["-machine", "q35", *qemu.IOMMU, "-device", "edu,addr=04.0"],
            r"disk\| disk 00:04\.0: is no disk that a driver here knows: 1234:11e8, class 00\.ff\.00", want=1)


@case
def nvme_bad_block(system):
    """One block of the medium cannot be written: an error of the requests for it and of no others."""
    with image(MIB) as path:
        node = (f"driver=raw,node-name=disk0,file.driver=blkdebug,file.image.driver=file,"
                f"file.image.filename={path},file.inject-error.0.event=none,"
                "file.inject-error.0.iotype=write,file.inject-error.0.sector=800,"
                "file.inject-error.0.errno=5,file.inject-error.0.once=off")
        words = disk(path)
        at = words.index("-drive")
        system.boot(system.image(front(), driver(), link("front", "disk", device=SLOT)), mem=256,
                    append="exit-with=front", extra=[*words[:at], "-blockdev", node, *words[at + 2:]], want=1)
        system.said(r"front\| 2 rounds of 256 blocks, 4 bad, epoch 1", r"front\| block 100 differs")
        system.never(r"disk stopped")
        system.healthy()


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
