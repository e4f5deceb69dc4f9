# SPDX-License-Identifier: BSD-2-Clause
"""The network's part of the benchmark: from one VM to another through the switch, and to a server on the machine
that runs QEMU through switch, firewall, driver domain and card. Everything of the machine is counted by the plugin
between markers: both Linux, the microkernel and each domain on the way; the least of three runs.

The world answers in its own time, so that part runs without -icount: the clock must not leap while it waits."""

import contextlib
import pathlib
import socket
import tempfile
import threading

import disk
from manifest.network import MachineCard
from ringfence import cards, image, qemu

HERE = pathlib.Path(__file__).parent
STREAM = 64 * 65536
NEIGHBOUR = ("tcp_round_trip", "tcp_64k_out", "tcp_64k_in", "udp_64_round_trip", "udp_64_packet")
WORLD = ("world_round_trip", "world_64k_out", "world_64k_in")
ROWS = NEIGHBOUR + WORLD
# Xen 4.17 PV on the same kind of machine, domU through netfront and netback to dom0, all counted.
XEN = {"tcp_round_trip": 72337, "tcp_64k_out": 142552}
# What issue 5 allows.
LIMIT = {"tcp_round_trip": 45000, "tcp_64k_out": 90000, "tcp_64k_in": 90000}


def neighbour(build, boot, kernel, plugins):
    path = HERE / "network.toml"
    machine = qemu.Machine(kernel=kernel, image=image.make(path, image.parse(path), 512), icount=True,
                           append="headless panic=exit", plugins=plugins)
    return boot("network", machine, build)


def _serve(listener, wanted, answer):
    """Connections, one after the other: `answer` bytes for each `wanted`."""
    with contextlib.suppress(OSError):
        while True:
            with listener.accept()[0] as peer:
                if wanted == answer:
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                left = wanted
                while data := peer.recv(min(left, 1 << 16)):
                    left -= len(data)
                    if not left:
                        peer.sendall(bytes(answer))
                        left = wanted


@contextlib.contextmanager
def _server():
    """The protocol of network.c on three ports of the loopback interface; yields the first."""
    for _ in range(100):
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(socket.socket()) for _ in range(3)]
            try:
                listeners[0].bind(("127.0.0.1", 0))
                first = listeners[0].getsockname()[1]
                for i in (1, 2):
                    listeners[i].bind(("127.0.0.1", first + i))
            except (OSError, OverflowError):
                continue
            for listener, sizes in zip(listeners, ((1, 1), (STREAM, 1), (1, STREAM))):
                listener.listen(1)
                threading.Thread(target=_serve, args=(listener, *sizes), daemon=True).start()
            yield first
            return
    raise OSError("no three ports in a row are free")


def world(build, boot, kernel, plugins):
    with _server() as port, tempfile.TemporaryDirectory(prefix="bench") as directory:
        path = pathlib.Path(directory) / "world.toml"
        path.write_text((HERE / "world.toml").read_text().replace("10.0.2.2 PORT", f"10.0.2.2 {port}"))
        machine = qemu.Machine(kernel=kernel, image=image.make(path, image.parse(path), 512), iommu=True,
                               append="headless panic=exit", plugins=plugins,
                               extra=tuple(cards.qemu_arguments(MachineCard(0, "00:05.0", "52:54:00:12:34:56"), True)))
        return boot("network-world", machine, build)


def measure(build, boot, kernel, plugin, only):
    plugins = (f"{plugin},exact=on,owner=0x{disk.owner_of(kernel)}",)
    rows = {}
    if only is None or only in NEIGHBOUR:
        rows |= disk.least(neighbour(build, boot, kernel, plugins))
    if only is None or only in WORLD:
        rows |= disk.least(world(build, boot, kernel, plugins))
    return rows


def table(rows, only):
    lines = ["| operation | Ringfence | of it Linux | microkernel | domains and programs | changes of domain "
             "| allowed | Xen PV |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for name in ROWS:
        if (only and name != only) or name not in rows:
            continue
        row = rows[name]
        counts = " | ".join(disk.number(row[what]) for what in ("insns", "high", "hole", "user"))
        lines.append(f"| {name} | {counts} | {row['switch']:.2f} | {disk.number(LIMIT.get(name))} | "
                     f"{disk.number(XEN.get(name))} |")
    return lines
