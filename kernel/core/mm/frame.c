// SPDX-License-Identifier: BSD-2-Clause
/*
 * frame.c - machine frames: one table entry each, one global allocator.
 *
 * Memory is cut into blocks of 2 MiB. A block with free frames keeps them on a list of its own, so
 * it is known at once when it is whole again and can be handed out in one piece. 4 KiB frames come
 * from blocks that are broken already.
 *
 * Who may take frames is not decided here: quotas are numbers that domains pass on to their
 * children, their sum is never more than there are frames, and frames leave a quota only when they
 * are back on these lists. So within a quota an allocation finds something.
 */
#include "mm.h"

#include "arch_mmu.h"
#include "bits.h"
#include "boot_info.h"
#include "fail.h"
#include "init.h"
#include "log.h"
#include "panic.h"

#define BLOCK_FRAMES 512u
#define NO_BLOCK 0xffffffffu

struct block {
	u32 first; /* mfn of a free frame, 0 = none */
	u32 free;
	u32 next, prev; /* on the list of broken or of whole blocks; NO_BLOCK ends it */
};

struct frame *frame_table;

static struct spinlock frame_lock = SPINLOCK_INIT;
static struct block *blocks;
static u64 nr_frames, nr_managed, nr_free;
static u32 broken, whole; /* first blocks of the two lists */

static void list_add(u32 *head, u32 b)
{
	blocks[b].next = *head;
	blocks[b].prev = NO_BLOCK;
	if (*head != NO_BLOCK)
		blocks[*head].prev = b;
	*head = b;
}

static void list_del(u32 *head, u32 b)
{
	struct block *block = &blocks[b];

	if (block->prev == NO_BLOCK)
		*head = block->next;
	else
		blocks[block->prev].next = block->next;
	if (block->next != NO_BLOCK)
		blocks[block->next].prev = block->prev;
}

mfn_t frame_alloc(void)
{
	struct block *block;
	mfn_t mfn = 0;
	u32 b;

	if (FAIL_POINT(PV_ENOMEM))
		return 0;
	spin_lock(&frame_lock);
	if (broken == NO_BLOCK && whole != NO_BLOCK) {
		b = whole;
		list_del(&whole, b);
		list_add(&broken, b);
	}
	if (broken != NO_BLOCK) {
		b = broken;
		block = &blocks[b];
		mfn = block->first;
		block->first = frame_table[mfn].next;
		if (--block->free == 0)
			list_del(&broken, b);
		nr_free--;
		frame_table[mfn] = (struct frame){ .state = FRAME_TAKEN };
	}
	spin_unlock(&frame_lock);
	if (mfn)
		arch_frame_taken(mfn);
	return mfn;
}

mfn_t frame_alloc_large(void)
{
	mfn_t mfn = 0;

	if (FAIL_POINT(PV_ENOMEM))
		return 0;
	spin_lock(&frame_lock);
	if (whole != NO_BLOCK) {
		u32 b = whole;

		list_del(&whole, b);
		blocks[b].first = 0;
		blocks[b].free = 0;
		nr_free -= BLOCK_FRAMES;
		mfn = (mfn_t)b * BLOCK_FRAMES;
	}
	spin_unlock(&frame_lock);
	for (u32 i = 0; mfn && i < BLOCK_FRAMES; i++) {
		frame_table[mfn + i] = (struct frame){ .state = FRAME_TAKEN };
		arch_frame_taken(mfn + i);
	}
	return mfn;
}

static void free_locked(mfn_t mfn)
{
	u32 b = (u32)(mfn / BLOCK_FRAMES);
	struct block *block = &blocks[b];

	ASSERT(frame_table[mfn].state != FRAME_FREE && frame_table[mfn].state != FRAME_RESERVED);
	frame_table[mfn] = (struct frame){ .state = FRAME_FREE };
	frame_table[mfn].next = block->first;
	block->first = (u32)mfn;
	nr_free++;
	if (++block->free == 1) {
		list_add(&broken, b);
	} else if (block->free == BLOCK_FRAMES) {
		list_del(&broken, b);
		list_add(&whole, b);
	}
}

void frame_free(mfn_t mfn)
{
	frame_free_run(mfn, 1);
}

void frame_free_run(mfn_t mfn, u32 n)
{
	for (u32 i = 0; i < n; i++)
		arch_frame_freed(mfn + i);
	spin_lock(&frame_lock);
	for (u32 i = 0; i < n; i++)
		free_locked(mfn + i);
	spin_unlock(&frame_lock);
}

u64 frame_total(void)
{
	return nr_managed;
}

u64 frame_free_count(void)
{
	return atomic_load_relaxed(&nr_free);
}

void frame_init(void)
{
	u64 nr_blocks, size;
	paddr_t start;

	nr_frames = MIN(boot_mem_top(), DIRECTMAP_SIZE) >> PAGE_SHIFT;
	nr_blocks = (nr_frames + BLOCK_FRAMES - 1) / BLOCK_FRAMES;
	frame_table = paddr_to_ptr(boot_mem_alloc(nr_frames * sizeof(*frame_table), PAGE_SIZE));
	blocks = paddr_to_ptr(boot_mem_alloc(nr_blocks * sizeof(*blocks), PAGE_SIZE));
	nr_free = 0;
	broken = NO_BLOCK;
	whole = NO_BLOCK;
	for (u64 i = 0; i < nr_blocks; i++)
		blocks[i] = (struct block){ 0, 0, NO_BLOCK, NO_BLOCK };

	for (start = PAGE_SIZE; boot_mem_next_free(&start, &size); start += size) {
		mfn_t end = MIN((start + size) >> PAGE_SHIFT, nr_frames);

		for (mfn_t mfn = (start + PAGE_SIZE - 1) >> PAGE_SHIFT; mfn < end; mfn++) {
			frame_table[mfn].state = FRAME_TAKEN;
			arch_frame_freed(mfn);
			free_locked(mfn);
		}
	}
	nr_managed = nr_free;
	mm_audit_enabled = cmdline_has("audit");
	log_info("frames: %lu of %lu free%s\n", nr_free, nr_frames,
		 mm_audit_enabled ? ", vTLB audit on" : "");
}
