/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf.h - reads a static ELF64 file: checks everything first, then hands out its segments.
 */
#ifndef RF_ELF_H
#define RF_ELF_H

#include "compiler.h"
#include "types.h"

#define ELF_MAX_SEGMENTS 16

struct elf_segment {
	vaddr_t va;   /* page-aligned start of what must be mapped */
	u64 npages;
	u32 prot;     /* PV_PROT_* */
	vaddr_t data_va; /* where the file's bytes go */
	u64 offset, filesz;
};

struct elf_image {
	vaddr_t entry;
	vaddr_t low, high; /* page-aligned bounds of all segments */
	u32 nr_segments;
	struct elf_segment segments[ELF_MAX_SEGMENTS]; /* ascending, on distinct pages */
};

/* NULL if the file is well-formed, else what is wrong with it. All segments lie in [base, limit). */
warn_unused_result const char *elf_parse(const void *file, u64 size, vaddr_t base, vaddr_t limit,
					 struct elf_image *out);

#endif
