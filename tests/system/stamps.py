# SPDX-License-Identifier: BSD-2-Clause
"""The client of a disk whose every write carries a number (tests/domains/stampfront), and what it must say."""

import re

from harness import Wrong, service

COUNTS = r"(\d+) deaths, (\d+) writes acknowledged, (\d+) reads, (\d+) lost, (\d+) ghosts, (\d+) foreign, " \
         r"(\d+) errors, longest wait (\d+) us"
NAMES = ("deaths", "writes", "reads", "lost", "ghosts", "foreign", "errors", "wait")


def counts(system):
    """What stampfront (tests/domains) said, as numbers."""
    match = re.search(COUNTS, system.result.text)
    if not match:
        raise Wrong("the client did not come to its end")
    print(match[0])
    return dict(zip(NAMES, map(int, match.groups())))


def client(**words):
    return service("front", " ".join(f"{key}={value}" for key, value in words.items()),
                   kernel="stampfront.elf")


def nothing_lost(told, lives, within=None):
    if told["deaths"] < lives:
        raise Wrong(f"{told['deaths']} of {lives} deaths happened")
    if any(told[name] for name in ("lost", "ghosts", "foreign", "errors")):
        raise Wrong(f"writes are lost or come back: {told}")
    if within and told["wait"] > within:
        raise Wrong(f"a request waited {told['wait']} us, {within} are allowed")
    return told
