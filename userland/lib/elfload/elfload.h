/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elfload.h - reads the program headers of an ELF64 executable out of bytes nobody has checked.
 *
 * It decides nothing about where memory comes from: it hands back a short list of page-aligned
 * pieces that do not overlap, in rising order, each with its bytes inside the file. Pure: no
 * allocation, no libpv, so it is tested and fuzzed on the build machine.
 */
#ifndef ELFLOAD_H
#define ELFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_SEGMENTS 16

enum elf_address {
	ELF_VIRTUAL,  /* segments lie at p_vaddr: explicit domains */
	ELF_PHYSICAL, /* segments lie at p_paddr: kernels of walked domains */
};

struct elf_segment {
	uint64_t addr; /* page-aligned */
	uint64_t memsz; /* bytes; what the file does not fill is zero */
	const uint8_t *data;
	uint64_t filesz;
	uint32_t prot; /* PV_PROT_* */
};

struct elf_image {
	uint64_t entry;      /* e_entry */
	uint64_t note_entry; /* of the note `ringfence`, PV_NOTE_TYPE_ENTRY */
	bool has_note;
	unsigned count;
	struct elf_segment segments[ELF_MAX_SEGMENTS];
};

/* NULL, or a sentence that says what is wrong with the file. */
const char *elf_parse(const void *file, uint64_t size, enum elf_address which,
		      struct elf_image *out) __attribute__((warn_unused_result));

/* First address after the last segment, page-aligned. */
uint64_t elf_end(const struct elf_image *image);

/* Pages the segments cover. */
uint64_t elf_pages(const struct elf_image *image);

#endif
