# SPDX-License-Identifier: BSD-2-Clause
"""Command line: check, build and show boot images."""

import argparse
import pathlib
import sys

if __package__ in (None, ""):
    sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)
    __package__ = "manifest"
    import manifest  # noqa: F401

from . import lower, schema  # noqa: E402
from .abi import ABI  # noqa: E402
from .errors import ManifestError  # noqa: E402

TYPES = {1: "init", 2: "manifest", 3: "kernel", 4: "initrd"}


def _write_if_changed(path, data):
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    partial.replace(path)


def _build(options):
    path = options.manifest
    manifest = schema.parse(path.read_text())
    image, used = lower.lower(manifest, path.parent, options.build, options.mem << 20)
    if options.out:
        _write_if_changed(options.out, image)
        if options.depfile:
            inputs = " ".join(str(p).replace(" ", "\\ ") for p in [path, *used])
            options.depfile.write_text(f"{options.out}: {inputs}\n")
    else:
        print(f"{path}: good, {len(manifest.domains)} domains, image of {len(image)} bytes")


def _show(options):
    data = options.image.read_bytes()
    header = ABI.unpack("image_header", data)
    if header["magic"] != ABI.IMAGE_MAGIC:
        sys.exit(f"{options.image}: not a Ringfence boot image")
    print(f"{header['count']} entries, {header['size']} bytes")
    for i in range(header["count"]):
        entry = ABI.unpack("image_entry", data,
                           ABI.size("image_header") + i * ABI.size("image_entry"))
        print(f"  {i:3}  {TYPES.get(entry['type'], '?'):8}  {entry['name']:31}  {entry['size']:10}")
        if entry["type"] == ABI.ENTRY_MANIFEST:
            _show_manifest(data[entry["offset"]:entry["offset"] + entry["size"]])


def _show_manifest(blob):
    header = ABI.unpack("manifest_header", blob)
    for i in range(header["domains"]):
        domain = ABI.unpack("manifest_domain", blob,
                            ABI.size("manifest_header") + i * ABI.size("manifest_domain"))
        print(f"         {domain['name']}: {domain['mem_pages'] * 4}K + {domain['kmem_pages'] * 4}K, "
              f"{domain['vcpus']} vCPU, kernel {domain['kernel_entry']}"
              + (", user and kernel fused" if domain["flags"] & ABI.MDOM_FUSED else ""))


def main():
    parser = argparse.ArgumentParser(prog="ringfence-image",
                                     description="check a manifest and build its boot image")
    commands = parser.add_subparsers(dest="command", required=True)
    build_default = pathlib.Path(__file__).resolve().parents[2] / "build"
    for name, text in (("check", "check a manifest and the files it names"),
                       ("build", "write the boot image")):
        command = commands.add_parser(name, help=text)
        command.add_argument("manifest", type=pathlib.Path)
        command.add_argument("--build", type=pathlib.Path, default=build_default,
                             help="build directory to find files in")
        command.add_argument("--mem", type=int, default=0, help="MiB of the machine it must fit")
        command.add_argument("--out", "-o", type=pathlib.Path, required=name == "build")
        command.add_argument("--depfile", type=pathlib.Path)
    commands.add_parser("show", help="list what is in a boot image").add_argument(
        "image", type=pathlib.Path)
    options = parser.parse_args()
    try:
        _show(options) if options.command == "show" else _build(options)
    except ManifestError as error:
        for line in error.findings:
            print(f"{options.manifest}: {line}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
