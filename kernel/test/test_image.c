// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_image.c - the readers of files the kernel is handed: the boot image and the ELF in it. Each
 * mistake must be named, and whatever bytes come, nothing outside the file may be touched: files
 * lie in exact allocations, so the address sanitizer sees the first byte too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pv/abi.h>

#include "boot_image.h"
#include "elf.h"
#include "string.h"

#define BASE PV_EXPLICIT_BASE
#define LIMIT (BASE + MIB(16))
#define ELF_SIZE 0x3000u
#define MUTATIONS 20000

struct ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

struct file {
	struct ehdr h;
	struct phdr p[3];
};

static struct ehdr make_elf_header(void)
{
	return (struct ehdr){
		.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
		.type = 2,
		.machine = 62,
		.entry = BASE + 0x10,
		.phoff = sizeof(struct ehdr),
		.phentsize = sizeof(struct phdr),
		.phnum = 3,
	};
}

static struct file *make_elf(void)
{
	struct file *f = calloc(1, ELF_SIZE);

	f->h = make_elf_header();
	f->p[0] = (struct phdr){ 1, 5, 0x1000, BASE, 0, 0x800, 0x800, 4096 };
	f->p[1] = (struct phdr){ 1, 4, 0x1800, BASE + 0x1000, 0, 0x10, 0x10, 4096 };
	f->p[2] = (struct phdr){ 1, 6, 0x2000, BASE + 0x2000, 0, 0x1000, 0x3456, 4096 };
	return f;
}

static const char *parse(const struct file *f, u64 size, struct elf_image *out)
{
	return elf_parse(f, size, BASE, LIMIT, out);
}

static void elf_good(void **state)
{
	struct file *f = make_elf();
	struct elf_image image;

	(void)state;
	assert_null(parse(f, ELF_SIZE, &image));
	assert_int_equal(image.nr_segments, 3);
	assert_int_equal(image.low, BASE);
	assert_int_equal(image.high, BASE + 0x6000);
	assert_int_equal(image.segments[0].prot, PV_PROT_READ | PV_PROT_EXEC);
	assert_int_equal(image.segments[2].npages, 4);
	assert_int_equal(image.segments[2].filesz, 0x1000);
	free(f);
}

/* Changes one 16, 32 or 64-bit field of a good file; the result must be refused. */
#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		struct file *f = make_elf();                                                       \
		struct elf_image image;                                                            \
                                                                                                   \
		f->field = (value);                                                                \
		assert_non_null(parse(f, ELF_SIZE, &image));                                       \
		free(f);                                                                           \
	} while (0)

static void elf_bad(void **state)
{
	(void)state;
	REFUSED(h.ident[0], 0);
	REFUSED(h.ident[4], 1);
	REFUSED(h.type, 3);
	REFUSED(h.machine, 3);
	REFUSED(h.phnum, 0);
	REFUSED(h.phnum, 0xffff);
	REFUSED(h.phentsize, 32);
	REFUSED(h.phoff, ELF_SIZE);
	REFUSED(h.phoff, ~0ull - 8);
	REFUSED(h.entry, BASE + 0x1000);
	REFUSED(h.entry, 0);
	REFUSED(p[0].flags, 7);
	REFUSED(p[0].type, 3);
	REFUSED(p[1].type, 2); /* dynamic */
	REFUSED(p[1].type, 3); /* wants an interpreter */
	REFUSED(p[1].vaddr, BASE + 0x800);
	REFUSED(p[1].vaddr, BASE);
	REFUSED(p[0].vaddr, BASE - 0x1000);
	REFUSED(p[0].vaddr, ~0ull - 0x10);
	REFUSED(p[2].vaddr, LIMIT);
	REFUSED(p[2].memsz, ~0ull);
	REFUSED(p[2].memsz, 0xfff);
	REFUSED(p[2].filesz, 0x1001);
	REFUSED(p[2].offset, ~0ull - 0x100);
}

static void elf_many_segments(void **state)
{
	const u16 n = ELF_MAX_SEGMENTS + 1;
	struct phdr *p;
	struct file *f = calloc(1, sizeof(f->h) + n * sizeof(*p));
	struct elf_image image;

	(void)state;
	f->h = make_elf_header();
	f->h.phnum = n;
	p = (struct phdr *)(&f->h + 1);
	for (u32 i = 0; i < n; i++)
		p[i] = (struct phdr){ 1, 5, 0, BASE + i * 0x1000, 0, 0x10, 0x10, 4096 };
	assert_non_null(parse(f, sizeof(f->h) + n * sizeof(*p), &image));
	f->h.phnum--;
	assert_null(parse(f, sizeof(f->h) + n * sizeof(*p), &image));
	assert_int_equal(image.nr_segments, ELF_MAX_SEGMENTS);
	free(f);
}

static void elf_truncated(void **state)
{
	struct file *whole = make_elf();
	struct elf_image image;

	(void)state;
	for (u64 size = 0; size < ELF_SIZE; size += 8) {
		u8 *part = malloc(size ? size : 1);

		memcpy(part, whole, size);
		assert_non_null(elf_parse(part, size, BASE, LIMIT, &image));
		free(part);
	}
	free(whole);
}

