# SPDX-License-Identifier: BSD-2-Clause
"""The page docs/mutation.md."""

import collections

HEAD = """<!-- SPDX-License-Identifier: BSD-2-Clause -->
<!-- Written by tests/mutation/run.py and qemu.py: change those programs, not this page. -->
# Breaking the core on purpose

Would the host tests notice if a check were missing? `ctest -R nightly.mutation` builds them with every mutant
that `tests/mutation/mutate.py` finds in the part of the core that runs on the build machine, and runs them for
each mutant they come by: first without sanitizers, then those that survive with them. It fails if a check is left
out that no test misses, or if too few of the others are noticed. `tests/mutation/run.py --report docs/mutation.md`
writes this page. Mutants of races on QEMU are another program, `tests/abi/mutants.py`.

- *check*: an `if` that returns an error of the ABI. *guard*: one that returns anything else, or cleans up.
- *flush*: a flush of translations left out. *count*: a reference or a number of things not counted.
- *never*: the condition never holds. *not*: it is turned round. *dropped*: the call is left out.

*Excused* are mutants that change nothing a host test could notice, each with its reason (`excused.toml`); the shares
are of the others.
"""

QEMU = "# The processor's part, on QEMU"
QEMU_HEAD = QEMU + """

`ctest -R nightly.mutation_qemu` (`tests/mutation/qemu.py`) does the same to `kernel/arch/x86_64`, in kernels that boot. All
its mutants are in one kernel; which one is at work is a word of the image, written before it boots, so that mutants in the
first instructions count too. A sample of {sample} of {whole} mutants, drawn with seed {seed}; one counts as noticed if one of
the boots listed in `qemu.py` fails, does not come to an end or uses twenty times the instructions it should, or else a host
test of that file. {on_qemu} were noticed on QEMU, {on_host} by host tests (which are asked before the longer boots).

- *branch*: any other `if`. *step*: any other call whose result nobody wants, left out.
"""
NOT_REACHED = (None, None)
STATES = ("killed", "survived", "not reached", "excused")


def state(mutant, results, excused):
    if mutant.number in excused:
        return "excused"
    result = results[mutant.number]
    return "survived" if result is None else "not reached" if result == NOT_REACHED else "killed"


def share(count):
    judged = sum(count.values()) - count["excused"]
    return f"{100 * count['killed'] / judged:.0f} %" if judged else "-"


def row(name, count):
    return f"| {name} | {sum(count.values())} | {' | '.join(str(count[one]) for one in STATES)} | {share(count)} |"


def table(title, mutants, results, excused, key):
    found = collections.defaultdict(collections.Counter)
    for mutant in mutants:
        found[key(mutant)][state(mutant, results, excused)] += 1
    yield f"| {title} | mutants | {' | '.join(STATES)} | noticed |"
    yield "|-|-|-|-|-|-|-|"
    for name in sorted(found):
        yield row(name, found[name])
    yield row("all", sum(found.values(), collections.Counter()))
    yield ""


def how_run(whole, mutants, skipped, plain):
    """What the numbers are of, when they are not of everything."""
    if len(mutants) < whole:
        yield f"These numbers are of a sample: {len(mutants)} of {whole} mutants."
    if skipped:
        yield f"Left out: {', '.join(skipped)}."
    if plain:
        yield "Run without the sanitizers, which would notice more."


def listing(title, last, mutants, text_of):
    """One line for each mutant; nothing if there is none."""
    if mutants:
        yield from (title, "", f"| where | change | condition or call | {last} |", "|-|-|-|-|")
    for one in mutants:
        text = one.text.replace("|", "\\|")
        yield f"| {one.file.removeprefix('core/').removeprefix('arch/x86_64/')} {one.function} | {one.change} | `{text}` | {text_of(one)} |"
    if mutants:
        yield ""


def page(whole, mutants, results, excused, skipped, plain):
    return "\n".join([HEAD, *how_run(whole, mutants, skipped, plain), "", *body(mutants, results, excused)])


def body(mutants, results, excused):
    yield from table("kind", mutants, results, excused, lambda one: f"{one.kind}, {one.change}")
    yield from table("file", mutants, results, excused, lambda one: one.file)
    alive = [one for one in mutants if state(one, results, excused) in ("survived", "not reached")]
    yield from listing("## Survivors", "kind", alive, lambda one: f"{one.kind}, {state(one, results, excused)}")
    yield from listing("## Excused", "why nobody could notice", [one for one in mutants if one.number in excused],
                       lambda one: excused[one.number])


def parts(file):
    """The page's part on the core, and that on QEMU."""
    core, _, qemu = (file.read_text() if file.exists() else "").partition(QEMU)
    return core, qemu and QEMU + qemu


def write(file, core):
    file.write_text(core + parts(file)[1])


def write_qemu(file, whole, mutants, results, excused, seed):
    killed = [results[one.number][0] for one in mutants if state(one, results, excused) == "killed"]
    on_host = sum(test.startswith("host.") for test in killed)
    head = QEMU_HEAD.format(sample=len(mutants), whole=whole, seed=seed, on_qemu=len(killed) - on_host, on_host=on_host)
    file.write_text(parts(file)[0] + "\n".join([head, *body(mutants, results, excused)]))


def summary(mutants, results, excused):
    count = collections.Counter(state(one, results, excused) for one in mutants)
    return (f"{len(mutants)} mutants: " + ", ".join(f"{count[one]} {one}" for one in STATES)
            + f"; {share(count)} of those not excused were noticed")
