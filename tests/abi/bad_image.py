#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boot images and machines that cannot work: each ends in a message that names what is wrong. Then root domains that
end at once: what the machine does is what `panic=` says.

Usage: bad_image.py --build DIR [CASE...]

PVABI-BOO-003.1, PVABI-BOO-004.1 and PVABI-BOO-005.1. One QEMU run per case; none may hang.
"""
import argparse
import pathlib
import re
import struct
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import pvrun  # noqa: E402
from ringfence import qemu, status  # noqa: E402

MAGIC, VERSION, INIT, PAGE = 0x3147414D49464E52, 1, 1, 4096


def image(elf, count=1, magic=MAGIC, version=VERSION, entry_crc=None, table_crc=None, offset=PAGE):
    """A boot image with one root domain, right unless told otherwise."""
    entry = struct.pack("<32sIIQQQ", b"init", INIT,
                        zlib.crc32(elf) if entry_crc is None else entry_crc, offset, len(elf), 0)
    header = struct.pack("<QIIQII32x", magic, version, count, PAGE + len(elf),
                         zlib.crc32(entry) if table_crc is None else table_crc, 0)
    return (header + entry).ljust(PAGE, b"\0") + elf


def program(code):
    """A root domain that is these bytes of code and nothing else."""
    base, start = 0x400000, 64 + 56
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, base + start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, start + len(code), start + len(code), PAGE) + code


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


def endings():
    """The same of root domains that die of their first instruction, with the parameters and QEMU's status."""
    dies = image(program(b"\x0f\x0b"))
    gone = r"the root domain ended \(\w.*, code \d+\): nothing is left to run"
    heap = r"root domain: \d+ KiB program, %d KiB heap"
    return {
        "dies": (dies, 256, gone, "panic=exit", status.INIT),
        "dies-2cpu": (dies, 256, gone, "panic=exit", status.INIT, 2),
        "dies-poweroff": (dies, 256, gone, "panic=poweroff", status.RESET),
        "dies-reboot": (dies, 256, gone, "panic=reboot", status.RESET),
        "dies-halt": (dies, 256, gone, "panic=other", None, 2),
        "dies-nothing-said": (dies, 256, gone, "", None),
        "heap": (dies, 256, heap % 16384, "panic=exit", status.INIT),
        "heap-64M": (dies, 256, heap % 65536, "panic=exit rootmem=64M", status.INIT),
        "heap-2049K": (dies, 256, heap % 2052, "panic=exit rootmem=2049K", status.INIT),
        "heap-1G": (dies, 256, r"root domain: \d+ KiB program, 1\d{5} KiB heap", "panic=exit rootmem=1G", status.INIT),
        "heap-8-bytes": (dies, 256, "rootmem=8: want a size", "panic=exit rootmem=8"),
        "heap-no-number": (dies, 256, "rootmem=M: want a size", "panic=exit rootmem=M"),
        "heap-512K": (dies, 256, "rootmem=512K: want a size", "panic=exit rootmem=512K"),
        "heap-letters": (dies, 256, "rootmem=64:M: want a size", "panic=exit rootmem=64:M"),
        "heap-slash": (dies, 256, "rootmem=64/: want a size", "panic=exit rootmem=64/"),
        "heap-too-long": (dies, 256, "rootmem=999999999999G: want a size", "panic=exit rootmem=999999999999G"),
        "heap-huge": (dies, 256, heap.replace("%d", r"1\d{5}"), "panic=exit rootmem=99999999999G", status.INIT),
    }


def cases(elf):
    """{name: (image or None, MiB of memory, pattern of the message, parameters, exit status, CPUs)}, from the fourth
    on only where they are not those of a machine that panics. Status None: it halts."""
    good = image(elf)
    return endings() | {
        "none": (None, 256, r"no boot image"),
        "empty": (b"", 256, r"no boot image|boot image: "),
        "short-header": (good[:40], 256, r"boot image: (not a Ringfence|truncated|its table)"),
        "truncated": (good[:len(good) // 2], 256, r"boot image: truncated"),
        "one-byte-short": (good[:-1], 256, r"boot image: truncated"),
        "magic": (image(elf, magic=MAGIC ^ 1), 256, r"not a Ringfence boot image"),
        "version": (image(elf, version=2), 256, r"another version"),
        "table-checksum": (image(elf, table_crc=1), 256, r"table of entries is corrupt"),
        "table-bit": (flipped(good, 64 + 5), 256, r"table of entries is corrupt"),
        "entry-checksum": (image(elf, entry_crc=1), 256, r"root domain in it is corrupt"),
        "entry-bit": (flipped(good, PAGE + len(elf) // 2), 256, r"root domain in it is corrupt"),
        "no-entries": (image(elf, count=0), 256, r"boot image: "),
        "many-entries": (image(elf, count=0xffffffff), 256, r"boot image: .*table"),
        "misaligned": (image(elf, offset=PAGE + 8), 256, r"an entry is not page-aligned"),
        "outside": (image(elf, offset=1 << 62), 256, r"an entry lies outside"),
        "not-elf": (image(b"#!/bin/sh\n" * 500), 256, r"[Rr]oot domain|ELF"),
        "little-memory": (good, 6, r"too little memory: needs \d+ MiB, has \d+ MiB"),
    }


def run(name, case, build, directory):
    data, mem, pattern, append, want, cpus = (*case, *("panic=exit", status.PANIC, 1)[len(case) - 3:])
    file = None
    if data is not None:
        file = directory / name
        file.write_bytes(data)
    machine = qemu.Machine(kernel=build / "kernel" / "ringfence.elf", image=file, mem=mem, append=append, cpus=cpus)
    result = pvrun.boot(machine, build, wall=60 if want is not None else 10)
    if result.over and want is not None:
        return result.over, result
    if not re.search(pattern, result.text):
        return f"no message like '{pattern}'", result
    if want is None and not result.over:
        return f"exit status {result.code}, the machine was to halt", result
    if want is not None and result.code != want:
        return f"exit status {result.code}, {want} was expected", result
    return None, result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("names", nargs="*", metavar="CASE")
    options = parser.parse_args()
    known = cases((options.build / "domains" / "abi.elf").read_bytes())
    bad = 0
    with tempfile.TemporaryDirectory(prefix="badimage") as directory:
        for name in options.names or known:
            why, result = run(name, known[name], options.build, pathlib.Path(directory))
            if why:
                bad += 1
                print(f"FAIL {name}: {why}", *result.lines()[-12:], sep="\n    ")
            else:
                print(f"ok   {name}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
