/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stage.c - what the tables of flaws are played on: one of each thing a call can be given.
 *
 * S_DOM: quota 64 frames and 96 pages, at most 2 vCPUs, vCPU 0 created; frames 16..22; gfn 16 is mapped
 * read-only at 0x10000, 0x11000 is mapped to gfn 23, which is a hole by now; gfns 20 and 21 are S_GRANT.
 * Rows about DEV_CTL find two functions: S_DEV, whose BAR 4 page 0 is at gfn 48 of S_DOM and which may use gfn 17
 * for DMA, and S_FREE_DEV.
 * Everything is destroyed after the case, whose levels are compared as ever.
 */
#include <string.h>

#include "devices.h"
#include "flaws.h"
#include "pagetable.h"

#define GRANTED_GFN (DRIVER_WINDOW_GFN + 450)
#define HOLE_GFN (DRIVER_WINDOW_GFN + 460)

static u64 values[S_COUNT];
static u64 second_grant;

u64 stage_value(u64 value)
{
	return value >> 16 == SYM(0) >> 16 && (value & 0xffff) < S_COUNT ? values[value & 0xffff] : value;
}

static u64 copy_of(u64 handle, u64 rights)
{
	return TRY(OP(CAP_CTL, COPY, handle, PV_SELF, rights));
}

static u64 make(u32 kind, u64 mem, u32 vcpus)
{
	struct pv_dom_create args = dom_defaults();

	args.kind = kind;
	args.mem_pages = mem;
	args.max_vcpus = vcpus;
	return TRY(dom_create(host, &args));
}

static void set_domains(u32 right)
{
	u64 dom = values[S_DOM] = make(PV_KIND_EXPLICIT, 64, 2);

	CHECK_OK(OP(VCPU_CTL, CREATE, dom, 0));
	populate(dom, 16, 8);
	map(dom, 0x10000, 16, 1, PV_PROT_READ);
	map(dom, 0x11000, 23, 1, PV_PROT_READ);
	release(dom, 23, 1);
	values[S_WEAK] = copy_of(dom, PV_RIGHT_DOM_ALL & ~right);
	values[S_WALKED] = make(PV_KIND_WALKED, 64, 2);
	CHECK_OK(OP(VCPU_CTL, CREATE, values[S_WALKED], 0));
	populate(values[S_WALKED], 16, 1);
	CHECK_OK(OP(HOST_CTL, IOPORTS, host, values[S_WALKED], 0x1070, 4));
	values[S_FULL] = make(PV_KIND_EXPLICIT, 1, 1);
	populate(values[S_FULL], 16, 1);
	values[S_COPY] = copy_of(dom, PV_RIGHT_DOM_ALL);
	values[S_STALE] = copy_of(dom, PV_RIGHT_DOM_ALL);
	CHECK_OK(OP(CAP_CTL, DROP, values[S_STALE]));
}

/* What dies here leaves a capability, a grant and a port behind. */
static void set_dead(void)
{
	u64 dom = make(PV_KIND_EXPLICIT, 64, 2);

	populate(dom, 16, 2);
	values[S_DEAD] = copy_of(dom, PV_RIGHT_DOM_ALL);
	values[S_DEAD_GRANT] = TRY(OP(GRANT_CTL, CREATE, dom, 16, 2, GRANT_RW));
	values[S_ORPHAN] = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	u64 peer = TRY(OP(PORT_CTL, ALLOC, 0, dom));

	CHECK_OK(OP(PORT_CTL, CONNECT, values[S_ORPHAN], PV_SELF, dom, peer));
	CHECK_OK(dom_destroy(dom));
}

/* Its only vCPU starts where nothing is mapped. */
static u64 make_shut(void)
{
	u64 dom = make(PV_KIND_EXPLICIT, 4, 2);
	struct pv_vcpu_gpr gpr = { .rip = 0x1000, .root = PV_FOREVER };
	struct pv_dom_status s;

	CHECK_OK(OP(VCPU_CTL, CREATE, dom, 0));
	batch_put(&gpr, sizeof(gpr));
	CHECK_OK(OP(VCPU_REGS, SET, dom, 0));
	CHECK_OK(OP(DOM_CTL, UNPAUSE, dom));
	for (u64 end = clock_ns() + 1000 * MS * PATIENCE; clock_ns() < end;) {
		dom_status(dom, &s);
		if (s.state == PV_DOM_SHUTDOWN)
			return dom;
		HC(WAIT, 0, clock_ns() + MS / 5);
	}
	abi_fail(__LINE__, "a domain without memory shuts down", s.state, PV_DOM_SHUTDOWN);
}

