#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Hostile ends of block links: a front end that breaks every rule, back ends that lie to their driver."""

import re
import sys

import harness
from harness import Wrong, case, link, nightly, service

DEEDS = ("H1 loop", "H1 too long", "H2 next outside", "H3 buffer outside", "H3 buffer empty or huge", "H4 index jumps",
         "H5 head outside", "H5 head twice", "H6 flags", "H7 readable behind writable", "H7 no status",
         "H7 header short", "H8 changes under it", "H9 rings misplaced", "H10 features not offered",
         "H10 live without features", "H10 moves while live", "H10 resets in flight", "H11 doorbells",
         "H12 requests that lie", "H13 page torn")


def hostile_front(system, seed, rounds, cpus):
    """It does its deeds to a back end that serves somebody else too, who must not notice."""
    evil = service("evil", f"seed={seed} rounds={rounds}", kernel="evilblk.elf")
    front = service("front", "writes=3000000000 seed=2", kernel="stampfront.elf")
    system.boot(system.image(front, evil, service("disk", kernel="blkd.elf"), link("front", "disk", size="1M"),
                             link("evil", "disk", size="1M")),
                append="exit-with=evil", mem=256, cpus=cpus, want=None)
    system.healthy()
    for deed in DEEDS:
        system.said(rf"^evil\| {deed}: {rounds} of {rounds} ended as they must")
    system.said(r"blk1: serves evil, epoch 1")
    system.never(r"evilblk: ", r"disk stopped", r"^front\| block", r"blk0: virtio", r"epoch 2")


@case
def peers_hostile_front(system):
    hostile_front(system, 1, 20, 1)


@case
def peers_hostile_front_2cpu(system):
    """On two CPUs what it changes changes under the eyes of the back end."""
    hostile_front(system, 2, 20, 2)


@case
def peers_neighbour(system):
    """What a request costs a neighbour is the same within a tenth, be the other one hostile or not there."""
    own = {}
    for evil in (False, True):
        domains = [service("front", "writes=6000 seed=2", kernel="stampfront.elf"), service("disk", kernel="blkd.elf"),
                   link("front", "disk", size="1M")]
        if evil:
            domains += [service("evil", "seed=3 rounds=1000000", kernel="evilblk.elf"), link("evil", "disk", size="1M")]
        system.boot(system.image(*domains), append="exit-with=front", mem=256, icount=True, owners=True)
        system.healthy()
        requests = sum(map(int, re.search(r"(\d+) writes acknowledged, (\d+) reads", system.result.text).groups()))
        own[evil] = system.result.owners[1] / requests
    print(f"instructions of its own per request: alone {own[False]:.0f}, beside a hostile one {own[True]:.0f}")
    if own[True] > own[False] * 1.1:
        raise Wrong("a hostile neighbour costs more than a tenth")


# ---- back ends ----

GOOD = 24576  # sectors of the honest disk: no other has so many
LIARS = {f"liar{i}": words for i, words in enumerate((
    "deed=D1", "deed=D1 after=0", "deed=D2", "deed=D3", "deed=D3 after=3", "deed=D4", "deed=D5", "deed=D5 after=0",
    "deed=D6", "deed=D6 after=0", "deed=D7", "deed=D8", "deed=D8 after=2"))}
# What each says when it has begun: a deed that was not done proves nothing.
DID = [rf"^liar{i}\| {words.split()[0][5:]} is done" for i, words in enumerate(LIARS.values())]
# Each disk there is, is read and written; what that comes to is not asked. Then the honest one must do its work.
USE = "until good=$(grep -lx {0} /sys/block/vd*/size 2>/dev/null | cut -d/ -f4) && [ x$good != x ]; do " \
      "sleep 1; done; sleep 2; " \
      "for d in /sys/block/vd*; do d=${{d##*/}}; [ $d = $good ] && continue; " \
      "for i in 1 2 3; do dd if=/dev/$d of=/dev/null bs=4k count=64 iflag=direct 2>/dev/null & " \
      "dd if=/dev/zero of=/dev/$d bs=16k count=32 oflag=direct 2>/dev/null & done; done; sleep 3; ".format(GOOD)
