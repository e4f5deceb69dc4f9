# SPDX-License-Identifier: BSD-2-Clause
"""Each checker of check.py sees a mistake of its kind, and nothing where there is none."""

import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import check  # noqa: E402

WORDS = ["-std=gnu11", "-O2", "-ffreestanding", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
GOOD = "int good(int x);\nint good(int x)\n{\n\treturn x + 1;\n}\n"
BAD = {
    "clang": "char bad(int x);\nchar bad(int x)\n{\n\treturn x;\n}\n",
    "tidy": "int bad(int x);\nint bad(int x)\n{\n\treturn x == 3 || x == 3;\n}\n",
    "cppcheck": "int bad(void);\nint bad(void)\n{\n\tint a[2] = { 0 };\n\treturn a[2];\n}\n",
    "analyzer": "int bad(int x);\nint bad(int x)\n{\n\tint *p = 0;\n\tif (x)\n\t\treturn *p;\n\treturn 0;\n}\n",
    "sparse": "#define __guest __attribute__((noderef, address_space(__guest)))\n"
              "static int bad(int __guest *p)\n{\n\treturn *p;\n}\nint main(void)\n{\n\treturn bad(1 ? 0 : 0);\n}\n",
}


class Check(unittest.TestCase):
    def findings(self, tool, text):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "x.c")
            path.write_text(text)
            words = [*WORDS, "-c", str(path)]
            found, failure = check.check(tool, path, directory, words)
            self.assertIsNone(failure)
            return found

    def test_each_tool_sees_a_mistake(self):
        self.assertEqual(set(BAD), set(check.TOOLS))
        for tool, text in BAD.items():
            with self.subTest(tool=tool):
                self.assertTrue(self.findings(tool, text))

    def test_no_tool_sees_one_where_there_is_none(self):
        for tool in check.TOOLS:
            with self.subTest(tool=tool):
                self.assertEqual(self.findings(tool, GOOD), [])

    def test_a_tool_that_fails_is_no_success(self):
        found, failure = check.check("clang", pathlib.Path("/nonexistent.c"), "/", [*WORDS, "-c"])
        self.assertTrue(found or failure)


if __name__ == "__main__":
    unittest.main()
