# SPDX-License-Identifier: BSD-2-Clause
"""`gdb`: boot a machine that waits, attach the debugger to it, end it with the debugger."""

import pathlib
import shutil
import signal
import subprocess
import tempfile

from . import deps, image, paths, qemu, run, status, terminal, ui


def _symbols(options):
    """(file with symbols, what it is) for the domain asked for, or the microkernel."""
    if not options.domain:
        return paths.KERNEL, "the microkernel"
    if options.domain == "init":
        return paths.BUILD / "domains" / "init.elf", "init"
    manifest = image.parse(image.find(options.manifest))
    for domain in manifest.domains:
        if domain.name == options.domain:
            if domain.kind == "linux":
                return paths.VMLINUX, f"Linux in {domain.name}"
            return paths.BUILD / "domains" / pathlib.Path(domain.kernel).name, domain.name
    names = ", ".join(["init"] + [domain.name for domain in manifest.domains])
    raise ui.Stop(f"there is no domain '{options.domain}'", status.USAGE, f"There are: {names}")


def main(options):
    deps.ensure(("gdb",))
    machine = run.prepare(options)
    symbols, what = _symbols(options)
    if not shutil.which("gdb"):
        raise ui.Stop("gdb is not installed", status.MISSING)
    with run.kernel_log() as log, tempfile.TemporaryDirectory() as directory:
        socket = pathlib.Path(directory) / "gdb"
        serial = paths.RUN / "serial.log"
        machine.debugcon, machine.serial = log, f"file:{serial}"
        machine.extra = ("-S", "-gdb", f"unix:{socket},server=on,wait=off")
        process = subprocess.Popen(qemu.command(machine), stdin=subprocess.DEVNULL, start_new_session=True)
        ui.say(f"symbols of {what}; kernel log {paths.show(log)}, serial line {paths.show(serial)}")
        commands = ["-ex", "set pagination off", "-ex", "set architecture i386:x86-64",
                    "-ex", f"target remote {socket}"]
        if not options.domain:
            commands += ["-ex", "hbreak kernel_init"]
        debugger = None
        try:
            # Ctrl-C belongs to the debugger; whatever else ends us must end the machine too.
            with terminal.signals():
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                debugger = subprocess.Popen(["gdb", "-q", str(symbols), *commands],
                                            preexec_fn=lambda: signal.signal(signal.SIGINT,
                                                                             signal.SIG_DFL))
                return status.FAILED if debugger.wait() else status.OK
        except terminal.Signalled as caught:
            debugger.terminate()
            return status.SIGNALLED + caught.number
        finally:
            run.stop(process)
