# SPDX-License-Identifier: BSD-2-Clause
"""Kernels and RAM disks: finding them, unpacking bzImage, checking ELF before it reaches a machine.

init loads ELF and nothing else, so everything compressed or odd is dealt with here, where there is a
terminal to complain to.
"""

import bz2
import dataclasses
import lzma
import shutil
import struct
import subprocess
import zlib

from .abi import ABI, PAGE

PT_LOAD, PT_NOTE, ET_EXEC, EM_X86_64 = 1, 4, 2, 62
PF_X, PF_W = 1, 2
SETUP_MAGIC = 0x202
MIN_PROTOCOL = 0x208


class FileError(Exception):
    """The file is not what it should be; the text completes 'PATH ...'."""


@dataclasses.dataclass
class Segment:
    kind: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int


class Elf:
    """A static x86-64 executable, checked so that a loader needs no doubts."""

    def __init__(self, data):
        if len(data) < 64 or data[:4] != b"\x7fELF":
            raise FileError("is not an ELF file")
        if data[4] != 2 or data[5] != 1:
            raise FileError("is not a 64-bit little-endian ELF file")
        kind, machine, _, self.entry, phoff = struct.unpack_from("<HHIQQ", data, 16)
        phentsize, phnum = struct.unpack_from("<HH", data, 54)
        if machine != EM_X86_64:
            raise FileError("is not for x86-64")
        if kind != ET_EXEC:
            raise FileError("is not a static executable at a fixed address (ET_EXEC)")
        if phentsize != 56 or phoff + phnum * 56 > len(data):
            raise FileError("is truncated: its program headers are missing")
        self.data = data
        self.segments = []
        for i in range(phnum):
            kind, flags, offset, vaddr, paddr, filesz, memsz, _ = struct.unpack_from(
                "<IIQQQQQQ", data, phoff + i * 56)
            self.segments.append(Segment(kind, flags, offset, vaddr, paddr, filesz, memsz))
        self.load = [s for s in self.segments if s.kind == PT_LOAD and s.memsz]
        self._check()

    def _check(self):
        if not self.load:
            raise FileError("has nothing to load")
        for segment in self.load:
            if segment.offset + segment.filesz > len(self.data):
                raise FileError(f"is truncated: a segment needs {segment.offset + segment.filesz} "
                                f"bytes, the file has {len(self.data)}")
            if segment.filesz > segment.memsz:
                raise FileError("has a segment that is larger in the file than in memory")
        ordered = sorted(self.load, key=lambda s: s.paddr)
        for low, high in zip(ordered, ordered[1:]):
            if low.paddr + low.memsz > high.paddr:
                raise FileError(f"has overlapping segments at {high.paddr:#x}")

    def top(self):
        """First physical address after everything loaded."""
        return max(s.paddr + s.memsz for s in self.load)

    def note(self, name, kind):
        """Description of a note, or None."""
        for segment in self.segments:
            if segment.kind != PT_NOTE:
                continue
            at, end = segment.offset, segment.offset + segment.filesz
            while at + 12 <= min(end, len(self.data)):
                namesz, descsz, note = struct.unpack_from("<III", self.data, at)
                desc = at + 12 + (namesz + 3) // 4 * 4
                if self.data[at + 12:at + 12 + namesz].rstrip(b"\0") == name and note == kind:
                    return self.data[desc:desc + descsz]
                at = desc + (descsz + 3) // 4 * 4
        return None

    def stripped(self):
        """The file without sections and symbols: what a loader needs and no more."""
        end = max([64] + [s.offset + s.filesz for s in self.segments])
        phoff = struct.unpack_from("<Q", self.data, 32)[0]
        end = max(end, phoff + 56 * len(self.segments))
        out = bytearray(self.data[:end])
        struct.pack_into("<Q", out, 40, 0)
        struct.pack_into("<HHH", out, 58, 0, 0, 0)
        return bytes(out)


