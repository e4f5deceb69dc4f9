# SPDX-License-Identifier: BSD-2-Clause
"""The keys that are about hardware: PCI functions of a domain, disks behind links, disks `run` plugs in."""

import dataclasses
import re

from .abi import ABI, PAGE
from .errors import suggest

ADDRESS = re.compile(r"([0-9a-f]{2}):([01][0-9a-f])\.([0-7])")
IDS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})")
CLASS = re.compile(r"class ([0-9a-f]{2})\.([0-9a-f]{2})")
DMA = {"iommu": False, "trusted": True}
DOMAIN_KEYS = {"pci", "dma", "dma_mem"}
DISK_KEYS = {"address", "file", "size", "format", "read_only", "model"}
DISK_FORMATS = {"none": "", "ext4": "ext4"}
DISK_MODELS = {"virtio": "virtio", "nvme": "nvme"}
DEFAULT_DMA_MEM = 1 << 20
MAX_LINUX_MEM = 3 << 30
DISK_ADDRESS = re.compile(r"00:([01][0-9a-f])\.0")


@dataclasses.dataclass
class Device:
    """A PCI function a domain asks for; `text` is how the manifest names it."""

    text: str
    match: int
    bdf: int = 0
    vendor: int = 0
    device: int = 0
    klass: int = 0


@dataclasses.dataclass
class MachineDisk:
    index: int
    address: str
    file: str
    size: int
    read_only: bool
    format: str = ""  # file system of an image that is made
    model: str = "virtio"  # what the machine shows it as

    def path(self, key):
        return f"machine.disk[{self.index}].{key}"


def _device(text):
    """Device of one entry of `pci`, or None."""
    if match := ADDRESS.fullmatch(text):
        bus, dev, fn = (int(part, 16) for part in match.groups())
        return Device(text, ABI.MDEV_ADDRESS, bdf=bus << 8 | dev << 3 | fn)
    if match := IDS.fullmatch(text):
        return Device(text, ABI.MDEV_IDS, vendor=int(match[1], 16), device=int(match[2], 16))
    if match := CLASS.fullmatch(text):
        return Device(text, ABI.MDEV_CLASS, klass=int(match[1] + match[2], 16))
    return None


def _dma_mem(table, kind):
    """Memory of its own for the devices of a newlib domain; those of a Linux domain reach all its RAM."""
    if kind == "linux":
        if "dma_mem" in table.data:
            table.bad("dma_mem", "only a newlib domain has it: a Linux domain's devices reach all its memory")
        return 0
    mem = table.size("dma_mem", DEFAULT_DMA_MEM)
    if mem > ABI.DMA_PAGES_MAX * PAGE:
        table.bad("dma_mem", f"{mem >> 10}K is more than {ABI.DMA_PAGES_MAX * PAGE >> 20}M")
    return mem


def domain_devices(table, kind, mem):
    """(devices, trusted, dma bytes) of a [[domain]]."""
    devices = []
    for text in table.get("pci", list, []):
        device = _device(text) if isinstance(text, str) else None
        if device is None:
            table.bad("pci", f"{text!r} is neither an address (\"00:04.0\"), nor vendor and device "
                             "(\"1af4:1042\"), nor a class (\"class 01.08\")")
        elif any(other.text == text for other in devices):
            table.bad("pci", f"names '{text}' twice")
        else:
            devices.append(device)
    if len(devices) > ABI.MAX_DEVICES:
        table.bad("pci", f"{len(devices)} devices, at most {ABI.MAX_DEVICES}")
    if devices and kind == "linux" and mem > MAX_LINUX_MEM:
        table.bad("mem", f"{mem >> 20}M is too much for a linux domain with pci: at most {MAX_LINUX_MEM >> 20}M, "
                         "its devices' registers lie above")
    for key in ("dma", "dma_mem"):
        if key in table.data and "pci" not in table.data:
            table.bad(key, "only a domain with pci has it")
    trusted = DMA.get(table.choice("dma", DMA, "iommu"), False)
    return devices, trusted, _dma_mem(table, kind) if devices else 0


def link_device(table, back):
    """(number of the back end's device behind a link counted from 1, first byte), or (0, 0)."""
    text = table.get("device", str)
    if text is None:
        if "first" in table.data:
            table.bad("first", "only a link with a device has it")
        return 0, 0
    first = table.size("first") if "first" in table.data else 0
    if back is None:
        return 0, first
    known = [device.text for device in back.devices]
    if text not in known:
        table.bad("device", f"{back.name} has no device '{text}' in its pci"
                  + (suggest(text, known) if known else ""))
        return 0, first
    return known.index(text) + 1, first


def check_parts(links, findings):
    """No byte of a disk belongs to two links, unless both only read it."""
    for link in links:
        for other in links[:link.index]:
            if (not link.device or (link.back, link.device) != (other.back, other.device)
                    or (link.read_only and other.read_only)):
                continue
            ends = [part.first + part.size if part.size else float("inf") for part in (link, other)]
            if link.first < ends[1] and other.first < ends[0]:
                findings.add(link.path("device"), f"link[{other.index}] ({other.name}) has the same "
                                                  "part of it, or some of it")


def check_owners(domains, findings):
    """An address belongs to one domain."""
    owners = {}
    for domain in domains:
        for device in domain.devices:
            if device.match != ABI.MDEV_ADDRESS:
                continue
            if device.bdf in owners:
                findings.add(domain.path("pci"), f"domain {owners[device.bdf]} has '{device.text}' "
                                                 "already")
            owners.setdefault(device.bdf, domain.name)
    if sum(len(domain.devices) for domain in domains) > ABI.MANIFEST_MAX_DEVICES:
        findings.add("domain", f"more than {ABI.MANIFEST_MAX_DEVICES} devices in all")


def machine_disk(table, index):
    address = table.get("address", str, "", required=True)
    if address and not DISK_ADDRESS.fullmatch(address):
        table.bad("address", f"'{address}' is not a slot of the first bus (\"00:04.0\")")
    file = table.get("file", str, "", required=True)
    disk = MachineDisk(index=index, address=address, file=file, size=table.size("size"),
                       read_only=table.get("read_only", bool, False),
                       format=DISK_FORMATS.get(table.choice("format", DISK_FORMATS, "none"), ""),
                       model=table.choice("model", DISK_MODELS, "virtio"))
    if disk.read_only and disk.model == "nvme":
        table.bad("read_only", "QEMU has no NVMe disk that takes no writes")
    return disk


def check_machine(disks, findings):
    seen = {}
    for disk in disks:
        if disk.address in seen:
            findings.add(disk.path("address"), f"{seen[disk.address]} is there already")
        seen.setdefault(disk.address, disk.path("address").rsplit(".", 1)[0])


def device_bytes(domain):
    """The manifest_device entries of a domain."""
    return b"".join(
        ABI.pack("manifest_device", domain=domain.index, match=device.match, bdf=device.bdf,
                 vendor=device.vendor, device=device.device, **{"class": device.klass})
        for device in domain.devices)
