#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the first inputs of a fuzzer, then runs it on them.

Usage: run.py calls|image FUZZER RUNS [DIR]
Everything the fuzzer finds stays in DIR (default: FUZZER.corpus, made anew). RUNS inputs from a fixed seed;
RUNS 0: until somebody stops it.
"""
import pathlib
import shutil
import struct
import subprocess
import sys
import zlib

PAGE = 4096


def call_seeds():
    """Bytes of fuzz_calls.c: vCPU, number, operation, three bytes of classes, four or five numbers."""
    def step(vcpu, number, operation, classes=(0, 0, 0), numbers=(0, 0, 0, 0)):
        return bytes([vcpu, number, operation, *classes, *numbers])
    cap, mem, grant, port, send = 2, 15, 16, 17, 18
    share = step(0, grant, 0, (0, 0, 0), (0, 4, 2, 3)) + step(1, grant, 1, (3, 0, 0), (2, 9, 2, 1))
    yield "share", share + step(1, grant, 2, (0, 0, 0), (0, 9, 1, 0)) + step(0, grant, 3, (3, 0, 0), (3, 0, 0, 0))
    yield "ports", step(0, port, 0) + step(1, port, 0) + step(0, port, 1, (0, 3, 0), (1, 0, 2, 1)) + step(0, send, 1)
    yield "frames", step(1, mem, 0, (0, 0, 0), (0, 12, 4, 0)) + step(1, mem, 1, (0, 0, 0), (0, 12, 4, 0))
    yield "end", step(0, 4, 2, (3, 0, 0), (2, 0, 0, 0)) * 8 + step(0, cap, 1, (3, 0, 0), (2, 0, 0, 0))
    yield "access", step(1, 27, 2, (1, 0, 0)) + step(1, 14, 1, (0, 1, 0), (0, 2, 0, 1)) + step(1, 27, 2)


def elf():
    header = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, 62, 1, 0x400000, 64, 0, 0, 64, 56,
                         1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0x78, 0x400078, 0x400078, 8, 8, PAGE)
    return header + segment + b"\xcc" * 8


def image_seeds():
    yield "elf", b"\x01" + elf()
    entry = struct.pack("<32sIIQQQ", b"init", 1, zlib.crc32(elf()), PAGE, len(elf()), 0)
    head = struct.pack("<QIIQIIQQQQ", 0x3147414d49464e52, 1, 1, PAGE + len(elf()), zlib.crc32(entry), 0, 0, 0, 0, 0)
    yield "image", b"\x00" + (head + entry).ljust(PAGE, b"\0") + elf()


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    kind, fuzzer, runs = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    work = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else fuzzer.with_suffix(".corpus")
    if len(sys.argv) <= 4 and work.exists():
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    for name, data in call_seeds() if kind == "calls" else image_seeds():
        (work / name).write_bytes(data)
    command = [str(fuzzer), str(work), f"-artifact_prefix={work.parent}/", "-print_final_stats=1",
               "-len_control=0",
               f"-max_len={640 if kind == 'calls' else 4600}"]
    command += [f"-runs={runs}", "-seed=1"] if runs else []
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
