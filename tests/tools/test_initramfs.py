# SPDX-License-Identifier: BSD-2-Clause
"""mkinitramfs.py: what a tar holds reaches the archive whole."""

import gzip
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "mkinitramfs.py"


def records(blob):
    """The records of a newc archive: name -> dict. Fails on anything that is out of place."""
    names = ("magic", "ino", "mode", "uid", "gid", "nlink", "mtime", "filesize", "devmajor",
             "devminor", "rdevmajor", "rdevminor", "namesize", "check")
    found, at = {}, 0
    while True:
        assert blob[at:at + 6] == b"070701", at
        values = [int(blob[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        record = dict(zip(names[1:], values))
        end = at + 110 + record["namesize"]
        name = blob[at + 110:end - 1].decode()
        data = (end + 3) & ~3
        record["data"] = blob[data:data + record["filesize"]]
        at = (data + record["filesize"] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        assert name not in found, name
        found[name] = record


class Fixture(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.dir = pathlib.Path(temp.name)


class Archives(Fixture):
    def tar(self, *members):
        """A tar of (name, type, mode, uid, gid, content, more of tarfile's attributes)."""
        path = self.dir / "root.tar"
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, kind, mode, uid, gid, content, *more in members:
                info = tarfile.TarInfo(name)
                info.type, info.mode, info.uid, info.gid = kind, mode, uid, gid
                info.size, info.mtime = len(content), 12345
                for key, value in (more[0] if more else {}).items():
                    setattr(info, key, value)
                tar.addfile(info, io.BytesIO(content))
        return path

    def pack(self, *arguments, out="x.cpio"):
        command = [sys.executable, "-B", str(TOOL), "--out", str(self.dir / out), *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result, (self.dir / out).read_bytes() if not result.returncode else b""

    def sample(self):
        return self.tar(
            ("./", tarfile.DIRTYPE, 0o755, 0, 0, b""),
            ("./usr/", tarfile.DIRTYPE, 0o755, 0, 0, b""),
            ("./usr/bin/", tarfile.DIRTYPE, 0o755, 0, 0, b""),
            ("./bin", tarfile.SYMTYPE, 0o777, 0, 0, b"", {"linkname": "usr/bin"}),
            ("./usr/bin/su", tarfile.REGTYPE, 0o4755, 0, 0, b"setuid root"),
            ("./usr/bin/chage", tarfile.REGTYPE, 0o2755, 0, 42, b"setgid shadow"),
            ("./usr/bin/perl", tarfile.REGTYPE, 0o755, 0, 0, b"three names"),
            ("./usr/bin/perl5", tarfile.LNKTYPE, 0o755, 0, 0, b"", {"linkname": "./usr/bin/perl"}),
            ("./usr/bin/a-perl", tarfile.LNKTYPE, 0o755, 0, 0, b"", {"linkname": "./usr/bin/perl"}),
            ("./var/mail/", tarfile.DIRTYPE, 0o2775, 0, 8, b""),
            ("./dev/console", tarfile.CHRTYPE, 0o600, 0, 5, b"", {"devmajor": 5, "devminor": 1}),
            ("./init", tarfile.REGTYPE, 0o700, 7, 8, b"#!"))

    def test_owner_mode_and_links_survive(self):
        result, blob = self.pack("--tar", self.sample())
        self.assertEqual(result.returncode, 0, result.stderr)
        found = records(blob)

        def says(name, mode, uid, gid, data):
            record = found[name]
            self.assertEqual((record["mode"], record["uid"], record["gid"], record["data"]),
                             (mode, uid, gid, data), name)
        says("usr/bin/su", 0o104755, 0, 0, b"setuid root")
        says("usr/bin/chage", 0o102755, 0, 42, b"setgid shadow")
        says("var/mail", 0o042775, 0, 8, b"")
        says("bin", 0o120777, 0, 0, b"usr/bin")
        says("init", 0o100700, 7, 8, b"#!")
        says("dev/console", 0o020600, 0, 5, b"")
        self.assertEqual([found["dev/console"][key] for key in ("rdevmajor", "rdevminor")], [5, 1])
        self.assertNotIn("etc", found)  # nothing is added to a whole root file system

        perl = [found[f"usr/bin/{name}"] for name in ("a-perl", "perl", "perl5")]
        self.assertEqual(len({record["ino"] for record in perl}), 1)
        self.assertEqual([record["nlink"] for record in perl], [3, 3, 3])
        self.assertEqual([record["data"] for record in perl], [b"", b"", b"three names"])
        others = [record["ino"] for name, record in found.items() if "perl" not in name]
        self.assertEqual(len(others), len(set(others)))
        self.assertNotIn(perl[0]["ino"], others)
        self.assertEqual({record["mtime"] for record in found.values()}, {0})

    def test_trees_win_over_the_tar(self):
        tree = self.dir / "tree"
        (tree / "usr" / "bin").mkdir(parents=True)
        (tree / "usr" / "bin" / "perl").write_text("ours")
        found = records(self.pack("--tar", self.sample(), "--tree", tree)[1])
        self.assertEqual((found["usr/bin/perl"]["data"], found["usr/bin/perl"]["nlink"]), (b"ours", 1))
        rest = [found["usr/bin/a-perl"], found["usr/bin/perl5"]]
        self.assertEqual([(r["nlink"], r["data"]) for r in rest], [(2, b""), (2, b"three names")])
        self.assertEqual(rest[0]["ino"], rest[1]["ino"])

    def test_same_bytes(self):
        tar = self.sample()
        self.assertEqual(self.pack("--tar", tar)[1], self.pack("--tar", tar)[1])
        packed = self.pack("--tar", tar, out="x.cpio.gz")[1]
        self.assertEqual(packed, self.pack("--tar", tar, out="x.cpio.gz")[1])
        self.assertEqual(gzip.decompress(packed), self.pack("--tar", tar)[1])

    def refused(self, words, *arguments):
        result, _ = self.pack(*arguments)
        self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1), result.stderr)
        self.assertIn(words, result.stderr)

    def test_refusals(self):
        tree = self.dir / "tree"
        (tree / "bin").mkdir(parents=True)
        (tree / "bin" / "tool").write_text("")
        self.refused("/bin/tool: /bin is not a directory", "--tar", self.sample(), "--tree", tree)
        self.refused("no /init in it", "--tar", self.tar(("./a", tarfile.REGTYPE, 0o644, 0, 0, b"")))
        capable = {"pax_headers": {"SCHILY.xattr.security.capability": "x"}}
        self.refused("ping has extended attributes", "--tar",
                     self.tar(("./ping", tarfile.REGTYPE, 0o755, 0, 0, b"", capable)))


if __name__ == "__main__":
    unittest.main()
