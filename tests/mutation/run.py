#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Breaks the core in hundreds of ways and sees whether the host tests notice (mutate.py says in which).

    run.py --build DIR [--report FILE] [--kind check] [--every N] [--jobs N]

The host tests are built once, from a copy of the tree whose core contains all mutants; each test then runs
once for each mutant that it comes by. Killed: a test fails, crashes or does not end. What survives is listed
with what would kill it, which survivors.toml knows. It fails if fewer are killed than KILLED says; with --strict
also if a survivor is not explained, or an explanation is of one that is killed or gone.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import mutate  # noqa: E402
import report  # noqa: E402

CORE = ("cap", "domain", "destroy", "port", "irq", "counters", "domain_console", "boot_mem", "format", "elf",
        "boot_image")
# In the order they are tried: the quick ones first.
TESTS = ("test_image", "test_boot", "test_frames", "test_mem", "test_caps", "test_ports", "test_domains",
         "test_grant", "test_vtlb", "test_oracle", "test_threads")
# The least share of the mutants that the host tests come by and must notice, in percent: raised when more are.
KILLED = 60
# A run that takes this many times as long as without a mutant does not end.
PATIENCE, LEAST = 20, 20


def put(path, text, before):
    """Writes a file; one that is as it was in the last run keeps its time, so that nothing is built anew."""
    path.write_text(text)
    if before.get(path, ("",))[0] == text:
        os.utime(path, ns=(before[path][1], before[path][1]))


def mutated_tree(tree):
    """A copy of the source with the mutants in it; the mutants."""
    before = {path: (path.read_text(), path.stat().st_mtime_ns)
              for path in [*tree.rglob("kernel/**/*.[ch]"), tree / "cmake" / "HostTest.cmake"] if path.exists()}
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", "out", ".git"))
    kernel, mutator = tree / "kernel", mutate.Mutator()
    put(kernel / "include" / "mutant.h", mutate.HEADER, before)
    # What is left out may leave something unused.
    flags = tree / "cmake" / "HostTest.cmake"
    put(flags, flags.read_text().replace(" -Werror)", ")"), before)
    files = sorted((kernel / "core" / "mm").glob("*.c")) + [kernel / "core" / f"{name}.c" for name in CORE]
    for path in files:
        put(path, mutator.mutate(str(path.relative_to(kernel)), path.read_text()), before)
    return mutator.mutants


