/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.h - what the files that enter, leave and emulate guests offer each other.
 */
#ifndef RF_GUEST_H
#define RF_GUEST_H

#include "compiler.h"
#include "types.h"
#include "vcpu.h"
#include "x86.h"

/* What a guest may have in RFLAGS: the status flags, TF, DF, NT, RF, AC and ID. */
#define GUEST_FLAGS_MASK 0x254dd5ull
#define GUEST_FLAGS_SET 0x202ull /* reserved bit 1, and IF: interrupts are always on at CPL 3 */
/* On the way to user mode by ERETU, and wherever a register image comes from a guest. */
#define GUEST_FLAGS_CLEAR (RFLAGS_NT)

static inline u64 guest_flags_clean(u64 rflags)
{
	return (rflags & GUEST_FLAGS_MASK & ~(u64)GUEST_FLAGS_CLEAR) | GUEST_FLAGS_SET;
}

static inline bool addr_is_canonical(u64 va)
{
	return (u64)((i64)(va << 16) >> 16) == va;
}

/* An address a guest may have its code or tables at: canonical and outside the kernel's hole. */
static inline bool addr_is_guests(u64 va)
{
	return addr_is_canonical(va) && (va < PV_HOLE_START || va >= PV_HOLE_END);
}

/*
 * The inactive GS base is the guest's while the kernel runs. SWAPGS twice is cheaper than RDMSR and
 * WRMSR; an NMI in between keeps its own account of GS.
 */
static inline u64 guest_gs_read(void)
{
	u64 base;

	__asm__ volatile("swapgs\n\trdgsbase %0\n\tswapgs" : "=r"(base)::"memory");
	return base;
}

static inline void guest_gs_write(u64 base) /* canonical */
{
	__asm__ volatile("swapgs\n\twrgsbase %0\n\tswapgs" ::"r"(base) : "memory");
}

static inline u64 read_fs_base(void)
{
	u64 base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static inline void write_fs_base(u64 base)
{
	__asm__ volatile("wrfsbase %0" ::"r"(base));
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

/* ---- event.c ---- */
/* Switches the running vCPU from user to kernel mode or back: gs base, mode, virtual IF. */
void event_enter_kernel(struct vcpu *v);
void event_enter_user(struct vcpu *v, u64 gs_base);
/* Puts the vCPU at a handler: flags clean, selectors flat, rcx and r11 so that SYSRET fits. */
void event_set_entry(struct vcpu *v, u64 rip);

/* ---- msr.c: 0 or -PV_ENOENT ---- */
i64 msr_read(struct vcpu *v, u32 index, u64 *value);
i64 msr_write(struct vcpu *v, u32 index, u64 value);
bool xcr0_is_valid(u64 value);

/* ---- vcpu_arch.c ---- */
void xcr0_set(struct vcpu *v, u64 value); /* of the running vCPU; valid */

/* ---- seg.c ---- */
void seg_save(struct vcpu *v);
void seg_load(struct vcpu *v);
void debug_regs_load(struct vcpu *v);
void ioports_load(const struct domain *dom);
bool ioports_owns(const struct domain *dom, u32 port, u32 size);

/* ---- emulate.c ---- */
/* A #GP in guest kernel mode: true if the instruction was done in the guest's place. */
bool emulate_privileged(struct vcpu *v);

#endif
