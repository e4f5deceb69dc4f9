#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds Linux's own selftests out of Debian's source archive and lays out what the guest gets.

    build.py --tarball FILE --out DIR --stage DIR [--quick] [--program FILE...]

Only what the selftests and the headers they include need is unpacked, into OUT/src; Linux's makefiles put the
programs into OUT/obj. Every program and script there must be known to suites.toml, and every one suites.toml
names must be there: nothing is left out in silence. STAGE becomes the root of an initramfs: /kselftest with
one directory per suite and the list for ksrun, and the libraries the programs load.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tools")]

import elflibs  # noqa: E402
import suites  # noqa: E402

PARTS = ["Makefile", "scripts", "include", "arch/x86/Makefile*", "arch/x86/include", "arch/x86/entry",
         "arch/x86/tools", "tools/testing/selftests", "tools/include", "tools/arch/x86", "tools/scripts",
         "usr", "mm/gup_test.h", "lib/test_hmm_uapi.h"]
BROKEN = ("error:", "Error ", "***")


def die(message):
    sys.exit(f"kselftest: {message}")


def run(command, log, **more):
    with open(log, "a") as file:
        file.write("+ " + " ".join(map(str, command)) + "\n")
        file.flush()
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              check=False, **more).returncode


def environment():
    return {k: v for k, v in os.environ.items()
            if k not in ("MAKEFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS", "ARCH", "CROSS_COMPILE")} | {"LC_ALL": "C"}


class Tree:
    def __init__(self, options):
        self.tarball, self.out = options.tarball, options.out.resolve()
        self.source, self.headers = self.out / "src", self.out / "headers"
        self.log = self.out / "build.log"
        self.cc = "ccache gcc" if shutil.which("ccache") else "gcc"

    def unpack(self):
        """Sources and exported headers, once per archive."""
        stat = self.tarball.stat()
        identity = f"{self.tarball} {stat.st_size} {int(stat.st_mtime)} {' '.join(PARTS)}"
        mark = self.out / "unpacked"
        if mark.exists() and mark.read_text() == identity:
            return
        for directory in (self.source, self.headers, self.out / "obj"):
            shutil.rmtree(directory, ignore_errors=True)
        self.source.mkdir(parents=True)
        top = self.tarball.name.split(".tar")[0]
        if run(["tar", "-xf", self.tarball, "-C", self.source, "--strip-components=1", "--wildcards",
                *(f"{top}/{part}" for part in PARTS)], self.log):
            die(f"{self.tarball} does not have what the selftests need, see {self.log}")
        if run(["make", "-C", self.source, f"O={self.headers}", "ARCH=x86", "headers"], self.log,
               env=environment()):
            die(f"the headers cannot be made, see {self.log}")
        mark.write_text(identity)

    def of_suite(self, suite):
        return self.source / "tools/testing/selftests" / suite.name, self.out / "obj" / suite.name

    def make(self, suite):
        source, objects = self.of_suite(suite)
        objects.mkdir(parents=True, exist_ok=True)
        log = self.out / f"{suite.name.replace('/', '_')}.log"
        log.unlink(missing_ok=True)
        run(["make", "-k", f"-j{os.cpu_count()}", "-C", source, f"OUTPUT={objects}",
             f"top_srcdir={self.source}", f"KHDR_INCLUDES=-isystem {self.headers}/usr/include",
             f"CC={self.cc}", *suite.make, "all"], log, env=environment())
        return self.check(suite, source, objects, log)

    def find(self, suite, name):
        """Where make left a program, or where the archive has a script."""
        if suite.programs:
            return pathlib.Path(suite.programs) / name
        source, objects = self.of_suite(suite)
        return next((d / name for d in (objects, source) if (d / name).exists()), None)

    def check(self, suite, source, objects, log):
        found = {p.name for p in objects.iterdir() if p.is_file() and os.access(p, os.X_OK)}
        found |= {p.name for p in source.iterdir()
                  if p.suffix in (".sh", ".py") or p.is_file() and os.access(p, os.X_OK)}
        named = suite.named()
        problems = [f"{name} was built, but suites.toml does not know it" for name in sorted(found - named)]
        wanted = {test.program for test in suite.tests if test.program} | {*suite.helpers, *suite.left_out}
        problems += [f"{name} was not built" for name in sorted(wanted) if not self.find(suite, name)]
        problems += [f"{name} was built, suites.toml says it cannot be: {why}"
                     for name, why in suite.unbuilt.items() if name in found]
        if not problems:
            return []
        lines = [line for line in log.read_text(errors="replace").splitlines()
                 if any(word in line for word in BROKEN)]
        return [f"suite {suite.name}:", *problems, *lines[:20], f"full log: {log}"]


class Stage:
    def __init__(self, root):
        self.root = root
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)

    def libraries(self, program, extra=()):
        for name, path in elflibs.needed(program, extra).items():
            target = self.root / name.lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                target.chmod(0o755)

    def program(self, path, name):
        """A file or directory; ELF files without debug information, and with their libraries."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            shutil.copy(path, target)
            if elflibs.is_elf(path):
                subprocess.run(["strip", "-g", str(target)], check=True)
                self.libraries(path)

    def suite(self, tree, suite):
        for name in sorted(suite.staged()):
            path = tree.find(suite, name)
            if path:
                self.program(path, f"kselftest/{suite.name}/{name}" if not suite.programs
                             else f"usr/bin/{name}")
        (self.root / "kselftest" / suite.name).mkdir(parents=True, exist_ok=True)

    def list(self, chosen):
        lines = ["\t".join([suite.group, "quick" if test.quick else "full", str(test.seconds),
                            f"/kselftest/{suite.name}", test.name, test.command])
                 for suite in chosen for test in suite.tests]
        (self.root / "kselftest/list").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description="build Linux's selftests for the guest")
    parser.add_argument("--tarball", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--stage", required=True, type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="only suites the default set needs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tree = Tree(options)
    tree.unpack()
    chosen = [suite for suite in suites.load() if not options.quick or any(t.quick for t in suite.tests)]
    stage = Stage(options.stage)
    problems = [line for suite in chosen if not suite.programs for line in tree.make(suite)]
    if problems:
        die("\n".join(problems))
    for suite in chosen:
        stage.suite(tree, suite)
    # Threads that are cancelled, and backtraces, load libgcc_s by its name.
    bash = pathlib.Path("/bin/bash")
    stage.program(bash, "bin/bash")
    for program in (bash, tree.find(chosen[0], "nx_stack_32")):
        stage.libraries(program, ["libgcc_s.so.1"])
    stage.list(chosen)


if __name__ == "__main__":
    main()
