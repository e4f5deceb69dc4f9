#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many boots of the malicious guest (run.py), which add up over several runs.

    long.py --build DIR --record FILE.json [--calls 100000000] [--boot 1000000] [--two-cpus 5]
    long.py --record FILE.json [--record OTHER.json] --table

After each boot the record says what was done so far, by way of running (icount: CPUs take turns; 2cpu: they run at
once): boots, attackers, hypercalls by operation and result, seconds, and the next seed. A run that was ended goes on
where the record says. It ends when the record has the calls that are wanted, or at a finding, which is kept as run.py
does. --two-cpus is the share of calls made with both CPUs at once, in percent.
--table prints what records have together.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

import run

# Where the seeds of each way begin; two runs at once need records and first seeds of their own.
FIRST_SEED = {"icount": 1_000_000, "2cpu": 500_000_000}
FIELDS = ("boots", "lives", "died", "calls", "rounds", "insns", "seconds")


def fresh(first):
    return {"first_seed": first, "next_seed": first, "flaws": {}, "rows": {}} | dict.fromkeys(FIELDS, 0)


def load(path, seed=None):
    if path.exists():
        return json.loads(path.read_text())
    return {way: fresh(seed + first if seed else first) for way, first in FIRST_SEED.items()} | {"findings": []}


def save(path, record):
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(record, indent=1))
    draft.replace(path)


def total(record, field):
    return sum(record[way][field] for way in FIRST_SEED)


def add(to, result, flaw, seconds):
    """One boot's to those of its way."""
    sums = run.Sums()
    sums.add(result)
    for field in ("lives", "died", "calls", "rounds", "insns"):
        to[field] += getattr(sums, field)
    to["boots"] += 1
    to["seconds"] = round(to["seconds"] + seconds, 1)
    if flaw:
        to["flaws"][flaw] = to["flaws"].get(flaw, 0) + 1
    for row, counts in sums.rows.items():
        old = to["rows"].get(str(row), [0] * len(counts))
        to["rows"][str(row)] = [a + b for a, b in zip(old, counts)]
    to["next_seed"] = (run.last_seed(result) or to["next_seed"]) + 1
    return sums.calls


def go(args, path):
    """Boots until there are enough calls; false: a finding."""
    record = load(args.record, args.seed)
    while total(record, "calls") < args.calls:
        two = record["2cpu"]["calls"] * 100 < args.two_cpus * total(record, "calls")
        way = "2cpu" if two else "icount"
        calls = min(args.boot // (10 if two else 1), args.calls - total(record, "calls"))
        options = {"build": str(args.build), "kernel": str(args.build / "kernel" / "ringfence-race.elf"),
                   "seed": record[way]["next_seed"], "calls": calls, "icount": not two, "plant": None}
        begin = time.monotonic()
        result, problems = run.boot(options, path)
        flaw = run.flaw_of(problems)
        done = add(record[way], result, flaw, time.monotonic() - begin)
        print(f"{time.strftime('%H:%M:%S')} {way} from seed {options['seed']}: {done} calls, "
              f"{time.monotonic() - begin:.0f} s{f', ended by QEMU: {flaw}' if flaw else ''}; "
              f"in all {total(record, 'calls')}", flush=True)
        if problems and not flaw:
            finding = run.keep(options, path, result, problems)
            record["findings"].append({"seed": finding["found_at_seed"], "way": way, "problems": problems})
            save(args.record, record)
            print(*result.lines()[-60:], sep="\n")
            if not two:
                run.replay(finding, path)
            return False
        save(args.record, record)
    return True


def table(paths):
    records = [json.loads(path.read_text()) for path in paths]
    rows = {}
    for way in FIRST_SEED:
        parts = [record[way] for record in records if record[way]["boots"]]
        if not parts:
            continue
        sums = {field: sum(part[field] for part in parts) for field in FIELDS}
        flaws = {}
        for part in parts:
            for flaw, n in part["flaws"].items():
                flaws[flaw] = flaws.get(flaw, 0) + n
            for row, counts in part["rows"].items():
                rows[int(row)] = [a + b for a, b in zip(rows.get(int(row), [0] * len(counts)), counts)]
        print(f"{way}: {sums['calls']:,} hypercalls of {sums['lives']:,} attackers, {sums['died']:,} of them stopped "
              f"for what they did; {sums['boots']:,} boots, {sums['insns']:,} instructions, {sums['rounds']:,} rounds "
              f"of the victim, {sums['seconds'] / 3600:.2f} hours; seeds "
              + ", ".join(f"{part['first_seed']} to {part['next_seed'] - 1}" for part in parts)
              + "; boots ended by QEMU: " + (", ".join(f"{n} by {what}" for what, n in flaws.items()) or "none"))
    findings = [finding for record in records for finding in record["findings"]]
    print(f"findings: {len(findings)}", *(f"  {finding}" for finding in findings), sep="\n")
    run.histogram(rows, max(7, *(1 + len(str(n)) for counts in rows.values() for n in counts)) if rows else 7)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=run.ROOT / "build")
    parser.add_argument("--record", type=pathlib.Path, action="append", help="default: BUILD/logs/evil-long.json")
    parser.add_argument("--calls", type=int, default=100_000_000, help="in all, with those of the record")
    parser.add_argument("--boot", type=int, default=1_000_000, help="calls of one boot")
    parser.add_argument("--seed", type=int, help="of a new record: added to where each way's seeds begin")
    parser.add_argument("--two-cpus", type=int, default=5, help="percent")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    records = args.record or [args.build / "logs" / "evil-long.json"]
    if args.table:
        table(records)
        return 0
    args.record = records[0]
    with tempfile.TemporaryDirectory(prefix="evil") as directory:
        good = go(args, run.make_image(directory, args.build))
    table([args.record])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
