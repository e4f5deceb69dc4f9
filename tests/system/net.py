#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A network that another domain switches between Linux VMs: data, lies, secrets, deaths."""

import re
import sys

import harness
from harness import case, link, nightly, service, vm

UP = "until ip addr show eth0 2>/dev/null | grep -q inet; do sleep 1; done; "
SERVE = UP + "dd if=/dev/urandom of=/tmp/data bs=64k count={} 2>/dev/null; " \
             "md5sum < /tmp/data > /tmp/sum; httpd -h /tmp; sleep 100000"
MEET = UP + "until wget -q -O /tmp/sum http://vm1/sum; do sleep 1; done; echo met-$((6*7)); "
FETCH = "wget -q -O /tmp/data http://vm1/data; a=$(cat /tmp/sum); b=$(md5sum < /tmp/data); " \
        "[ x${a%% *} = x${b%% *} ] && echo same-$((6*7)); "
COUNT = "cat /sys/class/net/eth0/statistics/rx_packets; "


def card(name, number, **keys):
    keys = {"kind": "net", "ip": f"10.0.0.{number}/24"} | keys
    return link(name, "net", **keys)


def network(system, *runs, switch=None, mem=512, cpus=1, **keys):
    """VMs vm1, vm2, ... on one switch, with as many vCPUs as there are CPUs; the last one's end is the
    machine's."""
    names = [f"vm{i}" for i in range(1, len(runs) + 1)]
    vms = [vm(name, run, vcpus=cpus) for name, run in zip(names, runs)]
    system.boot(system.image(*vms, switch or service("net", kernel="netd.elf"),
                             *(card(name, i, **keys) for i, name in enumerate(names, 1))),
                append=f"exit-with={names[-1]}", mem=mem, cpus=cpus)
    system.healthy()


def lines_between(system, first, last):
    lines = system.result.lines()
    at = [next((i for i, line in enumerate(lines) if line.startswith(mark)), None) for mark in (first, last)]
    if None in at:
        raise harness.Wrong(f"'{first}' or '{last}' was not said")
    return lines[at[0]:at[1]]


@case
def net_ping_and_file(system):
    """Two VMs know each other by name, ping each other and move a file by TCP."""
    network(system, SERVE.format(64), MEET + "ping -c 3 vm1; " + FETCH)
    system.said(r"^vm2\| 3 packets transmitted, 3 packets received", r"^vm2\| same-42",
                r"serves vm1, epoch 1", r"serves vm2, epoch 1")
    system.never(r"forged source", r"queue failure")


@case
def net_small_window(system):
    """Four streams at once through the smallest window: frames wait for room or are sent again."""
    fetch = "".join(f"wget -q -O /tmp/d{i} http://vm1/data & " for i in range(4))
    network(system, SERVE.format(32), MEET + fetch + "wait; cat /tmp/sum; md5sum /tmp/d?; "
            "for i in 0 1 2 3; do [ x$(md5sum < /tmp/d$i | cut -c1-32) = x$(cut -c1-32 /tmp/sum) ] && "
            "echo stream-$i-$((6*7)); done; ", window="2M")
    system.said(*(rf"^vm2\| stream-{i}-42" for i in range(4)))


@case
def net_forged_sources(system):
    """What does not come from a card's own addresses is dropped and named; honest frames pass again."""
    try_it = "ping -c 2 -W 1 {} vm1 > /dev/null && echo {} || echo {}; "
    network(system, SERVE.format(1), MEET + "echo begin-ip; ip addr add 10.0.0.9/24 dev eth0; "
            + try_it.format("-I 10.0.0.9", "leaked", "no-answer") + "ip addr del 10.0.0.9/24 dev eth0; "
            "echo begin-mac; ip link set eth0 down; ifconfig eth0 hw ether 02:00:00:00:00:99; "
            "ip link set eth0 up; " + try_it.format("", "leaked", "no-answer")
            + "ip link set eth0 down; ifconfig eth0 hw ether 02:52:46:00:00:02; ip link set eth0 up; "
            "echo begin-honest; " + FETCH)
    for first, last in (("vm2| begin-ip", "vm2| begin-mac"), ("vm2| begin-mac", "vm2| begin-honest")):
        said = lines_between(system, first, last)
        if not any("net1: net: a frame with a forged source" in line for line in said):
            raise harness.Wrong(f"nothing forged was dropped after {first}")
        if "vm2| no-answer" not in said:
            raise harness.Wrong(f"a forged frame was answered after {first}")
    system.said(r"^vm2\| same-42")


