# SPDX-License-Identifier: BSD-2-Clause
"""The keys of a manifest: what they are called, what values they take, what they default to.

Nothing here opens a file other than the manifest itself; files.py looks at kernels and RAM disks.
"""

import dataclasses
import re
import tomllib

from . import devices, network
from .abi import ABI, PAGE
from .errors import Findings, ManifestError, suggest

FORMAT = 1
KINDS = {"newlib": ABI.KIND_EXPLICIT, "linux": ABI.KIND_WALKED}
ON_EXIT = {"report": ABI.ON_EXIT_REPORT, "restart": ABI.ON_EXIT_RESTART,
           "shutdown": ABI.ON_EXIT_SHUTDOWN}
NAME = re.compile(r"[a-z][a-z0-9_-]*")
SIZE = re.compile(r"([0-9]+)([KMG])")
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
MIB = 1 << 20
DEFAULT_WEIGHT = 256
DEFAULT_RESTARTS = 5
USER_KERNEL = ("split", "fused")
MIN_MEM = {"newlib": 64 << 10, "linux": 16 * MIB}


@dataclasses.dataclass
class Domain:
    index: int
    name: str
    kind: str
    kernel: str
    initrd: str | None
    cmdline: str
    mem: int
    kmem: int
    vcpus: int
    weight: int
    cap: int
    pin: list
    console: bool
    uart: bool
    privileged: bool
    on_exit: str
    vtlb: int
    user_kernel: str
    devices: list
    dma_trusted: bool
    dma_mem: int
    watchdog: int
    restarts: int
    policy: str | None

    def path(self, key):
        return f"domain[{self.index}].{key} ({self.name})"


@dataclasses.dataclass
class Link:
    index: int
    name: str
    kind: str
    front: int
    back: int
    window: int
    size: int
    read_only: bool
    device: int
    first: int
    card: network.Card

    def path(self, key):
        return f"link[{self.index}].{key} ({self.name})"


@dataclasses.dataclass
class Manifest:
    name: str
    init: str
    cpus: int
    mem: int
    iommu: bool
    domains: list
    links: list
    disks: list
    cards: list


class Table:
    """A TOML table being read: type checks by key, and what is left over is unknown."""

    def __init__(self, data, path, known, findings, label=""):
        self.data, self.path, self.findings, self.label = data, path, findings, label
        for key in data:
            if key not in known:
                self.bad(key, "unknown key" + suggest(key, known))

    def where(self, key):
        return (f"{self.path}.{key}" if self.path else key) + self.label

    def bad(self, key, reason):
        self.findings.add(self.where(key), reason)

    def get(self, key, kind, default=None, required=False):
        value = self.data.get(key)
        if value is None:
            if required:
                self.bad(key, "is missing")
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            names = {str: "text in quotes", int: "a number", bool: "true or false", list: "a list"}
            self.bad(key, f"must be {names[kind]}, not {value!r}")
            return default
        return value

    def number(self, key, default, low, high):
        value = self.get(key, int, default)
        if not low <= value <= high:
            self.bad(key, f"{value} is not from {low} to {high}")
            return default
        return value

    def size(self, key, default=0, required=False):
        text = self.get(key, str, None, required)
        if text is None:
            return default
        match = SIZE.fullmatch(text)
        if not match:
            self.bad(key, f"'{text}' is not a size (\"512K\", \"64M\", \"1G\")")
            return default
        value = int(match[1]) * UNITS[match[2]]
        if not value or value > (ABI.MAX_GFN + 1) * PAGE:
            self.bad(key, f"'{text}' is not from 4K to {(ABI.MAX_GFN + 1) * PAGE >> 30}G")
            return default
        if value % PAGE:
            self.bad(key, f"'{text}' is not a whole number of 4K pages")
        return value

    def choice(self, key, choices, default=None):
        value = self.get(key, str, default, required=default is None)
        if value is not None and value not in choices:
            self.bad(key, f"'{value}' is not a value" + suggest(value, choices))
            return default
        return value


