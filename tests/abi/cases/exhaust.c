/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exhaust.c - every quota and table to its end: the right error, nothing changed by it, room again after
 * giving one back, and a sibling that finds all of its own.
 */
#include <string.h>

#include "../lib/devices.h"
#include "../lib/pagetable.h"

#define SPARSE 0x1000000ull /* gfns from here on are holes in every test domain */

/* ---- kernel memory ---- */

/* A frame in a region of its own needs tables of the gfn map; ever smaller regions use the last pages. */
static void eat_kernel_memory(u64 dom)
{
	static const u32 shifts[] = { 18, 9 };
	u64 gfn = SPARSE;

	for (u32 s = 0; s < 2; s++) {
		i64 result;

		do {
			result = OP(MEM_CTL, POPULATE, dom, gfn, 1);
			gfn += 1ull << shifts[s];
		} while (result == 1);
		CHECK_EQ(result, -(i64)PV_ENOMEM);
		gfn -= 1ull << shifts[s];
	}
}

/* vCPU 0, frames 16 and 17, and little kernel memory. */
static u64 domain_with_two_frames(u32 kind, u32 max_vcpus)
{
	struct pv_dom_create args = dom_defaults();

	args.kind = kind;
	args.mem_pages = 256;
	args.kmem_pages = 48;
	args.max_vcpus = max_vcpus;
	u64 dom = TRY(dom_create(host, &args));

	CHECK_OK(OP(VCPU_CTL, CREATE, dom, 0));
	populate(dom, 16, 2);
	return dom;
}

static u64 starved_domain(u32 kind)
{
	u64 dom = domain_with_two_frames(kind, 4);

	eat_kernel_memory(dom);
	return dom;
}

static void put_root(u64 gfn)
{
	struct pv_vcpu_gpr gpr = { .rip = 0x400000, .rflags = 0x202, .root = gfn << PV_PAGE_SHIFT };

	batch_put(&gpr, sizeof(gpr));
}

