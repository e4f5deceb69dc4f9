/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setup.c - VCPU_SETUP, WAIT and the timer.
 */
#include <string.h>

#include "../lib/abitest.h"

static const u64 bad_addresses[] = { 0x800000000000, 0xffff7fffffffffff, PV_HOLE_START,
				     PV_HOLE_START + 0x123456, PV_HOLE_END - 1, 1ull << 63 };

PV_TEST(vcs_bad_frame, "PVABI-SET-001.1")
{
	u64 hole = gfn_of((void *)start->heap_end) + 100;

	CHECK_ERR(OP(VCPU_SETUP, SET_VCS, hole), EFAULT);
	CHECK_ERR(OP(VCPU_SETUP, SET_VCS, 0), EFAULT);
	CHECK_ERR(OP(VCPU_SETUP, SET_VCS, PV_MAX_GFN), EFAULT);
	CHECK_ERR(OP(VCPU_SETUP, SET_VCS, PV_MAX_GFN + 1), ERANGE);
	CHECK_ERR(OP(VCPU_SETUP, SET_VCS, ~0ull), ERANGE);
	CHECK_ERR(OP(VCPU_SETUP, SET_PORT_PAGE, PV_MAX_GFN + 1), ERANGE);
	CHECK_OK(OP(INFO, SYSTEM, 0)); /* the old page still serves */
}

PV_TEST(vcs_is_pinned, "PVABI-SET-002.1")
{
	struct pv_vcs *other = pages_alloc(1);

	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn_of(vcs0), 1), EBUSY);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn_of(port_page), 1), EBUSY);
	struct pv_vcs *old = vcs0;

	CHECK_OK(OP(VCPU_SETUP, SET_VCS, gfn_of(other)));
	vcs0 = other;
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn_of(other), 1), EBUSY);
	CHECK_EQ(OP(MEM_CTL, RELEASE, PV_SELF, gfn_of(old), 1), 1);
}

PV_TEST(vcs_filled, "PVABI-SET-003.1", .vcpus = 2)
{
	struct pv_vcs *other = pages_alloc(1);

	memset(other, 0x77, sizeof(*other));
	other->flags = 0;
	memset(other->pend, 0, sizeof(other->pend));
	CHECK_OK(OP(VCPU_SETUP, SET_VCS, gfn_of(other)));
	CHECK_EQ(other->vcpu, 0);
	CHECK_EQ(other->clock.seq & 1, 0);
	CHECK(other->clock.mul != 0x77777777);
	CHECK_EQ(other->clock.mul, vcs0->clock.mul);
	CHECK_EQ(other->scratch[0], 0x7777777777777777);
	CHECK_EQ(other->batch[100], 0x77);
	vcs0 = other;
}

PV_TEST(vcs_moves, "PVABI-SET-007.1")
{
	struct pv_vcs *old = vcs0, *other = pages_alloc(1);

	CHECK_OK(OP(VCPU_SETUP, SET_VCS, gfn_of(other)));
	memset(old->batch, 0, sizeof(old->batch));
	memset(old->pend, 0, sizeof(old->pend));
	vcs0 = other;
	CHECK_OK(OP(INFO, SYSTEM, 0));
	CHECK(other->batch[0] == PV_ABI_MAJOR);
	CHECK_EQ(old->batch[0], 0);
	CHECK_OK(HC(TIMER_SET, 1));
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK(other->pend[0] & 1ull << PV_VEC_TIMER);
	CHECK_EQ(old->pend[0], 0);
}

PV_TEST(entry_bad_addresses, "PVABI-SET-004.1")
{
	struct pv_entry good = { .kernel_entry = 0x400000, .erets = 0x400000 };

	for (u32 field = 0; field < 5; field++)
		for (u32 i = 0; i < sizeof(bad_addresses) / sizeof(u64); i++) {
			struct pv_entry entry = good;

			((u64 *)&entry)[field] = bad_addresses[i];
			batch_put(&entry, sizeof(entry));
			CHECK_ERR(OP(VCPU_SETUP, SET_ENTRY, 0), EINVAL);
		}
	batch_put(&good, sizeof(good));
	CHECK_ERR(OP(VCPU_SETUP, SET_ENTRY, 1), EINVAL);
}

