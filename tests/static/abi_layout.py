#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The ABI as compilers see it, compared with the golden copy in pv-abi/layout.txt.

    abi_layout.py --build DIR             compare
    abi_layout.py --build DIR --update    the change is meant: write a new golden copy

A program that prints every number, size and offset is made from the generated headers and run as built by
gcc and clang, for 64 and 32 bits, with the header of the kernel and domains and with that of Linux. All
must print the golden copy. Whoever changes it sees in the diff which number guests are built on has moved.
PVABI-LAY-001.1 PVABI-LAY-002.1
"""

import argparse
import difflib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "pv-abi" / "layout.txt"
HEADERS = ("include/pv/abi.h", "linux/ringfence_abi.h")
COMPILERS = ("gcc", "clang-14")
MODES = ("-m64", "-m32")
HEAD = """# SPDX-License-Identifier: BSD-2-Clause
# Golden copy of the ABI: value of each constant, arguments of each call, size and offset of each field.
# Written by `ninja -C build abi_golden`; tests/static/abi_layout.py compares it. Do not edit.
"""
STRUCT = re.compile(r"^struct (pv_\w+) \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^\t(?:struct )?\w+ (\w+)(?:\[\d+\])?;", re.MULTILINE)
CONSTANT = re.compile(r"^#define (PV_\w+) \S", re.MULTILINE)
CALL = re.compile(r"^PV_CALL\((\d+), (\w+), \w+, (\d+), (\d+), (\d+)\)$", re.MULTILINE)


def program(header, calls):
    """C source of the dump. Names come from the header, all values from the compiler."""
    lines = ["#include <stddef.h>", "#include <stdio.h>", f'#include "{header.resolve()}"',
             "int main(void)", "{"]
    text = header.read_text()
    lines += [f'\tprintf("{name} %#llx\\n", (unsigned long long){name});' for name in CONSTANT.findall(text)]
    lines += [f'\tputs("call {nr} {name}: {arguments} arguments, {ops} operations, '
              f'{insns} instructions");' for nr, name, arguments, ops, insns in CALL.findall(calls)]
    for name, body in STRUCT.findall(text):
        lines.append(f'\tprintf("struct {name} %zu\\n", sizeof(struct {name}));')
        lines += [f'\tprintf("  %4zu %4zu {field}\\n", offsetof(struct {name}, {field}), '
                  f"sizeof(((struct {name} *)0)->{field}));" for field in FIELD.findall(body)]
    return "\n".join([*lines, "\treturn 0;", "}", ""])


def dump(compiler, mode, source, out):
    subprocess.run([compiler, mode, "-std=gnu11", "-O0", "-Wall", "-Wextra", "-Werror", "-o", str(out),
                    str(source)], check=True)
    return HEAD + subprocess.run([str(out)], check=True, capture_output=True, text=True).stdout


def dumps(abi, directory):
    """Yields (who compiled, what was printed)."""
    calls = (abi / "include/pv/calls.def").read_text()
    for header in HEADERS:
        source = directory / "dump.c"
        source.write_text(program(abi / header, calls))
        for compiler in COMPILERS:
            if not shutil.which(compiler):
                sys.exit(f"abi_layout: {compiler} is not installed")
            for mode in MODES:
                yield (f"{compiler} {mode} {header}", dump(compiler, mode, source, directory / "dump"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--update", action="store_true", help="the change is meant")
    options = parser.parse_args()
    golden, wrong = GOLDEN.read_text() if GOLDEN.exists() else "", 0
    with tempfile.TemporaryDirectory(prefix="abi-layout") as directory:
        for who, text in dumps(options.build / "pv-abi", pathlib.Path(directory)):
            if options.update and text != golden:
                GOLDEN.write_text(text)
                golden, options.update = text, False
                print(f"{GOLDEN}: written")
            difference = list(difflib.unified_diff(golden.splitlines(), text.splitlines(), str(GOLDEN), who,
                                                   n=1, lineterm=""))
            wrong += bool(difference)
            print("\n".join(difference) if difference else f"{who}: equal")
    if wrong:
        print("If the change is meant: `ninja -C build abi_golden`, and say in the commit whom it breaks.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
