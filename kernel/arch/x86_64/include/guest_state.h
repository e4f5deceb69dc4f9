/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest_state.h - what a guest may have in its registers, and the events written into its page: the part
 * of guest.h that touches no register of the processor, so the host build has it too.
 */
#ifndef RF_GUEST_STATE_H
#define RF_GUEST_STATE_H

#include <pv/abi.h>

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

/* ---- event.c ---- */
/* Switches the running vCPU from user to kernel mode or back: gs base, mode, virtual IF. */
/* event_check() would change nothing. */
bool event_is_quiet(const struct vcpu *v);
void event_enter_kernel(struct vcpu *v);
void event_enter_user(struct vcpu *v, u64 gs_base);
/* Puts the vCPU at a handler: flags clean, selectors flat, rcx and r11 so that SYSRET fits. */
void event_set_entry(struct vcpu *v, u64 rip);

#endif
