/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dmar.h - what firmware says about DMA remapping (ACPI table DMAR). No hardware is touched here.
 */
#ifndef RF_DMAR_H
#define RF_DMAR_H

#include "compiler.h"
#include "types.h"

#define DMAR_UNITS 8
#define DMAR_IOAPICS 8
#define DMAR_SCOPES 64
#define DMAR_RESERVED 16
#define DMAR_PATH 4

/* A device by the bus it starts from and the (device, function) pairs down to it. */
struct dmar_path {
	u8 bus;
	bool bridge; /* and everything behind it */
	u8 depth;
	struct {
		u8 device, function;
	} step[DMAR_PATH];
};

struct dmar {
	u32 nr_units;
	paddr_t units[DMAR_UNITS]; /* registers */
	bool covers_all;	   /* a unit takes every function that is not named */
	u32 nr_scopes;
	struct dmar_path scopes[DMAR_SCOPES]; /* functions that are named for some unit */
	u32 nr_ioapics;
	struct {
		u8 id;
		u16 source; /* bus << 8 | device << 3 | function it sends interrupts as */
	} ioapics[DMAR_IOAPICS];
	u32 nr_reserved;
	struct dmar_path reserved[DMAR_RESERVED]; /* devices that use memory of firmware's */
};

/* Segment 0 of a table of `size` bytes. false: malformed, or more than there is room for. */
warn_unused_result bool dmar_parse(const void *table, u64 size, struct dmar *out);

#endif
