#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Is a frozen program, as assembled just now, the one that was frozen? Compares what a kernel loads of it, not the
file around it, with the digest in programs.toml.

Usage: digest.py PROGRAM.elf NAME
"""
import hashlib
import pathlib
import struct
import sys
import tomllib

PROGRAMS = pathlib.Path(__file__).with_name("programs.toml")
PT_LOAD = 1


def digest(elf):
    """Of the entry point and of every loaded segment: place, rights, size in memory, bytes."""
    entry, phoff = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    total = hashlib.sha256(struct.pack("<Q", entry))
    for index in range(count):
        kind, flags, offset, va, _, filesz, memsz, _ = struct.unpack_from("<IIQQQQQQ", elf, phoff + index * size)
        if kind == PT_LOAD:
            total.update(struct.pack("<IQQQ", flags, va, filesz, memsz) + elf[offset:offset + filesz])
    return total.hexdigest()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    found = digest(pathlib.Path(sys.argv[1]).read_bytes())
    frozen = tomllib.loads(PROGRAMS.read_text()).get(sys.argv[2], {}).get("sha256")
    if found != frozen:
        sys.exit(f"frozen program {sys.argv[2]} is not the one that was frozen: its digest is\n    {found}, not\n"
                 f"    {frozen}\nIt never changes; docs/decisions/0018-a-frozen-program-is-kept-as-text-and-hash.md "
                 "says how a freeze ends.")


if __name__ == "__main__":
    main()
