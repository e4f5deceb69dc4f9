#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long operations take under plain TCG: native Linux, a VM with split roots, one with fused roots.

The same program, kernel and file system as run.py, but without `-icount`. What is taken is the time the host's
processor spends in the thread that runs the machine's only CPU (tests/plugin/time.c): on a host that does nothing else
it is the wall time of these operations, none of which sleeps. Reported apart from the table of instructions, never
gated. Each figure is the median over boots in turn (native, split, fused, native, ...).
Usage: wall.py --build DIR [--boots N] [--output FILE]
"""
import argparse
import math
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import run  # noqa: E402

MACHINES = ("native", "split", "fused")


def machine(build, name):
    plugins = (str(build / "tests" / "plugin" / "libtime.so"),)
    if name == "native":
        return run.native_machine(build, plugins, icount=False)
    return run.guest_machine(build, build / "kernel" / run.RELEASE, plugins, user_kernel=name, icount=False)


def one_boot(build, name):
    """{operation: nanoseconds}"""
    label = f"wall-{name}"
    result = run.parse(label, run.boot(label, machine(build, name), build))
    if set(result.events) != set(result.cost):
        raise run.BenchError(f"{label}: not every operation was timed; see build/logs")
    return {key: result.events[key]["ns"] for key in result.cost}


def measure(build, boots):
    """{machine: {operation: median over the boots}}"""
    found = {name: [] for name in MACHINES}
    for i in range(boots):
        for name in MACHINES:
            print(f"bench: wall time, {name}, boot {i + 1} of {boots} ...", file=sys.stderr, flush=True)
            found[name].append(one_boot(build, name))
    return {name: {key: statistics.median(cost[key] for cost in costs) for key in costs[0]}
            for name, costs in found.items()}


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def table(cost, boots):
    plain = cost["native"]
    lines = [f"Wall time per operation under plain TCG, without icount: medians of {boots} boots.", "",
             "| operation | native, us | split | fused | ratio, split | ratio, fused |", "|---|--:|--:|--:|--:|--:|"]
    ratios = {name: {key: cost[name][key] / plain[key] for key in plain} for name in MACHINES[1:]}
    for key in plain:
        times = " | ".join(f"{cost[name][key] / 1000:,.2f}" for name in MACHINES)
        lines.append(f"| {key} | {times} | {ratios['split'][key]:.2f} | {ratios['fused'][key]:.2f} |")
    means = {name: geometric_mean(values.values()) for name, values in ratios.items()}
    return [*lines, f"| geometric mean | | | | {means['split']:.2f} | {means['fused']:.2f} |"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--boots", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    try:
        text = "\n".join(table(measure(options.build, options.boots), options.boots)) + "\n"
    except run.BenchError as error:
        sys.exit(f"bench: {error}")
    print(text, end="")
    if options.output:
        options.output.write_text("<!-- SPDX-License-Identifier: BSD-2-Clause -->\n" + text)


if __name__ == "__main__":
    main()
