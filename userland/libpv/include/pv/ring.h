/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/ring.h - one direction of a byte ring in shared memory. Indices run freely and are taken modulo
 * the size, a power of two. Each index is written by one side only: data before prod (release), prod
 * before data (acquire), and likewise for cons. The other side may be hostile: a distance larger
 * than the ring counts as full for the writer and as empty for the reader, never as an offset.
 */
#ifndef PV_RING_H
#define PV_RING_H

#include <stddef.h>
#include <stdint.h>

struct pv_ring {
	uint32_t *prod;
	uint32_t *cons;
	uint8_t *data;
	uint32_t size;
};

static inline uint32_t pv_ring_used(const struct pv_ring *ring)
{
	uint32_t used = __atomic_load_n(ring->prod, __ATOMIC_ACQUIRE) -
			__atomic_load_n(ring->cons, __ATOMIC_ACQUIRE);

	return used <= ring->size ? used : 0;
}

static inline uint32_t pv_ring_room(const struct pv_ring *ring)
{
	uint32_t used = __atomic_load_n(ring->prod, __ATOMIC_ACQUIRE) -
			__atomic_load_n(ring->cons, __ATOMIC_ACQUIRE);

	return used <= ring->size ? ring->size - used : 0;
}

/* The producer's step. Returns how many of the bytes found room. */
static inline size_t pv_ring_put(const struct pv_ring *ring, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;
	uint32_t room = pv_ring_room(ring);
	uint32_t prod = __atomic_load_n(ring->prod, __ATOMIC_RELAXED);
	uint32_t n = len < room ? (uint32_t)len : room;

	for (uint32_t i = 0; i < n; i++)
		ring->data[(prod + i) % ring->size] = from[i];
	__atomic_store_n(ring->prod, prod + n, __ATOMIC_RELEASE);
	return n;
}

/* The consumer's step. Returns how many bytes it got. */
static inline size_t pv_ring_get(const struct pv_ring *ring, void *bytes, size_t len)
{
	uint8_t *to = bytes;
	uint32_t used = pv_ring_used(ring);
	uint32_t cons = __atomic_load_n(ring->cons, __ATOMIC_RELAXED);
	uint32_t n = len < used ? (uint32_t)len : used;

	for (uint32_t i = 0; i < n; i++)
		to[i] = ring->data[(cons + i) % ring->size];
	__atomic_store_n(ring->cons, cons + n, __ATOMIC_RELEASE);
	return n;
}

#endif
