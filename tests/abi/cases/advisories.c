/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advisories.c - the classes of mistakes that advisories about paravirtualizing hypervisors name, each asked
 * of this ABI. The sentence before a case says what went wrong elsewhere.
 */
#include <string.h>

#include "../lib/abitest.h"

#define VA 0x20000000ull

static u64 one_frame(void)
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn, 1);
	return gfn;
}

/* A number was cut to 32 or 16 bits before it was compared, so that large ones stood for small ones. */
PV_TEST(adv_truncation, "PVABI-ADV-001.1")
{
	u64 port = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF)), gfn = one_frame();
	u64 handle = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL));

	for (u32 bit = 32; bit < 64; bit++) {
		u64 high = 1ull << bit;

		CHECK_ERR(HC_NR(high | PV_HC_INFO, 0), ENOSYS);
		CHECK_ERR(OP(INFO, VERSION + high, 0), ENOSYS);
		CHECK_ERR(OP(PORT_CTL, STATUS, port | high), ERANGE);
		CHECK_ERR(OP(CAP_CTL, INSPECT, handle | high), ECAP);
		CHECK_ERR(OP(VCPU_CTL, KICK, PV_SELF, high), ERANGE);
		CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn | high, 1), ERANGE);
		CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 1 | high), ERANGE);
		CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, gfn | high, 1, RW), ERANGE);
		CHECK_ERR(HC(SEND_IPI, 1, 0x40 | high), ERANGE);
		CHECK_ERR(HC(SEND_IPI, 1 | high, 0x40), ENOENT);
		CHECK_ERR(OP(DEBUG_REG, READ, high), ERANGE);
		CHECK_ERR(HC(CPUID, high, 0), ERANGE);
	}
	CHECK_EQ(vcs0->pend[1], 0);
}

/* The sum of a start and a count wrapped, and the check of its end was passed. */
PV_TEST(adv_wrapping_range, "PVABI-ADV-002.1")
{
	for (u64 n = 1; n < 64; n++) {
		CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, 0 - n, n + 1), ERANGE);
		CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, 0 - n, n + 1), ERANGE);
		CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, 0x400, n + 1, 0 - n), ERANGE);
		CHECK_ERR(OP(GRANT_CTL, UNMAP, 0, 0 - n, n + 1), ERANGE);
		CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, 0 - n, n + 1, GRANT_RO), ERANGE);
		CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, 0 - n * PAGE_BYTES, 0, n + 1), ERANGE);
	}
}

/* A handle of one domain worked in another, because the table was found through the wrong domain. */
static void holds_it(void)
{
	CHECK_EQ(OP(CAP_CTL, INSPECT, share->word[0]), (u64)PV_CAP_DOMAIN << 32 | PV_RIGHT_DOM_ALL);
}

static void does_not_hold_it(void)
{
	CHECK_ERR(OP(CAP_CTL, INSPECT, share->word[0]), ECAP);
	CHECK_ERR(OP(DOM_CTL, DESTROY, share->word[0]), ECAP);
	CHECK_ERR(OP(MEM_CTL, COPY, share->word[0], 0x400, 1, 0x400), ECAP);
	CHECK_ERR(OP(PORT_CTL, ALLOC, 0, share->word[0]), ECAP);
}

PV_DRIVER_TEST(adv_foreign_handle, "PVABI-ADV-003.1", PARTS(holds_it, does_not_hold_it))
{
	struct child *a = child_make(0), *b = child_make(1);
	u64 dom = empty_domain(4, 64);

	a->share->word[0] = b->share->word[0] = child_give(a, dom, PV_RIGHT_DOM_ALL);
	child_start(a);
	child_start(b);
	child_expect_pass(a);
	child_expect_pass(b);
	CHECK_OK(dom_destroy(dom));
}

/* Frames given back stayed reachable through a second mapping of the same frame. */
PV_TEST(adv_alias_after_release, "PVABI-ADV-004.1")
{
	u64 gfn = one_frame();

	events_on(0);
	for (u64 i = 0; i < 8; i++) {
		CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA + (i << 21), gfn, 1, RW), 1);
		CHECK_EQ(try_write(VA + (i << 21), i), NO_TRAP);
	}
	release(PV_SELF, gfn, 1);
	for (u64 i = 0; i < 8; i++) {
		CHECK_EQ(try_read(VA + (i << 21)), 14);
		CHECK_EQ(try_write(VA + (i << 21), 1), 14);
	}
	populate(PV_SELF, gfn, 1);
	for (u64 i = 0; i < 8; i++)
		CHECK_EQ(*(volatile u64 *)(VA + (i << 21)), 0);
}

