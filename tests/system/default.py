#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `./ringfence run` boots (images/dev.toml), on the machines it is for: the VMs' files are on disks that a
domain of its own drives, and are there after the next boot."""

import contextlib
import pathlib
import re
import sys
import tempfile

import harness
from harness import ROOT, Wrong, case, lower, qemu, schema
from medium import plug_all
from ringfence import run as front_door

# 320 files of up to 125 KiB in 40 directories, some of them links: what a few packages unpack to.
TREE = "mkdir /disk/tree; cd /disk/tree; i=0; while [ $i -lt 320 ]; do d=d$((i % 8))/e$((i % 5)); mkdir -p $d; " \
       "head -c $((i * 401)) /dev/urandom > $d/f$i; i=$((i+1)); done; ln -s d0 link; mv d1 moved; rm -r d2/e2; " \
       "find . -type f | sort | xargs md5sum > /disk/sums; sync; "
COUNT = "wc -l < /disk/sums; "
SUM = "s=$(md5sum < /disk/sums); echo sum=${s%% *}; "
CHECK = "cd /disk/tree && md5sum -c -s /disk/sums && [ -d link/e0 ] && echo whole-$((6*7)); cd /; "


@contextlib.contextmanager
def directory():
    with tempfile.TemporaryDirectory(prefix="default") as name:
        yield pathlib.Path(name)


def boot(system, where, run, machine="q35", dma=None, manifest="dev", append="", model=None, **keys):
    """One boot of the default system, in which vm1 runs a command; its disks are files in `where`. model: of vm1's."""
    text = (ROOT / "images" / f"{manifest}.toml").read_text()
    if model:
        text = text.replace('file = "vm1.img"\n', f'file = "vm1.img"\nmodel = "{model}"\n')
    text, found = re.subn(r'cmdline = "([^"]*rf\.name=vm1[^"]*)"', rf"cmdline = '\1 rf.run=RUN'", text)
    if not found:
        raise Wrong(f"images/{manifest}.toml has no vm1")
    parsed = schema.parse(text.replace("rf.run=RUN", f'rf.run="{run}"'))
    front_door.apply_machine(parsed, machine, dma)
    words = ["-machine", machine, *(qemu.IOMMU if parsed.iommu else ()), *plug_all(parsed, where)]
    data, _ = lower.lower(parsed, ROOT / "images", system.build, parsed.mem)
    system.boot(data, append=f"exit-with=vm1 {append}", cpus=parsed.cpus, mem=parsed.mem >> 20, extra=words, **keys)
    system.healthy()


def sums(system):
    found = re.findall(r"vm1\| sum=([0-9a-f]{32})", system.result.text)
    if not found:
        raise Wrong("vm1 printed no checksum")
    return found[-1]


def written_and_there(system, machine, dma=None, append="", **keys):
    """A tree of files written, checked, and checked again after power off and another boot."""
    with directory() as where:
        boot(system, where, TREE + COUNT + CHECK + SUM, machine, dma, append=append, **keys)
        system.said(r"^vm1\| whole-42", r"^vm1\| /disk: \d+ MiB free of \d+ on /dev/vda")
        system.never(r"I/O error", r"EXT4-fs error")
        before, first = sums(system), system.result
        boot(system, where, CHECK + SUM + "mount | grep vda", machine, dma, **keys)
        system.said(r"^vm1\| whole-42", r"^vm1\| /dev/vda on /disk type ext4")
        system.never(r"I/O error", r"EXT4-fs error", r"mounting unchecked fs")
        if sums(system) != before:
            raise Wrong("the sums themselves are others after the boot")
    return first.text


@case
def default_files_survive(system):
    """Behind the IOMMU, where nobody is trusted; the disks' driver is killed three times meanwhile."""
    text = written_and_there(system, "q35", append="kills=disk,3,1000000")
    if "iommu: VT-d" not in text or re.search("(?i)trusted", text) or "kills: 3 of disk" not in text:
        raise Wrong("no IOMMU was used, somebody was trusted, or the driver was not killed")