def _decompress(payload):
    if payload[:2] == b"\x1f\x8b":
        return zlib.decompressobj(31).decompress(payload)
    if payload[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)
    if payload[:3] == b"]\0\0":
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(payload)
    if payload[:3] == b"BZh":
        return bz2.BZ2Decompressor().decompress(payload)
    if payload[:4] == b"\x28\xb5\x2f\xfd":
        if not shutil.which("zstd"):
            raise FileError("is compressed with zstd, and the zstd program is not installed")
        # The payload carries its size after the frame, which makes zstd fail at its end.
        result = subprocess.run(["zstd", "-dcq"], input=payload[:-4], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, check=False)
        if result.returncode:
            raise FileError("has a damaged zstd payload")
        return result.stdout
    if payload[:4] == b"\x7fELF":
        return payload
    raise FileError("is compressed in a way this tool does not know (gzip, xz, lzma, bzip2, zstd)")


def unpack_bzimage(data):
    """The vmlinux inside a bzImage."""
    if len(data) < 0x268 or data[SETUP_MAGIC:SETUP_MAGIC + 4] != b"HdrS":
        raise FileError("is neither an ELF file nor a bzImage")
    protocol = struct.unpack_from("<H", data, 0x206)[0]
    if protocol < MIN_PROTOCOL:
        raise FileError(f"speaks boot protocol {protocol >> 8}.{protocol & 255}, too old")
    setup = (data[0x1f1] or 4) + 1
    syssize = struct.unpack_from("<I", data, 0x1f4)[0] * 16
    if setup * 512 + syssize > len(data):
        raise FileError(f"is truncated: its header promises {setup * 512 + syssize} bytes, "
                        f"the file has {len(data)}")
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = setup * 512 + offset
    if not length or start + length > len(data):
        raise FileError("is truncated: its payload is not all there")
    try:
        out = _decompress(data[start:start + length])
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise FileError(f"has a damaged payload: {error}") from None
    wanted = struct.unpack_from("<I", data, start + length - 4)[0]
    if data[start:start + 4] != b"\x7fELF" and len(out) != wanted:
        raise FileError(f"has a damaged payload: {len(out)} bytes instead of {wanted}")
    return out


def check_newlib(elf, domain):
    """A newlib domain: at its base address, inside its memory, nothing both writable and executable."""
    top = max(s.vaddr + s.memsz for s in elf.load)
    for segment in elf.load:
        if segment.vaddr < ABI.EXPLICIT_BASE:
            raise FileError(f"is linked at {segment.vaddr:#x}, below {ABI.EXPLICIT_BASE:#x}")
        if segment.flags & PF_W and segment.flags & PF_X:
            raise FileError(f"has a segment at {segment.vaddr:#x} that is writable and executable")
    if not any(s.flags & PF_X and s.vaddr <= elf.entry < s.vaddr + s.memsz for s in elf.load):
        raise FileError(f"starts at {elf.entry:#x}, which is not code")
    needs = top - ABI.EXPLICIT_BASE
    if domain and needs > domain.mem:
        raise FileError(f"needs {(needs + 1023) >> 10}K, the domain has {domain.mem >> 10}K")


def check_linux(elf, domain, initrd_size):
    """A Linux guest: built for Ringfence, and it fits with its RAM disk."""
    note = elf.note(b"ringfence", ABI.NOTE_TYPE_ENTRY)
    if note is None or len(note) < 8:
        raise FileError("is not built for Ringfence (no entry note): it needs CONFIG_RINGFENCE_GUEST")
    needs = elf.top() + (initrd_size + PAGE - 1) // PAGE * PAGE + (4 << 20)
    if needs > domain.mem:
        raise FileError(f"needs at least {(needs + (1 << 20) - 1) >> 20}M with its initrd, the domain "
                        f"has {domain.mem >> 20}M")


def load_kernel(data):
    """ELF of a kernel file, unpacked if it is a bzImage."""
    return Elf(data if data[:4] == b"\x7fELF" else unpack_bzimage(data))
