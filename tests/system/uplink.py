#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The network to the world: a VM behind a switch, a firewall, a driver domain and a card, and a server on the
loopback interface of the machine that runs QEMU, which its user network shows as 10.0.2.2."""

import contextlib
import functools
import hashlib
import http.server
import os
import pathlib
import random
import re
import socket
import struct
import sys
import tempfile
import threading

import deaths
import harness
import talk
import wire
from harness import case, link, nightly, service, status, vm
from manifest.network import MachineCard
from ringfence import cards, qemu

SLOT = "00:05.0"
MAC = "52:54:00:12:34:56"
UP = "until ip route 2>/dev/null | grep -q default; do sleep 1; done; "
Q35 = ("-machine", "q35", *qemu.IOMMU)


class _Web(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        """Answers with the sum of what was sent. Stops in the middle if somebody wants that."""
        length, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        left, pause = length, self.server.pause
        while left and (data := self.rfile.read(min(left, 1 << 16))):
            digest.update(data)
            left -= len(data)
            if pause and left < length // 2:
                pause.reached.set()
                pause.go.wait(talk.LIMIT)
        answer = digest.hexdigest().encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Pause:
    """The middle of a file that is sent to the server."""

    def __init__(self):
        self.reached, self.go = threading.Event(), threading.Event()


@contextlib.contextmanager
def web(megabytes, pause=None):
    """(port, SHA-256 of /data) of a server on the loopback interface."""
    with tempfile.TemporaryDirectory(prefix="web") as directory:
        data = random.Random(megabytes).randbytes(megabytes << 20)
        with open(os.path.join(directory, "data"), "wb") as file:
            file.write(data)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                 functools.partial(_Web, directory=directory))
        server.pause = pause
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], hashlib.sha256(data).hexdigest()
        finally:
            server.shutdown()
            server.server_close()


def card(confined=True, model="virtio"):
    return cards.qemu_arguments(MachineCard(0, SLOT, MAC, model), confined)


def driver(cmdline="", kernel="netd.elf", **keys):
    return service("uplink", cmdline, kernel=kernel, pci=[SLOT], on_exit="restart", **keys)


FIXED = {"ip": "10.0.2.15/24", "gateway": "10.0.2.2", "dns": "10.0.2.3"}
LEASED = {"ip": "dhcp"}


def chain(*policy, uplink=None, outside=FIXED):
    """Everything between VMs and the card, each with its links; a VM adds one to `net`."""
    return (service("net", kernel="netd.elf", on_exit="restart"),
            service("firewall", kernel="firewall.elf", on_exit="restart", policy=list(policy)),
            uplink or driver(),
            link("firewall", "net", kind="net", name="inside", ip="10.0.0.254/24", uplink=True),
            link("firewall", "uplink", kind="net", name="outside", mac=MAC, **outside))


def member(name, number):
    return link(name, "net", kind="net", ip=f"10.0.0.{number}/24")


def boot(system, run, parts, cpus=1, model="virtio"):
    """A VM that runs something behind these parts, on a machine with an IOMMU."""
    system.boot(system.image(vm("vm1", run), *parts, member("vm1", 1)), append="exit-with=vm1", cpus=cpus,
                extra=[*Q35, *card(model=model)])
    system.healthy()


def fetch(port, name="got"):
    """Prints the sum of what arrives."""
    return f"wget -q -O - http://10.0.2.2:{port}/data | sha256sum | sed s/^/{name}=/; "


def arrived(system, digest, name="got"):
    match = re.search(rf"vm1\| {name}=([0-9a-f]{{64}})", system.result.text)
    if not match or match[1] != digest:
        raise harness.Wrong(f"{match and match[1]} arrived, {digest} was sent")


def in_the_middle(system, what):
    """Something was said between the first and the last frame of a stream."""
    lines = system.result.lines()
    first = next(i for i, line in enumerate(lines) if line.startswith("vm1| begin-42"))
    last = next(i for i, line in enumerate(lines) if line.startswith("vm1| got="))
    if not any(re.search(what, line) for line in lines[first:last]):
        raise harness.Wrong(f"no '{what}' in the middle of the stream")


BEGIN = "echo begin-$((6*7)); "
# busybox's wget sends a file up to its first zero byte, so it is text
SEND = "dd if=/dev/urandom bs=48k count={} 2>/dev/null | base64 > /tmp/up; sha256sum /tmp/up | sed s/^/up=/; " + BEGIN + \
       "wget -q -O - --post-file=/tmp/up http://10.0.2.2:{}/ | sed s/^/got=/; "


def sent(system):
    """What the server says it got is what the VM sent."""
    match = re.search(r"vm1\| up=([0-9a-f]{64})", system.result.text)
    arrived(system, match and match[1])


@case
def uplink_file(system):
    """A file from the world arrives whole, and one to the world, through a card behind an IOMMU that nobody
    trusts."""
    with web(4) as (port, digest):
        boot(system, UP + "ping -c 2 10.0.0.254; cat /etc/resolv.conf; " + fetch(port, "down") + SEND.format(32, port),
             chain(f"allow tcp 10.0.2.2 {port}"))
        arrived(system, digest, "down")
        sent(system)
    system.said(r"uplink\| card 00:05\.0: 52:54:00:12:34:56", r"firewall\| inside is up",
                r"firewall\| outside is up", r"^vm1\| 2 packets transmitted, 2 packets received",
                r"^vm1\| nameserver 10\.0\.2\.3")
    system.never(r"denied", r"forged source", r"TRUSTED WITH ALL MEMORY")


@case
def uplink_large_file(system):
    """100 MB of it, on two CPUs."""
    with web(100) as (port, digest):
        boot(system, UP + fetch(port), chain(f"allow tcp 10.0.2.2 {port}"), cpus=2)
        arrived(system, digest)


@case
def uplink_without_firewall(system):
    """A VM with the way out itself: what its driver leaves to be done (checksums, segments) is done before the card."""
    with web(4) as (port, digest):
        parts = driver(), link("vm1", "uplink", kind="net", ip="10.0.2.15/24", gateway="10.0.2.2", mac=MAC)
        system.boot(system.image(vm("vm1", UP + fetch(port, "down") + SEND.format(64, port)), *parts),
                    append="exit-with=vm1", extra=[*Q35, *card()])
        system.healthy()
        arrived(system, digest, "down")
        sent(system)


@case
def uplink_policy(system):
    """What the policy does not allow does not pass: another port, another protocol, another VM."""
    with web(1) as (port, digest), web(2) as (other, _):
        boot(system, UP + f"timeout 5 wget -q -O /dev/null http://10.0.2.2:{other}/data && echo leaked; "
             "ping -c 2 -W 2 10.0.2.2 > /dev/null && echo leaked; "
             "timeout 5 nslookup example.org 10.0.2.3 > /dev/null && echo leaked; "
             "until echo x | nc vm2 9; do sleep 1; done; " + fetch(port),
             (*chain(f"allow tcp 10.0.2.2 {port} from 10.0.0.1"), member("vm2", 2),
              vm("vm2", UP + f"timeout 5 wget -q -O /dev/null http://10.0.2.2:{port}/data && echo leaked; "
                 "nc -l -p 9; sleep 100000")))
        arrived(system, digest)
        system.said(rf"firewall\| denied: tcp 10\.0\.0\.1:\d+ to 10\.0\.2\.2:{other}$",
                    rf"firewall\| denied: tcp 10\.0\.0\.2:\d+ to 10\.0\.2\.2:{port}$",
                    r"firewall\| denied: icmp 10\.0\.0\.1", r"firewall\| denied: udp 10\.0\.0\.1")
        system.never(r"leaked")


def frames(path):
    """The frames of a capture file."""
    data, at = path.read_bytes(), 24
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16:at + 16 + length]
        at += 16 + length


@case
def uplink_wire(system):
    """What is seen on the wire while a file goes both ways and somebody outside knocks at a port at which a VM
    listens: every frame of ours is from the one address, and who knocks gets no answer."""
    ours, mac = bytes([10, 0, 2, 15]), bytes.fromhex(MAC.replace(":", ""))
    with web(1) as (port, digest), tempfile.TemporaryDirectory(prefix="wire") as directory, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        door, path = probe.getsockname()[1], pathlib.Path(directory) / "wire.pcap"
        probe.close()
        words = card()
        words[1] += f",hostfwd=tcp:127.0.0.1:{door}-10.0.2.15:80"
        stop = threading.Event()

        def knock():
            while not stop.wait(0.5):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", door), 1) as caller:
                    caller.send(b"open")

        knocking = threading.Thread(target=knock)
        knocking.start()
        try:
            system.boot(system.image(vm("vm1", UP + "(while :; do nc -l -p 80 | sed s/^/heard=/; done) & "
                                        + fetch(port, "down") + SEND.format(16, port) + "sleep 5"),
                                     *chain(f"allow tcp 10.0.2.2 {port}"), member("vm1", 1)),
                        append="exit-with=vm1",
                        extra=[*Q35, *words, "-object", f"filter-dump,id=dump,netdev=card0,file={path}"])
        finally:
            stop.set()
            knocking.join()
        system.healthy()
        arrived(system, digest, "down")
        sent(system)
        system.never(r"heard=")
        seen = list(frames(path))
    out = [frame for frame in seen if frame[6:12] == mac]
    knocks = [frame for frame in seen if frame[12:14] == b"\x08\x00" and frame[23] == 6
              and frame[30:34] == ours and frame[36:38] == b"\x00\x50"]
    print(f"{len(seen)} frames, {len(out)} of ours, {len(knocks)} knocks")
    if len(out) < 100 or not knocks:
        raise harness.Wrong("nothing was seen on the wire, or nobody knocked")
    for frame in out:
        source = frame[26:30] if frame[12:14] == b"\x08\x00" else frame[28:32]
        if source != ours or (frame[12:14] == b"\x08\x00" and frame[23] == 6 and frame[34:36] == b"\x00\x50"):
            raise harness.Wrong(f"this went out: {frame[:60].hex()}")
    if any(frame[6:12] not in (mac,) and frame[26:29] == bytes([10, 0, 0]) for frame in seen):
        raise harness.Wrong("somebody outside knows an inside address")


def driver_dies(system, model, *plan):
    """It dies so many times, the first time at that step, then at those after it."""
    for first, count in plan:
        with web(8) as (port, digest):
            boot(system, UP + BEGIN + fetch(port),
                 chain(f"allow tcp 10.0.2.2 {port}",
                       uplink=driver(f"crash={first},200,{count}", kernel="netd_crash.elf")), model=model)
            arrived(system, digest)
        system.said(*(rf"uplink stopped: panic, code {100 + first + i}" for i in range(count)),
                    rf"outside: serves firewall, epoch {count + 1}")
        in_the_middle(system, rf"uplink stopped: panic, code {100 + first + count - 1}")
        system.never(r"does not answer", r"firewall stopped")


@case
def uplink_driver_dies(system):
    """The driver domain dies in the middle of a stream, at each step of a frame; the stream goes on."""
    driver_dies(system, "virtio", (0, 2), (3, 3))  # step 2 is a storage's


def deaths_anywhere(system, seed, model="virtio"):
    """Four deaths of the driver domain, each between two stores to memory it shares with the firewall or the
    card, while a file goes each way."""
    at = ",".join(str(random.Random(f"uplink.{seed}.{i}").randint(1, 3000)) for i in range(4))
    with web(1) as (port, digest):
        boot(system, UP + fetch(port, "down") + SEND.format(24, port),
             chain(f"allow tcp 10.0.2.2 {port}", uplink=driver(f"crash-store={at}", kernel="netd_crash.elf")),
             model=model)
        arrived(system, digest, "down")
        sent(system)
    return max(map(int, re.findall(r"outside: serves firewall, epoch (\d+)", system.result.text))) - 1


@case
def uplink_deaths_anywhere(system):
    """Three seeds of the nightly case."""
    deaths.few(deaths_anywhere, system)


@nightly
def uplink_deaths_many(system):
    """1,000 deaths: every file is whole."""
    deaths.thousand(deaths_anywhere, system)


@case
def uplink_driver_hangs(system):
    """It loops for ever; the watchdog starts it anew and the stream goes on."""
    with web(8) as (port, digest):
        boot(system, UP + BEGIN + fetch(port),
             chain(f"allow tcp 10.0.2.2 {port}",
                   uplink=driver("hang crash=3,200,1", kernel="netd_crash.elf", watchdog=2)))
        arrived(system, digest)
    in_the_middle(system, r"uplink stopped: hung: it answered nothing for 2 s")


@case
def uplink_switch_dies(system):
    """The VMs' switch dies under the firewall and the VM at once; the stream goes on."""
    with web(8) as (port, digest):
        parts = list(chain(f"allow tcp 10.0.2.2 {port}"))
        parts[0] = service("net", "crash=3,300,3", kernel="netd_crash.elf", on_exit="restart")
        boot(system, UP + BEGIN + fetch(port), parts)
        arrived(system, digest)
    in_the_middle(system, r"net stopped: panic, code 105")
    system.said(r"inside: serves firewall, epoch 4")


