#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Types at the console service and reads what it shows: views, switching, the shell, supervision.

    conversation.py --list
    conversation.py --build DIR CASE
"""

import argparse
import pathlib
import re
import sys
import tempfile

from harness import ROOT, Wrong, schema, status
from medium import plug_all
from talk import ESCAPE, Talk, want

CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


@case
def views(boot):
    """Two consoles: raw view, switching, history, merged view with escapes filtered, help, quit."""
    t = boot([("e1", {}), ("e2", {})], "view=e1")
    t.expect("--- e1 ---")
    t.expect("hello from e1")
    t.type("good morning\r")
    t.expect("e1: good morning\r\n")
    t.type(ESCAPE + "2")
    t.expect("--- e2 ---")
    t.expect("hello from e2")
    t.type("evening\r")
    t.expect("e2: evening\r\n")
    t.type(ESCAPE + "1")
    t.expect("--- e1 ---")
    t.expect("e1: good morning\r\n")  # out of its history
    t.type("\x1b[31mred\r")
    t.expect(re.escape("e1: \x1b[31mred"))  # raw: its own escapes
    t.type(ESCAPE + "m")
    t.expect("--- all consoles ---")
    t.type("\x1b[2Jclean\x07\r")
    t.expect(r"e1\| e1: clean\r\n")
    t.type(ESCAPE + "?")
    t.expect("1       e1")
    t.expect("this help")
    t.type(ESCAPE + "9")
    t.expect("no such console")
    t.type(ESCAPE + "q")
    want(t.end() == status.OK, "quit is not exit status 0")


@case
def shell(boot):
    """Every command of the shell."""
    t = boot([("e1", {}), ("e2", {"cmdline": "exit=4"})])
    t.expect("e2 stopped: powered off, code 4")
    t.shell()
    t.until("list", "newlib  - ")  # init says that it has stopped, then clears up
    answer = t.command("list")
    want(re.search(r"1  e1 .*running", answer) and re.search(r"2  e2 .* - ", answer), answer)
    want("no command 'frob'" in t.command("frob"), "an unknown command is not refused")
    want("no domain 'e9'" in t.command("pause e9"), "an unknown domain is not refused")
    want("of which domain?" in t.command("pause"), "a missing name is not asked for")
    want("not running" in t.command("pause e2"), "a stopped domain can be paused")
    t.command("pause e1")
    want(re.search(r"e1 .*paused", t.command("list")), "e1 is not paused")
    t.type(ESCAPE + "1")
    t.expect("--- e1 ---")
    t.type("sleeper\r")
    t.shell()
    want("sleeper" not in t.text, "a paused domain answered")
    t.command("unpause e1")
    t.type(ESCAPE + "1")
    t.expect("e1: sleeper\r\n")
    t.shell()
    want("frames" in t.command("stats") and "kmem pages" in t.command("stats e1"), "no counters")
    want("e1 stopped: destroyed" in t.command("destroy e1"), "the end of e1 is not announced")
    want(re.search(r"e1 .* - ", t.command("list")), "e1 is still there")
    t.command("create e1")
    want("there already" in t.command("create e1"), "a running domain was created again")
    t.type(ESCAPE + "1")
    t.expect("started again")
    t.expect("hello from e1")
    t.shell()
    want("kernel up" in t.command("log"), "the kernel log is not shown")
    t.command("cycle e2,3")
    t.expect("cycle of e2: not ok")  # it ends with code 4
    t.type("poweroff 5\r")
    want(t.end() == 5, "poweroff 5 is not exit status 5")


@case
def flood(boot):
    """A domain that writes without end holds up neither the shell nor another domain's console."""
    t = boot([("e1", {}), ("noisy", {"cmdline": "do=chatter"})])
    t.expect(r"noisy\| blah")
    t.shell()
    t.type(ESCAPE + "1")
    t.expect("--- e1 ---")
    t.type("quiet please\r")
    t.expect("e1: quiet please\r\n")
    t.type(ESCAPE + "2")
    t.expect("blah blah")
    t.shell()
    want("noisy stopped" in t.command("destroy noisy"), "the end of noisy is not announced")
    t.type(ESCAPE + "q")
    want(t.end() == status.OK, "quit is not exit status 0")


@case
def restart(boot):
    """on_exit = "restart" starts a domain anew and gives up on one that never lasts."""
    t = boot([("e1", {"cmdline": "exit=3", "on_exit": "restart"})], "headless")
    for _ in range(3):
        t.expect(r"e1\| hello from e1")
        t.expect("e1 stopped: powered off, code 3")
    t.expect("e1: not started again: 6 ends")
    want(t.end() == 3, "a headless machine without domains did not end with the first code")


