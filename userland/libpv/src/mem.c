/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem.c - memory calls carried to their end, and a window of addresses for attached grants.
 */
#include <pv/mem.h>
#include <pv/start.h>

/* Grants are attached in the first gigabyte that the domain's own memory leaves free: close enough
 * to share page-table pages, far enough never to meet the heap. */
#define WINDOW_PAGES 65536u
#define WINDOW_ALIGN (1ull << 30)

static uint64_t window_used[WINDOW_PAGES / 64];

int64_t pv_mem_populate_all(pv_handle_t dom, pv_gfn_t gfn, uint64_t n)
{
	while (n) {
		int64_t r = pv_mem_populate(dom, gfn, n);

		if (r < 0)
			return r;
		gfn += (uint64_t)r;
		n -= (uint64_t)r;
	}
	return 0;
}

int64_t pv_mem_copy_all(pv_handle_t dom, pv_gfn_t gfn, uint64_t n, pv_gfn_t src)
{
	while (n) {
		int64_t r = pv_mem_copy(dom, gfn, n, src);

		if (r < 0)
			return r;
		gfn += (uint64_t)r;
		src += (uint64_t)r;
		n -= (uint64_t)r;
	}
	return 0;
}

int64_t pv_as_map_all(pv_handle_t dom, uint64_t va, pv_gfn_t gfn, uint64_t npages, uint64_t prot)
{
	while (npages) {
		uint64_t step = npages < PV_MAX_MAP_PAGES ? npages : PV_MAX_MAP_PAGES;
		int64_t r = pv_as_map(dom, va, gfn, step, prot);

		if (r < 0)
			return r;
		va += (uint64_t)r << PV_PAGE_SHIFT;
		gfn += (uint64_t)r;
		npages -= (uint64_t)r;
	}
	return 0;
}

static uint64_t window_base(void)
{
	return (pv_start_info->heap_end + WINDOW_ALIGN - 1) & ~(WINDOW_ALIGN - 1);
}

static int window_test(uint64_t page)
{
	return window_used[page / 64] >> (page % 64) & 1;
}

static void window_mark(uint64_t page, uint64_t n, int used)
{
	for (; n; n--, page++) {
		uint64_t bit = 1ull << (page % 64);

		if (used)
			window_used[page / 64] |= bit;
		else
			window_used[page / 64] &= ~bit;
	}
}

static int64_t window_find(uint64_t n)
{
	uint64_t run = 0;

	for (uint64_t page = 0; page < WINDOW_PAGES; page++) {
		run = window_test(page) ? 0 : run + 1;
		if (run == n)
			return (int64_t)(page + 1 - n);
	}
	return -PV_ENOSPC;
}

static int64_t attach_piece(const struct pv_grant_piece *piece, uint64_t va)
{
	const uint64_t prot = piece->writable ? PV_PROT_READ | PV_PROT_WRITE : PV_PROT_READ;
	int64_t r = pv_grant_map(piece->grant, va >> PV_PAGE_SHIFT, piece->pages, piece->writable);

	return r < 0 ? r : pv_as_map_all(PV_SELF, va, va >> PV_PAGE_SHIFT, piece->pages, prot);
}

int64_t pv_grant_attach_pieces(const struct pv_grant_piece *pieces, unsigned count, void **addr)
{
	uint64_t n = 0, at, va;
	int64_t page, r = 0;

	for (unsigned i = 0; i < count; i++)
		n += pieces[i].pages;
	page = n ? window_find(n) : -PV_EINVAL;
	if (page < 0)
		return page;
	va = at = window_base() + ((uint64_t)page << PV_PAGE_SHIFT);
	window_mark((uint64_t)page, n, 1);
	for (unsigned i = 0; i < count && r >= 0; i++) {
		r = attach_piece(&pieces[i], at);
		at += pieces[i].pages << PV_PAGE_SHIFT;
	}
	if (r < 0) {
		pv_grant_detach((void *)va, n);
		return r;
	}
	*addr = (void *)va;
	return 0;
}

int64_t pv_grant_attach(pv_handle_t grant, uint64_t n, int writable, void **addr)
{
	return pv_grant_attach_pieces(&(struct pv_grant_piece){ grant, n, writable }, 1, addr);
}

int64_t pv_grant_detach(void *addr, uint64_t n)
{
	uint64_t va = (uint64_t)addr;
	uint64_t page = (va - window_base()) >> PV_PAGE_SHIFT;

	if (va < window_base() || page >= WINDOW_PAGES || n > WINDOW_PAGES - page)
		return -PV_EINVAL;
	/* a page at a time: a failed attach leaves some of them unmapped */
	for (uint64_t i = 0; i < n; i++) {
		pv_as_unmap(PV_SELF, va + (i << PV_PAGE_SHIFT), 1);
		pv_grant_unmap((va >> PV_PAGE_SHIFT) + i, 1);
	}
	window_mark(page, n, 0);
	return 0;
}
