#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Rows of the benchmark that may not rise again: instructions of the everyday kernel, counted, so the same in each run.

The goals are for the kernel as it is shipped (60, 150 and 2 x 600); with its assertions it may take a little more.
Besides, four domains of different weights share one CPU for a second: the case judges their shares and their waits.
Usage: limits.py --build DIR [--kernel FILE]
"""
import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import run  # noqa: E402

LIMITS = {"null_hypercall": 60, "send_running": 150, "domain_switch_x2": 1230}
SHARE = re.compile(r"SHARE weight (\d+) share (\d+) of (\d+) longest_wait_us (\d+)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, help="another than the everyday one")
    options = parser.parse_args()
    if not run.plugin(options.build):
        sys.exit("limits: the counting plugin is not built")
    kernel = options.kernel or options.build / "kernel" / run.DEBUG
    try:
        measured = run.domains(options.build, kernel, LIMITS)
        shares = run.boot_domains(options.build, kernel, "fair_shares", ())
    except run.BenchError as error:
        sys.exit(f"limits: {error}")
    failed = False
    for name, limit in LIMITS.items():
        print(f"{name}: {measured[name]:.1f} instructions, limit {limit}")
        failed |= not 0 < measured[name] <= limit
    for weight, share, ought, wait in SHARE.findall(shares):
        print(f"weight {weight}: {int(share) / 100:.2f} % of the CPU, {int(ought) / 100:.2f} % its due, "
              f"waited {int(wait) / 1000:.1f} ms at most")
    failed |= not re.search(r"^ok 1 fair_shares", shares, re.MULTILINE)
    sys.exit("limits: over the limit" if failed else 0)


if __name__ == "__main__":
    main()
