/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entry.S - events from kernel mode come here first. Where they hit, the stack may be anything, a user's
 * after an ERETU that was refused: the handler runs on a stack of the actor's own. ERETS takes the old one
 * from the frame.
 */
#include "hostile.h"

	.text
	.globl hostile_kernel_entry
hostile_kernel_entry:
	cmpq $0, %gs:ACTOR_EVENT_STACK
	je toy_kernel_entry
	movq %gs:ACTOR_EVENT_STACK, %rsp
	jmp toy_kernel_entry

	.section .note.GNU-stack, "", @progbits
