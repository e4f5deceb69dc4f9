/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board.h - a machine that a test plays: what the kernel asks of ports, MSRs, CPUID and the like comes here (insn.h).
 * Device registers in memory are pages of the test's.
 */
#ifndef RF_BOARD_H
#define RF_BOARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "insn.h"

/* ---- the machine; board_reset() makes it one of nothing ---- */
#define BOARD_OUTS 256

struct board_write {
	u16 port;
	u32 width, value;
};

extern u64 board_tsc, board_tsc_step; /* each look at the time-stamp counter moves it on by a step */
extern __thread i64 board_tsc_offset; /* how far that of the CPU that this thread plays is ahead */
/* What answers a port; NULL, or false: all ones. */
extern bool (*board_on_in)(u16 port, u32 width, u32 *v);
extern void (*board_on_out)(u16 port, u32 width, u32 v); /* besides being noted in board_outs */
extern struct board_write board_outs[BOARD_OUTS];
extern u32 board_nr_outs;
extern void (*board_relax)(void); /* a pause of a waiting CPU */
extern char board_log[8192];	  /* what was logged since board_reset() */
extern char board_panic[512];

void board_reset(void);
void board_msr_set(u32 msr, u64 v);
void board_cpuid_set(u32 leaf, u32 sub, u32 eax, u32 ebx, u32 ecx, u32 edx);
/* The page of device registers at a machine address, made when it is first asked for. */
void *board_page(u64 pa);

/* Plays a story in a process of its own: most of what the kernel finds out about a machine it remembers. */
void board_alone(void (*story)(void));

/* The statement ends in panic() (1) or in an instruction that only the kernel may execute (2). */
extern sigjmp_buf board_end;
extern bool board_ends; /* is it expected? */
void board_arm(void);
#define ENDS(statement)                                                                            \
	({                                                                                         \
		int how_ = sigsetjmp(board_end, 1);                                                \
		board_ends = false;                                                                \
		if (!how_) {                                                                       \
			board_arm();                                                               \
			statement;                                                                 \
			board_ends = false;                                                        \
			fail_msg("came back: %s", #statement);                                     \
		}                                                                                  \
		how_;                                                                              \
	})
#define PANICS(text, statement)                                                                    \
	do {                                                                                       \
		assert_int_equal(ENDS(statement), 1);                                              \
		if (!strstr(board_panic, text))                                                    \
			fail_msg("panic '%s' is not '%s'", board_panic, text);                     \
	} while (0)
#define HALTS(statement) assert_int_equal(ENDS(statement), 2)
#define LOGGED(text)                                                                               \
	do {                                                                                       \
		if (!strstr(board_log, text))                                                      \
			fail_msg("'%s' is not in the log: %s", text, board_log);                   \
	} while (0)

#endif
