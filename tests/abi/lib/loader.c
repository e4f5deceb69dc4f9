/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader.c - makes child domains out of this very program.
 *
 * The ELF is found once in the boot image and laid out as it shall lie in memory; each child gets
 * a copy of that by MEM_CTL COPY. Behind it follow, in this order: start_info, VCS, port page,
 * share page, heap. Virtual equals guest-physical, so a walked child runs the same program in
 * linear translation. Everything here uses plain hypercalls: it is itself a test.
 */
#include <string.h>

#include "driver.h"

#define HEAP_PAGES 32
#define WINDOW_STEP 16
#define MAX_SEGMENTS 8

/* The parts of ELF64 this needs. */
#define PT_LOAD 1
#define PF_X 1
#define PF_W 2
struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 e_entry, e_phoff, e_shoff;
	u32 flags;
	u16 ehsize, phentsize, e_phnum, shentsize, shnum, shstrndx;
};
struct elf_segment {
	u32 p_type, p_flags;
	u64 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
};

struct segment {
	u64 gfn, pages;
	u32 prot;
};

static u8 *picture;		  /* the program as it lies in memory, page by page */
static u64 picture_pages;	  /* with zero-initialised data */
static u64 copied_pages;	  /* the part that is not all zero */
static u64 entry;
static struct segment segments[MAX_SEGMENTS];
static u32 segment_count;
static struct child children[MAX_CHILDREN];
static void *staging; /* one page to build things in */
u64 host;
u32 current_index;

void *pages_alloc(u64 pages)
{
	static u64 next;

	if (!next)
		next = (start->heap_end & ~(PAGE_BYTES - 1)) - PAGE_BYTES;
	next -= pages * PAGE_BYTES;
	CHECK(next > start->heap_start);
	memset((void *)next, 0, pages * PAGE_BYTES);
	return (void *)next;
}

static const u8 *find_program(u64 *size)
{
	const struct pv_image_header *header = (const void *)start->initrd_addr;
	const struct pv_image_entry *entries = (const void *)(header + 1);

	CHECK_EQ(header->magic, PV_IMAGE_MAGIC);
	for (u32 i = 0; i < header->count; i++) {
		if (entries[i].type != PV_ENTRY_INIT)
			continue;
		*size = entries[i].size;
		return (const u8 *)header + entries[i].offset;
	}
	abi_fail(__LINE__, "the boot image holds this program", 0, 1);
}

void loader_init(void)
{
	u64 size = 0;
	const u8 *file = find_program(&size);
	const struct elf_header *ehdr = (const void *)file;
	const struct elf_segment *phdr = (const void *)(file + ehdr->e_phoff);
	u64 end = 0;

	for (u32 i = 0; i < ehdr->e_phnum; i++)
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_vaddr + phdr[i].p_memsz > end)
			end = phdr[i].p_vaddr + phdr[i].p_memsz;
	picture_pages = (end - PV_EXPLICIT_BASE + PAGE_BYTES - 1) / PAGE_BYTES;
	picture = pages_alloc(picture_pages);
	staging = pages_alloc(1);
	entry = ehdr->e_entry;
	for (u32 i = 0; i < ehdr->e_phnum; i++) {
		const struct elf_segment *p = &phdr[i];

		if (p->p_type != PT_LOAD || p->p_memsz == 0)
			continue;
		CHECK(segment_count < MAX_SEGMENTS);
		struct segment *s = &segments[segment_count++];
		u64 last = p->p_vaddr + p->p_memsz - 1;

		s->gfn = p->p_vaddr >> PV_PAGE_SHIFT;
		s->pages = (last >> PV_PAGE_SHIFT) - s->gfn + 1;
		s->prot = PV_PROT_READ | (p->p_flags & PF_W ? PV_PROT_WRITE : 0) |
			  (p->p_flags & PF_X ? PV_PROT_EXEC : 0);
		memcpy(picture + (p->p_vaddr - PV_EXPLICIT_BASE), file + p->p_offset, p->p_filesz);
		u64 used = (p->p_vaddr + p->p_filesz - PV_EXPLICIT_BASE + PAGE_BYTES - 1) / PAGE_BYTES;

		if (used > copied_pages)
			copied_pages = used;
	}
}

