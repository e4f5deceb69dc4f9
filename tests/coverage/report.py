# SPDX-License-Identifier: BSD-2-Clause
"""The page docs/coverage.md."""

import collections
import textwrap

HEAD = """<!-- SPDX-License-Identifier: BSD-2-Clause -->
<!-- Written by tests/coverage/coverage.py: change that program, not this page. -->
# What the tests reach of the kernel

Measured on the kernel of the build (with its assertions), not on one built for measuring. A QEMU plugin notes each
instruction that runs and which way each conditional jump goes. The host tests run with gcov. `ctest -R
nightly.coverage` measures again; `tests/coverage/coverage.py --report docs/coverage.md` writes this page. It can
be measured in pieces: `--piece 1/3` and so on, and `--keep --report` at the end; what was measured of another kernel
does not count. `--keep --least` says what each test adds to those that add more.

A *branch* is one way of one conditional jump in machine code, named by the line it was compiled from. A branch
that only leads to `panic()` is the way of an assertion: it is counted apart, because no test can take it
while the kernel is right. *host* are branches that only the host tests took, *excused* those that no test can
take, each line with its reason in `unreached.toml`.
"""


def lines_of(code, executed):
    """{file: (lines that ran, lines with code)}."""
    all_lines, ran = collections.defaultdict(set), collections.defaultdict(set)
    for insn in code.c:
        all_lines[insn.file].add(insn.line)
        if insn.address in executed.ran:
            ran[insn.file].add(insn.line)
    return {file: (len(ran[file]), len(lines)) for file, lines in all_lines.items()}


def share(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


def assembly(code, executed, missing, excused):
    total = len(code.assembly)
    done = sum(insn.address in executed.ran for insn in code.assembly)
    yield "## Assembly"
    yield ""
    yield (f"{done} of {total} instructions were executed in {executed.boots} boots; "
           f"{total - done - len(missing)} cannot be, for the reasons below; {len(missing)} are missing.")
    yield ""
    yield "| file | where | instructions | why they are not executed |"
    yield "|-|-|-|-|"
    for entry, found in excused:
        place = entry["place"].replace("|", ", ")
        yield f"| {entry['file']} | `{place}` | {len(found)} | {entry['why']} |"
    for insn in missing:
        yield f"| {insn.file} | `{insn.function}`, line {insn.line} | 1 | **nobody has said why** |"
    yield ""


def branches(code, executed, ways):
    lines = lines_of(code, executed)
    counts = {file: collections.Counter(how for _, _, how in found) for file, found in ways.items()}
    total = sum(counts.values(), collections.Counter())
    whole = sum(total.values()) - total["assertion"]
    reached = total["machine"] + total["host"]
    yield "## Branches of C"
    yield ""
    yield (f"{reached} of {whole} branches are reached ({share(reached, whole)}): {total['machine']} on QEMU and "
           f"{total['host']} more by host tests. {total['assertion']} lead to an assertion's panic. "
           f"{total['excused']} are excused, {total['never']} are never taken and nobody has said why.")
    yield ""
    yield "| file | lines on QEMU | branches | QEMU | host | excused | never | reached |"
    yield "|-|-|-|-|-|-|-|-|"
    for file in sorted(lines):
        count = counts.get(file, collections.Counter())
        here = sum(count.values()) - count["assertion"]
        yield (f"| {file.removeprefix('kernel/')} | {lines[file][0]} of {lines[file][1]} | {here} | "
               f"{count['machine']} | {count['host']} | {count['excused']} | {count['never']} | "
               f"{share(count['machine'] + count['host'], here)} |")
    yield ""
    return (100 * reached / whole if whole else 0), total["never"]


def excuses(branches):
    """The lines whose branches cannot be taken."""
    if branches:
        yield from ("## Branches no test can take", "", "| file | line | branches | why |", "|-|-|-|-|")
    for entry, found in branches:
        line = entry["line"].replace("|", "\\|")
        yield f"| {entry['file']} | `{line}` | {len(found)} | {entry['why']} |"
    if branches:
        yield ""


def never(ways):
    yield "## Branches never taken"
    yield ""
    yield "By line; t: the jump is never taken, n: it is always. Which of an `if` is which, the compiler decided."
    yield ""
    for file in sorted(ways):
        found = sorted({(line, direction[0]) for line, direction, how in ways[file] if how == "never"})
        if found:
            yield (f"- {file.removeprefix('kernel/')}: "
                   + " ".join(f"{line}{direction}" for line, direction in found))
    yield ""


def write(code, executed, ways, missing, excused, branches_excused):
    """(the page, percent of branches reached, branches that are neither reached nor explained)."""
    text = [HEAD,
            textwrap.fill(f"Boots of: {', '.join(sorted(set(executed.tests)))}.", 118, break_on_hyphens=False) + "\n",
            *assembly(code, executed, missing, excused)]
    rest = branches(code, executed, ways)
    percent = unexplained = 0
    while True:
        try:
            text.append(next(rest))
        except StopIteration as end:
            percent, unexplained = end.value
            break
    text += [*excuses(branches_excused), *never(ways)]
    return "\n".join(text), percent, unexplained


def summary(text):
    """The sentences with the sums."""
    return "\n".join(line for line in text.splitlines()
                     if " instructions were executed in " in line or " branches are reached " in line)
