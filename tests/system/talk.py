# SPDX-License-Identifier: BSD-2-Clause
"""A running machine whose serial line is in a test's hands.

Every step waits for a text, never for a time; the limit of a wait only ends a machine that stands still.
"""

import os
import pathlib
import re
import selectors
import subprocess
import tempfile
import time

from harness import Wrong, lower, qemu, schema, status

LIMIT = 180
ESCAPE = "\x1d"
CONSOLE = ("console", {"kernel": "console.elf", "mem": "8M", "uart": True})


def table_text(kind, keys):
    return f"[[{kind}]]\n" + "".join(
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
        for key, value in keys.items())


def manifest_text(domains, links=()):
    text = 'manifest = 1\n[image]\nname = "talk"\n'
    for name, keys in domains:
        keys = {"name": name, "kind": "newlib", "kernel": "echo.elf", "mem": "4M"} | keys
        text += table_text("domain", keys)
    return text + "".join(table_text("link", keys) for keys in links)


class Talk:
    """A running machine whose serial line is in our hands: of a manifest's text, or of domains and links."""

    def __init__(self, build, name, domains=(), append="", cpus=1, mem=256, links=(), text=None, iommu=False,
                 extra=()):
        self.directory = tempfile.TemporaryDirectory(prefix="talk")
        here = pathlib.Path(self.directory.name)
        text = text or manifest_text([CONSOLE, *domains], links)
        image, _ = lower.lower(schema.parse(text), here, build, mem << 20)
        (here / "image").write_bytes(image)
        machine = qemu.Machine(kernel=build / "kernel" / "ringfence.elf", image=here / "image",
                               cpus=cpus, mem=mem, append=append, iommu=iommu, extra=tuple(extra))
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

    def until(self, line, text):
        """Repeats a command until its answer holds the text."""
        end = time.monotonic() + LIMIT
        while text not in (answer := self.command(line)):
            if time.monotonic() > end:
                raise Wrong(f"{line} never says '{text}':\n{answer}")

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
