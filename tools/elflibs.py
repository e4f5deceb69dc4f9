# SPDX-License-Identifier: BSD-2-Clause
"""What a dynamic ELF program needs beside itself: its loader and its libraries, found where Debian keeps them.

Nothing is executed, so 32-bit programs are no different. Names are those the loader looks for in the guest.
"""

import pathlib
import re
import subprocess

SEARCH = {
    64: ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib"),
    32: ("/lib32", "/usr/lib32", "/lib/i386-linux-gnu", "/usr/lib/i386-linux-gnu"),
}


class Missing(Exception):
    """A library no directory has."""


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def describe(path):
    """(word size, loader or None, names of libraries, own search path) of an ELF file."""
    text = subprocess.run(["readelf", "-hldW", str(path)], check=True, text=True, env={"LC_ALL": "C"},
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    loader = re.search(r"program interpreter: ([^\]]+)\]", text)
    own = re.search(r"\((?:RUNPATH|RPATH)\).*\[([^\]]*)\]", text)
    return (32 if re.search(r"Class:\s+ELF32", text) else 64, loader and loader[1],
            re.findall(r"\(NEEDED\).*\[([^\]]+)\]", text), own[1].split(":") if own else [])


def _find(name, bits, beside):
    for directory in (*beside, *SEARCH[bits]):
        path = pathlib.Path(directory) / name
        if path.exists():
            return path
    raise Missing(f"{name} ({bits} bit)")


def _directories(runpath):
    return [pathlib.Path(directory) for directory in runpath if directory.startswith("/")]


def needed(program, extra=()):
    """{name in the guest: file of this machine} for `program` and, by name, the libraries it loads later
    by itself (`extra`). A library beside the program (RUNPATH ./) is not listed; one that only its user knows where to
    find (RUNPATH /...) is."""
    bits, loader, names, own = describe(program)
    files, queue = {}, [(name, _directories(own)) for name in (*names, *extra)]
    if loader:
        files[loader] = pathlib.Path(loader).resolve()
    beside = [program.parent / p for p in own if p.startswith(".")]
    while queue:
        name, known = queue.pop()
        path = _find(name, bits, (*beside, *known))
        if loader and pathlib.Path(loader).name == name or str(path) in files:
            continue
        if path.parent not in beside:
            files[str(path)] = path.resolve()
        _, _, more, own = describe(path)
        queue += [(name, _directories(own)) for name in more]
    return files
