/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC-32 (IEEE). A boot image is tens of megabytes and is checked before anything runs, so eight bytes
 * are folded per step; the tables are computed from the polynomial on first use rather than written out.
 */
#include "manifest.h"

#define POLYNOMIAL 0xedb88320u
#define LANES 8

static uint32_t table[LANES][256];

static void crc32_make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int lane = 1; lane < LANES; lane++) {
			uint32_t crc = table[lane - 1][i];

			table[lane][i] = (crc >> 8) ^ table[0][crc & 0xff];
		}
}

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t mf_crc32(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	/* The last value of the last table is never zero once the tables are made. */
	if (!table[LANES - 1][255])
		crc32_make_tables();
	crc = ~crc;
	for (; len >= LANES; len -= LANES, p += LANES) {
		uint32_t low = crc ^ load32(p), high = load32(p + 4);

		crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
		      table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
		      table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
		      table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
	}
	while (len--)
		crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}
