# SPDX-License-Identifier: BSD-2-Clause
"""The one place that knows how QEMU is started, for run, gdb, tests and bench alike."""

import dataclasses
import os
import pathlib
import shutil

from . import status, ui

PROGRAM = "qemu-system-x86_64"
# Without erms and fsrm a rep instruction counts once per word, as the budgets expect; 5-level
# paging is not supported.
CPU = "max,-erms,-fsrm,-la57"
IOMMU = ("-device", "intel-iommu,intremap=on,caching-mode=on,aw-bits=48")  # before the devices behind it
ICOUNT = "shift=0,sleep=off"


@dataclasses.dataclass
class Machine:
    """What differs between two boots."""

    kernel: pathlib.Path
    image: pathlib.Path | None = None
    cpus: int = 1
    mem: int = 512
    append: str = ""
    icount: bool = False
    cpu: str = CPU
    iommu: bool = False
    machine: str = ""  # QEMU's; none: pc, or q35 with an IOMMU
    debugcon: pathlib.Path | None = None
    serial: str = "stdio"  # stdio: QEMU's stdin and stdout; none; or any of QEMU's -serial
    plugins: tuple = ()
    extra: tuple = ()


def find():
    program = os.environ.get("RINGFENCE_QEMU") or shutil.which(PROGRAM)
    if not program:
        raise ui.Stop(f"{PROGRAM} is not installed", status.MISSING, "./ringfence doctor tells how")
    return program


def command(machine):
    """The argument vector."""
    argv = [find(), "-nodefaults", "-no-user-config", "-machine", machine.machine or ("q35" if machine.iommu else "pc"), "-accel", "tcg",
            "-cpu", machine.cpu, "-smp", str(machine.cpus), "-m", str(machine.mem),
            "-display", "none", "-monitor", "none", "-no-reboot",
            "-device", f"isa-debug-exit,iobase={status.DEBUG_EXIT_PORT:#x},iosize=4",
            "-kernel", str(machine.kernel)]
    if machine.serial == "stdio":
        argv += ["-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"]
    else:
        argv += ["-serial", machine.serial]
    if machine.image:
        argv += ["-initrd", str(machine.image)]
    if machine.append:
        argv += ["-append", machine.append]
    if machine.debugcon:
        argv += ["-debugcon", f"file:{machine.debugcon}"]
    if machine.icount:
        argv += ["-icount", ICOUNT, "-seed", "1", "-rtc", "base=2025-01-01T00:00:00,clock=vm"]
    for plugin in machine.plugins:
        argv += ["-plugin", plugin]
    return argv + list(IOMMU if machine.iommu else ()) + list(machine.extra)
