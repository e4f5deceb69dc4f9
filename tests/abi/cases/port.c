/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.c - PORT_CTL, PORT_SEND, SEND_IPI.
 */
#include "../lib/abitest.h"

static u64 alloc(void)
{
	return TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
}

static bool is_pending(u64 port)
{
	return port_page->pending[port / 64] & 1ull << port % 64;
}

static void forget(u64 port)
{
	__atomic_fetch_and(&port_page->pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->port_sel, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->pend[0], 0, __ATOMIC_SEQ_CST);
}

PV_TEST(port_alloc, "PVABI-PRT-001.1")
{
	u64 a = alloc(), b = alloc();

	CHECK(a != b && a < PV_MAX_PORTS && b < PV_MAX_PORTS);
	CHECK_EQ(OP(PORT_CTL, STATUS, a), PV_PORT_UNBOUND);
	CHECK_OK(OP(PORT_CTL, CLOSE, a));
	CHECK_EQ(OP(PORT_CTL, STATUS, a), PV_PORT_FREE);
	CHECK_EQ(OP(PORT_CTL, STATUS, b), PV_PORT_UNBOUND);
}

PV_TEST(port_connect, "PVABI-PRT-002.1")
{
	u64 a = alloc(), b = alloc();

	CHECK_OK(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, b));
	CHECK_EQ(OP(PORT_CTL, STATUS, a), PV_PORT_INTERDOMAIN);
	CHECK_EQ(OP(PORT_CTL, STATUS, b), PV_PORT_INTERDOMAIN);
}

PV_TEST(port_connect_errors, "PVABI-PRT-003.1")
{
	u64 a = alloc(), b = alloc(), c = alloc();

	CHECK_OK(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, b));
	CHECK_ERR(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, c), EBUSY);
	CHECK_ERR(OP(PORT_CTL, CONNECT, c, PV_SELF, PV_SELF, a), EBUSY);
	CHECK_ERR(OP(PORT_CTL, CONNECT, c, PV_SELF, PV_SELF, 3000), ENOENT);
	CHECK_ERR(OP(PORT_CTL, CONNECT, 3000, PV_SELF, PV_SELF, c), ENOENT);
	CHECK_ERR(OP(PORT_CTL, CONNECT, c, PV_SELF, PV_SELF, PV_MAX_PORTS), ERANGE);
	CHECK_ERR(OP(PORT_CTL, CONNECT, ~0ull, PV_SELF, PV_SELF, c), ERANGE);
	CHECK_ERR(OP(PORT_CTL, CONNECT, c, PV_SELF, PV_SELF, c), EINVAL);
	CHECK_EQ(OP(PORT_CTL, STATUS, c), PV_PORT_UNBOUND);
}

PV_TEST(port_close_tells_peer, "PVABI-PRT-004.1 PVABI-SND-003.1")
{
	u64 a = alloc(), b = alloc();

	CHECK_OK(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, b));
	CHECK_OK(OP(PORT_CTL, CLOSE, a));
	CHECK_EQ(OP(PORT_CTL, STATUS, a), PV_PORT_FREE);
	CHECK_EQ(OP(PORT_CTL, STATUS, b), PV_PORT_CLOSED_PEER);
	CHECK(is_pending(b));
	CHECK_ERR(HC(PORT_SEND, b), EDEAD);
	CHECK_ERR(HC(PORT_SEND, a), ENOENT);
	CHECK_OK(OP(PORT_CTL, CLOSE, b));
}

PV_TEST(port_connect_anew, "PVABI-PRT-013.1 PVABI-PRT-003.1")
{
	u64 old = alloc(), b = alloc(), c = alloc(), d = alloc();

	CHECK_OK(OP(PORT_CTL, CONNECT, old, PV_SELF, PV_SELF, b));
	CHECK_OK(OP(PORT_CTL, CLOSE, old));
	forget(b);
	CHECK_OK(OP(PORT_CTL, CONNECT, c, PV_SELF, PV_SELF, b));
	CHECK_EQ(OP(PORT_CTL, STATUS, b), PV_PORT_INTERDOMAIN);
	CHECK(!is_pending(b));
	CHECK_EQ(HC(PORT_SEND, c), 0);
	CHECK(is_pending(b));
	CHECK_EQ(HC(PORT_SEND, b), 0);
	CHECK(is_pending(c));
	CHECK_ERR(OP(PORT_CTL, CONNECT, d, PV_SELF, PV_SELF, b), EBUSY);
	CHECK_OK(OP(PORT_CTL, CLOSE, b));
	CHECK_EQ(OP(PORT_CTL, STATUS, c), PV_PORT_CLOSED_PEER);
	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, c, PV_VIRQ_CHILD), EBUSY);
	CHECK_OK(OP(PORT_CTL, CONNECT, c, PV_SELF, PV_SELF, d));
	CHECK_EQ(HC(PORT_SEND, d), 1); /* nobody has taken the news that b is gone */
}

