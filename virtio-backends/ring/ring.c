/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies to and from memory the other side may write to at any time; see ring.h. */
#include "ring.h"

/* volatile keeps the compiler from reading twice and from making a call of memcpy of the loop. */
struct word {
	uint64_t value;
} __attribute__((packed, may_alias));

/* A string instruction counts one a word where instructions are counted, and is no slower than a loop. What
 * sanitizers are to see has to be a loop. */
#ifndef __has_feature /* clang's */
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
static void copy_words(volatile uint8_t *out, const volatile uint8_t *in, size_t words)
{
	for (; words; words--, out += 8, in += 8)
		((volatile struct word *)out)->value = ((const volatile struct word *)in)->value;
}
#else
static void copy_words(volatile uint8_t *out, const volatile uint8_t *in, size_t words)
{
	__asm__ volatile("rep movsq" : "+D"(out), "+S"(in), "+c"(words) : : "memory");
}
#endif

struct half {
	uint32_t value;
} __attribute__((packed, may_alias));

struct quarter {
	uint16_t value;
} __attribute__((packed, may_alias));

void vr_copy(void *to, const void *from, size_t len)
{
	volatile uint8_t *out = to;
	const volatile uint8_t *in = from;
	size_t words = len / 8;

	copy_words(out, in, words);
	out += words * 8;
	in += words * 8;
	if (len & 4) {
		((volatile struct half *)out)->value = ((const volatile struct half *)in)->value;
		out += 4;
		in += 4;
	}
	if (len & 2) {
		((volatile struct quarter *)out)->value = ((const volatile struct quarter *)in)->value;
		out += 2;
		in += 2;
	}
	if (len & 1)
		*out = *in;
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
