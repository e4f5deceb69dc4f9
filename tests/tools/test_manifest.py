# SPDX-License-Identifier: BSD-2-Clause
"""The manifest tool: every complaint it can make, and images that the C validator accepts."""

import gzip
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from manifest import files, lower, schema  # noqa: E402
from manifest.abi import ABI, PAGE  # noqa: E402
from manifest.errors import Findings, ManifestError  # noqa: E402

HEAD = 'manifest = 1\n[image]\nname = "t"\n'
NEWLIB = '[[domain]]\nname = "a"\nkind = "newlib"\nkernel = "a.elf"\nmem = "1M"\n'
LINUX = '[[domain]]\nname = "vm"\nkind = "linux"\nkernel = "bzImage"\nmem = "32M"\n'


def make_elf(vaddr=0x400000, size=200, flags=5, note=None, segments=1, memsz=None):
    """A small static executable; `note` becomes a PT_NOTE."""
    phnum = segments + (note is not None)
    offset = 64 + 56 * phnum
    body = b"\x90" * size
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, vaddr, 64, 999, 0, 64, 56, phnum, 64, 9, 8)
    table = b""
    for i in range(segments):
        table += struct.pack("<IIQQQQQQ", 1, flags, offset, vaddr + i * PAGE, vaddr + i * PAGE, size,
                             memsz or size, PAGE)
    if note is not None:
        table += struct.pack("<IIQQQQQQ", 4, 4, offset + size, 0, 0, len(note), len(note), 4)
        body += note
    return head + table + body + b"sections and symbols"


def ringfence_note():
    return struct.pack("<III", 10, 8, 1) + b"ringfence\0\0\0" + struct.pack("<Q", 0xffffffff81000000)


def make_bzimage(vmlinux, cut=0):
    payload = gzip.compress(vmlinux)
    size = (len(payload) + 15) // 16 * 16
    setup = bytearray(1024)
    setup[0x1f1] = 1
    struct.pack_into("<I", setup, 0x1f4, size // 16)
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, 0x20f)
    struct.pack_into("<II", setup, 0x248, 0, len(payload))
    data = bytes(setup) + payload.ljust(size, b"\0")
    return data[:len(data) - cut]


