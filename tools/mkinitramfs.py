#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes an initial RAM file system (cpio "newc") from tars, directories, busybox and extra files.

The archive is a function of its inputs: names are sorted, times are zero, inode numbers count up. Device
nodes are written straight into the archive, so no privilege is needed. What comes from a tar keeps its owner,
its mode and its hard links; everything else belongs to root.
"""

import argparse
import gzip
import pathlib
import stat
import subprocess
import sys
import tarfile
import typing

DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin",
               "usr/sbin", "var", "var/log"]
NODES = [("dev/console", 5, 1, 0o600), ("dev/null", 1, 3, 0o666), ("dev/zero", 1, 5, 0o666),
         ("dev/tty", 5, 0, 0o666)]
TAR_TYPES = {tarfile.REGTYPE: stat.S_IFREG, tarfile.AREGTYPE: stat.S_IFREG,
             tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK,
             tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK,
             tarfile.FIFOTYPE: stat.S_IFIFO}


class Entry(typing.NamedTuple):
    mode: int
    data: bytes = b""
    device: tuple = (0, 0)
    owner: tuple = (0, 0)
    linked: str = ""  # names with the same value here are one file


class Archive:
    def __init__(self):
        self.entries = {}

    def add(self, name, mode, data=b"", **more):
        self.put(name, Entry(mode, data, **more))

    def put(self, name, entry):
        name = name.strip("/")
        for parent in reversed(pathlib.PurePosixPath(name).parents):
            if str(parent) != ".":
                above = self.entries.setdefault(str(parent), Entry(stat.S_IFDIR | 0o755))
                if not stat.S_ISDIR(above.mode):
                    sys.exit(f"initramfs: /{name}: /{parent} is not a directory")
        self.entries[name] = entry

    def add_file(self, name, path, mode=None):
        executable = path.stat().st_mode & 0o111
        self.add(name, stat.S_IFREG | (mode or (0o755 if executable else 0o644)), path.read_bytes())

    def add_tree(self, root):
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                self.add(name, stat.S_IFLNK | 0o777, str(path.readlink()).encode())
            elif path.is_dir():
                if name not in self.entries:
                    self.add(name, stat.S_IFDIR | 0o755)
            else:
                self.add_file(name, path)

    def add_tar(self, path):
        with tarfile.open(path) as tar:
            for member in tar:
                name = member.name.removeprefix("./").strip("/")
                if name not in ("", "."):
                    self.put(name, self._member(path, tar, member))

    def _member(self, path, tar, member):
        # cpio has no room for capabilities and the like: better none than a program without its own
        if any(key.startswith("SCHILY.xattr.") for key in member.pax_headers):
            sys.exit(f"initramfs: {path}: {member.name} has extended attributes")
        if member.islnk():
            target = member.linkname.removeprefix("./").strip("/")
            first = self.entries[target]
            linked = first.linked or "/" + target  # no name of an entry begins so
            self.entries[target] = first._replace(linked=linked)
            return self.entries[target]
        if member.type not in TAR_TYPES:
            sys.exit(f"initramfs: {path}: {member.name} is of an unknown type")
        data = member.linkname.encode() if member.issym() else \
            tar.extractfile(member).read() if member.isreg() else b""
        device = (member.devmajor, member.devminor) if member.isdev() else (0, 0)
        return Entry(TAR_TYPES[member.type] | member.mode, data, device, (member.uid, member.gid))

    @staticmethod
    def _record(inode, links, name, entry):
        path = name.encode() + b"\0"
        fields = [inode, entry.mode, *entry.owner, links, 0, len(entry.data), 0, 0, *entry.device,
                  len(path), 0]
        record = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        record += b"\0" * (-len(record) % 4) + entry.data
        return record + b"\0" * (-len(entry.data) % 4)

    def bytes(self):
        names = sorted(self.entries)
        groups = {}
        for name in names:
            groups.setdefault(self.entries[name].linked or name, []).append(name)
        inodes = {group: i for i, group in enumerate(groups, 1)}
        out = []
        for name in names:
            entry = self.entries[name]
            group = entry.linked or name
            links = 2 if stat.S_ISDIR(entry.mode) else len(groups[group])
            if name != groups[group][-1]:  # the last name of a file brings its data
                entry = entry._replace(data=b"")
            out.append(self._record(inodes[group], links, name, entry))
        out.append(self._record(0, 1, "TRAILER!!!", Entry(0)))
        blob = b"".join(out)
        return blob + b"\0" * (-len(blob) % 512)


def add_skeleton(archive):
    for directory in DIRECTORIES:
        archive.add(directory, stat.S_IFDIR | (0o1777 if directory == "tmp" else 0o755))
    for name, major, minor, mode in NODES:
        archive.add(name, stat.S_IFCHR | mode, device=(major, minor))


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
    parser.add_argument("--out", required=True, type=pathlib.Path, help=".gz: compressed")
    parser.add_argument("--tar", action="append", default=[], type=pathlib.Path,
                        help="a whole root file system to begin with, instead of a few directories")
    parser.add_argument("--busybox", type=pathlib.Path, help="static busybox, with all its names")
    parser.add_argument("--tree", action="append", default=[], type=pathlib.Path,
                        help="directory whose content goes to the root; later ones win")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=PATH",
                        help="one more file; executable if PATH is")
    options = parser.parse_args()

    archive = Archive()
    if not options.tar:
        add_skeleton(archive)
    for tar in options.tar:
        archive.add_tar(tar)
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
