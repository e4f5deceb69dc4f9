// SPDX-License-Identifier: BSD-2-Clause
/*
 * rootdom.c - the first domain. It is an explicit one like any other; only its quota (all that is
 * free), its host capability and the sight of the boot image are special.
 *
 *   EXPLICIT_BASE   the ELF's segments, each with its own rights
 *   + guard page    start_info, command line, VCS, port page
 *   + guard page    stack
 *   + guard page    heap
 *   ROOT_MODULE_BASE  the boot image, read-only
 *
 * Virtual address == guest-physical address throughout.
 */
#include "rootdom.h"

#include "arch.h"
#include "bits.h"
#include "boot_image.h"
#include "boot_info.h"
#include "cap.h"
#include "elf.h"
#include "init.h"
#include "log.h"
#include "mm.h"
#include "panic.h"
#include "sched.h"
#include "string.h"
#include "trace.h"
#include "vcpu.h"

#define ROOT_NAME "init"
#define ROOT_WEIGHT 1024
#define ROOT_MEMORY_LIMIT GIB(1) /* of the ELF's addresses */
#define STACK_PAGES 16
#define SPECIAL_PAGES 4
#define HEAP_DEFAULT MIB(16)
#define HEAP_MIN MIB(1)
#define KMEM_MIN_PAGES (MIB(4) >> PAGE_SHIFT)

struct layout {
	vaddr_t start_info, cmdline, vcs, port_page;
	vaddr_t stack, stack_top;
	vaddr_t heap, heap_end;
};

struct build {
	const struct boot_module *module;
	struct elf_image elf;
	const char *elf_bytes;
	struct layout at;
	struct domain *dom;
};

static u64 pages_of(u64 bytes)
{
	return ALIGN_UP(bytes, PAGE_SIZE) >> PAGE_SHIFT;
}

static void find_init(struct build *b, const struct boot_info *boot)
{
	struct pv_image_entry entry = { .size = 0 };
	const char *image, *wrong;

	if (!boot->nr_modules)
		panic("no boot image: the boot loader passed no module (QEMU: -initrd FILE)");
	b->module = &boot->modules[0];
	image = paddr_to_ptr(b->module->start);
	if (!IS_ALIGNED(b->module->start, PAGE_SIZE))
		panic("boot image: the boot loader put it at %lx, which is not page-aligned",
		      b->module->start);
	wrong = boot_image_find_init(image, b->module->size, &entry);
	if (wrong)
		panic("boot image: %s", wrong);
	b->elf_bytes = image + entry.offset;
	wrong = elf_parse(b->elf_bytes, entry.size, PV_EXPLICIT_BASE,
			  PV_EXPLICIT_BASE + ROOT_MEMORY_LIMIT, &b->elf);
	if (wrong)
		panic("boot image: entry '%s': %s", (const char *)entry.name, wrong);
}

/* Digits, then K, M or G; 0 if it is something else. */
static u64 parse_size(const char *s)
{
	u64 n = 0;

	for (; *s >= '0' && *s <= '9' && n < GIB(64); s++)
		n = n * 10 + (u64)(*s - '0');
	if (*s == 'K')
		return KIB(n);
	if (*s == 'M')
		return MIB(n);
	return *s == 'G' ? GIB(n) : 0;
}

static u64 heap_wanted(void)
{
	char text[16];
	u64 size = 0;

	if (!cmdline_get("rootmem", text, sizeof(text)))
		return HEAP_DEFAULT;
	size = parse_size(text);
	if (size < HEAP_MIN)
		panic("rootmem=%s: want a size of at least 1M, like 16M", text);
	return ALIGN_UP(size, PAGE_SIZE);
}

static void place(struct build *b, u64 heap)
{
	struct layout *at = &b->at;

	at->start_info = b->elf.high + PAGE_SIZE;
	at->cmdline = at->start_info + PAGE_SIZE;
	at->vcs = at->cmdline + PAGE_SIZE;
	at->port_page = at->vcs + PAGE_SIZE;
	at->stack = at->port_page + 2 * PAGE_SIZE;
	at->stack_top = at->stack + STACK_PAGES * PAGE_SIZE;
	at->heap = at->stack_top + PAGE_SIZE;
	at->heap_end = at->heap + heap;
}

