# SPDX-License-Identifier: BSD-2-Clause
"""Lowers a checked manifest to the blob init reads, and packs it with all files into the boot image."""

import dataclasses
import pathlib
import zlib

from . import devices, files, network
from .abi import ABI, PAGE
from .errors import Findings
from .schema import KINDS, LINK_KINDS, MIB, ON_EXIT

# Memory the machine needs beside the domains: the microkernel, its frame table, init.
KERNEL_RESERVE = 16 * MIB
SECTOR = 512
SEARCH = ["", "domains", "images", "linux/arch/x86/boot", "linux"]


@dataclasses.dataclass
class Entry:
    name: str
    kind: int
    data: bytes


class Loader:
    """Reads and checks the files a manifest names; a file used twice is in the image once."""

    def __init__(self, manifest_dir, build_dir, findings):
        self.places = [manifest_dir] + [build_dir / place for place in SEARCH]
        self.build_dir = build_dir
        self.findings = findings
        self.cache = {}
        self.paths = []

    def find(self, where, name):
        candidates = [place / name for place in self.places]
        for path in candidates:
            if path.is_file():
                self.paths.append(path)
                return path
        below = ", ".join(place or "." for place in SEARCH)
        self.findings.add(where, f"no file '{name}' beside the manifest nor below {self.build_dir} "
                                 f"({below})")
        return None

    def read(self, where, name, convert):
        """Converted content of a file, or None after a finding."""
        path = self.find(where, name)
        if path is None:
            return None
        try:
            if path not in self.cache:
                self.cache[path] = convert(path.read_bytes())
            return self.cache[path]
        except files.FileError as error:
            self.findings.add(where, f"{path} {error}")
        except OSError as error:
            self.findings.add(where, f"{path} cannot be read: {error.strerror}")
        return None


class Builder:
    def __init__(self, manifest, loader, findings):
        self.manifest, self.loader, self.findings = manifest, loader, findings
        self.entries = []
        self.known = {}

    def add(self, name, kind, data):
        """Index of an entry with these bytes; equal bytes share one."""
        key = (kind, data)
        if key not in self.known:
            base, unique, number = name[:ABI.NAME_LEN - 4], name[:ABI.NAME_LEN - 1], 1
            while any(entry.name == unique for entry in self.entries):
                number += 1
                unique = f"{base}.{number}"
            self.entries.append(Entry(unique, kind, data))
            self.known[key] = len(self.entries) - 1
        return self.known[key]

    def domain(self, domain):
        """(kernel index, initrd index) of a domain, or None after a finding."""
        initrd, size = None, 0
        if domain.initrd:
            initrd = self.loader.read(domain.path("initrd"), domain.initrd, bytes)
            size = len(initrd or b"")
            if initrd == b"":
                self.findings.add(domain.path("initrd"), f"{domain.initrd} is empty")
        elf = self.loader.read(domain.path("kernel"), domain.kernel, files.load_kernel)
        if elf is None or (domain.initrd and not initrd):
            return None
        try:
            if domain.kind == "linux":
                files.check_linux(elf, domain, size)
            else:
                files.check_newlib(elf, domain)
        except files.FileError as error:
            self.findings.add(domain.path("kernel"), f"{domain.kernel} {error}")
            return None
        name = pathlib.Path(domain.kernel).name
        kernel = self.add(name, ABI.ENTRY_KERNEL, elf.stripped())
        if initrd is None:
            return kernel, ABI.MANIFEST_NO_ENTRY
        return kernel, self.add(pathlib.Path(domain.initrd).name, ABI.ENTRY_INITRD, initrd)

    def init(self):
        elf = self.loader.read("image.init", self.manifest.init, files.load_kernel)
        if elf is None:
            return
        try:
            files.check_newlib(elf, None)
        except files.FileError as error:
            self.findings.add("image.init", f"{self.manifest.init} {error}")
            return
        self.entries.append(Entry("init", ABI.ENTRY_INIT, elf.stripped()))


def _flags(domain):
    return (ABI.MDOM_CONSOLE * domain.console | ABI.MDOM_UART * domain.uart
            | ABI.MDOM_PRIVILEGED * domain.privileged | ABI.MDOM_DMA_TRUSTED * domain.dma_trusted
            | ABI.MDOM_FUSED * (domain.user_kernel == "fused"))


def command_lines(manifest, findings):
    lines = [(domain.cmdline + network.words(manifest, domain)).strip() for domain in manifest.domains]
    for domain, line in zip(manifest.domains, lines):
        if len(line) >= ABI.CMDLINE_MAX:
            findings.add(domain.path("cmdline"), f"is {len(line)} characters long with what its links "
                                                 f"add, at most {ABI.CMDLINE_MAX - 1}")
    return lines


