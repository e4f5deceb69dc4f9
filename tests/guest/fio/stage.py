#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Puts this machine's fio, Debian's package, and the libraries it loads into a directory that becomes part of an
initial file system (tests/system/fio.py boots it)."""

import argparse
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))

import elflibs  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    program = shutil.which("fio")
    if not program:
        sys.exit("fio: the program is not installed (./ringfence doctor tells how)")
    shutil.rmtree(out, ignore_errors=True)
    try:
        files = elflibs.needed(pathlib.Path(program))
    except elflibs.Missing as error:
        sys.exit(f"fio: its library {error} is missing")
    for name, path in {"/usr/bin/fio": pathlib.Path(program), **files}.items():
        target = out / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o755)


if __name__ == "__main__":
    main()
