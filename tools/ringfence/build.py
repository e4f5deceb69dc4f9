# SPDX-License-Identifier: BSD-2-Clause
"""`build`: dependencies, CMake, Ninja. Quiet when nothing is to do, so that `run` starts at once."""

import os
import shutil
import subprocess

from . import deps, paths, status, ui


def _configure():
    if (paths.BUILD / "build.ninja").exists():
        return
    ui.say("configuring")
    command = ["cmake", "-S", str(paths.ROOT), "--preset", "dev", "-B", str(paths.BUILD)]
    command += os.environ.get("RINGFENCE_CMAKE", "").split()
    result = subprocess.run(command, cwd=paths.ROOT, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        shutil.rmtree(paths.BUILD / "CMakeFiles", ignore_errors=True)
        (paths.BUILD / "CMakeCache.txt").unlink(missing_ok=True)
        raise ui.Stop("cmake failed", status.BUILD, "\n".join(result.stdout.splitlines()[-20:]))


def build(targets=(), groups=("build",)):
    """Make everything, or only `targets`, current. Raises ui.Stop when it cannot."""
    deps.ensure(groups)
    paths.BUILD.mkdir(parents=True, exist_ok=True)
    _configure()
    env = dict(os.environ, NINJA_STATUS="[%f/%t %es] ")
    # -n costs a tenth of a second and keeps "no work to do" off the screen.
    probe = subprocess.run(["ninja", "-C", str(paths.BUILD), "-n", *targets],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if probe.returncode == 0 and "no work to do" in probe.stdout:
        return
    ui.say("building" + (" (the first time takes a while: Linux and newlib are built from source)"
                         if not paths.BZIMAGE.exists() else ""))
    code = subprocess.run(["ninja", "-C", str(paths.BUILD), *targets], env=env,
                          check=False).returncode
    if code:
        raise ui.Stop("the build failed; the messages above say where", status.BUILD)


def main(_options):
    build()
    ui.say(f"built everything below {paths.show(paths.BUILD)}")
    return status.OK
