# SPDX-License-Identifier: BSD-2-Clause
"""Finds what can be left out or turned round in C, and writes a source in which each can be, by number.

    check    if (c) return -PV_E...;  c never holds; c is turned round. Also `return c ? -PV_E... : x`.
    guard    the same for an `if` that returns something else, or goes to the clean-up
    flush    a flush of translations, or the beginning of an epoch, is left out
    count    a reference is not counted, or not given back

and, if everything is asked for:

    branch   any other `if`: its condition never holds, or is turned round
    step     any other call whose result nobody wants is left out

All mutants are in the program at once; which one is at work is decided when it runs (HEADER), or when it is started
(KERNEL_HEADER).
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

# For a kernel on QEMU: a number in the image, written there before it is started. With NOTE each mutant that it comes by
# is told to a port (not 0x402, which is the BIOS's), once.
NONE, NOTE, PORT = 0x4d55544e, 0x4d55544f, 0x7e9
KERNEL_HEADER = f"""/* SPDX-License-Identifier: BSD-2-Clause */
/* Which mutant is at work: mutant_at_work, which somebody has written into the image. */
#ifndef MUTANT_H
#define MUTANT_H

__attribute__((weak)) volatile unsigned mutant_at_work = {NONE:#x};
__attribute__((weak)) unsigned char mutant_told[4096];
__attribute__((weak)) unsigned mutant_lock;

static inline void mutant_tell(unsigned n)
{{
	unsigned char low = (unsigned char)n, high = (unsigned char)(n >> 8);

	if (__atomic_exchange_n(&mutant_told[n], 1, __ATOMIC_SEQ_CST))
		return;
	while (__atomic_exchange_n(&mutant_lock, 1, __ATOMIC_SEQ_CST))
		__asm__ volatile("pause");
	__asm__ volatile("outb %0, %1" ::"a"(low), "d"((unsigned short){PORT:#x}));
	__asm__ volatile("outb %0, %1" ::"a"(high), "d"((unsigned short){PORT:#x}));
	__atomic_store_n(&mutant_lock, 0, __ATOMIC_SEQ_CST);
}}

static inline int mutant_is(unsigned n)
{{
	if (mutant_at_work == {NOTE:#x})
		mutant_tell(n);
	return mutant_at_work == n;
}}

#define MUTANT(n) mutant_is(n)
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
# A statement that is a call. Not of what has no end, and of what nobody but a reader of the log notices.
STEP = re.compile(r"^(\t+)((?!(?:log_\w+|panic\w*|silent|unexpected|kernel_init\w*|boot_switch_stack|arch_halt|arch_stop_this_cpu|"
                  r"count|trace|cpu_relax|compiler_barrier|ASSERT\w*|BUILD_ASSERT|__\w+|RACE_\w+|FAIL_\w+)\()"
                  r"\w+\([^;{}]*\));$", re.MULTILINE)
BEFORE = re.compile(r"[;{}:]$|^\s*(?:\} )?(?:if|else|for|while)\b")
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
    kind: str    # check, guard, flush, count, branch, step
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


def is_statement(text, at):
    """Does a statement begin at this line, or one go on?"""
    before = text[:at].rstrip()
    return bool(BEFORE.search(before[before.rfind("\n") + 1:]))


class Mutator:
    def __init__(self, everything=False):
        self.mutants, self.everything = [], everything

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
            if plain[opening:].startswith("(FAIL_POINT("):
                continue
            if leaves:
                yield self.condition(file, text, opening + 1, end,
                                     "check" if "-PV_E" in leaves[1] else "guard")
            elif self.everything:
                yield self.condition(file, text, opening + 1, end, "branch")

    def ternaries(self, file, text, plain):
        for match in TERNARY.finditer(plain):
            yield self.condition(file, text, match.start(1), match.end(1), "check")

    def calls(self, file, text, plain):
        found = set()
        for pattern in (CALL, REFERENCE) + (STEP,) * self.everything:
            for match in pattern.finditer(plain):
                at = match.start(2)
                if at in found or (pattern is STEP and not (
                        is_statement(plain, match.start()) and
                        closing(plain, plain.index("(", at)) == match.end(2) - 1)):
                    continue
                found.add(at)
                kind = "step" if pattern is STEP else "flush" if pattern is CALL and match[3] else "count"
                what = text[at:match.end(2)]
                number = self.add(file, text, at, kind, "dropped", what)
                yield at, match.end(2), f"MUTANT_CALL({number}, {what})"
