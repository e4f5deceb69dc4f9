// SPDX-License-Identifier: BSD-2-Clause
/*
 * emulate.c - the safety net: privileged instructions that a walked guest's kernel executed although
 * its port should have used a call. Only what traps with #GP can be caught here; PUSHF, SGDT without
 * UMIP and the like do not trap, and no guest may depend on this file for speed.
 *
 * Memory operands are not decoded: such forms go to the guest as #GP.
 */
#include "arch.h"
#include "bits.h"
#include "counters.h"
#include "cpu_features.h"
#include "domain.h"
#include "guest.h"
#include "mm.h"
#include "sched.h"
#include "trace.h"

#define INSN_MAX 15
#define CR0_GUEST 0x80050033ull
#define CR4_GUEST 0x6b0ull /* PSE PAE PGE OSFXSR OSXMMEXCPT */

struct insn {
	struct vcpu *v;
	u8 bytes[INSN_MAX];
	u32 len;   /* bytes read */
	u32 at;	   /* next byte */
	u8 rex;
	bool opsize; /* 0x66 */
};

/* Register number of ModRM order -> its place. */
static u64 *gpr(struct vcpu *v, u32 n)
{
	struct cpu_regs *r = &v->regs;
	u64 *const regs[16] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
				&r->r8,	 &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15 };

	return regs[n & 15];
}

static int next(struct insn *i)
{
	return i->at < i->len ? i->bytes[i->at++] : -1;
}

static u64 edx_eax(const struct vcpu *v)
{
	return (u32)v->regs.rax | v->regs.rdx << 32;
}

static void set_edx_eax(struct vcpu *v, u64 value)
{
	v->regs.rax = (u32)value;
	v->regs.rdx = value >> 32;
}

static bool cr_read(struct vcpu *v, u32 n, u64 *value)
{
	switch (n) {
	case 0:
		*value = CR0_GUEST;
		return true;
	case 2:
		*value = READ_ONCE(v->vcs->cr2);
		return true;
	case 3:
		*value = aspace_root(v);
		return true;
	case 4:
		*value = CR4_GUEST | (cpu_features.fsgsbase ? CR4_FSGSBASE : 0) | (cpu_features.xsave ? CR4_OSXSAVE : 0);
		return true;
	case 8:
		*value = 0;
		return true;
	}
	return false;
}

/* What CR0 and CR4 say is fixed by the ABI: writes are taken and forgotten. CR3 is LOAD_ROOT. */
static bool cr_write(struct vcpu *v, u32 n, u64 value)
{
	switch (n) {
	case 0:
	case 4:
	case 8:
		return true;
	case 2:
		WRITE_ONCE(v->vcs->cr2, value);
		return true;
	case 3:
		return aspace_load_root(v, value & PTE_ADDR, value >> 63 ? PV_ROOT_KEEP : 0) == 0;
	}
	return false;
}

static bool do_cr(struct insn *i, bool write)
{
	int modrm = next(i);
	u32 cr, reg;

	if (modrm < 0)
		return false;
	cr = ((u32)modrm >> 3 & 7) | (i->rex & 4 ? 8u : 0u);
	reg = ((u32)modrm & 7) | (i->rex & 1 ? 8u : 0u);
	if (write)
		return cr_write(i->v, cr, *gpr(i->v, reg));
	return cr_read(i->v, cr, gpr(i->v, reg));
}

static bool do_dr(struct insn *i, bool write)
{
	int modrm = next(i);
	u32 n, reg;
	i64 r;

	if (modrm < 0)
		return false;
	n = (u32)modrm >> 3 & 7;
	reg = ((u32)modrm & 7) | (i->rex & 1 ? 8u : 0u);
	if (write)
		return arch_debug_reg(i->v, PV_DEBUG_REG_WRITE, n, *gpr(i->v, reg)) == 0;
	if (n == 4 || n == 5)
		return false;
	r = arch_debug_reg(i->v, PV_DEBUG_REG_READ, n, 0);
	*gpr(i->v, reg) = (u64)r;
	return true;
}

static bool do_msr(struct insn *i, bool write)
{
	struct vcpu *v = i->v;
	u64 value;

	if (write)
		return msr_write(v, (u32)v->regs.rcx, edx_eax(v)) == 0;
	if (msr_read(v, (u32)v->regs.rcx, &value))
		return false;
	set_edx_eax(v, value);
	return true;
}

/* 0F 01: XSETBV, SMSW and LMSW of a register. */
static bool do_0f01(struct insn *i)
{
	struct vcpu *v = i->v;
	int modrm = next(i);

	if (modrm == 0xd1) {
		if ((u32)v->regs.rcx != 0 || !xcr0_is_valid(edx_eax(v)))
			return false;
		xcr0_set(v, edx_eax(v));
		return true;
	}
	if (modrm >= 0xe0 && modrm <= 0xe7) { /* SMSW reg */
		*gpr(v, ((u32)modrm & 7) | (i->rex & 1 ? 8u : 0u)) = CR0_GUEST;
		return true;
	}
	return modrm >= 0xf0 && modrm <= 0xf7; /* LMSW reg: forgotten */
}

