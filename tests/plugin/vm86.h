/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm86.h - notices the one instruction after which a machine of QEMU 7.2 means nothing any more.
 *
 * IRETD takes the VM flag from its stack whoever executes it, and in long mode too; no processor does either. The CPU
 * is in virtual-8086 mode then, runs 16-bit code, and its next trap pushes a code selector that may look like the
 * kernel's: a panic, a triple fault, or anything. Seen from outside: an IRETD that pops nine words, the last six of
 * which are segments and a stack; any other pops three before it looks at a descriptor.
 */
#ifndef VM86_H
#define VM86_H

#include "qemu_plugin_api.h"

#define VM86_STATUS 122 /* QEMU's exit status when it has happened */

/* Of an instruction of a guest: code as it stands there. `end` tells what was counted. */
void vm86_look_at(struct qemu_plugin_insn *insn, const uint8_t *code, size_t size, void (*end)(void));

#endif