class Complaints(unittest.TestCase):
    """Bad manifests: key path and reason."""

    def says(self, text, *expected):
        with self.assertRaises(ManifestError) as caught:
            schema.parse(text)
        for line in expected:
            self.assertIn(line, caught.exception.findings)

    def test_syntax(self):
        with self.assertRaises(ManifestError) as caught:
            schema.parse("manifest = ")
        self.assertIn("not valid TOML", str(caught.exception))

    def test_top_level(self):
        self.says(NEWLIB, "manifest: is missing", "image.name: is missing")
        self.says("manifest = 2\n" + NEWLIB, "manifest: this tool knows format 1")
        self.says(HEAD, "domain: a manifest needs at least one [[domain]]")
        self.says(HEAD + '[domain]\nname = "a"', "domain: must be a table, written [[domain]]")
        self.says("image = 3\nmanifest = 1", "image: must be a table, written [image]")
        self.says(HEAD + "[[domian]]\n" + NEWLIB,
                  "domian: unknown key (did you mean 'domain'?)")
        self.says(HEAD + "[machine]\ncpus = 17\n" + NEWLIB, "machine.cpus: 17 is not from 1 to 16")

    def test_unknown_key(self):
        self.says(HEAD + NEWLIB + "weigth = 3",
                  "domain[0].weigth (a): unknown key (did you mean 'weight'?)")
        with self.assertRaises(ManifestError) as caught:
            schema.parse(HEAD + NEWLIB + "zzz = 3")
        self.assertIn("domain[0].zzz (a): unknown key (known: cap, cmdline", str(caught.exception))

    def test_types(self):
        self.says(HEAD + NEWLIB + 'vcpus = "2"', "domain[0].vcpus (a): must be a number, not '2'")
        self.says(HEAD + NEWLIB + "vcpus = true", "domain[0].vcpus (a): must be a number, not True")
        self.says(HEAD + NEWLIB + "uart = 1", "domain[0].uart (a): must be true or false, not 1")
        self.says(HEAD + NEWLIB + "cmdline = 1", "domain[0].cmdline (a): must be text in quotes, not 1")
        self.says(HEAD + NEWLIB + "pin = 1", "domain[0].pin (a): must be a list, not 1")

    def test_names(self):
        self.says(HEAD + NEWLIB.replace('"a"\n', '"A"\n', 1),
                  "domain[0].name (A): 'A' must be a lower-case letter, then letters, digits, - and _, "
                  "at most 31 in all")
        self.says(HEAD + NEWLIB + NEWLIB, "domain[1].name (a): domain[0] has this name already")
        self.says(HEAD + NEWLIB.replace('"a"\n', '"init"\n', 1),
                  "domain[0].name (init): 'init' is the root domain's own name")
        self.says(HEAD + '[[domain]]\nkind = "newlib"\nkernel = "k"\nmem = "1M"',
                  "domain[0].name: is missing")

    def test_choices(self):
        self.says(HEAD + NEWLIB.replace('"newlib"', '"linx"'),
                  "domain[0].kind (a): 'linx' is not a value (did you mean 'linux'?)")
        self.says(HEAD + NEWLIB + 'on_exit = "restrat"',
                  "domain[0].on_exit (a): 'restrat' is not a value (did you mean 'restart'?)")

    def test_sizes(self):
        def with_mem(text):
            return HEAD + NEWLIB.replace('"1M"', f'"{text}"')
        self.says(with_mem("lots"),
                  "domain[0].mem (a): 'lots' is not a size (\"512K\", \"64M\", \"1G\")")
        self.says(with_mem("0M"), "domain[0].mem (a): '0M' is not from 4K to 512G")
        self.says(with_mem("513G"), "domain[0].mem (a): '513G' is not from 4K to 512G")
        self.says(with_mem("5K"), "domain[0].mem (a): '5K' is not a whole number of 4K pages")
        self.says(with_mem("32K"),
                  "domain[0].mem (a): 32K is too little for a newlib domain: at least 64K")
        self.says(HEAD + LINUX.replace("32M", "8M"),
                  "domain[0].mem (vm): 8192K is too little for a linux domain: at least 16384K")

    def test_ranges(self):
        self.says(HEAD + NEWLIB + "vcpus = 0", "domain[0].vcpus (a): 0 is not from 1 to 16")
        self.says(HEAD + NEWLIB + "weight = 65536", "domain[0].weight (a): 65536 is not from 1 to 65535")
        self.says(HEAD + NEWLIB + "cap = -1", "domain[0].cap (a): -1 is not from 0 to 1600")
        self.says(HEAD + LINUX + "vtlb = -1",
                  "domain[0].vtlb (vm): -1 is neither \"max\" nor a number of leaf tables from 0")
        self.says(HEAD + LINUX + 'user_kernel = "fuse"',
                  "domain[0].user_kernel (vm): 'fuse' is not a value (did you mean 'fused'?)")

    def test_pin(self):
        self.says(HEAD + NEWLIB + "pin = [1, 1]", "domain[0].pin (a): names a processor twice")
        self.says(HEAD + NEWLIB + "pin = [64]", "domain[0].pin (a): 64 is not a processor number")
        self.says(HEAD + "[machine]\ncpus = 2\n" + NEWLIB + "pin = [2]",
                  "domain[0].pin (a): processor 2 does not exist: machine.cpus is 2")

    def test_combinations(self):
        self.says(HEAD + NEWLIB + 'initrd = "x"', "domain[0].initrd (a): only a linux domain has one")
        self.says(HEAD + NEWLIB + "vtlb = 64",
                  "domain[0].vtlb (a): only a linux domain has one: newlib domains map explicitly")
        self.says(HEAD + NEWLIB + 'user_kernel = "split"',
                  "domain[0].user_kernel (a): only a linux domain has both: a newlib domain is all kernel mode")
        self.says(HEAD + NEWLIB + "uart = true\n" + NEWLIB.replace('"a"\n', '"b"\n', 1) + "uart = true",
                  "domain[1].uart (b): domain[0] (a) owns the serial line already")

    def test_links(self):
        two = HEAD + NEWLIB + NEWLIB.replace('"a"\n', '"b"\n', 1) + LINUX
        link = '[[link]]\nkind = "blk"\nfront = "vm"\nback = "a"\nsize = "4M"\n'
        parsed = schema.parse(two + link + link.replace('"vm"', '"b"') + 'name = "x"\n').links
        self.assertEqual([(p.name, p.front, p.back, p.window) for p in parsed],
                         [("blk0", 2, 0, 4 << 20), ("x", 1, 0, 4 << 20)])
        self.says(two + "[link]\nx = 1", "link: must be a table, written [[link]]")
        self.says(two + "[[link]]\n", "link[0].kind (link0): is missing",
                  "link[0].front (link0): is missing", "link[0].back (link0): is missing",
                  "link[0].size (link0): is missing")
        self.says(two + link + "seize = 1",
                  "link[0].seize (blk0): unknown key (did you mean 'size'?)")
        self.says(two + link.replace('"blk"', '"blok"'),
                  "link[0].kind (blok0): 'blok' is not a value (did you mean 'blk'?)")
        self.says(two + link.replace('"vm"', '"vn"'),
                  "link[0].front (blk0): there is no domain 'vn' (known: a, b, vm)")
        self.says(two + link.replace('"vm"', '"a"'),
                  "link[0].back (blk0): is the domain at the other end")
        self.says(two + link.replace('"a"', '"vm"').replace('"vm"', '"b"', 1),
                  "link[0].back (blk0): vm is a linux domain, which can be a disk with a device only")
        self.says(two + link.replace("4M", "129M"),
                  "link[0].size (blk0): 132096K is not from 4K to 128M")
        self.says(two + link + 'window = "128K"',
                  "link[0].window (blk0): 128K is not from 2048K to 64M")
        self.says(two + link + 'name = "y"\n' + link + 'name = "y"',
                  "link[1].name (y): link[0] has this name already")
        self.says(two + link * 17, "link[16].front (blk16): vm has 16 links already",
                  "link[16].back (blk16): a has 16 links already")
        self.says(two + link * 33, "link: 33 links, at most 32")

    def test_devices(self):
        two = HEAD + NEWLIB + 'pci = ["00:04.0", "1af4:1042", "class 01.08"]\n' + \
            NEWLIB.replace('"a"\n', '"b"\n', 1) + LINUX
        parsed = schema.parse(two)
        self.assertEqual([(d.match, d.bdf, d.vendor, d.device, d.klass)
                          for d in parsed.domains[0].devices],
                         [(0, 0x20, 0, 0, 0), (1, 0, 0x1af4, 0x1042, 0), (2, 0, 0, 0, 0x108)])
        self.assertEqual((parsed.domains[0].dma_mem, parsed.domains[0].dma_trusted), (1 << 20, False))
        one = HEAD + NEWLIB
        form = 'is neither an address ("00:04.0"), nor vendor and device ("1af4:1042"), ' \
               'nor a class ("class 01.08")'
        for bad in ("0:4.0", "00:20.0", "00:04.8", "1af4:104", "class 1.8", "", "00:04.0 "):
            self.says(one + f'pci = ["{bad}"]', f"domain[0].pci (a): '{bad}' {form}")
        self.says(one + "pci = [4]", f"domain[0].pci (a): 4 {form}")
        self.says(one + 'pci = ["00:04.0", "00:04.0"]', "domain[0].pci (a): names '00:04.0' twice")
        self.says(one + "pci = [" + ",".join(f'"00:{n:02x}.0"' for n in range(9)) + "]",
                  "domain[0].pci (a): 9 devices, at most 8")
        linux = schema.parse(HEAD + LINUX + 'pci = ["00:04.0"]').domains[0]
        self.assertEqual((len(linux.devices), linux.dma_mem), (1, 0))
        self.says(HEAD + LINUX + 'pci = ["00:04.0"]\ndma_mem = "1M"',
                  "domain[0].dma_mem (vm): only a newlib domain has it: a Linux domain's devices reach all its memory")
        self.says(HEAD + LINUX.replace('"32M"', '"3073M"') + 'pci = ["00:04.0"]',
                  "domain[0].mem (vm): 3073M is too much for a linux domain with pci: at most 3072M, its devices' "
                  "registers lie above")
        self.says(one + 'dma = "trusted"\ndma_mem = "1M"',
                  "domain[0].dma (a): only a domain with pci has it",
                  "domain[0].dma_mem (a): only a domain with pci has it")
        self.says(one + 'pci = ["00:04.0"]\ndma = "trust"',
                  "domain[0].dma (a): 'trust' is not a value (did you mean 'trusted'?)")
        self.says(one + 'pci = ["00:04.0"]\ndma_mem = "65M"',
                  "domain[0].dma_mem (a): 66560K is more than 64M")
        self.says(one + 'pci = ["00:04.0"]\n' + NEWLIB.replace('"a"\n', '"b"\n', 1)
                  + 'pci = ["00:04.0"]', "domain[1].pci (b): domain a has '00:04.0' already")

    def test_link_devices(self):
        two = HEAD + NEWLIB + 'pci = ["00:04.0", "1af4:1042"]\n' + LINUX
        link = '[[link]]\nkind = "blk"\nfront = "vm"\nback = "a"\ndevice = "1af4:1042"\n'
        part = schema.parse(two + link + 'first = "1M"\nsize = "3M"').links[0]
        self.assertEqual((part.device, part.first, part.size), (2, 1 << 20, 3 << 20))
        self.assertEqual(schema.parse(two + link).links[0].size, 0)
        self.says(two + link.replace("1042", "1043"),
                  "link[0].device (blk0): a has no device '1af4:1043' in its pci "
                  "(did you mean '1af4:1042'?)")
        self.says(two + link.replace('device = "1af4:1042"', 'first = "1M"\nsize = "1M"'),
                  "link[0].first (blk0): only a link with a device has it")
        again = "link[1].device (blk1): link[0] (blk0) has the same part of it, or some of it"
        self.says(two + link + link, again)
        self.says(two + link + 'size = "2M"\n' + link + 'first = "1M"\nsize = "2M"\n', again)
        schema.parse(two + link + 'size = "1M"\n' + link + 'first = "1M"\n')
        schema.parse(two + (link + "read_only = true\n") * 2)

    def test_machine_disks(self):
        disk = '[[machine.disk]]\naddress = "00:04.0"\nfile = "d.img"\nsize = "64M"\n'
        parsed = schema.parse(HEAD + disk + NEWLIB).disks[0]
        self.assertEqual((parsed.address, parsed.file, parsed.size, parsed.read_only),
                         ("00:04.0", "d.img", 64 << 20, False))
        self.assertEqual((parsed.format, schema.parse(HEAD + disk + 'format = "ext4"\n' + NEWLIB).disks[0].format),
                         ("", "ext4"))
        self.assertEqual((parsed.model, schema.parse(HEAD + disk + 'model = "nvme"\n' + NEWLIB).disks[0].model),
                         ("virtio", "nvme"))
        self.says(HEAD + disk + 'model = "nvm"\n' + NEWLIB,
                  "machine.disk[0].model: 'nvm' is not a value (did you mean 'nvme'?)")
        self.says(HEAD + disk + 'model = "nvme"\nread_only = true\n' + NEWLIB,
                  "machine.disk[0].read_only: QEMU has no NVMe disk that takes no writes")
        self.says(HEAD + disk + 'format = "ext3"\n' + NEWLIB,
                  "machine.disk[0].format: 'ext3' is not a value (did you mean 'ext4'?)")
        self.assertTrue(schema.parse(HEAD + "[machine]\niommu = true\n" + NEWLIB).iommu)
        self.says(HEAD + "[machine]\niommu = 1\n" + NEWLIB,
                  "machine.iommu: must be true or false, not 1")
        self.says(HEAD + "[machine]\ndisk = [1]\n" + NEWLIB,
                  "machine.disk: must be tables, [[machine.disk]]")
        self.says(HEAD + "[[machine.disk]]\nfil = 1\n" + NEWLIB,
                  "machine.disk[0].fil: unknown key (did you mean 'file'?)",
                  "machine.disk[0].address: is missing", "machine.disk[0].file: is missing")
        self.says(HEAD + disk.replace("00:04.0", "01:04.0") + NEWLIB,
                  "machine.disk[0].address: '01:04.0' is not a slot of the first bus (\"00:04.0\")")
        self.says(HEAD + disk + disk + NEWLIB,
                  "machine.disk[1].address: machine.disk[0] is there already")

    def test_network_links(self):
        two = HEAD + NEWLIB + NEWLIB.replace('"a"\n', '"b"\n', 1) + LINUX
        link = '[[link]]\nkind = "net"\nfront = "vm"\nback = "a"\n'
        other = link.replace('"vm"', '"b"')
        parsed = schema.parse(two + link + 'ip = "10.0.0.1/24"\n' + other + 'mac = "02:00:00:00:00:0a"\n')
        self.assertEqual([(p.name, p.card.mac.hex(":"), str(p.card.ip), p.size) for p in parsed.links],
                         [("net0", "02:52:46:00:00:01", "10.0.0.1/24", 0),
                          ("net1", "02:00:00:00:00:0a", "None", 0)])
        for key, value, reason in (
                ("mac", "2:0:0:0:0:1", "'2:0:0:0:0:1' is not a MAC address like \"02:52:46:00:00:01\""),
                ("mac", "03:00:00:00:00:01", "03:00:00:00:00:01 is the address of a group"),
                ("ip", "10.0.0.1", "'10.0.0.1' is not an address with its network, like \"10.0.0.1/24\""),
                ("ip", "10.0.0.0/24", "10.0.0.0 stands for the network 10.0.0.0/24 or for all of it"),
                ("ip", "127.0.0.1/8", "127.0.0.1 is not the address of one station")):
            self.says(two + link + f'{key} = "{value}"', f"link[0].{key} (net0): {reason}")
        self.says(two + link + 'size = "1M"',
                  "link[0].size (net0): unknown key (known: back, dns, front, gateway, ip, kind, mac, "
                  "name, uplink, window)")
        same = 'mac = "02:00:00:00:00:01"\nip = "10.0.0.1/24"\n'
        self.says(two + link + same + other + same,
                  "link[1].mac (net1): link[0] (net0) has 02:00:00:00:00:01 already",
                  "link[1].ip (net1): link[0] (net0) has 10.0.0.1 already")

    def test_network_words(self):
        manifest = schema.parse(
            HEAD + NEWLIB + LINUX + LINUX.replace('"vm"', '"vm2"')
            + '[[link]]\nkind = "blk"\nfront = "vm"\nback = "a"\nsize = "4M"\n'
            + "".join(f'[[link]]\nkind = "net"\nfront = "{vm}"\nback = "a"\nip = "10.0.0.{i}/24"\n'
                      for i, vm in enumerate(("vm", "vm2"), 1)))
        lines = lower.command_lines(manifest, Findings())
        hosts = "rf.hosts=vm:10.0.0.1,vm2:10.0.0.2"
        self.assertEqual(lines[0], "")
        self.assertTrue(lines[1].endswith("rf.net=1:10.0.0.1/24 " + hosts))
        self.assertTrue(lines[2].endswith("rf.net=0:10.0.0.2/24 " + hosts))

    def firewall(self, policy='["allow tcp any 80"]', inside="uplink = true", outside='gateway = "10.0.2.2"',
                 network="10.0.2.15/24"):
        """A VM on a's switch, b the firewall between that and c's."""
        link = '[[link]]\nkind = "net"\nfront = "{}"\nback = "{}"\nip = "{}"\n{}\n'
        return (HEAD + NEWLIB + NEWLIB.replace('"a"\n', f'"b"\npolicy = {policy}\n', 1)
                + NEWLIB.replace('"a"\n', '"c"\n', 1) + LINUX + link.format("vm", "a", "10.0.0.1/24", "")
                + link.format("b", "a", "10.0.0.254/24", inside) + link.format("b", "c", network, outside))

    def test_firewall(self):
        manifest = schema.parse(self.firewall(
            '["allow tcp 10.0.2.2 80-90 from 10.0.0.0/25", "deny any 10.0.0.0/8", "allow icmp any", "allow udp any 53"]',
            outside='gateway = "10.0.2.2"\ndns = "10.0.2.3"'))
        lines = lower.command_lines(manifest, Findings())
        self.assertEqual(lines[0], "uplink=net1")
        self.assertEqual(lines[1], "net=0:10.0.0.254/24,1:10.0.2.15/24 gateway=1:10.0.2.2 policy="
                         "allow,tcp,10.0.2.2/32,80-90,10.0.0.0/25;deny,any,10.0.0.0/8,0-65535,0.0.0.0/0;"
                         "allow,icmp,0.0.0.0/0,0-65535,0.0.0.0/0;allow,udp,0.0.0.0/0,53-53,0.0.0.0/0")
        self.assertEqual(lines[2], "")
        self.assertTrue(lines[3].endswith("rf.hosts=vm:10.0.0.1,b:10.0.0.254 rf.gw=10.0.0.254 rf.dns=10.0.2.3"))
        alone = HEAD + NEWLIB + LINUX + '[[link]]\nkind = "net"\nfront = "vm"\nback = "a"\nip = "10.0.2.15/24"\n'
        lines = lower.command_lines(schema.parse(alone + 'gateway = "10.0.2.2"'), Findings())
        self.assertTrue(lines[1].endswith("rf.hosts=vm:10.0.2.15 rf.gw=10.0.2.2"))

    def test_dhcp(self):
        """The address of the way out is asked for; stations ask the firewall for names, unless somebody is named."""
        lines = lower.command_lines(schema.parse(self.firewall(outside="", network="dhcp")), Findings())
        self.assertTrue(lines[1].startswith("net=0:10.0.0.254/24,1:dhcp policy=allow,tcp"), lines[1])
        self.assertTrue(lines[3].endswith("rf.hosts=vm:10.0.0.1,b:10.0.0.254 rf.gw=10.0.0.254 rf.dns=10.0.0.254"))
        lines = lower.command_lines(schema.parse(self.firewall(outside='dns = "9.9.9.9"', network="dhcp")), Findings())
        self.assertTrue(lines[3].endswith("rf.gw=10.0.0.254 rf.dns=9.9.9.9"))
        self.says(self.firewall(network="dhcp"), "link[2].gateway (net2): comes with the address, from DHCP")
        self.says(self.firewall(network="dhcp", outside="uplink = true"),
                  "link[2].ip (net2): an uplink is the router of its network and has an address")
        self.says(self.firewall(outside="", network="dhcp").replace('"10.0.0.1/24"', '"dhcp"'),
                  "link[0].ip (net0): only a firewall asks for an address")

    def test_bad_firewalls(self):
        for rule, reason in (
                ("permit tcp any", 'is no rule like "allow tcp 10.0.2.2 80-88 from 10.0.0.0/24"'),
                ("allow tcp", 'is no rule like "allow tcp 10.0.2.2 80-88 from 10.0.0.0/24"'),
                ("allow sctp any", "'sctp' is neither tcp, udp, icmp nor any"),
                ("allow tcp any 90-80", "'90-80' is no port, nor a range of ports, of tcp"),
                ("allow tcp any 65536", "'65536' is no port, nor a range of ports, of tcp"),
                ("allow icmp any 8", "'8' is no port, nor a range of ports, of icmp"),
                ("allow tcp 10.0.0.1/24", "10.0.0.1/24 has host bits set")):
            self.says(self.firewall(f'["{rule}"]'), f"domain[1].policy (b): '{rule}': {reason}")
        self.says(self.firewall("[" + '"deny any any",' * 33 + "]"), "domain[1].policy (b): 33 rules, at most 32")
        needs = ("domain[1].policy (b): a firewall has two net links: one with `uplink` and `ip`, one with `ip` and "
                 "`gateway`")
        self.says(self.firewall(inside=""), needs)
        self.says(self.firewall(outside=""), needs)
        self.says(self.firewall(network="10.0.2.15/16"), "domain[1].policy (b): its two links are one network")
        self.says(self.firewall(outside='gateway = "10.0.3.2"'),
                  "link[2].gateway (net2): 10.0.3.2 is no neighbour in the network of this link's `ip`")
        self.says(self.firewall(outside='gateway = "x"'), "link[2].gateway (net2): 'x' is not an address like "
                  "\"10.0.2.2\"", needs)
        self.says(self.firewall(inside='uplink = true\ndns = "10.0.2.3"'),
                  "link[1].dns (net1): only a link with a gateway has it")
        self.says(HEAD + NEWLIB + LINUX + "policy = []",
                  "domain[1].policy (vm): only a newlib domain, the firewall, has it",
                  "domain[1].policy (vm): a firewall has two net links: one with `uplink` and `ip`, one with `ip` and "
                  "`gateway`")
        two = self.firewall().replace('front = "vm"\nback = "a"', 'front = "vm"\nback = "a"\nuplink = true')
        self.says(two, "link[1].uplink (net1): link[0] (net0) has one already")

    def test_machine_cards(self):
        card = '[[machine.card]]\naddress = "00:05.0"\n'
        parsed = schema.parse(HEAD + card + NEWLIB).cards[0]
        self.assertEqual((parsed.address, parsed.mac, parsed.model), ("00:05.0", "52:54:00:12:34:56", "virtio"))
        self.assertEqual(schema.parse(HEAD + card + 'model = "e1000e"\n' + NEWLIB).cards[0].model, "e1000e")
        self.says(HEAD + card + 'model = "e1000"\n' + NEWLIB,
                  "machine.card[0].model: 'e1000' is not a value (did you mean 'e1000e'?)")
        self.says(HEAD + card.replace("5.0", "5.1") + NEWLIB,
                  "machine.card[0].address: '00:05.1' is not a slot of the first bus (\"00:05.0\")")
        self.says(HEAD + card + 'mac = "01:00:00:00:00:00"\n' + NEWLIB,
                  "machine.card[0].mac: 01:00:00:00:00:00 is the address of a group")
        disk = '[[machine.disk]]\naddress = "00:05.0"\nfile = "d"\n'
        self.says(HEAD + disk + card + NEWLIB, "machine.card[0].address: machine.disk[0] is there already")

    def test_command_line(self):
        self.says(HEAD + NEWLIB + 'cmdline = "\\n"',
                  "domain[0].cmdline (a): has characters that are not printable ASCII")
        self.says(HEAD + NEWLIB + f'cmdline = "{"x" * 2048}"',
                  "domain[0].cmdline (a): is 2048 characters long, at most 2047")

    def test_everything_at_once(self):
        self.says(HEAD + NEWLIB + "vcpus = 0\nweight = 0\nbogus = 1",
                  "domain[0].vcpus (a): 0 is not from 1 to 16",
                  "domain[0].weight (a): 0 is not from 1 to 65535")

    def test_too_many(self):
        text = HEAD + "".join(NEWLIB.replace('"a"\n', f'"a{i}"\n', 1) for i in range(65))
        self.says(text, "domain: 65 domains, at most 64")


