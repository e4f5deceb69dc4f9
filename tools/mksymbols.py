#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turns the text symbols of a linked kernel into the table a panic uses for its stack trace.

Output is assembler: (offset from text_start, offset of the name) pairs, sorted, then the names.
"""
import argparse
import subprocess


def text_symbols(nm, elf):
    """Yields (address, name) of the symbols in .text, one name per address."""
    out = subprocess.run([nm, "-n", elf], check=True, capture_output=True, text=True).stdout
    syms = {}
    for line in out.splitlines():
        addr, kind, name = line.split()[-3:] if len(line.split()) == 3 else ("0", "", "")
        if kind in "tTwW" and kind:
            syms.setdefault(int(addr, 16), name)
            if name == "text_start":
                base = int(addr, 16)
            elif name == "text_end":
                end = int(addr, 16)
    return base, [(a, n) for a, n in sorted(syms.items()) if base <= a < end]


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--nm", default="nm")
    args.add_argument("elf")
    args.add_argument("output")
    args = args.parse_args()
    base, syms = text_symbols(args.nm, args.elf)
    table, names, at = [], [], 0
    for addr, name in syms:
        table.append(f"\t.long {addr - base:#x}, {at:#x}\n")
        names.append(f'\t.asciz "{name}"\n')
        at += len(name) + 1
    with open(args.output, "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: BSD-2-Clause */\n")
        out.write('\t.section .ksyms, "a"\n' + "".join(table))
        out.write('\t.section .ksymstr, "a"\n' + "".join(names))
        out.write('\t.section .note.GNU-stack, "", @progbits\n')


if __name__ == "__main__":
    main()