@case
def net_secrecy(system):
    """What goes between two VMs is not shown to a third, be its card promiscuous."""
    network(system, SERVE.format(64), MEET + FETCH + COUNT + "until echo x | nc vm3 9; do sleep 1; done; "
            "sleep 100000", UP + "ip link set eth0 promisc on; nc -l -p 9; echo seen; " + COUNT, mem=640)
    seen = system.result.lines()
    counts = [int(line.split()[1]) for line in seen if line.startswith(("vm2| ", "vm3| "))
              and line.split()[1:2] and line.split()[1].isdigit()]
    print(f"received: {counts}")
    if len(counts) != 2 or counts[0] < 60 or counts[1] > 30:
        raise harness.Wrong(f"vm2 and vm3 received {counts} frames")
    system.said(r"^vm2\| same-42")


@case
def net_back_end_dies(system):
    """The switch dies at each step of a request, in the middle of a TCP stream; the stream goes on."""
    for first, deaths in ((0, 2), (3, 3)):  # step 2 is a storage's
        switch = service("net", f"crash={first},30,{deaths}", kernel="netd_crash.elf", on_exit="restart")
        network(system, SERVE.format(128), MEET + FETCH, switch=switch)
        system.said(r"^vm2\| same-42",
                    *(rf"net stopped: panic, code {100 + first + i}" for i in range(deaths)))
        if not any("net stopped" in line for line in lines_between(system, "vm2| met-42", "vm2| same-42")):
            raise harness.Wrong("the switch did not die in the middle of the stream")
        system.never(r"does not answer")


@case
def net_back_end_hangs(system):
    """The switch loops for ever in the middle of a TCP stream; the watchdog starts it anew and the stream
    goes on."""
    switch = service("net", "hang crash=3,60,1", kernel="netd_crash.elf", on_exit="restart", watchdog=2)
    network(system, SERVE.format(64), MEET + FETCH, switch=switch)
    system.said(r"^vm2\| same-42", r"net stopped: hung: it answered nothing for 2 s", r"serves vm2, epoch 2")


@case
def net_smp_2cpu(system):
    """Two vCPUs each on two CPUs, a file each way at once, and the switch dies under them."""
    switch = service("net", "crash=3,60,3", kernel="netd_crash.elf", on_exit="restart")
    take = "until wget -q -O /tmp/{0} http://vm2/{0}; do sleep 1; done; "
    serve = SERVE.format(64).removesuffix("sleep 100000") + take.format("ours") + take.format("sum2") + \
        "a=$(cat /tmp/sum2); b=$(md5sum < /tmp/ours); [ x${a%% *} = x${b%% *} ] && echo back-$((6*7)); " \
        "nc -l -p 9; sleep 100000"
    network(system, serve, UP + "dd if=/dev/urandom of=/tmp/ours bs=64k count=64 2>/dev/null; "
            "md5sum < /tmp/ours > /tmp/sum2; httpd -h /tmp; " + MEET + FETCH
            + "until echo x | nc vm1 9; do sleep 1; done", switch=switch, cpus=2)
    system.said(r"^vm2\| same-42", r"^vm1\| back-42",
                *(rf"net stopped: panic, code {103 + i}" for i in range(3)))


def did_its_worst(system):
    """The hostile driver came to its end, was let in often and thrown out often."""
    match = re.search(r"(\d+) misdeeds, \d+ frames, live (\d+) times, asked for a reset (\d+) times",
                      system.result.text)
    if not match or any(int(count) < int(match[1]) // 800 for count in match.groups()[1:]):
        raise harness.Wrong("the hostile driver did not do its work")
    print(match[0])


@case
def net_hostile_front_end(system):
    """A card's driver breaks every rule there is while two VMs move a file: the switch lives, the file is
    whole."""
    evil = service("evil", "seed=1 ops=400000", kernel="evilnet.elf", mem="8M")
    system.boot(system.image(vm("vm1", SERVE.format(64)), vm("vm2", MEET + FETCH + "sleep 100000"), evil,
                             service("net", kernel="netd.elf"), card("vm1", 1), card("vm2", 2),
                             card("evil", 3)),
                append="exit-with=evil")
    system.healthy()
    did_its_worst(system)
    system.said(r"^vm2\| same-42", r"serves evil, epoch 1", r"net2: net: a frame with a forged source")
    system.never(r"net stopped", r"evilnet: ", r"net[01]: virtio: ", r"epoch 2")


@nightly
def net_hostile_seeds(system):
    """Two hostile drivers at each other's throats and at the switch's: 40 seeds."""
    for seed in range(0, 80, 2):
        evil = [service(f"evil{i}", f"seed={seed + i} ops=200000", kernel="evilnet.elf", mem="8M")
                for i in (1, 2)]
        system.boot(system.image(*evil, service("net", kernel="netd.elf"), card("evil1", 1),
                                 card("evil2", 2)), append="exit-with=evil1")
        system.healthy()
        did_its_worst(system)
        system.never(r"net stopped", r"evilnet: ", r"epoch 2")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