/* A batch that stopped half-way kept what it had taken for the item it refused. */
PV_TEST(adv_half_copy, "PVABI-ADV-005.1")
{
	u64 gfn = free_gfn(), from = gfn_of(pages_alloc(4));

	populate(PV_SELF, gfn, 2);
	CHECK_EQ(OP(MEM_CTL, COPY, PV_SELF, gfn, 4, from), 2);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, gfn + 2, 2, from + 2), EFAULT);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, from, 1, gfn + 2), EFAULT);
	release(PV_SELF, gfn, 2); /* no reference was left */
	CHECK_EQ(OP(MEM_CTL, RELEASE, PV_SELF, from, 1), 1);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, from + 1, 3, GRANT_RO));

	CHECK_OK(revoke(grant));
}

/* Unmapping a grant twice took two references, so the frame went back while it was still used. */
PV_DRIVER_TEST(adv_double_unmap, "PVABI-ADV-006.1")
{
	u64 owner = empty_domain(4, 64), gfn = DRIVER_WINDOW_GFN + 450;

	populate(owner, 16, 1);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, owner, 16, 1, GRANT_RW));

	CHECK_EQ(OP(GRANT_CTL, MAP, grant, gfn, 1, 1), 1);
	CHECK_EQ(OP(GRANT_CTL, MAP, grant, gfn + 1, 1, 1), 1);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, gfn, 1), 1);
	for (u32 i = 0; i < 3; i++)
		CHECK_ERR(OP(GRANT_CTL, UNMAP, 0, gfn, 1), ENOENT);
	CHECK_ERR(OP(MEM_CTL, RELEASE, owner, 16, 1), EBUSY);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, gfn + 1, 1), 1);
	CHECK_ERR(OP(MEM_CTL, RELEASE, owner, 16, 1), EBUSY); /* the grant itself */
	CHECK_OK(revoke(grant));
	CHECK_EQ(OP(MEM_CTL, RELEASE, owner, 16, 1), 1);
	CHECK_OK(dom_destroy(owner));
}

/* A grant mapped over something hid it and leaked its reference. */
PV_DRIVER_TEST(adv_grant_over_frame, "PVABI-ADV-006.1")
{
	u64 owner = empty_domain(8, 64), gfn = DRIVER_WINDOW_GFN + 450;

	populate(owner, 16, 2);
	u64 a = TRY(OP(GRANT_CTL, CREATE, owner, 16, 1, GRANT_RW));
	u64 b = TRY(OP(GRANT_CTL, CREATE, owner, 17, 1, GRANT_RW));

	CHECK_EQ(OP(GRANT_CTL, MAP, a, gfn, 1, 1), 1);
	CHECK_ERR(OP(GRANT_CTL, MAP, b, gfn, 1, 1), EEXIST);
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, gfn, 1), EEXIST);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, gfn, 1), 1);
	CHECK_OK(revoke(a));
	CHECK_OK(revoke(b));
	release(owner, 16, 2);
	CHECK_OK(dom_destroy(owner));
}

/* A port kept naming the slot of its dead peer, and reached whoever got the slot next. */
PV_DRIVER_TEST(adv_port_of_reused_slot, "PVABI-ADV-007.1")
{
	u64 dom = empty_domain(4, 64), mine = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	u64 its = TRY(OP(PORT_CTL, ALLOC, 0, dom));

	CHECK_OK(OP(PORT_CTL, CONNECT, mine, PV_SELF, dom, its));
	CHECK_OK(dom_destroy(dom));
	for (u32 i = 0; i < 8; i++) {
		u64 next = empty_domain(4, 64);
		u64 peer = TRY(OP(PORT_CTL, ALLOC, 0, next));

		CHECK_EQ(peer, its);
		CHECK_ERR(HC(PORT_SEND, mine), EDEAD);
		CHECK_EQ(OP(PORT_CTL, STATUS, mine), PV_PORT_CLOSED_PEER);
		CHECK_OK(dom_destroy(next));
	}
	CHECK_OK(OP(PORT_CTL, CLOSE, mine));
	__atomic_fetch_and(&port_page->pending[mine / 64], ~(1ull << mine % 64), __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->port_sel, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->pend[0], 0, __ATOMIC_SEQ_CST);
}