@case
def default_files_survive_nvme(system):
    """The same with an NVMe disk in the place of the first VM's: nothing else is said differently."""
    text = written_and_there(system, "q35", append="kills=disk,3,1000000", model="nvme")
    system.said(r"^disk\| disk 00:04\.0: 65536 KiB, NVMe", r"^disk\| disk 00:05\.0: 65536 KiB$")
    if re.search("(?i)trusted|may not", text) or "kills: 3 of disk" not in text:
        raise Wrong("somebody was trusted or went beyond its memory, or the driver was not killed")


@case
def default_without_iommu(system):
    """On a machine without one it has to be said that devices are trusted, and is said again at boot."""
    text = written_and_there(system, "pc", "trusted")
    if text.count("TRUSTED WITH ALL MEMORY: its device") < 2:
        raise Wrong("nothing was said of the trust in the devices")


@case
def default_nobody_trusted(system):
    """If it is not said, the VMs run without a disk and both sides tell why."""
    with directory() as where:
        boot(system, where, "ls -d /disk", "pc")
    system.said(r"disk: its device 00:04\.0 could reach all memory: this machine has no IOMMU",
                r"^vm1\| /disk: no disk\. `links` at the console's shell")


@case
def default_microvm(system):
    """Without PCI: the same domains, disks in memory."""
    with directory() as where:
        boot(system, where, "until [ -b /dev/vda ]; do sleep 1; done; mke2fs /dev/vda > /dev/null && mkdir /disk && "
             "mount -t ext4 /dev/vda /disk; " + TREE + CHECK + "ping -c 1 vm2 | grep received", "microvm",
             manifest="microvm")
    system.said(r"^vm1\| whole-42", r"^vm1\| 1 packets transmitted, 1 packets received")


@case
def default_corrupt_disk(system):
    """An image that is no file system is named and left as it was."""
    with directory() as where:
        noise = bytes(range(256)) * 4096
        image = where / "vm1.img"
        image.write_bytes(noise + bytes((64 << 20) - len(noise)))
        before = image.read_bytes()
        boot(system, where, "mount | grep -c vda")
        system.said(r"^vm1\| /disk: /dev/vda holds no file system that can be mounted \(mount: .*It was not changed\.",
                    r"^vm1\| 0$")
        if image.read_bytes() != before:
            raise Wrong("the image was changed")


@case
def default_damaged_directory(system):
    """A file system that is damaged inside is found out by its checksums: an error is told, what is whole can be
    read, and from the error on nothing is written."""
    with directory() as where:
        boot(system, where, "mkdir /disk/d; echo kept > /disk/f; cp /bin/busybox /disk/d; sync; umount /disk")
        image = where / "vm1.img"
        data = bytearray(image.read_bytes())
        at = data.index(b"busybox\0") & ~1023  # the block of the directory d
        data[at:at + 1024] = b"\xa5" * 1024
        image.write_bytes(data)
        for _ in range(2):
            boot(system, where, "cat /disk/f; ls /disk/d; echo x > /disk/new; ls /disk/new")
            system.said(r"^vm1\| kept$", r"EXT4-fs error .*Directory block failed checksum",
                        r"Remounting filesystem read-only", r"^vm1\| ls: /disk/new: ")


@case
def default_full_disk(system):
    """A file system that is full says so, keeps what it has, and can be used again after something is gone."""
    with directory() as where:
        boot(system, where, "echo precious > /disk/p; dd if=/dev/zero of=/disk/fill bs=64k; sync")
        system.said(r"^vm1\| dd: error writing '/disk/fill': No space left on device")
        system.never(r"EXT4-fs error", r"I/O error")
        boot(system, where, "cat /disk/p; rm /disk/fill; echo more > /disk/q && cat /disk/q")
        system.said(r"^vm1\| /disk is full: writes there fail, what is there is safe", r"^vm1\| precious$",
                    r"^vm1\| more$")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