def build(tree, out, sanitize):
    for argv in (("cmake", "-S", tree, "-B", out, "-G", "Ninja", "-DRINGFENCE_LINUX=OFF",
                  f"-DRINGFENCE_SANITIZE={'ON' if sanitize else 'OFF'}"), ("ninja", "-C", out, *TESTS)):
        done = subprocess.run([str(word) for word in argv], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode:
            sys.exit(f"{argv[0]}:\n{done.stdout[-4000:]}")
    return find_programs(out)


def find_programs(out):
    return {test: next(path for path in out.rglob(test) if path.is_file()) for test in TESTS}


def all_mutants():
    """The mutants, without writing anything."""
    kernel, mutator = ROOT / "kernel", mutate.Mutator()
    for path in [*sorted((kernel / "core" / "mm").glob("*.c")), *(kernel / "core" / f"{name}.c" for name in CORE)]:
        mutator.mutate(str(path.relative_to(kernel)), path.read_text())
    return mutator.mutants


def run(program, timeout, **environment):
    """What gave it away, or None if the test passed."""
    try:
        done = subprocess.run([str(program)], env=dict(os.environ, **environment), timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        return "does not end"
    if not done.returncode:
        return None
    text = done.stdout.decode(errors="replace")
    asserted = re.search(r"assertion failed: (.*)|PANIC|panic: (.*)", text)
    if "Sanitizer" in text or "runtime error" in text:
        return "sanitizer"
    return "assertion of the kernel" if asserted else "test"


def baseline(programs, directory):
    """{test: (seconds it may take, mutants it comes by)}, of the unchanged core."""
    known = {}
    for test, program in programs.items():
        seen = directory / f"{test}.seen"
        start = time.monotonic()
        why = run(program, None, MUTANT="0", MUTANT_SEEN=str(seen))
        if why:
            sys.exit(f"{test} fails without a mutant: {why}")
        seconds = time.monotonic() - start
        data = seen.read_bytes()
        known[test] = (LEAST + PATIENCE * seconds, {i for i, flag in enumerate(data) if flag})
        print(f"{test}: {seconds:.1f} s, comes by {len(known[test][1])} mutants", flush=True)
    return known


def reached(mutant, seen):
    """`not` is asked for together with `never`, under the number before it."""
    return mutant.number in seen or (mutant.change == "not" and mutant.number - 1 in seen)


def try_mutant(mutant, programs, known):
    """(test, how) that killed it; None if it survived; (None, None) if no test comes by."""
    tried = False
    for test, program in programs.items():
        timeout, seen = known[test]
        if not reached(mutant, seen):
            continue
        tried = True
        why = run(program, timeout, MUTANT=str(mutant.number))
        if why:
            return test, why
    return None if tried else (None, None)


def remembered(file, mutants):
    """What earlier runs found out of these mutants."""
    known = json.loads(file.read_text()) if file.exists() else {}
    return {mutant.number: known[name] and tuple(known[name]) for mutant in mutants
            if (name := f"{mutant.number} {mutant.key}") in known}


def remember(file, mutants, results, partly):
    """A run that left tests out (partly) takes back no kill of an earlier one."""
    before = remembered(file, mutants)
    everything = before | {number: result for number, result in results.items()
                           if not (partly and before.get(number) and before[number] != report.NOT_REACHED
                                   and result in (None, report.NOT_REACHED))}
    file.write_text(json.dumps({f"{mutant.number} {mutant.key}": everything[mutant.number]
                                for mutant in mutants if mutant.number in everything}))


def run_all(chosen, programs, directory, jobs):
    """{number: result} of the chosen mutants, told as they come."""
    known, results = baseline(programs, directory), {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for mutant, result in zip(chosen, pool.map(lambda one: try_mutant(one, programs, known), chosen)):
            results[mutant.number] = result
            how = ("survived" if result is None else "not reached" if result == report.NOT_REACHED
                   else f"killed by {result[0]} ({result[1]})")
            print(f"{mutant.number}: {mutant.key}: {how}", flush=True)
    return results


def explains(entry, mutant):
    return (mutant.file == f"core/{entry['file']}" and entry["function"] in ("", mutant.function)
            and entry.get("change", mutant.change) == mutant.change and entry["text"] in mutant.text)


def judge(mutants, results):
    """Problems: survivors that nobody has explained, explanations of what is killed or gone."""
    entries = tomllib.loads((HERE / "survivors.toml").read_text()).get("survivor", [])
    alive = [mutant for mutant in mutants if results[mutant.number] in (None, (None, None))]
    used, unknown, why = set(), [], {}
    for mutant in alive:
        found = [i for i, entry in enumerate(entries) if explains(entry, mutant)]
        if not found:
            unknown.append(mutant)
        else:
            why[mutant.number] = entries[found[0]]["kill"]
        used.update(found[:1])
    problems = [f"SURVIVED {mutant.number}: {mutant.file}:{mutant.line}: {mutant.key}" for mutant in unknown]
    problems += [f"survivors.toml: killed, or gone: {entry}"
                 for i, entry in enumerate(entries) if i not in used]
    return why, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--kind", choices=("check", "guard", "flush", "count"))
    parser.add_argument("--every", type=int, default=1, help="only each Nth mutant")
    parser.add_argument("--plain", action="store_true", help="without the sanitizers: quicker, sees less")
    parser.add_argument("--skip", action="append", default=[], choices=TESTS, help="leave this test out")
    parser.add_argument("--strict", action="store_true", help="every survivor must be explained")
    parser.add_argument("--no-build", action="store_true", help="what the last run built is up to date")
    parser.add_argument("--keep", action="store_true", help="run nothing: judge what the last runs found out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--report", type=pathlib.Path, help="write the page here")
    options = parser.parse_args()
    directory = options.build.resolve() / "mutation"
    directory.mkdir(parents=True, exist_ok=True)
    tree, out, memory = directory / "tree", directory / "out", directory / "results.json"
    mutants = all_mutants() if options.no_build or options.keep else mutated_tree(tree)
    if options.keep:
        results = remembered(memory, mutants)
        chosen = [mutant for mutant in mutants if mutant.number in results]
    else:
        programs = find_programs(out) if options.no_build else build(tree, out, not options.plain)
        programs = {test: program for test, program in programs.items() if test not in options.skip}
        chosen = [mutant for mutant in mutants if options.kind in (None, mutant.kind)][::options.every]
        results = run_all(chosen, programs, directory, options.jobs)
        remember(memory, mutants, results, bool(options.skip))
    why, problems = judge(chosen, results)
    print("\n".join(problems))
    if not options.strict:
        problems = []
    reached = [result for result in results.values() if result != report.NOT_REACHED]
    killed = 100 * sum(result is not None for result in reached) / max(len(reached), 1)
    if killed < KILLED:
        problems.append(f"{killed:.0f} % were noticed, {KILLED} % are wanted")
    text = report.page(len(mutants), chosen, results, why, options.skip,
                       "RINGFENCE_SANITIZE:BOOL=OFF" in (out / "CMakeCache.txt").read_text())
    print(report.summary(chosen, results))
    if options.report:
        options.report.write_text(text)
    print("\n".join(problems if not options.strict else []))
    return 1 if problems or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