/* A grant outlived its owner and named a frame of the owner's slot's next domain. */
PV_DRIVER_TEST(adv_grant_of_reused_slot, "PVABI-ADV-007.1")
{
	u64 dom = empty_domain(4, 64), gfn = DRIVER_WINDOW_GFN + 450;

	populate(dom, 16, 1);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, dom, 16, 1, GRANT_RW));

	CHECK_OK(dom_destroy(dom));
	for (u32 i = 0; i < 8; i++) {
		u64 next = empty_domain(4, 64);

		populate(next, 16, 1);
		u64 other = TRY(OP(GRANT_CTL, CREATE, next, 16, 1, GRANT_RW));

		CHECK_ERR(OP(GRANT_CTL, MAP, grant, gfn, 1, 0), EDEAD);
		CHECK_ERR(OP(GRANT_CTL, REVOKE, grant), EDEAD);
		CHECK_ERR(OP(MEM_CTL, RELEASE, next, 16, 1), EBUSY);
		CHECK_OK(revoke(other));
		CHECK_OK(dom_destroy(next));
	}
	CHECK_OK(OP(CAP_CTL, DROP, grant));
}

/* What an answer did not fill showed what was on the hypervisor's stack, or wrote beyond its end. */
PV_TEST(adv_answers_are_whole, "PVABI-ADV-008.1", .vcpus = 2)
{
	struct {
		u64 nr, a[3], size, zero_from;
	} calls[] = {
		{ PV_HC_INFO, { PV_INFO_SYSTEM }, sizeof(struct pv_info_system),
		  offsetof(struct pv_info_system, version) + 32 },
		{ PV_HC_DOM_CTL, { PV_DOM_CTL_STATUS }, sizeof(struct pv_dom_status), 0 },
		{ PV_HC_VCPU_CTL, { PV_VCPU_CTL_STATUS }, sizeof(struct pv_runstate), 0 },
		{ PV_HC_VCPU_REGS, { PV_VCPU_REGS_GET, 0, 1 }, sizeof(struct pv_vcpu_gpr),
		  offsetof(struct pv_vcpu_gpr, reserved) },
		{ PV_HC_CPUID, { 0 }, sizeof(struct pv_cpuid), 0 },
		{ PV_HC_MSR, { PV_MSR_READ, 0x10 }, 8, 0 },
	};
	static u8 first[256];

	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	for (u32 i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		memset(vcs0->batch, 0xa5, sizeof(vcs0->batch));
		CHECK_OK(HC_NR(calls[i].nr, calls[i].a[0], calls[i].a[1], calls[i].a[2]));
		memcpy(first, vcs0->batch, sizeof(first));
		for (u64 at = calls[i].size; at < sizeof(vcs0->batch); at++)
			CHECK_EQ(vcs0->batch[at], 0xa5);
		for (u64 at = calls[i].zero_from; calls[i].zero_from && at < calls[i].size; at++)
			CHECK_EQ(first[at], 0);
	}
}

/* Bytes behind the end of a name were those of a former owner of the memory. */
PV_DRIVER_TEST(adv_name_padding, "PVABI-ADV-008.1")
{
	struct pv_dom_create args = dom_defaults();
	struct pv_dom_status s;

	memset(args.name, 'n', 31);
	args.name[31] = 0;
	u64 dom = TRY(dom_create(host, &args));

	CHECK_OK(dom_destroy(dom));
	dom = empty_domain(4, 64);
	dom_status(dom, &s);
	for (u32 i = 5; i < 32; i++)
		CHECK_EQ(s.name[i], 0);
	CHECK_OK(dom_destroy(dom));
}

