/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk's way into this domain; see drive.h. */
#include "drive.h"

#include <stdio.h>

bool drive_open(struct drive *drive, unsigned index, pv_event_fn on_irq, void *arg)
{
	struct function *fn = &drive->fn;
	struct cutter_arena arena = { .bus = drive->bus };
	const char *why = function_open(fn, index, drive->bus, VDISK_ARENA_MAX, on_irq, arg);
	char text[64];

	arena.base = fn->arena;
	arena.pages = fn->pages;
	if (!why)
		why = vdisk_init(&drive->disk, &fn->vpci, &arena, FUNCTION_VECTOR, fn->remapped);
	if (why) {
		function_say(fn, "disk", why);
		return false;
	}
	snprintf(text, sizeof(text), "%llu KiB%s", (unsigned long long)drive->disk.storage.sectors / 2,
		 drive->disk.storage.read_only ? ", takes no writes" : "");
	function_say(fn, "disk", text);
	return true;
}

void drive_served(struct drive *drive)
{
	pv_port_eoi(drive->fn.irq);
	if (drive->disk.failed && !drive->failure_said) {
		function_say(&drive->fn, "disk", drive->disk.failed);
		drive->failure_said = true;
	}
}
