#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""pack.py INIT.elf OUT: a boot image of nothing but a root domain, for programs that need no manifest."""
import pathlib
import struct
import sys
import zlib

IMAGE_MAGIC, IMAGE_VERSION, ENTRY_INIT, PAGE = 0x3147414D49464E52, 1, 1, 4096


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    elf = pathlib.Path(sys.argv[1]).read_bytes()
    entry = struct.pack("<32sIIQQQ", b"init", ENTRY_INIT, zlib.crc32(elf), PAGE, len(elf), 0)
    header = struct.pack("<QIIQII32x", IMAGE_MAGIC, IMAGE_VERSION, 1, PAGE + len(elf),
                         zlib.crc32(entry), 0)
    pathlib.Path(sys.argv[2]).write_bytes((header + entry).ljust(PAGE, b"\0") + elf)


if __name__ == "__main__":
    main()
