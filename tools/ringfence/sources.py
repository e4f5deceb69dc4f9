# SPDX-License-Identifier: BSD-2-Clause
"""Sources that Debian has only as source packages: fetched below the build directory, checked, no root.

apt gets a source list and state of our own, so the machine's configuration is neither read nor changed, and
needs no deb-src line. Signatures are apt's business; the checksums in tools/deps.toml are ours, because
a rebuilt archive must not change a build unnoticed.
"""

import hashlib
import subprocess

from . import deps, paths, status, ui

SUITES = [("http://deb.debian.org/debian", "bookworm bookworm-updates"),
          ("http://deb.debian.org/debian-security", "bookworm-security")]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def directory(source):
    return paths.BUILD / "sources" / f"{source['name']}-{source['version']}"


def _digest(path):
    value = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            value.update(block)
    return value.hexdigest()


def present(source):
    """Whether all files are there with the checksums of the list."""
    return all((directory(source) / f["name"]).is_file()
               and _digest(directory(source) / f["name"]) == f["sha256"] for f in source["files"])


def _options():
    root = paths.BUILD / "apt"
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    listing = root / "etc" / "sources.list"
    listing.write_text("".join(f"deb-src [signed-by={KEYRING}] {url} {suite} main\n"
                               for url, suites in SUITES for suite in suites.split()))
    pairs = {"Dir::State": root / "state", "Dir::Cache": root / "cache",
             "Dir::Etc::sourcelist": listing, "Dir::Etc::sourceparts": "-",
             "Dir::State::status": "/var/lib/dpkg/status", "APT::Sandbox::User": ""}
    return [part for key, value in pairs.items() for part in ("-o", f"{key}={value}")]


def _apt(arguments, cwd):
    result = subprocess.run(["apt-get", "-q", *_options(), *arguments], cwd=cwd, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        tail = "\n".join(result.stdout.splitlines()[-8:])
        raise ui.Stop(f"apt-get {arguments[0]} failed", status.MISSING, tail)


def ensure():
    """Fetch what the list names and is not there. Needs no network when all is."""
    missing = [source for source in deps.load()[1] if not present(source)]
    if not missing:
        return
    progress = ui.Progress("fetching sources: " + " ".join(s["name"] for s in missing))
    paths.BUILD.mkdir(parents=True, exist_ok=True)
    _apt(["update"], paths.BUILD)
    for source in missing:
        place = directory(source)
        place.mkdir(parents=True, exist_ok=True)
        _apt(["source", "--download-only", f"{source['name']}={source['version']}"], place)
        for file in source["files"]:
            if not (place / file["name"]).is_file():
                raise ui.Stop(f"{source['name']}: Debian did not send {file['name']}", status.MISSING)
            if _digest(place / file["name"]) != file["sha256"]:
                raise ui.Stop(f"{place / file['name']}: the checksum is not the one in "
                              "tools/deps.toml", status.MISSING)
    progress.done()
