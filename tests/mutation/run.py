#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Breaks the core in many hundred ways and sees whether the host tests notice (mutate.py says in which).

    run.py --build DIR [--report FILE] [--kind check] [--file PART] [--every N] [--jobs N]

The host tests are built once, from a copy of the tree whose core contains all mutants; each test then runs
once for each mutant that it comes by. Killed: a test fails, crashes or does not end. What survives the tests
without sanitizers meets them once more with. excused.toml lists the mutants that change nothing a test could
notice, with the reason. A run of everything fails if

 - a mutant of the kind `check` survives, or is not reached, and is not excused,
 - fewer than KILLED percent of all others are noticed,
 - an excuse is of no survivor: it is killed, or gone.
"""

import argparse
import collections
import concurrent.futures
import filecmp
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import mutate  # noqa: E402
import report  # noqa: E402

# Not a part of the host's kernel, or the end of it.
NOT_ON_HOST = ("init", "panic", "rootdom", "string", "symbols")
# In the order they are tried, the quick ones first: {name: (program, arguments)}.
DIFF = ("--shrink", "0", "--calls")
TESTS = {name: (name,) for name in ("test_image", "test_boot", "test_frames", "test_mem", "test_grant", "test_whole", "test_calls",
                                    "test_sched",
                                    "test_caps", "test_ports", "test_domains", "test_meanwhile", "test_audit", "test_forget",
                                    "test_vtlb")}
TESTS |= {"model_diff": ("model_diff", *DIFF, "60000"),
          "model_failing": ("model_diff", *DIFF, "20000", "--fail", "1"),
          "test_oracle": ("test_oracle",), "test_failing": ("test_failing",)}
# The least share of the mutants that are not excused which must be noticed, in percent: raised when more are.
KILLED = 97
# A run that takes this many times as long as without a mutant, or more than LEAST seconds, does not end.
PATIENCE, LEAST = 20, 10


def sources(kernel):
    return [*sorted((kernel / "core" / "mm").glob("*.c")),
            *(path for path in sorted((kernel / "core").glob("*.c")) if path.stem not in NOT_ON_HOST)]


def keep_times(tree, old):
    """Files that are as they were in the last run get its time, all others that of now: what is built is up to date
    if and only if nothing has changed."""
    for path in tree.rglob("*"):
        if path.is_file():
            before = old / path.relative_to(tree)
            same = before.is_file() and filecmp.cmp(path, before, shallow=False)
            os.utime(path, (before.stat().st_mtime,) * 2 if same else None)


def mutated_tree(tree):
    """A copy of the source with the mutants in it; the mutants."""
    old = tree.with_name("tree.old")
    shutil.rmtree(old, ignore_errors=True)
    if tree.exists():
        tree.rename(old)
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", "out", ".git"))
    kernel, mutator = tree / "kernel", mutate.Mutator()
    (kernel / "include" / "mutant.h").write_text(mutate.HEADER)
    # What is left out may leave something unused.
    flags = tree / "cmake" / "HostTest.cmake"
    flags.write_text(flags.read_text().replace(" -Werror)", ")"))
    for path in sources(kernel):
        path.write_text(mutator.mutate(str(path.relative_to(kernel)), path.read_text()))
    keep_times(tree, old)
    return mutator.mutants


def build(tree, out, sanitize):
    targets = sorted({command[0] for command in TESTS.values()})
    for argv in (("cmake", "-S", tree, "-B", out, "-G", "Ninja", "-DRINGFENCE_LINUX=OFF",
                  f"-DRINGFENCE_SANITIZE={'ON' if sanitize else 'OFF'}"), ("ninja", "-C", out, *targets)):
        done = subprocess.run([str(word) for word in argv], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(f"{argv[0]}:\n{done.stdout[-4000:]}")


def commands(out):
    """{test: argument vector}"""
    return {test: [str(next(path for path in out.rglob(command[0]) if path.is_file())), *command[1:]]
            for test, command in TESTS.items()}


def all_mutants():
    """The mutants, without writing anything."""
    kernel, mutator = ROOT / "kernel", mutate.Mutator()
    for path in sources(kernel):
        mutator.mutate(str(path.relative_to(kernel)), path.read_text())
    return mutator.mutants


def run(argv, timeout, **environment):
    """What gave it away, or None if the test passed."""
    process = subprocess.Popen(argv, env=dict(os.environ, **environment), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        text = process.communicate(timeout=timeout)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with the children it has
        process.communicate()
        return "does not end"
    if not process.returncode:
        return None
    if "Sanitizer" in text or "runtime error" in text:
        return "sanitizer"
    return "assertion of the kernel" if "assertion failed: " in text else "test"


def baseline(programs, directory):
    """{test: (seconds it may take, mutants it comes by)}, of the unchanged core."""
    known = {}
    for test, argv in programs.items():
        seen = directory / f"{test}.seen"
        seen.unlink(missing_ok=True)
        start = time.monotonic()
        why = run(argv, None, MUTANT="0", MUTANT_SEEN=str(seen))
        if why:
            sys.exit(f"{test} fails without a mutant: {why}")
        seconds = time.monotonic() - start
        known[test] = (LEAST + PATIENCE * seconds, {i for i, flag in enumerate(seen.read_bytes()) if flag})
        print(f"{test}: {seconds:.1f} s, comes by {len(known[test][1])} mutants", flush=True)
    return known


def reached(mutant, seen):
    """`not` is asked for together with `never`, under the number before it."""
    return mutant.number in seen or (mutant.change == "not" and mutant.number - 1 in seen)


def try_mutant(mutant, programs, known, before):
    """(test, how) that killed it; None if it survived; (None, None) if no test comes by. What did so before is tried
    first."""
    tried = False
    for test, argv in sorted(programs.items(), key=lambda item: item[0] != (before or report.NOT_REACHED)[0]):
        timeout, seen = known[test]
        if not reached(mutant, seen):
            continue
        tried = True
        why = run(argv, timeout, MUTANT=str(mutant.number))
        if why:
            return test, why
    return None if tried else (None, None)


def names(mutants):
    """{number: a name that stays when lines above move}; of equal mutants in one function the place counts."""
    times, result = collections.Counter(), {}
    for mutant in mutants:
        times[mutant.key] += 1
        result[mutant.number] = f"{mutant.key} {times[mutant.key]}"
    return result


def remembered(file, mutants):
    """What earlier runs found out of these mutants."""
    known = json.loads(file.read_text()) if file.exists() else {}
    return {number: known[name] and tuple(known[name]) for number, name in names(mutants).items() if name in known}


def remember(file, mutants, results):
    everything = remembered(file, mutants) | results
    file.write_text(json.dumps({name: everything[number] for number, name in names(mutants).items()
                                if number in everything}))


def run_all(chosen, programs, directory, jobs, before):
    """{number: result} of the chosen mutants, told as they come."""
    known, results = baseline(programs, directory), {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for mutant, result in zip(chosen, pool.map(
                lambda one: try_mutant(one, programs, known, before.get(one.number)), chosen)):
            results[mutant.number] = result
            how = ("survived" if result is None else "not reached" if result == report.NOT_REACHED
                   else f"killed by {result[0]} ({result[1]})")
            print(f"{mutant.number}: {mutant.file}:{mutant.line}: {mutant.key}: {how}", flush=True)
    return results


def excuses(entry, mutant, below):
    return (mutant.file == below + entry["file"] and mutant.function == entry["function"]
            and entry.get("change", mutant.change) == mutant.change and entry["text"] in mutant.text)


def judge(mutants, results, whole, file=HERE / "excused.toml", below="core/", least=KILLED):
    """{number: reason} of the excused survivors; what is wrong, if everything was run."""
    entries = tomllib.loads(file.read_text())["excused"]
    alive = [mutant for mutant in mutants if results[mutant.number] in (None, report.NOT_REACHED)]
    used, excused, problems = set(), {}, []
    for mutant in alive:
        found = [i for i, entry in enumerate(entries) if excuses(entry, mutant, below)]
        used.update(found)
        if found:
            excused[mutant.number] = entries[found[0]]["why"]
        elif mutant.kind == "check":
            problems.append(f"a check that no test would miss: {mutant.file}:{mutant.line}: {mutant.key}")
    if whole:
        problems += [f"{file.name}: killed, or gone: {entry}" for i, entry in enumerate(entries) if i not in used]
    judged = [mutant for mutant in mutants if mutant.number not in excused]
    killed = 100 * sum(mutant not in alive for mutant in judged) / max(len(judged), 1)
    if killed < least:
        problems.append(f"{killed:.0f} % were noticed, {least} % are wanted")
    return excused, problems


def try_all(options, directory, mutants, chosen):
    """Without sanitizers, which is quicker; what survives that, with them."""
    results = {}
    for name, sanitize in (("plain", False), ("sanitized", True)):
        rest = [mutant for mutant in chosen if results.get(mutant.number) is None]
        if not rest or (sanitize and options.plain):
            break
        out = directory / name
        if not options.no_build:
            build(directory / "tree", out, sanitize)
        programs = {test: argv for test, argv in commands(out).items() if test not in options.skip}
        results |= run_all(rest, programs, directory, options.jobs, remembered(directory / "results.json", mutants))
        remember(directory / "results.json", mutants, results)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--kind", choices=("check", "guard", "flush", "count"))
    parser.add_argument("--file", default="", help="only mutants of files whose names contain this")
    parser.add_argument("--every", type=int, default=1, help="only each Nth mutant")
    parser.add_argument("--alive", action="store_true", help="only those that the last runs did not kill")
    parser.add_argument("--plain", action="store_true", help="never with the sanitizers")
    parser.add_argument("--skip", action="append", default=[], choices=list(TESTS), help="leave this test out")
    parser.add_argument("--no-build", action="store_true", help="what the last run built is up to date")
    parser.add_argument("--keep", action="store_true", help="run nothing: judge what the last runs found out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--report", type=pathlib.Path, help="write the page here")
    options = parser.parse_args()
    directory = options.build.resolve() / "mutation"
    directory.mkdir(parents=True, exist_ok=True)
    mutants = all_mutants() if options.no_build or options.keep else mutated_tree(directory / "tree")
    known = remembered(directory / "results.json", mutants)
    chosen = [mutant for mutant in mutants if options.kind in (None, mutant.kind) and options.file in mutant.file
              and not (options.alive and known.get(mutant.number) not in (None, report.NOT_REACHED))][::options.every]
    results = known if options.keep else try_all(options, directory, mutants, chosen)
    if options.keep or options.alive:
        results = known | results
        chosen = [mutant for mutant in mutants if mutant.number in results]
    excused, problems = judge(chosen, results, len(chosen) == len(mutants))
    print(report.summary(chosen, results, excused))
    if options.report:
        report.write(options.report, report.page(len(mutants), chosen, results, excused, options.skip, options.plain))
    print("\n".join(problems))
    return 1 if problems or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
