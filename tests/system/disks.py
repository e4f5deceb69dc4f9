#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A disk on the PCI bus, driven by a newlib domain and served to others: what is written is there after
the next boot, a dead driver loses nothing, a disk that cannot be used is named with the reason."""

import random
import re
import sys

import deaths
import harness
from harness import case, link, nightly, service, status, vm
from medium import (FILE, FORGET, MAKE, MIB, SLOT, SUM, WAIT, behind_iommu, checksum, front, image, plugged,
                    same_blocks)


def one_by_one(words):
    """QEMU makes one request of neighbours; not of these."""
    return [*words[:-1], words[-1] + ",request-merging=off"]


def driver(cmdline="", kernel="blkd.elf", slot=SLOT, on_exit="restart", dma="trusted"):
    return service("disk", cmdline, kernel=kernel, pci=[slot], dma=dma, on_exit=on_exit)


# ---- newlib front ends ----

@case
def pcidisk_newlib(system):
    """Every block written and read twice, 16 requests at a time; the image holds the last round."""
    with image(4 * MIB) as path:
        system.boot(system.image(front(), driver(), link("front", "disk", device=SLOT)),
                    append="exit-with=front", mem=256, extra=plugged(path))
        system.said(r"front\| 2 rounds of 1024 blocks, 0 bad, epoch 1", r"disk 00:04\.0: 4096 KiB$",
                    r"disk: TRUSTED WITH ALL MEMORY: its device 00:04\.0 does DMA without an IOMMU")
        system.healthy()
        same_blocks(path, 0, 1024, "the disk")


@case
def pcidisk_by_kind(system):
    """The function is named by its ids and by its class, on the other machine QEMU has, with two CPUs."""
    for name in ("1af4:1042", "class 01.00"):
        with image(MIB) as path:
            system.boot(system.image(front(), driver(slot=name), link("front", "disk", device=name)),
                        append="exit-with=front", mem=256, cpus=2, extra=[*plugged(path), "-machine", "q35"])
            system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch 1")
            system.healthy()
            same_blocks(path, 0, 256, "the disk")


@case
def pcidisk_parts(system):
    """Two front ends on disjoint parts of one disk; what lies between them is not touched."""
    with image(4 * MIB) as path:
        domains = (front("a"), front("b"), driver(),
                   link("a", "disk", device=SLOT, size="1M"),
                   link("b", "disk", device=SLOT, first="2M", size="1M"))
        system.boot(system.image(*domains), mem=256, want=None, append="exit-with=b",
                    extra=plugged(path))
        system.said(r"b\| 2 rounds of 256 blocks, 0 bad, epoch 1")
        system.healthy()
        same_blocks(path, 2 * MIB, 256, "b")
        data = path.read_bytes()
        if any(data[MIB:2 * MIB]) or any(data[3 * MIB:]):
            raise harness.Wrong("something is written outside the parts")


@case
def pcidisk_deaths(system):
    """Its driver dies at each step of a request, six times, with 16 requests in flight each time."""
    for first in (0, 3):
        with image(MIB) as path:
            disk = driver(f"crash={first},50,3", kernel="blkd_crash.elf")
            system.boot(system.image(front(), disk, link("front", "disk", device=SLOT)),
                        append="exit-with=front", mem=256, extra=plugged(path))
            system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch 4",
                        *(rf"disk stopped: panic, code {100 + first + i}" for i in range(3)))
            system.healthy()
            same_blocks(path, 0, 256, "the disk")


def deaths_anywhere(system, seed):
    """Four deaths, each between two stores to memory shared with the client or the disk."""
    at = ",".join(str(random.Random(f"pci.{seed}.{i}").randint(1, 5000)) for i in range(4))
    with image(MIB) as path:
        disk = driver(f"crash-store={at}", kernel="blkd_crash.elf")
        system.boot(system.image(front(), disk, link("front", "disk", device=SLOT)), mem=256,
                    append="exit-with=front", extra=plugged(path))
        system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch")
        system.healthy()
        same_blocks(path, 0, 256, f"the disk of seed {seed}")
    return int(re.search(r" 0 bad, epoch (\d+)", system.result.text)[1]) - 1


@case
def pcidisk_deaths_anywhere(system):
    """Three seeds of the nightly case."""
    deaths.few(deaths_anywhere, system)


@nightly
def pcidisk_deaths_many(system):
    """1,000 deaths and what they lose: nothing."""
    deaths.thousand(deaths_anywhere, system)


@case
def pcidisk_slow_deaths(system):
    """The same with a disk that takes its time, so that it is dead drivers' commands that are in flight:
    none of them lands behind a newer one."""
    with image(MIB) as path:
        disk = driver("crash=2,100,1", kernel="blkd_crash.elf")
        system.boot(system.image(front(), disk, link("front", "disk", device=SLOT)), mem=256,
                    append="exit-with=front", extra=plugged(path, throttle="throttling.iops-total=300"))
        system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch 2", r"disk stopped: panic, code 102")
        system.healthy()
        same_blocks(path, 0, 256, "the disk")


@case
def pcidisk_fence(system):
    """The driver dies for good with slow reads in flight, and another domain gets its frames: the disk
    writes nothing to them any more."""
    with image(MIB) as path:
        disk = driver("crash=2,272,1", kernel="blkd_crash.elf", on_exit="report")
        watch = service("watch", "seconds=8", kernel="memwatch.elf", mem="78M", kmem="2M", privileged=True)
        words = one_by_one(plugged(path, throttle="throttling.iops-read=4"))
        words[-1] += ",ioeventfd=off"  # else QEMU itself waits for the disk when it loses the bus
        system.boot(system.image(front(), disk, watch, link("front", "disk", device=SLOT)), mem=128,
                    append="exit-with=watch", extra=words)
        system.said(r"disk stopped: panic, code 102", r"watch\| \d+ rounds of \d+ pages, 0 words changed")
        system.healthy()


@case
def pcidisk_slower_than_watchdog(system):
    """Each request waits for two seconds in a disk whose driver has one to answer: the driver is not taken
    for hung."""
    with image(16 * 4096) as path:
        disk = driver() + "watchdog = 1\n"
        words = one_by_one(plugged(path, throttle="throttling.iops-total=8"))
        system.boot(system.image(front(), disk, link("front", "disk", device=SLOT)), mem=256,
                    append="exit-with=front", extra=words)
        system.said(r"front\| 2 rounds of 16 blocks, 0 bad, epoch 1")
        system.never(r"disk stopped")
        system.healthy()


@case
def pcidisk_cycle(system):
    """A driver domain is built and destroyed twenty times under a front end that lives on, and leaves
    nothing behind, there neither."""
    with image(MIB) as path:
        system.boot(system.image(front(cmdline="rounds=0 stay"), driver(), link("front", "disk", device=SLOT)),
                    mem=256, append="cycle=disk,20,50", extra=plugged(path))
        system.said(r"20 runs of disk, 0 bad ends", r"cycle: ok", r"serves front, epoch (1\d|20)")
        system.healthy()


@case
def pcidisk_front_cycle(system):
    """A front end is destroyed twelve times with reads in a slow disk: its window goes when the disk is
    through with it, and the driver goes on. What differs belongs to epochs it slept through (docs/vlink.md)."""
    with image(MIB) as path:
        system.boot(system.image(front(), driver(), link("front", "disk", device=SLOT)), mem=256,
                    append="cycle=front,12,300", extra=one_by_one(plugged(path, throttle="throttling.iops-read=20")),
                    want=94)
        system.said(r"12 runs of front, 0 bad ends", r"serves front, epoch [2-9]")
        system.never(r"disk stopped")
        system.healthy()


# ---- behind an IOMMU ----

@case
def pcidisk_iommu(system):
    """Nobody has to trust the disk: it reaches its arena and nothing else. Its driver dies three times."""
    with image(MIB) as path:
        disk = driver("crash=3,50,3", kernel="blkd_crash.elf", dma="iommu")
        system.boot(system.image(front(), disk, link("front", "disk", device=SLOT)), mem=256,
                    append="exit-with=front", extra=behind_iommu(plugged(path)))
        system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch 4", r"iommu: VT-d")
        system.never(r"(?i)trusted", r"cannot be reset")
        system.healthy()
        same_blocks(path, 0, 256, "the disk")


# ---- what goes wrong ----

def one_block_fails(system, errno):
    """One block of the medium cannot be written: an error of the requests for it and of no others."""
    with image(MIB) as path:
        node = (f"driver=raw,node-name=disk0,file.driver=blkdebug,file.image.driver=file,"
                f"file.image.filename={path},file.inject-error.0.event=none,"
                "file.inject-error.0.iotype=write,file.inject-error.0.sector=800,"
                f"file.inject-error.0.errno={errno},file.inject-error.0.once=off")
        extra = ["-blockdev", node, *one_by_one(plugged(path)[2:])]
        system.boot(system.image(front(), driver(), link("front", "disk", device=SLOT)), mem=256,
                    append="exit-with=front", extra=extra, want=1)
        # in each round its write fails, and it reads as zeros
        system.said(r"front\| 2 rounds of 256 blocks, 4 bad, epoch 1", r"front\| block 100 differs")
        system.never(r"disk stopped")
        system.healthy()


@case
def pcidisk_bad_block(system):
    one_block_fails(system, 5)


@case
def pcidisk_host_full(system):
    """ENOSPC, for which QEMU would stop the machine if it were not told to report it."""
    one_block_fails(system, 28)


# ---- what cannot be used ----

def refused(system, disk, *patterns, extra=(), want=status.INIT, **keys):
    """The driver does not come up, or its client's disk does not, and the log says why."""
    system.boot(system.image(front(), disk, link("front", "disk", device=SLOT, **keys)), mem=256,
                append="exit-with=disk" if want == status.INIT else "exit-with=front", extra=extra, want=want)
    system.said(*patterns)
    system.healthy()


