# SPDX-License-Identifier: BSD-2-Clause
"""`clean`: removes the build directory, and only that."""

import shutil

from . import paths, status, ui

SLOW = {"linux", "linux-src", "linux-src.json", "newlib"}


def main(options):
    if not paths.BUILD.exists():
        return status.OK
    if paths.BUILD == paths.ROOT or paths.BUILD in paths.ROOT.parents:
        raise ui.Stop(f"refusing to remove {paths.BUILD}")
    if not options.keep_linux:
        shutil.rmtree(paths.BUILD)
    else:
        for entry in paths.BUILD.iterdir():
            if entry.name in SLOW:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    ui.say(f"removed {paths.show(paths.BUILD)}")
    return status.OK
