# SPDX-License-Identifier: BSD-2-Clause
"""Finds what can be left out or turned round in C, and writes a source in which each can be, by number.

    check    if (c) return -PV_E...;  c never holds; c is turned round. Also `return c ? -PV_E... : x`.
    guard    the same for an `if` that returns something else, or goes to the clean-up
    flush    a flush of translations, or the beginning of an epoch, is left out
    count    a reference is not counted, or not given back

All mutants are in the program at once; which one is at work is decided when it runs (see HEADER).
"""

import dataclasses
import re

HEADER = """/* SPDX-License-Identifier: BSD-2-Clause */
/* Which mutant is at work, and which ones a run came by: environment MUTANT=number, MUTANT_SEEN=file. */
#ifndef MUTANT_H
#define MUTANT_H

#define MUTANTS_MAX 4096

__attribute__((weak)) int mutant_at_work;
__attribute__((weak)) unsigned char mutant_seen_by_nobody[MUTANTS_MAX], *mutant_seen;

char *getenv(const char *name);
int atoi(const char *text);
int open(const char *path, int flags, ...);
int ftruncate(int fd, long size);
void *mmap(void *at, unsigned long size, int prot, int flags, int fd, long offset);

/* The file is shared memory: a test may run the kernel in children that die. */
static __attribute__((constructor)) void mutant_choose(void)
{
	const char *number = getenv("MUTANT"), *path = getenv("MUTANT_SEEN");
	int fd;

	if (mutant_seen)
		return;
	mutant_at_work = number ? atoi(number) : 0;
	mutant_seen = mutant_seen_by_nobody;
	fd = path ? open(path, 0102, 0666) : -1;
	if (fd >= 0 && !ftruncate(fd, MUTANTS_MAX))
		mutant_seen = mmap(0, MUTANTS_MAX, 3, 1, fd, 0);
}

#define MUTANT(n) (mutant_seen[n] = 1, mutant_at_work == (n))
#define MUTANT_IF(n, c) ((((c) ? 1 : 0) != (MUTANT((n) + 1))) & !(MUTANT(n)))
#define MUTANT_CALL(n, call) ((void)(MUTANT(n) || (call, 0)))

#endif
"""

FLUSHES = (r"flush_cpus|flush_mask|flush_local|arch_flush_tlb|arch_flush_page|flush_serve_mailbox|epoch_start|"
           r"aspace_flush|leaf_drop|drop_leaf|tables_drop|mm_drop_frames")
COUNTS = r"mfn_unpin|object_put|irq_cap_put|irq_cap_get|frame_put|frame_get|cap_put|domain_put|domain_get"
CALL = re.compile(rf"^(\t+)((?:\w+->)?(?:({FLUSHES})|(?:{COUNTS}))\([^;{{}}]*\));$", re.MULTILINE)
# A member or a number of things that goes up or down; a pointer or an index of a loop is neither.
REFERENCE = re.compile(r"^(\t+)((?:[\w\[\]>.()-]+(?:->|\.)\w+|nr_\w+)(?:\+\+|--| [-+]= [^;\n]+));$", re.MULTILINE)
IF = re.compile(r"^(\t+)((?:\} )?(?:else )?if )\(", re.MULTILINE)
LEAVES = re.compile(r"\s*(?:\{\s*(?:\w+\([^;]*\);\s*)?)?(return\b[^;]*|goto \w+);")
TERNARY = re.compile(r"\breturn ([^?;\n]+) \? (-PV_E\w+) :")
FUNCTION = re.compile(r"^[a-zA-Z_][^;\n=]*?\b(\w+)\([^;{]*\)\n\{", re.MULTILINE)


@dataclasses.dataclass
class Mutant:
    number: int
    file: str
    line: int
    function: str
    kind: str    # check, guard, flush, count
    change: str  # never, not, dropped
    text: str

    @property
    def key(self):
        """What stays when lines above move."""
        return f"{self.file}:{self.function}: {self.change}: {self.text}"


def blank(text):
    """The text with comments, strings and preprocessor lines blanked, character by character."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|^#(?:[^\n\\]|\\.|\\\n)*'
    return re.sub(pattern, lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.S | re.M)


def closing(text, at):
    """Index of the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "(") - (text[i] == ")")
        if not depth:
            return i
    raise ValueError("unbalanced parentheses")


class Mutator:
    def __init__(self):
        self.mutants = []

    def add(self, file, text, at, kind, change, what):
        function = [match[1] for match in FUNCTION.finditer(text, 0, at)]
        self.mutants.append(Mutant(len(self.mutants) + 1, file, text.count("\n", 0, at) + 1,
                                   function[-1] if function else "?", kind, change, " ".join(what.split())))
        return len(self.mutants)

    def mutate(self, file, text):
        """The source with all mutants of this file in it."""
        plain = blank(text)
        edits = [*self.conditions(file, text, plain), *self.ternaries(file, text, plain),
                 *self.calls(file, text, plain)]
        for start, end, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        at = text.index("#include")
        return text[:at] + '#include "mutant.h"\n' + text[at:] if edits else text

    def condition(self, file, text, start, end, kind):
        what = text[start:end]
        first = self.add(file, text, start, kind, "never", what)
        self.add(file, text, start, kind, "not", what)
        return start, end, f"MUTANT_IF({first}, ({what}))"

    def conditions(self, file, text, plain):
        for match in IF.finditer(plain):
            opening = match.end() - 1
            end = closing(plain, opening)
            leaves = LEAVES.match(plain, end + 1)
            # Whether a test build may say there that nothing is left is no question to the kernel.
            if leaves and not plain[opening:].startswith("(FAIL_POINT("):
                yield self.condition(file, text, opening + 1, end,
                                     "check" if "-PV_E" in leaves[1] else "guard")

    def ternaries(self, file, text, plain):
        for match in TERNARY.finditer(plain):
            yield self.condition(file, text, match.start(1), match.end(1), "check")

    def calls(self, file, text, plain):
        for pattern in (CALL, REFERENCE):
            for match in pattern.finditer(plain):
                kind = "flush" if pattern is CALL and match[3] else "count"
                what = text[match.start(2):match.end(2)]
                number = self.add(file, text, match.start(2), kind, "dropped", what)
                yield match.start(2), match.end(2), f"MUTANT_CALL({number}, {what})"
