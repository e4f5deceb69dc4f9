# SPDX-License-Identifier: BSD-2-Clause
"""`run`: build what is out of date, lower the manifest, boot it in QEMU, relay the serial line."""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import threading

from . import build, cards, disks, image, paths, qemu, status, terminal, ui

KILL_AFTER_S = 3
DUMP_LINES = 40


def _file(text, what):
    path = pathlib.Path(text)
    if not path.is_file():
        raise ui.Stop(f"there is no {what} '{text}'", status.USAGE)
    return path


def apply_machine(manifest, machine, dma):
    """--machine and --dma win over the manifest, as far as they fit it."""
    if machine == "microvm" and (manifest.disks or manifest.iommu or any(d.devices for d in manifest.domains)):
        raise ui.Stop("a microvm has no PCI, and the manifest has disks, devices or an IOMMU", status.USAGE,
                      "images/microvm.toml is for it, and its default")
    if machine:
        manifest.iommu = machine == "q35"
    for domain in manifest.domains:
        domain.dma_trusted = domain.dma_trusted or (dma == "trusted" and bool(domain.devices))


def prepare(options):
    """A qemu.Machine for the options, everything built."""
    manifest = path = None
    chosen = getattr(options, "machine", None)  # gdb has none of these
    if not options.initrd:
        path = image.find(options.manifest or ("microvm" if chosen == "microvm" else None))
        manifest = image.parse(path)
        apply_machine(manifest, chosen, getattr(options, "dma", None))
        names = [domain.name for domain in manifest.domains]
        if getattr(options, "exit_with", None) and options.exit_with not in names:
            raise ui.Stop(f"--exit-with: there is no domain '{options.exit_with}' in "
                          f"{paths.show(path)}", status.USAGE, "It has: " + ", ".join(names))
    elif options.manifest:
        raise ui.Stop("give either MANIFEST or --initrd, not both", status.USAGE)
    kernel = _file(options.kernel, "kernel") if options.kernel else paths.KERNEL
    initrd = _file(options.initrd, "image") if options.initrd else None
    if not (options.kernel and options.initrd):
        initrds = {domain.initrd for domain in manifest.domains if domain.initrd} if manifest else ()
        build.build(["system"], groups=("build", "run"), files=sorted(f"images/{d}" for d in initrds))
    cpus, mem = image.machine_size(options, manifest)
    if initrd is None:
        initrd = image.make(path, manifest, mem)
    iommu = bool(manifest and manifest.iommu)
    extra = [word for disk in (manifest.disks if manifest else ())
             for word in disks.qemu_arguments(disk, disks.find(disk), iommu)]
    extra += [word for card in (manifest.cards if manifest else ()) for word in cards.qemu_arguments(card, iommu)]
    return qemu.Machine(kernel=kernel, image=initrd, cpus=cpus, mem=mem, icount=options.icount,
                        iommu=iommu, machine=chosen or "", extra=tuple(extra))


@contextlib.contextmanager
def kernel_log():
    """A file for the kernel's own log. Two machines at once get one each."""
    paths.RUN.mkdir(parents=True, exist_ok=True)
    with open(paths.RUN / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path = paths.RUN / "kernel.log"
        except BlockingIOError:
            path = paths.RUN / f"kernel.{os.getpid()}.log"
        path.unlink(missing_ok=True)
        yield path


def stop(process):
    process.terminate()
    try:
        process.wait(KILL_AFTER_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Errors(threading.Thread):
    """Keeps QEMU's stderr for the case that it fails; it must not write into the relayed screen."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.text = stream, ""
        self.start()

    def run(self):
        self.text = self.stream.read().decode(errors="replace")


def _tail(path, count=DUMP_LINES):
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    return ""


def _report(code, text, errors, log):
    """Says how it ended when that was not in order, with what helps to see why."""
    if code in (status.PANIC, status.RESET, status.INIT):
        ui.fail(text, f"last lines of the kernel's log ({paths.show(log)}):\n{_tail(log)}")
    elif code == status.QEMU:
        ui.fail(text, errors.strip() or "QEMU said nothing")
    elif code:
        ui.say(text)
    elif errors.strip():
        ui.warn(f"QEMU said: {errors.strip()}")


def boot(machine, keys, log_file, timeout, log):
    """Run a machine to its end and return our exit status."""
    machine.debugcon = log
    process = subprocess.Popen(qemu.command(machine), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, bufsize=0, start_new_session=True)
    errors = _Errors(process.stderr)
    try:
        with terminal.signals(), terminal.raw(sys.stdin.fileno() if keys else -1):
            terminal.Relay(process, keys, log_file, timeout).run()
            process.wait()
    except terminal.Quit:
        stop(process)
        ui.say("quit")
        return status.OK
    except terminal.Timeout:
        stop(process)
        ui.fail(f"still running after {timeout} s (--timeout)")
        return status.TIMEOUT
    except terminal.Signalled as caught:
        stop(process)
        ui.say(f"ended by {signal.Signals(caught.number).name}")
        return status.SIGNALLED + caught.number
    finally:
        if process.poll() is None:
            stop(process)
        errors.join(KILL_AFTER_S)
    code, text = status.from_qemu(process.returncode)
    _report(code, text, errors.text, log)
    return code


def main(options):
    if options.log:
        try:
            log_file = open(options.log, "wb")
        except OSError as error:
            raise ui.Stop(f"--log {options.log}: {error.strerror}", status.USAGE) from None
    else:
        log_file = None
    machine = prepare(options)
    words = ["panic=exit", options.append]
    if options.headless:
        words.append("headless")
    if options.exit_with:
        words.append(f"exit-with={options.exit_with}")
    machine.append = " ".join(word for word in words if word)

    keys = not options.headless and sys.stdin is not None
    quit_key = "Ctrl-] q quits, Ctrl-] ? helps" if keys and sys.stdin.isatty() else "Ctrl-C ends it"
    ui.say(f"booting with {machine.cpus} CPU{'s' if machine.cpus > 1 else ''} and {machine.mem} MiB; "
           f"{quit_key}")
    with kernel_log() as log:
        try:
            return boot(machine, keys, log_file, options.timeout, log)
        finally:
            if log_file:
                log_file.close()
