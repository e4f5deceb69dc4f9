// SPDX-License-Identifier: BSD-2-Clause
/*
 * gang.c - deeds of several vCPUs against each other:
 *
 *	rewrite	 each rewrites the hand-over pages of the others while they call, return and are interrupted
 *	register each registers pages and entries anew, one page for two vCPUs among them, and lets go of them
 *	hotplug	 each stops, starts, kicks and creates the others and sets their registers
 *	storm	 each floods all with interrupts, its own ports and timers in the past
 *	spin	 all but the first loop with events off; the first wants them to flush
 */
#include "hostile.h"

static struct actor *other(void)
{
	return &actors[below(actor_count)];
}

/* ---- rewrite ---- */

/* One field of somebody's page: each is read once by the kernel, and may be anything when it is. */
static void rewrite_field(struct pv_vcs *vcs)
{
	volatile u64 *frame = (volatile u64 *)(below(2) ? &vcs->uframe : &vcs->kframe);

	switch (below(10)) {
	case 0:
		*(volatile u64 *)&vcs->flags = below(4) ? below(4) << 8 : noise();
		break;
	case 1:
		__atomic_fetch_xor(&vcs->pend[below(4)], 1ull << below(64), __ATOMIC_RELAXED);
		break;
	case 2:
		*(volatile u64 *)&vcs->port_sel = noise();
		break;
	case 3:
		if (below(2048) == 0) /* deadly at the next event */
			*(volatile u64 *)&vcs->busy = noise();
		break;
	case 4:
		*(volatile u64 *)&vcs->hint_va = argument();
		*(volatile u64 *)&vcs->hint_count = argument();
		break;
	case 5:
		*(volatile u64 *)&vcs->user_gs_base = argument();
		break;
	case 6:
		((volatile u64 *)vcs->batch)[below(sizeof(vcs->batch) / 8)] = argument();
		break;
	case 7: /* what the first structures in the batch area are made of */
		((volatile u64 *)vcs->batch)[below(24)] = argument();
		break;
	case 8:
		if (vcs != &this_actor()->vcs && below(64))
			break; /* a rip of noise in a frame in use: seldom, or nobody gets far */
		frame[below(sizeof(struct pv_frame) / 8)] = argument();
		break;
	default:
		((volatile u64 *)vcs)[below(sizeof(*vcs) / 8 / 2)] ^= 1ull << below(64);
		*(volatile u64 *)&vcs->busy = 0;
	}
}

/* Calls that read or write the batch area, so that a sibling can change it meanwhile. */
static void one_batch_call(void)
{
	u64 mask = 1ull << below(actor_count);

	switch (below(9)) {
	case 0:
		(void)CALL(INFO, SYSTEM);
		break;
	case 1:
		(void)CALL(VCPU_REGS, SET, PV_SELF, below(actor_count));
		break;
	case 2:
		(void)CALL(VCPU_CTL, STATUS, PV_SELF, below(actor_count));
		break;
	case 3:
		(void)CALL(DOM_CTL, STATUS, PV_SELF);
		break;
	case 4:
		(void)call(PV_HC_CPUID, below(16), below(4), 0, 0, 0, 0);
		break;
	case 5:
		(void)call(PV_HC_SEND_IPI, mask, PV_VEC_IPI_MIN + below(200), 0, 0, 0, 0);
		break;
	case 6:
		(void)call(PV_HC_WAIT, PV_WAIT_ENABLE, 1, 0, 0, 0, 0);
		break;
	case 7:
		(void)call(PV_HC_DOM_CREATE, argument(), 0, 0, 0, 0, 0);
		break;
	default:
		(void)call(PV_HC_IRQ_WIN, 0, 0, 0, 0, 0, 0);
	}
}

static void one_rewrite(void)
{
	struct actor *a = this_actor();

	for (u64 n = below(4); n; n--)
		rewrite_field(&other()->vcs);
	if (below(3))
		one_batch_call();
	else if (below(4))
		one_careful_call();
	else
		one_frame();
	a->percpu.vcs = &a->vcs;
}

/* ---- register ---- */

/* Pages several actors take for their hand-over page at once. */
static u64 contested[8];

static void prepare_contest(void)
{
	for (u32 i = 0; i < 8; i++)
		contested[i] = page_alloc() >> 12;
}

