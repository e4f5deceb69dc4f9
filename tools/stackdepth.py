#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How deep can the kernel's stacks get? Compiles the kernel once more with gcc's -fcallgraph-info=su.

    stackdepth.py --build DIR [--top N]

Fails if an entry path may use more than half of the stack it runs on, if a function may come back to
itself, if a frame has no fixed size, or if the tables below no longer describe the source. Prints the
deepest path of each entry. A panic counts: it runs on the stack of whoever called it.
"""

import argparse
import functools
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

KERNEL = pathlib.Path(__file__).resolve().parents[1] / "kernel"

# What the processor and traps_entry.S put below trap_kernel() and trap_ist(): a frame of five words that the
# processor aligns to 16, vector and error, 15 registers.
TRAP_FRAME = 5 * 8 + 8 + 2 * 8 + 15 * 8

# Where a stack gets its size: file, name of the constant there.
STACKS = {
    "cpu": ("arch/x86_64/include/platform.h", "STACK_SIZE"),
    "ist": ("arch/x86_64/percpu.c", "IST_STACK_SIZE"),
    "boot": ("arch/x86_64/boot.S", "BOOT_STACK_SIZE"),
}

# C functions that assembly calls, each on an empty stack but for trap_kernel(), which is added to
# all others: a fault with a fix-up can hit anywhere, an interrupt in arch_idle(). The hypercalls it calls out of
# hypercall_table stand deeper on the way through guest_hypercall().
ENTRIES = {
    "boot_main": "boot", "boot_continue": "cpu", "ap_main": "cpu",
    "guest_hypercall": "cpu", "guest_hypercall_end": "cpu",
    "guest_eretu": "cpu", "guest_erets": "cpu", "guest_user_syscall": "cpu", "guest_cstar": "cpu",
    "guest_trap": "cpu", "guest_iret_failed": "cpu", "trap_kernel": "cpu", "trap_ist": "ist",
}

# Calls through pointers: the caller, and a pattern of the source whose matches are all that it may call.
INDIRECT = {
    "arch_irq_dispatch": r"\barch_vector_set\([^;{]*,\s*(?!NULL)(\w+)\);",
    "hypercall_dispatch": r"^i64 (hc_\w+)\(struct vcpu \*\w+, const struct hc_args \*\w+\)$",
    "boot_test": r"^\t\{ \"\w+\", (\w+) \},$",
    "test_exec_data": None,  # jumps into data to see that it faults
}

# Functions of assembly that C calls. They leave the stack they are called on and keep nothing there.
ASSEMBLY = {"boot_switch_stack", "arch_enter_guest"}

# Recursion that is meant: boottest=stack overflows the stack to see it caught.
RECURSION_ALLOWED = {"deeper"}

# Inline assembly that pushes: bytes at a time. It must not call.
PUSHES = {"percpu_load": 16, "irq_save": 8}

# A panic while another is running ends here at once (panic_enter()).
PANICS = {"panic", "panic_regs"}
PANIC_AGAIN = "finish"

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')
SIZE = re.compile(r"\\n(\d+) bytes \(([^)]*)\)")


class Problem(Exception):
    """What makes the answer worthless, or the answer itself when it is no."""


def compile_with_graph(build, target):
    """The text of gcc's call graph of every C file of the target."""
    entries = [entry for entry in json.loads((build / "compile_commands.json").read_text())
               if f"/{target}_objects.dir/" in entry["command"] and entry["file"].endswith(".c")]
    if not entries:
        raise Problem(f"{build}: no command compiles the kernel")
    texts = []
    with tempfile.TemporaryDirectory(prefix="stackdepth") as directory:
        for number, entry in enumerate(entries):
            words = shlex.split(entry["command"])
            words = words[1:] if words[0].endswith("ccache") else words
            words[words.index("-o") + 1] = "/dev/null"
            words[words.index("-c")] = "-S"
            subprocess.run(words + ["-fcallgraph-info=su", "-dumpbase", str(number),
                                    "-dumpdir", f"{directory}/"],
                           cwd=entry["directory"], check=True)
            texts.append((pathlib.Path(directory) / f"{number}.ci").read_text())
    return texts


class Graph:
    """Functions by name; names of static functions that occur twice are kept apart by their file."""

    def __init__(self, texts):
        self.frames, self.edges, self.indirect = {}, {}, set()
        for text in texts:
            self.read(text)

    def read(self, text):
        for title, label in NODE.findall(text):
            size = SIZE.search(label)
            if not size:
                continue
            if size[2] not in ("static", "dynamic,bounded"):
                raise Problem(f"{title}: the size of its frame is not fixed ({size[2]})")
            self.frames[title] = max(self.frames.get(title, 0), int(size[1]))
            self.edges.setdefault(title, set())
        for source, target in EDGE.findall(text):
            if target == "__indirect_call":
                self.indirect.add(source)
            else:
                self.edges.setdefault(source, set()).add(target)

    def find(self, name):
        """The title of a function: its name, or file:name of one that is static."""
        titles = [title for title in self.frames if title == name or title.endswith(f":{name}")]
        if len(titles) != 1:
            raise Problem(f"{name}: {len(titles)} functions have this name")
        return titles[0]


def name_of(title):
    return title.rpartition(":")[2].split(".")[0]


def sources(*suffixes):
    for part in ("core", "arch/x86_64", "debug"):
        for path in sorted((KERNEL / part).rglob("*")):
            if path.suffix in suffixes:
                yield path, re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.S)


