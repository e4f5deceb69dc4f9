# SPDX-License-Identifier: BSD-2-Clause
"""`bench`: builds, then hands over to tests/bench: run.py measures and prints the table, profile.py shows where
the instructions of one row go, wall.py takes the time."""

import subprocess
import sys

from . import build, paths, status, ui

PROGRAM = paths.ROOT / "tests" / "bench" / "run.py"
PROFILE = PROGRAM.with_name("profile.py")
WALL = PROGRAM.with_name("wall.py")


def main(options):
    if not PROGRAM.exists():
        raise ui.Stop(f"{paths.show(PROGRAM)} is missing from this tree", status.MISSING)
    build.build(groups=("build", "run", "test"), files=("kernel/ringfence-release.elf",))
    if options.profile:
        command = [sys.executable, "-B", str(PROFILE), "--build", str(paths.BUILD), options.profile]
        return subprocess.run(command, check=False).returncode and status.FAILED
    command = [sys.executable, "-B", str(PROGRAM), "--build", str(paths.BUILD)]
    if options.only and not options.wall:
        command += ["--only", options.only]
    if options.wall:
        command[2] = str(WALL)
    if options.output:
        command += ["--output", options.output]
    return subprocess.run(command, check=False).returncode and status.FAILED
