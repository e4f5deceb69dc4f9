#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Broken input: images, manifests, kernels and machines that cannot work."""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import harness
from harness import HEAD, ROOT, Wrong, case, service, vm
from manifest.abi import ABI
from ringfence import qemu, status

import pvrun


# ---- broken input ----

def patch_manifest(image, change):
    """The image with its manifest blob changed and every outer checksum right."""
    import zlib
    data = bytearray(image)
    entry_at = ABI.size("image_header") + ABI.size("image_entry")
    entry = ABI.unpack("image_entry", data, entry_at)
    start, end = entry["offset"], entry["offset"] + entry["size"]
    blob = change(bytearray(data[start:end]))
    data[start:end] = blob
    struct.pack_into("<I", data, entry_at + 36, zlib.crc32(blob))
    count = ABI.unpack("image_header", data)["count"]
    table = bytes(data[64:64 + 64 * count])
    struct.pack_into("<I", data, 24, zlib.crc32(table))
    return bytes(data)


def small(system):
    return system.image(service("child", "exit=0"))


@case
def corrupt_blob(system):
    def flip(blob):
        blob[200] ^= 0xff
        return blob
    system.boot(patch_manifest(small(system), flip), want=status.INIT)
    system.said(r"the manifest is damaged: checksum")


@case
def corrupt_kernel_in_image(system):
    image = bytearray(small(system))
    image[-5000] ^= 0xff
    system.boot(bytes(image), want=status.INIT)
    system.said(r"image entry \d+ '.*' is damaged: checksum")


def refused(system, image):
    """Boot a file, or nothing, as it is: the machine must end by itself and call that a failure."""
    machine = qemu.Machine(kernel=system.build / "kernel" / "ringfence.elf", image=image,
                           append="panic=exit headless")
    result = system.result = pvrun.boot(machine, system.build, **system.limits)
    if result.over or result.code not in (status.PANIC, status.INIT):
        raise Wrong(f"status {result.code}, {result.over}")


@case
def truncated_image(system):
    image = small(system)
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "cut"
        path.write_bytes(image[:len(image) // 2])
        refused(system, path)
    system.said(r"truncated|promises more|too (short|small)")


@case
def not_an_image(system):
    refused(system, system.build / "images" / "shell.cpio")
    system.said(r"magic|not a .*image")


@case
def no_image(system):
    refused(system, None)
    system.said(r"no (boot )?(image|module)")


@case
def too_little_memory(system):
    system.boot(system.image(vm("vm1", "true", mem="256M")), mem=128, want=status.INIT)
    system.said(r"not enough memory: .* need .* has ")


@case
def no_serial_port(system):
    system.boot(system.image(vm("vm1", "true")), serial="none")
    system.said(r"vm1.*powered off")


# ---- the front door's own checks ----

def door(system, manifest, *expected, name="case.toml"):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / name
        path.write_text(manifest)
        (pathlib.Path(directory) / "cut").write_bytes(
            (system.build / "linux/arch/x86/boot/bzImage").read_bytes()[:1000000])
        result = subprocess.run(
            [sys.executable, "-B", str(ROOT / "tools" / "manifest"), "check", str(path), "--build",
             str(system.build)], capture_output=True, text=True, check=False)
    if result.returncode != 1:
        raise Wrong(f"status {result.returncode}: {result.stdout}{result.stderr}")
    for pattern in expected:
        if not re.search(pattern, result.stderr):
            raise Wrong(f"no '{pattern}' in: {result.stderr}")


@case
def bad_manifest(system):
    door(system, HEAD + service("a", vcpu=2), r"domain\[0\]\.vcpu \(a\): unknown key .*'vcpus'")


@case
def truncated_bzimage(system):
    door(system, HEAD + vm("a", "true", kernel="cut"),
         r"domain\[0\]\.kernel \(a\): .*cut is truncated: its header promises \d+ bytes")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
