#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds newlib from Debian's newlib-source with the host compiler.

There is no bare-metal cross compiler in Debian's archive for x86-64, and none is needed: the host gcc
with freestanding flags emits the same code. newlib's configure looks for tools named x86_64-elf-*,
so it gets links with those names. System calls come from libpv, hence
--disable-newlib-supplied-syscalls.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

TARGET = "x86_64-elf"
TOOLS = ["gcc", "ar", "as", "ld", "nm", "ranlib", "strip", "objcopy", "objdump", "readelf"]
CONFIGURE = [
    f"--target={TARGET}", "--disable-newlib-supplied-syscalls", "--disable-multilib",
    "--disable-libgloss", "--disable-nls", "--enable-newlib-io-c99-formats",
    "--enable-newlib-io-long-long", "MAKEINFO=true",
]
FLAGS = [
    "-O2", "-g", "-ffreestanding", "-fno-pic", "-fno-pie", "-mno-red-zone", "-fno-stack-protector",
    "-fcf-protection=none", "-ffunction-sections", "-fdata-sections",
    "-fno-asynchronous-unwind-tables", "-U__linux__", "-U__gnu_linux__", "-U__linux", "-Ulinux",
    "-nostdinc",
]


def run(command, log, cwd, env):
    log.write("+ " + " ".join(command) + "\n")
    log.flush()
    code = subprocess.run(command, cwd=cwd, env=env, stdout=log, stderr=log, check=False).returncode
    if code:
        tail = pathlib.Path(log.name).read_text(errors="replace").splitlines()[-30:]
        sys.exit("\n".join(tail) + f"\nnewlib: {command[0]} failed with {code}; log: {log.name}")


def make_tools(directory):
    directory.mkdir(parents=True)
    for tool in TOOLS:
        found = shutil.which(tool)
        if not found:
            sys.exit(f"newlib: {tool} not found")
        (directory / f"{TARGET}-{tool}").symlink_to(found)


def unpack(tarball, directory):
    subprocess.run(["tar", "-xf", str(tarball), "-C", str(directory)], check=True)
    tops = [d for d in directory.iterdir() if (d / "newlib").is_dir() and (d / "configure").exists()]
    if len(tops) != 1:
        sys.exit(f"newlib: {tarball} does not look like a newlib source archive")
    return tops[0]


def main():
    parser = argparse.ArgumentParser(description="build newlib for Ringfence domains")
    parser.add_argument("--tarball", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--jobs", default=os.cpu_count(), type=int)
    options = parser.parse_args()

    out = options.out.resolve()
    work = out / "work"
    shutil.rmtree(out, ignore_errors=True)
    make_tools(work / "bin")
    source = unpack(options.tarball, work)
    build = work / "build"
    build.mkdir()

    include = subprocess.run(["gcc", "-print-file-name=include"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.strip()
    flags = FLAGS + ["-isystem", include, f"-ffile-prefix-map={source}=newlib"]
    env = dict(os.environ, PATH=f"{work / 'bin'}:{os.environ['PATH']}", LC_ALL="C")
    for name in ("CFLAGS", "CPPFLAGS", "LDFLAGS", "CC", "MAKEFLAGS", "MAKELEVEL"):
        env.pop(name, None)
    with open(out / "build.log", "w") as log:
        run([str(source / "configure"), f"--prefix={out}", *CONFIGURE,
             "CFLAGS_FOR_TARGET=" + " ".join(flags)], log, build, env)
        run(["make", f"-j{options.jobs}", "all-target-newlib"], log, build, env)
        run(["make", "install-target-newlib"], log, build, env)
    shutil.rmtree(work)
    for library in ("libc.a", "libm.a"):
        os.utime(out / TARGET / "lib" / library)


if __name__ == "__main__":
    main()
