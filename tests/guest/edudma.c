// SPDX-License-Identifier: BSD-2-Clause
/*
 * edudma - what the DMA of QEMU's edu, given to this machine, reaches.
 *
 *	edudma /sys/bus/pci/devices/0000:00:01.0 ADDRESS...
 *
 * A page of this program goes through the device's buffer into another page: it reaches its own machine's
 * memory, by its addresses. Then it is told to read and to write each ADDRESS, which is not this machine's: what
 * it read is shown as the number of words that are not zero.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES 2048u
#define WORDS (BYTES / sizeof(uint64_t))
#define BUFFER 0x40000u /* of the device, as it calls it */
#define FROM 0x80u	/* registers: source, destination, bytes, command */
#define TO 0x88u
#define COUNT 0x90u
#define COMMAND 0x98u
#define START 1u
#define TO_MEMORY 2u

static volatile uint8_t *regs;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_of(const char *directory, const char *name, int flags)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, flags);
	if (fd < 0)
		die(path);
	return fd;
}

/* Decoding and bus mastering on, registers mapped. */
static void open_device(const char *directory)
{
	int config = open_of(directory, "config", O_RDWR);
	uint16_t command;

	if (pread(config, &command, 2, 4) != 2)
		die("config");
	command |= 6;
	if (pwrite(config, &command, 2, 4) != 2 || pread(config, &command, 2, 4) != 2)
		die("config");
	if ((command & 6) != 6) {
		fprintf(stderr, "the command register takes no bus mastering\n");
		exit(1);
	}
	regs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
		    open_of(directory, "resource0", O_RDWR | O_SYNC), 0);
	if (regs == MAP_FAILED)
		die("resource0");
}

static void *page(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED || mlock(page, 4096))
		die("page");
	return page;
}

static uint64_t physical(const void *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	if (fd < 0 || pread(fd, &entry, 8, (off_t)((uintptr_t)page / 4096 * 8)) != 8 || !(entry >> 63))
		die("pagemap");
	close(fd);
	return (entry & ((1ull << 55) - 1)) * 4096;
}

static void reg(unsigned off, uint64_t value)
{
	*(volatile uint64_t *)(regs + off) = value;
}

static void copy(uint64_t from, uint64_t to, unsigned direction)
{
	reg(FROM, from);
	reg(TO, to);
	reg(COUNT, BYTES);
	reg(COMMAND, START | direction);
	while (*(volatile uint32_t *)(regs + COMMAND) & START)
		usleep(1000);
}

static unsigned not_zero(const uint64_t *words)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WORDS; i++)
		count += words[i] != 0;
	return count;
}

int main(int argc, char **argv)
{
	uint64_t *from = page(), *to = page();

	if (argc < 2)
		return 2;
	open_device(argv[1]);
	for (unsigned i = 0; i < WORDS; i++)
		from[i] = (i + 1) * 0x9e3779b97f4a7c15ull;
	copy(physical(from), BUFFER, 0);
	copy(BUFFER, physical(to), TO_MEMORY);
	printf("own memory: %s\n", memcmp(from, to, BYTES) ? "differs" : "copied");
	for (int i = 2; i < argc; i++) {
		uint64_t address = strtoull(argv[i], NULL, 0);

		copy(address, BUFFER, 0);
		copy(BUFFER, physical(to), TO_MEMORY);
		printf("%s: %u words read\n", argv[i], not_zero(to));
		copy(physical(from), BUFFER, 0);
		copy(BUFFER, address, TO_MEMORY);
	}
	return 0;
}
