# SPDX-License-Identifier: BSD-2-Clause
"""`manual`: builds the manual of the ABI, then says where it is, opens it where there is a screen, or shows a page."""

import os
import shutil
import subprocess

from . import build, paths, status, ui

DIRECTORY = paths.BUILD / "manual"
READERS = (("man", "-l"), ("mandoc", "-a"))


def _page(name):
    """The man page a user means by `pv_as_map`, `AS_MAP`, `pv-abi`, `pv-abi.7`."""
    wanted = name.lower()
    for path in sorted((DIRECTORY / "man").rglob("*.[0-9]")):
        if wanted in (path.name, path.stem, path.stem.removeprefix("pv_"), path.stem.removeprefix("pv-abi-")):
            return path
    raise ui.Stop(f"there is no page '{name}'", status.USAGE,
                  "Pages: a hypercall (as_map), pv-abi, structures, constants, clauses")


def _show(path):
    for reader in READERS:
        if shutil.which(reader[0]):
            return subprocess.run([*reader, str(path)], check=False).returncode and status.FAILED
    raise ui.Stop("neither man nor mandoc is installed", status.MISSING, f"The page is {paths.show(path)}")


def main(options):
    build.build(("manual",))
    if options.page:
        return _show(_page(options.page))
    page = DIRECTORY / "pv-abi.html"
    print(f"{paths.show(page)}  the manual; a browser is all it needs\n"
          f"{paths.show(DIRECTORY / 'man')}  man pages: ./ringfence manual as_map, "
          f"or MANPATH={paths.show(DIRECTORY / 'man')}: man pv-abi")
    if (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and shutil.which("xdg-open"):
        subprocess.run(["xdg-open", str(page)], check=False)
    return status.OK