@case
def console_restarts(boot):
    """The console service is started anew, by command: the others' consoles go on."""
    t = boot([("e1", {}), ("noisy", {"cmdline": "do=chatter"})], "view=e1")
    t.expect("hello from e1")
    for word in ("first", "second"):
        t.shell()
        t.type("restart console\r")
        t.expect(r"--- Ctrl-\] \? for help")
        t.expect("--- e1 ---")  # view=e1 still holds
        t.type(f"{word}\r")
        t.expect(f"e1: {word}\r\n")
    t.type(ESCAPE + "2")
    t.expect("--- noisy ---")
    t.expect("blah blah")
    t.shell()
    want("noisy stopped" in t.command("destroy noisy"), "the end of noisy is not announced")
    t.type(ESCAPE + "q")
    want(t.end() == status.OK, "quit is not exit status 0")


@case
def console_dies(boot):
    """The console service ends thirty times, at any moment: who writes and who reads goes on after the last."""
    t = boot([("e1", {}), ("noisy", {"cmdline": "do=chatter"})], "headless view=e1 kills=console,30,20000,7")
    t.expect("kills: 30 of console")
    t.expect(r"noisy\| blah")
    t.type("still there\r")
    t.expect(r"e1\| e1: still there")
    t.expect(r"noisy\| blah")
    t.close()


@case
def links(boot):
    """Each end of a link is restarted; the link comes up again in a new epoch."""
    t = boot([("e1", {"kernel": "linkfront.elf", "cmdline": "rounds=0 stay"}),
              ("disk", {"kernel": "blkd.elf"})],
             links=[{"kind": "blk", "front": "e1", "back": "disk", "size": "1M"}])
    t.expect(r"disk\| blk0: serves e1, epoch 1")
    t.shell()
    want(re.search(r"blk0 .*e1 -> disk  up, epoch 1, window 4096 KiB, disk 1024 KiB",
                   t.command("links")), "the link is not up")
    t.command("restart disk")
    t.until("links", "up, epoch 2")
    t.command("destroy e1")
    want("down, epoch 2" in t.command("links"), "the link of a dead front end is not down")
    t.command("create e1")
    t.until("links", "up, epoch 3")
    t.type(ESCAPE + "2")
    t.expect("serves e1, epoch 3")
    t.shell()
    t.command("destroy disk")
    want("down, epoch 3" in t.command("links"), "the link of a dead back end is not down")
    want("not running" in t.command("restart disk"), "a dead domain can be restarted")
    t.command("create disk")
    t.until("links", "up, epoch 4")
    t.type(ESCAPE + "2")
    t.expect("serves e1, epoch 4")
    t.shell()
    t.type("poweroff\r")
    want(t.end() == status.OK, "poweroff is not exit status 0")


@case
def link_deaf_end(boot):
    """An end that does not answer DOWN is named, and the link stays down until it has been replaced."""
    t = boot([("deaf", {"kernel": "linkfront.elf", "cmdline": "rounds=0 stay deaf"}),
              ("disk", {"kernel": "blkd.elf"})],
             links=[{"kind": "blk", "front": "deaf", "back": "disk", "size": "1M"}])
    t.expect(r"deaf\| 0 rounds")
    t.shell()
    t.command("restart disk")
    t.until("list", "disk             newlib  running")
    want("down, waits for deaf, epoch 1" in t.command("links"), "the link does not wait for its deaf end")
    t.until("log", "link blk0: deaf does not answer; down until it does")
    want("down, waits for deaf, epoch 1" in t.command("links"), "the link did not stay down")
    t.command("restart deaf")
    t.until("links", "up, epoch 2")
    t.type("poweroff\r")
    want(t.end() == status.OK, "poweroff is not exit status 0")


@case
def link_sleeping_end(boot):
    """A front end that sleeps while its back end comes and goes holds the link down until it wakes; nothing of
    any epoch stays behind: the kernel counts as many ports, capabilities and grants as at first."""
    t = boot([("e1", {"kernel": "linkfront.elf", "cmdline": "rounds=0 stay"}),
              ("disk", {"kernel": "blkd.elf"})],
             links=[{"kind": "blk", "front": "e1", "back": "disk", "size": "1M"}])

    def held():
        return re.findall(r"(?:ports|grants|caps) +\d+", t.command("stats"))

    t.expect(r"e1\| 0 rounds")
    t.shell()
    t.until("links", "up, epoch 1")
    at_first = held()
    for epoch in range(2, 7):
        t.command("pause e1")
        for _ in range(3):
            t.command("restart disk")
            t.until("list", "disk             newlib  running")
        t.until("links", f"down, waits for e1, epoch {epoch - 1}")
        t.command("unpause e1")
        t.until("links", f"up, epoch {epoch}")
    want(len(at_first) == 3 and held() == at_first, f"{at_first} have become {held()}")
    t.type("poweroff\r")
    want(t.end() == status.OK, "poweroff is not exit status 0")


