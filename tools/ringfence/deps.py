# SPDX-License-Identifier: BSD-2-Clause
"""Dependencies: reads tools/deps.toml, tells what is missing, installs it with apt-get."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import tomllib

from . import debver, paths, status, ui

LOCK_WAIT_S = 600


@dataclasses.dataclass(frozen=True)
class Package:
    name: str
    min: str
    groups: tuple
    probe: str
    why: str


@dataclasses.dataclass(frozen=True)
class State:
    package: Package
    version: str | None
    ok: bool

    @property
    def text(self):
        if self.ok:
            return self.version
        return f"{self.version} is too old" if self.version else "missing"


def load(path=paths.DEPS):
    with open(path, "rb") as file:
        data = tomllib.load(file)
    packages = [
        Package(p["name"], p["min"], tuple(p["for"]), p["probe"], p["why"]) for p in data["package"]
    ]
    return packages, data.get("source", [])


def _dpkg_versions(names):
    out = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package} ${Version}\n", *names],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
    ).stdout
    found = {}
    for line in out.splitlines():
        fields = line.split()  # a package dpkg has only heard of has no version
        if fields[0] == "ii":
            found[fields[1]] = fields[2]
    return found


def _probe(target):
    return pathlib.Path(target).exists() if target.startswith("/") else shutil.which(target)


def check(groups):
    """State of every package that one of `groups` needs ("*" = all)."""
    wanted = [p for p in load()[0] if "*" in groups or set(groups) & set(p.groups)]
    if shutil.which("dpkg-query"):
        found = _dpkg_versions([p.name for p in wanted])
        return [
            State(p, found.get(p.name),
                  p.name in found and debver.compare(found[p.name], p.min) >= 0)
            for p in wanted
        ]
    return [State(p, "present" if _probe(p.probe) else None, bool(_probe(p.probe))) for p in wanted]


def install_command(names):
    return "sudo apt-get update && sudo apt-get install --no-install-recommends " + " ".join(names)


def _apt(args, log):
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    command = prefix + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y",
                        "-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S}", *args]
    progress = ui.Progress("apt-get " + " ".join(args[:1]))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace")
    for line in process.stdout:
        log.write(line)
        progress.step(line.strip())
    code = process.wait()
    log.flush()
    if code == 0:
        progress.done()
    return code


def ensure(groups):
    """Install what `groups` need. Does nothing, and needs no network, when all is there."""
    bad = [s for s in check(groups) if not s.ok]
    if not bad:
        return
    names = [s.package.name for s in bad]
    hint = "Install by hand with:\n" + install_command(names)
    if not shutil.which("apt-get"):
        raise ui.Stop("missing: " + " ".join(names) + " (names of Debian packages; this system has "
                      "no apt-get)", status.MISSING)
    if os.geteuid() != 0 and not shutil.which("sudo"):
        raise ui.Stop("missing: " + " ".join(names) + "; installing needs root or sudo",
                      status.MISSING, hint)
    ui.say("installing " + " ".join(names))
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    log_path = paths.LOGS / "apt.log"
    with open(log_path, "w") as log:
        code = _apt(["update"], log)
        if code:
            ui.warn("apt-get update failed; trying with the lists at hand")
        code = _apt(["install", "--no-install-recommends", *names], log)
    still = [s for s in check(groups) if not s.ok]
    if code or still:
        tail = "".join(log_path.read_text().splitlines(keepends=True)[-8:])
        raise ui.Stop("could not install: " + " ".join(s.package.name for s in still or bad),
                      status.MISSING, tail + f"Full log: {paths.show(log_path)}\n" + hint)
