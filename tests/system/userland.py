#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Real userlands: Debian from its login on, 32-bit programs, and every size of memory."""

import re
import sys
import tomllib

import harness
from harness import LINUX_WARNS, ROOT, case, nightly, vm
from talk import ESCAPE, Talk, want

# ---- Debian, at its console ----

# The VM of the manifest that `./ringfence run debian` boots.
MANIFEST = tomllib.loads((ROOT / "images" / "debian.toml").read_text())
DEBIAN = {key: value for domain in MANIFEST["domain"] if domain["name"] == "debian"
          for key, value in domain.items()}
LOGIN = r"debian login: root \(automatic login\)"
PROMPT = r"root@debian:~# "


class Debian(Talk):
    """A Debian VM, with somebody logged in once it is entered."""

    def __init__(self, system):
        super().__init__(system.build.resolve(), system.name, [("debian", DEBIAN)], "view=debian", mem=1024)
        self.commands = 0

    def __enter__(self):
        try:
            self.expect(LOGIN)
            self.expect(PROMPT)
            self.run("stty columns 999")  # what is typed must be shown as it is
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, command):
        """Types a command at the guest's shell; what it says. A status that is not 0 is wrong."""
        self.commands += 1
        mark = f"end-{self.commands}"
        self.type(f"{command}; echo {mark}=$?\r")
        self.expect(rf"{mark}=\$\?[^\n]*\n")
        start = self.at
        code = int(self.expect(rf"{mark}=(\d+)")[1])
        said = re.sub(r"\x1b\[\?2004[hl]|\r", "", self.text[start:self.at]).rpartition(mark)[0]
        self.expect(PROMPT)  # else the next command is shown twice
        want(code == 0, f"'{command}' ended with {code}: {said}")
        return said

    def memory(self):
        """The guest's /proc/meminfo in KiB, with nothing in caches that can go."""
        said = self.run("sync; echo 3 > /proc/sys/vm/drop_caches; cat /proc/meminfo")
        return {name: int(kib) for name, kib in re.findall(r"(\w+): +(\d+) kB", said)}

    def counters(self):
        """What the microkernel keeps for the machine and for the VM: name -> number."""
        self.shell()
        said = self.command("stats") + self.command("stats debian")
        self.type(ESCAPE + "1")
        self.expect("--- debian ---")
        levels = re.findall(r"\b(aspaces|tables|ports|grants|caps|vcpus) (\d+)", said)
        return dict({name: int(number) for name, number in reversed(levels)},
                    kmem=int(re.search(r"kmem pages (\d+) of", said)[1]))


@case
def debian_login(system):
    """A login shell, and programs that lean on much of a distribution."""
    with Debian(system) as d:
        want(re.search(r"^apt 2\.6\.\d+ \(amd64\)$", d.run("apt --version"), re.M), "no apt")
        want("perl 42" in d.run("perl -MPOSIX -e 'print \"perl \", POSIX::floor(42.5), \"\\n\"'"), "no perl")
        packages = int(d.run("dpkg -l | grep -c ^ii"))
        want(80 <= packages <= 120, f"{packages} packages")
        # Every byte of these packages is what Debian shipped; documentation was left out on purpose.
        broken = d.run("dpkg -V libc6 coreutils perl-base apt login | grep -v ' /usr/share/\\|gconv'; true")
        want(not broken.strip(), f"files differ from their packages: {broken}")
        # Modes and owners: only the shadow group of chage lets nobody see its entry.
        d.run("! su -s /bin/sh nobody -c 'cat /etc/shadow'")
        want("Password expires" in d.run("su -s /bin/sh nobody -c 'chage -l nobody'"), "chage fails")
        d.type("exit\r")
        d.expect(LOGIN)
        d.expect(PROMPT)
        d.type("poweroff\r")
        d.expect("debian stopped: powered off")


@case
def debian_32bit(system):
    """A 32-bit static program does the same work as the 64-bit ones: processes, pipes, files."""
    with Debian(system) as d:
        want("i386" in d.run("dpkg-query -W -f '${Architecture}\\n' busybox-static"), "no i386 package")
        want(d.run("od -An -tx1 -j4 -N1 /bin/busybox").split() == ["01"], "busybox is not 32-bit ELF")
        work = "{0}find /usr/bin -type f | {0}sort | {0}xargs {0}md5sum | {0}md5sum"
        short, long = d.run(work.format("busybox ")), d.run(work.format(""))
        want(re.fullmatch(r"[0-9a-f]{32}  -\n", short) and short == long, f"{short} and {long} differ")
        want("63 4096" in d.run("busybox sh -c 'i=0; while [ $i -lt 64 ]; do (exit $i); s=$?; i=$((i+1)); "
                                "done; echo $s $((64*i))'"), "a 32-bit shell cannot count")