static void set_grants(u32 right)
{
	values[S_GRANT] = TRY(OP(GRANT_CTL, CREATE, values[S_DOM], 20, 2, GRANT_RW));
	values[S_WEAK_GRANT] = copy_of(values[S_GRANT], (GRANT_RW | PV_RIGHT_GRANT_REVOKE) & ~right);
	second_grant = TRY(OP(GRANT_CTL, CREATE, values[S_WALKED], 16, 1, GRANT_RW));
	values[S_GRANTED] = GRANTED_GFN;
	CHECK_EQ(OP(GRANT_CTL, MAP, second_grant, GRANTED_GFN, 1, 1), 1);
	values[S_HOLE] = HOLE_GFN;
	values[S_OWN] = gfn_of((void *)start->heap_start) + 16;
	values[S_VCS] = gfn_of(vcs0);
}

static void set_ports(void)
{
	u64 peer = TRY(OP(PORT_CTL, ALLOC, 0, values[S_DOM]));

	values[S_PORT] = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	values[S_BOUND] = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	values[S_DOM_PORT] = TRY(OP(PORT_CTL, ALLOC, 0, values[S_DOM]));
	CHECK_OK(OP(PORT_CTL, CONNECT, values[S_BOUND], PV_SELF, values[S_DOM], peer));
	values[S_IRQ] = TRY(OP(HOST_CTL, IRQ_CAP, host, 11));
}

static void set_devices(u32 right)
{
	u64 dev = values[S_DEV] = device_cap(DEV_RNG), dom = values[S_DOM];

	values[S_DEV_BDF] = device_bdf(DEV_RNG);
	values[S_WEAK_DEV] = copy_of(dev, PV_RIGHT_DEV_ALL & ~right);
	values[S_FREE_DEV] = device_cap(DEV_EDU);
	device_assign(dev, dom, PV_DEV_TRUSTED);
	CHECK_EQ(OP(DEV_CTL, MAP, dev, 4, 0, 48, 1), 1);
	CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, 17, 1), 1);
}

void stage_set(const struct flawed *row)
{
	memset(values, 0, sizeof(values));
	second_grant = 0;
	values[S_HOST] = host;
	values[S_WEAK_HOST] = copy_of(host, PV_RIGHT_HOST_ALL & ~row->right);
	set_domains(row->right);
	set_dead();
	set_grants(row->right & (GRANT_RW | PV_RIGHT_GRANT_REVOKE));
	set_ports();
	if (row->nr == PV_HC_DEV_CTL)
		set_devices(row->right);
	if (row->shut)
		values[S_SHUT] = make_shut();
}

void stage_set_walked(void)
{
	memset(values, 0, sizeof(values));
	values[S_ROOT] = root_gpa(pt_new_root());
	values[S_OWN] = gfn_of(pages_alloc(1));
	values[S_HOLE] = free_gfn();
}

static void forget_pending(u64 port)
{
	__atomic_fetch_and(&port_page->pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
}

/* Whatever is there still: the case may have used things up, or failed half-way. */
void stage_clear(void)
{
	static const u8 domains[] = { S_SHUT, S_FULL, S_WALKED, S_DOM };
	static const u8 handles[] = { S_WEAK, S_COPY, S_DEAD, S_WEAK_HOST, S_WEAK_GRANT, S_DEAD_GRANT,
				      S_IRQ, S_GRANT, S_DEV, S_WEAK_DEV, S_FREE_DEV };
	static const u8 ports[] = { S_PORT, S_BOUND, S_ORPHAN };

	if (!values[S_HOST])
		return;
	OP(GRANT_CTL, UNMAP, 0, HOLE_GFN, 2);
	OP(GRANT_CTL, UNMAP, 0, GRANTED_GFN, 1);
	for (u32 i = 0; i < sizeof(ports); i++)
		OP(PORT_CTL, CLOSE, values[ports[i]]);
	for (u32 i = 0; i < sizeof(domains); i++)
		if (values[domains[i]] && dom_destroy(values[domains[i]]))
			OP(CAP_CTL, DROP, values[domains[i]]);
	OP(CAP_CTL, DROP, second_grant);
	for (u32 i = 0; i < sizeof(handles); i++)
		OP(CAP_CTL, DROP, values[handles[i]]);
	for (u32 i = 0; i < sizeof(ports); i++)
		forget_pending(values[ports[i]]);
	__atomic_store_n(&vcs0->port_sel, 0, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < 4; i++)
		__atomic_store_n(&vcs0->pend[i], 0, __ATOMIC_SEQ_CST);
	memset(values, 0, sizeof(values));
}