/* All that is free becomes the root domain's; the heap shrinks on small machines. */
static void create(struct build *b)
{
	struct pv_dom_create args = {
		.name = ROOT_NAME,
		.kind = PV_KIND_EXPLICIT,
		.max_vcpus = PV_MAX_VCPUS,
		.weight = ROOT_WEIGHT,
		.vtlb_tables = PV_VTLB_MAX,
	};
	u64 kmem = MAX(KMEM_MIN_PAGES, frame_total() / 256);
	u64 fixed = pages_of(b->elf.high - b->elf.low) + SPECIAL_PAGES + STACK_PAGES;
	u64 needs = kmem + fixed + pages_of(HEAP_MIN);
	u64 has = frame_free_count();
	u64 heap = heap_wanted();

	if (has < needs)
		panic("too little machine memory: needs %lu KiB free for the root domain, has %lu KiB",
		      needs << (PAGE_SHIFT - 10), has << (PAGE_SHIFT - 10));
	args.kmem_pages = kmem;
	args.mem_pages = has - kmem;
	place(b, MAX(HEAP_MIN, MIN(heap, (args.mem_pages - fixed) / 2 * PAGE_SIZE)));
	if (domain_create(NULL, &args, &b->dom))
		panic("the root domain could not be created");
}

static void map(struct domain *dom, vaddr_t va, u64 npages, u64 prot)
{
	while (npages) {
		i64 n = aspace_map(dom, va, va >> PAGE_SHIFT, MIN(npages, PV_MAX_MAP_PAGES), prot);

		if (n <= 0)
			panic("root domain: cannot map %lx: error %ld (more kmem needed?)", va, n);
		va += (u64)n << PAGE_SHIFT;
		npages -= (u64)n;
	}
}

static void add_memory(struct domain *dom, vaddr_t va, u64 npages, u64 prot)
{
	for (u64 done = 0; done < npages;) {
		i64 n = mem_populate(dom, (va >> PAGE_SHIFT) + done, npages - done);

		if (n <= 0)
			panic("root domain: no memory at %lx: error %ld", va, n);
		done += (u64)n;
	}
	map(dom, va, npages, prot);
}

/* Kernel address of a byte of its memory, which exists. */
static char *at(struct domain *dom, vaddr_t va)
{
	u64 entry;

	spin_lock(&dom->mm.lock);
	entry = gfn_get_locked(dom, va >> PAGE_SHIFT);
	spin_unlock(&dom->mm.lock);
	return (char *)mfn_ptr(gfn_entry_mfn(entry)) + va % PAGE_SIZE;
}

static void put(struct domain *dom, vaddr_t va, const void *data, u64 n)
{
	const char *from = data;

	while (n) {
		u64 part = MIN(n, PAGE_SIZE - va % PAGE_SIZE);

		memcpy(at(dom, va), from, part);
		va += part;
		from += part;
		n -= part;
	}
}

static void load(struct build *b)
{
	const struct layout *l = &b->at;

	for (u32 i = 0; i < b->elf.nr_segments; i++) {
		const struct elf_segment *s = &b->elf.segments[i];

		add_memory(b->dom, s->va, s->npages, s->prot);
		put(b->dom, s->data_va, b->elf_bytes + s->offset, s->filesz);
	}
	add_memory(b->dom, l->start_info, SPECIAL_PAGES, PV_PROT_READ | PV_PROT_WRITE);
	add_memory(b->dom, l->stack, STACK_PAGES, PV_PROT_READ | PV_PROT_WRITE);
	add_memory(b->dom, l->heap, pages_of(l->heap_end - l->heap), PV_PROT_READ | PV_PROT_WRITE);
}

static void map_module(struct build *b)
{
	u64 npages = pages_of(b->module->size);

	if (mem_map_module(b->dom, PV_ROOT_MODULE_BASE >> PAGE_SHIFT, b->module->start, npages))
		panic("root domain: no kernel memory to show it the boot image (%lu KiB)",
		      npages << (PAGE_SHIFT - 10));
	map(b->dom, PV_ROOT_MODULE_BASE, npages, PV_PROT_READ);
}

/* Hardware randomness where there is some; else the jitter of the cycle counter, well stirred. */
static u64 random_u64(void)
{
	static u64 state;
	u64 hardware = 0, x;

	(void)arch_random_u64(&hardware);
	for (u32 i = 0; i < 32; i++) {
		state = (state ^ arch_cycles()) * 0x9e3779b97f4a7c15ull;
		state ^= state >> 29;
	}
	x = (state ^ clock_wall_ns()) * 0xbf58476d1ce4e5b9ull;
	return hardware ^ x ^ x >> 32;
}

static void add_range(struct pv_start_info *info, vaddr_t from, vaddr_t to, u32 type)
{
	info->memmap[info->memmap_count++] =
		(struct pv_memmap_entry){ .base = from, .size = to - from, .type = type };
}

