#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a hybrid ISO that boots the kernel from CD or disk, by BIOS and by UEFI.

GRUB's core images are made here with just the modules needed, so the result is small and,
for the same inputs and tools, the same to the bit: every time stamp, serial number and GUID
comes from SOURCE_DATE_EPOCH.

    mkiso.py -o out.iso --kernel ringfence.elf [--cmdline "..."] [--module FILE[,ARGS]]...
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

MODULES = "iso9660 part_msdos part_gpt fat search search_fs_file multiboot2 normal configfile " \
          "boot echo serial terminal".split()
EARLY_CFG = "search --file --set=root /boot/ringfence.elf\nset prefix=($root)/boot/grub\n" \
            "configfile /boot/grub/grub.cfg\n"
PACKAGES = {"grub-mkimage": "grub-common", "xorriso": "xorriso", "mcopy": "mtools",
            "mkfs.vfat": "dosfstools"}
GRUB_DIRS = {"i386-pc": "grub-pc-bin", "x86_64-efi": "grub-efi-amd64-bin"}


def check_tools():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [p for t, p in PACKAGES.items() if not shutil.which(t)]
    missing += [p for d, p in GRUB_DIRS.items() if not os.path.isdir(f"/usr/lib/grub/{d}")]
    if missing:
        sys.exit(f"mkiso: install these packages first: {' '.join(missing)}")


def run(*cmd, **kw):
    done = subprocess.run(cmd, capture_output=True, text=True, **kw)
    if done.returncode:
        sys.exit(f"mkiso: {cmd[0]} failed:\n{done.stdout}{done.stderr}")


def put(path, data, mode="w"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, mode) as f:
        f.write(data)


def grub_cfg(args):
    """The menu: one entry, started at once."""
    lines = ["set timeout=0", "set default=0", 'menuentry "Ringfence" {',
             f"  multiboot2 /boot/ringfence.elf {args.cmdline}"]
    for i, module in enumerate(args.module):
        words = module.split(",", 1)
        lines.append(f"  module2 /boot/mod{i} {words[1] if len(words) > 1 else ''}".rstrip())
    return "\n".join(lines + ["}", ""])


def touch_all(root, epoch):
    for base, dirs, files in os.walk(root):
        for name in dirs + files:
            os.utime(os.path.join(base, name), (epoch, epoch))
    os.utime(root, (epoch, epoch))


def build(args, work, epoch):
    iso, efi = f"{work}/iso", f"{work}/EFI"
    early = f"{work}/early.cfg"
    put(early, EARLY_CFG)
    os.makedirs(f"{iso}/boot/grub")
    shutil.copyfile(args.kernel, f"{iso}/boot/ringfence.elf")
    for i, module in enumerate(args.module):
        shutil.copyfile(module.split(",", 1)[0], f"{iso}/boot/mod{i}")
    put(f"{iso}/boot/grub/grub.cfg", grub_cfg(args))
    run("grub-mkimage", "-O", "i386-pc-eltorito", "-p", "/boot/grub", "-c", early,
        "-o", f"{iso}/boot/grub/bios.img", "biosdisk", *MODULES)
    os.makedirs(f"{efi}/BOOT")
    run("grub-mkimage", "-O", "x86_64-efi", "-p", "/boot/grub", "-c", early,
        "-o", f"{efi}/BOOT/BOOTX64.EFI", *MODULES)

    serial = hashlib.sha256(str(epoch).encode()).hexdigest()
    touch_all(efi, epoch)
    run("mkfs.vfat", "--invariant", "-i", serial[:8], "-n", "PVBOOT", "-C", f"{iso}/boot/efi.img",
        "1440")
    run("mcopy", "-s", "-m", "-i", f"{iso}/boot/efi.img", efi, "::/")
    touch_all(iso, epoch)
    stamp = time.strftime("%Y%m%d%H%M%S00", time.gmtime(epoch))
    run("xorriso", "-as", "mkisofs", "-o", os.path.abspath(args.output), "-V", "RINGFENCE",
        f"--modification-date={stamp}", "--set_all_file_dates", stamp, "-r",
        "-c", "boot/grub/boot.cat", "-b", "boot/grub/bios.img", "-no-emul-boot",
        "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info",
        "--grub2-mbr", "/usr/lib/grub/i386-pc/boot_hybrid.img", "--protective-msdos-label",
        "--efi-boot", "boot/efi.img", "-efi-boot-part", "--efi-boot-image",
        "--gpt_disk_guid", serial[8:40], iso)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--cmdline", default="")
    parser.add_argument("--module", action="append", default=[], metavar="FILE[,ARGS]")
    args = parser.parse_args()
    check_tools()
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "1700000000"))
    os.environ.update(SOURCE_DATE_EPOCH=str(epoch), TZ="UTC", LC_ALL="C")
    os.umask(0o022)
    if os.path.exists(args.output):
        os.unlink(args.output)
    with tempfile.TemporaryDirectory() as work:
        build(args, work, epoch)


if __name__ == "__main__":
    main()
