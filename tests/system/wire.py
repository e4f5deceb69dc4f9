# SPDX-License-Identifier: BSD-2-Clause
"""The other end of a network card's wire, in this process: a router that answers ARP and pings, a name server, and a
DHCP server that does what a case wants. Frames come and go by a socket of QEMU's `-netdev dgram`."""

import contextlib
import os
import pathlib
import socket
import struct
import tempfile
import threading

ROUTER, MASK = "192.0.2.1", "255.255.255.0"
ROUTER_MAC = bytes.fromhex("0252464680fe")
BROADCAST = b"\xff" * 6
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
COOKIE = bytes.fromhex("63825363")


def address(text):
    return socket.inet_aton(text)


def total(data):
    words = struct.unpack(f">{len(data) // 2}H", data) if len(data) % 2 == 0 else \
        struct.unpack(f">{len(data) // 2 + 1}H", data + b"\0")
    value = sum(words)
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return ~value & 0xffff


def packet(to_mac, source, target, protocol, body):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0, source, target)
    head = head[:10] + struct.pack(">H", total(head)) + head[12:]
    return to_mac + ROUTER_MAC + b"\x08\x00" + head + body


def udp(to_mac, source, source_port, target, target_port, data):
    return packet(to_mac, source, target, 17, struct.pack(">HHHH", source_port, target_port, 8 + len(data), 0) + data)


def options_of(bootp):
    found, at = {}, 240
    while at < len(bootp) and bootp[at] != 255:
        if bootp[at] == 0:
            at += 1
            continue
        found[bootp[at]] = bootp[at + 2:at + 2 + bootp[at + 1]]
        at += 2 + bootp[at + 1]
    return found


class Asked:
    """A message of a DHCP client."""

    def __init__(self, frame, source, target, bootp):
        self.mac, self.source, self.target, self.bootp = frame[6:12], source, target, bootp
        self.options = options_of(bootp)
        self.type = self.options[53][0]
        self.own = socket.inet_ntoa(bootp[12:16])
        self.wanted = socket.inet_ntoa(self.options[50]) if 50 in self.options else None
        self.unicast = target != b"\xff" * 4


class Wire:
    """`answer(asked)` gives (type, address) or None; `names` are known to the name server."""

    def __init__(self, path, answer, times=(10, 1, 3)):
        self.answer, self.times, self.names = answer, times, {}
        self.pings, self.questions = [], []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path / "here"))
        self.there = str(path / "qemu")
        self.words = (f"dgram,id=card0,local.type=unix,local.path={self.there},remote.type=unix,"
                      f"remote.path={path / 'here'}")
        self.failed = None

    def send(self, frame):
        with contextlib.suppress(OSError):
            self.socket.sendto(frame, self.there)

    def run(self):
        while True:
            frame = self.socket.recv(2048)
            if not frame:
                return
            try:
                self.hear(frame)
            except Exception as error:  # a thread's end would look like silence
                self.failed = self.failed or f"{type(error).__name__}: {error}, at {frame[:400].hex()}"

    def hear(self, frame):
        if frame[12:14] == b"\x08\x06":
            if frame[21] == 1 and frame[38:42] == address(ROUTER):
                self.send(frame[6:12] + ROUTER_MAC + b"\x08\x06" + frame[14:20] + b"\0\x02" + ROUTER_MAC
                          + address(ROUTER) + frame[6:12] + frame[28:32])
            return
        if frame[12:14] != b"\x08\x00":
            return
        source, target, body = frame[26:30], frame[30:34], frame[34:]
        if frame[23] == 1 and body[0] == 8 and target == address(ROUTER):
            self.pings.append(socket.inet_ntoa(source))
            body = b"\0\0\0\0" + body[4:struct.unpack(">H", frame[16:18])[0] - 20]
            body = body[:2] + struct.pack(">H", total(body)) + body[4:]
            self.send(packet(frame[6:12], target, source, 1, body))
        elif frame[23] == 17:
            self.hear_udp(frame, source, target, body)

    def hear_udp(self, frame, source, target, body):
        port, to, length = struct.unpack(">HHH", body[:6])
        if to == 67:
            self.hear_dhcp(Asked(frame, source, target, body[8:length]))
        elif to == 53 and target == address(ROUTER):
            query = body[8:length]
            end = query.index(b"\0", 12) + 1
            kind, name = struct.unpack(">H", query[end:end + 2])[0], query[12:end]
            found = self.names.get(name) if kind == 1 else None
            reply = query[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if found else b"\0\0") + b"\0\0\0\0" + query[12:end + 4]
            if found:
                reply += b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04" + address(found)
            self.send(udp(frame[6:12], target, 53, source, port, reply))

    def hear_dhcp(self, asked):
        self.questions.append(asked)
        said = self.answer(asked)
        if not said:
            return
        kind, given = said
        options = bytes((53, 1, kind, 54, 4)) + address(ROUTER)
        if kind != NAK:
            options += bytes((1, 4)) + address(MASK) + bytes((3, 4)) + address(ROUTER) + bytes((6, 4)) + address(ROUTER)
            for code, seconds in zip((51, 58, 59), self.times):
                options += bytes((code, 4)) + struct.pack(">I", seconds)
        bootp = (b"\x02\x01\x06\0" + asked.bootp[4:8] + b"\0" * 8 + address(given if kind != NAK else "0.0.0.0")
                 + b"\0" * 8 + asked.bootp[28:44] + b"\0" * 192 + COOKIE + options + b"\xff")
        self.send(udp(BROADCAST, address(ROUTER), 67, b"\xff" * 4, 68, bootp))


def name(text):
    """As it stands in a question."""
    return b"".join(bytes((len(part),)) + part.encode() for part in text.split(".")) + b"\0"


@contextlib.contextmanager
def wire(answer, **keys):
    with tempfile.TemporaryDirectory(prefix="wire") as directory:
        end = Wire(pathlib.Path(directory), answer, **keys)
        thread = threading.Thread(target=end.run, daemon=True)
        thread.start()
        try:
            yield end
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", os.path.join(directory, "here"))
            thread.join()
            end.socket.close()
