// SPDX-License-Identifier: BSD-2-Clause
/*
 * tlbflush.c - how one CPU makes the others forget.
 *
 * Each CPU has a mailbox with two wishes. FLUSH is served anywhere in the kernel, because the kernel
 * itself uses no guest translation. EPOCH is served only at the door to a guest and in the idle loop,
 * where no path of the kernel is on the stack: no pointer is held, and after the flush no page-table
 * page that was unlinked before can be walked.
 *
 * The place of a CPU and its mail are a Dekker pair: the sender writes mail, then reads the place;
 * the CPU writes the place, then reads its mail. So either the sender interrupts it or it sees the
 * mail before it runs the guest. All of these accesses are sequentially consistent.
 */
#include "tlbflush.h"

#include "arch.h"
#include "arch_mmu.h"
#include "atomic.h"
#include "bits.h"
#include "counters.h"
#include "cpu.h"
#include "domain.h"
#include "panic.h"
#include "race.h"
#include "vcpu.h"

#define WANT_FLUSH 1u
#define WANT_EPOCH 2u

enum place { IN_KERNEL, IN_GUEST, IN_IDLE };

static struct mailbox {
	u32 place;
	u32 want;
	u64 quiesced; /* last epoch this CPU has passed */
} __aligned(64) boxes[MAX_CPUS];

static u64 epoch_now;

void flush_serve_mailbox(void)
{
	struct mailbox *box = &boxes[this_cpu()->id];

	if (likely(!(atomic_load_relaxed(&box->want) & WANT_FLUSH)))
		return;
	atomic_fetch_and(&box->want, ~WANT_FLUSH);
	arch_flush_tlb();
}

/* Posts a wish; true if the CPU was in a guest and has been interrupted. */
static bool post(u32 cpu, u32 wish)
{
	struct mailbox *box = &boxes[cpu];
	u32 place;

	atomic_fetch_or(&box->want, wish);
	RACE_POINT();
	place = atomic_load_seq(&box->place);
	if (place == IN_GUEST || (place == IN_IDLE && wish == WANT_EPOCH))
		arch_ipi_send(cpu, VEC_FLUSH);
	return place == IN_GUEST;
}

/* It has not flushed and could still be running guest code that it ran when the mail was posted. */
static bool still_out(u32 cpu)
{
	return atomic_load_acquire(&boxes[cpu].place) == IN_GUEST &&
	       (atomic_load_acquire(&boxes[cpu].want) & WANT_FLUSH);
}

void flush_cpus(u64 mask)
{
	u32 self = this_cpu()->id;
	u64 wait = 0;

	ASSERT_NO_LOCK();
	for (u64 rest = mask & ~BIT(self); rest; rest &= rest - 1) {
		u32 cpu = bit_lowest(rest);

		if (post(cpu, WANT_FLUSH))
			wait |= BIT(cpu);
	}
	if (mask & BIT(self))
		arch_flush_tlb();
	if (wait)
		count(CNT_SHOOTDOWNS);
	while (wait) {
		u32 cpu = bit_lowest(wait);

		if (!still_out(cpu)) {
			wait &= wait - 1;
			continue;
		}
		cpu_relax();
		flush_serve_mailbox();
	}
}

u64 flush_mask(const struct domain *dom)
{
	u64 mask = 0;

	/* Pairs with the store of `current` and the load of a root that follows it in a switch. */
	fence_full();
	for (u32 i = 0; i < nr_cpus; i++) {
		struct vcpu *v = atomic_load_relaxed(&cpus[i].current);

		if (v && v->dom == dom)
			mask |= BIT(i);
		RACE_POINT();
	}
	return mask;
}

u64 epoch_start(void)
{
	u64 ticket = atomic_fetch_add(&epoch_now, 1) + 1;
	struct vcpu *v = this_cpu()->current;
	u32 self = this_cpu()->id;

	for (u32 i = 0; i < nr_cpus; i++)
		if (i != self)
			(void)post(i, WANT_EPOCH);
	atomic_fetch_or(&boxes[self].want, WANT_EPOCH);
	if (v) /* the short way out of a hypercall does not look into the mailbox */
		(void)atomic_fetch_or(&v->exit_work, WORK_MAIL);
	return ticket;
}

bool epoch_passed(u64 ticket)
{
	for (u32 i = 0; i < nr_cpus; i++)
		if (atomic_load_acquire(&boxes[i].quiesced) < ticket)
			return false;
	return true;
}

/* At a point where this CPU holds nothing. The mail goes before the epoch is read: a ticket taken
 * later puts the wish back. */
static void serve_all(struct mailbox *box)
{
	u32 want = atomic_xchg(&box->want, 0u);
	u64 epoch = atomic_load_seq(&epoch_now);

	RACE_POINT();
	arch_flush_tlb();
	if (want & WANT_EPOCH)
		atomic_store_release(&box->quiesced, epoch); /* pairs with epoch_passed() */
}

void cpu_leave_guest(void)
{
	atomic_store_release(&boxes[this_cpu()->id].place, (u32)IN_KERNEL);
}

bool cpu_enter_guest(void)
{
	struct mailbox *box = &boxes[this_cpu()->id];

	(void)atomic_xchg(&box->place, (u32)IN_GUEST);
	RACE_POINT();
	if (likely(!atomic_load_relaxed(&box->want)))
		return true;
	atomic_store_seq(&box->place, (u32)IN_KERNEL);
	serve_all(box);
	return false;
}

void cpu_idle_quiesce(void)
{
	struct mailbox *box = &boxes[this_cpu()->id];

	(void)atomic_xchg(&box->place, (u32)IN_IDLE);
	if (atomic_load_relaxed(&box->want))
		serve_all(box);
}