static u64 next_random(u64 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void elf_mutated(void **state)
{
	u64 x = 88172645463325252ull;
	u32 accepted = 0;

	(void)state;
	for (u32 i = 0; i < MUTATIONS; i++) {
		struct file *f = make_elf();
		struct elf_image image;

		for (u32 n = 1 + (u32)(next_random(&x) % 3); n; n--)
			((u8 *)f)[next_random(&x) % sizeof(*f)] = (u8)next_random(&x);
		if (!parse(f, ELF_SIZE, &image)) {
			vaddr_t last = BASE;

			accepted++;
			for (u32 s = 0; s < image.nr_segments; s++) {
				const struct elf_segment *seg = &image.segments[s];

				assert_true(seg->va >= last);
				last = seg->va + (seg->npages << PAGE_SHIFT);
				assert_true(last <= LIMIT);
				assert_true(seg->offset + seg->filesz <= ELF_SIZE);
				assert_true(seg->data_va >= seg->va &&
					    seg->data_va + seg->filesz <= last);
			}
		}
		free(f);
	}
	assert_true(accepted > 0);
}

/* ---- boot image ---- */

struct image {
	struct pv_image_header h;
	struct pv_image_entry e[2];
	u8 pad[PAGE_SIZE - sizeof(struct pv_image_header) - 2 * sizeof(struct pv_image_entry)];
	u8 init[100];
};

static void seal(struct image *im)
{
	im->h.crc32 = crc32(im->e, sizeof(im->e));
}

static struct image *make_image(void)
{
	struct image *im = calloc(1, sizeof(*im));

	im->h = (struct pv_image_header){
		.magic = PV_IMAGE_MAGIC, .version = 1, .count = 2, .size = sizeof(*im)
	};
	im->e[0] = (struct pv_image_entry){ .name = "init", .type = PV_ENTRY_INIT };
	im->e[0].offset = PAGE_SIZE;
	im->e[0].size = sizeof(im->init);
	im->e[0].crc32 = crc32(im->init, sizeof(im->init));
	im->e[1] = (struct pv_image_entry){ .name = "manifest", .type = PV_ENTRY_MANIFEST };
	seal(im);
	return im;
}

#define IMAGE_REFUSED(statement, resealed)                                                         \
	do {                                                                                       \
		struct image *im = make_image();                                                   \
		struct pv_image_entry found;                                                       \
                                                                                                   \
		statement;                                                                         \
		if (resealed)                                                                      \
			seal(im);                                                                  \
		assert_non_null(boot_image_find_init(im, sizeof(*im), &found));                    \
		free(im);                                                                          \
	} while (0)

static void image_good(void **state)
{
	struct image *im = make_image();
	struct pv_image_entry found;

	(void)state;
	assert_int_equal(crc32("123456789", 9), 0xcbf43926);
	assert_null(boot_image_find_init(im, sizeof(*im), &found));
	assert_int_equal(found.offset, PAGE_SIZE);
	free(im);
}

static void image_bad(void **state)
{
	(void)state;
	IMAGE_REFUSED(im->h.magic++, false);
	IMAGE_REFUSED(im->h.version++, false);
	IMAGE_REFUSED(im->h.count = 0, false);
	IMAGE_REFUSED(im->h.count = PV_IMAGE_MAX_ENTRIES, false);
	IMAGE_REFUSED(im->h.size++, false);
	IMAGE_REFUSED(im->e[0].size--, false);
	IMAGE_REFUSED(im->init[99]++, false);
	IMAGE_REFUSED(im->h.crc32++, false);
	IMAGE_REFUSED((im->e[0].offset += 8, im->e[0].crc32 = crc32(im->init + 8, sizeof(im->init) - 8),
		       im->e[0].size -= 8), true);
	IMAGE_REFUSED(im->e[0].offset = ~0xfffull, true);
	IMAGE_REFUSED(im->e[0].size = ~0ull, true);
	IMAGE_REFUSED(im->e[0].type = PV_ENTRY_KERNEL, true);
	IMAGE_REFUSED(im->e[1].type = PV_ENTRY_INIT, true);
	IMAGE_REFUSED(memset(im->e[1].name, 'x', sizeof(im->e[1].name)), true);
}

static void image_truncated(void **state)
{
	struct image *whole = make_image();
	struct pv_image_entry found;

	(void)state;
	for (u64 size = 0; size < sizeof(*whole); size++) {
		u8 *part = malloc(size ? size : 1);

		memcpy(part, whole, size);
		assert_non_null(boot_image_find_init(part, size, &found));
		free(part);
	}
	free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_good),	   cmocka_unit_test(elf_bad),
		cmocka_unit_test(elf_many_segments),
		cmocka_unit_test(elf_truncated),   cmocka_unit_test(elf_mutated),
		cmocka_unit_test(image_good),	   cmocka_unit_test(image_bad),
		cmocka_unit_test(image_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
