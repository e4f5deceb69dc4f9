// SPDX-License-Identifier: BSD-2-Clause
/*
 * fsgsbase.c - replaces the instructions of FSGSBASE on a processor that has none: see fsgsbase.h.
 */
#include "fsgsbase.h"

#include "cpu_features.h"
#include "panic.h"
#include "string.h"

#define CALL 0xe8
#define CALL_SIZE 5

struct site {
	i32 insn; /* both relative to the address of the field itself */
	i32 by_msr;
};

extern const struct site fsgsbase_start[], fsgsbase_end[];

void fsgsbase_init(void)
{
	if (cpu_features.fsgsbase)
		return;
	for (const struct site *s = fsgsbase_start; s < fsgsbase_end; s++) {
		u8 *insn = (u8 *)((vaddr_t)&s->insn + (u64)(i64)s->insn);
		vaddr_t by_msr = (vaddr_t)&s->by_msr + (u64)(i64)s->by_msr;
		i32 distance = (i32)(by_msr - (vaddr_t)insn - CALL_SIZE);

		ASSERT(insn[0] == 0xf3 && insn[1] == 0x48 && insn[2] == 0x0f && insn[3] == 0xae);
		insn[0] = CALL;
		memcpy(insn + 1, &distance, sizeof(distance));
	}
}
