# SPDX-License-Identifier: BSD-2-Clause
"""The tools behind docs/coverage.md read a kernel right: KERNEL_ELF is decoded, nothing is executed."""

import os
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import coverage  # noqa: E402
import listing  # noqa: E402
import machine  # noqa: E402

ELF = pathlib.Path(os.environ["KERNEL_ELF"])


class Coverage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        pathlib.Path(cls.directory.name, "machine").mkdir()
        cls.nothing = machine.Executed(cls.directory.name)
        cls.code = coverage.Code(ELF, cls.nothing)

    def test_all_assembly_is_seen(self):
        files = {insn.file.rpartition("/")[2] for insn in self.code.assembly}
        self.assertEqual(files, {"boot.S", "entry.S", "fsgsbase.S", "traps_entry.S", "trampoline.S"})
        doors = {insn.function for insn in self.code.assembly if insn.function.startswith("door ")}
        self.assertEqual(len(doors), 256)

    def test_decoded_in_the_right_mode(self):
        texts = [insn.text for insn in self.code.assembly]
        self.assertFalse([text for text in texts if "(bad)" in text])
        for mnemonic in ("ljmp", "sysretq", "iretq", "lgdtl", "movabs"):
            self.assertTrue([text for text in texts if text.startswith(mnemonic)], mnemonic)

    def test_nothing_executed_is_nothing_covered(self):
        missing, _, _ = coverage.judge_assembly(self.code, self.nothing)
        entry = [insn for insn in missing if insn.function == "guest_syscall"]
        self.assertGreater(len(entry), 30)
        ways = coverage.ways_of(self.code, self.nothing, set())
        self.assertEqual({how for found in ways.values() for _, _, how in found}, {"never", "assertion"})
        self.assertGreater(sum(map(len, ways.values())), 2000)

    def test_ways_of_a_jump(self):
        jump = next(insn for insn in self.code.c if insn.conditional)
        out = pathlib.Path(self.directory.name, "machine", "1.cov")
        out.write_text(f"x {jump.address:x} n\n")
        self.addCleanup(out.unlink)
        ways = coverage.ways_of(self.code, machine.Executed(self.directory.name), set())[jump.file]
        self.assertIn((jump.line, "not taken", "machine"), ways)

    def test_host_counts_by_line(self):
        jump = next(insn for insn in self.code.c if insn.conditional)
        ways = coverage.ways_of(self.code, self.nothing, {(jump.file, jump.line)})[jump.file]
        self.assertTrue([way for way in ways if way[0] == jump.line and way[2] == "host"])

    def test_excuses_go_by_the_line(self):
        line = next(i for i, text in enumerate((HERE.parents[1] / "kernel/core/elf.c").read_text().splitlines(), 1)
                    if "p->flags & PF_W && p->flags & PF_X" in text)
        ways = {"kernel/core/elf.c": [(line, "taken", "never"), (line + 1, "taken", "never"),
                                      (line, "not taken", "machine")]}
        entries = [{"file": "core/elf.c", "line": "PF_W && p->flags", "why": "x"},
                   {"file": "core/cap.c", "line": "PF_W && p->flags", "why": "y"}]
        found = coverage.excuse_branches(ways, entries)
        self.assertEqual([len(branches) for _, branches in found], [1, 0])
        self.assertEqual([how for _, _, how in ways["kernel/core/elf.c"]], ["excused", "never", "machine"])

    def test_stale_excuses(self):
        entry = {"file": "core/elf.c", "line": "PF_W && p->flags", "why": "x"}
        self.assertFalse(coverage.is_stale(entry, [(1, "taken")]))
        self.assertTrue(coverage.is_stale(entry, []))
        self.assertFalse(coverage.is_stale(entry | {"chance": True}, []))
        self.assertTrue(coverage.is_stale(entry | {"chance": True, "line": "is not there"}, []))

    def test_trampoline_is_found_in_its_page(self):
        out = pathlib.Path(self.directory.name, "machine", "1.cov")
        out.write_text("x 9e000\nx 9e001\nx 7c00\n")
        self.addCleanup(out.unlink)
        executed = machine.Executed(self.directory.name)
        coverage.Code(ELF, executed)
        start = machine.symbols(ELF)["trampoline_start"]
        self.assertTrue({start, start + 1} <= executed.ran)

    def test_pieces_add_up(self):
        with tempfile.TemporaryDirectory() as directory:
            for name, lines in (("one", "x 10 n\nx 12\n"), ("two", "x 10 n t\nx 12\nx 14\n"), ("three", "x 20\n")):
                own = pathlib.Path(directory, "machine", name)
                own.mkdir(parents=True)
                (own / "1.cov").write_text(lines)
                (own / "result").write_text("passed")
            executed = machine.Executed(directory)
            self.assertEqual(executed.tests, ["one", "three", "two"])
            self.assertEqual((executed.boots, executed.fell, executed.taken), (3, {0x10}, {0x10}))
            self.assertEqual([name for name, _ in executed.least()], ["two", "three"])

    def test_of_another_kernel_nothing_is_kept(self):
        with tempfile.TemporaryDirectory() as directory:
            elf, one = pathlib.Path(directory, "elf"), pathlib.Path(directory, "machine", "one")
            elf.write_bytes(b"a kernel")
            machine.same_kernel(elf, pathlib.Path(directory))
            one.mkdir()
            machine.same_kernel(elf, pathlib.Path(directory))
            self.assertTrue(one.exists())
            elf.write_bytes(b"another kernel")
            machine.same_kernel(elf, pathlib.Path(directory))
            self.assertFalse(one.exists())

    def test_pieces(self):
        self.assertEqual(coverage.piece("2/3"), (2, 3))
        for wrong in ("0/3", "4/3", "3"):
            with self.assertRaises(ValueError):
                coverage.piece(wrong)

    def test_jumps(self):
        for text, conditional in (("je     ffff8700001010a0 <x+0x40>", True), ("jmp    1000 <x>", False),
                                  ("jmp    *%rax", False), ("loop   1000 <x>", True), ("jb 10012c <x>", True)):
            self.assertEqual(listing.Insn(0, text, "", "", 0).conditional, conditional, text)


if __name__ == "__main__":
    unittest.main()
