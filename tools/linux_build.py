#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds the Linux guest kernel: unpack, patch, configure, make.

The source tree is unpacked once. When the patch series changes, the files it touches (and those the
former series touched) are computed anew from pristine copies in a scratch directory, and only those whose
content differs are written to the tree; so make recompiles what a changed patch really changes. Patches
are applied with `git apply`, which like `git am` knows no fuzz.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

IDENTITY = {
    "KBUILD_BUILD_USER": "ringfence",
    "KBUILD_BUILD_HOST": "ringfence",
    "KBUILD_BUILD_TIMESTAMP": "2025-01-01 00:00:00 +0000",
    "KBUILD_BUILD_VERSION": "1",
}
STEPS_GUESS = 1400  # compile steps of a typical configuration; corrected by the last build
STEP = re.compile(r"^\s+(CC|AS|LD|AR|HOSTCC|GEN|OBJCOPY|VDSO)\b")


def die(message):
    sys.exit(f"linux: {message}")


def say(message):
    print(f"linux: {message}", file=sys.stderr, flush=True)


def digest(*paths):
    value = hashlib.sha256()
    for path in paths:
        value.update(path.name.encode() + b"\0" + path.read_bytes())
    return value.hexdigest()


class Progress:
    """A line that is rewritten on a terminal, and one line a minute elsewhere."""

    def __init__(self, total):
        self.total, self.count, self.start, self.last = total, 0, time.monotonic(), 0.0
        self.tty = sys.stderr.isatty()

    def line(self, text):
        if STEP.match(text):
            self.count += 1
        now = time.monotonic()
        if now - self.last < (0.5 if self.tty else 60):
            return
        self.last = now
        share = min(99, 100 * self.count // max(self.total, 1))
        message = f"linux: {share:3d} %  {self.count} steps  {int(now - self.start)} s"
        print(("\r\x1b[K" if self.tty else "") + message, end="" if self.tty else "\n",
              file=sys.stderr, flush=True)

    def done(self):
        if self.tty:
            print("\r\x1b[K", end="", file=sys.stderr)
        say(f"built in {int(time.monotonic() - self.start)} s ({self.count} steps)")


class Tree:
    """The patched source tree, with pristine copies of what the series touches."""

    def __init__(self, options):
        self.source = options.source.resolve()
        self.tarball = options.tarball
        self.patches = sorted(options.patches.resolve().glob("*.patch"))
        self.pristine = self.source.with_name(self.source.name + ".orig")
        self.state_file = self.source.with_name(self.source.name + ".json")
        try:
            self.state = json.loads(self.state_file.read_text())
        except (OSError, ValueError):
            self.state = {}

    def save(self, **values):
        self.state.update(values)
        partial = self.state_file.with_suffix(".new")
        partial.write_text(json.dumps(self.state))
        partial.replace(self.state_file)

    def unpack(self):
        stat = self.tarball.stat()
        identity = [str(self.tarball), stat.st_size, int(stat.st_mtime)]
        if self.state.get("tarball") == identity and self.source.is_dir():
            return
        say(f"unpacking {self.tarball} (once)")
        shutil.rmtree(self.source, ignore_errors=True)
        shutil.rmtree(self.pristine, ignore_errors=True)
        partial = self.source.with_name(self.source.name + ".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        result = subprocess.run(["tar", "-xf", str(self.tarball), "-C", str(partial),
                                 "--strip-components=1"], check=False)
        if result.returncode or not (partial / "Kbuild").exists():
            die(f"{self.tarball} is damaged or not a Linux source archive")
        partial.rename(self.source)
        self.state = {}
        self.save(tarball=identity, touched=[], series="")

    def _touched(self, patch):
        out = subprocess.run(["git", "apply", "--numstat", "-z", str(patch)], text=True,
                             stdout=subprocess.PIPE, check=False, cwd="/")
        if out.returncode:
            die(f"{patch.name} is not a patch git can read")
        return [field.split("\t")[2] for field in out.stdout.split("\0") if field.count("\t") == 2]

    def _keep_pristine(self, path):
        """Copy a file that no series has touched yet, before the first change to it."""
        original, kept = self.source / path, self.pristine / path
        if path not in self.state["touched"] and original.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original, kept)

    def _apply(self, scratch):
        env = dict(os.environ, GIT_CEILING_DIRECTORIES=str(scratch.parent))
        for patch in self.patches:
            result = subprocess.run(["git", "apply", "--whitespace=nowarn", str(patch)], cwd=scratch,
                                    env=env, text=True, stderr=subprocess.PIPE, check=False)
            if result.returncode:
                die(f"{patch.name} does not apply:\n{result.stderr.strip()}")

    def patch(self):
        """Bring the tree in line with the series. Returns the series' identity."""
        series = digest(*self.patches)
        if self.state["series"] == series:
            return series
        new = sorted({path for patch in self.patches for path in self._touched(patch)})
        for path in new:
            self._keep_pristine(path)
        self.save(touched=sorted(set(new) | set(self.state["touched"])), series="partial")

        scratch = self.source.with_name(self.source.name + ".scratch").resolve()
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        for path in new:
            if (self.pristine / path).exists():
                (scratch / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.pristine / path, scratch / path)
        self._apply(scratch)
        changed = 0
        for path in self.state["touched"]:
            wanted = scratch / path if path in new else self.pristine / path
            changed += self._sync(wanted, self.source / path)
        shutil.rmtree(scratch)
        self.save(series=series)
        say(f"{len(self.patches)} patches applied, {changed} files changed")
        return series

    @staticmethod
    def _sync(wanted, target):
        if not wanted.exists():
            existed = target.exists()
            target.unlink(missing_ok=True)
            return existed
        content = wanted.read_bytes()
        if target.exists() and target.read_bytes() == content:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(wanted.stat().st_mode)
        return True