/* The hypercall below is made from exactly the address that eretu names. */
PV_TEST(entry_no_user_mode, "PVABI-SET-008.1")
{
	extern char after_call[];
	struct pv_entry entry = { .user_entry = 0x400000, .kernel_entry = 0x400000,
				  .syscall_entry = 0x400000, .eretu = (u64)after_call };
	i64 version = PV_HC_INFO;

	batch_put(&entry, sizeof(entry));
	CHECK_OK(OP(VCPU_SETUP, SET_ENTRY, 0));
	__asm__ volatile("syscall\nafter_call:"
			 : "+a"(version)
			 : "D"((u64)PV_INFO_VERSION), "S"(0ull)
			 : "rcx", "r11", "memory");
	CHECK_EQ(version, PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
}

PV_TEST(entry_failure_changes_nothing, "PVABI-SET-004.1 PVABI-GEN-010.1")
{
	struct pv_entry bad = { .kernel_entry = PV_HOLE_START, .erets = 0x400000 };

	events_on(0);
	batch_put(&bad, sizeof(bad));
	CHECK_ERR(OP(VCPU_SETUP, SET_ENTRY, 0), EINVAL);
	CHECK_EQ(try_read(0x10), 14); /* still arrives where it did */
}

PV_TEST(kernel_gs, "PVABI-SET-005.2")
{
	static u64 cell = 0xc0ffee;
	u64 got;

	CHECK_OK(OP(VCPU_SETUP, SET_KERNEL_GS, (u64)&cell));
	__asm__ volatile("mov %%gs:0, %0" : "=r"(got));
	CHECK_EQ(got, 0xc0ffee);
	CHECK_ERR(OP(VCPU_SETUP, SET_KERNEL_GS, 0x800000000000), EINVAL);
	CHECK_ERR(OP(VCPU_SETUP, SET_KERNEL_GS, 1ull << 63), EINVAL);
	CHECK_ERR(OP(VCPU_SETUP, SET_KERNEL_GS, PV_HOLE_START), EINVAL);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(got));
	CHECK_EQ(got, 0xc0ffee);
}

PV_TEST(port_page_once, "PVABI-SET-006.1")
{
	void *page = pages_alloc(1);

	CHECK_ERR(OP(VCPU_SETUP, SET_PORT_PAGE, gfn_of(page)), EBUSY);
	CHECK_ERR(OP(VCPU_SETUP, SET_PORT_PAGE, gfn_of(port_page)), EBUSY);
}

/* ---- WAIT ---- */

PV_TEST(wait_poll, "PVABI-WAI-001.1")
{
	u64 before = clock_ns();

	for (u32 i = 0; i < 10; i++)
		CHECK_EQ(HC(WAIT, 0, 0), 1);
	CHECK(clock_ns() - before < 500 * MS * PATIENCE);
}

PV_TEST(wait_deadline, "PVABI-WAI-002.1")
{
	static const u64 lengths[] = { 1, 1000, 50000, MS, 7 * MS };

	for (u32 i = 0; i < 5; i++) {
		u64 deadline = clock_ns() + lengths[i];

		CHECK_EQ(HC(WAIT, 0, deadline), 1);
		u64 now = clock_ns();

		CHECK(now >= deadline);
		CHECK(now - deadline < 200 * MS * PATIENCE);
	}
	CHECK_EQ(HC(WAIT, 0, clock_ns() - 1), 1);
	CHECK_EQ(HC(WAIT, 0, 1), 1);
}

