/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_stage.c - what pairs are played on, and what is seen of it afterwards; see pair.h.
 */
#include <string.h>

#include "pair.h"
#include "turns.h"

#define CODE_VA 0x10000ull
#define CODE_GFN 16u
#define LOOK_VA 0x30000000ull /* where frame_exists() looks */

static u8 code[PAGE_BYTES] __attribute__((aligned(4096)));

/* ---- frames of the child's own ---- */

void hole(void)
{
	things[GFN] = free_gfn();
	things[FAR] = free_gfn() + 1;
	things[WINDOW] = free_gfn() + 64;
}

void frame(void)
{
	hole();
	populate(PV_SELF, things[GFN], 1);
}

void frames(void)
{
	hole();
	populate(PV_SELF, things[GFN], 2);
}

void frame_mapped(void)
{
	frame();
	map(PV_SELF, PAIR_VA, things[GFN], 1, RW);
	*(volatile u64 *)PAIR_VA = PAIR_WORD;
}

u64 frame_exists(u64 gfn)
{
	if (OP(AS_MAP, MAP, PV_SELF, LOOK_VA, gfn, 1, PV_PROT_READ) != 1)
		return 0;
	unmap(PV_SELF, LOOK_VA, 1);
	return 1;
}

u64 memory_there(void)
{
	u64 reads = try_read(PAIR_VA) == NO_TRAP, writes = try_write(PAIR_VA + 8, 1) == NO_TRAP;
	u64 word = reads ? *(volatile u64 *)PAIR_VA : 0;

	return frame_exists(things[GFN]) | frame_exists(things[FAR]) << 1 | reads << 2 | writes << 3 |
	       (word & 0xffffffff) << 8;
}

void memory_clear(void)
{
	OP(AS_MAP, UNMAP, PV_SELF, PAIR_VA, 0, 1);
	OP(MEM_CTL, RELEASE, PV_SELF, things[GFN], 1);
	OP(MEM_CTL, RELEASE, PV_SELF, things[FAR], 1);
}

i64 write_there(void)
{
	u64 vector = try_write(PAIR_VA, PAIR_WORD + 1);

	return vector == NO_TRAP ? 0 : -(i64)vector;
}

/* ---- another domain ---- */

void domain_empty(void)
{
	things[DOM] = empty_domain(16, 64);
}

void registers_put(u64 pattern)
{
	struct pv_vcpu_gpr gpr;

	for (u32 i = 0; i < 16; i++)
		((u64 *)&gpr)[i] = pattern;
	gpr.rip = CODE_VA;
	gpr.rflags = 0x202;
	gpr.kernel_gs_base = pattern;
	gpr.root = PV_FOREVER;
	gpr.mode = 0;
	gpr.reserved = 0;
	memcpy(this_abi_cpu()->vcs->batch, &gpr, sizeof(gpr));
}

u64 registers_pattern(const struct pv_vcpu_gpr *gpr)
{
	const u64 *words = (const u64 *)gpr;

	for (u32 i = 1; i < 16; i++)
		if (words[i] != words[0])
			return 0;
	return gpr->kernel_gs_base == words[0] && gpr->rflags & 0x200 ? words[0] : 0;
}

/* pause; jmp back */
static const u8 spin[] = { 0xf3, 0x90, 0xeb, 0xfc };

static void domain_with(const u8 *text, u64 bytes)
{
	domain_empty();
	memcpy(code, text, bytes);
	populate(things[DOM], CODE_GFN, 4);
	copy_frames(things[DOM], CODE_GFN, gfn_of(code), 1);
	map(things[DOM], CODE_VA, CODE_GFN, 1, RX);
	CHECK_OK(OP(VCPU_CTL, CREATE, things[DOM], 0));
	registers_put(OLD_REGISTERS);
	CHECK_OK(OP(VCPU_REGS, SET, things[DOM], 0));
}

void domain_built(void)
{
	domain_with(spin, sizeof(spin));
}

void domain_ending(void)
{
	/* mov $nr, %eax; mov $op, %edi; xor %esi, %esi; mov $arg, %rdx; syscall; pause; jmp back */
	static const u8 text[] = {
		0xb8, PV_HC_DOM_CTL, 0, 0, 0, 0xbf, PV_DOM_CTL_SHUTDOWN, 0, 0, 0, 0x31, 0xf6,
		0x48, 0xba, 0, 0, 0, 0, PV_REASON_POWEROFF, 0, 0, 0, 0x0f, 0x05, 0xf3, 0x90, 0xeb, 0xfc,
	};

	domain_with(text, sizeof(text));
}

void domain_spinning(void)
{
	domain_built();
	CHECK_OK(OP(DOM_CTL, UNPAUSE, things[DOM]));
}

void domain_paused(void)
{
	i64 result;

	domain_spinning();
	do
		result = OP(DOM_CTL, PAUSE, things[DOM]);
	while (result == -PV_EAGAIN);
	CHECK_OK(result);
}

void domain_idle(void)
{
	domain_spinning();
	CHECK_OK(OP(VCPU_CTL, STOP, things[DOM], 0));
	registers_put(OLD_REGISTERS);
	CHECK_OK(OP(VCPU_REGS, SET, things[DOM], 0));
}

u64 domain_gone(void)
{
	i64 result = OP(DOM_CTL, STATUS, things[DOM]);

	return result == -PV_ECAP || result == -PV_EDEAD;
}

void pair_drop(u64 handle)
{
	if (handle)
		OP(CAP_CTL, DROP, handle);
}

void pair_end(u64 dom)
{
	if (dom && dom_destroy(dom))
		OP(CAP_CTL, DROP, dom);
}

void domain_clear(void)
{
	pair_end(things[DOM]);
	things[DOM] = 0;
}

/* ---- ports ---- */

void ports(void)
{
	things[PORT] = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	things[PEER] = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	things[THIRD] = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
}

void connected(void)
{
	ports();
	CHECK_OK(OP(PORT_CTL, CONNECT, things[PORT], PV_SELF, PV_SELF, things[PEER]));
}

u64 ports_there(void)
{
	u64 state = 0;

	for (u32 i = PORT; i <= THIRD; i++)
		state = state << 16 | (u64)OP(PORT_CTL, STATUS, things[i]);
	return state;
}

static void forget_events(struct pv_vcs *vcs)
{
	__atomic_store_n(&vcs->port_sel, 0, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < 4; i++)
		__atomic_store_n(&vcs->pend[i], 0, __ATOMIC_SEQ_CST);
}

void ports_clear(void)
{
	for (u32 i = PORT; i <= THIRD; i++) {
		OP(PORT_CTL, CLOSE, things[i]);
		__atomic_fetch_and(&port_page->pending[things[i] / 64], ~(1ull << things[i] % 64),
				   __ATOMIC_SEQ_CST);
	}
	for (u32 i = 0; i < 2; i++)
		forget_events(abi_cpus[i].vcs);
}
