/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio function's way into this domain; see function.h. */
#include "function.h"

#include <stdio.h>

#define BAR_GFN 0x3000000ull /* 192 GiB: registers, one place for each BAR of each function */
#define BAR_STRIDE 0x1000ull
#define RESET_TRIES 1000u
#define RESET_WAIT (1 * PV_NSEC_PER_MSEC)

void function_say(const struct function *fn, const char *kind, const char *what)
{
	printf("%s %02x:%02x.%x: %s\n", kind, fn->bdf >> 8, fn->bdf >> 3 & 31, fn->bdf & 7, what);
}

static bool set_command(struct function *fn, uint32_t bits)
{
	return fn->config.write(fn->config.self, PCI_COMMAND, 2, bits);
}

/* The pages a region lies on; others of the BAR may not be ours to map. */
static bool map_region(struct function *fn, const struct pci_region *region, pv_gfn_t place)
{
	pv_gfn_t base = place + region->bar * BAR_STRIDE;
	uint64_t first = region->off >> PV_PAGE_SHIFT;
	uint64_t end = ((uint64_t)region->off + region->len + PV_PAGE_SIZE - 1) >> PV_PAGE_SHIFT;

	if (end > BAR_STRIDE)
		return false;
	fn->bars[region->bar] = (uint8_t *)(base << PV_PAGE_SHIFT);
	for (uint64_t i = first; i < end; i++) {
		int64_t r = pv_dev_map(fn->dev, region->bar, i, base + i, 1);

		if (r == -PV_EEXIST)
			continue; /* two regions on a page */
		if (r < 0 || pv_as_map_all(PV_SELF, (base + i) << PV_PAGE_SHIFT, base + i, 1,
					   PV_PROT_READ | PV_PROT_WRITE) < 0)
			return false;
	}
	return true;
}

static const char *map_registers(struct function *fn, const struct pci_virtio *virtio, unsigned index)
{
	pv_gfn_t place = BAR_GFN + index * PCI_BARS * BAR_STRIDE;

	if (!map_region(fn, &virtio->common, place) || !map_region(fn, &virtio->notify, place) ||
	    (virtio->device.len && !map_region(fn, &virtio->device, place)))
		return "its registers cannot be mapped";
	vpci_init(&fn->vpci, virtio, fn->bars);
	return NULL;
}

static const char *bind_irq(struct function *fn, pv_event_fn on_irq, void *arg)
{
	int64_t port = pv_port_alloc(PV_SELF);

	if (port < 0 || pv_dev_bind_msi(fn->dev, FUNCTION_VECTOR, (pv_port_t)port) < 0)
		return "its interrupt cannot be bound";
	fn->irq = (pv_port_t)port;
	return pv_event_bind(fn->irq, on_irq, arg) < 0 ? "no memory for its interrupt" : NULL;
}

static const char *reset(struct function *fn)
{
	for (unsigned i = 0; i < RESET_TRIES; i++) {
		if (vpci_reset(&fn->vpci))
			return NULL;
		pv_sleep_until(pv_clock_ns() + RESET_WAIT);
	}
	return "does not finish its reset";
}

static const char *take_memory(struct function *fn, const struct pv_start_device *given, uint64_t *bus,
			       unsigned most)
{
	fn->arena = (uint8_t *)(given->dma_gfn << PV_PAGE_SHIFT);
	fn->pages = given->dma_pages < most ? given->dma_pages : most;
	for (unsigned i = 0; i < fn->pages; i++) {
		int64_t address = pv_dev_dma_addr(fn->dev, given->dma_gfn + i);

		if (address < 0)
			return "cannot reach the memory it was given";
		bus[i] = (uint64_t)address;
	}
	return NULL;
}

const char *function_open(struct function *fn, unsigned index, uint64_t *bus, unsigned most,
			  pv_event_fn on_irq, void *arg)
{
	const struct pv_start_device *given = &pv_start_info->devices[index];
	struct pci_virtio virtio;
	const char *why;

	fn->dev = given->handle;
	fn->bdf = given->bdf;
	fn->config = pcidev_config(&fn->dev);
	if (pv_dev_info(fn->dev, &fn->info) < 0)
		return "cannot be looked at";
	fn->remapped = fn->info.flags & PV_DEV_REMAPPED;
	if (!set_command(fn, PCI_COMMAND_MEMORY | PCI_COMMAND_NO_INTX))
		return "its registers cannot be switched on";
	why = pcidev_find_virtio(&fn->config, &fn->info, &virtio);
	if (!why)
		why = map_registers(fn, &virtio, index);
	if (!why)
		why = bind_irq(fn, on_irq, arg);
	if (!why)
		why = reset(fn);
	if (!why)
		why = take_memory(fn, given, bus, most);
	if (!why && !set_command(fn, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX))
		why = "may not use the bus";
	return why;
}
