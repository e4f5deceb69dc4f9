/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snippet.h - user programs of a few instructions, position independent, as data.
 */
#ifndef TOY_SNIPPET_H
#define TOY_SNIPPET_H

#include "toy.h"

#define SNIPPET(name, text)                                                                        \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection\n");      \
	extern const char name[], name##_end[]

#define SETUP(ctx, name) user_setup(ctx, name, (size_t)(name##_end - name))

#endif
