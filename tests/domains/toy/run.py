#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run.py --build DIR --cpus N --vcpus M [--vtlb K] [--audit] [--cpu MODEL]: boots the toy guest under init and believes
its exit code and its last line."""
import argparse
import pathlib
import subprocess
import sys
import tempfile

CPU = "max,-erms,-fsrm,-la57"
PASSED = 33  # QEMU's status for exit code 16: init ended with the guest's code 0
TOP = pathlib.Path(__file__).resolve().parents[3]

MANIFEST = """manifest = 1
[image]
name = "toy"
[machine]
cpus = {cpus}
mem = "256M"
[[domain]]
name = "toy"
kind = "linux"
kernel = "toy.elf"
mem = "64M"
kmem = "4M"
vcpus = {vcpus}
vtlb = {vtlb}
on_exit = "shutdown"
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--vcpus", type=int, default=1)
    parser.add_argument("--vtlb", default='"max"')
    parser.add_argument("--audit", action="store_true")
    parser.add_argument("--cpu", default=CPU)
    parser.add_argument("--timeout", type=int, default=240)
    args = parser.parse_args()
    build = pathlib.Path(args.build).resolve()
    with tempfile.TemporaryDirectory() as tmp:
        manifest, image, log = (pathlib.Path(tmp, n) for n in ("toy.toml", "toy.img", "log"))
        manifest.write_text(MANIFEST.format(cpus=args.cpus, vcpus=args.vcpus, vtlb=args.vtlb))
        subprocess.run([sys.executable, "-B", "-m", "manifest", "build", str(manifest),
                        "--build", str(build), "-o", str(image)], cwd=TOP / "tools", check=True)
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", args.cpu, "-m", "256",
                   "-smp", str(args.cpus), "-display", "none", "-no-reboot", "-nodefaults",
                   "-debugcon", f"file:{log}", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                   "-kernel", str(build / "kernel" / "ringfence.elf"), "-initrd", str(image),
                   "-append", "panic=exit" + (" audit" if args.audit else "")]
        try:
            status = subprocess.run(command, timeout=args.timeout, stdin=subprocess.DEVNULL,
                                    check=False).returncode
        except subprocess.TimeoutExpired:
            status = "timeout"
        text = log.read_text(errors="replace") if log.exists() else ""
    if status != PASSED or " 0 of " not in text or "not ok" in text or "PANIC" in text:
        print(text)
        sys.exit(f"toy: exit status {status}, expected {PASSED}")
    print(f"toy: passed, {args.vcpus} vCPUs on {args.cpus} CPUs")


if __name__ == "__main__":
    main()