@case
def uplink_image(system):
    """images/uplink.toml. A VM sends a file; in the middle of it the firewall is ended and started anew, which
    knows the connection again by what the VM sends next. Then the driver domain is, and a file is fetched."""
    pause, text = Pause(), (harness.ROOT / "images" / "uplink.toml").read_text()
    with web(1, pause) as (port, digest):
        t = talk.Talk(system.build.resolve(), "uplink-image", mem=512, iommu=True, extra=card(),
                      text=text.replace("8000-8099", str(port)))
        try:
            t.expect(r"root@?\S*vm1|vm1:~\S* ")
            t.type(UP + "ping -c 1 vm2; " + SEND.format(128, port) + "\r")
            up = t.expect(r"up=([0-9a-f]{64})")[1]
            talk.want(pause.reached.wait(talk.LIMIT), "the server got nothing")
            t.shell()
            t.command("restart firewall")
            for link_up in ("inside           firewall -> net  up, epoch 2",
                            "outside          firewall -> uplink  up, epoch 2"):
                t.until("links", link_up)
            pause.go.set()
            t.type(talk.ESCAPE + "1")
            talk.want(t.expect(r"got=([0-9a-f]{64})")[1] == up, "another file arrived")
            t.shell()
            t.command("restart uplink")
            t.until("links", "outside          firewall -> uplink  up, epoch 3")
            t.type(talk.ESCAPE + "1")
            t.type(fetch(port, "down") + "\r")
            talk.want(t.expect(r"down=([0-9a-f]{64})")[1] == digest, "another file arrived")
            t.type(talk.ESCAPE + "q")
            talk.want(t.end() == status.OK, "quit is not exit status 0")
        finally:
            pause.go.set()
            t.close()