PV_TEST(port_connect_anew_tells_the_same_vcpu, "PVABI-PRT-013.1", .vcpus = 2)
{
	u64 a = alloc(), b = alloc(), c = alloc();

	CHECK_OK(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, b));
	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	CHECK_OK(OP(PORT_CTL, MOVE, b, 1));
	CHECK_OK(OP(PORT_CTL, CLOSE, a));
	CHECK_EQ(OP(PORT_CTL, STATUS, b), PV_PORT_CLOSED_PEER | 1 << 8);
	CHECK_OK(OP(PORT_CTL, CONNECT, c, PV_SELF, PV_SELF, b));
	CHECK_EQ(OP(PORT_CTL, STATUS, b), PV_PORT_INTERDOMAIN | 1 << 8);
}

PV_TEST(port_numbers, "PVABI-PRT-005.1")
{
	static const u64 far[] = { PV_MAX_PORTS, PV_MAX_PORTS + 1, 1ull << 32, ~0ull };

	for (u32 i = 0; i < 4; i++) {
		CHECK_ERR(OP(PORT_CTL, STATUS, far[i]), ERANGE);
		CHECK_ERR(OP(PORT_CTL, CLOSE, far[i]), ERANGE);
		CHECK_ERR(OP(PORT_CTL, MOVE, far[i], 0), ERANGE);
		CHECK_ERR(OP(PORT_CTL, EOI, far[i]), ERANGE);
		CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, far[i], PV_VIRQ_CHILD), ERANGE);
		CHECK_ERR(HC(PORT_SEND, far[i]), ERANGE);
	}
	for (u64 free = 100; free < PV_MAX_PORTS; free += 499) {
		CHECK_EQ(OP(PORT_CTL, STATUS, free), PV_PORT_FREE);
		CHECK_ERR(OP(PORT_CTL, CLOSE, free), ENOENT);
		CHECK_ERR(OP(PORT_CTL, MOVE, free, 0), ENOENT);
		CHECK_ERR(OP(PORT_CTL, EOI, free), ENOENT);
		CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, free, PV_VIRQ_CHILD), ENOENT);
		CHECK_ERR(HC(PORT_SEND, free), ENOENT);
	}
	CHECK_ERR(OP(PORT_CTL, EOI, alloc()), ESTATE);
}

PV_TEST(port_virq, "PVABI-PRT-006.1")
{
	u64 a = alloc(), b = alloc();

	CHECK_OK(OP(PORT_CTL, BIND_VIRQ, a, PV_VIRQ_CHILD));
	CHECK_EQ(OP(PORT_CTL, STATUS, a), PV_PORT_VIRQ);
	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, b, PV_VIRQ_CHILD), EBUSY);
	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, a, PV_VIRQ_CHILD), EBUSY);
	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, b, 99), ERANGE);
	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, b, ~0ull), ERANGE);
	CHECK_ERR(HC(PORT_SEND, a), ESTATE);
	CHECK_OK(OP(PORT_CTL, CLOSE, a));
	CHECK_OK(OP(PORT_CTL, BIND_VIRQ, b, PV_VIRQ_CHILD));
}

static volatile u64 moved_seen;

static void wait_for_port(void)
{
	struct pv_vcs *vcs = this_abi_cpu()->vcs;

	moved_seen = 1;
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK(vcs->pend[0] & 1ull << PV_VEC_PORTS);
	moved_seen = 2;
}