def _domain_bytes(domain, indices, offset, cmdline):
    return ABI.pack(
        "manifest_domain", name=domain.name, kind=KINDS[domain.kind], flags=_flags(domain),
        mem_pages=domain.mem // PAGE, kmem_pages=domain.kmem // PAGE, vcpus=domain.vcpus,
        weight=domain.weight, cap=domain.cap, vtlb_tables=domain.vtlb,
        affinity=sum(1 << cpu for cpu in domain.pin), kernel_entry=indices[0],
        initrd_entry=indices[1], cmdline_off=offset, cmdline_len=len(cmdline),
        on_exit=ON_EXIT[domain.on_exit], dma_pages=domain.dma_mem // PAGE, watchdog_s=domain.watchdog,
        restarts=domain.restarts)


def _config_bytes(link):
    if link.kind == "blk":
        return ABI.pack("manifest_link_blk", device=link.device, first=link.first // SECTOR,
                        sectors=link.size // SECTOR if link.device else 0)
    if link.kind == "net":
        return network.link_bytes(link.card)
    return b""


def _link_bytes(link):
    return ABI.pack(
        "manifest_link", name=link.name, kind=LINK_KINDS[link.kind],
        flags=ABI.LINK_READ_ONLY * link.read_only, front=link.front, back=link.back,
        window_pages=link.window // PAGE, disk_pages=0 if link.device else link.size // PAGE,
        config=_config_bytes(link))


def make_blob(manifest, indices, cmdlines):
    """The manifest blob; indices[i] are the image entries of domain i."""
    domains, strings = b"", b""
    for domain, pair, cmdline in zip(manifest.domains, indices, cmdlines):
        domains += _domain_bytes(domain, pair, len(strings), cmdline)
        strings += cmdline.encode() + b"\0"
    functions = b"".join(devices.device_bytes(domain) for domain in manifest.domains)
    body = domains + b"".join(_link_bytes(link) for link in manifest.links) + functions + strings
    return ABI.pack("manifest_header", magic=ABI.MANIFEST_MAGIC, version=ABI.MANIFEST_VERSION,
                    domains=len(manifest.domains), links=len(manifest.links), name=manifest.name,
                    devices=sum(len(domain.devices) for domain in manifest.domains),
                    size=ABI.size("manifest_header") + len(body), crc32=zlib.crc32(body),
                    strings_size=len(strings)) + body


def make_image(entries):
    """The boot image: header, table, page-aligned files."""
    table, payload = b"", b""
    start = ABI.size("image_header") + len(entries) * ABI.size("image_entry")
    start = (start + PAGE - 1) // PAGE * PAGE
    for entry in entries:
        table += ABI.pack("image_entry", name=entry.name, type=entry.kind,
                          crc32=zlib.crc32(entry.data), offset=start + len(payload),
                          size=len(entry.data))
        payload += entry.data + b"\0" * (-len(entry.data) % PAGE)
    head = ABI.pack("image_header", magic=ABI.IMAGE_MAGIC, version=ABI.IMAGE_VERSION,
                    count=len(entries), size=start + len(payload), crc32=zlib.crc32(table))
    return (head + table).ljust(start, b"\0") + payload


def check_memory(manifest, image_size, mem, findings):
    """Whether the machine, if its size is known, can hold all domains."""
    needs = KERNEL_RESERVE + image_size + sum(d.mem + d.kmem + d.dma_mem for d in manifest.domains)
    needs += sum(link.window + (0 if link.device else link.size) for link in manifest.links)
    if mem and needs > mem:
        findings.add("machine.mem", f"needs {(needs + MIB - 1) // MIB}M (domains, boot image, "
                                    f"microkernel), has {mem // MIB}M")


def lower(manifest, manifest_dir, build_dir, mem=0):
    """(image bytes, files used) of a parsed manifest, or ManifestError with every finding."""
    findings = Findings()
    loader = Loader(pathlib.Path(manifest_dir), pathlib.Path(build_dir), findings)
    builder = Builder(manifest, loader, findings)
    builder.init()
    blob_at = len(builder.entries)
    builder.entries.append(Entry("manifest", ABI.ENTRY_MANIFEST, b""))
    indices = [builder.domain(domain) for domain in manifest.domains]
    cmdlines = command_lines(manifest, findings)
    if len(builder.entries) > ABI.IMAGE_MAX_ENTRIES:
        findings.add("domain", f"{len(builder.entries)} files, at most {ABI.IMAGE_MAX_ENTRIES}")
    findings.stop_if_any()
    builder.entries[blob_at].data = make_blob(manifest, indices, cmdlines)
    image = make_image(builder.entries)
    check_memory(manifest, len(image), mem or manifest.mem, findings)
    findings.stop_if_any()
    return image, loader.paths