/* 0F 00 /0, /1 with a register: SLDT and STR answer null. */
static bool do_0f00(struct insn *i)
{
	int modrm = next(i);

	if (modrm < 0xc0 || modrm > 0xcf)
		return false;
	*gpr(i->v, ((u32)modrm & 7) | (i->rex & 1 ? 8u : 0u)) = 0;
	return true;
}

static bool do_two_byte(struct insn *i)
{
	switch (next(i)) {
	case 0x00:
		return do_0f00(i);
	case 0x01:
		return do_0f01(i);
	case 0x06: /* CLTS */
	case 0x08: /* INVD */
	case 0x09: /* WBINVD: guest memory is write-back and coherent */
		return true;
	case 0x20:
		return do_cr(i, false);
	case 0x21:
		return do_dr(i, false);
	case 0x22:
		return do_cr(i, true);
	case 0x23:
		return do_dr(i, true);
	case 0x30:
		return do_msr(i, true);
	case 0x32:
		return do_msr(i, false);
	}
	return false;
}

static u32 port_in(u32 port, u32 size)
{
	return size == 1 ? inb((u16)port) : size == 2 ? inw((u16)port) : inl((u16)port);
}

static void port_out(u32 port, u32 size, u32 value)
{
	if (size == 1)
		outb((u16)port, (u8)value);
	else if (size == 2)
		outw((u16)port, (u16)value);
	else
		outl((u16)port, value);
}

/* Ports the domain owns are done for it; the others read as an empty bus and swallow writes. */
static bool do_port(struct insn *i, u32 op)
{
	struct vcpu *v = i->v;
	u32 size = op & 1 ? (i->opsize ? 2 : 4) : 1;
	u64 mask = size == 4 ? 0xffffffffull : BIT(size * 8) - 1;
	int imm = op & 8 ? 0 : next(i);
	u32 port = op & 8 ? (u32)(v->regs.rdx & 0xffff) : (u32)imm;
	u64 value;

	if (imm < 0)
		return false;
	if (op & 2) {
		if (ioports_owns(v->dom, port, size))
			port_out(port, size, (u32)v->regs.rax);
		return true;
	}
	value = ioports_owns(v->dom, port, size) ? port_in(port, size) : mask;
	v->regs.rax = size == 4 ? value & mask : (v->regs.rax & ~mask) | (value & mask);
	return true;
}

/* HLT: as WAIT without a deadline; the virtual IF stays as it is. */
static bool do_hlt(struct insn *i)
{
	u64 rax = i->v->regs.rax;

	(void)vcpu_wait(i->v, 0, PV_FOREVER);
	i->v->regs.rax = rax;
	return true;
}

static bool set_if(struct vcpu *v, bool on)
{
	u64 flags = READ_ONCE(v->vcs->flags);

	WRITE_ONCE(v->vcs->flags, on ? flags | PV_VCS_IF : flags & ~(u64)PV_VCS_IF);
	if (on)
		(void)atomic_fetch_or(&v->exit_work, WORK_EVENTS);
	return true;
}

static bool do_one_byte(struct insn *i, u32 op)
{
	switch (op) {
	case 0xf4:
		return do_hlt(i);
	case 0xfa:
		return set_if(i->v, false);
	case 0xfb:
		return set_if(i->v, true);
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:
	case 0xec: case 0xed: case 0xee: case 0xef:
		return do_port(i, op);
	case 0x0f:
		return do_two_byte(i);
	}
	return false;
}

/* Legacy prefixes, then REX; returns the opcode byte or -1. */
static int skip_prefixes(struct insn *i)
{
	int b = next(i);

	while (b == 0x66 || b == 0x67 || b == 0xf2 || b == 0xf3 || b == 0x2e || b == 0x36 ||
	       b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65) {
		i->opsize |= b == 0x66;
		b = next(i);
	}
	if (b >= 0x40 && b <= 0x4f) {
		i->rex = (u8)b;
		b = next(i);
	}
	return b;
}

bool emulate_privileged(struct vcpu *v)
{
	struct insn i = { .v = v };
	int op;

	if (v->dom->kind != PV_KIND_WALKED || v->regs.cs != SEL_UCODE)
		return false;
	i.len = (u32)mm_guest_read(v, v->regs.rip, i.bytes, INSN_MAX);
	op = skip_prefixes(&i);
	if (op < 0 || !do_one_byte(&i, (u32)op))
		return false;
	v->regs.rip += i.at;
	count(CNT_EMULATED);
	trace(TRACE_EMULATE, v->regs.rip, (u64)op);
	return true;
}
