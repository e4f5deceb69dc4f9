# SPDX-License-Identifier: BSD-2-Clause
"""tools/stackdepth.py finds what it is there to find: recursion, frames without a size, deep paths."""

import pathlib
import sys
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import stackdepth  # noqa: E402


def graph(**functions):
    """A call graph from name=(frame, callee...)."""
    text = ""
    for name, (frame, *callees) in functions.items():
        kind = "static" if frame >= 0 else "dynamic"
        text += f'node: {{ title: "{name}" label: "{name}\\nx.c:1:1\\n{abs(frame)} bytes ({kind})" }}\n'
        text += "".join(f'edge: {{ sourcename: "{name}" targetname: "{callee}" label: "x.c:2:1" }}\n'
                        for callee in callees)
    return stackdepth.Graph([text])


class StackDepth(unittest.TestCase):
    def test_deepest_path_is_the_sum_of_the_larger_branch(self):
        found = stackdepth.deepest(graph(a=(16, "b", "c"), b=(100,), c=(8, "d"), d=(96,)), "a")
        self.assertEqual(found, (120, (("a", 16), ("c", 8), ("d", 96))))

    def test_recursion(self):
        with self.assertRaisesRegex(stackdepth.Problem, "recursion: b -> c -> b"):
            stackdepth.deepest(graph(a=(8, "b"), b=(8, "c"), c=(8, "b")), "a")

    def test_frame_without_a_size(self):
        with self.assertRaisesRegex(stackdepth.Problem, "not fixed"):
            graph(a=(-8,))

    def test_function_that_was_not_compiled(self):
        with self.assertRaisesRegex(stackdepth.Problem, "b is called from a but not compiled"):
            stackdepth.deepest(graph(a=(8, "b")), "a")

    def test_panic_of_a_panic_ends(self):
        found = stackdepth.deepest(
            graph(a=(8, "panic"), panic=(100, "log"), log=(50, "panic"), finish=(4,)), "a")
        self.assertEqual(found[0], 8 + 100 + 50 + 100 + 4)

    def test_pointer_that_no_table_knows(self):
        with self.assertRaisesRegex(stackdepth.Problem, "through pointers in ..stranger"):
            stackdepth.resolve_indirect(graph(stranger=(8, "__indirect_call")))

    def test_more_than_half_the_stack(self):
        functions = {name: (8,) for name in stackdepth.ENTRIES}
        functions["guest_trap"] = (stackdepth.constant(*stackdepth.STACKS["cpu"]) // 2,)
        with mock.patch("builtins.print"):
            self.assertEqual(stackdepth.measure(graph(**functions), 1), ["guest_trap"])

    def test_assembly_that_calls_something_new(self):
        with mock.patch.dict(stackdepth.ENTRIES), self.assertRaisesRegex(stackdepth.Problem, "guest_eretu"):
            del stackdepth.ENTRIES["guest_eretu"]
            stackdepth.check_assembly(graph(a=(8,)))


if __name__ == "__main__":
    unittest.main()
