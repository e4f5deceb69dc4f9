#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boots the bare kernel on every machine and by every loader it supports, and breaks it on purpose.

    boot.py --list
    boot.py --kernel ringfence.elf --mkiso mkiso.py CASE...

Each case is one QEMU run: what must be in the log, what must not, and QEMU's exit status.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

CPU = "max,-erms,-fsrm,-la57"
OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
UP, PANIC, HANGS = 1, 255, None  # exit status: debug-exit 0, panic=exit, stops without exit


def case(expect, status, machine="q35", cpus=1, mem=256, boottest="up", cpu=CPU, via="pvh", panic="panic=exit"):
    return {"expect": expect, "status": status, "machine": machine, "cpus": cpus, "mem": mem,
            "boottest": boottest, "cpu": cpu, "via": via, "panic": panic}


def all_cases():
    cases = {}
    for machine in ("pc", "q35"):
        for cpus in (1, 2, 16):
            cases[f"{machine}-{cpus}cpu"] = case([rf"kernel up, {cpus} CPUs"], UP, machine, cpus)
    cases["microvm"] = case([r"kernel up, 2 CPUs"], UP, "microvm", 2)
    cases["no-acpi"] = case([r"no usable ACPI", r"kernel up, 1 CPUs"], UP, "pc,acpi=off", 2)
    cases["spare-cpus"] = case([r"kernel up, 2 CPUs"], UP, cpus="2,maxcpus=8")
    cases["memory-6g"] = case([r"memory: 5999 MiB", r"kernel up"], UP, mem=6000)
    cases["memory-none"] = case([r"PANIC.*too little memory: needs 8 MiB, has 3 MiB"], PANIC, mem=4)
    cases["small-pages"] = case([r"kernel up"], UP, mem=4096, cpu=CPU + ",-pdpe1gb")
    for loader in ("bios-cd", "bios-disk", "uefi-cd", "uefi-disk"):
        cases[f"iso-{loader}"] = case([r"loader multiboot2", r"module 0: .* 'one two'",
                                       r"kernel up, 2 CPUs"], UP, cpus=2, via=loader)
    for name, cpu in (("no-fsgsbase", f"{CPU},-fsgsbase"), ("no-xsave", f"{CPU},-xsave"),
                      ("qemu64", "qemu64"), ("Conroe", "Conroe")):
        cases[f"cpu-{name}"] = case([r"kernel up, 2 CPUs"], UP, cpus=2, cpu=cpu)
    cases["cpu-no-syscall"] = case([r"PANIC.*lacks SYSCALL"], PANIC, cpu=f"{CPU},-syscall")
    cases["cpu-no-nx"] = case([r"lacks no-execute pages"], HANGS, cpu=f"{CPU},-nx")
    cases["cpu-32bit"] = case([r"cannot run 64-bit code"], HANGS, machine="pc", cpu="qemu32")
    trace = r"kernel_init\+0x"
    for test, reason in (("fault", r"page fault in the kernel at 1000,"),
                         ("text", r"page fault .*error 3"), ("alias", r"page fault .*error 3"),
                         ("exec", r"page fault .*error 11"), ("stack", r"double fault"),
                         ("assert", r".*assertion failed: ticks == 1")):
        name = {"alias": "test_text_alias_write", "text": "test_text_write", "exec": r"\?",
                "stack": "deeper"}.get(test, f"test_{test}")
        cases[f"panic-{test}"] = case([rf"PANIC on CPU 0: {reason}", rf"{name}\+0x",
                                       "" if test == "stack" else trace, r"end of panic"],
                                      PANIC, cpus=2, boottest=test)
    cases["panic-frames"] = case([r"PANIC on CPU 0: ", r"test_frames\+0x", r"\n +0*fff \?\+0x0\n", r" irq 123 456\n",
                                  r"end of panic"], PANIC, boottest="frames")
    for name, panic in (("nothing-said", ""), ("other", "panic=other")):
        cases[f"panic-{name}"] = case([r"PANIC on CPU 0: boottest: 'nothing' is no test", r"end of panic"], HANGS,
                                      cpus=2, boottest="nothing", panic=panic)
    cases["timer"] = case([r"timer: 20 of 20"], UP, boottest="timer")
    cases["doors"] = case([r"doors: 240\n"], UP, boottest="doors")
    cases["poweroff"] = case([r"kernel up"], 0, boottest="poweroff")
    cases["reboot"] = case([r"kernel up"], 0, boottest="reboot")
    return cases


def boot_args(c, args, work):
    cmdline = f"{c['panic']} boottest={c['boottest']}"
    if c["via"] == "pvh":
        return ["-kernel", args.kernel, "-append", cmdline]
    iso, module = f"{work}/k.iso", f"{work}/module"
    with open(module, "w", encoding="ascii") as f:
        f.write("contents")
    subprocess.run([sys.executable, args.mkiso, "-o", iso, "--kernel", args.kernel, "--cmdline",
                    cmdline, "--module", f"{module},one two"], check=True)
    out = []
    if c["via"].startswith("uefi"):
        shutil.copyfile(OVMF_VARS, f"{work}/vars.fd")
        out += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}",
                "-drive", f"if=pflash,format=raw,file={work}/vars.fd"]
    disk = c["via"].endswith("disk")
    return out + (["-drive", f"file={iso},format=raw"] if disk else ["-cdrom", iso])


def said(log):
    if not os.path.exists(log):
        return ""
    with open(log, encoding="latin1") as f:
        return f.read()


def watch(cmd, log, c, timeout):
    """QEMU's exit status. One that is to hang is watched for a while from when it has said all it should."""
    process = subprocess.Popen(cmd, stdin=subprocess.DEVNULL)
    end = time.monotonic() + timeout
    if c["status"] is HANGS:
        while time.monotonic() < end and not all(re.search(e, said(log)) for e in c["expect"]):
            time.sleep(0.2)
        end = time.monotonic() + 3
    try:
        return process.wait(max(end - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return HANGS


def run_case(name, c, args):
    """Returns what is wrong, empty if nothing is."""
    with tempfile.TemporaryDirectory() as work:
        log = f"{work}/log"
        cmd = ["qemu-system-x86_64", "-accel", "tcg", "-M", c["machine"], "-cpu", c["cpu"],
               "-m", str(c["mem"]), "-smp", str(c["cpus"]), "-nodefaults", "-display", "none",
               "-no-reboot", "-serial", "none", "-debugcon", f"file:{log}",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               *boot_args(c, args, work)]
        status = watch(cmd, log, c, args.timeout)
        text = said(log)
    wrong = [f"missing in the log: {e}" for e in c["expect"] if not re.search(e, text)]
    if status != c["status"]:
        wrong.append(f"exit status {status}, expected {c['status']}")
    if "panic" not in name and c["status"] != PANIC and "PANIC" in text:
        wrong.append("the kernel panicked")
    return wrong + (text.splitlines()[-40:] if wrong else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--kernel")
    parser.add_argument("--mkiso")
    parser.add_argument("--timeout", type=int, default=90)
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    cases = all_cases()
    if args.list:
        print(";".join(cases))
        return 0
    names = args.cases or list(cases)
    failed = 0
    print(f"KTAP version 1\n1..{len(names)}")
    for i, name in enumerate(names, 1):
        wrong = run_case(name, cases[name], args)
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {i} {name}", flush=True)
        for line in wrong:
            print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
