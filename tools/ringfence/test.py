# SPDX-License-Identifier: BSD-2-Clause
"""`test`: build everything, then let CTest run every test. `.ci/run` is this command."""

import os
import subprocess

from . import build, paths, status, ui

LABELS = ("host", "abi", "guest", "system", "nightly")


def main(options):
    if options.L and options.L not in LABELS:
        raise ui.Stop(f"there is no label '{options.L}'", status.USAGE, "Labels: " + " ".join(LABELS))
    # What is nightly takes hours and kernels of its own: only those who ask get it.
    build.build(targets=("all", "nightly") if options.L == "nightly" else (),
                groups=("build", "run", "test"))
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    command = ["ctest", "--test-dir", str(paths.BUILD), "--output-on-failure", "--no-tests=error",
               "-j", str(os.cpu_count()), "--output-junit", str(paths.LOGS / "junit.xml")]
    command += ["-L", f"^{options.L}$"] if options.L else ["-LE", "^nightly$"]
    if options.R:
        command += ["-R", options.R]
    code = subprocess.run(command, check=False).returncode
    if code < 0:
        raise ui.Stop(f"ctest was killed by signal {-code}")
    if code:
        ui.fail("tests failed; the output above and "
                f"{paths.show(paths.BUILD / 'Testing' / 'Temporary' / 'LastTest.log')} say how")
        return status.FAILED
    return status.OK