PV_TEST(port_move, "PVABI-PRT-007.1", .vcpus = 2)
{
	u64 a = alloc(), b = alloc();

	CHECK_OK(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, b));
	CHECK_ERR(OP(PORT_CTL, MOVE, b, 1), ENOENT);
	CHECK_ERR(OP(PORT_CTL, MOVE, b, 2), ERANGE);
	CHECK_ERR(OP(PORT_CTL, MOVE, b, ~0ull), ERANGE);
	vcpu_launch(1, wait_for_port);
	CHECK(wait_for(&moved_seen, 1, 500));
	CHECK_OK(OP(PORT_CTL, MOVE, b, 1));
	CHECK_EQ(OP(PORT_CTL, STATUS, b), PV_PORT_INTERDOMAIN | 1 << 8);
	CHECK_OK(HC(PORT_SEND, a));
	CHECK(wait_for(&moved_seen, 2, 500));
	CHECK_EQ(vcs0->pend[0], 0);
}

PV_TEST(port_table_full, "PVABI-PRT-008.1", .kmem = 200)
{
	u64 n = 0, last = 0;
	i64 port;

	while ((port = OP(PORT_CTL, ALLOC, 0, PV_SELF)) >= 0) {
		last = (u64)port;
		n++;
	}
	CHECK_EQ(port, -(i64)PV_ENOSPC);
	CHECK_EQ(n, PV_MAX_PORTS - 1);
	CHECK_OK(OP(PORT_CTL, CLOSE, last));
	CHECK_EQ(TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF)), last);
}

PV_TEST(port_log_needs_right, "PVABI-PRT-009.1")
{
	u64 a = alloc();

	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, a, PV_VIRQ_LOG, 0), ECAP);
	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, a, PV_VIRQ_LOG, 0x10001), ECAP);
	CHECK_EQ(OP(PORT_CTL, STATUS, a), PV_PORT_UNBOUND);
}

PV_DRIVER_TEST(port_log, "PVABI-PRT-009.1")
{
	u64 port = alloc();
	u64 weak = TRY(OP(CAP_CTL, COPY, host, PV_SELF, PV_RIGHT_HOST_ALL & ~PV_RIGHT_HOST_LOG));

	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, port, PV_VIRQ_LOG, weak), EPERM);
	CHECK_OK(OP(CAP_CTL, DROP, weak));
	CHECK_OK(OP(PORT_CTL, BIND_VIRQ, port, PV_VIRQ_LOG, host));
	abi_note("something for the log");
	HC(WAIT, 0, clock_ns() + 5 * MS);
	bool pending = is_pending(port);

	CHECK_OK(OP(PORT_CTL, CLOSE, port));
	__atomic_fetch_and(&port_page->pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->port_sel, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->pend[0], 0, __ATOMIC_SEQ_CST);
	CHECK(pending);
}

PV_DRIVER_TEST(port_irq, "PVABI-PRT-010.1 PVABI-HST-004.1")
{
	u64 a = alloc(), b = alloc();
	u64 irq = TRY(OP(HOST_CTL, IRQ_CAP, host, 11));

	CHECK_EQ(OP(CAP_CTL, INSPECT, irq), (u64)PV_CAP_IRQ << 32 | PV_RIGHT_IRQ_BIND);
	CHECK_ERR(OP(HOST_CTL, IRQ_CAP, host, 11), EBUSY);
	CHECK_ERR(OP(PORT_CTL, BIND_IRQ, a, host), ECAP);
	CHECK_OK(OP(PORT_CTL, BIND_IRQ, a, irq));
	CHECK_EQ(OP(PORT_CTL, STATUS, a), PV_PORT_IRQ);
	CHECK_ERR(OP(PORT_CTL, BIND_IRQ, b, irq), EBUSY);
	CHECK_OK(OP(PORT_CTL, EOI, a));
	CHECK_ERR(HC(PORT_SEND, a), ESTATE);
	CHECK_OK(OP(PORT_CTL, CLOSE, a));
	CHECK_OK(OP(PORT_CTL, BIND_IRQ, b, irq));
	CHECK_OK(OP(PORT_CTL, CLOSE, b));
	CHECK_OK(OP(CAP_CTL, DROP, irq));
	irq = TRY(OP(HOST_CTL, IRQ_CAP, host, 11));
	CHECK_OK(OP(CAP_CTL, DROP, irq));
	CHECK_ERR(OP(HOST_CTL, IRQ_CAP, host, 100000), ERANGE);
}

