# SPDX-License-Identifier: BSD-2-Clause
"""The disk's part of the benchmark: the same requests in native Linux on QEMU's virtio disk and in a VM on a RAM
disk of another domain. What counts is what the plugin counted between its markers, the least of five runs: native,
the device works in QEMU's own threads, so that time, also that of -icount, says nothing."""

import pathlib
import re
import subprocess
import tempfile

from ringfence import image, qemu

HERE = pathlib.Path(__file__).parent
DISK_BYTES = 32 << 20
# Xen 4.17 PV on the same kind of machine, domU through blkfront and blkback to a RAM disk of dom0, all counted.
XEN = {"read_4k": 41569, "write_4k": 41911, "read_1m": 1093802, "write_1m": 1100102}
NATIVE_APPEND = "console=ttyS0 quiet norandmaps mitigations=off tsc=reliable no_timer_check reboot=t"


def least(text):
    """name -> {what was counted: times per request}, of the run with the fewest instructions."""
    ids = {int(number): (name, int(count))
           for number, name, count in re.findall(r"BENCH-ID (\d+) (\w+) (\d+)", text)}
    rows = {}
    for mark, counts in re.findall(r"MARK (\d+) (.*)", text):
        if int(mark) not in ids:
            continue
        name, requests = ids[int(mark)]
        row = {what: int(times) / requests for what, times in re.findall(r"(\w+)=(\d+)", counts)}
        if name not in rows or row["insns"] < rows[name]["insns"]:
            rows[name] = row
    return rows


def native(build, boot, plugin):
    with tempfile.TemporaryDirectory(prefix="bench") as directory:
        disk = pathlib.Path(directory) / "disk"
        with open(disk, "wb") as file:
            file.write(bytes(DISK_BYTES))
        machine = qemu.Machine(
            kernel=build / "linux" / "arch" / "x86" / "boot" / "bzImage", image=build / "images" / "block.cpio",
            machine="microvm,acpi=off", append=NATIVE_APPEND, plugins=(plugin,),
            extra=("-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe",
                   "-device", "virtio-blk-device,drive=disk"))
        return least(boot("block-native", machine, build))


def owner_of(kernel):
    """Where the microkernel notes whose vCPU it runs, which the plugin watches for changes of domain."""
    listing = subprocess.run(["nm", str(kernel)], capture_output=True, text=True, check=True).stdout
    return re.search(r"^([0-9a-f]+) \w guest_owner$", listing, re.MULTILINE)[1]


def guest(build, boot, kernel, plugin):
    path = HERE / "block.toml"
    machine = qemu.Machine(kernel=kernel, image=image.make(path, image.parse(path), 512), icount=True,
                           append="headless panic=exit", plugins=(f"{plugin},owner=0x{owner_of(kernel)}",))
    return least(boot("block-vm", machine, build))


def number(value):
    return "–" if value is None else f"{value:,.0f}"


def table(plain, inside, only):
    lines = ["| request | native virtio-blk | Ringfence | of it Linux | microkernel | back end and program "
             "| changes of domain | Xen PV |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for name, row in inside.items():
        if only and name != only:
            continue
        there = plain.get(name, {}).get("insns")
        lines.append(f"| {name} | {number(there)} | {number(row['insns'])} | {number(row['high'])} | "
                     f"{number(row['hole'])} | {number(row['user'])} | {row['switch']:.2f} | {number(XEN.get(name))} |")
    return lines