static void one_registration(void)
{
	struct actor *a = this_actor();
	u64 gfn = contested[below(8)];

	switch (below(8)) {
	case 0:
	case 1:
		(void)CALL(VCPU_SETUP, SET_VCS, gfn);
		break;
	case 2:
		(void)CALL(VCPU_SETUP, SET_VCS, ((u64)&other()->vcs - KERNEL_VA) >> 12);
		break;
	case 3:
		if (CALL(MEM_CTL, RELEASE, PV_SELF, gfn, 1) == 1)
			(void)CALL(MEM_CTL, POPULATE, PV_SELF, gfn, 1);
		break;
	case 4: {
		i64 grant = CALL(GRANT_CTL, CREATE, PV_SELF, gfn, 1, 3);

		if (grant >= 0) {
			while (CALL(GRANT_CTL, REVOKE, (u64)grant) == -PV_EAGAIN)
				;
			(void)CALL(CAP_CTL, DROP, (u64)grant);
		}
		break;
	}
	case 5:
		(void)CALL(VCPU_SETUP, SET_PORT_PAGE, gfn);
		break;
	case 6:
		((volatile u64 *)a->vcs.batch)[below(5)] = argument();
		(void)CALL(VCPU_SETUP, SET_ENTRY);
		break;
	default:
		(void)call(PV_HC_SEND_IPI, 1ull << below(actor_count), 0x40, 0, 0, 0, 0);
	}
	if (below(4) == 0)
		enter_doors(a);
}

/* ---- hotplug ---- */

static void one_plug(void)
{
	u64 victim = below(actor_count);
	struct pv_vcpu_gpr *r = (struct pv_vcpu_gpr *)this_actor()->vcs.batch;

	switch (below(7)) {
	case 0:
	case 1:
		if (victim) /* two that stop each other both stop: one must stay to start them again */
			(void)CALL(VCPU_CTL, STOP, PV_SELF, victim);
		break;
	case 2:
		(void)CALL(VCPU_CTL, START, PV_SELF, victim);
		break;
	case 3:
		(void)CALL(VCPU_CTL, KICK, PV_SELF, victim);
		break;
	case 4:
		(void)CALL(VCPU_CTL, CREATE, PV_SELF, below(6));
		break;
	case 5:
		*(volatile u64 *)&this_actor()->vcs.flags = 0;
		((volatile u64 *)r)[below(8) ? below(16) : below(sizeof(*r) / 8)] = argument();
		(void)call(PV_HC_VCPU_REGS, below(2), PV_SELF, victim, 0, 0, 0);
		break;
	default:
		if (victim != this_actor()->index)
			(void)start_actor((u32)victim);
	}
	(void)call(PV_HC_SEND_IPI, 1ull << victim, 0x41, 0, 0, 0, 0);
	if (!this_actor()->index)
		for (u32 i = 1; i < actor_count; i++)
			(void)start_actor(i);
}

/* ---- storm ---- */

static u64 ports[8];

static void prepare_storm(void)
{
	(void)CALL(VCPU_SETUP, SET_PORT_PAGE, page_alloc() >> 12);
	for (u32 i = 0; i < 8; i++)
		ports[i] = (u64)CALL(PORT_CTL, ALLOC, 0, PV_SELF);
	for (u32 i = 0; i < 8; i += 2)
		(void)CALL(PORT_CTL, CONNECT, ports[i], PV_SELF, PV_SELF, ports[i + 1]);
}

static void one_flood(void)
{
	u64 all = (1ull << actor_count) - 1;

	for (u64 n = 0; n < 16; n++)
		(void)call(PV_HC_SEND_IPI, all, PV_VEC_IPI_MIN + below(200), 0, 0, 0, 0);
	for (u32 i = 0; i < 8; i++)
		(void)call(PV_HC_PORT_SEND, ports[i], 0, 0, 0, 0, 0);
	(void)CALL(PORT_CTL, MOVE, ports[below(8)], below(actor_count));
	(void)call(PV_HC_TIMER_SET, below(2) ? 1 : argument(), 0, 0, 0, 0, 0);
	*(volatile u64 *)&this_actor()->vcs.flags |= PV_VCS_IF;
	(void)call(PV_HC_IRQ_WIN, 0, 0, 0, 0, 0, 0);
}

/* ---- spin ---- */

static void one_spin(void)
{
	struct actor *a = this_actor();

	*(volatile u64 *)&a->vcs.flags = 0;
	while (a->index)
		;
	(void)call(PV_HC_AS_FLUSH, PV_FOREVER, below(64) << 12, 64ull << 12, PV_FLUSH_ALL, 0, 0);
	(void)CALL(AS_CTL, DROP, root_gpa);
	(void)call(PV_HC_SEND_IPI, 1ull << below(actor_count), 0x42, 0, 0, 0, 0);
	if (below(8) == 0 && actor_count > 1) {
		(void)CALL(VCPU_CTL, STOP, PV_SELF, 1);
		(void)CALL(VCPU_CTL, START, PV_SELF, 1);
	}
}

const struct deed gang_deeds[] = {
	{ "rewrite", one_rewrite, NULL }, { "register", one_registration, prepare_contest },
	{ "hotplug", one_plug, NULL }, { "storm", one_flood, prepare_storm }, { "spin", one_spin, NULL },
	{ NULL, NULL, NULL },
};
