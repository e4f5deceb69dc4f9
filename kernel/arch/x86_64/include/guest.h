/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.h - what the files that enter, leave and emulate guests offer each other.
 */
#ifndef RF_GUEST_H
#define RF_GUEST_H

#include "compiler.h"
#include "fsgsbase.h"
#include "guest_state.h"
#include "types.h"
#include "vcpu.h"
#include "x86.h"

/*
 * The inactive GS base is the guest's while the kernel runs. SWAPGS twice is cheaper than RDMSR and
 * WRMSR; an NMI in between keeps its own account of GS.
 */
static inline u64 guest_gs_read(void)
{
	u64 base;

	__asm__ inline volatile("swapgs\n\t" FSGSBASE(rdgsbase) "swapgs" : "=a"(base)::"memory", "cc");
	return base;
}

static inline void guest_gs_write(u64 base) /* canonical */
{
	__asm__ inline volatile("swapgs\n\t" FSGSBASE(wrgsbase) "swapgs" ::"a"(base) : "memory", "cc");
}

/* ---- entry.S ---- */
extern const char guest_syscall[], guest_syscall32[];

/* ---- guest.c: called by entry.S with the registers in v->regs ---- */
void guest_trap(struct vcpu *v);
void guest_hypercall(struct vcpu *v);
void guest_hypercall_end(struct vcpu *v);
void guest_eretu(struct vcpu *v);
void guest_erets(struct vcpu *v);
void guest_user_syscall(struct vcpu *v);
void guest_cstar(struct vcpu *v);
void guest_iret_failed(struct vcpu *v, u64 vector, u64 error);

/* ---- msr.c: 0 or -PV_ENOENT ---- */
i64 msr_read(struct vcpu *v, u32 index, u64 *value);
i64 msr_write(struct vcpu *v, u32 index, u64 value);
bool xcr0_is_valid(u64 value);

/* ---- vcpu_arch.c ---- */
void xcr0_set(struct vcpu *v, u64 value); /* of the running vCPU; valid */

/* What of guests' state the registers of each CPU hold. */
struct loaded {
	struct vcpu *resident; /* whose it is */
	u64 xcr0;
	u64 tsc_aux;
	bool dr7_live;
	bool io_open; /* one of io is */
	struct io_range io[4]; /* open in the TSS */
} __aligned(64);
extern struct loaded loaded[MAX_CPUS];

/* ---- seg.c ---- */
#define DR7_ENABLED 0xffull
void seg_save(struct vcpu *v);
void seg_load(struct vcpu *v, struct loaded *l);
void debug_regs_load(struct vcpu *v);
void ioports_change(const struct domain *dom, struct loaded *l);

/* Few domains have ports: four ranges, which are two words, of zeros. */
static inline void ioports_load(const struct domain *dom, struct loaded *l)
{
	u64 low, high;

	BUILD_ASSERT(sizeof(low) + sizeof(high) == sizeof(dom->ioports));
	__builtin_memcpy(&low, &dom->ioports[0], sizeof(low));
	__builtin_memcpy(&high, &dom->ioports[2], sizeof(high));
	if (unlikely(l->io_open || (low | high)))
		ioports_change(dom, l);
}

bool ioports_owns(const struct domain *dom, u32 port, u32 size);

/* ---- emulate.c ---- */
/* A #GP in guest kernel mode: true if the instruction was done in the guest's place. */
bool emulate_privileged(struct vcpu *v);

#endif