/* The call fails twice for want of kernel memory and leaves the domain as it was. */
#define STARVED(name, kind, call) \
	PV_DRIVER_TEST(starved_##name, "PVABI-HOS-004.1 PVABI-GEN-010.1 PVABI-GEN-012.1") \
	{ \
		u64 dom = starved_domain(kind); \
		struct pv_dom_status before, after; \
\
		dom_status(dom, &before); \
		for (u32 i = 0; i < 2; i++) \
			CHECK_ERR(call, ENOMEM); \
		dom_status(dom, &after); \
		CHECK(!memcmp(&before, &after, sizeof(before))); \
		CHECK_OK(dom_destroy(dom)); \
	}

STARVED(cap_copy, PV_KIND_EXPLICIT, OP(CAP_CTL, COPY, dom, dom, PV_RIGHT_DOM_STATUS))
STARVED(vcpu_create, PV_KIND_EXPLICIT, OP(VCPU_CTL, CREATE, dom, 1))
STARVED(port_alloc, PV_KIND_EXPLICIT, OP(PORT_CTL, ALLOC, 0, dom))
STARVED(grant_create, PV_KIND_EXPLICIT, OP(GRANT_CTL, CREATE, dom, 16, 1, GRANT_RO))
STARVED(map, PV_KIND_EXPLICIT, OP(AS_MAP, MAP, dom, 0x20000000, 16, 1, RW))
STARVED(populate, PV_KIND_EXPLICIT, OP(MEM_CTL, POPULATE, dom, 0x4000000, 1))
STARVED(vcpu_create_walked, PV_KIND_WALKED, OP(VCPU_CTL, CREATE, dom, 1))
STARVED(port_alloc_walked, PV_KIND_WALKED, OP(PORT_CTL, ALLOC, 0, dom))

/*
 * Each vCPU of a walked domain has tables in reserve, so that it always finds a space to be in; one that was
 * created with too little kernel memory for that may not. `make` is called twice: the first domain only tells
 * how many frames go in before kernel memory is gone.
 */
static struct child *starving; /* if the domain is that of a child */
#define LEFT 3 /* pages: two for the vCPU itself, one for the two tables of its reserve */
static u64 nearly_starved(u64 (*make)(void))
{
	u64 n = 0, probe = make();

	while (OP(MEM_CTL, POPULATE, probe, SPARSE + (n << 9), 1) == 1)
		n++;
	if (starving)
		child_abandon(starving);
	CHECK_OK(dom_destroy(probe));
	u64 dom = make();

	for (u64 i = 0; i + LEFT < n; i++)
		populate(dom, SPARSE + (i << 9), 1);
	CHECK_OK(OP(VCPU_CTL, CREATE, dom, 1));
	return dom;
}

static u64 walked_with_two_frames(void)
{
	return domain_with_two_frames(PV_KIND_WALKED, 2);
}

PV_DRIVER_TEST(starved_regs_root, "PVABI-HOS-004.1 PVABI-GEN-010.1 PVABI-GEN-012.1")
{
	starving = NULL;
	u64 dom = nearly_starved(walked_with_two_frames);
	struct pv_vcpu_gpr gpr;

	put_root(16);
	CHECK_OK(OP(VCPU_REGS, SET, dom, 0));
	for (u32 i = 0; i < 2; i++) {
		put_root(17);
		CHECK_ERR(OP(VCPU_REGS, SET, dom, 1), ENOMEM);
	}
	CHECK_OK(OP(VCPU_REGS, GET, dom, 1));
	batch_get(&gpr, sizeof(gpr));
	CHECK_EQ(gpr.root, PV_FOREVER); /* where it was */
	CHECK_EQ(gpr.rip, 0);
	put_root(16);
	CHECK_OK(OP(VCPU_REGS, SET, dom, 1)); /* the one that is there has room for both */
	CHECK_OK(dom_destroy(dom));
}

static volatile u64 second_root, second_done;

static void load_second_root(void)
{
	CHECK_ERR(HC(AS_LOAD_ROOT, second_root, 0), ENOMEM);
	CHECK_ERR(HC(AS_LOAD_ROOT, second_root, PV_ROOT_KEEP), ENOMEM);
	second_done = 1;
}

static void load_first_root(void)
{
	second_root = root_gpa(pt_new_root());
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(pt_new_root()), 0));
	CHECK_OK(OP(VCPU_CTL, START, PV_SELF, 1));
	CHECK(wait_for(&second_done, 1, 500));
}

static u64 walked_child(void)
{
	starving = child_make(0);
	return starving->dom;
}

PV_DRIVER_TEST(starved_load_root, "PVABI-HOS-004.1 PVABI-GEN-012.1", PARTS(load_first_root), .kind = PV_KIND_WALKED,
	       .vcpus = 2, .extra = 400, .kmem = 64)
{
	starving = NULL;
	u64 dom = nearly_starved(walked_child);
	struct pv_vcpu_gpr gpr = vcpu_gpr_for(1, load_second_root);

	batch_put(&gpr, sizeof(gpr)); /* this program is the child's, too */
	CHECK_OK(OP(VCPU_REGS, SET, dom, 1));
	child_start(starving);
	child_expect_pass(starving);
}

/* word[0]: a grant, word[1]: a host capability, word[2]: where a PCI function is, 0 = nowhere */
static void starve_myself(void)
{
	i64 h;

	eat_kernel_memory(PV_SELF);
	CHECK_ERR(OP(GRANT_CTL, MAP, share->word[0], 0x4000000, 1, 0), ENOMEM);
	do
		h = OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS);
	while (h > 0);
	CHECK_EQ(h, -(i64)PV_ENOMEM);
	CHECK_ERR(OP(HOST_CTL, IRQ_CAP, share->word[1], 12), ENOMEM);
	CHECK_ERR(OP(HOST_CTL, IRQ_CAP, share->word[1], 12), ENOMEM); /* the line is still free */
	for (u32 i = 0; i < 2 && share->word[2]; i++)
		CHECK_ERR(OP(DEV_CTL, CAP, share->word[1], share->word[2]), ENOMEM);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, gfn_of(pages_alloc(1)), 1, GRANT_RO), ENOMEM);
}

