# SPDX-License-Identifier: BSD-2-Clause
"""What the programs of whole-system cases share: images, boots, and how a boot is judged.

    PROGRAM.py --list [--nightly]
    PROGRAM.py --build DIR CASE

A case is a function: it boots one or more machines and raises Wrong when the system did not do what it must.
What a boot said is kept in <build>/logs/tests/. Nothing depends on how long anything takes. Cases marked
@nightly are too long for every run; CTest gives them that label.
"""

import argparse
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "runner")]

import pvrun  # noqa: E402
from manifest import lower, schema  # noqa: E402
from ringfence import qemu, status  # noqa: E402

CASES = {}
NIGHTLY = set()
HEAD = 'manifest = 1\n[image]\nname = "test"\n'
CONSOLE = '[[domain]]\nname = "console"\nkind = "newlib"\nkernel = "console.elf"\nmem = "8M"\n' \
          'uart = true\n'
LINUX_WARNS = "loglevel=5"  # Linux says what it warns of, too; with "quiet" WARN() is silent on the console
# Nothing a healthy guest or the microkernel says.
COMPLAINTS = (r"WARNING", r"BUG[: ]", r"Oops", r"INFO: ", r"rcu:", r"Call Trace", r"unexpected", r"Kernel panic",
              r"PANIC on CPU", r"unhandled exception", r"audit: domain", r"Bad page", r"Bad rss")
LIMITS = {"wall": 900}
NIGHTLY_LIMITS = {"wall": 7000, "budget": 10**13}


class Wrong(Exception):
    """The system misbehaved; the text says how."""


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


def nightly(function):
    """A case only `./ringfence test -L nightly` runs."""
    NIGHTLY.add(function.__name__.replace("_", "-"))
    return case(function)


def vm(name, run, **keys):
    """A Linux VM that runs a command and powers off (see images/rootfs/shell/init)."""
    keys = {"kernel": "bzImage", "initrd": "shell.cpio", "mem": "64M",
            "cmdline": f'console=hvc0 {LINUX_WARNS} rf.name={name} rf.run="{run}"'} | keys
    text = f'[[domain]]\nname = "{name}"\nkind = "linux"\n'
    return text + "".join(f"{key} = {quote(value)}\n" for key, value in keys.items())


def service(name, cmdline="", kernel="echo.elf", kind="newlib", **keys):
    keys = {"mem": "4M", "cmdline": cmdline} | keys
    return (f'[[domain]]\nname = "{name}"\nkind = "{kind}"\nkernel = "{kernel}"\n'
            + "".join(f"{key} = {quote(value)}\n" for key, value in keys.items()))


def link(front, back, **keys):
    keys = {"kind": "blk", "front": front, "back": back} | keys
    return "[[link]]\n" + "".join(f"{key} = {quote(value)}\n" for key, value in keys.items())


def quote(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(quote, value)) + "]"
    return str(value) if isinstance(value, int) else "'" + value + "'"


class System:
    """Builds images and boots them for one case."""

    def __init__(self, build, name):
        self.build, self.name, self.boots, self.insns = build, name, 0, 0
        self.limits = NIGHTLY_LIMITS if name in NIGHTLY else LIMITS

    def image(self, *domains, console=True, mem=0, init=None):
        text = HEAD + (f'init = "{init}"\n' if init else "") + (CONSOLE if console else "") + "".join(domains)
        return lower.lower(schema.parse(text), ROOT / "images", self.build, mem << 20)[0]

    def boot(self, image, append="", cpus=1, mem=512, want=status.OK, serial="stdio", icount=False,
             extra=(), **limits):
        """Boot image bytes; the machine must end by itself, with status `want` unless that is None.
        extra: more words for QEMU. limits: what pvrun.boot() knows of them, where the usual ones do not do."""
        with tempfile.TemporaryDirectory(prefix="systest") as directory:
            path = pathlib.Path(directory) / "image"
            path.write_bytes(image)
            machine = qemu.Machine(
                kernel=self.build / "kernel" / "ringfence.elf", image=path, cpus=cpus, mem=mem,
                append=f"panic=exit headless {append}".strip(), serial=serial, icount=icount,
                extra=tuple(extra))
            result = pvrun.boot(machine, self.build, **(self.limits | limits))
        self.boots += 1
        self.insns += result.insns or 0
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

    def healthy(self, known=None):
        """Nobody complains, but for what the expression `known` matches in the lines."""
        text = "\n".join(self.result.lines())
        for line in (re.sub(known, "", text) if known else text).splitlines():
            if any(re.search(pattern, line) for pattern in COMPLAINTS):
                raise Wrong(f"a complaint: {line}")


# Something for a VM to do; it ends with `42-done`.
WORK = "cat /proc/version; i=0; while [ $i -lt 50 ]; do /bin/busybox true; i=$((i+1)); done; echo $((6*7))-done"


def main(description):
    """The program around the cases of one file."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--nightly", action="store_true", help="with --list: the nightly cases only")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("case", nargs="?", choices=sorted(CASES))
    options = parser.parse_args()
    if options.list or not options.case:
        print(";".join(name for name in CASES if (name in NIGHTLY) == options.nightly))
        return 0
    system = System(options.build, options.case)
    try:
        CASES[options.case](system)
    except Wrong as error:
        lines = system.result.lines() if hasattr(system, "result") else []
        print("\n".join([f"{options.case}: {error}", "---- last lines ----", *lines[-60:]]))
        return 1
    print(f"{options.case}: good" + (f", {system.insns} instructions in {system.boots} boots" if system.insns else ""))
    return 0
