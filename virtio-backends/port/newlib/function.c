/* SPDX-License-Identifier: BSD-2-Clause */
/* A PCI function's way into this domain; see function.h. */
#include "function.h"

#include <stdio.h>

#define BAR_GFN 0x3000000ull /* 192 GiB: registers, one place for each BAR of each function */
#define BAR_STRIDE 0x1000ull
#define RESET_MS 1000u

void function_say(const struct function *fn, const char *kind, const char *what)
{
	printf("%s %02x:%02x.%x: %s\n", kind, fn->bdf >> 8, fn->bdf >> 3 & 31, fn->bdf & 7, what);
}

static bool set_command(struct function *fn, uint32_t bits)
{
	return fn->config.write(fn->config.self, PCI_COMMAND, 2, bits);
}

const char *function_map(struct function *fn, const struct pci_region *region)
{
	pv_gfn_t base = BAR_GFN + (fn->index * PCI_BARS + region->bar) * BAR_STRIDE;
	uint64_t first = region->off >> PV_PAGE_SHIFT;
	uint64_t end = ((uint64_t)region->off + region->len + PV_PAGE_SIZE - 1) >> PV_PAGE_SHIFT;

	if (end > BAR_STRIDE)
		return "its registers cannot be mapped";
	fn->bars[region->bar] = (uint8_t *)(base << PV_PAGE_SHIFT);
	for (uint64_t i = first; i < end; i++) {
		int64_t r = pv_dev_map(fn->dev, region->bar, i, base + i, 1);

		if (r == -PV_EEXIST)
			continue; /* two regions on a page */
		if (r < 0 || pv_as_map_all(PV_SELF, (base + i) << PV_PAGE_SHIFT, base + i, 1,
					   PV_PROT_READ | PV_PROT_WRITE) < 0)
			return "its registers cannot be mapped";
	}
	return NULL;
}

bool function_wait(bool (*ask)(void *self), void *self, uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i++) {
		if (ask(self))
			return true;
		pv_sleep_until(pv_clock_ns() + PV_NSEC_PER_MSEC);
	}
	return false;
}

static bool is_reset(void *vpci)
{
	return vpci_reset(vpci);
}

const char *function_virtio(struct function *fn)
{
	struct pci_virtio virtio;
	const char *why = pcidev_find_virtio(&fn->config, &fn->info, &virtio);

	if (!why)
		why = function_map(fn, &virtio.common);
	if (!why)
		why = function_map(fn, &virtio.notify);
	if (!why && virtio.device.len)
		why = function_map(fn, &virtio.device);
	if (why)
		return why;
	vpci_init(&fn->vpci, &virtio, fn->bars);
	return function_wait(is_reset, &fn->vpci, RESET_MS) ? NULL : "does not finish its reset";
}

static const char *bind_irq(struct function *fn, pv_event_fn on_irq, void *arg)
{
	int64_t port = pv_port_alloc(PV_SELF);

	if (port < 0 || pv_dev_bind_msi(fn->dev, FUNCTION_VECTOR, (pv_port_t)port) < 0)
		return "its interrupt cannot be bound";
	fn->irq = (pv_port_t)port;
	return pv_event_bind(fn->irq, on_irq, arg) < 0 ? "no memory for its interrupt" : NULL;
}

static const char *take_memory(struct function *fn, uint64_t *bus, unsigned most)
{
	const struct pv_start_device *given = fn->given;

	fn->arena = (struct pci_arena){
		.base = (uint8_t *)(given->dma_gfn << PV_PAGE_SHIFT),
		.bus = bus,
		.pages = given->dma_pages < most ? given->dma_pages : most,
	};
	for (unsigned i = 0; i < fn->arena.pages; i++) {
		int64_t address = pv_dev_dma_addr(fn->dev, given->dma_gfn + i);

		if (address < 0)
			return "cannot reach the memory it was given";
		bus[i] = (uint64_t)address;
	}
	return NULL;
}

const char *function_find(struct function *fn, unsigned index)
{
	fn->index = index;
	fn->given = &pv_start_info->devices[index];
	fn->dev = fn->given->handle;
	fn->bdf = fn->given->bdf;
	fn->config = pcidev_config(&fn->dev);
	if (pv_dev_info(fn->dev, &fn->info) < 0)
		return "cannot be looked at";
	fn->kind = pci_kind((uint16_t)fn->info.vendor, (uint16_t)fn->info.device, fn->info.class_code);
	fn->remapped = fn->info.flags & PV_DEV_REMAPPED;
	return set_command(fn, PCI_COMMAND_MEMORY | PCI_COMMAND_NO_INTX) ? NULL :
									   "its registers cannot be switched on";
}

const char *function_stranger(const struct function *fn, const char *kind, char *text, size_t size)
{
	snprintf(text, size, "is no %s that a driver here knows: %04x:%04x, class %02x.%02x.%02x", kind,
		 (unsigned)fn->info.vendor, (unsigned)fn->info.device, (unsigned)fn->info.class_code >> 16 & 0xff,
		 (unsigned)fn->info.class_code >> 8 & 0xff, (unsigned)fn->info.class_code & 0xff);
	return text;
}

const char *function_arm(struct function *fn, uint64_t *bus, unsigned most, pv_event_fn on_irq, void *arg)
{
	const char *why = bind_irq(fn, on_irq, arg);

	if (!why)
		why = take_memory(fn, bus, most);
	if (!why && !set_command(fn, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX))
		why = "may not use the bus";
	return why;
}
