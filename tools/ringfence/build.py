# SPDX-License-Identifier: BSD-2-Clause
"""`build`: dependencies, CMake, Ninja. Quiet when nothing is to do, so that `run` starts at once."""

import os
import re
import shutil
import subprocess
import sys

from . import deps, paths, sources, status, ui

STEP = re.compile(r"\[\d+/\d+\] ")
QUIET = ("ninja: Entering directory", "ninja: no work to do", "-- ")
FIRST = " (the first time takes a while: Linux and newlib are built from source)"


def _configure():
    cache = paths.BUILD / "CMakeCache.txt"
    if (paths.BUILD / "build.ninja").exists() and cache.exists():
        return
    ui.say("configuring")
    cache.unlink(missing_ok=True)
    shutil.rmtree(paths.BUILD / "CMakeFiles", ignore_errors=True)
    command = ["cmake", "-S", str(paths.ROOT), "--preset", "dev", "-B", str(paths.BUILD),
               f"-DPython3_EXECUTABLE={sys.executable}"]
    command += os.environ.get("RINGFENCE_CMAKE", "").split()
    result = subprocess.run(command, cwd=paths.ROOT, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        cache.unlink(missing_ok=True)
        raise ui.Stop("cmake failed", status.BUILD, "\n".join(result.stdout.splitlines()[-20:]))


def _ninja(targets):
    """Run Ninja; its step lines become one progress line, everything else is shown as it comes."""
    log_path = paths.LOGS / "build.log"
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, NINJA_STATUS="[%f/%t] ")
    process = subprocess.Popen(["ninja", "-C", str(paths.BUILD), *targets], env=env, text=True,
                               errors="replace", stdout=subprocess.PIPE)
    progress = None
    with open(log_path, "w") as log:
        for line in process.stdout:
            log.write(line)
            if line.startswith(QUIET) or "Re-checking globbed" in line:
                continue  # CMake's own chatter; its errors do not look like that
            if progress is None:
                progress = ui.Progress("building" + (FIRST if not paths.BZIMAGE.exists() else ""))
            if STEP.match(line):
                progress.step(line.strip())
            else:
                progress.text(line)
    code = process.wait()
    if progress and not code:
        progress.done("built")
    return code


def _knows(file):
    return not subprocess.run(["ninja", "-C", str(paths.BUILD), "-t", "query", file], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def build(targets=(), groups=("build",), files=()):
    """Make everything, or only `targets`, current, and those of `files` (names below the build directory)
    that the build makes. Raises ui.Stop when it cannot."""
    deps.ensure(groups)
    sources.ensure()
    paths.BUILD.mkdir(parents=True, exist_ok=True)
    _configure()
    code = _ninja(targets)
    known = [] if code else [file for file in files if _knows(file)]
    if code or (known and _ninja(known)):
        raise ui.Stop("the build failed; the messages above say where", status.BUILD,
                      f"Full log: {paths.show(paths.LOGS / 'build.log')}")


def main(_options):
    build(groups=("build", "run", "test"))
    ui.say(f"built everything below {paths.show(paths.BUILD)}")
    return status.OK
