# SPDX-License-Identifier: BSD-2-Clause
"""Relays a machine's serial line to the user's terminal and back.

The terminal is raw while the machine runs, so every key reaches the guest; only the quit key is ours. We
hold it, not QEMU and not the guest, so it works when both hang. Whatever ends the run, the terminal
gets its old settings back.
"""

import contextlib
import os
import selectors
import signal
import sys
import termios
import time
import tty

PREFIX = 0x1D  # Ctrl-]
QUIT = ord("q")
RESET = b"\x1b[0m\x1b[?25h"


class Quit(Exception):
    """The user pressed the quit key."""


class Timeout(Exception):
    """The time given by the user is over."""


class Signalled(Exception):
    """A signal asked us to end."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


class KeyFilter:
    """Finds the quit key in typed bytes; hands everything else on, the lone prefix included."""

    def __init__(self):
        self.held = False

    def feed(self, data):
        out = bytearray()
        for byte in data:
            if self.held:
                self.held = False
                if byte == QUIT:
                    raise Quit
                out += bytes([PREFIX, byte])
            elif byte == PREFIX:
                self.held = True
            else:
                out.append(byte)
        return bytes(out)


@contextlib.contextmanager
def raw(fd):
    """Raw input on a terminal; output processing stays, because a panic prints bare newlines."""
    if fd < 0 or not os.isatty(fd):
        yield
        return
    old = termios.tcgetattr(fd)
    try:
        tty.setraw(fd)
        new = termios.tcgetattr(fd)
        new[1] |= termios.OPOST | termios.ONLCR
        termios.tcsetattr(fd, termios.TCSANOW, new)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, old)
        if sys.stdout.isatty():
            os.write(sys.stdout.fileno(), RESET)


@contextlib.contextmanager
def signals():
    """Turns the signals that end programs into an exception raised in the relay."""
    def handler(number, _frame):
        raise Signalled(number)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    old = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, action in old.items():
            signal.signal(number, action)


def _write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


class Relay:
    """Serial output of `process` to stdout and `log`; keys to its input unless `keys` is False."""

    def __init__(self, process, keys=True, log=None, timeout=None):
        self.process, self.log = process, log
        self.deadline = time.monotonic() + timeout if timeout else None
        self.selector = selectors.DefaultSelector()
        self.selector.register(process.stdout, selectors.EVENT_READ, self._output)
        self.stdin = sys.stdin.fileno() if keys and sys.stdin else None
        self.filter = KeyFilter() if self.stdin is not None and os.isatty(self.stdin) else None
        self.open = True
        if self.stdin is not None:
            with contextlib.suppress(PermissionError):  # a plain file cannot be polled
                self.selector.register(self.stdin, selectors.EVENT_READ, self._input)

    def _output(self):
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            self.open = False
            return
        _write_all(sys.stdout.fileno(), data)
        if self.log:
            self.log.write(data)
            self.log.flush()

    def _input(self):
        data = os.read(self.stdin, 4096)
        if not data:
            self.selector.unregister(self.stdin)
            return
        if self.filter:
            data = self.filter.feed(data)
        with contextlib.suppress(BrokenPipeError):
            _write_all(self.process.stdin.fileno(), data)

    def run(self):
        """Until the machine ends; raises Quit, Timeout or Signalled."""
        while self.open:
            wait = None
            if self.deadline:
                wait = self.deadline - time.monotonic()
                if wait <= 0:
                    raise Timeout
            for key, _ in self.selector.select(wait):
                key.data()
