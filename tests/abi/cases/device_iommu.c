/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device_iommu.c - what a hostile device behind an IOMMU tries, with edu at an attacker's command.
 */
#include "../lib/devices.h"

#define NO_IOMMU "the machine has no IOMMU (pvrun.py --iommu)"
#define KERNEL_IMAGE 0x100000ull /* machine address */
#define MSI_PLAIN 0xfee00000ull
#define MSI_REMAPPED 0xfee00010ull
#define UNBOUND_ENTRY 100ull /* of a line nobody has */
#define CUT_OFF 64
#define CANARY 0x6361666562616265ull

/* word[2]: gfn of the one frame it may reach; word[3]: of one next to it, which holds a canary */
static volatile u64 *allowed(void)
{
	return (volatile u64 *)(share->word[2] << PV_PAGE_SHIFT);
}

static volatile u64 *canary(void)
{
	return (volatile u64 *)(share->word[3] << PV_PAGE_SHIFT);
}

static u64 faults(void)
{
	struct pv_dev_info info;

	TRY(OP(DEV_CTL, INFO, share->word[0]));
	batch_get(&info, sizeof(info));
	return info.faults;
}

/* The one attempt since has been counted: on another CPU it takes a moment. */
static u64 one_more_than(u64 before)
{
	u64 end = clock_ns() + 100 * PATIENCE * MS, now;

	while ((now = faults()) == before && clock_ns() < end)
		OP(VCPU_CTL, YIELD, PV_SELF);
	CHECK_EQ(now, before + 1);
	return now;
}

static void fill(volatile u64 *page, u64 value)
{
	for (u32 i = 0; i < PAGE_BYTES / 8; i++)
		page[i] = value;
}

/* What is in edu's buffer, by way of the frame it may write. */
static void edu_holds(u64 value)
{
	fill(allowed(), ~value);
	edu_copy(EDU_BUFFER, (u64)allowed(), COPIED, EDU_TO_MEMORY);
	for (u32 i = 0; i < COPIED / 8; i++)
		CHECK_EQ(allowed()[i], value);
}

static void reach_out(u64 address)
{
	u64 count = faults();

	fill(allowed(), 0);
	edu_copy((u64)allowed(), EDU_BUFFER, COPIED, 0);
	edu_copy(EDU_BUFFER, address, COPIED, EDU_TO_MEMORY); /* zeros over it */
	count = one_more_than(count);
	edu_copy(address, EDU_BUFFER, COPIED, 0);
	(void)one_more_than(count);
	edu_holds(0); /* nothing came: QEMU answers zeros */
}

static void attack_by_dma(void)
{
	u64 top = 0;

	map_edu();
	for (u32 i = 0; i < start->memmap_count; i++)
		top = start->memmap[i].base + start->memmap[i].size;
	CHECK_EQ(OP(DEV_CTL, DMA_ADDR, share->word[0], share->word[2]), (u64)allowed());
	fill(canary(), CANARY);
	fill(allowed(), CANARY);
	edu_copy((u64)allowed(), EDU_BUFFER, COPIED, 0);
	edu_holds(CANARY); /* what is allowed works */
	reach_out((u64)canary());
	reach_out((u64)canary() + PAGE_BYTES / 2);
	reach_out(gfn_of(vcs0) << PV_PAGE_SHIFT);
	reach_out(KERNEL_IMAGE);
	reach_out(0);
	reach_out(top);
	reach_out((u64)PV_MAX_GFN << PV_PAGE_SHIFT);
	reach_out(1ull << 40);
	for (u32 i = 0; i < PAGE_BYTES / 8; i++)
		CHECK_EQ(canary()[i], CANARY);
}

static void attack_until_cut_off(void)
{
	map_edu();
	fill(canary(), CANARY);
	for (u64 n = 0, count = faults(); n < CUT_OFF; n++) {
		CHECK(cfg(share->word[0], CFG_COMMAND, 2) & COMMAND_MASTER);
		edu_copy(EDU_BUFFER, (u64)canary(), COPIED, EDU_TO_MEMORY);
		count = one_more_than(count);
	}
	CHECK_EQ(cfg(share->word[0], CFG_COMMAND, 2) & COMMAND_MASTER, 0);
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, share->word[0], CFG_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER), ESTATE);
	CHECK_ERR(OP(DEV_CTL, DMA_ADDR, share->word[0], share->word[2]), ESTATE);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, share->word[0], 0, port_new()), ESTATE);
	CHECK_EQ(canary()[0], CANARY);
}

static void run_attacker(void)
{
	if (!has_iommu(DEV_EDU))
		abi_skip(NO_IOMMU);
	u64 dev = device_cap(DEV_EDU);

	for (u32 life = 0; life < 2; life++) {
		struct child *c = child_make(0);
		u64 gfn = c->info.heap_end / PAGE_BYTES - 3;

		device_assign(dev, c->dom, 0); /* trusted or not makes no difference */
		CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, gfn, 1), 1);
		c->share->word[0] = child_give(c, dev, PV_RIGHT_DEV_USE);
		c->share->word[2] = gfn;
		c->share->word[3] = gfn + 1;
		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
	}
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}
PV_ROW(dev_hostile_dma, "PVABI-DEV-015.1", run_attacker, PARTS(attack_by_dma), .budget_ms = 60000);
PV_ROW(dev_cut_off, "PVABI-DEV-016.1", run_attacker, PARTS(attack_until_cut_off), .budget_ms = 60000);

