# SPDX-License-Identifier: BSD-2-Clause
"""The page docs/mutation.md."""

import collections

HEAD = """<!-- SPDX-License-Identifier: BSD-2-Clause -->
<!-- Written by tests/mutation/run.py: change that program, not this page. -->
# Breaking the core on purpose

Would the host tests notice if a check were missing? `ctest -R nightly.mutation` builds them with every mutant
that `tests/mutation/mutate.py` finds in the part of the core that runs on the build machine, and runs them for
each mutant they come by. `tests/mutation/run.py --report docs/mutation.md` writes this page. Mutants of races on
QEMU are another program, `tests/abi/mutants.py`.

- *check*: an `if` that returns an error of the ABI. *guard*: one that returns anything else, or cleans up.
- *flush*: a flush of translations left out. *count*: a reference or a number of things not counted.
- *never*: the condition never holds. *not*: it is turned round. *dropped*: the call is left out.

The same checks are also tested by the ABI suite on QEMU, which is not run here for each mutant: what survives
may be caught there, where the table says so.
"""

NOT_REACHED = (None, None)


def state(result):
    return "survived" if result is None else "not reached" if result == NOT_REACHED else "killed"


def counts(mutants, results, key):
    table = collections.defaultdict(collections.Counter)
    for mutant in mutants:
        table[key(mutant)][state(results[mutant.number])] += 1
    return table


def row(name, count):
    whole = sum(count.values())
    came_by = whole - count["not reached"]
    return (f"| {name} | {whole} | {count['killed']} | {count['survived']} | {count['not reached']} | "
            f"{100 * count['killed'] / whole:.0f} % | {100 * count['killed'] / max(came_by, 1):.0f} % |")


def table(title, mutants, results, key):
    yield f"| {title} | mutants | killed | survived | not reached | killed of all | of those reached |"
    yield "|-|-|-|-|-|-|-|"
    found = counts(mutants, results, key)
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


def page(whole, mutants, results, why, skipped, plain):
    lines = [HEAD, *how_run(whole, mutants, skipped, plain), "", *table("kind", mutants, results, lambda one: f"{one.kind}, {one.change}"),
             *table("file", mutants, results, lambda one: one.file)]
    for title, wanted in (("## Survivors", "survived"), ("## Never reached by a host test", "not reached")):
        lines += [title, "", "| where | change | condition or call | what would kill it |", "|-|-|-|-|"]
        for one in mutants:
            if state(results[one.number]) == wanted:
                text = one.text.replace("|", "\\|")
                lines.append(f"| {one.file.removeprefix('core/')} {one.function} | {one.change} | `{text}` | "
                             f"{why.get(one.number, '**not said**')} |")
        lines.append("")
    return "\n".join(lines)


def summary(mutants, results):
    count = collections.Counter(state(results[one.number]) for one in mutants)
    whole = len(mutants)
    return (f"{whole} mutants: {count['killed']} killed, {count['survived']} survived, "
            f"{count['not reached']} not reached")