PV_TEST(port_reserved_arguments, "PVABI-PRT-011.1")
{
	CHECK_ERR(OP(PORT_CTL, ALLOC, 1, PV_SELF, 0, 0), EINVAL);
	CHECK_ERR(OP(PORT_CTL, ALLOC, 0, PV_SELF, 1, 0), EINVAL);
	CHECK_ERR(OP(PORT_CTL, ALLOC, 0, PV_SELF, 0, 1), EINVAL);
	CHECK_ERR(OP(PORT_CTL, BIND_VIRQ, alloc(), PV_VIRQ_CHILD, 1), EINVAL);
}

static void idle_for_ever(void)
{
	for (;;)
		HC(WAIT, 0, PV_FOREVER);
}

PV_DRIVER_TEST(port_of_destroyed_peer, "PVABI-PRT-012.1 PVABI-SND-003.1", PARTS(idle_for_ever))
{
	struct child *c = child_make(0);
	u64 mine = alloc(), its = TRY(OP(PORT_CTL, ALLOC, 0, c->dom));

	CHECK_OK(OP(PORT_CTL, CONNECT, mine, PV_SELF, c->dom, its));
	child_start(c);
	CHECK(TRY(HC(PORT_SEND, mine)) <= 1);
	child_destroy(c);
	CHECK_EQ(OP(PORT_CTL, STATUS, mine), PV_PORT_CLOSED_PEER);
	CHECK_ERR(HC(PORT_SEND, mine), EDEAD);
	CHECK_OK(OP(PORT_CTL, CLOSE, mine));
	forget(mine);
}

/* ---- sending ---- */

PV_TEST(send_result, "PVABI-SND-001.1")
{
	u64 a = alloc(), b = alloc();

	CHECK_OK(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, b));
	for (u32 i = 0; i < 5; i++) {
		CHECK_EQ(HC(PORT_SEND, a), 0);
		CHECK(is_pending(b));
		CHECK_EQ(HC(PORT_SEND, a), 1);
		__atomic_fetch_and(&port_page->pending[b / 64], ~(1ull << b % 64),
				   __ATOMIC_SEQ_CST);
	}
}

PV_TEST(send_wrong_state, "PVABI-SND-002.1")
{
	u64 a = alloc();

	CHECK_ERR(HC(PORT_SEND, a), ESTATE);
	CHECK_ERR(HC(PORT_SEND, 0), ENOENT);
	CHECK_ERR(HC(PORT_SEND, a + 1), ENOENT);
	CHECK_ERR(HC(PORT_SEND, PV_MAX_PORTS), ERANGE);
}

/* word[0]: own port; rounds in word[1]; word[2]: what is sent arrives from here on */
static void echo(void)
{
	u64 port = share->word[0];

	events_on(0);
	__atomic_store_n(&share->word[2], 1, __ATOMIC_RELEASE);
	for (u64 i = 0; i < share->word[1];) {
		HC(WAIT, PV_WAIT_ENABLE, PV_FOREVER);
		irq_disable();
		if (abi_cpus[0].ports_seen & 1ull << port) {
			abi_cpus[0].ports_seen = 0;
			i++;
			TRY(HC(PORT_SEND, port));
		}
	}
}

static void caller(void)
{
	u64 port = share->word[0];

	events_on(0);
	for (u64 i = 0; i < share->word[1]; i++) {
		CHECK_EQ(HC(PORT_SEND, port), 0);
		while (!(abi_cpus[0].ports_seen & 1ull << port)) {
			HC(WAIT, PV_WAIT_ENABLE, PV_FOREVER);
			irq_disable();
		}
		abi_cpus[0].ports_seen = 0;
	}
}

static void round_trips(u64 rounds)
{
	struct child *a = child_make(0), *b = child_make(1);
	u64 pa = TRY(OP(PORT_CTL, ALLOC, 0, a->dom)), pb = TRY(OP(PORT_CTL, ALLOC, 0, b->dom));

	CHECK_OK(OP(PORT_CTL, CONNECT, pa, a->dom, b->dom, pb));
	a->share->word[0] = pa;
	b->share->word[0] = pb;
	a->share->word[1] = b->share->word[1] = rounds;
	child_start(a);
	CHECK(wait_for(&a->share->word[2], 1, 500)); /* to a domain without a port page nothing is sent */
	child_start(b);
	child_expect_pass(b);
	child_expect_pass(a);
}

