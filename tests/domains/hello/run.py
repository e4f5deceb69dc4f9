#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run.py --kernel ELF --image IMG --cpus N: boots hello and believes only its exit code and last line."""
import argparse
import pathlib
import subprocess
import sys
import tempfile

CPU = "max,-erms,-fsrm,-la57"
PASSED = 1  # QEMU's status for exit code 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=120)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        log = pathlib.Path(tmp, "log")
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", CPU, "-m", "256",
                   "-smp", str(args.cpus), "-display", "none", "-no-reboot", "-nodefaults",
                   "-debugcon", f"file:{log}", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                   "-kernel", args.kernel, "-initrd", args.image, "-append", "panic=exit"]
        try:
            status = subprocess.run(command, timeout=args.timeout, stdin=subprocess.DEVNULL,
                                    check=False).returncode
        except subprocess.TimeoutExpired:
            status = "timeout"
        text = log.read_text(errors="replace") if log.exists() else ""
    if status != PASSED or "init: all passed" not in text or "PANIC" in text:
        print(text)
        sys.exit(f"hello: exit status {status}, expected {PASSED}")
    print(f"hello: passed on {args.cpus} CPUs")


if __name__ == "__main__":
    main()
