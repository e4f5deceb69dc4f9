/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deny.c - the matrix of (operation, right): without the right PV_EPERM, with a stale handle or one
 * of another type PV_ECAP, with one to a dead domain PV_EDEAD. Each row is three or four cases; the
 * arguments are valid apart from the handle.
 */
#include <string.h>

#include "../lib/abitest.h"

typedef i64 (*denied_call)(u64 handle);

static u64 some_grant(void)
{
	u64 gfn = start->heap_start >> PV_PAGE_SHIFT;

	return TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, PV_RIGHT_GRANT_READ));
}

static void prepare_batch(void)
{
	struct pv_dom_create args = dom_defaults();

	batch_put(&args, sizeof(args));
}

struct denial {
	denied_call call;
	u64 right;
};

static const struct denial *denial(void)
{
	return this_case->row;
}

/* Every capability that lacks the right is refused: with all other rights, and with each of them alone. */
static void without_right(u64 object, u64 all)
{
	denied_call call = denial()->call;

	for (u64 rights = all & ~denial()->right, single = 0; single <= all; single = single ? single << 1 : 1) {
		u64 some = single ? single : rights;

		if (some & denial()->right || !(some & all))
			continue;
		u64 weak = TRY(OP(CAP_CTL, COPY, object, PV_SELF, some));

		prepare_batch();
		CHECK_ERR(call(weak), EPERM);
		CHECK_OK(OP(CAP_CTL, DROP, weak));
	}
}

static void deny_domain(void)
{
	u64 dom = empty_domain(4, 64);

	without_right(dom, PV_RIGHT_DOM_ALL);
	CHECK_OK(dom_destroy(dom));
}

static void deny_host(void)
{
	without_right(host, PV_RIGHT_HOST_ALL);
}

/* Dropped, dropped and its slot used again, never handed out, and good ones with a bit too many. */
static void stale(u64 object, u64 rights)
{
	denied_call call = denial()->call;
	u64 old = TRY(OP(CAP_CTL, COPY, object, PV_SELF, rights));

	CHECK_OK(OP(CAP_CTL, DROP, old));
	prepare_batch();
	CHECK_ERR(call(old), ECAP);
	u64 next = TRY(OP(CAP_CTL, COPY, object, PV_SELF, rights));

	prepare_batch();
	CHECK_EQ(next & 0xffff, old & 0xffff);
	CHECK_ERR(call(old), ECAP);
	CHECK_ERR(call(0x7fff0000 | (PV_MAX_CAPS - 1)), ECAP);
	CHECK_ERR(call(0x7fff0000 | PV_MAX_CAPS), ECAP);
	for (u32 bit = 31; bit < 64; bit++)
		CHECK_ERR(call(next | 1ull << bit), ECAP);
	CHECK_ERR(call(~0ull), ECAP);
	CHECK_OK(OP(CAP_CTL, DROP, next));
}

static void stale_domain(void)
{
	u64 dom = empty_domain(4, 64);

	stale(dom, PV_RIGHT_DOM_ALL);
	CHECK_OK(dom_destroy(dom));
	CHECK_ERR(denial()->call(dom), ECAP);
}

static void stale_host(void)
{
	stale(host, PV_RIGHT_HOST_ALL);
}

static void wrong_type(bool wants_host)
{
	denied_call call = denial()->call;
	u64 grant = some_grant(), irq = TRY(OP(HOST_CTL, IRQ_CAP, host, 11)), dom = empty_domain(4, 64);

	prepare_batch();
	CHECK_ERR(call(grant), ECAP);
	CHECK_ERR(call(irq), ECAP);
	CHECK_ERR(call(wants_host ? dom : host), ECAP);
	if (wants_host)
		CHECK_ERR(call(PV_SELF), ECAP);
	CHECK_OK(OP(CAP_CTL, DROP, irq));
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(revoke(grant));
}

static void type_domain(void)
{
	wrong_type(false);
}

static void type_host(void)
{
	wrong_type(true);
}

/* A capability outlives its domain, also when the domain's slot has a new one. */
static void dead_domain(void)
{
	u64 dom = empty_domain(4, 64);
	u64 second = TRY(OP(CAP_CTL, COPY, dom, PV_SELF, PV_RIGHT_DOM_ALL));
	u64 weak = TRY(OP(CAP_CTL, COPY, dom, PV_SELF, PV_RIGHT_DOM_ALL & ~denial()->right));

	CHECK_OK(dom_destroy(dom));
	CHECK_ERR(denial()->call(second), EDEAD);
	CHECK_ERR(denial()->call(weak), EPERM);
	u64 next = empty_domain(4, 64);

	CHECK_ERR(denial()->call(second), EDEAD);
	CHECK_OK(dom_destroy(next));
	CHECK_OK(OP(CAP_CTL, DROP, second));
	CHECK_OK(OP(CAP_CTL, DROP, weak));
}