PV_DRIVER_TEST(send_wakes, "PVABI-SND-004.1", PARTS(echo, caller))
{
	round_trips(1);
}

PV_DRIVER_TEST(send_round_trips, "PVABI-SND-005.1", PARTS(echo, caller), .budget_ms = 10000)
{
	round_trips(1000);
}

/* ---- IPI ---- */

static volatile u64 ipi_step;

static void ipi_receiver(void)
{
	struct pv_vcs *vcs = this_abi_cpu()->vcs;

	ipi_step = 1;
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK(vcs->pend[1] & 1ull << (0x55 - 64));
	ipi_step = 2;
	HC(WAIT, 0, PV_FOREVER);
}

PV_TEST(ipi_to_another, "PVABI-IPI-001.1 PVABI-IPI-004.1", .vcpus = 2)
{
	vcpu_launch(1, ipi_receiver);
	CHECK(wait_for(&ipi_step, 1, 500));
	sleep_ms(2);
	CHECK_OK(HC(SEND_IPI, 2, 0x55));
	CHECK(wait_for(&ipi_step, 2, 500));
	CHECK_EQ(vcs0->pend[1], 0);
}

PV_TEST(ipi_to_both, "PVABI-IPI-001.1", .vcpus = 2)
{
	vcpu_launch(1, ipi_receiver);
	CHECK(wait_for(&ipi_step, 1, 500));
	CHECK_OK(HC(SEND_IPI, 3, 0x55));
	CHECK(vcs0->pend[1] & 1ull << (0x55 - 64));
	CHECK(wait_for(&ipi_step, 2, 500));
}

PV_TEST(ipi_bad_arguments, "PVABI-IPI-002.1")
{
	CHECK_ERR(HC(SEND_IPI, 0, 0x40), EINVAL);
	CHECK_ERR(HC(SEND_IPI, 0, 0), EINVAL);
	CHECK_ERR(HC(SEND_IPI, 1, 0), ERANGE);
	CHECK_ERR(HC(SEND_IPI, 1, PV_VEC_IPI_MIN - 1), ERANGE);
	CHECK_ERR(HC(SEND_IPI, 1, 256), ERANGE);
	CHECK_ERR(HC(SEND_IPI, 1, ~0ull), ERANGE);
	CHECK_OK(HC(SEND_IPI, 1, PV_VEC_IPI_MIN));
	CHECK_OK(HC(SEND_IPI, 1, 255));
	CHECK(vcs0->pend[3] & 1ull << 63);
}

PV_TEST(ipi_missing_vcpu, "PVABI-IPI-003.1", .vcpus = 2)
{
	CHECK_ERR(HC(SEND_IPI, 2, 0x40), ENOENT);
	CHECK_ERR(HC(SEND_IPI, 3, 0x40), ENOENT);
	CHECK_ERR(HC(SEND_IPI, 1ull << 16 | 1, 0x40), ENOENT);
	CHECK_ERR(HC(SEND_IPI, 1ull << 63, 0x40), ENOENT);
	CHECK_EQ(vcs0->pend[1], 0);
	CHECK_EQ(vcs0->pend[0], 0);
}

static void ipi_counter(void)
{
	struct abi_cpu *cpu = this_abi_cpu();

	irq_enable(cpu->vcs);
	ipi_step = 1;
	for (;;)
		HC(WAIT, PV_WAIT_ENABLE, PV_FOREVER);
}

/* Every IPI that found its bit clear arrives. */
PV_TEST(ipi_none_lost, "PVABI-IPI-004.1 PVABI-EVT-011.1", .vcpus = 2, .budget_ms = 10000)
{
	vcpu_launch(1, ipi_counter);
	CHECK(wait_for(&ipi_step, 1, 500));
	for (u64 i = 1; i <= 500; i++) {
		CHECK_OK(HC(SEND_IPI, 2, 0x77));
		CHECK(wait_for(&abi_cpus[1].vectors[0x77], i, 1000));
	}
}