@case
def uplink_dhcp(system):
    """The firewall asks QEMU's user network for its address; a file goes each way, and the driver dies meanwhile: the
    lease is the firewall's and outlives it."""
    with web(2) as (port, digest):
        boot(system, UP + "cat /etc/resolv.conf; " + fetch(port, "down") + SEND.format(16, port),
             chain(f"allow tcp 10.0.2.2 {port}", outside=LEASED,
                   uplink=driver("crash=3,200,1", kernel="netd_crash.elf")))
        arrived(system, digest, "down")
        sent(system)
    system.said(r"firewall\| dhcp: 10\.0\.2\.15/24, router 10\.0\.2\.2, name server 10\.0\.2\.3, of 10\.0\.2\.2 for "
                r"86400 s", r"^vm1\| nameserver 10\.0\.0\.254", r"uplink stopped: panic, code 103")
    system.never(r"forged source")


class Moods:
    """A DHCP server for one client: it renews, then refuses and gives another address, then is silent until the lease
    is over; each when the address has been in use. What happened is in `log`."""

    def __init__(self):
        self.log, self.given, self.renewed, self.pings = [], 0, 0, []

    def address(self):
        return f"192.0.2.{10 + self.given}"

    def answer(self, asked):
        if asked.type == wire.DISCOVER:
            self.given += 1
            self.renewed = 0
            return wire.OFFER, self.address()
        if asked.own == "0.0.0.0":
            self.log.append(f"granted {asked.wanted}")
            return wire.ACK, asked.wanted
        self.renewed += 1
        how = "alone" if asked.unicast else "of all"
        used = self.renewed > 2 and self.address() in self.pings
        if self.given == 2 and used:
            self.log.append(f"silent to {asked.own}, asked {how}")
            return None
        if self.given == 1 and used:
            self.log.append(f"refused {asked.own}, asked {how}")
            return wire.NAK, "0.0.0.0"
        self.log.append(f"renewed {asked.own}, asked {how}")
        return wire.ACK, asked.own


