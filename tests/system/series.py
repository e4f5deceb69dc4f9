#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The Linux series patch by patch: every state of it builds and boots, and what may be left out may be.

Each state is built in <build>/linux-series, where a build compiles only what differs from the one before.
The first state that can be a guest is the one with the console (0014).
"""

import re
import subprocess
import sys
import tempfile
import pathlib

import harness
import pvrun
from harness import LINUX_WARNS, ROOT, WORK, Wrong, nightly, vm
from ringfence import qemu, status

GUEST_PATCHES = ROOT / "guest-patches"
PATCHES = sorted((GUEST_PATCHES / "linux-6.12").glob("*.patch"))
FIRST_GUEST = 14


def number(patch):
    return int(patch.name[:4])


def setting(system, name):
    """What CMake was told."""
    found = re.search(rf"^{name}:\w+=(.*)$", (system.build / "CMakeCache.txt").read_text(), re.MULTILINE)
    return found[1]


def configs(directory, guest):
    """The guest's configuration; without what a series that is no guest yet does not know."""
    for fragment in (GUEST_PATCHES / "config").glob("*.config"):
        lines = [line for line in fragment.read_text().splitlines() if guest or "RINGFENCE" not in line]
        (directory / fragment.name).write_text("\n".join(lines) + "\n")
    return directory


def build(system, patches):
    """The bzImage of these patches."""
    out = system.build / "linux-series" / "out"
    with tempfile.TemporaryDirectory(prefix="series") as directory:
        series, fragments = pathlib.Path(directory, "series"), pathlib.Path(directory, "config")
        series.mkdir()
        fragments.mkdir()
        for patch in patches:
            (series / patch.name).symlink_to(patch)
        made = subprocess.run(
            [sys.executable, "-B", ROOT / "tools/linux_build.py", "--patches", series, "--out", out,
             "--tarball", setting(system, "RINGFENCE_LINUX_TARBALL"),
             "--source", system.build / "linux-series" / "src",
             "--configs", configs(fragments, len(patches) >= FIRST_GUEST)],
            stderr=subprocess.PIPE, text=True, check=False)
    if made.returncode:
        raise Wrong(f"does not build: {made.stderr.strip()}")
    return out / "arch/x86/boot/bzImage"


def boot_natively(system, kernel):
    result = pvrun.boot(
        qemu.Machine(kernel=kernel, image=system.build / "images/guesttest.cpio", cpus=2, mem=192,
                     append=f"console=ttyS0 {LINUX_WARNS} panic=-1 gt.quick"), system.build, **system.limits)
    system.result = result
    if result.over or result.code != status.RESET:
        raise Wrong(f"native: {result.over or f'exit status {result.code}'}")
    system.never(r"\bnot ok \d+")
    system.healthy()
    system.said(r"\bok 1 ")


def boot_as_guest(system, kernel):
    system.boot(system.image(vm("vm1", WORK, kernel=str(kernel), vcpus=2, mem="96M")), append="audit",
                cpus=2)
    system.said(r"^vm1\| 42-done")
    system.healthy()


def check(system, what, patches):
    print(f"{what}: {len(patches)} patches", flush=True)
    try:
        kernel = build(system, patches)
        boot_natively(system, kernel)
        if len(patches) >= FIRST_GUEST:
            boot_as_guest(system, kernel)
    except Wrong as error:
        raise Wrong(f"{what}: {error}") from error


@nightly
def each_patch_builds_and_boots(system):
    for last in range(len(PATCHES) + 1):
        check(system, f"up to {last:04}", PATCHES[:last])


def without(*left_out):
    def run(system):
        check(system, f"without {left_out}", [patch for patch in PATCHES if number(patch) not in left_out])

    run.__name__ = "series_without_" + "_".join(map(str, left_out))
    nightly(run)


# 0015 to 0018 tell the kernel of flushes early; each stands on the one before.
without(18)
without(17, 18)
without(16, 17, 18)
without(15, 16, 17, 18)
for _alone in range(19, len(PATCHES) + 1):
    without(_alone)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
