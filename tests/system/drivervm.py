#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux VMs that own PCI functions: upstream's drivers on the machine's devices, behind VT-d."""

import hashlib
import re
import sys

import harness
from harness import case, link, service, status, vm
from medium import FILE, MAKE, MIB, Q35, SLOT, SUM, WAIT, behind_iommu, checksum, image, plugged, same_blocks

COUNTED = "grep ringfence-msi /proc/interrupts; "
BY_MESSAGE = r"drv\| +\d+: .*[1-9].* ringfence-msi"  # some came


def owner(run, pci=SLOT, **keys):
    return vm("drv", run, pci=[pci], **keys)


def run(system, domain, extra, **keys):
    system.boot(system.image(domain), append="exit-with=drv", extra=extra, **keys)
    system.healthy()
    system.never(r"I/O error", r"EXT4-fs error", r"iommu: device .* may not")


@case
def drivervm_virtio(system):
    """virtio_blk on a virtio disk: ext4, and after power off and another boot the file has the same checksum."""
    with image(16 * MIB) as path:
        words = behind_iommu(plugged(path))
        run(system, owner(WAIT + MAKE + FILE + SUM + "umount /m; dmesg | grep machine; " + COUNTED), words)
        system.said(BY_MESSAGE, r"drv\| .*PCI device 0 is 00:04\.0 of the machine")
        system.never(r"(?i)trusted")
        before = checksum(system)
        run(system, owner(WAIT + "mkdir /m && mount -t ext4 /dev/vda /m && " + SUM + "umount /m", vcpus=2), words)
        if checksum(system) != before:
            raise harness.Wrong(f"the file had checksum {before} and has {checksum(system)} now")


@case
def drivervm_nvme(system):
    """The nvme driver, which has an interrupt for each CPU and its table among its other registers. What is
    written lies in the image."""
    with image(8 * MIB) as path:
        words = [*Q35, "-drive", f"file={path},format=raw,if=none,id=disk0",
                 "-device", "nvme,drive=disk0,serial=disk0,addr=04.0"]
        run(system, owner("until [ -b /dev/nvme0n1 ]; do sleep 1; done; "
                          "dd if=/dev/urandom of=/dev/nvme0n1 bs=64k oflag=direct 2> /dev/null; "
                          "s=$(dd if=/dev/nvme0n1 bs=64k iflag=direct 2> /dev/null | md5sum); echo sum=${s%% *}; "
                          + COUNTED, "class 01.08", vcpus=2), words, cpus=2)
        system.said(BY_MESSAGE)
        data = path.read_bytes()
        if not any(data) or hashlib.md5(data).hexdigest() != checksum(system):
            raise harness.Wrong("the image holds something else than the VM has read")


@case
def drivervm_confined(system):
    """A device that does whatever it is told reaches its VM's memory, and neither the page it shares with the
    console, nor the memory behind its own, nor the microkernel's: each try is reported."""
    device = "/sys/bus/pci/devices/0000:00:00.0"
    system.boot(system.image(owner(f"edudma {device} 0x12000 0x4000000 0x10000000; cat {device}/vendor",
                                   "1234:11e8", initrd="work.cpio")),
                append="exit-with=drv", extra=[*Q35, "-device", "edu,dma_mask=0xffffffffffff"])
    system.healthy()
    system.said(r"drv\| own memory: copied", r"drv\| 0x1234",
                *(rf"drv\| {address}: 0 words read" for address in ("0x12000", "0x4000000", "0x10000000")))
    faults = [int(n) for n in re.findall(r"iommu: device \w+ may not (?:read|write) .*fault (\d+)", system.result.text)]
    if not faults or max(faults) < 4:
        raise harness.Wrong(f"faults {faults} were reported, six are expected: the 1st, 2nd and 4th")


@case
def drivervm_without_iommu(system):
    """Nothing confines the device, and it would not find Linux's memory: whatever the manifest says."""
    for dma in ("iommu", "trusted"):
        with image(MIB) as path:
            system.boot(system.image(owner("true", dma=dma)), append="exit-with=drv", extra=plugged(path),
                        want=status.INIT)
            system.said(r"drv: its device 00:04\.0 cannot be a Linux domain's: this machine has no IOMMU")
            system.healthy()


# ---- as a back end ----

def serving(**keys):
    """The driver VM whose process serves links from its disk."""
    return owner("rfblkd", initrd="driver.cpio", on_exit="restart", **keys)


def front_of(run):
    return vm("vm1", run) + link("vm1", "drv", device=SLOT)


@case
def drivervm_serves(system):
    """Every block written and read twice by a newlib front end; what it wrote lies in the image."""
    with image(MIB) as path:
        front = service("front", "patience=600", kernel="linkfront.elf")
        system.boot(system.image(front, serving(), link("front", "drv", device=SLOT)), append="exit-with=front",
                    extra=behind_iommu(plugged(path)))
        system.said(r"front\| 2 rounds of 256 blocks, 0 bad, epoch 1", r"drv\| blk0: serves front, epoch 1")
        system.healthy()
        same_blocks(path, 0, 256, "the disk")


@case
def drivervm_serves_linux(system):
    """An application VM has ext4 on it and notices nothing of the death of the driver VM, a whole boot of Linux.
    The newlib driver finds the file in the next boot."""
    with image(16 * MIB) as path:
        words = behind_iommu(plugged(path))
        system.boot(system.image(serving(), front_of(WAIT + MAKE + FILE + FILE + SUM + "umount /m")),
                    append="exit-with=vm1 kills=drv,1,300000,1,serving", extra=words)
        system.healthy()
        system.never(r"I/O error", r"EXT4-fs error")
        system.said(r"drv\| blk0: serves vm1, epoch 2")
        before = checksum(system)
        again = front_of(WAIT + "mkdir /m && mount -t ext4 /dev/vda /m && " + SUM + "umount /m")
        newlib = service("drv", kernel="blkd.elf", pci=[SLOT])
        system.boot(system.image(newlib, again), append="exit-with=vm1", extra=words)
        if checksum(system) != before:
            raise harness.Wrong(f"the file had checksum {before} and has {checksum(system)} now")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