class Defaults(unittest.TestCase):
    def test_values(self):
        manifest = schema.parse(HEAD + NEWLIB + "uart = true\n" + LINUX)
        service, guest = manifest.domains
        self.assertFalse(service.console)
        self.assertTrue(guest.console)
        self.assertEqual(guest.vtlb, ABI.VTLB_MAX)
        self.assertEqual(guest.kmem, (32 << 20) // 64 + (512 << 10))
        self.assertEqual((guest.vcpus, guest.weight, guest.cap, guest.on_exit),
                         (1, 256, 0, "report"))

    def test_user_kernel(self):
        flags = [lower._flags(schema.parse(HEAD + LINUX + line).domains[0])
                 for line in ("", 'user_kernel = "split"', 'user_kernel = "fused"')]
        self.assertEqual([value & ABI.MDOM_FUSED for value in flags], [0, 0, ABI.MDOM_FUSED])

    def test_no_console_without_a_service(self):
        self.assertFalse(schema.parse(HEAD + LINUX).domains[0].console)

    def test_shipped_manifests(self):
        for path in sorted((ROOT / "images").glob("*.toml")):
            with self.subTest(path.name):
                schema.parse(path.read_text())


class Lowering(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.dir = pathlib.Path(self.temp.name)
        self.put("init.elf", make_elf())
        self.put("a.elf", make_elf(size=300))
        self.put("bzImage", make_bzimage(make_elf(0x200000, 5000, note=ringfence_note())))
        self.put("shell.cpio", b"070701" * 100)

    def put(self, name, data):
        (self.dir / name).write_bytes(data)

    def lower(self, text, mem=0):
        return lower.lower(schema.parse(HEAD + text), self.dir, self.dir, mem)[0]

    def says(self, text, expected, mem=0):
        with self.assertRaises(ManifestError) as caught:
            self.lower(text, mem)
        self.assertIn(expected, str(caught.exception))

    def entries(self, image):
        header = ABI.unpack("image_header", image)
        return [ABI.unpack("image_entry", image, 64 + 64 * i) for i in range(header["count"])]

    def test_good_image(self):
        image = self.lower(NEWLIB + LINUX + 'initrd = "shell.cpio"\n'
                           + LINUX.replace('"vm"', '"vm2"') + 'initrd = "shell.cpio"\n')
        entries = self.entries(image)
        self.assertEqual([e["name"] for e in entries],
                         ["init", "manifest", "a.elf", "bzImage", "shell.cpio"])
        blob = image[entries[1]["offset"]:][:entries[1]["size"]]
        self.assertEqual(ABI.unpack("manifest_header", blob)["domains"], 3)
        second = ABI.unpack("manifest_domain", blob, 128 + 240)
        self.assertEqual((second["name"], second["kernel_entry"], second["initrd_entry"]),
                         ("vm2", 3, 4))

    def test_c_validator_agrees(self):
        checker = os.environ.get("IMAGE_CHECK")
        if not checker:
            self.skipTest("IMAGE_CHECK does not name the host program")
        path = self.dir / "out.img"
        path.write_bytes(self.lower(NEWLIB + LINUX + 'initrd = "shell.cpio"\ncmdline = "a b"\n'))
        result = subprocess.run([checker, str(path)], text=True, capture_output=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        path.write_bytes(path.read_bytes()[:-4096])
        result = subprocess.run([checker, str(path)], text=True, capture_output=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("truncated", result.stderr)

    def test_reproducible(self):
        self.assertEqual(self.lower(NEWLIB), self.lower(NEWLIB))

    def test_symbols_are_dropped(self):
        image = self.lower(NEWLIB)
        self.assertNotIn(b"sections and symbols", image)

    def test_missing_file(self):
        self.says(NEWLIB.replace("a.elf", "b.elf"), "domain[0].kernel (a): no file 'b.elf'")
        self.says(LINUX + 'initrd = "none"', "domain[0].initrd (vm): no file 'none'")

    def test_truncated_bzimage(self):
        self.put("bzImage", make_bzimage(make_elf(0x200000, 5000), cut=100))
        self.says(LINUX, "is truncated: its header promises")

    def test_damaged_bzimage(self):
        data = bytearray(make_bzimage(make_elf(0x200000, 5000)))
        data[1040:1060] = b"\xff" * 20
        self.put("bzImage", bytes(data))
        self.says(LINUX, "has a damaged payload")

    def test_not_a_kernel(self):
        self.put("bzImage", b"#!/bin/sh\n")
        self.says(LINUX, "is neither an ELF file nor a bzImage")

    def test_not_for_ringfence(self):
        self.put("bzImage", make_bzimage(make_elf(0x200000, 5000)))
        self.says(LINUX, "is not built for Ringfence")

    def test_truncated_elf(self):
        self.put("a.elf", make_elf(size=3000)[:2000])
        self.says(NEWLIB, "is truncated: a segment needs")

    def test_bad_elf(self):
        cases = [(make_elf()[:30], "is not an ELF file"), (make_elf(0x1000), "is linked at 0x1000"),
                 (make_elf(flags=7), "writable and executable"), (make_elf(flags=6), "is not code"),
                 (make_elf(segments=2, size=PAGE + 1), "overlapping segments"),
                 (make_elf(memsz=8 << 20), "the domain has 1024K"),
                 (make_elf(memsz=10), "larger in the file than in memory")]
        for data, expected in cases:
            with self.subTest(expected):
                self.put("a.elf", data)
                self.says(NEWLIB, expected)

    def test_too_little_memory(self):
        self.put("shell.cpio", b"x" * (40 << 20))
        self.says(LINUX + 'initrd = "shell.cpio"', "needs at least 47M with its initrd")

    def test_machine_too_small(self):
        self.says(LINUX, "machine.mem: needs ", mem=32 << 20)
        self.says('[machine]\nmem = "16M"\n' + NEWLIB, "has 16M")
        self.lower(LINUX, mem=256 << 20)

    def test_payloads(self):
        self.assertEqual(files._decompress(gzip.compress(b"abc")), b"abc")
        with self.assertRaises(files.FileError):
            files._decompress(b"garbage")


if __name__ == "__main__":
    unittest.main()