WORK = "mke2fs /dev/$good > /dev/null && mkdir /m && mount -t ext4 /dev/$good /m; head -c 2000000 /dev/urandom > /m/f; " \
       "a=$(md5sum < /m/f); umount /m; mount -t ext4 /dev/$good /m; b=$(md5sum < /m/f); " \
       "[ x${a%% *} = x${b%% *} ] && echo honest-$((6*7)); ls /sys/block | grep -c vd; umount /m; poweroff -n -f"


@case
def peers_hostile_back(system):
    """A VM whose disks are served by liars, one of each kind, goes on, and its honest disk does."""
    domains = [service(name, words, kernel="evilback.elf") for name, words in LIARS.items()]
    links = [link("vm1", name, size="1M", window="2M") for name in LIARS]
    system.boot(system.image(harness.vm("vm1", USE + WORK, mem="96M", kmem="8M"), *domains,
                             service("disk", kernel="blkd.elf"), *links, link("vm1", "disk", size="12M", window="2M")),
                append="exit-with=vm1", mem=768)
    system.healthy(known=r".* WRN (domain \d+ 'liar10'|liar10 \().*")
    system.said(r"^vm1\| honest-42", r"liar10 stopped: fault: vector 14", *DID)  # D7 falls over its own store
    system.never(r"vm1\| .*(general protection|Call Trace|KASAN|UBSAN)", r"disk stopped", r"liar[^1][0-9]? stopped")


# Likewise for cards. Each network of a liar is asked for stations and pinged until its lies have begun, and some
# time more.
CARD_UP = "until ip addr show 2>/dev/null | grep -q 10.0.0.1/; do sleep 1; done; sleep 3; "
CARD_USE = "for n in {}; do for i in 1 2 3; do ping -q -c 60 -i 0.02 -W 1 10.1.$n.$i > /dev/null 2>&1 & done; done; " \
           "sleep 6; for n in {}; do ping -q -c 20 -i 0.05 -W 1 10.1.$n.9 > /dev/null 2>&1 & done; sleep 6; "
CARD_WORK = "ping -q -c 3 vm2 > /tmp/p && grep -q 3.packets.received /tmp/p && echo pinged-$((6*7)); " \
            "until wget -q -O /tmp/sum http://vm2/sum; do sleep 1; done; wget -q -O /tmp/data http://vm2/data; " \
            "a=$(cat /tmp/sum); b=$(md5sum < /tmp/data); [ x${a%% *} = x${b%% *} ] && echo honest-$((6*7)); " \
            "ls /sys/class/net | grep -c eth"
@case
def peers_hostile_card(system):
    """The same for network cards: a VM with a card of each liar goes on, and the file it fetches from its neighbour
    by its honest card is whole."""
    domains = [service(name, "net " + words, kernel="evilback.elf") for name, words in LIARS.items()]
    links = [link("vm1", name, kind="net", ip=f"10.1.{i}.100/24", window="2M") for i, name in enumerate(LIARS)]
    numbers = " ".join(str(i) for i in range(len(LIARS)))
    serve = "dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null; md5sum < /tmp/data > /tmp/sum; " \
            "httpd -h /tmp; sleep 100000"
    run = CARD_UP + CARD_USE.format(numbers, numbers) + CARD_WORK
    system.boot(system.image(harness.vm("vm1", run, mem="96M", kmem="8M"), harness.vm("vm2", serve), *domains,
                             service("net", kernel="netd.elf"), *links,
                             link("vm1", "net", kind="net", ip="10.0.0.1/24"),
                             link("vm2", "net", kind="net", ip="10.0.0.2/24")),
                append="exit-with=vm1", mem=768)
    system.healthy(known=r".* WRN (domain \d+ 'liar10'|liar10 \().*")
    system.said(r"^vm1\| pinged-42", r"^vm1\| honest-42", r"liar10 stopped: fault: vector 14", *DID)
    system.never(r"vm1\| .*(general protection|Call Trace|KASAN|UBSAN)", r"net stopped", r"vm2 stopped",
                 r"liar[^1][0-9]? stopped")


