# SPDX-License-Identifier: BSD-2-Clause
"""The kernel keeps its budget: at most 128 KiB of text and 13,200 lines of C and assembly.

A line counts if something is left of it without comments. What is linked into the kernel counts:
core/, arch/x86_64/ and, in debug builds, debug/; host builds and tests do not.
"""
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_TEXT = 128 << 10
MAX_LINES = 13200


def code_lines(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    return sum(1 for line in text.splitlines() if re.sub(r"//.*", "", line).strip())


class KernelSize(unittest.TestCase):
    def test_text(self):
        elf = os.environ["KERNEL_ELF"]
        sections = subprocess.run(["size", "-A", elf], capture_output=True, text=True, check=True)
        sizes = {fields[0]: int(fields[1]) for line in sections.stdout.splitlines()
                 if len(fields := line.split()) == 3 and fields[1].isdigit()}
        text = sum(size for name, size in sizes.items() if "text" in name)
        self.assertGreater(text, 0, f"no text section in {elf}")
        self.assertLessEqual(text, MAX_TEXT)

    def test_lines(self):
        files = [path for part in ("core", "arch/x86_64", "debug")
                 for path in (ROOT / "kernel" / part).rglob("*") if path.suffix in (".c", ".S")]
        self.assertGreater(len(files), 40)
        self.assertLessEqual(sum(code_lines(path) for path in files), MAX_LINES)


if __name__ == "__main__":
    unittest.main()
