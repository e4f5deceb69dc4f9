/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - what both sides of a split virtqueue share: its layout in memory (virtio 1.x, 2.7) and the
 * window, the only memory the two have in common.
 *
 * Every address in a descriptor or a queue's set-up is an offset into the window, which has three
 * areas: what the driver writes (descriptors, avail ring), what the device writes (used ring,
 * in-flight log), and buffers. Each may be mapped read-only where its reader lives, so an offset is
 * looked up in the area it belongs to and nowhere else: a peer that names another one gets NULL.
 *
 * The peer may write to this memory at any time. Whatever is decided on is read once, by the
 * functions below, into memory of our own.
 */
#ifndef VIRTIO_RING_H
#define VIRTIO_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VR_SIZE_MAX 1024u /* entries of a queue, a power of two */

#define VR_DESC_NEXT 1u
#define VR_DESC_WRITE 2u
#define VR_DESC_INDIRECT 4u
#define VR_AVAIL_NO_INTERRUPT 1u
#define VR_USED_NO_NOTIFY 1u

struct vr_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct vr_used_elem {
	uint32_t id;
	uint32_t len;
};

/* Both rings end with a uint16_t: used_event behind avail.ring, avail_event behind used.ring. */
struct vr_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct vr_used {
	uint16_t flags;
	uint16_t idx;
	struct vr_used_elem ring[];
};

#define VR_DESC_BYTES(size) ((uint64_t)(size) * 16u)
#define VR_AVAIL_BYTES(size) ((uint64_t)(size) * 2u + 6u)
#define VR_USED_BYTES(size) ((uint64_t)(size) * 8u + 6u)

/* Offsets off to off + len - 1 of the window lie at base. */
struct vr_area {
	uint8_t *base;
	uint64_t off;
	uint64_t len;
};

struct vr_window {
	struct vr_area driver; /* written by the driver */
	struct vr_area device; /* written by the device */
	struct vr_area data;   /* buffers, written by both */
};

/* Where the parts of a queue are, as offsets; `log` is the device's in-flight log (inflight.h). */
struct vr_place {
	uint16_t size;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	uint64_t log;
};

/* A piece of a buffer, checked: `at` is where offset `off` is mapped. */
struct vr_seg {
	uint8_t *at;
	uint64_t off;
	uint32_t len;
};

/* len bytes at offset off, or NULL when they do not all lie in the area. Cannot overflow: an off
 * below the area becomes a huge distance. */
static inline void *vr_at(const struct vr_area *area, uint64_t off, uint64_t len)
{
	if (len > area->len || off - area->off > area->len - len)
		return NULL;
	return area->base + (off - area->off);
}

static inline bool vr_size_valid(uint32_t size)
{
	return size != 0 && size <= VR_SIZE_MAX && (size & (size - 1)) == 0;
}

/* Does moving an index from old to new pass the event index? (virtio 1.x, 2.7.7.1) */
static inline bool vr_need_event(uint16_t event, uint16_t new_idx, uint16_t old_idx)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old_idx);
}

/*
 * Test builds see every access to shared memory and every step of a request: with VR_TEST_HOOKS a read
 * becomes a place where the test changes the memory, a store and a step one where it lets the back
 * end die. Normal builds contain nothing of it.
 */
enum vr_step {
	VR_STEP_POPPED,	   /* the head is read, not yet in the log */
	VR_STEP_LOGGED,	   /* in the log, not yet given to the back end */
	VR_STEP_SUBMITTED, /* the back end has it (said by the back end) */
	VR_STEP_FILLED,	   /* the used entry is written, not published */
	VR_STEP_PUBLISHED, /* used.idx is moved, the log still has it */
	VR_STEP_CLEARED,   /* out of the log, whose used_idx is one behind */
	VR_STEPS,
};

#ifdef VR_TEST_HOOKS
void vr_test_load(void);
void vr_test_store(void);
void vr_test_step(enum vr_step step);
#else
static inline void vr_test_load(void) {}
static inline void vr_test_store(void) {}
static inline void vr_test_step(enum vr_step step)
{
	(void)step;
}
#endif

/* Loads and stores of shared memory. Acquire and release, so that on one side everything keeps its
 * order and a back end that dies leaves a prefix of its stores. */
static inline uint16_t vr_load16(const uint16_t *from)
{
	vr_test_load();
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline uint32_t vr_load32(const uint32_t *from)
{
	vr_test_load();
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline uint64_t vr_load64(const uint64_t *from)
{
	vr_test_load();
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline void vr_store16(uint16_t *to, uint16_t value)
{
	vr_test_store();
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static inline void vr_store32(uint32_t *to, uint32_t value)
{
	vr_test_store();
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static inline void vr_store64(uint64_t *to, uint64_t value)
{
	vr_test_store();
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

/* My store must be visible before I look at what the peer stored: each side publishes an index, then
 * reads the other's event index. Pairs with itself on the other side. */
static inline void vr_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Copies bytes of which either side may be shared: each is read once. By words, because moves of
 * bytes are slow where we run most (emulated processors). */
void vr_copy(void *to, const void *from, size_t len);
void vr_zero(void *to, size_t len);

/* Copy between own memory and the bytes from `skip` on of a list of segments. Return the bytes
 * copied, fewer than len when the list ends first. */
size_t vr_gather(void *to, const struct vr_seg *segs, unsigned count, uint64_t skip, size_t len);
size_t vr_scatter(const struct vr_seg *segs, unsigned count, uint64_t skip, const void *from,
		  size_t len);

/* The bytes [skip, skip + len) of a list, as a list of its own in out; out needs room for count
 * entries and may be segs itself. Returns how many it has; less than asked for is left out. */
unsigned vr_slice(struct vr_seg *out, const struct vr_seg *segs, unsigned count, uint64_t skip,
		  uint64_t len);

uint64_t vr_total(const struct vr_seg *segs, unsigned count);

#endif