@case
def pcidisk_iommu_bypass(system):
    """A virtio disk that takes addresses for physical ones is refused, whatever stands above it."""
    for dma in ("iommu", "trusted"):
        with image(MIB) as path:
            refused(system, driver(dma=dma), r"disk: its device 00:04\.0 would go past the IOMMU: it does not "
                    "offer ACCESS_PLATFORM", extra=behind_iommu(plugged(path), confined=False))


@case
def pcidisk_missing(system):
    refused(system, driver(), r"disk: its device 00:04\.0 does not exist, or another domain has it",
            r"disk did not start")


@case
def pcidisk_not_trusted(system):
    disk = service("disk", kernel="blkd.elf", pci=[SLOT])
    with image(MIB) as path:
        refused(system, disk, r"its device 00:04\.0 could reach all memory: this machine has no IOMMU",
                extra=plugged(path))


@case
def pcidisk_truncated(system):
    """The image is smaller than the part the manifest gives away."""
    with image(MIB) as path:
        refused(system, driver(), r"disk 00:04\.0: 1024 KiB$",
                r"blk0: the range is empty or ends behind the storage", extra=plugged(path), want=1,
                size="2M")


# ---- Linux ----

def linux(system, run, path, disk=None, **plug):
    system.boot(system.image(vm("vm1", run), disk or driver(), link("vm1", "disk", device=SLOT)),
                append="exit-with=vm1", extra=plugged(path, **plug))
    system.healthy()
    system.never(r"I/O error", r"EXT4-fs error")