DOMAIN_KEYS = {"name", "kind", "kernel", "initrd", "cmdline", "mem", "kmem", "vcpus", "weight", "cap",
               "pin", "console", "uart", "privileged", "on_exit", "vtlb", "user_kernel", "watchdog",
               "restarts", "policy"} | devices.DOMAIN_KEYS


def _name(table, key="name"):
    name = table.get(key, str, None, required=True)
    if name is None:
        return ""
    if not NAME.fullmatch(name) or len(name) >= ABI.NAME_LEN:
        table.bad(key, f"'{name}' must be a lower-case letter, then letters, digits, - and _, "
                       f"at most {ABI.NAME_LEN - 1} in all")
    return name


def _pin(table, cpus):
    pin = table.get("pin", list, [])
    for cpu in pin:
        if not isinstance(cpu, int) or isinstance(cpu, bool) or not 0 <= cpu < 64:
            table.bad("pin", f"{cpu!r} is not a processor number")
            return []
        if cpus and cpu >= cpus:
            table.bad("pin", f"processor {cpu} does not exist: machine.cpus is {cpus}")
            return []
    if len(set(pin)) != len(pin):
        table.bad("pin", "names a processor twice")
    return pin


def _vtlb(table):
    value = table.data.get("vtlb", "max")
    if value == "max":
        return ABI.VTLB_MAX
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < ABI.VTLB_MAX:
        table.bad("vtlb", f"{value!r} is neither \"max\" nor a number of leaf tables from 0")
        return ABI.VTLB_MAX
    return value


def _cmdline(table):
    cmdline = table.get("cmdline", str, "")
    if not cmdline.isascii() or not cmdline.isprintable():
        table.bad("cmdline", "has characters that are not printable ASCII")
    elif len(cmdline) >= ABI.CMDLINE_MAX:
        table.bad("cmdline", f"is {len(cmdline)} characters long, at most {ABI.CMDLINE_MAX - 1}")
    else:
        return cmdline
    return ""