# Dynamically linked programs, from few libraries to many.
SPAWN = ("perl -e 'my @c = ([\"true\"], [\"ls\", \"/\"], [\"true\"], [\"dpkg\", \"--version\"]); my $bad = 0; "
         "for my $i (1..shift) { my $p = fork // die; "
         "unless ($p) { open STDOUT, \">/dev/null\"; exec @{$c[$i % @c]}; exit 99 } "
         "waitpid $p, 0; $bad++ if $? } print \"$bad bad\\n\"' ")
STEP = 200  # programs per typed command: a wait has a limit


def spawn(debian, count, prefix):
    for _ in range(0, count, STEP):
        want(debian.run(prefix + SPAWN + str(STEP)) == "0 bad\n", "programs fail")


NOISE_KIB = 512  # what the guest's kernel keeps now and then for its own use
NOISE_PAGES = 8


def spawn_loop(system, count, prefix=""):
    """fork+exec over and over: neither the guest nor the microkernel has less than before. The limits do
    not grow with `count`, so a long loop finds what is small.

    QEMU translates code anew for each address it runs at, which is most of the time of a program at
    random addresses and even slows down later writes to the pages it was in."""
    with Debian(system) as d:
        spawn(d, STEP, prefix)
        memory, levels = d.memory(), d.counters()
        spawn(d, count, prefix)
        grown = {name: kib - memory[name] for name, kib in d.memory().items()}
        kept = {name: number - levels[name] for name, number in d.counters().items()}
    print(f"guest, KiB: {grown}\nmicrokernel: {levels}, then {kept} more")
    want(grown["MemFree"] > -NOISE_KIB, f"the guest lost memory: {grown}")
    for name in ("SUnreclaim", "PageTables", "KernelStack", "VmallocUsed", "AnonPages"):
        want(grown[name] < NOISE_KIB, f"the guest's {name} grew: {grown}")
    for name in ("tables", "kmem"):
        want(kept.pop(name) <= NOISE_PAGES, f"the microkernel's {name} grew: {kept}")
    want(not any(kept.values()), f"the microkernel's objects changed: {kept}")


@case
def debian_spawns_1000(system):
    spawn_loop(system, 1000, "setarch -R ")


@nightly
def debian_spawns_5000(system):
    spawn_loop(system, 5000, "setarch -R ")


@nightly
def debian_spawns_random(system):
    """The same with addresses that differ from one program to the next."""
    spawn_loop(system, 1000)


@nightly
def debian_cycles(system):
    """Debian VMs that ran programs and powered off leave nothing in the microkernel."""
    run = "i=0; while [ $i -lt 100 ]; do ls / | sort > /dev/null; i=$((i+1)); done"
    domain = vm("debian", "", initrd=DEBIAN["initrd"], mem=DEBIAN["mem"],
                cmdline=f'console=hvc0 {LINUX_WARNS} norandmaps rf.run="{run}"')
    system.boot(system.image(domain), mem=1024, append="cycle=debian,3")
    system.said(r"cycle: ok, 3 runs of debian")
    system.healthy()


# ---- sizes of memory ----

def fills(system, mem, stride, machine, keep=4, budget=None):
    """A VM of `mem` MiB sees that much, less what its kernel takes, and all that is free holds what is
    written. The kernel's reserve for hard times is made small first."""
    system.boot(system.image(vm("vm1", "echo 1024 > /proc/sys/vm/min_free_kbytes; grep MemTotal /proc/meminfo; "
                                f"fillmem {keep} {stride}", initrd="fillmem.cpio", mem=f"{mem}M")),
                mem=machine, budget=budget)
    system.healthy()
    system.said(r"^vm1\| fillmem: \d+ MiB, \d+ words, 0 wrong$", r"^vm1\| rf\.run: exit 0$")
    total, filled = (int(re.search(pattern, system.result.text)[1])
                     for pattern in (r"MemTotal: +(\d+) kB", r"fillmem: (\d+) MiB"))
    total >>= 10
    print(f"{total} MiB seen, {filled} MiB filled, of {mem}")
    want(0 < mem - total <= 18 + mem // 50, f"MemTotal is {total} MiB of {mem}")
    want(filled >= total * 0.95 - 16, f"only {filled} MiB of {total} could be filled")


@case
def memory_48m(system):
    fills(system, 48, 8, 256)


@case
def memory_64m(system):
    fills(system, 64, 8, 256)


@case
def memory_256m(system):
    fills(system, 256, 64, 512)


@case
def memory_1g(system):
    fills(system, 1024, 1024, 1536)


@nightly
def memory_4g(system):
    fills(system, 4096, 1024, 5120, keep=16)


if __name__ == "__main__":
    sys.exit(harness.main(__doc__))
