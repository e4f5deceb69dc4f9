// SPDX-License-Identifier: BSD-2-Clause
/*
 * mark.h - the markers around an operation that is measured, by which the counting plugin knows it.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define STR_(x) #x
#define STR(x) STR_(x)
/* A long NOP; the plugin looks for its displacement: 0x5246 << 16 | id << 1 | end. */
#define MARK(value) __asm__ volatile("nopl " STR(value) "(%%rax)" ::: "memory")
#define START(id) MARK(0x52460000 + 2 * id)
#define END(id) MARK(0x52460001 + 2 * id)

#endif