def resolve_indirect(graph):
    """Adds the edges of INDIRECT, which must know exactly the callers that the compiler saw."""
    callers = {name_of(title): title for title in graph.indirect}
    known = {name for name in INDIRECT if any(name_of(title) == name for title in graph.frames)}
    if set(callers) != known:
        raise Problem(f"calls through pointers in {sorted(callers)}, INDIRECT knows {sorted(known)}")
    text = "\n".join(text for _, text in sources(".c"))
    for caller in known:
        if not INDIRECT[caller]:
            continue
        # Parameters of the function that stores the pointer are no targets.
        targets = set(re.findall(INDIRECT[caller], text, re.MULTILINE)) - {"fn"}
        if not targets:
            raise Problem(f"{caller}: no target in the source matches {INDIRECT[caller]}")
        found = {title for target in targets for title in graph.frames if name_of(title) == target}
        missing = targets - {name_of(title) for title in found}
        if missing:
            raise Problem(f"{caller} may call {sorted(missing)}, which the compiler did not see")
        graph.edges[callers[caller]] |= found


def check_assembly(graph):
    """The .S files call ENTRIES and nothing else; inline assembly pushes only where PUSHES says so."""
    called = set()
    labels = set()
    for _, text in sources(".S"):
        called |= set(re.findall(r"\bcall\s+(\w+)", text))
        labels |= set(re.findall(r"^(\w+):", text, re.MULTILINE))
    for _, text in sources(".c"):
        called |= set(re.findall(r"\bboot_switch_stack\([^,;{]*,\s*(\w+)\);", text))
    if called - labels != set(ENTRIES):
        raise Problem(f"assembly calls {sorted(called - labels)}, ENTRIES has {sorted(ENTRIES)}")
    headers = [(path, path.read_text()) for path in KERNEL.glob("**/include/*.h")]
    for path, text in [*sources(".c"), *headers]:
        if path.parts[-3] == "host":
            continue
        for body in re.findall(r"__asm__[^;]*?;", text, re.S):
            if re.search(r'"\s*(?:\d+:\\t)?call', body):
                raise Problem(f"{path}: inline assembly calls: {body}")
            if re.search(r'"\s*push', body):
                before = text[:text.index(body)]
                function = re.findall(r"^[\w][^;\n]*?(\w+)\([^;]*\)\n\{", before, re.MULTILINE)[-1]
                if function not in PUSHES:
                    raise Problem(f"{path}: {function} pushes in inline assembly; PUSHES does not say so")
                for title in graph.frames:
                    if name_of(title) == function:
                        graph.frames[title] += PUSHES[function]


def deepest(graph, entry):
    """(bytes, path) of the deepest way down from entry. A node is a function and how many panics are
    running: the second one ends at once, so the kernel's only cycle is none."""
    active = []

    @functools.cache
    def walk(title, panics):
        node = (title, panics)
        name = name_of(title)
        if node in active:
            cycle = [name_of(name) for name, _ in active[active.index(node):]]
            if RECURSION_ALLOWED.issuperset(cycle):
                return 0, ()
            raise Problem("recursion: " + " -> ".join(cycle + [name]))
        if title in ASSEMBLY:
            return 8, ()
        if title not in graph.frames:
            raise Problem(f"{name} is called from {name_of(active[-1][0])} but not compiled")
        active.append(node)
        if name in PANICS:
            panics += 1
        targets = graph.edges[title]
        if panics > 1:
            targets = [graph.find(PANIC_AGAIN)] if name in PANICS else targets
        best = max((walk(target, panics) for target in targets), default=(0, ()))
        active.pop()
        return best[0] + graph.frames[title], ((name, graph.frames[title]), *best[1])

    return walk(graph.find(entry), 0)


def constant(file, name):
    text = (KERNEL / file).read_text()
    value = re.search(rf"^#define {name} (?:KIB\((\d+)\)|(\d+))$", text, re.MULTILINE)
    if not value:
        raise Problem(f"{file}: no number under the name {name}")
    return int(value[1]) * 1024 if value[1] else int(value[2])


def measure(graph, top):
    """Prints each entry's path; the entries that may use too much."""
    paths = {entry: deepest(graph, entry) for entry in ENTRIES}
    nested = TRAP_FRAME + paths["trap_kernel"][0]
    over, totals = [], []
    for entry, stack in ENTRIES.items():
        size = constant(*STACKS[stack])
        depth = paths[entry][0]
        if entry == "trap_ist":
            depth += TRAP_FRAME + 16  # the struct cpu pointer above it
        elif entry != "trap_kernel":
            depth += nested
        if depth > size // 2:
            over.append(entry)
        totals.append((depth, size, entry))
    for depth, size, entry in sorted(totals, reverse=True):
        print(f"{entry:20} {depth:5} of {size // 2} bytes"
              + ("  TOO DEEP" if entry in over else ""))
    print(f"(a trap in the kernel, {nested} bytes, is in all of them)")
    for depth, size, entry in sorted(totals, reverse=True)[:top]:
        print(f"deepest path of {entry}: {depth} bytes, {100 * depth / size:.0f} % of the stack")
        print("\n".join(f"  {frame:5} {name}" for name, frame in paths[entry][1]))
    return over


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=KERNEL.parent / "build")
    parser.add_argument("--target", default="ringfence", help="which kernel of the build")
    parser.add_argument("--top", type=int, default=1, help="paths to print")
    options = parser.parse_args()
    try:
        graph = Graph(compile_with_graph(options.build, options.target))
        resolve_indirect(graph)
        check_assembly(graph)
        over = measure(graph, options.top)
    except Problem as problem:
        print(f"stackdepth: {problem}")
        return 1
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
