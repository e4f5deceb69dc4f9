/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk's way into this domain; see drive.h. Its registers are mapped, its interrupt is bound to a
 * port, and its arena is what the creator of this domain lets it reach.
 */
#include "drive.h"

#include <stdio.h>

#define BAR_GFN 0x3000000ull /* 192 GiB: registers, one place for each BAR of each function */
#define BAR_STRIDE 0x1000ull
#define RESET_TRIES 1000u
#define RESET_WAIT (1 * PV_NSEC_PER_MSEC)

static void say(const struct drive *drive, const char *what)
{
	printf("disk %02x:%02x.%x: %s\n", drive->bdf >> 8, drive->bdf >> 3 & 31, drive->bdf & 7, what);
}

static bool set_command(struct drive *drive, uint32_t bits)
{
	return drive->config.write(drive->config.self, PCI_COMMAND, 2, bits);
}

/* The pages a region lies on; others of the BAR may not be ours to map. */
static bool map_region(struct drive *drive, const struct pci_region *region, pv_gfn_t place)
{
	pv_gfn_t base = place + region->bar * BAR_STRIDE;
	uint64_t first = region->off >> PV_PAGE_SHIFT;
	uint64_t end = ((uint64_t)region->off + region->len + PV_PAGE_SIZE - 1) >> PV_PAGE_SHIFT;

	if (end > BAR_STRIDE)
		return false;
	drive->bars[region->bar] = (uint8_t *)(base << PV_PAGE_SHIFT);
	for (uint64_t i = first; i < end; i++) {
		int64_t r = pv_dev_map(drive->dev, region->bar, i, base + i, 1);

		if (r == -PV_EEXIST)
			continue; /* two regions on a page */
		if (r < 0 || pv_as_map_all(PV_SELF, (base + i) << PV_PAGE_SHIFT, base + i, 1,
					   PV_PROT_READ | PV_PROT_WRITE) < 0)
			return false;
	}
	return true;
}

static const char *map_registers(struct drive *drive, const struct pci_virtio *virtio, unsigned index)
{
	pv_gfn_t place = BAR_GFN + index * PCI_BARS * BAR_STRIDE;

	if (!map_region(drive, &virtio->common, place) ||
	    !map_region(drive, &virtio->notify, place) ||
	    (virtio->device.len && !map_region(drive, &virtio->device, place)))
		return "its registers cannot be mapped";
	return NULL;
}

static const char *bind_irq(struct drive *drive, pv_event_fn on_irq, void *arg)
{
	int64_t port = pv_port_alloc(PV_SELF);

	if (port < 0 || pv_dev_bind_msi(drive->dev, 0, (pv_port_t)port) < 0)
		return "its interrupt cannot be bound";
	drive->irq = (pv_port_t)port;
	return pv_event_bind(drive->irq, on_irq, arg) < 0 ? "no memory for its interrupt" : NULL;
}

static bool reset(struct drive *drive)
{
	for (unsigned i = 0; i < RESET_TRIES; i++) {
		if (vpci_reset(&drive->vpci))
			return true;
		pv_sleep_until(pv_clock_ns() + RESET_WAIT);
	}
	return false;
}

/* Whatever a predecessor left in flight is over when the reset is. */
static const char *start(struct drive *drive, const struct pv_start_device *given)
{
	struct vdisk_arena arena = {
		.base = (uint8_t *)(given->dma_gfn << PV_PAGE_SHIFT),
		.bus = drive->bus,
		.pages = given->dma_pages < VDISK_ARENA_MAX ? given->dma_pages : VDISK_ARENA_MAX,
	};

	if (!reset(drive))
		return "does not finish its reset";
	for (unsigned i = 0; i < arena.pages; i++) {
		int64_t bus = pv_dev_dma_addr(drive->dev, given->dma_gfn + i);

		if (bus < 0)
			return "cannot reach the memory it was given";
		drive->bus[i] = (uint64_t)bus;
	}
	if (!set_command(drive, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX))
		return "may not use the bus";
	return vdisk_init(&drive->disk, &drive->vpci, &arena, 0,
			  drive->info.flags & PV_DEV_REMAPPED);
}

bool drive_open(struct drive *drive, unsigned index, pv_event_fn on_irq, void *arg)
{
	const struct pv_start_device *given = &pv_start_info->devices[index];
	struct pci_virtio virtio;
	const char *why = NULL;

	drive->dev = given->handle;
	drive->bdf = given->bdf;
	drive->config = pcidev_config(&drive->dev);
	if (pv_dev_info(drive->dev, &drive->info) < 0)
		why = "cannot be looked at";
	else if (!set_command(drive, PCI_COMMAND_MEMORY | PCI_COMMAND_NO_INTX))
		why = "its registers cannot be switched on";
	else
		why = pcidev_find_virtio(&drive->config, &drive->info, &virtio);
	if (!why)
		why = map_registers(drive, &virtio, index);
	if (!why)
		why = bind_irq(drive, on_irq, arg);
	if (!why) {
		vpci_init(&drive->vpci, &virtio, drive->bars);
		why = start(drive, given);
	}
	if (why)
		say(drive, why);
	else
		printf("disk %02x:%02x.%x: %llu KiB%s\n", drive->bdf >> 8, drive->bdf >> 3 & 31,
		       drive->bdf & 7, (unsigned long long)drive->disk.storage.sectors / 2,
		       drive->disk.storage.read_only ? ", takes no writes" : "");
	return !why;
}

void drive_served(struct drive *drive)
{
	pv_port_eoi(drive->irq);
	if (drive->disk.failed && !drive->failure_said) {
		say(drive, drive->disk.failed);
		drive->failure_said = true;
	}
}
