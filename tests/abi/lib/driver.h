/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver.h - between the files that make up the driver; not for cases.
 */
#ifndef ABI_DRIVER_H
#define ABI_DRIVER_H

#include <setjmp.h>

#include "abitest.h"

struct verdict_text {
	enum verdict verdict;
	int line;
	char text[512];
};
extern struct verdict_text driver_verdict;
extern jmp_buf driver_loop; /* longjmp(.., 1) after driver_verdict is set */

void abi_verdict(enum verdict verdict, int line, const char *text) __attribute__((noreturn));
u64 abi_case_count(void);


void driver_main(void) __attribute__((noreturn));
void report_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The kernel's levels when nothing waits for its epoch any more; and the end of the case if two readings differ. */
void counters_settled(struct pv_counters *out);
void levels_compare(const struct pv_counters *before, const struct pv_counters *after);

/* loader.c: finds this very program in the boot image and keeps it ready for copying. */
void loader_init(void);
extern u32 current_index;	 /* of the running case, told to its children */

#endif