static void fill_my_table(void)
{
	u64 frame = gfn_of(pages_alloc(1)), last = 0;
	i64 h;

	while ((h = OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS)) > 0)
		last = (u64)h;
	CHECK_EQ(h, -(i64)PV_ENOSPC);
	CHECK_ERR(OP(HOST_CTL, IRQ_CAP, share->word[1], 12), ENOSPC);
	for (u32 i = 0; i < 2 && share->word[2]; i++)
		CHECK_ERR(OP(DEV_CTL, CAP, share->word[1], share->word[2]), ENOSPC);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, frame, 1, GRANT_RO), ENOSPC);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, free_gfn(), 1, GRANT_RO), EFAULT);
	CHECK_EQ(OP(MEM_CTL, RELEASE, PV_SELF, frame, 1), 1); /* no reference was left */
	CHECK_OK(OP(CAP_CTL, DROP, last));
	u64 irq = TRY(OP(HOST_CTL, IRQ_CAP, share->word[1], 12));

	CHECK_OK(OP(CAP_CTL, DROP, irq));
}

/* The same grant at one place after the other, until it takes no more. */
static void map_too_often(void)
{
	u64 gfn = free_gfn();
	i64 result;

	do {
		result = OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 0);
		gfn += 2;
	} while (result == 1 && gfn < free_gfn() + 0x10000);
	CHECK_EQ(result, -(i64)PV_ENOSPC);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, free_gfn(), 1), 1);
	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 0), 1);
}

static void with_grant_and_host(void)
{
	struct child *c = child_make(0);
	u64 owner = empty_domain(4, 64);
	struct pv_dev_info info;

	populate(owner, 16, 1);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, owner, 16, 1, GRANT_RO));

	c->share->word[0] = child_give(c, grant, GRANT_RO);
	c->share->word[1] = child_give(c, host, PV_RIGHT_HOST_DEV);
	c->share->word[2] = device_is_there(DEV_EDU, &info) ? info.bdf : 0;
	child_start(c);
	child_expect_pass(c);
	child_destroy(c);
	CHECK_OK(revoke(grant));
	CHECK_OK(dom_destroy(owner));
}

PV_ROW(starved_child, "PVABI-HOS-004.1 PVABI-GEN-012.1 PVABI-GEN-010.1", with_grant_and_host, PARTS(starve_myself),
       .extra = 300);
PV_ROW(full_cap_table, "PVABI-CAP-009.1 PVABI-GEN-012.1 PVABI-GEN-010.1", with_grant_and_host, PARTS(fill_my_table));
PV_ROW(grant_mapped_often, "PVABI-GRT-017.1 PVABI-GEN-012.1", with_grant_and_host, PARTS(map_too_often));

/* ---- every quota beside a sibling ---- */

struct quota {
	i64 (*take)(u64 dom, u64 n); /* one more; what is to be given back, or an error */
	void (*give)(u64 dom, u64 taken, u64 n);
	u8 error;
};

static i64 take_frame(u64 dom, u64 n) { return OP(MEM_CTL, POPULATE, dom, 0x1000 + n, 1); }
static void give_frame(u64 dom, u64 taken, u64 n) { (void)taken; release(dom, 0x1000 + n, 1); }
static i64 take_vcpu(u64 dom, u64 n) { return OP(VCPU_CTL, CREATE, dom, n); }
static i64 take_table(u64 dom, u64 n) { return OP(AS_MAP, MAP, dom, 0x1000 + (n << 30), 16, 1, PV_PROT_READ); }
static void give_table(u64 dom, u64 taken, u64 n) { (void)taken; unmap(dom, 0x1000 + (n << 30), 1); }
static i64 take_grant(u64 dom, u64 n) { (void)n; return OP(GRANT_CTL, CREATE, dom, 16, 1, GRANT_RO); }
static void give_grant(u64 dom, u64 taken, u64 n) { (void)dom; (void)n; CHECK_OK(revoke(taken)); }
static i64 take_ioports(u64 dom, u64 n)
{
	static u64 next = 0x2000;

	(void)n;
	return OP(HOST_CTL, IOPORTS, host, dom, next++, 1);
}

