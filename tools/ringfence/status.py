# SPDX-License-Identifier: BSD-2-Clause
"""Exit statuses of ./ringfence and how the machine reports its end.

The guest side writes one value to the isa-debug-exit port; QEMU then exits with (value << 1) | 1.
Values start at 16 so that none looks like QEMU's own exit(1).
"""

OK = 0
GUEST_MAX = 99
FAILED = 100
USAGE = 101
MISSING = 102
BUILD = 103
QEMU = 104
PANIC = 105
RESET = 106
INIT = 107
TIMEOUT = 124
SIGNALLED = 128

DEBUG_EXIT_PORT = 0xF4
EXIT_BASE = 0x10
EXIT_INIT_FAILED = 0x7E
EXIT_PANIC = 0x7F

TABLE = [
    ("0", "the machine was shut down in order, or you pressed the quit key"),
    ("1-99", "exit code of the domain named with --exit-with"),
    (str(FAILED), "a test failed, or another error explained on stderr"),
    (str(USAGE), "usage error: wrong command, option or manifest"),
    (str(MISSING), "something the command needs is missing and could not be installed"),
    (str(BUILD), "the build failed"),
    (str(QEMU), "QEMU itself failed to start or died"),
    (str(PANIC), "the microkernel panicked"),
    (str(RESET), "the machine reset itself without saying why (triple fault)"),
    (str(INIT), "init could not start the system and said why"),
    (str(TIMEOUT), "--timeout ran out"),
    ("128+N", "ended by signal N"),
]


def from_qemu(returncode):
    """Translate QEMU's exit status into (our status, one line saying what happened)."""
    if returncode < 0:
        return QEMU, f"QEMU was killed by signal {-returncode}"
    if returncode == 0:
        return RESET, "the machine reset itself without saying why (triple fault?)"
    value = returncode >> 1
    if not returncode & 1 or value < EXIT_BASE:
        return QEMU, f"QEMU failed with status {returncode}"
    if value == EXIT_PANIC:
        return PANIC, "the microkernel panicked"
    if value == EXIT_INIT_FAILED:
        return INIT, "init could not start the system"
    code = min(value - EXIT_BASE, GUEST_MAX)
    return code, "shut down in order" if code == 0 else f"the domain ended with code {code}"