def make_command(options, *targets):
    command = ["make", "-C", str(options.source.resolve()), f"O={options.out.resolve()}",
               f"-j{options.jobs}", "LOCALVERSION=", "ARCH=x86"]
    if shutil.which("ccache") and not os.environ.get("RINGFENCE_NO_CCACHE"):
        command += ["CC=ccache gcc", "HOSTCC=ccache gcc"]
    return command + list(targets)


def environment(options):
    """What make sees. ccache is told to look at paths below the build directory as relative ones, so
    that every clone of the tree finds what the first one compiled."""
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS", "ARCH", "CROSS_COMPILE")}
    above = os.path.commonpath([options.source.resolve(), options.out.resolve()])
    return env | IDENTITY | {"LC_ALL": "C", "CCACHE_BASEDIR": above, "CCACHE_NOHASHDIR": "1"}


def run(command, env, log, progress=None):
    log.write("+ " + " ".join(command) + "\n")
    log.flush()
    process = subprocess.Popen(command, env=env, text=True, errors="replace",
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    for line in process.stdout:
        log.write(line)
        if progress:
            progress.line(line)
    code = process.wait()
    log.flush()
    if code:
        lines = pathlib.Path(log.name).read_text(errors="replace").splitlines()
        bad = [i for i, line in enumerate(lines) if "error:" in line.lower() or "***" in line]
        start = max(0, (bad[0] if bad else len(lines)) - 10)
        die("\n".join(["make failed:", *lines[start:start + 25], f"full log: {log.name}"]))


def requested(fragments):
    """The symbols the fragments ask for: name -> value, None for `is not set`."""
    wanted = {}
    for fragment in fragments:
        for line in fragment.read_text().splitlines():
            if match := re.match(r"^(CONFIG_\w+)=(.*)$", line):
                wanted[match[1]] = match[2]
            elif match := re.match(r"^# (CONFIG_\w+) is not set$", line):
                wanted[match[1]] = None
    return wanted


def check_config(path, wanted):
    have = requested([path])
    lost = [f"{name}={value or 'n'} became {have.get(name) or 'n'}" for name, value in wanted.items()
            if have.get(name) != (None if value == "n" else value)]
    if lost:
        die("the configuration fragments ask for what Kconfig does not give:\n  "
            + "\n  ".join(lost))


def configure(options, tree, series, log):
    fragments = [path for directory in options.configs for path in sorted(directory.glob("*.config"))]
    identity = digest(*fragments) + series
    config = options.out / ".config"
    if tree.state.get(f"config {options.out.name}") == identity and config.exists():
        return
    say("configuring: tinyconfig + " + ", ".join(f.name for f in fragments))
    run(make_command(options, "tinyconfig"), environment(options), log)
    with open(config, "a") as file:
        for fragment in fragments:
            file.write(fragment.read_text())
    run(make_command(options, "olddefconfig"), environment(options), log)
    check_config(config, requested(fragments))
    tree.save(**{f"config {options.out.name}": identity})


def main():
    parser = argparse.ArgumentParser(description="build the Linux guest kernel")
    for name in ("tarball", "patches", "source", "out"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--configs", required=True, type=pathlib.Path, nargs="+",
                        help="directories of fragments; what a later one says wins")
    parser.add_argument("--jobs", default=os.cpu_count(), type=int)
    parser.add_argument("--until", choices=["patch", "config", "all"], default="all",
                        help="stop after applying the series, or after configuring")
    options = parser.parse_args()

    options.out.mkdir(parents=True, exist_ok=True)
    options.source.parent.mkdir(parents=True, exist_ok=True)
    tree = Tree(options)
    tree.unpack()
    series = tree.patch()
    if options.until == "patch":
        return
    with open(options.out / "build.log", "w") as log:
        configure(options, tree, series, log)
        if options.until == "config":
            return
        progress = Progress(tree.state.get(f"steps {options.out.name}", STEPS_GUESS))
        run(make_command(options, "bzImage"), environment(options), log, progress)
        progress.done()
    if progress.count > 200:
        tree.save(**{f"steps {options.out.name}": progress.count})
    os.utime(options.out / "arch" / "x86" / "boot" / "bzImage")


if __name__ == "__main__":
    main()