@case
def uplink_dhcp_lease(system):
    """A lease is renewed, refused and moved, lost to silence and got again, and the VM finds its way each time; names
    it asks the firewall for."""
    moods = Moods()
    with wire.wire(moods.answer) as end:
        end.names[wire.name("router.test")] = wire.ROUTER

        def answer(asked):
            said = moods.answer(asked)
            if moods.given == 3 and asked.type == wire.REQUEST:
                end.names[wire.name("third.test")] = "192.0.2.99"
            return said

        end.answer, moods.pings = answer, end.pings
        words = card()
        words[1] = end.words
        system.boot(system.image(vm("vm1", UP + "until ping -q -c 1 -W 1 router.test | grep -q 1.packets.received; do "
                                    "sleep 1; done; echo found-$((6*7)); "
                                    "until nslookup -type=a third.test | grep -q 192.0.2.99; do "
                                    f"ping -q -c 2 -W 1 {wire.ROUTER} > /dev/null; done; "
                                    f"ping -q -c 3 -W 1 {wire.ROUTER}"),
                                 *chain("allow udp 10.0.0.254 53", f"allow icmp {wire.ROUTER}", outside=LEASED),
                                 member("vm1", 1)),
                    append="exit-with=vm1", extra=[*Q35, *words])
    system.healthy()
    if end.failed:
        raise harness.Wrong(f"the wire's other end failed: {end.failed}")
    print("\n".join(moods.log))
    system.said(r"^vm1\| found-42", r"^vm1\| 3 packets transmitted, 3 packets received",
                r"firewall\| dhcp: 192\.0\.2\.11/24, router 192\.0\.2\.1, name server 192\.0\.2\.1, of 192\.0\.2\.1 "
                r"for 10 s", r"firewall\| dhcp: 192\.0\.2\.1 refuses us 192\.0\.2\.11",
                r"firewall\| dhcp: 192\.0\.2\.12/24",
                r"firewall\| dhcp: the lease of 192\.0\.2\.12 is over: nobody renewed it",
                r"firewall\| dhcp: 192\.0\.2\.13/24")
    wanted = ["granted 192.0.2.11", "renewed 192.0.2.11, asked alone", "refused 192.0.2.11, asked alone",
              "granted 192.0.2.12", "renewed 192.0.2.12, asked alone", "silent to 192.0.2.12, asked alone",
              "silent to 192.0.2.12, asked of all", "granted 192.0.2.13"]
    seen = [line for i, line in enumerate(moods.log) if i == 0 or moods.log[i - 1] != line]
    if seen[:len(wanted)] != wanted:
        raise harness.Wrong(f"the lease went another way: {moods.log}")
    if not {"192.0.2.11", "192.0.2.12", "192.0.2.13"} <= set(end.pings) <= {f"192.0.2.{i}" for i in (11, 12, 13)}:
        raise harness.Wrong(f"pings came from {sorted(set(end.pings))}")


