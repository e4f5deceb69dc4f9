/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies to and from memory the other side may write to at any time; see ring.h. */
#include "ring.h"

/* volatile keeps the compiler from reading twice and from making a call of memcpy of the loop. */
struct word {
	uint64_t value;
} __attribute__((packed, may_alias));

#define WORDS 8u /* of one turn of the loop */

void vr_copy(void *to, const void *from, size_t len)
{
	volatile uint8_t *out = to;
	const volatile uint8_t *in = from;

	for (; len >= WORDS * 8; len -= WORDS * 8, out += WORDS * 8, in += WORDS * 8) {
		volatile struct word *w = (volatile struct word *)out;
		const volatile struct word *r = (const volatile struct word *)in;

		w[0].value = r[0].value;
		w[1].value = r[1].value;
		w[2].value = r[2].value;
		w[3].value = r[3].value;
		w[4].value = r[4].value;
		w[5].value = r[5].value;
		w[6].value = r[6].value;
		w[7].value = r[7].value;
	}
	for (; len >= 8; len -= 8, out += 8, in += 8)
		((volatile struct word *)out)->value = ((const volatile struct word *)in)->value;
	for (; len; len--)
		*out++ = *in++;
}

void vr_zero(void *to, size_t len)
{
	volatile uint8_t *out = to;

	for (; len >= 8; len -= 8, out += 8)
		((volatile struct word *)out)->value = 0;
	for (; len; len--)
		*out++ = 0;
}

/* One walk for both directions: calls of vr_copy for the bytes from skip on. */
static size_t walk(const struct vr_seg *segs, unsigned count, uint64_t skip, size_t len, void *to,
		   const void *from)
{
	size_t done = 0;

	for (unsigned i = 0; i < count && done < len; i++) {
		size_t n;

		if (skip >= segs[i].len) {
			skip -= segs[i].len;
			continue;
		}
		n = segs[i].len - (size_t)skip;
		if (n > len - done)
			n = len - done;
		vr_test_load();
		if (to)
			vr_copy((uint8_t *)to + done, segs[i].at + skip, n);
		else
			vr_copy(segs[i].at + skip, (const uint8_t *)from + done, n);
		done += n;
		skip = 0;
	}
	return done;
}

size_t vr_gather(void *to, const struct vr_seg *segs, unsigned count, uint64_t skip, size_t len)
{
	return walk(segs, count, skip, len, to, NULL);
}

size_t vr_scatter(const struct vr_seg *segs, unsigned count, uint64_t skip, const void *from,
		  size_t len)
{
	return walk(segs, count, skip, len, NULL, from);
}

unsigned vr_slice(struct vr_seg *out, const struct vr_seg *segs, unsigned count, uint64_t skip,
		  uint64_t len)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count && len; i++) {
		struct vr_seg seg = segs[i];

		if (skip >= seg.len) {
			skip -= seg.len;
			continue;
		}
		seg.at += skip;
		seg.off += skip;
		seg.len -= (uint32_t)skip;
		skip = 0;
		if (seg.len > len)
			seg.len = (uint32_t)len;
		len -= seg.len;
		out[n++] = seg;
	}
	return n;
}

uint64_t vr_total(const struct vr_seg *segs, unsigned count)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < count; i++)
		total += segs[i].len;
	return total;
}
