/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * direct.c - a block device with O_DIRECT and Linux's asynchronous I/O; see direct.h.
 *
 * Data goes through slots of this process: a client's window has no pages this kernel's drivers could be told
 * of, and it may go away at any time. private[PROGRESS] of a request is how far commands have been made for it,
 * private[OUT] how many of them are out, with OUT_FAILED if one has failed: then no more are made.
 */
#define _GNU_SOURCE
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRESS 0
#define OUT 1
#define OUT_FAILED (UINT64_C(1) << 32)

static uint8_t *slot_bytes(struct direct *disk, const struct direct_slot *slot)
{
	return disk->arena + (size_t)(slot - disk->slots) * DIRECT_SLOT_BYTES;
}

static struct direct_slot *free_slot(struct direct *disk)
{
	for (unsigned i = 0; i < DIRECT_SLOTS; i++)
		if (!disk->slots[i].request)
			return &disk->slots[i];
	return NULL;
}

/* The caller has nothing more to make for it. */
static void finish_if_through(struct storage_request *request)
{
	if (!(uint32_t)request->private[OUT])
		request->done(request, !(request->private[OUT] & OUT_FAILED));
}

static void fill(struct direct *disk, struct direct_slot *slot, struct storage_request *request)
{
	struct iocb *iocb = &slot->iocb;

	slot->request = request;
	*iocb = (struct iocb){
		.aio_data = (uint64_t)(slot - disk->slots),
		.aio_fildes = (uint32_t)disk->fd,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)disk->bell,
	};
	if (request->op == STORAGE_FLUSH) {
		iocb->aio_lio_opcode = IOCB_CMD_FDSYNC;
		return;
	}
	iocb->aio_lio_opcode = request->op == STORAGE_WRITE ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	iocb->aio_buf = (uint64_t)slot_bytes(disk, slot);
	iocb->aio_nbytes = slot->len;
	iocb->aio_offset = (int64_t)(request->off + slot->at);
	if (request->op == STORAGE_WRITE)
		vr_gather(slot_bytes(disk, slot), request->segs, request->count, slot->at, slot->len);
}

/* One more command of the request; false: there is no slot. */
static bool issue(struct direct *disk, struct storage_request *request)
{
	struct direct_slot *slot = free_slot(disk);
	uint64_t left = request->len - request->private[PROGRESS];
	struct iocb *iocb;

	if (!slot)
		return false;
	iocb = &slot->iocb;
	slot->at = request->private[PROGRESS];
	slot->len = left < DIRECT_SLOT_BYTES ? (uint32_t)left : DIRECT_SLOT_BYTES;
	fill(disk, slot, request);
	request->private[PROGRESS] += slot->len;
	if (syscall(SYS_io_submit, disk->context, 1L, &iocb) == 1) {
		request->private[OUT]++;
		return true;
	}
	slot->request = NULL;
	request->private[OUT] |= OUT_FAILED;
	return true;
}

/* All that can be made of the current request. */
static void issue_more(struct direct *disk)
{
	struct storage_request *request = disk->current;

	while (request->private[PROGRESS] < request->len && !(request->private[OUT] & OUT_FAILED))
		if (!issue(disk, request))
			return;
	disk->current = NULL;
	finish_if_through(request);
}

static bool direct_submit(struct storage *storage, struct storage_request *request)
{
	struct direct *disk = (struct direct *)storage;

	if (disk->current || !free_slot(disk))
		return false;
	request->private[PROGRESS] = request->private[OUT] = 0;
	if (request->op == STORAGE_FLUSH)
		request->len = 1; /* one command without data */
	disk->current = request;
	issue_more(disk);
	return true;
}

static void command_done(struct direct *disk, struct direct_slot *slot, int64_t result)
{
	struct storage_request *request = slot->request;
	bool ok = result == (request->op == STORAGE_FLUSH ? 0 : slot->len);

	if (ok && request->op == STORAGE_READ)
		vr_scatter(request->segs, request->count, slot->at, slot_bytes(disk, slot), slot->len);
	slot->request = NULL;
	request->private[OUT]--;
	if (!ok)
		request->private[OUT] |= OUT_FAILED;
	if (request != disk->current)
		finish_if_through(request);
}

void direct_poll(struct direct *disk)
{
	struct timespec none = { 0, 0 };
	struct io_event events[DIRECT_SLOTS];
	long n;

	do {
		n = syscall(SYS_io_getevents, disk->context, 0L, (long)DIRECT_SLOTS, events, &none);
		for (long i = 0; i < n; i++)
			command_done(disk, &disk->slots[events[i].data], events[i].res);
		if (disk->current)
			issue_more(disk);
	} while (n > 0);
}

static void storage_poll(struct storage *storage)
{
	direct_poll((struct direct *)storage);
}

const char *direct_open(struct direct *disk, const char *path, int bell)
{
	int read_only = 0, sector = 0;
	uint64_t bytes;

	memset(disk, 0, sizeof(*disk));
	disk->bell = bell;
	disk->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (disk->fd < 0 && (errno == EROFS || errno == EACCES)) {
		read_only = 1;
		disk->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	}
	if (disk->fd < 0 || ioctl(disk->fd, BLKGETSIZE64, &bytes) || ioctl(disk->fd, BLKSSZGET, &sector))
		return strerror(errno);
	if (sector != STORAGE_SECTOR)
		return "has blocks of another size than 512 bytes";
	disk->arena = mmap(NULL, (size_t)DIRECT_SLOTS * DIRECT_SLOT_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (disk->arena == MAP_FAILED || syscall(SYS_io_setup, (long)DIRECT_SLOTS, &disk->context))
		return strerror(errno);
	disk->storage = (struct storage){
		.sectors = bytes / STORAGE_SECTOR,
		.read_only = read_only,
		.submit = direct_submit,
		.poll = storage_poll,
	};
	return NULL;
}
