#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes an initial RAM file system (cpio "newc") from a directory, busybox and extra files.

The archive is a function of its inputs: names are sorted, times and owners are zero, inode numbers
count up. Device nodes are written straight into the archive, so no privilege is needed.
"""

import argparse
import gzip
import pathlib
import stat
import subprocess
import sys

DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin",
               "usr/sbin", "var", "var/log"]
NODES = [("dev/console", 5, 1, 0o600), ("dev/null", 1, 3, 0o666), ("dev/zero", 1, 5, 0o666),
         ("dev/tty", 5, 0, 0o666)]


class Archive:
    def __init__(self):
        self.entries = {}

    def add(self, name, mode, data=b"", device=(0, 0)):
        name = name.strip("/")
        for parent in reversed(pathlib.PurePosixPath(name).parents):
            if str(parent) != ".":
                self.entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b"", (0, 0)))
        self.entries[name] = (mode, data, device)

    def add_file(self, name, path, mode=None):
        executable = path.stat().st_mode & 0o111
        self.add(name, stat.S_IFREG | (mode or (0o755 if executable else 0o644)), path.read_bytes())

    def add_tree(self, root):
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                self.add(name, stat.S_IFLNK | 0o777, str(path.readlink()).encode())
            elif path.is_dir():
                self.add(name, stat.S_IFDIR | 0o755)
            else:
                self.add_file(name, path)

    @staticmethod
    def _record(inode, name, mode, data, device):
        path = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = [inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(path), 0]
        record = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        record += b"\0" * (-len(record) % 4) + data
        return record + b"\0" * (-len(data) % 4)

    def bytes(self):
        out = [self._record(i, name, *self.entries[name])
               for i, name in enumerate(sorted(self.entries), 1)]
        out.append(self._record(0, "TRAILER!!!", 0, b"", (0, 0)))
        blob = b"".join(out)
        return blob + b"\0" * (-len(blob) % 512)


def add_busybox(archive, busybox):
    head = busybox.read_bytes()
    if b"\x7fELF" != head[:4]:
        sys.exit(f"initramfs: {busybox} is not an ELF program")
    if b"/lib64/ld-linux" in head[:4096]:
        sys.exit(f"initramfs: {busybox} is dynamically linked; install busybox-static")
    archive.add_file("bin/busybox", busybox, 0o755)
    applets = subprocess.run([str(busybox), "--list-full"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    for applet in applets:
        if applet not in ("init", "linuxrc", "bin/busybox"):
            archive.add(applet, stat.S_IFLNK | 0o777, b"/bin/busybox")


def main():
    parser = argparse.ArgumentParser(description="write an initial RAM file system")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--busybox", type=pathlib.Path, help="static busybox, with all its names")
    parser.add_argument("--tree", action="append", default=[], type=pathlib.Path,
                        help="directory whose content goes to the root; later ones win")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=PATH",
                        help="one more file; executable if PATH is")
    options = parser.parse_args()

    archive = Archive()
    for directory in DIRECTORIES:
        archive.add(directory, stat.S_IFDIR | (0o1777 if directory == "tmp" else 0o755))
    for name, major, minor, mode in NODES:
        archive.add(name, stat.S_IFCHR | mode, device=(major, minor))
    if options.busybox:
        add_busybox(archive, options.busybox)
    for tree in options.tree:
        archive.add_tree(tree)
    for item in options.file:
        name, _, path = item.partition("=")
        if not path:
            parser.error(f"'{item}' is not NAME=PATH")
        archive.add_file(name, pathlib.Path(path))
    if "init" not in archive.entries:
        sys.exit("initramfs: no /init in it: Linux could not start")
    blob = archive.bytes()
    if options.out.suffix == ".gz":
        blob = gzip.compress(blob, 6, mtime=0)
    options.out.write_bytes(blob)


if __name__ == "__main__":
    main()