#define DENIAL(name, wanted, expr) \
	static i64 name##_call(u64 h) { return expr; } \
	static const struct denial name##_denial = { name##_call, wanted }
#define DENY_DOMAIN(name, wanted, expr) \
	DENIAL(name, wanted, expr); \
	PV_ROW(deny_##name, "PVABI-CAP-014.1", deny_domain, .row = &name##_denial); \
	PV_ROW(stale_##name, "PVABI-CAP-015.1", stale_domain, .row = &name##_denial); \
	PV_ROW(type_##name, "PVABI-CAP-016.1", type_domain, .row = &name##_denial); \
	PV_ROW(dead_##name, "PVABI-CAP-013.1", dead_domain, .row = &name##_denial);
#define DENY_HOST(name, wanted, expr) \
	DENIAL(name, wanted, expr); \
	PV_ROW(deny_##name, "PVABI-CAP-017.1", deny_host, .row = &name##_denial); \
	PV_ROW(stale_##name, "PVABI-CAP-015.1", stale_host, .row = &name##_denial); \
	PV_ROW(type_##name, "PVABI-CAP-016.1", type_host, .row = &name##_denial);

DENY_DOMAIN(pause, PV_RIGHT_DOM_CTL, OP(DOM_CTL, PAUSE, h))
DENY_DOMAIN(unpause, PV_RIGHT_DOM_CTL, OP(DOM_CTL, UNPAUSE, h))
DENY_DOMAIN(destroy, PV_RIGHT_DOM_CTL, OP(DOM_CTL, DESTROY, h))
DENY_DOMAIN(status, PV_RIGHT_DOM_STATUS, OP(DOM_CTL, STATUS, h))
DENY_DOMAIN(vcpu_create, PV_RIGHT_DOM_VCPU, OP(VCPU_CTL, CREATE, h, 0))
DENY_DOMAIN(vcpu_start, PV_RIGHT_DOM_VCPU, OP(VCPU_CTL, START, h, 0))
DENY_DOMAIN(vcpu_stop, PV_RIGHT_DOM_VCPU, OP(VCPU_CTL, STOP, h, 0))
DENY_DOMAIN(vcpu_status, PV_RIGHT_DOM_VCPU, OP(VCPU_CTL, STATUS, h, 0))
DENY_DOMAIN(vcpu_kick, PV_RIGHT_DOM_VCPU, OP(VCPU_CTL, KICK, h, 0))
DENY_DOMAIN(regs_get, PV_RIGHT_DOM_VCPU, OP(VCPU_REGS, GET, h, 0))
DENY_DOMAIN(regs_set, PV_RIGHT_DOM_VCPU,
	    (memset(vcs0->batch, 0, sizeof(struct pv_vcpu_gpr)), OP(VCPU_REGS, SET, h, 0)))
DENY_DOMAIN(map, PV_RIGHT_DOM_MEM, OP(AS_MAP, MAP, h, 0x10000, 16, 1, PV_PROT_READ))
DENY_DOMAIN(unmap, PV_RIGHT_DOM_MEM, OP(AS_MAP, UNMAP, h, 0x10000, 0, 1))
DENY_DOMAIN(protect, PV_RIGHT_DOM_MEM, OP(AS_MAP, PROTECT, h, 0x10000, 0, 1, PV_PROT_READ))
DENY_DOMAIN(populate, PV_RIGHT_DOM_MEM, OP(MEM_CTL, POPULATE, h, 16, 1))
DENY_DOMAIN(release, PV_RIGHT_DOM_MEM, OP(MEM_CTL, RELEASE, h, 16, 1))
DENY_DOMAIN(copy, PV_RIGHT_DOM_MEM, OP(MEM_CTL, COPY, h, 16, 1, PV_EXPLICIT_BASE >> 12))
DENY_DOMAIN(grant_create, PV_RIGHT_DOM_MEM,
	    OP(GRANT_CTL, CREATE, h, 16, 1, PV_RIGHT_GRANT_READ))
DENY_DOMAIN(port_alloc, PV_RIGHT_DOM_PORT, OP(PORT_CTL, ALLOC, 0, h))
DENY_DOMAIN(cap_give, PV_RIGHT_DOM_CAPS, OP(CAP_CTL, COPY, PV_SELF, h, PV_RIGHT_DOM_STATUS))
DENY_DOMAIN(weight, PV_RIGHT_DOM_CTL, OP(SCHED_CTL, SET_WEIGHT, h, 100))
DENY_DOMAIN(cap, PV_RIGHT_DOM_CTL, OP(SCHED_CTL, SET_CAP, h, 50))
DENY_DOMAIN(affinity, PV_RIGHT_DOM_CTL, OP(SCHED_CTL, SET_AFFINITY, h, 1))

DENY_HOST(dom_create, PV_RIGHT_HOST_CREATE, (prepare_batch(), HC(DOM_CREATE, h)))
DENY_HOST(counters, PV_RIGHT_HOST_TRACE, OP(INFO, COUNTERS, h))
DENY_HOST(poweroff, PV_RIGHT_HOST_POWER, OP(HOST_CTL, POWEROFF, h, 1))
DENY_HOST(reboot, PV_RIGHT_HOST_POWER, OP(HOST_CTL, REBOOT, h))
DENY_HOST(log_read, PV_RIGHT_HOST_LOG, OP(HOST_CTL, LOG_READ, h, 0, 100))
DENY_HOST(log_write, PV_RIGHT_HOST_LOG, OP(HOST_CTL, LOG_WRITE, h, 5))
DENY_HOST(irq_cap, PV_RIGHT_HOST_DEV, OP(HOST_CTL, IRQ_CAP, h, 11))
DENY_HOST(ioports, PV_RIGHT_HOST_DEV, OP(HOST_CTL, IOPORTS, h, PV_SELF, 0x300, 1))
DENY_HOST(dev_list, PV_RIGHT_HOST_DEV, OP(DEV_CTL, LIST, h, 0))
DENY_HOST(dev_cap, PV_RIGHT_HOST_DEV, OP(DEV_CTL, CAP, h, 0xffff))
DENY_HOST(trace_read, PV_RIGHT_HOST_TRACE, OP(HOST_CTL, TRACE_READ, h, 0))

/* CONNECT wants the right on both sides. */
PV_DRIVER_TEST(deny_connect, "PVABI-CAP-014.1 PVABI-CAP-015.1")
{
	u64 a = empty_domain(4, 64), b = empty_domain(4, 64);
	u64 pa = TRY(OP(PORT_CTL, ALLOC, 0, a)), pb = TRY(OP(PORT_CTL, ALLOC, 0, b));
	u64 weak = TRY(OP(CAP_CTL, COPY, a, PV_SELF, PV_RIGHT_DOM_ALL & ~PV_RIGHT_DOM_PORT));

	CHECK_ERR(OP(PORT_CTL, CONNECT, pa, weak, b, pb), EPERM);
	CHECK_ERR(OP(PORT_CTL, CONNECT, pb, b, weak, pa), EPERM);
	CHECK_OK(OP(CAP_CTL, DROP, weak));
	CHECK_ERR(OP(PORT_CTL, CONNECT, pa, weak, b, pb), ECAP);
	CHECK_ERR(OP(PORT_CTL, CONNECT, pb, b, weak, pa), ECAP);
	CHECK_ERR(OP(PORT_CTL, CONNECT, pb, b, host, pa), ECAP);
	CHECK_OK(OP(PORT_CTL, CONNECT, pa, a, b, pb));
	CHECK_OK(dom_destroy(a));
	CHECK_OK(dom_destroy(b));
}

/* What a domain without capabilities can try on others. */
PV_TEST(deny_unprivileged, "PVABI-CAP-015.1 PVABI-CAP-018.1")
{
	for (u64 h = 0x10001; h < 0x10001 + 40; h++) {
		CHECK_ERR(OP(DOM_CTL, PAUSE, h), ECAP);
		CHECK_ERR(OP(DOM_CTL, DESTROY, h), ECAP);
		CHECK_ERR(OP(MEM_CTL, COPY, h, 0x400, 1, 0x400), ECAP);
		CHECK_ERR(OP(HOST_CTL, POWEROFF, h, 0), ECAP);
		CHECK_ERR(OP(HOST_CTL, LOG_READ, h, 0, 100), ECAP);
		CHECK_ERR(OP(PORT_CTL, ALLOC, 0, h), ECAP);
		CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, h, 1), ECAP);
		prepare_batch();
		CHECK_ERR(HC(DOM_CREATE, h), ECAP);
	}
}