struct pv_dom_create dom_defaults(void)
{
	struct pv_dom_create args = {
		.name = "child",
		.kind = PV_KIND_EXPLICIT,
		.mem_pages = 64,
		.kmem_pages = 96,
		.max_vcpus = 1,
		.vtlb_tables = PV_VTLB_MAX,
		.weight = 256,
	};
	return args;
}

i64 dom_create(u64 host_handle, const struct pv_dom_create *args)
{
	batch_put(args, sizeof(*args));
	return HC(DOM_CREATE, host_handle);
}

i64 dom_destroy(u64 dom)
{
	i64 result;

	/* PAUSE: where CPUs take turns, the one that is waited for gets its own. */
	while ((result = OP(DOM_CTL, DESTROY, dom)) == -PV_EAGAIN)
		__asm__ volatile("pause" ::: "memory");
	return result;
}

u64 empty_domain(u64 mem, u64 kmem)
{
	struct pv_dom_create args = dom_defaults();

	args.mem_pages = mem;
	args.kmem_pages = kmem;
	return TRY(dom_create(host, &args));
}

static void share_init(struct child *c, u64 gfn, u32 part)
{
	u64 window = DRIVER_WINDOW_GFN + (u64)(c - children) * WINDOW_STEP;
	u64 rights = PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE;

	c->grant = TRY(OP(GRANT_CTL, CREATE, c->dom, gfn, 1, rights));
	CHECK_EQ(OP(GRANT_CTL, MAP, c->grant, window, 1, 1), 1);
	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, window << PV_PAGE_SHIFT, window, 1,
		    PV_PROT_READ | PV_PROT_WRITE), 1);
	c->share = (struct share *)(window << PV_PAGE_SHIFT);
	memset(c->share, 0, sizeof(*c->share));
	c->share->case_index = current_index;
	c->share->part = part;
}

/* A walked child builds page tables in its heap. */
static u64 heap_pages(const struct abi_case *opt)
{
	if (opt->heap)
		return opt->heap;
	return opt->kind == PV_KIND_WALKED ? 2 * HEAP_PAGES : HEAP_PAGES;
}

static void start_info_init(struct child *c, const struct abi_case *opt, u64 gfn)
{
	struct pv_start_info *info = &c->info;
	u64 heap = heap_pages(opt);

	memset(info, 0, sizeof(*info));
	info->magic = PV_START_MAGIC;
	info->version = PV_START_VERSION;
	info->size = sizeof(*info);
	memcpy(info->name, "child", 6);
	info->vcpus = opt->vcpus ? opt->vcpus : 1;
	info->memmap_count = 1;
	info->memmap[0].base = PV_EXPLICIT_BASE;
	info->memmap[0].size = (gfn + 4 + heap) * PAGE_BYTES - PV_EXPLICIT_BASE;
	info->memmap[0].type = PV_MEM_RAM;
	info->vcs_addr = (gfn + 1) << PV_PAGE_SHIFT;
	info->port_page_addr = (gfn + 2) << PV_PAGE_SHIFT;
	info->initrd_addr = (gfn + 3) << PV_PAGE_SHIFT;
	info->initrd_size = PAGE_BYTES;
	info->heap_start = (gfn + 4) << PV_PAGE_SHIFT;
	info->heap_end = info->heap_start + heap * PAGE_BYTES;
	info->tsc_hz = start->tsc_hz;
	memcpy(staging, info, sizeof(*info));
	copy_frames(c->dom, gfn, gfn_of(staging), 1);
}

static struct child *child_slot(void)
{
	for (u32 i = 0; i < MAX_CHILDREN; i++) {
		if (children[i].used)
			continue;
		memset(&children[i], 0, sizeof(children[i]));
		return &children[i];
	}
	abi_fail(__LINE__, "at most MAX_CHILDREN children", MAX_CHILDREN, MAX_CHILDREN);
}

struct child *child_make_opt(u32 part, const struct abi_case *opt)
{
	struct child *c = child_slot();
	struct pv_dom_create args = dom_defaults();
	u64 first = PV_EXPLICIT_BASE >> PV_PAGE_SHIFT;
	u64 gfn = first + picture_pages;
	u64 heap = heap_pages(opt);
	u64 pages = picture_pages + 4 + heap;

