# SPDX-License-Identifier: BSD-2-Clause
"""tests/mutation/mutate.py finds what it should, changes nothing else, and leaves C that compiles."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import mutate  # noqa: E402
import qemu  # noqa: E402

SOURCE = """#include <stddef.h>
#define PV_EINVAL 2
#define PV_ERANGE 3

struct thing {
	int refs;
};

static int flushed;

static void flush_cpus(int mask)
{
	flushed += mask;
}

int call(struct thing *t, int n)
{
	/* if (n) return -PV_EINVAL; is no code */
	if (n > 10 ||
	    n < 0)
		return -PV_EINVAL;
	if (n == 1)
		n = 2;
	if (!t)
		return 0;
	t->refs++;
	flush_cpus(n);
	return flushed > 9 ? -PV_ERANGE : t->refs;
}
"""
STEPS = """#include <stddef.h>
static void f(int n)
{
	one(1);
	n = n +
	    g(two(n));
	if (n)
		two(one(2), 3);
	panic("x");
	log_warn("y");
	for (;;)
		one(4);
}
"""
MAIN = """
int main(int argc, char **argv)
{
	struct thing t = { 0 };

	(void)argc;
	(void)argv;
	if (call(&t, 11) != -PV_EINVAL)
		return 10;
	if (call(&t, 3) != 1 || flushed != 3)
		return 11;
	return call(NULL, 3) == 0 ? 0 : 12;
}
"""


class Mutate(unittest.TestCase):
    def setUp(self):
        self.mutator = mutate.Mutator()
        self.text = self.mutator.mutate("x.c", SOURCE)

    def test_finds(self):
        found = sorted(mutant.key for mutant in self.mutator.mutants)
        self.assertEqual(found, sorted([
            "x.c:call: never: n > 10 || n < 0", "x.c:call: not: n > 10 || n < 0",
            "x.c:call: never: !t", "x.c:call: not: !t",
            "x.c:call: never: flushed > 9", "x.c:call: not: flushed > 9",
            "x.c:call: dropped: t->refs++", "x.c:call: dropped: flush_cpus(n)"]))

    def test_kinds(self):
        kinds = {mutant.text: mutant.kind for mutant in self.mutator.mutants}
        self.assertEqual(kinds, {"n > 10 || n < 0": "check", "!t": "guard", "flushed > 9": "check",
                                 "t->refs++": "count", "flush_cpus(n)": "flush"})

    def test_lines_stay(self):
        self.assertEqual(len(self.text.splitlines()), len(SOURCE.splitlines()) + 1)
        self.assertIn("/* if (n) return -PV_EINVAL; is no code */", self.text)

    def test_one_program_is_all_of_them(self):
        with tempfile.TemporaryDirectory() as directory:
            directory = pathlib.Path(directory)
            (directory / "mutant.h").write_text(mutate.HEADER)
            (directory / "x.c").write_text(self.text + MAIN)
            subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", directory / "x",
                            directory / "x.c"], check=True)
            seen = directory / "seen"

            def run(number):
                return subprocess.run([directory / "x"], env={"MUTANT": str(number), "MUTANT_SEEN": str(seen)},
                                      check=False).returncode
            self.assertEqual(run(0), 0)
            reached = {i for i, flag in enumerate(seen.read_bytes()) if flag}
            self.assertEqual(reached, set(range(1, len(self.mutator.mutants) + 1)))
            alive = [mutant.key for mutant in self.mutator.mutants if not run(mutant.number)]
            self.assertEqual(alive, ["x.c:call: never: flushed > 9"])

    def test_everything(self):
        mutator = mutate.Mutator(everything=True)
        mutator.mutate("x.c", SOURCE)
        more = sorted((mutant.kind, mutant.change, mutant.text) for mutant in mutator.mutants
                      if mutant.kind in ("branch", "step"))
        self.assertEqual(more, [("branch", "never", "n == 1"), ("branch", "not", "n == 1")])
        mutator = mutate.Mutator(everything=True)
        mutator.mutate("y.c", STEPS)
        self.assertEqual([mutant.text for mutant in mutator.mutants if mutant.kind == "step"],
                         ["one(1)", "two(one(2), 3)", "one(4)"])

    def test_a_kernel_has_its_number_written_into_it(self):
        mutator = mutate.Mutator(everything=True)
        text = mutator.mutate("x.c", SOURCE)
        numbers = {mutant.key: mutant.number for mutant in mutator.mutants}
        with tempfile.TemporaryDirectory() as directory:
            directory = pathlib.Path(directory)
            (directory / "mutant.h").write_text(mutate.KERNEL_HEADER)
            (directory / "x.c").write_text(text + MAIN)
            subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", directory / "x",
                            directory / "x.c"], check=True)
            kernel, broken = qemu.Kernel(directory / "x"), directory / "broken"
            for key, status in (("", 0), ("x.c:call: never: n > 10 || n < 0", 10), ("x.c:call: dropped: flush_cpus(n)", 11),
                                ("x.c:call: never: !t", -11)):
                kernel.write(broken, numbers.get(key, mutate.NONE))
                broken.chmod(0o755)
                self.assertEqual(subprocess.run([broken], check=False).returncode, status, key)

    def test_the_processors_part_is_full_of_them(self):
        mutants = qemu.all_mutants(ROOT / "kernel", False)
        kinds = [mutant.kind for mutant in mutants]
        for kind, least in (("check", 30), ("guard", 200), ("branch", 300), ("step", 400)):
            self.assertGreaterEqual(kinds.count(kind), least, kind)

    def test_the_core_is_full_of_them(self):
        mutator = mutate.Mutator()
        for path in sorted((ROOT / "kernel" / "core" / "mm").glob("*.c")):
            mutator.mutate(path.name, path.read_text())
        kinds = [mutant.kind for mutant in mutator.mutants]
        for kind, least in (("check", 20), ("guard", 200), ("flush", 15), ("count", 20)):
            self.assertGreater(kinds.count(kind), least, kind)

    def test_those_of_races_are_where_they_were(self):
        sys.path.insert(0, str(ROOT / "tests" / "abi"))
        import mutants

        for name, file, old, new, _ in mutants.MUTANTS:
            self.assertEqual((ROOT / "kernel" / file).read_text().count(old), 1, name)
            self.assertNotEqual(old, new, name)


if __name__ == "__main__":
    unittest.main()
