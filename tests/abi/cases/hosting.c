/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hosting.c - HOST_CTL, and what the root domain finds at its start.
 */
#include <string.h>

#include "../lib/abitest.h"

static u64 read_log(u64 position, char *text, u64 want, u64 *next)
{
	u64 n = TRY(OP(HOST_CTL, LOG_READ, host, position, want));

	memcpy(next, vcs0->batch, 8);
	memcpy(text, vcs0->batch + 8, n);
	text[n] = '\0';
	return n;
}

static u64 log_end(void)
{
	static char text[2041];
	u64 position = 0;

	while (read_log(position, text, 2040, &position))
		;
	return position;
}

PV_DRIVER_TEST(log_write_read, "PVABI-HST-001.1")
{
	static char text[2041];
	u64 end = log_end();

	abi_note("an unmistakable line");
	read_log(end, text, 2040, &end);
	CHECK(strstr(text, "# an unmistakable line\n"));
	char *line = strstr(text, "# an unmistakable");

	CHECK(line == text || line[-1] == '\n' || line[-1] == ' ');
}

PV_DRIVER_TEST(log_read_length, "PVABI-HST-002.1")
{
	CHECK_ERR(OP(HOST_CTL, LOG_READ, host, 0, 0), EINVAL);
	CHECK_ERR(OP(HOST_CTL, LOG_READ, host, 0, 2041), ERANGE);
	CHECK_ERR(OP(HOST_CTL, LOG_READ, host, 0, ~0ull), ERANGE);
	CHECK_EQ(OP(HOST_CTL, LOG_READ, host, 0, 1), 1);
}

PV_DRIVER_TEST(log_positions, "PVABI-HST-003.1")
{
	static char text[2041];
	u64 next, end = log_end();

	CHECK_EQ(read_log(end, text, 100, &next), 0);
	CHECK_EQ(next, end);
	CHECK(read_log(0, text, 100, &next) > 0);
	CHECK(next > 0);
	u64 n = TRY(OP(HOST_CTL, LOG_READ, host, end + 1000, 100)); /* the future holds nothing */

	CHECK_EQ(n, 0);
}

PV_DRIVER_TEST(log_write_length, "PVABI-HST-009.1")
{
	CHECK_ERR(OP(HOST_CTL, LOG_WRITE, host, 0), EINVAL);
	CHECK_ERR(OP(HOST_CTL, LOG_WRITE, host, 2049), ERANGE);
	CHECK_ERR(OP(HOST_CTL, LOG_WRITE, host, ~0ull), ERANGE);
}

PV_DRIVER_TEST(poweroff_code, "PVABI-HST-008.1")
{
	CHECK_ERR(OP(HOST_CTL, POWEROFF, host, 128), ERANGE);
	CHECK_ERR(OP(HOST_CTL, POWEROFF, host, ~0ull), ERANGE);
}

PV_DRIVER_TEST(trace_read, "PVABI-HST-007.1")
{
	u64 n = TRY(OP(HOST_CTL, TRACE_READ, host, 0));

	CHECK(n > 0 && n <= 2048 / 32);
	CHECK_ERR(OP(HOST_CTL, TRACE_READ, host, 64), ERANGE);
	CHECK_ERR(OP(HOST_CTL, TRACE_READ, host, ~0ull), ERANGE);
}

/* Ports 0x70/0x71 are the real-time clock, 0x80 the diagnostic port. */
static void use_ports(void)
{
	events_on(0);
	CHECK_EQ(TRAP_OF("mov $0x70, %%edx; xor %%eax, %%eax; out %%al, %%dx"), NO_TRAP);
	CHECK_EQ(TRAP_OF("mov $0x71, %%edx; in %%dx, %%al"), NO_TRAP);
	CHECK_EQ(TRAP_OF("mov $0x72, %%edx; in %%dx, %%al"), 13);
	CHECK_EQ(TRAP_OF("mov $0x6f, %%edx; in %%dx, %%al"), 13);
	CHECK_EQ(TRAP_OF("mov $0x71, %%edx; in %%dx, %%ax"), 13); /* one byte too wide */
	OP(VCPU_CTL, YIELD, PV_SELF);
	CHECK_EQ(TRAP_OF("mov $0x71, %%edx; in %%dx, %%al"), NO_TRAP);
}

static void use_no_ports(void)
{
	events_on(0);
	for (u32 i = 0; i < 20; i++) {
		CHECK_EQ(TRAP_OF("mov $0x71, %%edx; in %%dx, %%al"), 13);
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
}

PV_DRIVER_TEST(ioports, "PVABI-HST-005.1 PVABI-HST-006.1", PARTS(use_ports, use_no_ports))
{
	struct child *a = child_make(0), *b = child_make(1);

	CHECK_OK(OP(HOST_CTL, IOPORTS, host, a->dom, 0x70, 2));
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, b->dom, 0x71, 1), EBUSY);
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, b->dom, 0x6f, 10), EBUSY);
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, b->dom, 0x100, 0), EINVAL);
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, b->dom, 0x100, 65), ERANGE);
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, b->dom, 0xffff, 2), ERANGE);
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, b->dom, 0x10000, 1), ERANGE);
	child_start(a);
	child_start(b);
	child_expect_pass(a);
	child_expect_pass(b);
	child_destroy(a);
	CHECK_OK(OP(HOST_CTL, IOPORTS, host, b->dom, 0x70, 2)); /* free again */
}

