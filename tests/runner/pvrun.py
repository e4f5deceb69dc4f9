#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Boots one machine and judges it: strict KTAP, or expected lines and an exit status.

Two limits end every boot. The instruction budget is counted by the plugin and is what a verdict may
depend on; the wall clock is only a watchdog against a machine that stands still. As a program it is one
CTest case; as a module, boot() and Result are for tests that need more than one boot.
"""

import argparse
import dataclasses
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import xml.sax.saxutils

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import ktap  # noqa: E402
from ringfence import qemu, status  # noqa: E402

BUDGET = 20_000_000_000
WALL = 600
BUDGET_STATUS = 120
# One that computes, interrupts and copies by DMA when told to, and one with more vectors than the kernel has room for.
# On a machine with PCI Express (and VT-d) the latter can be reset.
RNG = "virtio-rng-pci,disable-legacy=on,vectors=80"
EDU = ("-device", "edu,dma_mask=0xffffffffffff")
DEVICES = {False: (*EDU, "-device", RNG),
           True: (*EDU, "-device", "pcie-root-port,id=down,chassis=1", "-device", RNG + ",bus=down")}
SHOWN = 60


@dataclasses.dataclass
class Result:
    code: int            # our exit status, status.py
    kernel: str          # the kernel's log (port 0xE9)
    serial: str          # the serial line: the same until a domain owns it, then the consoles
    insns: int | None    # instructions executed, when the plugin ran
    over: str | None     # what ended it when it did not end by itself
    owners: dict         # instructions by VM, when asked for: number the VM gave itself -> count
    steps: str | None = None  # what a guest told the plugin of its steps

    @property
    def text(self):
        return self.kernel + "\n" + self.serial

    def lines(self):
        return self.text.splitlines()

    def report(self):
        """The text that holds the KTAP: a root domain writes it to the log, a guest to its console."""
        return self.kernel if "KTAP version" in self.kernel else self.serial


def plugin(build, budget, owners=None):
    """The counting plugin; owners: the kernel whose VMs are told apart."""
    library = build / "tests" / "plugin" / "libcount.so"
    if not budget or not library.exists():
        return ()
    return (f"{library},budget={budget}" + (f",owner={symbol(owners, 'guest_owner')}" if owners else ""),)


def symbol(elf, name):
    """Its address, in hexadecimal."""
    listing = subprocess.run(["nm", str(elf)], capture_output=True, text=True, check=True).stdout
    return "0x" + re.search(rf"^([0-9a-f]+) \w {name}$", listing, re.MULTILINE)[1]


def _follow(process, on_line, wall):
    """What communicate() returns, with each line of the serial line shown as it comes."""
    guard = threading.Timer(wall, process.kill)
    errors = []
    drain = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    lines = []
    guard.start()
    drain.start()
    process.stdin.close()
    for line in process.stdout:
        lines.append(line)
        on_line(line.decode(errors="replace").rstrip())
    drain.join()
    process.wait()
    late = not guard.is_alive()
    guard.cancel()
    if late:
        raise subprocess.TimeoutExpired(process.args, wall, b"".join(lines), errors[0])
    return b"".join(lines), errors[0]


def boot(machine, build, budget=BUDGET, wall=WALL, stdin=b"", owners=False, on_line=None):
    """Run a machine to its end. The serial line is stdout, the kernel's log a file of its own. With `budget` 0
    nothing is counted, which is faster. on_line is called with each line of the former as it comes."""
    with tempfile.TemporaryDirectory(prefix="pvrun") as directory:
        log = pathlib.Path(directory) / "log"
        machine.debugcon = machine.debugcon or log
        machine.plugins = machine.plugins or plugin(build, budget, machine.kernel if owners else None)
        over = None
        process = subprocess.Popen(qemu.command(machine), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            serial, errors = (_follow(process, on_line, wall) if on_line else
                              process.communicate(stdin, wall))
        except subprocess.TimeoutExpired as late:
            process.kill()
            serial, errors = (late.output, late.stderr) if on_line else process.communicate()
            over = f"stood still: killed by the watchdog after {wall} s"
        errors = errors.decode(errors="replace")
        kernel = machine.debugcon.read_text(errors="replace") if machine.debugcon.exists() else ""
    if process.returncode == BUDGET_STATUS:
        over = f"used more than {budget} instructions"
    insns = re.search(r"^COUNT total=(\d+)", errors, re.MULTILINE)
    code, why = status.from_qemu(process.returncode)
    if code == status.QEMU and not over:
        over = f"{why}: {errors.strip()}"
    by_vm = {int(number): int(count)
             for number, count in re.findall(r"^OWNER (\d+) insns=(\d+)", errors, re.MULTILINE)}
    steps = re.search(r"^STEPS (.*)", errors, re.MULTILINE)
    return Result(code, kernel, serial.decode(errors="replace"), int(insns[1]) if insns else None,
                  over, by_vm, steps and steps[1])


def judge_ktap(result, domain, want):
    """Problems of a boot that reports in KTAP."""
    report = ktap.parse(result.report(), domain)
    problems = list(report.problems)
    problems += [line for line in ktap.disasters(result.text) if line not in problems]
    for case in report.failed:
        problems.append(f"not ok {case.number} {case.name}")
        problems += [f"    {line}" for line in case.detail[-10:]]
    if want and report.plan is not None and report.plan < want:
        problems.append(f"{report.plan} cases, at least {want} are expected")
    return report, problems


def judge_alone(result, want):
    """Problems of a boot of which nothing but its report in KTAP and a good end are expected."""
    problems = [result.over] if result.over else []
    problems += judge_ktap(result, None, want)[1]
    if result.code and not result.over:
        problems.append(f"exit status {result.code}")
    return problems


def judge_lines(result, expect, forbid):
    """Problems of a boot that is judged by its log: `expect` in this order, `forbid` nowhere."""
    lines, problems, at = result.lines(), [], 0
    for pattern in expect:
        found = next((i for i in range(at, len(lines)) if re.search(pattern, lines[i])), None)
        if found is None:
            problems.append(f"no line matches '{pattern}'"
                            + (f" after line {at}: {lines[at - 1]}" if at else ""))
        else:
            at = found + 1
    for pattern in forbid:
        problems += [f"'{pattern}' matches: {line}" for line in lines if re.search(pattern, line)]
    return problems


def write_junit(path, name, report):
    escape = xml.sax.saxutils.quoteattr
    cases = []
    for case in report.cases:
        inner = {"fail": f"<failure message={escape(' '.join(case.detail))}/>", "skip": "<skipped/>",
                 "pass": ""}[case.outcome]
        cases.append(f"<testcase classname={escape(name)} name={escape(case.name)}>{inner}</testcase>")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<testsuite name={escape(name)} tests=\"{len(report.cases)}\" "
                    f"failures=\"{len(report.failed)}\">\n" + "\n".join(cases) + "\n</testsuite>\n")


def arguments():
    parser = argparse.ArgumentParser(description="boot a machine and judge what it says")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--kernel", type=pathlib.Path, help="default: the build's microkernel")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--manifest", type=pathlib.Path, help="lower this and boot it")
    what.add_argument("--image", type=pathlib.Path, help="boot this image")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--mem", type=int, default=512, help="MiB")
    parser.add_argument("--cpu", default=qemu.CPU)
    parser.add_argument("--append", default="")
    parser.add_argument("--devices", action="store_true", help="with the PCI devices that tests play with")
    parser.add_argument("--iommu", action="store_true", help="a machine with VT-d")
    parser.add_argument("--icount", action="store_true", help="deterministic, one CPU thread")
    parser.add_argument("--budget", type=int, default=BUDGET, help="instructions of the whole boot")
    parser.add_argument("--wall", type=int, default=WALL, help="seconds until the watchdog")
    parser.add_argument("--domain", help="KTAP of this domain's lines only")
    parser.add_argument("--cases", type=int, default=0, help="fewer planned cases are a failure")
    parser.add_argument("--junit", type=pathlib.Path)
    parser.add_argument("--expect", action="append", default=[], metavar="REGEX",
                        help="judge by lines instead of KTAP: this must come, in order")
    parser.add_argument("--forbid", action="append", default=[], metavar="REGEX")
    parser.add_argument("--status", type=int, default=0, help="exit status of the machine")
    parser.add_argument("--log", type=pathlib.Path, help="keep everything said here")
    return parser.parse_args()


def machine_of(options, directory):
    initrd = options.image
    if options.manifest:
        from manifest import lower, schema
        from manifest.errors import ManifestError
        try:
            data, _ = lower.lower(schema.parse(options.manifest.read_text()), options.manifest.parent,
                                  options.build, options.mem << 20)
        except ManifestError as error:
            sys.exit(f"{options.manifest}:\n" + "\n".join(error.findings))
        initrd = directory / "image"
        initrd.write_bytes(data)
    kernel = options.kernel or options.build / "kernel" / "ringfence.elf"
    return qemu.Machine(kernel=kernel, image=initrd, cpus=options.cpus, mem=options.mem,
                        append=f"panic=exit {options.append}".strip(), icount=options.icount,
                        cpu=options.cpu, iommu=options.iommu, extra=DEVICES[options.iommu] if options.devices else ())


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="pvrun") as directory:
        machine = machine_of(options, pathlib.Path(directory))
        result = boot(machine, options.build, options.budget, options.wall)
    if options.log:
        options.log.parent.mkdir(parents=True, exist_ok=True)
        options.log.write_text(result.text)
    problems = [result.over] if result.over else []
    if options.expect or options.forbid:
        problems += judge_lines(result, options.expect, options.forbid)
    else:
        report, found = judge_ktap(result, options.domain, options.cases)
        problems += found
        print(report.summary())
        if options.junit:
            write_junit(options.junit, options.junit.stem, report)
    if result.code != options.status and not result.over:
        problems.append(f"exit status {result.code}, {options.status} was expected")
    if options.iommu and "iommu: VT-d" not in result.kernel:
        problems.append("the machine has VT-d, and the kernel does not use it")
    if result.insns is not None:
        print(f"{result.insns} instructions of {options.budget}")
    if problems:
        print("\n".join(["PROBLEMS:", *problems, f"---- last {SHOWN} lines ----",
                         *result.lines()[-SHOWN:]]))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
