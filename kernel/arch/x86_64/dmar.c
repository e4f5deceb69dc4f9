// SPDX-License-Identifier: BSD-2-Clause
/*
 * dmar.c - reading ACPI's DMAR table: remapping units, how I/O APICs sign their interrupts, and the devices
 * that firmware has given memory of its own (RMRR), which nobody else may have.
 *
 * A table that is not understood in full is no base for protection: it is refused as a whole.
 */
#include "dmar.h"

#include "string.h"

#define HEADER 48
#define DRHD 0
#define DRHD_SIZE 16
#define DRHD_ALL 1
#define RMRR 1
#define RMRR_SIZE 24
#define SCOPE_SIZE 6
#define SCOPE_BRIDGE 2
#define SCOPE_IOAPIC 3

static u32 get(const u8 *p, u32 bytes)
{
	u32 v = 0;

	memcpy(&v, p, bytes);
	return v;
}

static bool read_path(const u8 *scope, u32 size, struct dmar_path *path)
{
	u32 steps = (size - SCOPE_SIZE) / 2;

	if (!steps || steps > DMAR_PATH || size % 2)
		return false;
	path->bridge = scope[0] == SCOPE_BRIDGE;
	path->bus = scope[5];
	path->depth = (u8)steps;
	for (u32 i = 0; i < steps; i++) {
		path->step[i].device = scope[SCOPE_SIZE + 2 * i] & 31;
		path->step[i].function = scope[SCOPE_SIZE + 2 * i + 1] & 7;
	}
	return true;
}

static bool add_path(struct dmar_path *paths, u32 *count, u32 max, const struct dmar_path *path)
{
	if (*count == max)
		return false;
	paths[(*count)++] = *path;
	return true;
}

static bool add_ioapic(struct dmar *out, u8 id, const struct dmar_path *path)
{
	if (path->depth != 1 || out->nr_ioapics == DMAR_IOAPICS)
		return false;
	out->ioapics[out->nr_ioapics].id = id;
	out->ioapics[out->nr_ioapics].source =
		(u16)(path->bus << 8 | path->step[0].device << 3 | path->step[0].function);
	out->nr_ioapics++;
	return true;
}

/* The device scopes at the end of an entry. */
static bool read_scopes(const u8 *p, const u8 *end, u32 type, struct dmar *out)
{
	for (u32 size; p < end; p += size) {
		struct dmar_path path;

		size = end - p >= SCOPE_SIZE ? p[1] : 0;
		if (size <= SCOPE_SIZE || size > end - p || !read_path(p, size, &path))
			return false;
		if (!(type == RMRR ? add_path(out->reserved, &out->nr_reserved, DMAR_RESERVED, &path) :
		      p[0] == SCOPE_IOAPIC ? add_ioapic(out, p[4], &path) :
		      p[0] > SCOPE_BRIDGE ? true :
		      add_path(out->scopes, &out->nr_scopes, DMAR_SCOPES, &path)))
			return false;
	}
	return true;
}

static bool read_unit(const u8 *e, struct dmar *out)
{
	paddr_t base = get(e + 8, 4) | (u64)get(e + 12, 4) << 32;

	if (!base || base % PAGE_SIZE || out->nr_units == DMAR_UNITS)
		return false;
	out->units[out->nr_units++] = base;
	out->covers_all |= e[4] & DRHD_ALL;
	return true;
}

static bool read_entry(const u8 *e, u32 size, struct dmar *out)
{
	u32 type = get(e, 2), header = type == DRHD ? DRHD_SIZE : RMRR_SIZE;

	if (type > RMRR)
		return true; /* about ATS, NUMA and names: not used */
	if (size < header)
		return false;
	if (get(e + 6, 2)) /* another segment */
		return true;
	if (type == DRHD && !read_unit(e, out))
		return false;
	return read_scopes(e + header, e + size, type, out);
}

bool dmar_parse(const void *table, u64 size, struct dmar *out)
{
	const u8 *e = (const u8 *)table + HEADER, *end = (const u8 *)table + size;
	u32 length;

	memset(out, 0, sizeof(*out));
	if (size < HEADER)
		return false;
	for (; e < end; e += length) {
		length = end - e >= 4 ? get(e + 2, 2) : 0;
		if (length < 4 || length > end - e || !read_entry(e, length, out))
			return false;
	}
	return out->nr_units != 0;
}
