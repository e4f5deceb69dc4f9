# SPDX-License-Identifier: BSD-2-Clause
"""`test`: build everything, then let CTest run every test. `.ci/run` is this command.

Three layers: what everybody runs, nightly (hours), release (nightly, and the runs of 10^8 and more: a day).
"""

import os
import subprocess
import time

from . import build, covered, paths, status, ui

LABELS = ("host", "abi", "guest", "system")
LAYERS = {"nightly": ("nightly",), "release": ("nightly", "release")}
OUTPUT = 1 << 20  # bytes of a test's output that are kept: what it covered stands at its end


def _selection(label):
    """CTest's options for a label, a layer, or what everybody runs."""
    if not label:
        return ["-LE", f"^({'|'.join(LAYERS)})$"]
    return ["-L", f"^({'|'.join(LAYERS.get(label, (label,)))})$"]


def _tell(junit, each, seconds):
    tests = list(covered.read(junit))
    lines = list(covered.summary(tests, each))
    (paths.LOGS / "covered.txt").write_text("\n".join(lines) + "\n")
    print(f"covered by {len(tests)} tests in {covered.duration(seconds)}:", *lines, sep="\n")


def main(options):
    if options.L and options.L not in (*LABELS, *LAYERS):
        raise ui.Stop(f"there is no label '{options.L}'", status.USAGE, "Labels: " + " ".join((*LABELS, *LAYERS)))
    # What is nightly takes hours and kernels of its own: only those who ask get it.
    build.build(targets=("all", "nightly") if options.L in LAYERS else (),
                groups=("build", "run", "test"))
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    junit = paths.LOGS / "junit.xml"
    junit.unlink(missing_ok=True)
    command = ["ctest", "--test-dir", str(paths.BUILD), "--output-on-failure", "--no-tests=error",
               "-j", str(os.cpu_count()), "--output-junit", str(junit),
               "--test-output-size-passed", str(OUTPUT), "--test-output-size-failed", str(OUTPUT)]
    command += _selection(options.L)
    if options.R:
        command += ["-R", options.R]
    start = time.monotonic()
    code = subprocess.run(command, check=False).returncode
    if junit.exists():
        _tell(junit, options.L in LAYERS, time.monotonic() - start)
    if code < 0:
        raise ui.Stop(f"ctest was killed by signal {-code}")
    if code:
        ui.fail("tests failed; the output above and "
                f"{paths.show(paths.BUILD / 'Testing' / 'Temporary' / 'LastTest.log')} say how")
        return status.FAILED
    return status.OK