def refused(system, extra, *patterns, **keys):
    parts = driver(**keys), link("vm1", "uplink", kind="net", ip="10.0.2.15/24", gateway="10.0.2.2")
    system.boot(system.image(vm("vm1", "sleep 100000"), *parts), append="exit-with=uplink", want=status.INIT,
                extra=extra)
    system.said(*patterns)
    system.healthy()


@case
def uplink_not_trusted(system):
    """A card that could reach all memory is nobody's, and so is one that would go past the IOMMU, or none."""
    refused(system, card(False), r"uplink: its device 00:05\.0 could reach all memory: this machine has no IOMMU")
    refused(system, [*Q35, *card(False)],
            r"uplink: its device 00:05\.0 would go past the IOMMU: it does not offer ACCESS_PLATFORM")
    refused(system, Q35, r"uplink: its device 00:05\.0 does not exist, or another domain has it")


# ---- an 82574L ----

@case
def uplink_e1000e(system):
    """Files both ways through the other card, behind an IOMMU that nobody trusts; two CPUs."""
    with web(6) as (port, digest):
        boot(system, UP + "ping -c 2 10.0.0.254; " + fetch(port, "down") + SEND.format(32, port),
             chain(f"allow tcp 10.0.2.2 {port}"), cpus=2, model="e1000e")
        arrived(system, digest, "down")
        sent(system)
    system.said(r"uplink\| card 00:05\.0: 52:54:00:12:34:56, 82574L$", r"uplink\| card 00:05\.0: its link is up")
    system.never(r"denied", r"(?i)trusted", r"iommu: device .* may not", r"its link is down")


