// SPDX-License-Identifier: BSD-2-Clause
/*
 * puppet.c - domains that do what they are told to. Two of a puppet's frames, beyond what the model knows, hold its
 * program and its commands; the driver sees the latter by a grant of its own. Virtual equals guest-physical there, so
 * it is the same program in both kinds of domains.
 */
#include <string.h>

#include "oracle.h"

#define CODE_GFN 0x40000u
#define COMMAND_GFN (CODE_GFN + 1u)
#define WINDOW_GFN (DRIVER_WINDOW_GFN + 256)
#define ROUNDS 2000000u /* of giving way, until something has come back: its CPU may be a thread that does not run */
#define LOOK 32u      /* after so many: does it run at all? */

extern const u8 puppet_code[], puppet_code_end[];

static struct puppet {
	bool used;
	u64 dom, grant; /* handles */
	struct command *commands;
} puppets[M_DOMS];

static void *code;

/* PAUSE passes the turn on to another CPU, where they take turns. Not recorded: it is no call of a test. */
static void give_way(void)
{
	static const u64 yield[6] = { PV_VCPU_CTL_YIELD };

	__asm__ volatile("pause" ::: "memory");
	(void)hc_call(PV_HC_VCPU_CTL, yield);
}

static u64 window(u32 dom)
{
	return WINDOW_GFN + dom;
}

void puppet_make(u32 dom, u64 handle, u32 kind)
{
	struct puppet *p = &puppets[dom];
	u64 at = window(dom);

	if (!code) {
		code = pages_alloc(1);
		memcpy(code, puppet_code, (u64)(puppet_code_end - puppet_code));
	}
	p->used = true;
	p->dom = TRY(OP(CAP_CTL, COPY, handle, PV_SELF, PV_RIGHT_DOM_ALL));
	populate(p->dom, CODE_GFN, PUPPET_PAGES);
	copy_frames(p->dom, CODE_GFN, gfn_of(code), 1);
	p->grant = TRY(OP(GRANT_CTL, CREATE, p->dom, COMMAND_GFN, 1, GRANT_RW));
	CHECK_EQ(OP(GRANT_CTL, MAP, p->grant, at, 1, 1), 1);
	map(PV_SELF, at << PV_PAGE_SHIFT, at, 1, RW);
	p->commands = (struct command *)(at << PV_PAGE_SHIFT);
	memset(p->commands, 0, PAGE_BYTES);
	if (kind == PV_KIND_WALKED)
		return;
	map(p->dom, (u64)CODE_GFN << PV_PAGE_SHIFT, CODE_GFN, 1, RX);
	map(p->dom, (u64)COMMAND_GFN << PV_PAGE_SHIFT, COMMAND_GFN, 1, RW);
}

void puppet_end(u32 dom)
{
	struct puppet *p = &puppets[dom];

	if (!p->used)
		return;
	p->used = false;
	unmap(PV_SELF, (u64)p->commands, 1);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, window(dom), 1), 1);
	CHECK_OK(OP(CAP_CTL, DROP, p->grant));
	CHECK_OK(OP(CAP_CTL, DROP, p->dom));
}

u64 puppet_handle(u32 dom)
{
	return puppets[dom].dom;
}

u32 puppet_count(void)
{
	u32 n = 0;

	for (u32 i = 0; i < M_DOMS; i++)
		n += puppets[i].used;
	return n;
}

struct pv_vcpu_gpr puppet_registers(u32 vcpu)
{
	return (struct pv_vcpu_gpr){ .rip = (u64)CODE_GFN << PV_PAGE_SHIFT, .rflags = 0x202, .root = PV_FOREVER,
				     .rdi = ((u64)COMMAND_GFN << PV_PAGE_SHIFT) + vcpu * sizeof(struct command) };
}

void puppet_new_vcpu(u32 dom, u32 vcpu)
{
	struct pv_vcpu_gpr gpr = puppet_registers(vcpu);

	batch_put(&gpr, sizeof(gpr));
	CHECK_OK(OP(VCPU_REGS, SET, puppets[dom].dom, vcpu));
	puppet_forget(dom, vcpu);
}

void puppet_forget(u32 dom, u32 vcpu)
{
	struct command *c = &puppets[dom].commands[vcpu];

	__atomic_store_n(&c->done, c->posted, __ATOMIC_RELEASE);
}

u32 puppet_run_state(u32 dom, u32 vcpu)
{
	struct pv_runstate state;

	CHECK_OK(OP(VCPU_CTL, STATUS, puppets[dom].dom, vcpu));
	batch_get(&state, sizeof(state));
	return state.state;
}

static bool runs(u32 dom, u32 vcpu)
{
	struct pv_dom_status status;
	u32 state = puppet_run_state(dom, vcpu);

	dom_status(puppets[dom].dom, &status);
	return status.state == PV_DOM_RUNNING && !status.pause_count && (state == 1 || state == 2);
}

bool puppet_is_away(u32 dom, u32 vcpu)
{
	const struct command *c = &puppets[dom].commands[vcpu];

	return __atomic_load_n(&c->done, __ATOMIC_ACQUIRE) != c->posted;
}

bool puppet_comes_back(u32 dom, u32 vcpu, i64 *result)
{
	for (u32 i = 1; i < ROUNDS; i++) {
		if (!puppet_is_away(dom, vcpu)) {
			*result = (i64)puppets[dom].commands[vcpu].result;
			return true;
		}
		give_way();
		/* Twice: it may have come back and gone idle between the two looks. */
		if (i % LOOK == 0 && !runs(dom, vcpu) && puppet_is_away(dom, vcpu))
			return false;
	}
	return false;
}

bool puppet_does(u32 dom, u32 vcpu, u64 deed, u64 nr, const u64 *a, i64 *result)
{
	struct command *c = &puppets[dom].commands[vcpu];

	c->deed = deed;
	c->nr = nr;
	memcpy(c->a, a, sizeof(c->a));
	__atomic_store_n(&c->posted, c->posted + 1, __ATOMIC_RELEASE);
	return puppet_comes_back(dom, vcpu, result);
}
