# SPDX-License-Identifier: BSD-2-Clause
"""What the host tests reach of the kernel's core: builds them once more with gcov and runs them."""

import collections
import gzip
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ("test_frames", "test_mem", "test_vtlb", "test_forget", "test_audit", "test_meanwhile", "test_grant",
         "test_oracle", "test_failing", "test_threads", "test_caps", "test_ports", "test_domains", "test_whole",
         "test_calls", "test_sched", "test_boot", "test_image", "test_firmware", "test_emulate", "test_iopt",
         "test_pci", "test_dmar", "test_apic", "test_clock", "test_cpu", "test_start", "test_traps", "test_vtd",
         "test_string", "test_near", "test_devices", "test_handles", "test_ends", "test_lines",
         "model_diff")
ALSO = ("model_failing",)  # the same programs, run in another way


def run(*argv, cwd=None):
    subprocess.run([str(word) for word in argv], check=True, cwd=cwd, stdout=subprocess.DEVNULL)


def build_and_run(out):
    run("cmake", "-S", ROOT, "-B", out, "-G", "Ninja", "-DRINGFENCE_LINUX=OFF", "-DRINGFENCE_SANITIZE=OFF",
        "-DCMAKE_C_FLAGS=--coverage")
    run("ninja", "-C", out, *TESTS)
    for file in out.rglob("*.gcda"):
        file.unlink()
    run("ctest", "--test-dir", out, "-R", "^host\\.(" + "|".join(TESTS + ALSO) + ")$")


def reached(build, directory, keep):
    """(file, line) of which every branch was taken, in all objects together that the line is compiled into."""
    out = directory / "host"
    if not keep or not any(out.rglob("*.gcda")):
        build_and_run(out)
    branches = collections.defaultdict(dict)
    result = directory / "gcov"
    result.mkdir(parents=True, exist_ok=True)
    for old in result.iterdir():
        old.unlink()
    notes = [file for file in out.rglob("*.gcda")]
    for i in range(0, len(notes), 20):
        run("gcov", "--json-format", "--branch-probabilities", "--hash-filenames", *notes[i:i + 20], cwd=result)
    for file in result.glob("*.gcov.json.gz"):
        data = json.loads(gzip.decompress(file.read_bytes()))
        for source in data["files"]:
            name = pathlib.Path(source["file"]).resolve()
            if not name.is_relative_to(ROOT / "kernel"):
                continue
            for line in source["lines"]:
                ways = [way["count"] for way in line["branches"]]
                key = (str(name.relative_to(ROOT)), line["line_number"], len(ways))
                old = branches[key].get("ways", [0] * len(ways))
                branches[key]["ways"] = [a + b for a, b in zip(old, ways)]
    return {(file, line) for (file, line, count), found in branches.items()
            if count and all(found["ways"])}
