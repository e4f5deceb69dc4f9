/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsgsbase.h - the bases of FS and GS.
 *
 * C is written with the instructions of FSGSBASE, each five bytes long and with rax as its operand. On a
 * processor without them fsgsbase_init() makes every one a CALL of what does the same through the MSR
 * and keeps all other registers (fsgsbase.S), so a processor with them pays nothing. entry.S has the
 * instructions alone: without them its short ways are closed by WORK_SLOW.
 */
#ifndef RF_FSGSBASE_H
#define RF_FSGSBASE_H

#include "types.h"

/*
 * insn: rdfsbase, wrfsbase, rdgsbase or wrgsbase. The base is in rax. For `asm inline` alone: the compiler
 * would take these lines for many instructions and not inline what holds them.
 */
#define FSGSBASE(insn)                                                                             \
	"771: " #insn " %%rax\n\t.pushsection __fsgsbase, \"a\"\n\t.balign 4\n\t"                  \
	".long 771b - .\n\t.long " #insn "_by_msr - .\n\t.popsection\n\t"

static inline u64 read_fs_base(void)
{
	u64 base;

	__asm__ inline volatile(FSGSBASE(rdfsbase) : "=a"(base)::"cc");
	return base;
}

static inline void write_fs_base(u64 base) /* canonical */
{
	__asm__ inline volatile(FSGSBASE(wrfsbase)::"a"(base) : "cc");
}

static inline u64 read_gs_base(void)
{
	u64 base;

	__asm__ inline volatile(FSGSBASE(rdgsbase) : "=a"(base)::"memory", "cc");
	return base;
}

static inline void write_gs_base(u64 base) /* canonical */
{
	__asm__ inline volatile(FSGSBASE(wrgsbase)::"a"(base) : "memory", "cc");
}

/* Once, with cpu_features decided and text still writable, before any of these has run. */
void fsgsbase_init(void);

#endif
