#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole systems: the microkernel, init, console and Linux VMs together, and every way to break them.

    systest.py --list
    systest.py --build DIR CASE

A case is a function: it boots one or more machines and raises Wrong when the system did not do what it must.
What a boot said is kept in <build>/logs/tests/. Nothing depends on how long anything takes.
"""

import argparse
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import pvrun  # noqa: E402
from manifest import lower, schema  # noqa: E402
from manifest.abi import ABI  # noqa: E402
from ringfence import qemu, status  # noqa: E402

CASES = {}
HEAD = 'manifest = 1\n[image]\nname = "test"\n'
CONSOLE = '[[domain]]\nname = "console"\nkind = "newlib"\nkernel = "console.elf"\nmem = "8M"\n' \
          'uart = true\n'
WALL = 900


class Wrong(Exception):
    """The system misbehaved; the text says how."""


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


def vm(name, run, **keys):
    """A Linux VM that runs a command and powers off (see images/rootfs/shell/init)."""
    keys = {"mem": "64M", "cmdline": f'console=hvc0 quiet rf.name={name} rf.run="{run}"'} | keys
    text = f'[[domain]]\nname = "{name}"\nkind = "linux"\nkernel = "bzImage"\ninitrd = "shell.cpio"\n'
    return text + "".join(f"{key} = {quote(value)}\n" for key, value in keys.items())


def service(name, cmdline="", kernel="echo.elf", kind="newlib", **keys):
    keys = {"mem": "4M", "cmdline": cmdline} | keys
    return (f'[[domain]]\nname = "{name}"\nkind = "{kind}"\nkernel = "{kernel}"\n'
            + "".join(f"{key} = {quote(value)}\n" for key, value in keys.items()))


def quote(value):
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else "'" + value + "'"


class System:
    """Builds images and boots them for one case."""

    def __init__(self, build, name):
        self.build, self.name, self.boots = build, name, 0

    def image(self, *domains, console=True, mem=0):
        text = HEAD + (CONSOLE if console else "") + "".join(domains)
        return lower.lower(schema.parse(text), ROOT / "images", self.build, mem << 20)[0]

    def boot(self, image, append="", cpus=1, mem=512, want=status.OK, serial="stdio", icount=False):
        """Boot image bytes; the machine must end by itself, with status `want` unless that is None."""
        with tempfile.TemporaryDirectory(prefix="systest") as directory:
            path = pathlib.Path(directory) / "image"
            path.write_bytes(image)
            machine = qemu.Machine(
                kernel=self.build / "kernel" / "ringfence.elf", image=path, cpus=cpus, mem=mem,
                append=f"panic=exit headless {append}".strip(), serial=serial, icount=icount)
            result = pvrun.boot(machine, self.build, wall=WALL)
        self.boots += 1
        log = self.build / "logs" / "tests" / f"system.{self.name}.{self.boots}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(result.text)
        self.result = result
        if result.over:
            raise Wrong(result.over)
        if want is None and result.code >= status.FAILED:
            raise Wrong(f"the machine ended with status {result.code}")
        if want is not None and result.code != want:
            raise Wrong(f"exit status {result.code}, {want} was expected")
        return result

    def said(self, *patterns):
        """Each pattern must match some line."""
        for pattern in patterns:
            if not any(re.search(pattern, line) for line in self.result.lines()):
                raise Wrong(f"no line matches '{pattern}'")

    def never(self, *patterns):
        for pattern in patterns:
            for line in self.result.lines():
                if re.search(pattern, line):
                    raise Wrong(f"'{pattern}' matches: {line}")

    def healthy(self):
        self.never(r"PANIC on CPU", r"Kernel panic", r"BUG:", r"Oops:", r"audit finding")


# ---- two VMs side by side ----

WORK = "cat /proc/version; i=0; while [ $i -lt 50 ]; do /bin/busybox true; i=$((i+1)); done; echo $((6*7))-done"


def two_vms(system, cpus):
    system.boot(system.image(vm("vm1", WORK), vm("vm2", WORK)), cpus=cpus)
    for name in ("vm1", "vm2"):
        system.said(rf"^{name}\| Linux version 6\.12", rf"^{name}\| 42-done", rf"{name}.*powered off")
    system.healthy()


@case
def two_vms_1cpu(system):
    two_vms(system, 1)


@case
def two_vms_2cpu(system):
    two_vms(system, 2)


# ---- the vTLB at each capacity, audited ----

def vtlb(system, capacity):
    system.boot(system.image(vm("vm1", WORK, vtlb=capacity)), append="audit")
    system.said(r"^vm1\| 42-done")
    system.healthy()
    system.never(r"audit: ", r"findings [1-9]")


@case
def vtlb_max_audit(system):
    vtlb(system, "max")


@case
def vtlb_64_audit(system):
    vtlb(system, 64)


@case
def vtlb_0_audit(system):
    vtlb(system, 0)


# ---- one domain misbehaves, the others go on ----

def misbehaves(system, bad, *patterns, ends=True):
    """`bad` does its worst; vm2 runs its work to the end. `ends`: bad ends too, and init says so."""
    system.boot(system.image(bad, vm("vm2", WORK)), append="" if ends else "exit-with=vm2",
                want=None if ends else status.OK)
    if ends:
        system.said(r"bad stopped: ")
    system.said(r"^vm2\| 42-done", *patterns)
    system.never(r"PANIC on CPU")


@case
def guest_panics(system):
    misbehaves(system, vm("bad", "echo 1 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger"),
               r"Kernel panic", r"bad stopped: panic")


@case
def guest_loops(system):
    misbehaves(system, vm("bad", "while :; do :; done"), ends=False)


@case
def guest_eats_its_memory(system):
    misbehaves(system, vm("bad", "tail /dev/zero; echo survived"), r"[Oo]ut of memory|Killed|survived")


def service_misdeed(system, deed, *patterns, ends=True):
    misbehaves(system, service("bad", f"do={deed}"), *patterns, ends=ends)


@case
def service_null_pointer(system):
    service_misdeed(system, "null", r"bad stopped: .*(fault|vector 14)")


@case
def service_bad_opcode(system):
    service_misdeed(system, "opcode", r"bad stopped: .*vector 6")


@case
def service_stack_overflow(system):
    service_misdeed(system, "stack", r"bad stopped: .*vector 14")


@case
def service_divides_by_zero(system):
    service_misdeed(system, "divide", r"bad stopped: .*vector 0")


@case
def service_loops(system):
    service_misdeed(system, "loop", ends=False)


@case
def service_eats_its_memory(system):
    service_misdeed(system, "memory", r"out of memory after", ends=False)


@case
def service_wild_hypercalls(system):
    service_misdeed(system, "hypercalls", ends=False)


@case
def service_aborts(system):
    service_misdeed(system, "abort", r"bad stopped")


# ---- guest kernels that mean harm: tests/domains/hostile ----

def kernel_misdeed(system, deed, *patterns, seeds=1, cpus=1, vtlb="max"):
    """Hostile kernels, one for each seed, beside a VM that does its work to the end."""
    bad = [service(f"bad{seed}", f"do={deed} seed={seed}", kernel="hostile.elf", kind="linux",
                   mem="48M", vtlb=vtlb) for seed in range(1, seeds + 1)]
    system.boot(system.image(*bad, vm("vm2", WORK)), append="exit-with=vm2 audit", cpus=cpus)
    system.said(r"^vm2\| 42-done", *patterns)
    system.healthy()
    system.never(r"audit: domain vm2")


@case
def kernel_panics(system):
    kernel_misdeed(system, "panic", r"bad1 stopped: panic, code 7")


@case
def kernel_halts(system):
    kernel_misdeed(system, "halt", r"bad1 stopped: halted")


@case
def kernel_loops_with_events_off(system):
    kernel_misdeed(system, "loop")


@case
def kernel_jumps_into_hypervisor(system):
    kernel_misdeed(system, "jump")


@case
def kernel_makes_wild_calls(system):
    kernel_misdeed(system, "calls", seeds=4)


@case
def kernel_makes_wilder_calls(system):
    kernel_misdeed(system, "wild", seeds=4, cpus=2)


@case
def kernel_scribbles_on_page_tables(system):
    kernel_misdeed(system, "tables", seeds=4, cpus=2)


@case
def kernel_scribbles_on_page_tables_vtlb_64(system):
    kernel_misdeed(system, "tables", seeds=4, vtlb=64)


@case
def kernel_scribbles_on_its_page(system):
    kernel_misdeed(system, "vcs", seeds=4, cpus=2)


@case
def kernel_loads_noise_as_roots(system):
    kernel_misdeed(system, "roots", seeds=4)


@case
def kernel_returns_to_nowhere(system):
    kernel_misdeed(system, "frames", seeds=4)


@case
def kernel_wants_ring_0(system):
    kernel_misdeed(system, "privileged", seeds=4)


# ---- life cycles leave nothing behind ----

def cycles(system, domain, name, count):
    system.boot(system.image(domain), append=f"cycle={name},{count}", mem=256)
    system.healthy()


@case
def cycle_newlib_1000(system):
    cycles(system, service("child", "exit=0"), "child", 1000)


@case
def cycle_linux_20(system):
    cycles(system, vm("child", "true"), "child", 20)


# ---- broken input ----

def patch_manifest(image, change):
    """The image with its manifest blob changed and every outer checksum right."""
    import zlib
    data = bytearray(image)
    entry_at = ABI.size("image_header") + ABI.size("image_entry")
    entry = ABI.unpack("image_entry", data, entry_at)
    start, end = entry["offset"], entry["offset"] + entry["size"]
    blob = change(bytearray(data[start:end]))
    data[start:end] = blob
    struct.pack_into("<I", data, entry_at + 36, zlib.crc32(blob))
    count = ABI.unpack("image_header", data)["count"]
    table = bytes(data[64:64 + 64 * count])
    struct.pack_into("<I", data, 24, zlib.crc32(table))
    return bytes(data)


def small(system):
    return system.image(service("child", "exit=0"))


@case
def corrupt_blob(system):
    def flip(blob):
        blob[200] ^= 0xff
        return blob
    system.boot(patch_manifest(small(system), flip), want=status.INIT)
    system.said(r"the manifest is damaged: checksum")


@case
def corrupt_kernel_in_image(system):
    image = bytearray(small(system))
    image[-5000] ^= 0xff
    system.boot(bytes(image), want=status.INIT)
    system.said(r"image entry \d+ '.*' is damaged: checksum")


@case
def truncated_image(system):
    image = small(system)
    result = None
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "cut"
        path.write_bytes(image[:len(image) // 2])
        machine = qemu.Machine(kernel=system.build / "kernel" / "ringfence.elf", image=path,
                               append="panic=exit headless")
        result = system.result = pvrun.boot(machine, system.build, wall=WALL)
    if result.over or result.code not in (status.PANIC, status.INIT):
        raise Wrong(f"status {result.code}, {result.over}")
    system.said(r"truncated|promises more|too (short|small)")


@case
def not_an_image(system):
    machine = qemu.Machine(kernel=system.build / "kernel" / "ringfence.elf",
                           image=system.build / "images" / "shell.cpio", append="panic=exit headless")
    result = system.result = pvrun.boot(machine, system.build, wall=WALL)
    if result.over or result.code not in (status.PANIC, status.INIT):
        raise Wrong(f"status {result.code}, {result.over}")
    system.said(r"magic|not a .*image")


@case
def no_image(system):
    machine = qemu.Machine(kernel=system.build / "kernel" / "ringfence.elf",
                           append="panic=exit headless")
    result = system.result = pvrun.boot(machine, system.build, wall=WALL)
    if result.over or result.code not in (status.PANIC, status.INIT):
        raise Wrong(f"status {result.code}, {result.over}")
    system.said(r"no (boot )?(image|module)")


@case
def too_little_memory(system):
    system.boot(system.image(vm("vm1", "true", mem="256M")), mem=128, want=status.INIT)
    system.said(r"not enough memory: .* need .* has ")


@case
def no_serial_port(system):
    system.boot(system.image(vm("vm1", "true")), serial="none")
    system.said(r"vm1.*powered off")


# ---- the front door's own checks ----

def door(system, manifest, *expected, name="case.toml"):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / name
        path.write_text(manifest)
        (pathlib.Path(directory) / "cut").write_bytes(
            (system.build / "linux/arch/x86/boot/bzImage").read_bytes()[:1000000])
        result = subprocess.run(
            [sys.executable, "-B", str(ROOT / "tools" / "manifest"), "check", str(path), "--build",
             str(system.build)], capture_output=True, text=True, check=False)
    if result.returncode != 1:
        raise Wrong(f"status {result.returncode}: {result.stdout}{result.stderr}")
    for pattern in expected:
        if not re.search(pattern, result.stderr):
            raise Wrong(f"no '{pattern}' in: {result.stderr}")


@case
def bad_manifest(system):
    door(system, HEAD + service("a", vcpu=2), r"domain\[0\]\.vcpu \(a\): unknown key .*'vcpus'")


@case
def truncated_bzimage(system):
    door(system, HEAD + vm("a", "true").replace('"bzImage"', '"cut"'),
         r"domain\[0\]\.kernel \(a\): .*cut is truncated: its header promises \d+ bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("case", nargs="?", choices=sorted(CASES))
    options = parser.parse_args()
    if options.list or not options.case:
        print(";".join(CASES))
        return 0
    system = System(options.build, options.case)
    try:
        CASES[options.case](system)
    except Wrong as error:
        lines = system.result.lines() if hasattr(system, "result") else []
        print("\n".join([f"{options.case}: {error}", "---- last lines ----", *lines[-60:]]))
        return 1
    insns = getattr(getattr(system, "result", None), "insns", None)
    print(f"{options.case}: good" + (f", {insns} instructions" if insns else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
