# SPDX-License-Identifier: BSD-2-Clause
"""The patch series applies to Debian's source with `git am`, without fuzz and in order.

Only the files the series touches are unpacked. LINUX_TARBALL names the archive.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATCHES = sorted((ROOT / "guest-patches" / "linux-6.12").glob("[0-9]*.patch"))
TARBALL = os.environ.get("LINUX_TARBALL", "/usr/src/linux-source-6.12.tar.xz")
ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
       "GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@localhost",
       "GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@localhost"}


def touched():
    """(files that must exist, files the series makes)."""
    old, new = set(), set()
    for patch in PATCHES:
        text = patch.read_text(errors="replace")
        for match in re.finditer(r"^--- (\S+)\n\+\+\+ (\S+)$", text, re.MULTILINE):
            if match[1] == "/dev/null":
                new.add(match[2][2:])
            else:
                old.add(match[1][2:])
    return old - new, new


def substance(text):
    """The lines of a header that mean something to a compiler, blanks folded."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line and not re.search(r"_H$|_H_?\b", line)]


class Series(unittest.TestCase):
    def git(self, *arguments):
        result = subprocess.run(["git", *arguments], cwd=self.dir, env=ENV, text=True,
                                capture_output=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_git_am(self):
        self.assertTrue(PATCHES)
        files, _ = touched()
        with tempfile.TemporaryDirectory() as directory:
            self.dir = pathlib.Path(directory)
            result = subprocess.run(
                ["tar", "-xf", TARBALL, "-C", directory, "--strip-components=1", "--occurrence=1",
                 "--wildcards", *(f"*/{name}" for name in sorted(files))],
                capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.git("init", "-q")
            self.git("add", "-Af")
            self.git("commit", "-qm", "base")
            self.git("am", "--quiet", "--no-3way", *(str(patch) for patch in PATCHES))
            count = int(self.git("rev-list", "--count", "HEAD")) - 1
            self.assertEqual(count, len([p for p in PATCHES if "cover-letter" not in p.name]))
            self.check_abi_header()
            log = self.git("log", "--format=%s", f"-{count}").splitlines()
            self.assertEqual([s for s in log if len(s) > 75], [], "subjects that are too long")

    def check_abi_header(self):
        """The ABI the series carries is the one abi.toml gives today, comments aside."""
        generated = os.environ.get("ABI_HEADER")
        if generated:
            carried = (self.dir / "arch/x86/include/asm/ringfence/abi.h").read_text()
            self.assertEqual(substance(carried), substance(pathlib.Path(generated).read_text()))

    def test_names_are_in_order(self):
        numbers = [int(p.name[:4]) for p in PATCHES]
        self.assertEqual(sorted(set(numbers)), numbers)


if __name__ == "__main__":
    unittest.main()
