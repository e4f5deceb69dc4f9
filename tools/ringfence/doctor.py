# SPDX-License-Identifier: BSD-2-Clause
"""`doctor`: what is here, what is missing and how to get it, and what this CPU leaks."""

import os
import pathlib
import platform
import shutil

from . import deps, paths, status, ui

VULNERABILITIES = pathlib.Path("/sys/devices/system/cpu/vulnerabilities")
MIN_DISK_GIB = 6
MIN_MEMORY_MIB = 3072


def _row(mark, name, text):
    code = {"ok": "32", "--": "31;1", "!!": "33;1"}[mark]
    print(f"  {ui.colour(mark, code)}  {name:<22} {text}")


def _packages():
    print("Packages (tools/deps.toml)")
    missing = []
    for state in deps.check(["*"]):
        package = state.package
        if state.ok:
            _row("ok", package.name, state.text)
        else:
            missing.append(package.name)
            _row("--", package.name, f"{state.text}, needs {package.min}: {package.why}")
    return missing


def _meminfo():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def _machine():
    print("Machine")
    problems = 0
    system = "Debian " + pathlib.Path("/etc/debian_version").read_text().strip() \
        if pathlib.Path("/etc/debian_version").exists() else platform.platform()
    _row("ok" if platform.machine() == "x86_64" else "--", "system",
         f"{system}, {platform.machine()}")
    problems += platform.machine() != "x86_64"
    memory = _meminfo()
    _row("ok" if memory >= MIN_MEMORY_MIB else "!!", "memory",
         f"{memory} MiB (the Linux build wants {MIN_MEMORY_MIB})")
    place = paths.BUILD if paths.BUILD.exists() else paths.ROOT
    free = shutil.disk_usage(place).free >> 30
    _row("ok" if free >= MIN_DISK_GIB else "!!", "disk",
         f"{free} GiB free below {paths.show(place)} (a full build takes {MIN_DISK_GIB})")
    _row("ok", "processors", str(os.cpu_count()))
    if os.geteuid() == 0:
        _row("ok", "installing", "as root")
    elif shutil.which("sudo"):
        _row("ok", "installing", "through sudo")
    else:
        _row("!!", "installing", "neither root nor sudo: packages must be installed by hand")
    _row("ok", "/dev/kvm", "present, not used" if os.path.exists("/dev/kvm")
         else "absent, and not needed: Ringfence does without VT-x and SVM")
    return problems


def _vulnerabilities():
    print(f"CPU vulnerabilities ({VULNERABILITIES})")
    if not VULNERABILITIES.is_dir():
        _row("!!", "unknown", "this system does not report them")
        return
    for entry in sorted(VULNERABILITIES.iterdir()):
        text = entry.read_text().strip()
        safe = text.startswith("Not affected") or "Mitigation" in text
        _row("ok" if safe else "!!", entry.name, text)


def main(_options):
    missing = _packages()
    problems = _machine()
    _vulnerabilities()
    if missing:
        print("\nTo install what is missing (./ringfence does it by itself when it needs it):")
        print("  " + deps.install_command(missing))
    return status.MISSING if missing or problems else status.OK
