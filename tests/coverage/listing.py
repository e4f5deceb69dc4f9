# SPDX-License-Identifier: BSD-2-Clause
"""A linked kernel as a list of instructions, each with its function and the line it was made from."""

import dataclasses
import re
import subprocess

INSN = re.compile(r"^ *([0-9a-f]+):\t(\S.*)$")
LABEL = re.compile(r"^([0-9a-f]+) <([^>]+)>:$")
LINE = re.compile(r"^(\S+):(\d+)(?: \(discriminator \d+\))?$")
PADDING = re.compile(r"(?:data16 |cs )*nop|xchg +%ax,%ax|lea +0x0\(%[re]si,|lea +0x0\(%[re]si\)")
JUMP = re.compile(r"j(?!mp)[a-z]+ +(?:[0-9a-f]+|0x[0-9a-f]+)\b|loop[a-z]* +")
TARGET = re.compile(r" (?:0x)?([0-9a-f]+)(?: <|$)")


@dataclasses.dataclass
class Insn:
    address: int
    text: str
    function: str
    file: str
    line: int

    @property
    def conditional(self):
        return bool(JUMP.match(self.text))

    @property
    def target(self):
        found = TARGET.search(self.text)
        return int(found[1], 16) if found else None


def disassemble(elf, *options):
    argv = ["objdump", "-l", "--no-show-raw-insn", "-w", *options, str(elf)]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    function, file, line = "?", "?", 0
    for text in lines:
        if match := INSN.match(text):
            instruction = match[2].split("#")[0].strip()
            if not PADDING.match(instruction):
                yield Insn(int(match[1], 16), instruction, function, file, line)
        elif match := LABEL.match(text):
            function = match[2]
        elif match := LINE.match(text):
            file, line = "kernel/" + match[1].rpartition("kernel/")[2], int(match[2])


def kernel(elf):
    """All instructions of .text."""
    return list(disassemble(elf, "-d", "-j", ".text"))


def piece(elf, symbols, section, mode, first, last):
    """Instructions between two symbols, decoded as the mode of the processor wants it."""
    return list(disassemble(elf, "-D", "-j", section, "-M", mode,
                            f"--start-address={symbols[first]:#x}", f"--stop-address={symbols[last]:#x}"))
