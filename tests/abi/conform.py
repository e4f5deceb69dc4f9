#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does a kernel conform to the ABI? Boots the suite, or reads the logs of boots, and judges by profile.toml.

    conform.py --build DIR [--kernel ELF] [--cpu MODEL] [--cpus N] [--real-time]
               [--clause IDS] [--area AREAS] [--match REGEX] [--case NAME]      boot and judge
    conform.py --build DIR --logs LOG...                                        judge what others booted
    conform.py --boots                                                          what they must boot

A whole run boots the frozen programs too. It ends with a line "conforms to NAME: yes|no, N of M mandatory clauses" and
fails unless it is yes and every documented (operation, error) pair was produced. A run of chosen cases says how they went.
--logs also writes DIR/pv-abi/doc/traceability.md (trace_page.py).
"""

import argparse
import pathlib
import re
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import profile_abi  # noqa: E402
import pvrun  # noqa: E402
import trace_page  # noqa: E402
from manifest import lower, schema  # noqa: E402
from ringfence import qemu  # noqa: E402

RESULT = re.compile(r"(not ok|ok) \d+ (\S+) # (?:(SKIP) )?(.*)")
STAT = re.compile(r"# stat (\S+) checks=(\d+) good=(\d+) bad=(\d+) vcpus=(\d+) edge=(\d)")
SEEN = re.compile(r"# seen (\d+) (\d+) 0x([0-9a-f]+)")
MEMORY = 512
# The boots of a whole run: areas that go together, what needs a second CPU, what needs VT-d.
TOGETHER = "GEN,INF,CON,CPU,MSR,HST,BOO DOM,SCH VCP,REG,SET,WAI,TIM MAP,MEM,GRT,VLK EVT,PRT,SND,IPI,SEG,DBG,ISO".split()
TWO_CPUS = "abi.clause=PVABI-SCH-007,PVABI-VCP-010"
CONFINED = "abi=DEV"


class Results:
    """What the boots have shown together."""

    def __init__(self):
        self.cases = {}  # name -> {clauses, passed, failed, skipped, checks, good, bad, vcpus, edge}
        self.seen = {}   # (number, operation) -> bits of errors
        self.broken = []  # boots that did not come to an end

    def case(self, name):
        return self.cases.setdefault(name, dict(clauses=set(), passed=0, failed=0, skipped=0, checks=0,
                                                good=0, bad=0, vcpus=0, edge=0))

    def read(self, text):
        """Adds the kernel log of one boot."""
        for line in text.splitlines():
            line = re.sub(r"^\[ *\d+\.\d+\] (\w{3} |    )?", "", line)
            if match := STAT.fullmatch(line):
                case = self.case(match[1])
                for key, value in zip(("checks", "good", "bad", "vcpus", "edge"), match.groups()[1:]):
                    case[key] = max(case[key], int(value))
            elif match := RESULT.fullmatch(line):
                case = self.case(match[2])
                if match[3]:
                    case["skipped"] += 1
                    continue
                case["clauses"] |= set(match[4].split())
                case["passed" if match[1] == "ok" else "failed"] += 1
            elif match := SEEN.fullmatch(line):
                key = int(match[1]), int(match[2])
                self.seen[key] = self.seen.get(key, 0) | int(match[3], 16)

    @property
    def checks(self):
        return sum(case["checks"] for case in self.cases.values())

    def failed(self):
        return sorted(name for name, case in self.cases.items() if case["failed"])

    def clauses(self):
        """{clause: "yes" | "no"}; one whose cases were all skipped is not in it."""
        found = {}
        for case in self.cases.values():
            for clause in case["clauses"] if case["passed"] or case["failed"] else ():
                bad = case["failed"] or found.get(clause) == "no"
                found[clause] = "no" if bad else "yes"
        return found


def missing_pairs(abi, profile, seen):
    """Documented (operation, error) pairs that no case expected and got."""
    numbers = {error["name"]: error["value"] for error in abi["error"]} | {"OK": 0}
    waived = {(waiver["operation"], waiver["error"]) for waiver in profile["waiver"]}
    for call in abi["hypercall"]:
        for op in call.get("ops") or [call | {"value": 0}]:
            name = f"{call['name']} {op['name']}" if call.get("ops") else call["name"]
            bits = seen.get((call["nr"], op["value"]), 0)
            for error in ["OK", *op["errors"]]:
                there = bits >> numbers[error] & 1
                if not there and (name, error) not in waived:
                    yield f"{name}: {error}"
                if there and (name, error) in waived:
                    yield f"{name}: {error} is waived, but came"
            for error, value in numbers.items():
                if bits >> value & 1 and error not in ("OK", "ENOSYS", *op["errors"]):
                    yield f"{name}: {error} came, but is not documented"


def verdict(abi, profile, results):
    """Prints the verdict; true if all is well."""
    mandatory = profile_abi.clauses(profile, "mandatory", abi)
    held = results.clauses()
    good = [clause for clause in mandatory if held.get(clause) == "yes"]
    bad = [f"{clause}: {'violated' if clause in held else 'not shown'}"
           for clause in mandatory if held.get(clause) != "yes"]
    pairs = list(missing_pairs(abi, profile, results.seen))
    documented = sum(len(op["errors"]) + 1 for call in abi["hypercall"] for op in call.get("ops") or [call])
    for title, items in (("boots that broke off, or failed", results.broken), ("cases that failed", results.failed()),
                         ("mandatory clauses", bad), ("(operation, error) pairs missing", pairs)):
        if items:
            print(f"{title}:", *items, sep="\n    ")
    print(f"{len(results.cases)} cases, {results.checks} assertions, {documented} pairs of operation and "
          f"result documented, {len(profile['waiver'])} of them waived, {len(pairs)} missing")
    well = not (bad or results.failed() or results.broken)
    print(f"conforms to {profile['name']}: {'yes' if well else 'no'}, "
          f"{len(good)} of {len(mandatory)} mandatory clauses")
    return well and not pairs


def boot(options, words, cpus, iommu, image):
    machine = qemu.Machine(kernel=options.kernel or options.build / "kernel" / "ringfence.elf", image=image,
                           cpus=max(cpus, options.cpus), cpu=options.cpu,
                           icount=not options.real_time and cpus == 1,
                           append=f"panic=exit {words}", mem=MEMORY, iommu=iommu,
                           extra=pvrun.DEVICES[iommu])
    return pvrun.boot(machine, options.build)


def everything(profile):
    """(what to choose, CPUs, with VT-d?) of each boot: every area of the profile is in one of them."""
    named = set(",".join(TOGETHER).split(","))
    alone = [area for area in profile["mandatory"] if area not in named]
    return [*((f"abi={areas}", 1, False) for areas in TOGETHER + alone), (TWO_CPUS, 2, False), (CONFINED, 1, True)]


def image_of(manifest, build, directory):
    image = pathlib.Path(directory) / f"{manifest.stem}.image"
    image.write_bytes(lower.lower(schema.parse(manifest.read_text()), manifest.parent, build, MEMORY << 20)[0])
    return image


def run_frozen(options, results, directory):
    """Programs as they were built from earlier versions: one that fails breaks the verdict."""
    frozen = ROOT / "tests" / "abi" / "frozen"
    for name in tomllib.loads((frozen / "programs.toml").read_text()):
        result = boot(options, "", 1, False, image_of(frozen / f"{name}.toml", options.build, directory))
        report, problems = pvrun.judge_ktap(result, None, 1)
        print(f"frozen program {name}: {report.summary()}", *problems, sep="\n    ", flush=True)
        if problems or result.over:
            results.broken.append(f"frozen program {name}: {result.over or problems[0]}")


def run(options, profile, results):
    """Boots what is chosen, group by group if it is everything. True if cases were chosen."""
    words = " ".join(f"{key}={value}" for key, value in (
        ("abi.clause", options.clause), ("abi", options.area), ("abi.match", options.match),
        ("abi.case", options.case)) if value)
    with tempfile.TemporaryDirectory(prefix="conform") as directory:
        image = image_of(ROOT / "tests" / "abi" / "abi.toml", options.build, directory)
        for group, cpus, iommu in [(words, 1, options.iommu)] if words else everything(profile):
            result = boot(options, group, cpus, iommu, image)
            results.read(result.kernel)
            report, problems = pvrun.judge_ktap(result, None, 1)
            if report.plan == 0:
                sys.exit(f"conform: no case matches {group}")
            print(f"{group}: {report.summary()}", flush=True)
            if problems or result.over:
                print(*[line for line in problems if not line.startswith("#")], sep="\n")
                if result.over or len(report.cases) != report.plan:
                    results.broken.append(f"{group}: {result.over or 'see above'}")
        if not words:
            run_frozen(options, results, directory)
    return bool(words)


def read_logs(options, results):
    """The logs of CTest's boots; they must be younger than what they are about."""
    newest = max(path.stat().st_mtime for path in (options.build / "kernel" / "ringfence.elf",
                                                   options.build / "domains" / "abi.elf"))
    for log in options.logs:
        if not log.exists() or log.stat().st_mtime < newest:
            results.broken.append(f"{log.name}: not run since the last build")
            continue
        text = log.read_text(errors="replace")
        results.read(text)
        if "# checks " not in text:
            results.broken.append(f"{log.name}: broke off")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--logs", type=pathlib.Path, nargs="+", help="judge these logs")
    parser.add_argument("--also", type=pathlib.Path, nargs="*", default=[],
                        help="logs that are read if they are there")
    parser.add_argument("--boots", action="store_true", help="print CPUs and parameters of each boot of a whole run")
    parser.add_argument("--kernel", type=pathlib.Path, help="another kernel than the build's")
    parser.add_argument("--cpu", default=qemu.CPU, help="QEMU's CPU model")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--real-time", action="store_true", help="without -icount")
    parser.add_argument("--clause", help="cases that cite one of these clauses, or a clause that begins so")
    parser.add_argument("--area", help="cases of these areas: GRT,MAP")
    parser.add_argument("--match", help="cases whose name matches: . * ^ $ |")
    parser.add_argument("--case", help="one case")
    parser.add_argument("--iommu", action="store_true", help="on a machine with VT-d, if not everything is run")
    options = parser.parse_args()
    if options.kernel and not options.kernel.is_file():
        sys.exit(f"conform: --kernel {options.kernel}: there is no such file")
    abi, profile = profile_abi.load(ROOT)
    results = Results()
    if options.boots:
        print(*[f"{cpus} {words}{' with VT-d' * iommu}" for words, cpus, iommu in everything(profile)], sep="\n")
        return 0
    if options.logs:
        read_logs(options, results)
        for log in filter(pathlib.Path.exists, options.also):
            results.read(log.read_text(errors="replace"))
        page = options.build / "pv-abi" / "doc" / "traceability.md"
        page.write_text(trace_page.page(ROOT, abi, profile, results))
    elif run(options, profile, results):
        print(*[f"failed: {name}" for name in results.failed()], f"{results.checks} assertions", sep="\n")
        return 1 if results.failed() or results.broken else 0
    return 0 if verdict(abi, profile, results) else 1


if __name__ == "__main__":
    sys.exit(main())
