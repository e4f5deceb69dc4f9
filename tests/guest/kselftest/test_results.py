# SPDX-License-Identifier: BSD-2-Clause
"""A difference between native and VM is found wherever it is: in a test, in a case of it, in the kernel's log."""

import pathlib
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / "runner")]

import results  # noqa: E402
import suites  # noqa: E402


def boot(*lines, wanted=("a/b",), plan=1):
    return results.read("\n".join(["KTAP version 1", f"1..{plan}", *lines]), None, wanted)


GOOD = boot("# ok 1 x 0x1234", "# ok 2 y", "ok 1 a/b # secs=0.50")


class Reads(unittest.TestCase):
    def test_outcomes(self):
        for line, status, why in (("ok 1 a/b # secs=1", "pass", ""), ("ok 1 a/b # SKIP secs=1", "skip", ""),
                                  ("not ok 1 a/b # exit=2 secs=1", "fail", "exit=2"),
                                  ("not ok 1 a/b # signal=11 secs=1", "fail", "signal=11"),
                                  ("not ok 1 a/b # TIMEOUT secs=1", "timeout", "")):
            outcome = boot(line).outcomes["a/b"]
            self.assertEqual((outcome.status, outcome.why), (status, why))
        self.assertEqual(boot(plan=0).outcomes["a/b"].status, "lost")

    def test_cases(self):
        self.assertEqual(GOOD.outcomes["a/b"].cases, {"x N": "ok", "y": "ok"})
        nested = boot("# # ok 1 one # SKIP why", "# [RUN] try", "# [FAIL] 5 is wrong", "# [OK] fine",
                      "ok 1 a/b # secs=1").outcomes["a/b"]
        self.assertEqual(nested.cases, {"one": "skip", "try": "fail", "try (2)": "ok"})

    def test_only_skips(self):
        self.assertEqual(boot("# [SKIP] no", "ok 1 a/b # secs=1").outcomes["a/b"].status, "skip")


class Differs(unittest.TestCase):
    def differs(self, vm, text, native=GOOD, skips=()):
        self.assertIn(text, "\n".join(results.differences(native, vm, skips)))

    def test_same(self):
        self.assertEqual(results.differences(GOOD, GOOD, ()), [])
        bad = boot("not ok 1 a/b # exit=1 secs=1")
        self.assertEqual(results.differences(bad, bad, ()), [])
        self.assertEqual(results.differences(bad, GOOD, ()), [])

    def test_whole_test(self):
        self.differs(boot("not ok 1 a/b # exit=1 secs=1"), "in the VM: fail exit=1")
        self.differs(boot("not ok 1 a/b # TIMEOUT secs=1"), "in the VM: timeout")
        self.differs(boot(plan=1), "in the VM: lost")
        self.differs(GOOD, "no result natively", native=boot(plan=1))

    def test_skip_needs_a_reason(self):
        skipped = boot("ok 1 a/b # SKIP secs=1")
        self.differs(skipped, "no known reason")
        self.assertEqual(results.differences(GOOD, skipped, ("a/b",)), [])

    def test_case_behind_a_good_exit_status(self):
        self.differs(boot("# not ok 1 x 0x99", "# ok 2 y", "ok 1 a/b # secs=1"), "the case 'x N'")

    def test_case_of_a_test_that_fails_natively(self):
        native = boot("# not ok 1 x 1", "# ok 2 y", "not ok 1 a/b # exit=1 secs=1")
        self.differs(boot("# not ok 1 x 1", "# not ok 2 y", "not ok 1 a/b # exit=1 secs=1"), "the case 'y'",
                     native)

    def test_kernel_log(self):
        self.differs(boot("ok 1 a/b # secs=1", "ksrun: kernel said: [ 1.0] WARNING: CPU: 0 at x.c:5"), "WARNING")
        self.differs(boot("ok 1 a/b # secs=1", "BUG: soft lockup"), "BUG")


class Suites(unittest.TestCase):
    def test_groups_are_those_of_cmake(self):
        text = pathlib.Path(__file__).with_name("CMakeLists.txt").read_text()
        self.assertIn(f"foreach(group {' '.join(suites.groups(quick=True))})", text)
        self.assertIn(f"foreach(group {' '.join(suites.groups())})", text)


if __name__ == "__main__":
    unittest.main()
