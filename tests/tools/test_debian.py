# SPDX-License-Identifier: BSD-2-Clause
"""The Debian root file system is a function of the archive: made twice, it is the same to the last bit.

The build's own copy need not be the same: the archive may have moved on since.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES = ROOT / "images" / "rootfs"
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))


def make(directory):
    """One tar and what is packed from it."""
    tar, packed = directory / "debian.tar", directory / "debian.cpio.gz"
    for command in (
            [IMAGES / "debian" / "build.py", "--out", tar],
            [ROOT / "tools" / "mkinitramfs.py", "--tar", tar, "--tree", IMAGES / "common",
             "--tree", IMAGES / "debian" / "tree", "--out", packed]):
        subprocess.run([sys.executable, "-B", *map(str, command)], check=True)
    return tar, packed


def differences(one, other):
    """What to look at when the tars are not the same."""
    def members(path):
        with tarfile.open(path) as tar:
            return {m.name: (m.mode, m.uid, m.gid, m.size, m.mtime, m.linkname,
                             hashlib.sha256(tar.extractfile(m).read()).hexdigest() if m.isreg() else "")
                    for m in tar}
    a, b = members(one), members(other)
    return [(name, a.get(name), b.get(name)) for name in sorted(a | b) if a.get(name) != b.get(name)]


class Twice(unittest.TestCase):
    def test_same_bytes(self):
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="debian", dir=BUILD) as directory:
            made = []
            for name in ("one", "two"):
                (pathlib.Path(directory) / name).mkdir()
                made.append(make(pathlib.Path(directory) / name))
            (tar, packed), (other_tar, other_packed) = made
            if tar.read_bytes() != other_tar.read_bytes():
                self.fail(f"the tars differ: {differences(tar, other_tar)[:20]}")
            self.assertEqual(packed.read_bytes(), other_packed.read_bytes())


if __name__ == "__main__":
    unittest.main()
