# SPDX-License-Identifier: BSD-2-Clause
"""mkinitramfs.py: what a tar holds reaches the archive whole; and the recipe of the Debian tar, offline."""

import gzip
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "mkinitramfs.py"
RECIPE = ROOT / "images" / "rootfs" / "debian" / "build.py"


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


class Recipe(Fixture):
    """build.py with play-acting apt and mmdebstrap."""

    TARGETS = ("Debian bookworm main http://mirror.example/debian/\\n"
               "Debian bookworm-security main http://mirror.example/security/\\n"
               "Debian bookworm contrib http://mirror.example/contrib/\\n"
               "Other Vendor bookworm main http://other.example/\\n"
               "$(ORIGIN) $(CODENAME) main http://never-fetched.example/\\n")

    def make(self, mmdebstrap, targets=TARGETS):
        scripts = {"apt-get": f"printf '{targets}'",
                   "apt-config": "printf 'Acquire::http::Proxy \"http://proxy:3128\";\\n"
                                 "Acquire::Languages:: \"none\";\\nAPT::Get::Assume-Yes \"1\";\\n'",
                   "mmdebstrap": f'printf "%s\\n" "$@" > {self.dir}/argv; cat > {self.dir}/sources\n'
                                 + mmdebstrap,
                   "sudo": 'shift; exec "$@"'}
        for name, script in scripts.items():
            (self.dir / name).write_text(f"#!/bin/sh\n{script}\n")
            (self.dir / name).chmod(0o755)
        env = dict(os.environ, PATH=f"{self.dir}:/usr/bin:/bin")
        return subprocess.run([sys.executable, "-B", str(RECIPE), "--out", str(self.dir / "out.tar")],
                              env=env, capture_output=True, text=True, check=False)

    def test_takes_what_the_machine_takes_debian_from(self):
        result = self.make("echo made at $SOURCE_DATE_EPOCH")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.dir / "out.tar").read_text(), "made at 0\n")
        self.assertEqual((self.dir / "sources").read_text(),
                         "deb [arch=amd64,i386] http://mirror.example/debian/ bookworm main\n"
                         "deb [arch=amd64] http://mirror.example/security/ bookworm-security main\n")
        argv = (self.dir / "argv").read_text()
        self.assertIn('--aptopt=Acquire::http::Proxy "http://proxy:3128";\n', argv)
        self.assertNotIn("Assume-Yes", argv)

    def test_without_lists_debians_own_hosts(self):
        self.make("true", targets="")
        self.assertIn("http://deb.debian.org/debian-security bookworm-security main",
                      (self.dir / "sources").read_text())

    def test_failures_are_one_line(self):
        for said, words in (
                ("E: Failed to fetch http://x Could not connect to x:80 (10.0.0.1)",
                 "archive cannot be reached at mirror.example\n"),
                ("E: Failed to fetch http://x File has unexpected size", "unexpected size\n")):
            with self.subTest(said):
                result = self.make(f"echo half; echo '{said}' >&2; exit 1")
                self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1))
                self.assertTrue(result.stderr.startswith("debian: "))
                self.assertTrue(result.stderr.endswith(words), result.stderr)
                self.assertEqual(list(self.dir.glob("out.tar*")), [])


if __name__ == "__main__":
    unittest.main()