/* Reading or writing some model-specific register crashed the hypervisor. */
PV_TEST(adv_every_msr, "PVABI-ADV-009.1", .budget_ms = 6000)
{
	static const u64 first[] = { 0, 0x800, 0x40000000, 0xc0000000, 0xc0000080, 0xc0010000, 0xc0011000 };

	for (u32 block = 0; block < sizeof(first) / sizeof(u64); block++)
		for (u64 index = first[block]; index < first[block] + 0x100; index++) {
			i64 result = OP(MSR, READ, index);

			CHECK(result == 0 || result == -PV_ENOENT);
			if (index == 0xc0000100 || index == 0xc0000101)
				continue; /* fs and gs, which this program uses */
			result = OP(MSR, WRITE, index, 0x8000000000000001);
			CHECK(result == 0 || result == -PV_ENOENT);
		}
	CHECK_EQ(OP(INFO, VERSION, 0), PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
}

/* Leaves of CPUID that nobody thought of showed the hypervisor's or another guest's state. */
PV_TEST(adv_every_leaf, "PVABI-ADV-009.1")
{
	static const u64 first[] = { 0x17, 0x80000009, 0x40000002, 0x40000080, 0x8fffff00, 0xc0000000, 0xffffff00 };
	struct pv_cpuid leaf;

	for (u32 block = 0; block < sizeof(first) / sizeof(u64); block++)
		for (u64 i = 0; i < 64; i++) {
			CHECK_OK(HC(CPUID, first[block] + i, 0));
			batch_get(&leaf, sizeof(leaf));
			CHECK_EQ(leaf.eax | leaf.ebx | leaf.ecx | leaf.edx, 0);
		}
}

/* A descriptor that was not checked whole became a gate, a system segment or 64-bit code of the guest's. */
PV_TEST(adv_every_descriptor, "PVABI-ADV-010.1")
{
	for (u64 type = 0; type < 32; type++)
		for (u64 dpl = 0; dpl < 4; dpl++)
			for (u64 flags = 0; flags < 4; flags++) {
				u64 present = flags & 1, lng = flags >> 1;
				u64 d = 0xffffull | type << 40 | dpl << 45 | present << 47 | lng << 53;
				bool conforming = (type & 0x1c) == 0x1c;
				bool good = type & 16 && dpl == 3 && present && !lng && !conforming;

				for (u32 at = 0; at < 3; at++)
					CHECK_EQ(OP(SEG_CTL, LOAD_TLS, at == 0 ? d : 0, at == 1 ? d : 0,
						    at == 2 ? d : 0), good || !d ? 0 : -PV_EINVAL);
				CHECK_EQ(OP(SEG_CTL, SET_CPUNODE, d, 0, 0), good || !d ? 0 : -PV_EINVAL);
			}
	CHECK_OK(OP(SEG_CTL, LOAD_TLS, 0, 0, 0));
}

/* Every selector there is, loaded by the hypervisor for the guest: some were the hypervisor's own. */
PV_TEST(adv_every_selector, "PVABI-ADV-010.1")
{
	for (u64 index = 1; index < 64; index++)
		for (u64 low = 0; low < 8; low++) {
			u64 selector = index << 3 | low;
			i64 result = OP(SEG_CTL, LOAD_GS, selector);
			bool users = selector >> 3 == PV_USER_SS >> 3 || selector >> 3 == PV_CPUNODE_SLOT ||
				     selector >> 3 == PV_USER32_CS >> 3 || selector >> 3 == PV_USER_CS >> 3;

			CHECK(result == -PV_EINVAL || (users && !(low & 4) && result == 0));
		}
	CHECK_OK(OP(SEG_CTL, LOAD_GS, 0));
}

/* SYSENTER with NT set, or at all, reached the hypervisor through an entry nobody had set up. */
PV_TEST(adv_other_entries, "PVABI-ADV-011.1")
{
	u64 vector;

	events_on(0);
	for (u32 i = 0; i < 4; i++) {
		vector = i & 1 ? TRAP_OF("pushf; orl $0x4000, (%%rsp); popf; sysenter") : TRAP_OF("sysenter");

		CHECK(vector == 6 || vector == 13);
		CHECK_EQ(TRAP_OF("push $0x202; popf"), NO_TRAP);
	}
	vector = TRAP_OF("sysexit");
	CHECK(vector == 6 || vector == 13);
	CHECK_EQ(TRAP_OF("sysretl"), 13);
}

/* A far return or IRET of the guest reached privileged code segments or call gates. */
PV_TEST(adv_far_returns, "PVABI-ADV-011.1")
{
	events_on(0);
	CHECK_EQ(TRAP_OF("push $0x08; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"), 13);
	CHECK_EQ(TRAP_OF("push $0x10; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"), 13);
	CHECK_EQ(TRAP_OF("push $0x0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"), 13);
	CHECK_EQ(TRAP_OF("push $0x43; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:"), 13);
	CHECK_EQ(TRAP_OF("mov $0x10, %%eax; mov %%eax, %%ss"), 13);
	CHECK_EQ(TRAP_OF("mov $0x40, %%eax; mov %%eax, %%es"), 13);
	CHECK_EQ(TRAP_OF("mov $0xf8, %%eax; mov %%eax, %%fs"), 13);
}

/* A breakpoint on memory the hypervisor itself writes for the guest trapped inside the hypervisor. */
PV_TEST(adv_watched_batch, "PVABI-ADV-012.1")
{
	events_on(0);
	CHECK_OK(OP(DEBUG_REG, WRITE, 0, (u64)vcs0->batch));
	CHECK_OK(OP(DEBUG_REG, WRITE, 7, 1 | 1 << 16 | 3 << 18)); /* writes of four bytes */
	CHECK_OK(OP(INFO, SYSTEM, 0));
	CHECK_OK(OP(DOM_CTL, STATUS, PV_SELF));
	CHECK_EQ(abi_cpus[0].vector, NO_TRAP);
	CHECK_EQ(try_write((u64)vcs0->batch, 1), 1); /* the guest's own store does trap */
	CHECK_OK(OP(DEBUG_REG, WRITE, 7, 0));
	CHECK_EQ(try_write((u64)vcs0->batch, 1), NO_TRAP);
}

/* MOV SS held a breakpoint back until the first instruction of the hypervisor. */
PV_TEST(adv_mov_ss, "PVABI-ADV-012.1")
{
	static u64 selector = PV_USER_SS;

	events_on(0);
	CHECK_OK(OP(DEBUG_REG, WRITE, 0, (u64)&selector));
	CHECK_OK(OP(DEBUG_REG, WRITE, 7, 1 | 3 << 16 | 3 << 18)); /* reads and writes */
	for (u32 i = 0; i < 3; i++) {
		u64 vector = TRAP_OF("xor %%edi, %%edi; xor %%esi, %%esi; xor %%eax, %%eax; mov %[ss], %%ss; syscall",
				     [ss] "m"(selector));

		CHECK(vector == 1 || vector == NO_TRAP);
		vector = TRAP_OF("mov %[ss], %%ss; int3", [ss] "m"(selector));
		CHECK(vector == 1 || vector == 3);
	}
	CHECK_OK(OP(DEBUG_REG, WRITE, 7, 0));
	CHECK_EQ(OP(INFO, VERSION, 0), PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
}

/* The last x87 instruction's addresses were those of another domain. */
static void uses_x87(void)
{
	for (u32 i = 0; i < 50; i++) {
		__asm__ volatile("fninit; fld1; fldpi; fmulp" ::: "st", "st(1)");
		share->word[0] = 1;
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
}

static void looks_at_x87(void)
{
	static u64 area[64] __attribute__((aligned(64)));

	for (u32 i = 0; i < 50; i++) {
		__asm__ volatile("fxsave64 %0" : "=m"(area));
		CHECK_EQ(area[1], 0); /* FIP */
		CHECK_EQ(area[2], 0); /* FDP */
		CHECK_EQ(area[0] & 0xffffull << 16, 0); /* status: nothing on the stack */
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
}

PV_DRIVER_TEST(adv_x87_pointers, "PVABI-ADV-013.1", PARTS(uses_x87, looks_at_x87))
{
	struct child *a = child_make(0), *b = child_make(1);

	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, a->dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, b->dom, 1));
	child_start(a);
	CHECK(wait_for(&a->share->word[0], 1, 500));
	child_start(b);
	child_expect_pass(b);
	child_expect_pass(a);
}
