# SPDX-License-Identifier: BSD-2-Clause
"""`abi`: builds the conformance suite, then hands over to tests/abi/conform.py, which boots and judges it."""

import subprocess
import sys

from . import build, paths, status

PROGRAM = paths.ROOT / "tests" / "abi" / "conform.py"


def main(options):
    build.build(("abi_suite",), groups=("build", "run"))
    command = [sys.executable, "-B", str(PROGRAM), "--build", str(paths.BUILD)]
    for name in ("area", "clause", "match", "case", "kernel", "cpu", "cpus"):
        value = getattr(options, name)
        if value:
            command += [f"--{name}", str(value)]
    if options.real_time:
        command.append("--real-time")
    return subprocess.run(command, check=False).returncode and status.FAILED
