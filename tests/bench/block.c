// SPDX-License-Identifier: BSD-2-Clause
/*
 * block.c - reads and writes of a disk past the page cache, one at a time and 32 at a time, and a flush. The same
 * program runs in native Linux on QEMU's virtio disk and in a VM on another domain's RAM disk.
 *
 * Each operation is repeated RUNS times between the markers of the counting plugin, which prints each; the
 * reader takes the least, because ticks and a device that works in the background only ever add.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure.h"

#define RUNS 5
#define WARM_UP 2400 /* requests: every page of the window and of the disk has been used */
#define DEPTH 32
#define BLOCK_MAX (1u << 20)
#define SPAN (16u << 20) /* of the disk */

/* An operation that does `each` at a time. */
#define MEASURE(id, name, calls, each, body) MEASURE_RUNS(id, name, RUNS, (calls) / 4 + 1, calls, each, body)

static int disk;
static uint8_t *memory; /* DEPTH blocks of the largest size would be much: blocks of one run share it */
static aio_context_t context;

static void one(int writing, size_t size, unsigned i)
{
	off_t at = (off_t)((uint64_t)i * 7 * size % SPAN);
	ssize_t done = writing ? pwrite(disk, memory, size, at) : pread(disk, memory, size, at);

	if (done != (ssize_t)size)
		die("one request");
}

/* DEPTH requests with one call, and all of their ends with another. */
static void many(int writing, size_t size, unsigned i)
{
	static struct iocb blocks[DEPTH];
	struct iocb *list[DEPTH];
	struct io_event events[DEPTH];
	long got = 0;

	for (unsigned k = 0; k < DEPTH; k++) {
		blocks[k] = (struct iocb){
			.aio_lio_opcode = writing ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)disk,
			.aio_buf = (uintptr_t)(memory + (uint64_t)k * size % BLOCK_MAX),
			.aio_nbytes = size,
			/* every other one: neighbours would be merged to one request */
			.aio_offset = (long long)((uint64_t)(i * DEPTH + k) * 2 * size % SPAN),
		};
		list[k] = &blocks[k];
	}
	if (syscall(SYS_io_submit, context, (long)DEPTH, list) != DEPTH)
		die("io_submit");
	while (got < DEPTH) {
		long n = syscall(SYS_io_getevents, context, DEPTH - got, DEPTH - got, events + got, NULL);

		if (n <= 0)
			die("io_getevents");
		got += n;
	}
	for (unsigned k = 0; k < DEPTH; k++)
		if (events[k].res != (long long)size)
			die("one of many requests");
}

static void flush(int writing, size_t size, unsigned i)
{
	one(writing, size, i);
	if (fdatasync(disk))
		die("fdatasync");
}

int main(void)
{
	disk = open("/dev/vda", O_RDWR | O_DIRECT);
	if (disk < 0)
		die("/dev/vda");
	memory = mmap(NULL, BLOCK_MAX, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED || syscall(SYS_io_setup, DEPTH, &context))
		die("memory");
	printf("BENCH-START\n");
	sleep(1); /* lets the boot's own background work settle */
	for (unsigned i = 0; i < WARM_UP; i++)
		one(i & 1, 4096, i);
	MEASURE(32, "read_4k", 200, 1, one(0, 4096, i));
	MEASURE(33, "write_4k", 200, 1, one(1, 4096, i));
	MEASURE(34, "read_64k", 60, 1, one(0, 65536, i));
	MEASURE(35, "write_64k", 60, 1, one(1, 65536, i));
	MEASURE(36, "read_1m", 12, 1, one(0, BLOCK_MAX, i));
	MEASURE(37, "write_1m", 12, 1, one(1, BLOCK_MAX, i));
	MEASURE(38, "read_4k_depth32", 10, DEPTH, many(0, 4096, i));
	MEASURE(39, "write_4k_depth32", 10, DEPTH, many(1, 4096, i));
	MEASURE(40, "read_64k_depth32", 4, DEPTH, many(0, 65536, i));
	MEASURE(41, "write_64k_depth32", 4, DEPTH, many(1, 65536, i));
	MEASURE(42, "read_1m_depth32", 1, DEPTH, many(0, BLOCK_MAX, i));
	MEASURE(43, "write_1m_depth32", 1, DEPTH, many(1, BLOCK_MAX, i));
	MEASURE(44, "write_4k_fsync", 60, 1, flush(1, 4096, i));
	printf("BENCH-END\n");
	return 0;
}
