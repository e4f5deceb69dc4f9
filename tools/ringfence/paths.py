# SPDX-License-Identifier: BSD-2-Clause
"""Where things are. The only module that knows the layout of the tree and of the build directory."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RINGFENCE_BUILD_DIR") or ROOT / "build").resolve()
DEPS = ROOT / "tools" / "deps.toml"
LOGS = BUILD / "logs"
RUN = BUILD / "run"
KERNEL = BUILD / "kernel" / "ringfence.elf"
BZIMAGE = BUILD / "linux" / "arch" / "x86" / "boot" / "bzImage"
VMLINUX = BUILD / "linux" / "vmlinux"
IMAGES = BUILD / "images"
DEFAULT_MANIFEST = ROOT / "images" / "dev.toml"


def show(path):
    """The path as the user would type it: relative when it is below the current directory."""
    path = pathlib.Path(path)
    try:
        return str(path.resolve().relative_to(pathlib.Path.cwd()))
    except ValueError:
        return str(path)
