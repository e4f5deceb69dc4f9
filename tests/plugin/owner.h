/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owner.h - whose instructions are they? The kernel's way back to a guest reads the registers of the
 * vCPU that runs next at one place; the address it reads there names the vCPU. A guest says which VM it
 * is by executing `nopl 0x52470000+id(%rax)` now and then. What ran outside the kernel's hole between
 * two such reads belongs to the vCPU of the first; sums by VM are printed as `OWNER id insns=N`.
 */
#ifndef OWNER_H
#define OWNER_H

#include "qemu_plugin_api.h"

#define OWNER_BASE 0x52470000u
#define OWNER_IDS 64u

/* pc: address of the reading instruction (symbol guest_owner of the kernel). Call before any block. */
void owner_watch(uint64_t pc);
bool owner_watching(void);
/* A block of n instructions at a guest's address is translated. */
void owner_count_block(struct qemu_plugin_tb *tb, size_t n);
/* An instruction is translated; displacement: of a long NOP, or 0. */
void owner_look_at(struct qemu_plugin_insn *insn, uint32_t displacement);
uint64_t owner_switches(void); /* so often another vCPU than before was gone back to; exact with one CPU */
void owner_print(void); /* the sums, on stderr */

#endif