PV_TEST(wait_pending, "PVABI-WAI-003.1")
{
	events_on(0);
	CHECK_OK(HC(SEND_IPI, 1, 0x31)); /* IF is clear */
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK_EQ(HC(WAIT, 0, 0), 0); /* still pending */
	CHECK(vcs0->pend[0] & 1ull << 0x31);
	CHECK_EQ(abi_cpus[0].irqs, 0);
}

PV_TEST(wait_unknown_flag, "PVABI-WAI-005.1")
{
	for (u32 bit = 1; bit < 64; bit++)
		CHECK_ERR(HC(WAIT, 1ull << bit, 0), EINVAL);
	CHECK_ERR(HC(WAIT, ~0ull, 0), EINVAL);
}

PV_TEST(wait_enable_delivers, "PVABI-WAI-006.1")
{
	events_on(0);
	CHECK_OK(HC(TIMER_SET, clock_ns() + 2 * MS));
	CHECK_EQ(HC(WAIT, PV_WAIT_ENABLE, PV_FOREVER), 0);
	CHECK_EQ(abi_cpus[0].irqs, 1);
	CHECK_EQ(abi_cpus[0].vectors[PV_VEC_TIMER], 1);
	CHECK(vcs0->flags & PV_VCS_IF);
}

PV_TEST(wait_enable_already_pending, "PVABI-WAI-006.1 PVABI-WAI-003.1")
{
	events_on(0);
	CHECK_OK(HC(SEND_IPI, 1, 0x40));
	CHECK_EQ(HC(WAIT, PV_WAIT_ENABLE, PV_FOREVER), 0);
	CHECK_EQ(abi_cpus[0].vectors[0x40], 1);
}

static void sleeper(void)
{
	share->word[0] = 1;
	HC(WAIT, 0, PV_FOREVER);
}

PV_DRIVER_TEST(wait_uses_no_time, "PVABI-WAI-007.1", PARTS(sleeper))
{
	struct child *c = child_make(0);
	struct pv_dom_status a, b;

	child_start(c);
	CHECK(wait_for(&c->share->word[0], 1, 500));
	sleep_ms(5);
	child_status(c, &a);
	sleep_ms(100);
	child_status(c, &b);
	CHECK_EQ(b.state, PV_DOM_RUNNING);
	CHECK(b.run_ns - a.run_ns < MS);
}

/* ---- timer ---- */

static bool timer_pending(void)
{
	return *(volatile u64 *)&vcs0->pend[0] & 1ull << PV_VEC_TIMER;
}

static void timer_clear(void)
{
	__atomic_fetch_and(&vcs0->pend[0], ~(1ull << PV_VEC_TIMER), __ATOMIC_SEQ_CST);
}

PV_TEST(timer_in_the_past, "PVABI-TIM-001.1")
{
	u64 deadlines[] = { 1, 0, clock_ns() - 1 };

	for (u32 i = 0; i < 3; i++) {
		u64 begin = clock_ns();

		CHECK_OK(HC(TIMER_SET, deadlines[i]));
		CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
		CHECK(timer_pending());
		CHECK(clock_ns() - begin < 100 * MS * PATIENCE);
		timer_clear();
	}
}

PV_TEST(timer_once, "PVABI-TIM-002.1")
{
	u64 deadline = clock_ns() + 5 * MS;

	CHECK_OK(HC(TIMER_SET, deadline));
	for (bool fired = false; !fired;) {
		fired = timer_pending();
		CHECK(!fired || clock_ns() >= deadline);
	}
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK(clock_ns() >= deadline);
	CHECK(timer_pending());
	timer_clear();
	CHECK_EQ(HC(WAIT, 0, clock_ns() + 20 * MS), 1);
	CHECK(!timer_pending());
}

PV_TEST(timer_disarmed, "PVABI-TIM-003.1")
{
	CHECK_OK(HC(TIMER_SET, clock_ns() + 5 * MS));
	CHECK_OK(HC(TIMER_SET, PV_FOREVER));
	CHECK_EQ(HC(WAIT, 0, clock_ns() + 20 * MS), 1);
	CHECK(!timer_pending());
}