# Writes to its disk and reboots; finds the mark the second time and compares.
REBOOTER = (
    "until [ -b /dev/vda ]; do sleep 1; done; if [ x$(head -c 6 /dev/vda) = xmarked ]; then "
    "a=$(dd if=/dev/vda skip=8 count=1 2>/dev/null | head -c 32); "
    "b=$(dd if=/dev/vda bs=64k skip=1 count=32 2>/dev/null | md5sum); "
    "[ x$a = x${b%% *} ] && echo same-$((6*7)); else "
    "dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null; a=$(md5sum < /tmp/data); "
    "dd if=/tmp/data of=/dev/vda bs=64k seek=1 2>/dev/null; echo marked > /dev/vda; "
    "echo ${a%% *} | dd of=/dev/vda seek=8 2>/dev/null; sync; reboot -f; sleep 60; fi")


@case
def link_outlives_reboot(boot):
    """A VM reboots; the disk another domain serves it has what was written before."""
    t = boot([("vm1", {"kind": "linux", "kernel": "bzImage", "initrd": "shell.cpio", "mem": "64M",
                       "cmdline": f'console=hvc0 quiet rf.name=vm1 rf.run="{REBOOTER}"'}),
              ("disk", {"kernel": "blkd.elf"})], mem=512,
             links=[{"kind": "blk", "front": "vm1", "back": "disk", "size": "4M"}])
    t.expect("vm1 stopped: asked for a reboot")
    t.expect("serves vm1, epoch 2")
    t.expect("same-42")
    t.type(ESCAPE + "q")
    want(t.end() == status.OK, "quit is not exit status 0")


@case
def default_system(boot):
    """What `./ringfence run` boots: each VM has a disk and a network with a way out, and the servers can be
    restarted."""
    text = (ROOT / "images" / "dev.toml").read_text()
    with tempfile.TemporaryDirectory(prefix="talk") as where:
        talk_to_default_system(boot(text=text, mem=512, iommu=True,
                                    extra=plug_all(schema.parse(text), pathlib.Path(where))))


def talk_to_default_system(t):
    t.expect(r"root@?\S*vm1|vm1:~\S* ")
    t.type("until ping -c 1 -W 1 vm2; do sleep 1; done; echo near-$((6*7))\r")
    t.expect("1 packets received(?s:.)*near-42")
    t.type("echo kept > /disk/f && sync && mount | grep -q '/dev/vda on /disk type ext4' && echo mounted-$((6*7))\r")
    t.expect("mounted-42")
    t.shell()
    for link in ("disk1", "disk2", "card1", "card2", "inside", "outside"):
        want(re.search(rf"{link} .* up, epoch 1", t.command("links")), f"{link} is not up")
    for server in ("disk", "net", "uplink"):
        t.command(f"restart {server}")
    for line in ("disk1            vm1 -> disk  up, epoch 2", "card2            vm2 -> net  up, epoch 2",
                 "outside          firewall -> uplink  up, epoch 2"):
        t.until("links", line)
    t.type(ESCAPE + "1")
    t.type("umount /disk; mount /dev/vda /disk && cat /disk/f; ping -c 3 vm2; ping -c 3 firewall; "
           "echo after-$((6*7))\r")
    t.expect(r"kept\r\n(?s:.)*[1-3] packets received(?s:.)*[1-3] packets received(?s:.)*after-42")
    t.type(ESCAPE + "q")
    want(t.end() == status.OK, "quit is not exit status 0")


@case
def plain_log(boot):
    """Headless: prefixes, the kernel's lines, no escapes, no carriage returns; input still arrives."""
    t = boot([("e1", {}), ("e2", {})], "headless exit-with=e2", cpus=2)
    t.expect(r"e2\| hello from e2")
    t.type("one\r")
    t.expect(r"e1\| e1: one\n")
    t.type(ESCAPE + "2two\r\x04")
    t.expect(r"e2\| e2: two\n")
    want(t.end() == status.OK, "e2's end was not the machine's end")
    tail = t.text.split("belongs to console now", 1)[1].lstrip("\r\n")
    want("\r" not in tail and "\x1b" not in tail, "the log is not plain")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("case", nargs="?", choices=CASES)
    options = parser.parse_args()
    if options.list:
        print(";".join(CASES))
        return 0
    talks = []

    def boot(domains=(), append="", **keys):
        talks.append(Talk(options.build.resolve(), options.case, domains, append, **keys))
        return talks[-1]

    try:
        CASES[options.case](boot)
    except Wrong as wrong:
        print(f"{options.case}: {wrong}", file=sys.stderr)
        return 1
    finally:
        for talk in talks:
            talk.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
