/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * build.c - one domain of the manifest, from DOM_CREATE to its first instruction.
 *
 * Whatever fails, the domain is destroyed and with it every port, grant and capability made on the
 * way, so no step undoes another's work by hand.
 */
#include "init.h"

#include <stdio.h>
#include <string.h>

static int64_t create(struct guest *guest)
{
	const struct pv_manifest_domain *spec = guest->spec;
	struct pv_dom_create args = {
		.kind = spec->kind,
		.flags = spec->flags & PV_MDOM_FUSED ? PV_CREATE_FUSED : 0,
		.mem_pages = spec->mem_pages + links_window_pages(guest) +
			     devices_dma_pages(guest),
		.kmem_pages = spec->kmem_pages,
		.max_vcpus = spec->vcpus,
		.vtlb_tables = spec->vtlb_tables,
		.weight = spec->weight,
		.cap = spec->cap,
		.affinity = spec->affinity,
	};

	memcpy(args.name, spec->name, sizeof(args.name));
	return pv_dom_create(init.host, &args);
}

static void fill_start_info(struct guest *guest, struct pv_start_info *info)
{
	info->magic = PV_START_MAGIC;
	info->version = PV_START_VERSION;
	info->size = sizeof(*info);
	memcpy(info->name, guest->spec->name, sizeof(info->name));
	info->vcpus = guest->spec->vcpus;
	info->tsc_hz = init.system.tsc_hz;
	info->wall_sec = pv_start_info->wall_sec;
	seed_fill(info->seed);
}

static const char *give_capabilities(struct guest *guest, struct built *built)
{
	int64_t handle;

	if (!(guest->spec->flags & PV_MDOM_PRIVILEGED))
		return NULL;
	handle = pv_cap_copy(init.host, guest->dom, PV_RIGHT_HOST_ALL);
	if (handle < 0)
		return "the host capability cannot be given";
	built->info.host_handle = (uint32_t)handle;
	return NULL;
}

static const char *start_vcpu(struct guest *guest, const struct built *built)
{
	if (pv_vcpu_create(guest->dom, 0) < 0)
		return "kmem is too small for a vCPU";
	if (pv_vcpu_set_regs(guest->dom, 0, &built->regs) < 0)
		return "its entry point is not a valid address";
	if (pv_vcpu_start(guest->dom, 0) < 0 || pv_dom_unpause(guest->dom) < 0)
		return "it does not start";
	return NULL;
}

static const char *furnish(struct guest *guest, struct built *built)
{
	bool explicit_kind = guest->spec->kind == PV_KIND_EXPLICIT;
	const char *why;

	built->regs.rflags = 2;
	built->regs.root = PV_FOREVER; /* walked: linear translation; explicit: unused */
	fill_start_info(guest, &built->info);
	why = explicit_kind ? layout_explicit(guest, built) : layout_walked(guest, built);
	if (why)
		return why;
	why = console_prepare(guest, built);
	if (!why && guest == init.console && !ctl_prepare(guest, built))
		why = "its control channel cannot be made";
	if (!why)
		why = give_capabilities(guest, built);
	if (!why)
		why = links_prepare(guest, built);
	if (!why)
		why = devices_prepare(guest, built);
	if (!why)
		why = load_bytes(guest->dom, built->info_gfn << PV_PAGE_SHIFT, &built->info,
				 sizeof(built->info));
	if (!why)
		why = console_attach(guest);
	return why ? why : start_vcpu(guest, built);
}

bool guest_build(struct guest *guest)
{
	static struct built built;
	const char *why;
	int64_t dom = create(guest);

	if (dom < 0) {
		printf("%s: cannot be created: %s (mem %llu KiB, kmem %llu KiB)\n",
		       (const char *)guest->spec->name, pv_strerror(dom),
		       (unsigned long long)guest->spec->mem_pages * 4,
		       (unsigned long long)guest->spec->kmem_pages * 4);
		return false;
	}
	guest->dom = (pv_handle_t)dom;
	memset(&built, 0, sizeof(built));
	why = furnish(guest, &built);
	if (why) {
		printf("%s: %s\n", (const char *)guest->spec->name, why);
		if (guest->attached)
			ctl_detach(guest);
		guest_destroy(guest);
		return false;
	}
	guest->state = GUEST_RUNNING;
	guest->started = pv_clock_ns();
	guest_watch(guest);
	kills_started(guest);
	links_up(guest);
	if (guest == init.console)
		consoles_attach();
	return true;
}

void guest_destroy(struct guest *guest)
{
	int64_t r;

	devices_fence(guest);
	links_down(guest);
	r = pv_dom_destroy(guest->dom);
	if (r < 0)
		printf("%s: cannot be destroyed: %s\n", (const char *)guest->spec->name,
		       pv_strerror(r));
	pv_cap_drop(guest->dom); /* the slot; already empty if the kernel emptied it */
	guest->dom = 0;
	guest->attached = false;
	guest->state = GUEST_NONE;
}