#define QUOTA_MAX 400
static u64 quota_domain(void)
{
	struct pv_dom_create args = dom_defaults();

	args.mem_pages = 64;
	args.kmem_pages = 96;
	args.max_vcpus = PV_MAX_VCPUS;
	u64 dom = TRY(dom_create(host, &args));

	populate(dom, 16, 1);
	return dom;
}

static u64 take_all(const struct quota *q, u64 dom, u64 *taken)
{
	i64 result = 0;
	u64 n = 0;

	for (; n < QUOTA_MAX; n++) {
		result = q->take(dom, n);
		if (result < 0)
			break;
		taken[n] = (u64)result;
	}
	CHECK_EQ(result, -(i64)q->error);
	CHECK_EQ(q->take(dom, n), -(i64)q->error);
	return n;
}

static void exhaust_beside_sibling(void)
{
	static u64 taken[QUOTA_MAX], others[QUOTA_MAX];
	const struct quota *q = this_case->row;
	u64 a = quota_domain(), b = quota_domain();
	u64 n = take_all(q, a, taken);

	CHECK(n >= 4);
	CHECK_EQ(take_all(q, b, others), n);
	if (q->give) {
		q->give(a, taken[n - 1], n - 1);
		taken[n - 1] = TRY(q->take(a, n - 1));
		CHECK_EQ(q->take(a, n), -(i64)q->error);
	}
	for (u64 i = 0; q->give == give_grant && i < n; i++) {
		q->give(a, taken[i], i);
		q->give(b, others[i], i);
	}
	CHECK_OK(dom_destroy(a));
	CHECK_OK(dom_destroy(b));
}

#define QUOTA(name, id, error, take, give) \
	static const struct quota name##_quota = { take, give, error }; \
	PV_ROW(quota_##name, id, exhaust_beside_sibling, .row = &name##_quota, .edge = true)

QUOTA(frames, "PVABI-HOS-003.1 PVABI-MEM-003.1", PV_ENOMEM, take_frame, give_frame);
QUOTA(vcpus, "PVABI-VCP-001.1", PV_ERANGE, take_vcpu, NULL);
QUOTA(tables, "PVABI-MAP-018.1 PVABI-HOS-004.1", PV_ENOMEM, take_table, give_table);
QUOTA(grants, "PVABI-GRT-017.1", PV_ENOSPC, take_grant, give_grant);
QUOTA(ioports, "PVABI-HST-005.1", PV_ENOSPC, take_ioports, NULL);

/* ---- what is done in steps says so ---- */

PV_DRIVER_TEST(destroy_in_steps, "PVABI-DOM-012.1 PVABI-GEN-012.1")
{
	u64 dom = quota_domain();

	for (u32 i = 0; i < 10; i++)
		TRY(OP(PORT_CTL, ALLOC, 0, dom));
	CHECK_ERR(OP(DOM_CTL, DESTROY, dom), EAGAIN);
	CHECK_ERR(OP(MEM_CTL, POPULATE, dom, 100, 1), EDEAD); /* it is dying from the first on */
	CHECK_ERR(OP(VCPU_CTL, CREATE, dom, 0), EDEAD);
	CHECK_ERR(OP(PORT_CTL, ALLOC, 0, dom), EDEAD);
	struct pv_dom_status s;

	dom_status(dom, &s);
	CHECK_EQ(s.state, PV_DOM_DYING);
	CHECK_OK(dom_destroy(dom));
	CHECK_ERR(OP(DOM_CTL, STATUS, dom), ECAP);
}

PV_DRIVER_TEST(revoke_in_steps, "PVABI-GRT-011.2 PVABI-GEN-012.1")
{
	u64 dom = quota_domain(), gfn = DRIVER_WINDOW_GFN + 450;
	u64 grant = TRY(OP(GRANT_CTL, CREATE, dom, 16, 1, GRANT_RW));

	CHECK_EQ(OP(GRANT_CTL, MAP, grant, gfn, 1, 1), 1);
	CHECK_EQ(OP(GRANT_CTL, MAP, grant, gfn + 1, 1, 0), 1);
	CHECK_ERR(OP(GRANT_CTL, REVOKE, grant), EAGAIN);
	CHECK_ERR(OP(GRANT_CTL, MAP, grant, gfn + 2, 1, 0), EDEAD);
	CHECK_OK(revoke(grant));
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, gfn, 2), 2);
	CHECK_EQ(OP(MEM_CTL, RELEASE, dom, 16, 1), 1);
	CHECK_OK(dom_destroy(dom));
}

