/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk's way into this domain; see drive.h. An NVMe controller that has something to do is also looked at when
 * time has passed; the domain's one timer is for all of them.
 */
#include "drive.h"

#include <pci/nvme.h>
#include <pci/vdisk.h>
#include <port/newlib/function.h>
#include <port/newlib/service.h>
#include <stdio.h>

#define ARENA_MAX (VDISK_ARENA_MAX > NVME_ARENA_MAX ? VDISK_ARENA_MAX : NVME_ARENA_MAX)
#define TICK_MS 1000u
#define TICK_SHORT_MS 10u /* while one is being made ready again */

struct drive {
	struct function fn;
	union {
		struct storage storage;
		struct vdisk vdisk;
		struct nvme nvme;
	};
	uint64_t bus[ARENA_MAX];
	unsigned resets_said;
	bool failure_said;
};

static struct drive drives[PV_MAX_DEVICES];
static unsigned drive_count;

/* ---- time ---- */

static struct {
	struct drive *drives[PV_MAX_DEVICES];
	unsigned count;
	pv_ns_t last;
	uint32_t interval_ms;
	bool running;
} ticks;

static const char *failure(const struct drive *drive)
{
	return drive->fn.kind == PCI_KIND_NVME ? drive->nvme.failed : drive->vdisk.failed;
}

/* A silent one is never reset more often than every half a minute, so this does not fill the log. */
static void say_reset(struct drive *drive)
{
	if (drive->fn.kind != PCI_KIND_NVME || drive->nvme.resets_ever == drive->resets_said)
		return;
	drive->resets_said = drive->nvme.resets_ever;
	function_say(&drive->fn, "disk", "does not do its commands: it is reset and asked again");
}

static void say_failure(struct drive *drive)
{
	say_reset(drive);
	if (failure(drive) && !drive->failure_said) {
		function_say(&drive->fn, "disk", failure(drive));
		drive->failure_said = true;
	}
}

static void tick(pv_port_t port, void *arg);

static void start_timer(uint32_t ms)
{
	ticks.last = pv_clock_ns();
	ticks.interval_ms = ms;
	ticks.running = true;
	pv_event_timer(ticks.last + ms * PV_NSEC_PER_MSEC, tick, NULL);
}

static void on_work(void *drive)
{
	(void)drive;
	if (!ticks.running)
		start_timer(TICK_MS);
}

/* A domain that did not run for a while does not blame its disks for it. */
static uint32_t passed_ms(void)
{
	pv_ns_t ms = (pv_clock_ns() - ticks.last) / PV_NSEC_PER_MSEC;

	return ms < 2 * ticks.interval_ms ? (uint32_t)ms : 2 * ticks.interval_ms;
}

static void tick(pv_port_t port, void *arg)
{
	uint32_t ms = passed_ms(), next = 0;

	(void)port;
	(void)arg;
	ticks.running = false;
	for (unsigned i = 0; i < ticks.count; i++) {
		struct drive *drive = ticks.drives[i];
		bool again = nvme_tick(&drive->nvme, ms);
		uint32_t wanted = drive->nvme.state == NVME_LIVE ? TICK_MS : TICK_SHORT_MS;

		if (again && (!next || wanted < next))
			next = wanted;
		say_failure(drive);
	}
	if (next)
		start_timer(next);
	service_wake();
}

/* ---- finding them ---- */

static const char *open_virtio(struct drive *drive, pv_event_fn on_done)
{
	struct function *fn = &drive->fn;
	const char *why = function_virtio(fn);

	if (!why)
		why = function_arm(fn, drive->bus, VDISK_ARENA_MAX, on_done, drive);
	return why ? why : vdisk_init(&drive->vdisk, &fn->vpci, &fn->arena, FUNCTION_VECTOR, fn->remapped);
}

static bool is_stopped(void *nvme)
{
	return nvme_stopped(nvme);
}

static bool is_ready(void *self)
{
	struct nvme *nvme = self;

	nvme_tick(nvme, 1);
	return nvme->state == NVME_LIVE || nvme->state == NVME_FAILED;
}

/* Switched off, so that it has let go of whatever a predecessor asked of it, and the doorbells mapped. */
static const char *find_nvme(struct drive *drive)
{
	struct function *fn = &drive->fn;
	struct nvme *nvme = &drive->nvme;
	struct pci_region region = { .bar = 0, .len = NVME_DOORBELLS };
	const char *why = function_map(fn, &region);

	if (!why)
		why = nvme_look(nvme, (struct nvme_registers *)fn->bars[0], fn->info.bars[0].size);
	region.len = nvme->bytes;
	if (!why)
		why = function_map(fn, &region);
	if (!why && !function_wait(is_stopped, nvme, nvme->patience_ms))
		why = "does not finish its reset";
	return why;
}

static const char *open_nvme(struct drive *drive, pv_event_fn on_done)
{
	struct function *fn = &drive->fn;
	struct nvme *nvme = &drive->nvme;
	const char *why = find_nvme(drive);

	if (!why)
		why = function_arm(fn, drive->bus, NVME_ARENA_MAX, on_done, drive);
	if (!why)
		why = nvme_start(nvme, &fn->arena, FUNCTION_VECTOR, on_work, drive);
	if (why)
		return why;
	/* it says itself when it waits in vain */
	while (!function_wait(is_ready, nvme, TICK_MS))
		;
	ticks.drives[ticks.count++] = drive;
	return nvme->failed;
}

static const char *open_any(struct drive *drive, unsigned index, pv_event_fn on_done, char *text, size_t size)
{
	const char *why = function_find(&drive->fn, index);

	if (why)
		return why;
	switch (drive->fn.kind) {
	case PCI_KIND_VIRTIO_DISK:
		return open_virtio(drive, on_done);
	case PCI_KIND_NVME:
		return open_nvme(drive, on_done);
	default:
		return function_stranger(&drive->fn, "disk", text, size);
	}
}

struct drive *drive_open(unsigned index, pv_event_fn on_done)
{
	struct drive *drive = &drives[drive_count];
	char text[80];
	const char *why = open_any(drive, index, on_done, text, sizeof(text));

	if (why) {
		function_say(&drive->fn, "disk", why);
		return NULL;
	}
	snprintf(text, sizeof(text), "%llu KiB%s%s", (unsigned long long)drive->storage.sectors / 2,
		 drive->fn.kind == PCI_KIND_NVME ? ", NVMe" : "",
		 drive->storage.read_only ? ", takes no writes" : "");
	function_say(&drive->fn, "disk", text);
	drive_count++;
	return drive;
}

struct storage *drive_storage(struct drive *drive)
{
	return &drive->storage;
}

void drive_served(struct drive *drive)
{
	pv_port_eoi(drive->fn.irq);
	say_failure(drive);
}