	args.kind = opt->kind;
	args.flags = opt->flags;
	args.mem_pages = pages + (opt->extra ? opt->extra : 64);
	args.kmem_pages = opt->kmem ? opt->kmem : 96;
	args.max_vcpus = opt->vcpus ? opt->vcpus : 1;
	args.vtlb_tables = opt->tables ? opt->tables : PV_VTLB_MAX;
	if (opt->tables == NO_TABLES)
		args.vtlb_tables = 0;
	c->dom = TRY(dom_create(host, &args));
	c->used = true;

	populate(c->dom, first, pages);
	copy_frames(c->dom, first, gfn_of(picture), copied_pages);
	start_info_init(c, opt, gfn);
	if (opt->kind == PV_KIND_EXPLICIT) {
		for (u32 i = 0; i < segment_count; i++)
			map(c->dom, segments[i].gfn << PV_PAGE_SHIFT, segments[i].gfn,
			    segments[i].pages, segments[i].prot);
		map(c->dom, gfn << PV_PAGE_SHIFT, gfn, 4 + heap, RW);
	}
	share_init(c, gfn + 3, part);
	c->spare_gfn = gfn + 4 + heap + 512;

	struct pv_vcpu_gpr gpr = {
		.rip = entry,
		.rsi = gfn << PV_PAGE_SHIFT,
		.rsp = c->info.heap_end - 16,
		.rflags = 0x202,
		.root = ~0ull,
	};
	CHECK_OK(OP(VCPU_CTL, CREATE, c->dom, 0));
	batch_put(&gpr, sizeof(gpr));
	CHECK_OK(OP(VCPU_REGS, SET, c->dom, 0));
	return c;
}

struct child *child_make(u32 part)
{
	return child_make_opt(part, this_case);
}

void child_start(struct child *c)
{
	CHECK_OK(OP(DOM_CTL, UNPAUSE, c->dom));
}

void dom_status(u64 dom, struct pv_dom_status *out)
{
	CHECK_OK(OP(DOM_CTL, STATUS, dom));
	batch_get(out, sizeof(*out));
}

void child_status(struct child *c, struct pv_dom_status *out)
{
	dom_status(c->dom, out);
}

bool child_wait(struct child *c, u64 budget_ms, struct pv_dom_status *out)
{
	u64 end = clock_ns() + budget_ms * MS * PATIENCE;

	for (;;) {
		child_status(c, out);
		if (out->state == PV_DOM_SHUTDOWN)
			return true;
		u64 now = clock_ns();

		if (now > end)
			return false;
		HC(WAIT, 0, now + MS / 5);
	}
}

void child_expect_pass(struct child *c)
{
	struct pv_dom_status status;
	u64 budget = this_case->budget_ms ? this_case->budget_ms : 2000;

	if (!child_wait(c, budget, &status))
		abi_fail(__LINE__, "child still runs after its budget, state", status.state, budget);
	if (c->share->verdict == VERDICT_SKIP)
		abi_skip(c->share->text);
	if (c->share->verdict == VERDICT_FAIL)
		abi_verdict(VERDICT_FAIL, (int)c->share->line, c->share->text);
	if (status.reason != PV_REASON_POWEROFF)
		abi_fail(__LINE__, "child stopped by a fault (rip, vector)", status.fault_rip,
			 status.code);
	CHECK_EQ(status.code, 0);
	CHECK_EQ(c->share->verdict, VERDICT_PASS);
}

u64 child_give(struct child *c, u64 handle, u64 rights)
{
	return TRY(OP(CAP_CTL, COPY, handle, c->dom, rights));
}

void child_abandon(struct child *c)
{
	u64 window = gfn_of(c->share);

	c->used = false;
	if (c->share) {
		if (!this_case->noise)
			record_add(abi_record, &c->share->record);
		OP(AS_MAP, UNMAP, PV_SELF, (u64)c->share, 0, 1);
		OP(GRANT_CTL, UNMAP, 0, window, 1);
		OP(CAP_CTL, DROP, c->grant);
	}
}

void child_destroy(struct child *c)
{
	if (!c->used)
		return;
	child_abandon(c);
	CHECK_OK(dom_destroy(c->dom));
}

void children_destroy_all(void)
{
	for (u32 i = 0; i < MAX_CHILDREN; i++)
		child_destroy(&children[i]);
}
