/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extable.h - instructions of the kernel that may fault on a guest's account.
 *
 * Only IRETQ, XRSTOR, WRMSR and segment loads may appear here: guest memory is reached through
 * the kernel's own map and never faults.
 */
#ifndef RF_EXTABLE_H
#define RF_EXTABLE_H

#ifdef __ASSEMBLER__
.macro EX_TABLE fault, fixup
	.pushsection __ex_table, "a"
	.balign 4
	.long \fault - .
	.long \fixup - .
	.popsection
.endm
#else

#include "types.h"

#define EX_TABLE(fault, fixup)                                                                     \
	".pushsection __ex_table, \"a\"\n\t.balign 4\n\t.long " #fault " - .\n\t.long "           \
	#fixup " - .\n\t.popsection\n\t"

struct ex_entry {
	i32 fault; /* both relative to the address of the field itself */
	i32 fixup;
};

/* Address to continue at, 0 if rip is not in the table. */
vaddr_t extable_fixup(vaddr_t rip);

#endif
#endif