@case
def peers_lying_card(system):
    """D9: a card that promises checksums, segments and buffers that are not so. The VM drops it all and its other
    card works."""
    cards = [link(name, back, kind="net", ip=ip) for name, back, ip in (
        ("vm1", "liar", "10.1.0.1/24"), ("vm1", "net", "10.0.0.1/24"), ("vm2", "net", "10.0.0.2/24"))]
    up = "until ip addr show eth{} 2>/dev/null | grep -q inet; do sleep 1; done; "
    run = up.format(0) + up.format(1) + "sleep 8; ping -c 3 vm2; ping -c 1 -W 1 10.1.0.9; " \
          "cat /sys/class/net/eth*/statistics/rx_packets"
    system.boot(system.image(harness.vm("vm1", run), harness.vm("vm2", "sleep 100000"),
                             service("liar", kernel="evilcard.elf"), service("net", kernel="netd.elf"), *cards),
                append="exit-with=vm1", mem=512)
    system.healthy()
    system.said(r"^liar\| \d+0000 frames that lie", r"^vm1\| 3 packets transmitted, 3 packets received")
    system.never(r"vm1\| .*(general protection|Call Trace|KASAN|UBSAN)", r"liar stopped")


@case
def peers_fenced_back(system):
    """D10: a back end that does not let go of a window. When its front end has another one, nothing it writes
    arrives there, and its doorbell rings nowhere."""
    system.boot(system.image(service("front", kernel="wndwatch.elf", on_exit="restart", restarts=1),
                             service("liar", "deed=D10", kernel="evilback.elf"), link("front", "liar", size="1M")),
                mem=256, append="", want=None)
    system.healthy()
    system.said(r"front\| first life over in epoch 1", r"liar\| wrote 64000 words to a window that is not its own",
                r"second life: \d+ words watched [1-9]\d+ times, 0 changed, link down")


# ---- secrets ----

@case
def peers_secret(system):
    """A back end looks for a secret in all it can read: it finds it when the VM writes it to the disk, not before."""
    run = "n=Q9sec; n=${n}ret; i=0; while [ $i -lt 15 ]; do n=$n$n; i=$((i+1)); done; echo $n > /tmp/n; ls -l /tmp/n; " \
          "until [ -b /dev/vda ]; do sleep 1; done; sleep 6; echo phase-$((1+1)); " \
          "dd if=/tmp/n of=/dev/vda bs=64k count=2 2>/dev/null; sync; sleep 5"
    system.boot(system.image(harness.vm("vm1", run), service("liar", "deed=scan", kernel="evilback.elf"),
                             link("vm1", "liar", size="1M", window="2M")), append="exit-with=vm1", mem=512)
    system.healthy()
    seen = {1: [], 2: []}
    phase = 1
    for line in system.result.lines():
        phase = 2 if line.startswith("vm1| phase-2") else phase
        match = re.search(r"scan: (\d+) pages, secret (\d+) times, of the window (\d+) times, (\d+) breaches", line)
        if match:
            seen[phase].append(tuple(map(int, match.groups())))
    print(seen)
    if len(seen[1]) < 2 or any(pages < 500 or found or window or breaches for pages, found, window, breaches in seen[1]):
        raise Wrong("the secret was found before the VM gave it away, or nothing was looked at")
    if not any(window for _, _, window, _ in seen[2][1:]) or any(breaches for *_, breaches in seen[2]):
        raise Wrong("the secret was not found where it is, so finding nothing says nothing")


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
