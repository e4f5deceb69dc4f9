#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Types at the console service and reads what it shows: views, switching, the shell, supervision.

    conversation.py --list
    conversation.py --build DIR CASE

Every step waits for a text, never for a time; the limit of a wait only ends a machine that stands still.
"""

import argparse
import os
import pathlib
import re
import selectors
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools")]

from manifest import lower, schema  # noqa: E402
from ringfence import qemu, status  # noqa: E402

LIMIT = 180
ESCAPE = "\x1d"
CASES = {}
CONSOLE = ("console", {"kernel": "console.elf", "mem": "8M", "uart": True})


class Wrong(Exception):
    """The system answered wrongly or not at all."""


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


def manifest_text(domains):
    text = 'manifest = 1\n[image]\nname = "talk"\n'
    for name, keys in domains:
        keys = {"name": name, "kind": "newlib", "kernel": "echo.elf", "mem": "4M"} | keys
        text += "[[domain]]\n" + "".join(
            f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
            for key, value in keys.items())
    return text


class Talk:
    """A running machine whose serial line is in our hands."""

    def __init__(self, build, name, domains, append="", cpus=1, mem=256):
        self.directory = tempfile.TemporaryDirectory(prefix="talk")
        here = pathlib.Path(self.directory.name)
        image, _ = lower.lower(schema.parse(manifest_text([CONSOLE, *domains])), here, build, mem << 20)
        (here / "image").write_bytes(image)
        machine = qemu.Machine(kernel=build / "kernel" / "ringfence.elf", image=here / "image",
                               cpus=cpus, mem=mem, append=append)
        self.log = build / "logs" / "tests" / f"system.talk-{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(qemu.command(machine), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.text, self.at = "", 0

    def _read(self, seconds):
        if not self.selector.select(seconds):
            return True
        data = os.read(self.process.stdout.fileno(), 65536)
        self.text += data.decode("latin1")
        return bool(data)

    def expect(self, pattern):
        """Waits for the pattern after what the last call found; returns the match."""
        end = time.monotonic() + LIMIT
        while True:
            match = re.compile(pattern).search(self.text, self.at)
            if match:
                self.at = match.end()
                return match
            if time.monotonic() > end or not self._read(1):
                raise Wrong(f"no '{pattern}' after:\n" + self.text[max(0, self.at - 300):][-1500:])

    def type(self, text):
        self.process.stdin.write(text.encode("latin1"))
        self.process.stdin.flush()

    def shell(self):
        self.type(ESCAPE + "s")
        self.expect(r"--- shell ---[^\n]*\n")
        self.expect("ringfence> ")

    def command(self, line):
        """Types a command at the shell, which must be shown; returns its answer."""
        self.type(line + "\r")
        self.expect(re.escape(line) + r"\r\n")
        start = self.at
        self.expect("ringfence> ")
        return self.text[start:self.at]

    def end(self):
        """Waits for the machine to end; returns its exit status."""
        end = time.monotonic() + LIMIT
        while self._read(1):
            if time.monotonic() > end:
                raise Wrong("the machine did not end:\n" + self.text[-1000:])
        return status.from_qemu(self.process.wait())[0]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.write_text(self.text)
        self.directory.cleanup()


def want(condition, what):
    if not condition:
        raise Wrong(what)


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

    def boot(domains, append="", **keys):
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
