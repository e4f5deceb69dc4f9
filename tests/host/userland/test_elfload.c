/* SPDX-License-Identifier: BSD-2-Clause */
/* The ELF reader against good files, each kind of bad one, and random damage. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pv/abi.h>

#include "elfload.h"

#define FILE_SIZE 0x3000

struct file {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	struct {
		uint32_t namesz, descsz, type;
		char name[12];
		uint64_t entry;
	} __attribute__((packed)) note;
	uint8_t rest[FILE_SIZE - 64 - 3 * 56 - 32];
};

_Static_assert(sizeof(struct file) == FILE_SIZE, "one file");

static struct file good(void)
{
	struct file f = {
		.eh = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_entry = 0x400010,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3,
		},
		.ph = {
			{ PT_LOAD, PF_R | PF_W, 0x2000, 0x402000, 0x202000, 0x800, 0x1800, 4096 },
			{ PT_LOAD, PF_R | PF_X, 0x1000, 0x400000, 0x200000, 0x1000, 0x1000, 4096 },
			{ PT_NOTE, PF_R, offsetof(struct file, note), 0, 0, 32, 32, 4 },
		},
		.note = { 10, 8, PV_NOTE_TYPE_ENTRY, "ringfence", 0xffffffff80200000 },
	};

	return f;
}

/* Parses an exact-size heap copy, so that the sanitizer sees one byte too far. */
static const char *parse(const struct file *f, uint64_t size, enum elf_address which,
			 struct elf_image *out)
{
	uint8_t *copy = malloc(size ? size : 1);
	const char *why;

	memcpy(copy, f, size);
	why = elf_parse(copy, size, which, out);
	if (!why)
		for (unsigned i = 0; i < out->count; i++) {
			const struct elf_segment *seg = &out->segments[i];
			volatile uint8_t sum = 0;

			for (uint64_t j = 0; j < seg->filesz; j++)
				sum = (uint8_t)(sum + seg->data[j]);
			assert_true(seg->filesz <= seg->memsz);
			assert_int_equal(seg->addr % 4096, 0);
			assert_true(!i || seg->addr >= out->segments[i - 1].addr +
							       out->segments[i - 1].memsz);
		}
	free(copy);
	return why;
}

static void good_file(void **state)
{
	struct file f = good();
	struct elf_image e;

	(void)state;
	assert_null(parse(&f, sizeof(f), ELF_VIRTUAL, &e));
	assert_int_equal(e.count, 2);
	assert_int_equal(e.entry, 0x400010);
	assert_true(e.has_note);
	assert_int_equal(e.note_entry, 0xffffffff80200000);
	assert_int_equal(e.segments[0].addr, 0x400000); /* sorted */
	assert_int_equal(e.segments[0].prot, PV_PROT_READ | PV_PROT_EXEC);
	assert_int_equal(e.segments[1].memsz, 0x1800);
	assert_int_equal(elf_end(&e), 0x404000);
	assert_int_equal(elf_pages(&e), 3);
	assert_null(parse(&f, sizeof(f), ELF_PHYSICAL, &e));
	assert_int_equal(e.segments[0].addr, 0x200000);
}

static void bad_files(void **state)
{
	struct elf_image e;
	struct file f;

	(void)state;
#define BAD(change, text)                                                                         \
	do {                                                                                      \
		f = good();                                                                       \
		change;                                                                           \
		assert_string_equal(parse(&f, sizeof(f), ELF_VIRTUAL, &e), text);                 \
	} while (0)
	BAD(f.eh.e_ident[1] = 'X', "not a little-endian ELF64 file");
	BAD(f.eh.e_machine = EM_386, "not for x86-64");
	BAD(f.eh.e_type = ET_DYN, "not a fixed-address executable");
	BAD(f.eh.e_phnum = 0, "no program headers");
	BAD(f.eh.e_phnum = 0xffff, "program headers reach beyond the end of the file");
	BAD(f.eh.e_phoff = ~0ull, "program headers reach beyond the end of the file");
	BAD(f.ph[0].p_offset = ~0ull, "a segment reaches beyond the end of the file");
	BAD(f.ph[0].p_filesz = ~0ull, "a segment reaches beyond the end of the file");
	BAD(f.ph[0].p_filesz = 0x1001, "a segment reaches beyond the end of the file");
	BAD(f.ph[0].p_memsz = 0x10, "a segment is larger in the file than in memory");
	BAD(f.ph[0].p_vaddr = ~0xfffull, "a segment lies beyond the address space");
	BAD(f.ph[0].p_memsz = ~0ull, "a segment lies beyond the address space");
	BAD(f.ph[0].p_vaddr = 0x402010, "a segment does not start at a page");
	BAD(f.ph[0].p_flags = PF_W, "a segment is not readable");
	BAD(f.ph[0].p_vaddr = 0x400000, "two segments share a page");
	BAD(f.ph[0].p_type = f.ph[1].p_type = PT_NULL, "nothing to load");
	f = good();
	assert_string_equal(parse(&f, 63, ELF_VIRTUAL, &e), "too short for an ELF file");
	assert_string_equal(parse(&f, 0x2100, ELF_VIRTUAL, &e),
			    "a segment reaches beyond the end of the file");
}

static void damaged_notes(void **state)
{
	struct elf_image e;
	struct file f;

	(void)state;
	f = good();
	f.note.namesz = 0xfffffffd;
	assert_null(parse(&f, sizeof(f), ELF_VIRTUAL, &e));
	assert_false(e.has_note);
	f = good();
	f.note.descsz = 0xffffffff;
	assert_null(parse(&f, sizeof(f), ELF_VIRTUAL, &e));
	assert_false(e.has_note);
	f = good();
	f.ph[2].p_filesz = 31;
	assert_null(parse(&f, sizeof(f), ELF_VIRTUAL, &e));
	assert_false(e.has_note);
}

static void random_damage(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct file f = good();
		struct elf_image e;

		for (int j = 0; j < 4; j++) {
			seed = seed * 1664525u + 1013904223u;
			((uint8_t *)&f)[(seed >> 8) % offsetof(struct file, rest)] = (uint8_t)seed;
		}
		(void)!parse(&f, sizeof(f), i & 1 ? ELF_VIRTUAL : ELF_PHYSICAL, &e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_file),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(damaged_notes),
		cmocka_unit_test(random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
