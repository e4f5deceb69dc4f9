# SPDX-License-Identifier: BSD-2-Clause
"""The KTAP reader accepts a complete report and nothing else."""

import unittest

import ktap

GOOD = "KTAP version 1\n1..2\nok 1 first\nok 2 - second\n"


class Accepts(unittest.TestCase):
    def test_plain(self):
        report = ktap.parse(GOOD)
        self.assertTrue(report.good, report.problems)
        self.assertEqual(report.summary(), "2 cases: 2 passed, 0 failed, 0 skipped")

    def test_noise_and_decoration(self):
        text = ("[    0.000000]     kernel up\r\nKTAP version 1\r\n1..1\nchatter of another domain\n"
                "\x1b[32mok 1 coloured\x1b[0m\r\n")
        self.assertTrue(ktap.parse(text).good)

    def test_time_stamps(self):
        self.assertTrue(ktap.parse("[    1.000000] KTAP version 1\n[    1.1] 1..1\n[  1.2] ok 1 x\n").good)

    def test_domain(self):
        text = "".join(f"vm1| {line}\nvm2: not ok 7\n" for line in GOOD.splitlines())
        self.assertTrue(ktap.parse(text, "vm1").good)
        self.assertFalse(ktap.parse(text, "vm3").good)

    def test_directives(self):
        report = ktap.parse("KTAP version 1\n1..3\nok 1 a # SKIP no fpu\nnot ok 2 b # XFAIL known\n"
                            "ok 3 c # insns=5\n")
        self.assertEqual([c.outcome for c in report.cases], ["skip", "pass", "pass"])
        self.assertTrue(report.good)

    def test_details_belong_to_the_next_result(self):
        report = ktap.parse("KTAP version 1\n1..1\n# expected 1\n    ok 1 nested\nnot ok 1 a\n")
        self.assertEqual(report.failed[0].detail, ["# expected 1", "    ok 1 nested"])


class Refuses(unittest.TestCase):
    def refuses(self, text, problem):
        report = ktap.parse(text)
        self.assertFalse(report.good)
        self.assertIn(problem, "\n".join(report.problems))

    def test_structure(self):
        self.refuses("", "no KTAP report")
        self.refuses("1..1\nok 1 a\n", "no KTAP report")
        self.refuses("KTAP version 1\n", "no plan")
        self.refuses("KTAP version 1\nok 1 a\n", "before the plan")
        self.refuses("KTAP version 1\n1..0\n", "no cases")
        self.refuses("KTAP version 2\n1..1\nok 1\n", "version 2")
        self.refuses("KTAP version 1\n1..2\nok 1 a\n", "1 of 2")
        self.refuses("KTAP version 1\n1..1\nok 1 a\nok 2 b\n", "2 of 1")
        self.refuses("KTAP version 1\n1..2\nok 1 a\nok 1 a\n", "case 1 where 2")
        self.refuses("KTAP version 1\n1..2\nok 2 a\nok 1 a\n", "case 2 where 1")
        self.refuses("KTAP version 1\n1..1\nok a\n", "without a number")
        self.refuses("KTAP version 1\n1..1\n1..1\nok 1\n", "second plan")
        self.refuses(GOOD + GOOD, "second report")
        self.refuses(GOOD + "Bail out! no memory\n", "no memory")

    def test_disasters(self):
        for text in ("PANIC on CPU 1: x", "Kernel panic - not syncing: y", "BUG: z", "UBSAN: w",
                     "[    1.0] ---[ end trace 0 ]---"):
            self.refuses(GOOD + text + "\n", text.split("] ")[-1].split(" -")[0][:10])
            self.refuses(text + "\n" + GOOD, "")

    def test_disaster_in_another_domain(self):
        text = "".join(f"vm1| {line}\n" for line in GOOD.splitlines())
        self.assertFalse(ktap.parse(text + "vm2| Kernel panic - not syncing: x\n", "vm1").good)

    def test_failures(self):
        for line in ("not ok 1 a", "ok 1 a # TIMEOUT", "not ok 1 a # SKIP"):
            self.assertFalse(ktap.parse(f"KTAP version 1\n1..1\n{line}\n").good, line)


if __name__ == "__main__":
    unittest.main()
