# SPDX-License-Identifier: BSD-2-Clause
"""From the MANIFEST argument to a boot image on disk, with the manifest tool's messages."""

import pathlib
import sys

from . import paths, status, ui

sys.path.insert(0, str(paths.ROOT / "tools"))

from manifest import lower, schema  # noqa: E402
from manifest.errors import ManifestError  # noqa: E402

DEFAULT_MEM = 1024
DEFAULT_CPUS = 2


def find(argument):
    """The manifest file the user means: a path, or a name in images/."""
    if argument is None:
        return paths.DEFAULT_MANIFEST
    candidates = [pathlib.Path(argument), paths.ROOT / "images" / argument,
                  paths.ROOT / "images" / f"{argument}.toml"]
    for path in candidates:
        if path.is_file():
            return path
    known = ", ".join(sorted(p.stem for p in (paths.ROOT / "images").glob("*.toml")))
    raise ui.Stop(f"there is no manifest '{argument}'", status.USAGE, f"In images/: {known}")


def _complain(path, error):
    lines = "\n".join(error.findings)
    raise ui.Stop(f"{paths.show(path)} cannot be used:", status.USAGE, lines) from None


def parse(path):
    try:
        return schema.parse(path.read_text())
    except ManifestError as error:
        _complain(path, error)
    except (OSError, UnicodeDecodeError) as error:
        raise ui.Stop(f"{paths.show(path)} cannot be read: {error}", status.USAGE) from None


def make(path, manifest, mem):
    """Lower a parsed manifest for a machine of `mem` MiB; returns the image's path."""
    try:
        data, _ = lower.lower(manifest, path.parent, paths.BUILD, mem << 20)
    except ManifestError as error:
        _complain(path, error)
    out = paths.IMAGES / f"{path.stem}.img"
    if not out.exists() or out.read_bytes() != data:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = out.with_suffix(".part")
        partial.write_bytes(data)
        partial.replace(out)
    return out


def machine_size(options, manifest):
    """(cpus, MiB): the command line wins over the manifest, the manifest over the default."""
    cpus = options.cpus or (manifest and manifest.cpus) or DEFAULT_CPUS
    mem = options.mem or (manifest and manifest.mem >> 20) or DEFAULT_MEM
    return cpus, mem
