/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.h - code whose every register is known: probes.S loads all registers from one structure,
 * executes one instruction, and stores all registers to another.
 */
#ifndef PROBES_H
#define PROBES_H

#include <stdint.h>

struct gprs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
};

#define FLAGS_CF 0x1u
#define FLAGS_STATUS 0x8d5u	/* OF SF ZF AF PF CF */
#define FLAGS_TF 0x100u
#define FLAGS_IF 0x200u
#define FLAGS_DF 0x400u
#define FLAGS_NT 0x4000u
#define FLAGS_RF 0x10000u
#define FLAGS_AC 0x40000u
#define FLAGS_ID 0x200000u

typedef void probe_fn(const struct gprs *in, struct gprs *out);

probe_fn probe_syscall;		/* syscall */
probe_fn probe_int80;		/* int $0x80 */
probe_fn probe_store;		/* movb $1, (%rbx) */
probe_fn probe_loop;		/* loop until rcx is 0: no flag and no other register changes */
probe_fn probe_ud2;		/* ud2; a handler is to step over it */
probe_fn probe_int3;		/* int3 */
extern char probe_syscall_after[], probe_ud2_after[];

/* Code stretches for single steps; the labels name the instructions. */
void steps_syscall(void);
extern char steps_syscall_1[], steps_syscall_2[], steps_syscall_3[], steps_syscall_4[];
void steps_int80(void);
extern char steps_int80_1[], steps_int80_2[], steps_int80_3[], steps_int80_4[];
void steps_store(void *where);
extern char steps_store_1[], steps_store_2[], steps_store_3[];
void steps_cpuid(void);
extern char steps_cpuid_1[], steps_cpuid_2[], steps_cpuid_3[], steps_cpuid_4[];

#endif
