/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hidden.h - included in front of every C file: all symbols are the kernel's own, so every
 * reference is RIP-relative and no GOT exists.
 */
#ifndef __ASSEMBLER__
#pragma GCC visibility push(hidden)
#endif
