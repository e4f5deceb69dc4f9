# SPDX-License-Identifier: BSD-2-Clause
"""Command line of ./ringfence: parsing, help, dispatch. Commands live in modules of their own."""

import argparse
import os
import sys

from . import VERSION, status, ui

DESCRIPTION = "Build, run and test Ringfence: Linux in ring 3 on a small microkernel, no VT-x needed."


class Parser(argparse.ArgumentParser):
    def error(self, message):
        ui.fail(message, f"{self.prog} --help shows the usage")
        raise SystemExit(status.USAGE)


def _memory(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in units else (text, "M")
    if not number.isdigit() or not int(number):
        raise argparse.ArgumentTypeError(f"'{text}' is not an amount of memory (512M, 2G)")
    size = int(number) * units[unit]
    if size % (1 << 20):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of MiB")
    return size >> 20


def _count(low, high):
    def parse(text):
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {low} to {high}")
        return int(text)
    return parse


def _add_machine(parser):
    parser.add_argument("--cpus", type=_count(1, 16), metavar="N",
                        help="processors of the machine (default: the manifest's, or 2)")
    parser.add_argument("--mem", type=_memory, metavar="M",
                        help="memory of the machine: 512M, 2G (default: the manifest's, or 1G)")
    parser.add_argument("--icount", action="store_true",
                        help="count instructions instead of time: every run is bit-for-bit the same")
    parser.add_argument("--kernel", metavar="F",
                        help="boot this microkernel instead of the built one")
    parser.add_argument("--initrd", metavar="F",
                        help="boot this image instead of lowering MANIFEST")


def _parser():
    parser = Parser(prog="ringfence", description=DESCRIPTION,
                    formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_epilog())
    parser.add_argument("--version", action="version", version=f"ringfence {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    run = commands.add_parser("run", help="boot a manifest in QEMU (builds first)",
                              formatter_class=argparse.RawDescriptionHelpFormatter,
                              epilog=_epilog())
    run.add_argument("manifest", nargs="?", metavar="MANIFEST",
                     help="a file, or a name in images/ (default: images/dev.toml)")
    _add_machine(run)
    run.add_argument("--machine", choices=("q35", "pc", "microvm"),
                     help="q35 has an IOMMU, pc has none, microvm has no PCI and boots images/microvm.toml by default "
                          "(default: q35 if the manifest wants an IOMMU, else pc)")
    run.add_argument("--dma", choices=("iommu", "trusted"),
                     help="trusted: devices may do DMA also where no IOMMU confines them, whatever the manifest says")
    run.add_argument("--headless", action="store_true",
                     help="no console switching: one plain log of all domains on stdout")
    run.add_argument("--log", metavar="FILE", help="also write what the serial line says to FILE")
    run.add_argument("--timeout", type=_count(1, 1 << 30), metavar="S",
                     help="end after S seconds")
    run.add_argument("--exit-with", metavar="DOMAIN",
                     help="end when DOMAIN ends, with its exit code")
    run.add_argument("--append", default="", metavar="ARGS",
                     help="more words for the microkernel's command line")

    commands.add_parser("build", help="build everything")
    test = commands.add_parser("test", help="build, then run every test")
    test.add_argument("-L", metavar="label", help="only tests with this label: host abi guest system; nightly: the long "
                           "ones, which nothing else runs; release: those and the longest")
    test.add_argument("-R", metavar="regex", help="only tests whose name matches")
    abi = commands.add_parser("abi", help="does a kernel conform to the ABI? Boots the conformance suite")
    abi.add_argument("--area", metavar="AREAS", help="only these areas: GRT,MAP")
    abi.add_argument("--clause", metavar="IDS", help="only cases that cite one of these clauses: PVABI-GRT-010")
    abi.add_argument("--match", metavar="REGEX", help="only cases whose name matches; . * ^ $ | are understood")
    abi.add_argument("--case", metavar="NAME", help="only this case")
    abi.add_argument("--kernel", metavar="F", help="judge this microkernel instead of the built one")
    abi.add_argument("--cpu", metavar="MODEL", help="QEMU's CPU model")
    abi.add_argument("--cpus", type=_count(1, 16), metavar="N", help="processors of the machine (default: 1)")
    abi.add_argument("--real-time", action="store_true", help="without counting instructions")
    manual = commands.add_parser("manual", help="build the manual of the ABI and say where it is, or show a page of it")
    manual.add_argument("page", nargs="?", metavar="PAGE", help="a hypercall (as_map), pv-abi, structures, constants, "
                        "clauses")
    bench = commands.add_parser("bench", help="measure a VM against native Linux")
    bench.add_argument("--only", metavar="NAME", help="one row of the table")
    bench.add_argument("--output", metavar="FILE", help="write the table (Markdown) to FILE")
    bench.add_argument("--wall", action="store_true", help="instead: wall time under plain TCG, split and fused")
    bench.add_argument("--profile", metavar="NAME", help="instead: where the instructions of this row go, by function")
    gdb = commands.add_parser("gdb", help="boot and attach the debugger")
    gdb.add_argument("domain", nargs="?", metavar="DOMAIN",
                     help="load this domain's symbols (default: the microkernel's)")
    gdb.add_argument("--manifest", metavar="MANIFEST")
    _add_machine(gdb)
    commands.add_parser("doctor", help="what is missing and how to get it; CPU vulnerabilities")
    clean = commands.add_parser("clean", help="remove the build directory")
    clean.add_argument("--keep-linux", action="store_true", help="but keep Linux and newlib")
    commands.add_parser("version", help="show the version")
    commands.add_parser("help", help="show this help").add_argument("topic", nargs="?")
    return parser, commands


def _epilog():
    rows = "\n".join(f"  {code:<7} {text}" for code, text in status.TABLE)
    return ("keys while a machine runs:\n"
            "  Ctrl-] q     quit, whatever the machine is doing\n"
            "  Ctrl-] 1..9  switch to a domain's console; Ctrl-] ? shows them all\n\n"
            f"exit status:\n{rows}")


def _dispatch(options, parser, commands):
    name = options.command
    if name in (None, "help"):
        topic = getattr(options, "topic", None)
        if topic and topic not in commands.choices:
            parser.error(f"no command '{topic}'")
        (commands.choices[topic] if topic else parser).print_help()
        return status.OK
    if name == "version":
        print(f"ringfence {VERSION}")
        return status.OK
    # Imported on use: a broken or missing piece must not take `doctor` down with it.
    if name == "run":
        from . import run as module
    elif name == "build":
        from . import build as module
    elif name == "test":
        from . import test as module
    elif name == "abi":
        from . import abi as module
    elif name == "manual":
        from . import manual as module
    elif name == "bench":
        from . import bench as module
    elif name == "gdb":
        from . import gdb as module
    elif name == "doctor":
        from . import doctor as module
    else:
        from . import clean as module
    return module.main(options)


def main(argv):
    parser, commands = _parser()
    try:
        options = parser.parse_args(argv)
        return _dispatch(options, parser, commands)
    except ui.Stop as stop:
        ui.fail(str(stop), stop.hint)
        return stop.code
    except KeyboardInterrupt:
        ui.say("interrupted")
        return status.SIGNALLED + 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status.SIGNALLED + 13