static u32 in_byte(u16 port)
{
	u8 value;

	__asm__ volatile("in %%dx, %%al" : "=a"(value) : "d"(port));
	return value;
}

/* A walked domain's kernel has them as well: the instructions are carried out for it, within what it has. */
static void use_ports_walked(void)
{
	u16 wide;

	__asm__ volatile("out %%al, %%dx" ::"a"(0x0d), "d"(0x70));
	CHECK_EQ(in_byte(0x71), 0x80); /* the clock's memory is valid */
	CHECK_EQ(in_byte(0x6f), 0xff);
	CHECK_EQ(in_byte(0x72), 0xff);
	__asm__ volatile("in %%dx, %%ax" : "=a"(wide) : "d"(0x71));
	CHECK_EQ(wide, 0xffff); /* one byte too wide */
}

PV_DRIVER_TEST(ioports_walked, "PVABI-HST-005.1", PARTS(use_ports_walked), .kind = PV_KIND_WALKED)
{
	struct child *c = child_make(0);

	CHECK_OK(OP(HOST_CTL, IOPORTS, host, c->dom, 0x70, 2));
	child_start(c);
	child_expect_pass(c);
}

PV_DRIVER_TEST(ioport_ranges_full, "PVABI-HST-005.1")
{
	u64 dom = empty_domain(4, 64);

	for (u64 i = 0; i < 4; i++)
		CHECK_OK(OP(HOST_CTL, IOPORTS, host, dom, 0x1000 + i * 0x100, 64));
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, dom, 0x2000, 1), ENOSPC);
	CHECK_OK(dom_destroy(dom));
}

/* ---- the root domain's start ---- */

static u32 crc32(const u8 *p, u64 n)
{
	u32 crc = ~0u;

	for (u64 i = 0; i < n; i++) {
		crc ^= p[i];
		for (u32 bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

PV_DRIVER_TEST(root_start_info, "PVABI-BOO-001.1")
{
	CHECK_EQ(start->magic, PV_START_MAGIC);
	CHECK_EQ(start->version, PV_START_VERSION);
	CHECK_EQ(start->size, sizeof(*start));
	CHECK(memchr(start->name, 0, sizeof(start->name)) != NULL && start->name[0]);
	CHECK(start->vcpus >= 1);
	CHECK(start->memmap_count >= 1 && start->memmap_count <= PV_MAX_MEMMAP);
	CHECK(start->tsc_hz > 1000000);
	CHECK_EQ(start->initrd_addr, PV_ROOT_MODULE_BASE);
	CHECK_EQ(OP(CAP_CTL, INSPECT, start->host_handle),
		 (u64)PV_CAP_HOST << 32 | PV_RIGHT_HOST_ALL);
	CHECK(start->heap_end > start->heap_start);
	CHECK_EQ(strlen((const char *)start->cmdline_addr), start->cmdline_len);
	u64 seed = 0;

	for (u32 i = 0; i < 32; i++)
		seed |= (u64)start->seed[i] << i;
	CHECK(seed != 0);
	for (u64 va = start->heap_start; va < start->heap_end; va += 64 * PAGE_BYTES)
		(void)*(volatile u8 *)va;
}

PV_DRIVER_TEST(root_image, "PVABI-BOO-001.1")
{
	const struct pv_image_header *header = (const void *)start->initrd_addr;
	const struct pv_image_entry *entries = (const void *)(header + 1);

	CHECK_EQ(header->magic, PV_IMAGE_MAGIC);
	CHECK_EQ(header->version, PV_IMAGE_VERSION);
	CHECK(header->count >= 1 && header->count <= PV_IMAGE_MAX_ENTRIES);
	CHECK_EQ(header->size, start->initrd_size);
	CHECK_EQ(header->crc32, crc32((const u8 *)entries, header->count * sizeof(*entries)));
	for (u32 i = 0; i < header->count; i++) {
		CHECK_EQ(entries[i].offset % PAGE_BYTES, 0);
		if (entries[i].size <= 65536)
			CHECK_EQ(entries[i].crc32,
				 crc32((const u8 *)header + entries[i].offset, entries[i].size));
	}
}

PV_DRIVER_TEST(root_image_read_only, "PVABI-BOO-002.1 PVABI-MAP-014.1")
{
	u64 gfn = PV_ROOT_MODULE_BASE >> PV_PAGE_SHIFT;

	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, PV_ROOT_MODULE_BASE, 0, 1, RW), EPERM);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, DRIVER_WINDOW_GFN << 12 | 0x100000, gfn, 1, RW), EPERM);
	CHECK(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 1) < 0);
	CHECK(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RO) < 0);
	CHECK(OP(MEM_CTL, COPY, PV_SELF, gfn, 1, start->heap_start >> 12) < 0);
}
