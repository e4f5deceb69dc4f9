/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drive_linux.c - disks of a Linux driver VM; see drive.h. Function number i of the domain is device i of Linux's
 * bus 0, and its disk is the block device upstream's driver has made below that.
 */
#include "drive.h"

#include <glob.h>
#include <port/linux/direct.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE 100 /* tries; drivers look for their disks while programs run already */
#define TRY_US 100000

struct drive {
	struct direct disk;
};

static struct drive drives[PV_MAX_DEVICES];
static unsigned drive_count;
static int bell = -1;

static bool find(unsigned index, const char *below, char *path, size_t size)
{
	char pattern[128];
	glob_t found;
	bool ok;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/0000:00:%02x.0/%s", index, below);
	ok = glob(pattern, 0, NULL, &found) == 0;
	if (ok)
		snprintf(path, size, "/dev/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return ok;
}

/* The whole disk of the function, waited for. */
static bool find_disk(unsigned index, char *path, size_t size)
{
	static const char *const below[] = { "virtio*/block/*", "nvme/nvme*/nvme*n*", "ata*/host*/target*/*/block/*" };

	for (unsigned i = 0; i < PATIENCE; i++) {
		for (unsigned j = 0; j < sizeof(below) / sizeof(below[0]); j++)
			if (find(index, below[j], path, size) && !access(path, R_OK))
				return true;
		usleep(TRY_US);
	}
	return false;
}

struct drive *drive_open(unsigned index, pv_event_fn on_done)
{
	struct drive *drive = &drives[drive_count];
	char path[300];
	const char *why;

	if (bell < 0)
		bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!find_disk(index, path, sizeof(path))) {
		printf("function %u: no driver has made a disk of it\n", index);
		return NULL;
	}
	why = bell < 0 ? "no eventfd" : direct_open(&drive->disk, path, bell);
	if (why) {
		printf("%s: %s\n", path, why);
		return NULL;
	}
	printf("disk %s: %llu KiB%s\n", path, (unsigned long long)drive->disk.storage.sectors / 2,
	       drive->disk.storage.read_only ? ", takes no writes" : "");
	pv_event_file(bell, on_done, drive);
	drive_count++;
	return drive;
}

struct storage *drive_storage(struct drive *drive)
{
	return &drive->disk.storage;
}

void drive_served(struct drive *drive)
{
	(void)drive;
}