@case
def pcidisk_linux(system):
    """ext4 on it; after power off and another boot the file has the same checksum."""
    with image(16 * MIB) as path:
        linux(system, WAIT + "cat /sys/block/vda/size; " + MAKE + FILE + SUM + "umount /m", path)
        system.said(r"^vm1\| 32768")
        before = checksum(system)
        linux(system, WAIT + "mkdir /m && mount -t ext4 /dev/vda /m && " + SUM + "umount /m", path)
        if checksum(system) != before:
            raise harness.Wrong(f"the file had checksum {before} and has {checksum(system)} now")


# A whole Debian: what apt-get has written to it once, goes to the disk. Sums are of the files in memory; the list has
# every name, mode, owner and size.
TREES = "usr etc var"
INSTALL = f"cd /; find {TREES} -type f | sort | xargs md5sum > /tmp/sums; mke2fs -q -F /dev/vda; mkdir /m; " \
          f"mount -t ext4 /dev/vda /m; cp -a {TREES} /tmp/sums /m/; sync; " + FORGET
CHECK = f"cd /m; md5sum -c --quiet sums && echo whole-$((6*7)); wc -l < sums | sed s/^/files=/; " \
        f"ls -lnR --time-style=+ {TREES} | md5sum | sed s/^/list=/; cd /; umount /m"


@case
def pcidisk_debian_tree(system):
    """Debian's own file tree, thousands of files, is written to a disk while its driver dies, checked, and checked
    again after another boot."""
    seen = []
    with image(192 * MIB) as path:
        for disk, run in ((driver("crash=3,500,3", kernel="blkd_crash.elf"), INSTALL + CHECK),
                          (driver(), "mkdir /m; mount -t ext4 /dev/vda /m; " + CHECK)):
            debian = vm("vm1", WAIT + run, initrd="debian.cpio.gz", mem="320M")
            system.boot(system.image(debian, disk, link("vm1", "disk", device=SLOT)), append="exit-with=vm1", mem=640,
                        extra=plugged(path))
            system.healthy()
            system.said(r"^vm1\| whole-42")
            system.never(r"I/O error", r"EXT4-fs error", r"write error", r"No space")
            if not seen:
                system.said(r"serves vm1, epoch 4")  # three deaths
            seen.append(re.findall(r"vm1\| ((?:files|list)=[0-9a-f]+)", system.result.text))
    print(seen)
    if seen[0] != seen[1] or len(seen[0]) != 2 or int(seen[0][0].removeprefix("files=")) < 2000:
        raise harness.Wrong(f"the first boot saw {seen[0]}, the second {seen[1]}")


@case
def pcidisk_linux_deaths(system):
    """The driver dies three times under ext4; the VM sees a slow disk, and so does the next boot."""
    with image(16 * MIB) as path:
        disk = driver("crash=3,20,3", kernel="blkd_crash.elf")
        linux(system, WAIT + MAKE + FILE + SUM + "umount /m && " + FORGET
              + "mount -t ext4 /dev/vda /m && " + SUM + "umount /m", path, disk)
        system.said(r"serves vm1, epoch 4")
        sums = re.findall(r"vm1\| sum=([0-9a-f]{32})", system.result.text)
        linux(system, WAIT + "mkdir /m && mount -t ext4 /dev/vda /m && " + SUM + "umount /m", path)
        if len(sums) != 2 or sums[0] != sums[1] or checksum(system) != sums[0]:
            raise harness.Wrong(f"the file had checksums {sums} and has {checksum(system)} now")


@case
def pcidisk_read_only(system):
    """A disk that takes no writes is served as one."""
    with image(MIB) as path:
        linux(system, WAIT + "cat /sys/block/vda/ro; echo x > /dev/vda || echo refused-$((6*7))", path,
              read_only=True)
        system.said(r"^vm1\| 1$", r"^vm1\| refused-42", r"disk 00:04\.0: 1024 KiB, takes no writes")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