/* ---- a host capability on a vCPU without VCS ---- */

static volatile u64 bare_done;

static void bare_host_calls(void)
{
	u64 h = share->word[0];

	CHECK_ERR(OP(INFO, COUNTERS, h), ESTATE);
	CHECK_ERR(HC(DOM_CREATE, h), ESTATE);
	CHECK_ERR(OP(HOST_CTL, LOG_READ, h, 0, 16), ESTATE);
	CHECK_ERR(OP(HOST_CTL, TRACE_READ, h, 0), ESTATE);
	CHECK_ERR(OP(HOST_CTL, LOG_WRITE, h, 1), ESTATE);
	CHECK_ERR(OP(DEV_CTL, LIST, h, 0), ESTATE);
	if (share->word[1])
		CHECK_ERR(OP(DEV_CTL, INFO, share->word[1]), ESTATE);
	CHECK_ERR(OP(VCPU_REGS, GET, PV_SELF, 0), ESTATE);
	CHECK_ERR(OP(VCPU_REGS, SET, PV_SELF, 0), ESTATE);
	bare_done = 1;
}

static void launch_bare(void)
{
	vcpu_launch_bare(1, bare_host_calls);
	CHECK(wait_for(&bare_done, 1, 500));
}

PV_DRIVER_TEST(host_calls_without_vcs, "PVABI-GEN-006.1 PVABI-GEN-012.1", PARTS(launch_bare), .vcpus = 2)
{
	struct child *c = child_make(0);

	struct pv_dev_info info;

	c->share->word[0] = child_give(c, host, PV_RIGHT_HOST_ALL);
	u64 dev = device_is_there(DEV_EDU, &info) ? device_cap(DEV_EDU) : 0;

	c->share->word[1] = dev ? child_give(c, dev, PV_RIGHT_DEV_USE) : 0;
	child_start(c);
	child_expect_pass(c);
	child_destroy(c);
	if (dev)
		CHECK_OK(OP(CAP_CTL, DROP, dev));
}

/* ---- a domain before its start code has run: no VCS, no port page ---- */

/* gs names the share page, whose word[0] is its address; word[1] a frame, word[2] a hole. */
static void first_port_page(void)
{
	__asm__ volatile("mov %%gs:%c1, %0" : "=r"(share) : "i"(offsetof(struct share, word)));
	abi_record = &share->record;
	u64 a = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF)), b = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	u64 gfn = share->word[1];
	struct pv_port_page *page = (struct pv_port_page *)(gfn << PV_PAGE_SHIFT);

	CHECK_OK(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, b));
	CHECK_EQ(HC(PORT_SEND, a), 0); /* nowhere to tell it */
	CHECK_ERR(OP(VCPU_SETUP, SET_PORT_PAGE, share->word[2]), EFAULT);
	CHECK_OK(OP(VCPU_SETUP, SET_PORT_PAGE, gfn));
	CHECK_ERR(OP(VCPU_SETUP, SET_PORT_PAGE, gfn), EBUSY);
	CHECK_EQ(page->pending[b / 64], 0);
	CHECK_EQ(HC(PORT_SEND, a), 0);
	CHECK(page->pending[b / 64] & 1ull << b % 64);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 1), EBUSY);
	abi_pass();
}

PV_DRIVER_TEST(port_page_registers, "PVABI-SET-006.1 PVABI-SET-002.1 PVABI-EVT-008.1")
{
	struct child *c = child_make(0);
	struct pv_vcpu_gpr gpr = vcpu_gpr_for(0, first_port_page);

	c->share->word[0] = c->info.initrd_addr;
	c->share->word[1] = gfn_of((void *)c->info.heap_start);
	c->share->word[2] = c->spare_gfn;
	gpr.kernel_gs_base = c->info.initrd_addr;
	batch_put(&gpr, sizeof(gpr));
	CHECK_OK(OP(VCPU_REGS, SET, c->dom, 0));
	child_start(c);
	child_expect_pass(c);
}
