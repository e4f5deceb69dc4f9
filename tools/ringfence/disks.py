# SPDX-License-Identifier: BSD-2-Clause
"""Disks `run` plugs into the machine ([[machine.disk]]): files that are found, made, or refused."""

import os
import pathlib
import shutil
import subprocess

from . import paths, status, ui

SECTOR = 512
MKFS = shutil.which("mke2fs", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or "mke2fs"
# What the host cannot do is an error of the request. QEMU's default stops the machine when the host's disk is full.
ERRORS = "werror=report,rerror=report"


def _stop(disk, text, hint=None):
    raise ui.Stop(f"{disk.path('file')}: {text}", status.USAGE, hint)


def _make(disk, path):
    if not disk.size:
        _stop(disk, f"there is no disk image '{paths.show(path)}'",
              "With `size` in the manifest an empty one is made.")
    if disk.read_only:
        _stop(disk, f"there is no disk image '{paths.show(path)}', and an empty one that takes no "
                    "writes is of no use")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")  # a run that is interrupted here leaves no half of one
    with open(partial, "wb") as file:
        file.truncate(disk.size)
    if disk.format:
        _format(disk, partial)
    partial.replace(path)
    what = f"with an empty {disk.format} file system" if disk.format else "with nothing in it"
    ui.say(f"made a disk image {paths.show(path)} of {disk.size >> 20} MiB {what}")


def _format(disk, path):
    result = subprocess.run([MKFS, "-t", disk.format, "-q", "-F", str(path)], capture_output=True, text=True,
                            check=False)
    if result.returncode:
        path.unlink()
        _stop(disk, f"{MKFS} could not make its file system", result.stderr.strip())


def _warn_of_room(path):
    """An image is a sparse file: what is not there yet may find no room later."""
    stat = path.stat()
    grows, room = stat.st_size - stat.st_blocks * SECTOR, shutil.disk_usage(path).free
    if grows > room:
        ui.warn(f"{paths.show(path)} may grow by {grows >> 20} MiB and there is room for {room >> 20}: "
                "when that is used up, the machine's writes fail")


def _check(disk, path):
    size = path.stat().st_size
    if not path.is_file():
        _stop(disk, f"'{paths.show(path)}' is not a file")
    if disk.size and size != disk.size:
        _stop(disk, f"'{paths.show(path)}' has {size} bytes, the manifest says {disk.size}: "
                    "it is truncated or another disk's")
    if not size or size % SECTOR:
        _stop(disk, f"'{paths.show(path)}' has {size} bytes, which is no whole number of sectors of "
                    f"{SECTOR}")
    if not os.access(path, os.R_OK):
        _stop(disk, f"'{paths.show(path)}' cannot be read")
    if not disk.read_only and not os.access(path, os.W_OK):
        _stop(disk, f"'{paths.show(path)}' cannot be written", "read_only = true plugs it in as it is")


def find(disk):
    """The file of a disk, made if it may be; ui.Stop says what is wrong with it. A relative name is one of
    the current directory, or else one below the build directory's disks/."""
    path = pathlib.Path(disk.file)
    if not path.is_absolute() and not path.exists():
        path = paths.BUILD / "disks" / disk.file
    if not path.exists():
        _make(disk, path)
    _check(disk, path)
    _warn_of_room(path)
    return path


def qemu_arguments(disk, path, iommu=False, throttle=""):
    """QEMU's words for the disk of this manifest entry. A virtio disk behind an IOMMU has to go through it."""
    name = f"disk{disk.index}"
    slot = disk.address.split(":")[1]
    readonly = "on" if disk.read_only else "off"
    drive = f"file={path},format=raw,if=none,id={name},cache=writeback,readonly={readonly}"
    if throttle:
        drive += f",{throttle}"
    device = f"drive={name},addr={slot},serial={name}"
    if disk.model == "nvme":
        device = f"nvme,{device}"
    else:
        device = f"virtio-blk-pci,{device},disable-legacy=on,{ERRORS}" + (",iommu_platform=on" if iommu else "")
    return ["-drive", drive, "-device", device]
