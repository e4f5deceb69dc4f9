#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds the kernel once more, from a copy of the tree in another place and without ccache, and compares.

    reproducible.py --build DIR

The two files must be equal to the byte: nothing of the machine, the directory or the time is in a kernel.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What decides what the kernel is made of; the copy is configured alike.
KEEP = ("KERNEL_DEBUG", "CMAKE_BUILD_TYPE", "CMAKE_C_COMPILER", "CMAKE_C_FLAGS", "CMAKE_ASM_FLAGS")


def cached(build):
    """-D options for what the first build was configured with."""
    cache = (build / "CMakeCache.txt").read_text()
    found = [(name, re.search(rf"^{name}:[A-Z]+=(.*)$", cache, re.MULTILINE)) for name in KEEP]
    return [f"-D{name}={value[1]}" for name, value in found if value and value[1]]


def run(*argv):
    done = subprocess.run([str(word) for word in argv], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"{argv[0]}:\n{done.stdout[-4000:]}")


def build_again(build, directory):
    tree, out = directory / "another" / "place", directory / "out" / "kernel"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", "out", ".git"))
    run("cmake", "-S", tree, "-B", out, "-G", "Ninja", "-DRINGFENCE_LINUX=OFF",
        "-DRINGFENCE_CCACHE=OFF", *cached(build))
    run("ninja", "-C", out, "ringfence.elf")
    return out / "kernel" / "ringfence.elf"


def sections(path, directory):
    """{section: its bytes}."""
    names = re.findall(r"^ *\d+ (\S+) ", subprocess.run(
        ["objdump", "-h", "-w", str(path)], capture_output=True, text=True, check=True).stdout, re.MULTILINE)
    contents = {}
    for name in names:
        out = directory / "section"
        out.write_bytes(b"")
        subprocess.run(["objcopy", "-O", "binary", "--only-section", name, "--set-section-flags",
                        f"{name}=alloc", str(path), str(out)], check=True, capture_output=True)
        contents[name] = out.read_bytes()
    return contents


def where(first, second, directory):
    """Which parts of two files that are not equal differ, and in which text if it is one."""
    one, two = sections(first, directory), sections(second, directory)
    lines = []
    for name in sorted(one.keys() | two.keys()):
        a, b = one.get(name, b""), two.get(name, b"")
        if a != b:
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            lines.append(f"{name}: {len(a)} and {len(b)} bytes, from {at:#x} on: "
                         f"{a[at:at + 60]!r} and {b[at:at + 60]!r}")
    return lines or ["only in headers or symbols"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    options = parser.parse_args()
    first = options.build / "kernel" / "ringfence.elf"
    with tempfile.TemporaryDirectory(prefix="reproducible") as directory:
        directory = pathlib.Path(directory)
        second = build_again(options.build, directory)
        if first.read_bytes() != second.read_bytes():
            print("\n".join(["the two kernels differ:", *where(first, second, directory)]))
            return 1
    print(f"{first.stat().st_size} bytes, equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