static void describe(struct build *b, i64 host_handle)
{
	struct pv_start_info *info = (struct pv_start_info *)at(b->dom, b->at.start_info);
	const struct layout *l = &b->at;
	u64 seed;

	info->magic = PV_START_MAGIC;
	info->version = PV_START_VERSION;
	info->size = sizeof(*info);
	memcpy(info->name, b->dom->name, sizeof(info->name));
	info->vcpus = nr_cpus;
	add_range(info, b->elf.low, b->elf.high, PV_MEM_RAM);
	add_range(info, l->start_info, l->port_page + PAGE_SIZE, PV_MEM_RAM);
	add_range(info, l->stack, l->stack_top, PV_MEM_RAM);
	add_range(info, l->heap, l->heap_end, PV_MEM_RAM);
	add_range(info, PV_ROOT_MODULE_BASE,
		  PV_ROOT_MODULE_BASE + ALIGN_UP(b->module->size, PAGE_SIZE), PV_MEM_RESERVED);
	info->cmdline_addr = l->cmdline;
	info->cmdline_len = str_copy(at(b->dom, l->cmdline), boot_info.cmdline, PV_CMDLINE_MAX);
	info->initrd_addr = PV_ROOT_MODULE_BASE;
	info->initrd_size = b->module->size;
	info->tsc_hz = clock_params.tsc_hz;
	info->wall_sec = (clock_wall_ns() - clock_now_ns()) / 1000000000;
	for (u32 i = 0; i < sizeof(info->seed); i += sizeof(seed)) {
		seed = random_u64();
		memcpy(&info->seed[i], &seed, sizeof(seed));
	}
	info->vcs_addr = l->vcs;
	info->port_page_addr = l->port_page;
	info->heap_start = l->heap;
	info->heap_end = l->heap_end;
	info->host_handle = (u32)host_handle;
}

static void register_pages(struct build *b, struct vcpu *v)
{
	mfn_t mfn;

	if (arch_vcpu_set_vcs(v, b->at.vcs >> PAGE_SHIFT) ||
	    gfn_pin(b->dom, b->at.port_page >> PAGE_SHIFT, &mfn))
		panic("root domain: its shared pages could not be registered");
	b->dom->port_page_gfn = b->at.port_page >> PAGE_SHIFT;
	b->dom->port_page = (struct pv_port_page __guest *)mfn_ptr(mfn);
}

static void start(struct build *b)
{
	struct pv_vcpu_gpr gpr = {
		.rip = b->elf.entry,
		.rsp = b->at.stack_top,
		.rsi = b->at.start_info,
		.root = LINEAR_ROOT,
	};
	int err;

	spin_lock(&b->dom->lock);
	err = vcpu_create(b->dom, 0);
	spin_unlock(&b->dom->lock);
	if (err || arch_vcpu_set_gpr(b->dom->vcpus[0], &gpr))
		panic("root domain: its vCPU could not be created");
	register_pages(b, b->dom->vcpus[0]);
	if (domain_unpause(b->dom))
		panic("root domain: could not be started");
}

void root_domain_start(const struct boot_info *boot)
{
	const struct cap host = { .type = PV_CAP_HOST, .rights = PV_RIGHT_HOST_ALL };
	struct build b = { .module = NULL };
	i64 handle;

	trace_init();
	find_init(&b, boot);
	create(&b);
	load(&b);
	map_module(&b);
	handle = cap_insert(b.dom, &host);
	if (handle < 0)
		panic("root domain: no room for the host capability");
	describe(&b, handle);
	log_info("root domain: %lu KiB program, %lu KiB heap, quota %lu MiB, kernel memory %lu KiB\n",
		 (b.elf.high - b.elf.low) >> 10, (b.at.heap_end - b.at.heap) >> 10,
		 b.dom->mm.mem_quota >> (20 - PAGE_SHIFT),
		 b.dom->mm.kmem_quota << (PAGE_SHIFT - 10));
	start(&b);
}

void root_domain_died(const struct domain *dom)
{
	char how[16] = "";

	log_queue(false);
	log_error("the root domain ended (%s, code %lu): nothing is left to run\n",
		  domain_reason_name(dom->reason), dom->code);
	(void)cmdline_get("panic", how, sizeof(how));
	if (!strcmp(how, "exit"))
		arch_debug_exit(ROOT_DIED_EXIT_CODE);
	if (!strcmp(how, "exit") || !strcmp(how, "poweroff"))
		arch_poweroff();
	if (!strcmp(how, "reboot"))
		arch_reboot();
	arch_stop_other_cpus();
	arch_halt();
}