@case
def uplink_e1000e_trusted(system):
    """On a machine without an IOMMU, where somebody has said that it is trusted."""
    with web(1) as (port, digest):
        parts = chain(f"allow tcp 10.0.2.2 {port}", uplink=driver(dma="trusted"))
        system.boot(system.image(vm("vm1", UP + fetch(port)), *parts, member("vm1", 1)), append="exit-with=vm1",
                    extra=card(model="e1000e"))
        system.healthy()
        arrived(system, digest)
    system.said(r"uplink: TRUSTED WITH ALL MEMORY: its device 00:05\.0 does DMA without an IOMMU")


@case
def uplink_e1000e_dies(system):
    """Its driver domain dies in the middle of a stream, at the last three steps of a frame; the stream goes on."""
    driver_dies(system, "e1000e", (3, 3))


@case
def uplink_e1000e_deaths_anywhere(system):
    """It dies between stores to memory it shares with the firewall or the card; one seed of the nightly case."""
    if deaths_anywhere(system, 0, "e1000e") < 2:
        raise harness.Wrong("fewer than 2 of 4 deaths happened")


@nightly
def uplink_e1000e_deaths_many(system):
    """The other steps of a frame, and more places between stores."""
    driver_dies(system, "e1000e", (0, 2))
    deaths.few(lambda system, seed: deaths_anywhere(system, seed, "e1000e"), system)


@case
def uplink_e1000e_refused(system):
    """One that could reach all memory, and a function that is no card any driver knows."""
    refused(system, card(False, "e1000e"), r"its device 00:05\.0 could reach all memory: this machine has no IOMMU")
    parts = driver(), link("vm1", "uplink", kind="net", ip="10.0.2.15/24", gateway="10.0.2.2")
    system.boot(system.image(vm("vm1", "sleep 100000"), *parts), append="exit-with=uplink", want=1,
                extra=[*Q35, "-device", "e1000,addr=05.0,romfile="])
    system.said(r"uplink\| card 00:05\.0: is no card that a driver here knows: 8086:100e, class 02\.00\.00")
    system.healthy()


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