PV_TEST(timer_replaced, "PVABI-TIM-004.1")
{
	u64 now = clock_ns();

	CHECK_OK(HC(TIMER_SET, now + 5 * MS));
	CHECK_OK(HC(TIMER_SET, now + 30 * MS));
	HC(WAIT, 0, now + 15 * MS);
	CHECK(!timer_pending() || clock_ns() >= now + 30 * MS);
	timer_clear();
	now = clock_ns();
	CHECK_OK(HC(TIMER_SET, now + 40 * MS));
	CHECK_OK(HC(TIMER_SET, now + 20 * MS)); /* earlier again */
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK(clock_ns() >= now + 20 * MS);
	timer_clear();
	CHECK_EQ(HC(WAIT, 0, now + 80 * MS), 1); /* the later one is gone */
}

static volatile u64 shared_time, clock_stop;

static void clock_watcher(void)
{
	while (!clock_stop) {
		u64 seen = __atomic_load_n(&shared_time, __ATOMIC_ACQUIRE);
		u64 now = clock_ns();

		CHECK(now >= seen);
		if (!__atomic_compare_exchange_n(&shared_time, &seen, now, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_RELAXED))
			continue;
	}
	clock_stop = 2;
}

PV_TEST(clock_monotonic, "PVABI-TIM-005.1", .vcpus = 2)
{
	u64 end = clock_ns() + 30 * MS;

	vcpu_launch(1, clock_watcher);
	while (clock_ns() < end) {
		u64 seen = __atomic_load_n(&shared_time, __ATOMIC_ACQUIRE);
		u64 now = clock_ns();

		CHECK(now >= seen);
		__atomic_compare_exchange_n(&shared_time, &seen, now, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED);
	}
	clock_stop = 1;
	CHECK(wait_for(&clock_stop, 2, 500));
}

static volatile u64 other_fired;

static void other_timer(void)
{
	struct pv_vcs *vcs = this_abi_cpu()->vcs;

	CHECK_OK(HC(TIMER_SET, clock_ns() + 10 * MS));
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK(vcs->pend[0] & 1ull << PV_VEC_TIMER);
	other_fired = 1;
}

PV_TEST(timer_per_vcpu, "PVABI-TIM-006.1", .vcpus = 2)
{
	vcpu_launch(1, other_timer);
	CHECK_OK(HC(TIMER_SET, clock_ns() + 100000 * MS));
	CHECK(wait_for(&other_fired, 1, 500));
	CHECK(!timer_pending());
	CHECK_OK(HC(TIMER_SET, clock_ns() + MS));
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK(timer_pending());
}

PV_TEST(timer_interrupts_a_loop, "PVABI-TIM-007.1 PVABI-EVT-001.1")
{
	events_on(0);
	vcs0->flags |= PV_VCS_IF;
	CHECK_OK(HC(TIMER_SET, clock_ns() + 5 * MS));
	u64 end = clock_ns() + 500 * MS * PATIENCE;

	while (*(volatile u64 *)&abi_cpus[0].vectors[PV_VEC_TIMER] == 0)
		CHECK(clock_ns() < end);
}

PV_TEST(timer_many, "PVABI-TIM-002.1 PVABI-TIM-007.1")
{
	events_on(0);
	irq_enable(vcs0);
	for (u64 i = 1; i <= 200; i++) {
		irq_disable();
		CHECK_OK(HC(TIMER_SET, clock_ns() + 20000));
		while (*(volatile u64 *)&abi_cpus[0].vectors[PV_VEC_TIMER] < i) {
			HC(WAIT, PV_WAIT_ENABLE, PV_FOREVER);
			irq_disable();
		}
		CHECK_EQ(abi_cpus[0].vectors[PV_VEC_TIMER], i);
	}
}
