# SPDX-License-Identifier: BSD-2-Clause
"""What the user sees: messages on stderr, a progress line for long work, errors with a status."""

import os
import sys
import time

from . import status


class Stop(Exception):
    """An error the user can act on: printed without a traceback, exits with its own status."""

    def __init__(self, message, code=status.FAILED, hint=None):
        super().__init__(message)
        self.code = code
        self.hint = hint


def colour(text, code):
    if os.environ.get("NO_COLOR") or not sys.stderr.isatty():
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def say(text):
    print(colour("ringfence:", "1"), text, file=sys.stderr, flush=True)


def warn(text):
    print(colour("ringfence: warning:", "33;1"), text, file=sys.stderr, flush=True)


def fail(text, hint=None):
    print(colour("ringfence: error:", "31;1"), text, file=sys.stderr, flush=True)
    if hint:
        print("  " + hint.replace("\n", "\n  "), file=sys.stderr, flush=True)


class Progress:
    """One line that is rewritten on a terminal and printed every `every` seconds elsewhere."""

    def __init__(self, title, every=30.0):
        self.title = title
        self.every = every
        self.start = time.monotonic()
        self.last = 0.0
        self.tty = sys.stderr.isatty()
        say(title)

    def step(self, text):
        now = time.monotonic()
        if now - self.last < (0.2 if self.tty else self.every):
            return
        self.last = now
        line = f"  {int(now - self.start):4d}s  {text}"
        if self.tty:
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            sys.stderr.write("\r\x1b[K" + line[: max(width - 1, 20)])
            sys.stderr.flush()
        else:
            print(line, file=sys.stderr, flush=True)

    def text(self, text):
        """A message that must stay on the screen."""
        sys.stderr.write(("\r\x1b[K" if self.tty else "") + text)
        sys.stderr.flush()

    def done(self, text="done"):
        if self.tty:
            sys.stderr.write("\r\x1b[K")
        print(f"  {text} ({int(time.monotonic() - self.start)}s)", file=sys.stderr, flush=True)
