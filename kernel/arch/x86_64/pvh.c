// SPDX-License-Identifier: BSD-2-Clause
/*
 * pvh.c - the PVH start information: QEMU's -kernel and Xen-like loaders.
 */
#include "arch.h"
#include "bits.h"
#include "panic.h"
#include "platform.h"
#include "string.h"

#define PVH_MAGIC 0x336ec578
#define BOOT_VISIBLE GIB(4) /* what the boot address space shows */

struct pvh_info {
	u32 magic, version, flags, nr_modules;
	u64 modules, cmdline, rsdp;
	u64 memmap; /* from version 1 */
	u32 memmap_entries, reserved;
};

struct pvh_module {
	u64 start, size, cmdline, reserved;
};

struct pvh_memmap {
	u64 start, size;
	u32 type, reserved;
};

static const void *visible(paddr_t pa, u64 size, const char *what)
{
	if (!pa || pa >= BOOT_VISIBLE || size > BOOT_VISIBLE - pa)
		panic("PVH loader: %s at %lx is out of reach", what, pa);
	return paddr_to_ptr(pa);
}

void pvh_parse(paddr_t info)
{
	const struct pvh_info *p = visible(info, sizeof(*p), "start information");
	const struct pvh_module *mod;
	const struct pvh_memmap *map;

	boot_info.loader = "PVH";
	if (p->magic != PVH_MAGIC)
		panic("unknown boot loader: neither multiboot2 nor PVH");
	if (p->version < 1 || !p->memmap_entries)
		panic("PVH loader: no memory map (version %u)", p->version);
	if (p->memmap_entries > BOOT_MAX_RANGES || p->nr_modules > BOOT_MAX_MODULES)
		panic("PVH loader: %u memory ranges, %u modules make no sense", p->memmap_entries,
		      p->nr_modules);
	map = visible(p->memmap, p->memmap_entries * sizeof(*map), "memory map");
	for (u32 i = 0; i < p->memmap_entries; i++)
		boot_add_range(map[i].start, map[i].size, map[i].type);
	if (p->nr_modules) {
		mod = visible(p->modules, p->nr_modules * sizeof(*mod), "module list");
		for (u32 i = 0; i < p->nr_modules; i++)
			boot_add_module(mod[i].start, mod[i].size,
					mod[i].cmdline ? visible(mod[i].cmdline, PAGE_SIZE,
								 "module command line") : "",
					BOOT_MODULE_CMDLINE_MAX);
	}
	if (p->cmdline)
		str_copy(boot_info.cmdline, visible(p->cmdline, BOOT_CMDLINE_MAX, "command line"),
			 sizeof(boot_info.cmdline));
	boot_info.rsdp = p->rsdp;
}
