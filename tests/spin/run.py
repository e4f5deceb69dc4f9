#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks a Promela model with Spin: it must hold, and each variant with a planted bug must be refuted.

Usage: run.py MODEL.pml WORKDIR [VARIANT...]
The numbers printed are Spin's: states stored, and whether the search was complete.
"""
import pathlib
import re
import shutil
import subprocess
import sys

MAX_DEPTH = 100000


def need(tool):
    if not shutil.which(tool):
        sys.exit(f"{tool} is not installed: ./ringfence test installs it (Debian package '{tool}')")


def call(command, directory):
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def search(model, directory, variant):
    """Errors and states of an exhaustive search of one variant ('' = the real one)."""
    directory.mkdir(parents=True, exist_ok=True)
    defines = [f"-D{variant}"] if variant else []
    call(["spin", "-a", *defines, model], directory)
    call(["gcc", "-O1", "-w", "-DSAFETY", "-DNOFAIR", "-o", "pan", "pan.c"], directory)
    out = call(["./pan", f"-m{MAX_DEPTH}", "-w22"], directory)
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\d+) states, stored", out)
    if not errors or not states or "max search depth too small" in out:
        sys.exit(f"{model.name} {variant}: the search was not complete:\n{out}")
    return int(errors[1]), int(states[1]), out


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    need("spin")
    need("gcc")
    model, work = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    failed = False
    for variant in ["", *sys.argv[3:]]:
        errors, states, out = search(model, work / f"{model.stem}-{variant or 'real'}", variant)
        wrong = (errors != 0) if not variant else (errors == 0)
        failed |= wrong
        verdict = "refuted" if errors else "holds"
        print(f"{model.stem} {variant or '(as the kernel is)'}: {verdict}, {states} states"
              + (" -- NOT EXPECTED" if wrong else ""))
        if wrong:
            print(out)
    sys.exit(failed)


if __name__ == "__main__":
    main()