/* word[4]: the address whose message would go to CPU 0 if nothing stood in between; all vectors devices have */
static void forge_messages(void)
{
	map_edu();
	for (u64 vector = 0x30; vector < 0x38; vector++) {
		allowed()[0] = vector;
		edu_copy(TRY(OP(DEV_CTL, DMA_ADDR, share->word[0], share->word[2])), EDU_BUFFER, 8, 0);
		edu_copy(EDU_BUFFER, share->word[4], 4, EDU_TO_MEMORY);
	}
}

/* word[2]: how many of its ports are told */
static void listen(void)
{
	u64 ports[4], told = 0;

	for (u64 i = 0; i < 4; i++) {
		ports[i] = port_new();
		CHECK_OK(OP(DEV_CTL, BIND_MSI, share->word[0], i, ports[i]));
	}
	CHECK(wait_for(&share->word[1], 1, 30000));
	for (u64 i = 0; i < 4; i++)
		told += port_pending(ports[i]);
	share->word[2] = told;
}

/* The next owner of the function, who was given nothing yet; word[2] is what the last one was given. */
static void attack_as_heir(void)
{
	map_edu();
	u64 count = faults();

	edu_copy(EDU_BUFFER, (u64)allowed(), COPIED, EDU_TO_MEMORY);
	count = one_more_than(count);
	edu_copy((u64)allowed(), EDU_BUFFER, COPIED, 0);
	(void)one_more_than(count);
	CHECK_ERR(OP(DEV_CTL, DMA_ADDR, share->word[0], share->word[2]), EFAULT);
}

static void use_what_is_given(void)
{
	map_edu();
	fill(allowed(), CANARY);
	edu_copy((u64)allowed(), EDU_BUFFER, COPIED, 0);
	edu_holds(CANARY);
}

PV_DRIVER_TEST(dev_nothing_inherited, "PVABI-DEV-012.1 PVABI-DEV-015.1", PARTS(use_what_is_given, attack_as_heir),
	       .budget_ms = 60000)
{
	if (!has_iommu(DEV_EDU))
		abi_skip(NO_IOMMU);
	u64 dev = device_cap(DEV_EDU);

	for (u32 part = 0; part < 2; part++) {
		struct child *c = child_make(part);
		u64 gfn = c->info.heap_end / PAGE_BYTES - 3;

		device_assign(dev, c->dom, 0);
		if (!part)
			CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, gfn, 1), 1);
		c->share->word[0] = child_give(c, dev, PV_RIGHT_DEV_USE);
		c->share->word[2] = gfn;
		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
	}
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

/* Trusted without an IOMMU it can, which shows that the attack is one. */
PV_DRIVER_TEST(dev_forged_message, "PVABI-DEV-017.1", PARTS(forge_messages, listen), .budget_ms = 60000)
{
	bool safe = has_iommu(DEV_EDU);
	u64 edu_cap = device_cap(DEV_EDU), rng = device_cap(DEV_RNG);
	struct child *attacker = child_make(0), *victim = child_make(1);
	u64 gfn = attacker->info.heap_end / PAGE_BYTES - 3;

	device_assign(edu_cap, attacker->dom, PV_DEV_TRUSTED);
	device_assign(rng, victim->dom, PV_DEV_TRUSTED);
	CHECK_EQ(OP(DEV_CTL, DMA_MAP, edu_cap, gfn, 1), 1);
	attacker->share->word[0] = child_give(attacker, edu_cap, PV_RIGHT_DEV_USE);
	attacker->share->word[2] = gfn;
	attacker->share->word[4] = safe ? MSI_REMAPPED | UNBOUND_ENTRY << 5 : MSI_PLAIN;
	victim->share->word[0] = child_give(victim, rng, PV_RIGHT_DEV_USE);
	child_start(victim);
	sleep_ms(5);
	child_start(attacker);
	child_expect_pass(attacker);
	__atomic_store_n(&victim->share->word[1], 1, __ATOMIC_RELEASE);
	child_expect_pass(victim);
	CHECK_EQ(victim->share->word[2], safe ? 0 : 4);
	child_destroy(attacker);
	child_destroy(victim);
	CHECK_OK(OP(CAP_CTL, DROP, edu_cap));
	CHECK_OK(OP(CAP_CTL, DROP, rng));
}

/* Frames far apart, then no kernel memory for more tables. */
PV_DRIVER_TEST(dev_dma_starved, "PVABI-DEV-015.1 PVABI-GEN-012.1")
{
	if (!has_iommu(DEV_EDU))
		abi_skip(NO_IOMMU);
	u64 dev = device_cap(DEV_EDU), dom = empty_domain(256, 64), gfn = 0;
	i64 result;

	device_assign(dev, dom, 0);
	populate(dom, 16, 2);
	CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, 16, 1), 1);
	do {
		gfn += 1ull << 18;
		result = OP(MEM_CTL, POPULATE, dom, gfn, 1);
	} while (result == 1);
	CHECK_EQ(result, -(i64)PV_ENOMEM);
	for (u32 i = 0; i < 2; i++)
		CHECK_ERR(OP(DEV_CTL, DMA_MAP, dev, 1ull << 18, 1), ENOMEM);
	CHECK_EQ(OP(MEM_CTL, RELEASE, dom, 1ull << 18, 1), 1); /* it is not pinned */
	CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, 17, 1), 1); /* where there is a table */
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}