def _domain(data, index, cpus, has_uart, findings):
    label = data.get("name")
    table = Table(data, f"domain[{index}]", DOMAIN_KEYS, findings,
                  f" ({label})" if isinstance(label, str) else "")
    name = _name(table)
    kind = table.choice("kind", KINDS) or "newlib"
    kernel = table.get("kernel", str, "", required=True)
    mem = table.size("mem", required=True)
    if mem and mem < MIN_MEM[kind]:
        table.bad("mem", f"{mem >> 10}K is too little for a {kind} domain: "
                         f"at least {MIN_MEM[kind] >> 10}K")
    initrd = table.get("initrd", str)
    if initrd is not None and kind == "newlib":
        table.bad("initrd", "only a linux domain has one")
    if "vtlb" in data and kind == "newlib":
        table.bad("vtlb", "only a linux domain has one: newlib domains map explicitly")
    if "user_kernel" in data and kind == "newlib":
        table.bad("user_kernel", "only a linux domain has both: a newlib domain is all kernel mode")
    uart = table.get("uart", bool, False)
    functions, trusted, dma_mem = devices.domain_devices(table, kind, mem)
    return Domain(
        index=index, name=name, kind=kind, kernel=kernel, initrd=initrd, cmdline=_cmdline(table),
        mem=mem, kmem=table.size("kmem", (mem // 64 + (512 << 10) + PAGE - 1) // PAGE * PAGE),
        vcpus=table.number("vcpus", 1, 1, ABI.MAX_VCPUS),
        weight=table.number("weight", DEFAULT_WEIGHT, 1, 65535),
        cap=table.number("cap", 0, 0, 100 * ABI.MAX_VCPUS), pin=_pin(table, cpus),
        console=table.get("console", bool, has_uart and not uart), uart=uart,
        privileged=table.get("privileged", bool, False),
        on_exit=table.choice("on_exit", ON_EXIT, "report"), vtlb=_vtlb(table),
        user_kernel=table.choice("user_kernel", USER_KERNEL, "split"),
        devices=functions, dma_trusted=trusted, dma_mem=dma_mem,
        watchdog=table.number("watchdog", 0, 0, 3600),
        restarts=table.number("restarts", DEFAULT_RESTARTS, 0, 1 << 31),
        policy=network.policy(table, kind))


LINK_KINDS = {"blk": ABI.LINK_BLK, "net": ABI.LINK_NET, "rng": ABI.LINK_RNG}
LINK_KEYS = {"name", "kind", "front", "back", "window"}
KIND_KEYS = {"blk": {"size", "read_only", "device", "first"}, "net": network.LINK_KEYS, "rng": set()}
WINDOWS = {"blk": (4 * MIB, ABI.LINK_WINDOW_MIN), "net": (4 * MIB, ABI.LINK_WINDOW_MIN),
           "rng": (ABI.LINK_WINDOW_LEAST * PAGE, ABI.LINK_WINDOW_LEAST)}


def _end(table, key, domains):
    """Index of the domain an end of a link names, or None after a finding."""
    name = table.get(key, str, None, required=True)
    if name is None:
        return None
    for domain in domains:
        if domain.name == name:
            return domain.index
    table.bad(key, f"there is no domain '{name}'" + suggest(name, {d.name for d in domains}))
    return None


def _pages(table, key, default, low, high):
    size = table.size(key, default, required=default is None)
    if size and not low <= size // PAGE <= high:
        table.bad(key, f"{size >> 10}K is not from {low * PAGE >> 10}K to {high * PAGE >> 20}M")
    return size


def _disk(table, back):
    """(number of the back end's device, first byte of it, bytes) of what is behind a block device."""
    device, first = devices.link_device(table, back)
    if "device" in table.data:
        return device, first, table.size("size")
    return device, first, _pages(table, "size", None, 1, ABI.LINK_DISK_MAX)


def _link(data, index, domains, findings):
    kind = data.get("kind") if data.get("kind") in KIND_KEYS else None
    name = data.get("name", f"{data.get('kind', 'link')}{index}")
    known = LINK_KEYS | (KIND_KEYS[kind] if kind else set().union(*KIND_KEYS.values()))
    table = Table(data, f"link[{index}]", known, findings, f" ({name})")
    if "name" in data:
        name = _name(table)
    table.choice("kind", LINK_KINDS)
    front, back = _end(table, "front", domains), _end(table, "back", domains)
    if front is not None and front == back:
        table.bad("back", "is the domain at the other end")
    elif back is not None and domains[back].kind != "newlib" and (kind != "blk" or "device" not in data):
        table.bad("back", f"{domains[back].name} is a linux domain, which can be a disk with a device only")
    window, least = WINDOWS[kind or "blk"]
    disk, net = kind in (None, "blk"), kind == "net"
    device, first, size = _disk(table, None if back is None else domains[back]) if disk else (0, 0, 0)
    return Link(
        index=index, name=name, kind=kind, front=front, back=back,
        window=_pages(table, "window", window, least, ABI.LINK_WINDOW_MAX), size=size,
        read_only=table.get("read_only", bool, False), device=device, first=first,
        card=network.link_card(table, index) if net else network.Card())


def _check_links(manifest, findings):
    seen, ends = {}, {}
    for link in manifest.links:
        if link.name in seen:
            findings.add(link.path("name"), f"link[{seen[link.name]}] has this name already")
        seen.setdefault(link.name, link.index)
        for key, domain in (("front", link.front), ("back", link.back)):
            ends[domain] = ends.get(domain, 0) + 1
            if domain is not None and ends[domain] == ABI.MAX_LINKS + 1:
                findings.add(link.path(key), f"{manifest.domains[domain].name} has "
                                             f"{ABI.MAX_LINKS} links already")
    devices.check_parts(manifest.links, findings)


def _check_together(manifest, findings):
    seen = {}
    for domain in manifest.domains:
        if domain.name == "init":
            findings.add(domain.path("name"), "'init' is the root domain's own name")
        elif domain.name in seen:
            findings.add(domain.path("name"), f"domain[{seen[domain.name]}] has this name already")
        seen.setdefault(domain.name, domain.index)
    owners = [domain for domain in manifest.domains if domain.uart]
    for domain in owners[1:]:
        findings.add(domain.path("uart"), f"domain[{owners[0].index}] ({owners[0].name}) owns the "
                                          "serial line already")
    devices.check_owners(manifest.domains, findings)
    devices.check_machine(manifest.disks + manifest.cards, findings)


def _plugged(machine, key, keys, read, findings):
    """What `run` plugs into the machine: [[machine.disk]], [[machine.card]]."""
    entries = machine.get(key, list, [])
    if not all(isinstance(entry, dict) for entry in entries):
        machine.bad(key, f"must be tables, [[machine.{key}]]")
        return []
    return [read(Table(entry, f"machine.{key}[{i}]", keys, findings), i) for i, entry in enumerate(entries)]


def parse(text):
    """Manifest object of TOML `text`, or ManifestError with every finding."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestError([f"not valid TOML: {error}"]) from None
    findings = Findings()
    top = Table(data, "", {"manifest", "image", "machine", "domain", "link"}, findings)
    if top.get("manifest", int, FORMAT, required=True) != FORMAT:
        top.bad("manifest", f"this tool knows format {FORMAT}")
    for key, kind in (("image", dict), ("machine", dict), ("domain", list), ("link", list)):
        if not isinstance(data.get(key, kind()), kind):
            form = f"[[{key}]]" if kind is list else f"[{key}]"
            raise ManifestError(findings.lines + [f"{key}: must be a table, written {form}"])
    image = Table(data.get("image", {}), "image", {"name", "init"}, findings)
    machine = Table(data.get("machine", {}), "machine", {"cpus", "mem", "iommu", "disk", "card"}, findings)
    cpus = machine.number("cpus", 0, 1, 16) if "cpus" in machine.data else 0
    entries = data.get("domain", [])
    if not entries:
        findings.add("domain", "a manifest needs at least one [[domain]]")
    if len(entries) > ABI.MANIFEST_MAX_DOMAINS:
        findings.add("domain", f"{len(entries)} domains, at most {ABI.MANIFEST_MAX_DOMAINS}")
    links = data.get("link", [])
    if len(links) > ABI.MANIFEST_MAX_LINKS:
        findings.add("link", f"{len(links)} links, at most {ABI.MANIFEST_MAX_LINKS}")
    for key, tables in (("domain", entries), ("link", links)):
        for index, entry in enumerate(tables):
            if not isinstance(entry, dict):
                raise ManifestError(findings.lines
                                    + [f"{key}[{index}]: must be a table, [[{key}]]"])
    has_uart = any(entry.get("uart") is True for entry in entries)
    domains = [_domain(e, i, cpus, has_uart, findings) for i, e in enumerate(entries)]
    manifest = Manifest(
        name=_name(image), init=image.get("init", str, "init.elf"), cpus=cpus,
        mem=machine.size("mem"), iommu=machine.get("iommu", bool, False), disks=_plugged(machine, "disk", devices.DISK_KEYS, devices.machine_disk, findings),
        cards=_plugged(machine, "card", network.CARD_KEYS, network.machine_card, findings),
        domains=domains, links=[_link(e, i, domains, findings) for i, e in enumerate(links)])
    _check_together(manifest, findings)
    _check_links(manifest, findings)
    network.check_cards(manifest.links, findings)
    network.check_firewalls(manifest, findings)
    findings.stop_if_any()
    return manifest
