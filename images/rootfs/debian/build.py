#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes a tar of a Debian 12 `minbase` root file system, made by mmdebstrap from Debian's archive.

Two runs against the same state of the archive write the same bytes. The packages come from wherever this
machine's apt gets Debian 12 from; the result names Debian's own hosts. One package is for i386: busybox, so
that a 32-bit program is at hand.

Needs root. Without it, mmdebstrap's own user namespace serves if the user may have one, else sudo.
"""

import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import urllib.parse

ARCHITECTURES = ["amd64", "i386"]
PACKAGES = ["usr-is-merged", "busybox-static:i386"]  # the first spares `usrmerge`, which wants all of Perl
LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*",
            "/usr/lib/x86_64-linux-gnu/gconv/*"]
KEPT = ["/usr/share/doc/*/copyright"]  # whoever passes the image on needs them
# What mmdebstrap's own cleaning leaves of when and where it ran.
TRACES = ["etc/*-", "var/cache/debconf/*-old", "var/lib/dpkg/*-old", "etc/apt/sources.list.d/*",
          "etc/apt/apt.conf.d/99mmdebstrap"]
OWN_FILES = {"etc/hostname": "debian\n", "etc/hosts": "127.0.0.1 localhost debian\n",
             "etc/resolv.conf": ""}
APT = ['Acquire::Languages "none";', 'Acquire::Retries "3";']
MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr"
SUITES = {"bookworm": "http://deb.debian.org/debian",
          "bookworm-updates": "http://deb.debian.org/debian",
          "bookworm-security": "http://deb.debian.org/debian-security"}
TARGET = "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"
# How this machine's apt reaches its hosts; everything else of its configuration is its own affair.
ACQUIRE = re.compile(r'Acquire::(https?|Retries|ForceIPv[46]|Check-[\w-]+)\b.* ".+";')


def die(message):
    sys.exit(f"debian: {message}")


def output(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def archive():
    """Where apt on this machine gets Debian 12 from: suite -> URI. Without lists, Debian's own hosts."""
    found = {}
    for line in output("apt-get", "indextargets", "--format", TARGET,
                       "Created-By: Packages").splitlines():
        fields = line.split(" ")
        if len(fields) == 4 and fields[0] == "Debian" and fields[2] == "main":
            found.setdefault(fields[1], fields[3])
    return {suite: found.get(suite, own if "bookworm" not in found else None)
            for suite, own in SUITES.items()}


def source_list(uris, architectures=()):
    """Lines for apt. i386 is taken from the main archive alone: its one package needs no other."""
    text = ""
    for suite, uri in uris.items():
        if uri:
            names = ",".join(architectures if suite == "bookworm" else architectures[:1])
            text += f"deb {f'[arch={names}] ' if names else ''}{uri} {suite} main\n"
    return text


def acquire_options():
    return [line for line in output("apt-config", "dump").splitlines() if ACQUIRE.match(line)]


def privilege():
    """(prefix of the command, mode of mmdebstrap)."""
    if os.geteuid() == 0:
        return [], "root"
    user = output("id", "-un").strip()
    subuid = pathlib.Path("/etc/subuid")
    if shutil.which("newuidmap") and subuid.exists() and f"{user}:" in subuid.read_text():
        return [], "unshare"
    if shutil.which("sudo"):
        return ["sudo", "-n"], "root"
    die("needs root, sudo, or a user namespace (package uidmap)")


def hooks():
    """Shell commands that finish the tree $1."""
    yield f'cd "$1" && rm -f {" ".join(TRACES)} && find var/log -type f -delete'
    for name, text in (OWN_FILES | {"etc/apt/sources.list": source_list(SUITES)}).items():
        yield f'printf %s {shlex.quote(text)} > "$1/{name}" && chmod 644 "$1/{name}"'


def command(uris):
    prefix, mode = privilege()
    words = ["mmdebstrap", f"--mode={mode}", "--variant=minbase", "--format=tar",
             f"--architectures={','.join(ARCHITECTURES)}", f"--include={','.join(PACKAGES)}",
             f"--hook-dir={MERGED_USR}"]
    words += [f"--aptopt={line}" for line in [*APT, *acquire_options()]]
    words += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    words += [f"--dpkgopt=path-include={pattern}" for pattern in KEPT]
    words += ["--customize-hook=" + hook for hook in hooks()]
    # The environment is what decides about times: sudo would not pass it on by itself.
    return [*prefix, "env", "SOURCE_DATE_EPOCH=0", "LC_ALL=C", *words, "bookworm", "-", "-"]


def reason(errors, uris):
    """One line out of what mmdebstrap said."""
    hosts = " ".join(sorted({urllib.parse.urlsplit(uri).netloc for uri in uris.values() if uri}))
    for mark in ("Could not resolve", "Could not connect", "Cannot initiate", "Unable to connect",
                 "Connection failed", "Temporary failure resolving"):
        if mark in errors:
            return f"Debian's archive cannot be reached at {hosts}"
    lines = [line for line in errors.splitlines() if line.startswith(("E: ", "dpkg: error", "sudo: "))]
    return lines[0].removeprefix("E: ") if lines else "mmdebstrap failed without saying why"


def main():
    parser = argparse.ArgumentParser(description="write a tar of a Debian 12 root file system")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--log", type=pathlib.Path, help="keep what mmdebstrap says here")
    options = parser.parse_args()
    if not shutil.which("mmdebstrap"):
        die("mmdebstrap is not installed")
    uris = archive()
    partial = options.out.with_name(options.out.name + ".part")
    with open(partial, "wb") as file:
        result = subprocess.run(command(uris), check=False, stdout=file, stderr=subprocess.PIPE,
                                input=source_list(uris, ARCHITECTURES).encode())
    errors = result.stderr.decode(errors="replace")
    if options.log:
        options.log.parent.mkdir(parents=True, exist_ok=True)
        options.log.write_text(errors)
    if result.returncode:
        partial.unlink()
        die(reason(errors, uris))
    partial.replace(options.out)


if __name__ == "__main__":
    main()
