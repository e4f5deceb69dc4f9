/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlink.c - what links between domains are made of: windows, pages with one writer, doorbells that
 * outlive an end. The driver plays the creator; its children are front and back end.
 */
#include "../lib/abitest.h"

#define VA 0x20000000ull
#define CONTROL 3u /* pages of the window only the front end writes */
#define REST 5u
#define WINDOW (CONTROL + REST)
#define NONCE 0x6e6f6e63656e6f6eull

/* word[0], word[1]: handles; word[2]: a port; these two count steps */
#define CHILD_AT 10
#define DRIVER_AT 11
static void child_step(u64 n) { __atomic_store_n(&share->word[CHILD_AT], n, __ATOMIC_RELEASE); }
static void child_await(u64 n) { CHECK(wait_for(&share->word[DRIVER_AT], n, 1500)); }
static void driver_step(struct child *c, u64 n)
{
	__atomic_store_n(&c->share->word[DRIVER_AT], n, __ATOMIC_RELEASE);
}
static void driver_await(struct child *c, u64 n)
{
	if (!wait_for(&c->share->word[CHILD_AT], n, 1500))
		child_expect_pass(c);
	CHECK_EQ(c->share->word[CHILD_AT], n);
}

static volatile u64 *word_of(u64 va, u64 page)
{
	return (volatile u64 *)(va + page * PAGE_BYTES);
}

/* ---- windows ---- */

static void map_window(u64 gfn)
{
	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, CONTROL, 0), CONTROL);
	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[1], gfn + CONTROL, REST, 1), REST);
	map(PV_SELF, VA, gfn, CONTROL, PV_PROT_READ);
	map(PV_SELF, VA + CONTROL * PAGE_BYTES, gfn + CONTROL, REST, RW);
}

static void back_end(void)
{
	u64 gfn = free_gfn();

	map_window(gfn);
	events_on(0);
	for (u64 page = 0; page < WINDOW; page++)
		CHECK_EQ(*word_of(VA, page), 1000 + page);
	for (u64 page = 0; page < CONTROL; page++)
		CHECK_EQ(try_write(VA + page * PAGE_BYTES, 666), 14);
	for (u64 page = CONTROL; page < WINDOW; page++)
		CHECK_EQ(try_write(VA + page * PAGE_BYTES, 2000 + page), NO_TRAP);
	/* nothing of the owner lies behind it or in front of it */
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA + WINDOW * PAGE_BYTES, gfn + WINDOW, 1, RW), EFAULT);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA - PAGE_BYTES, gfn - 1, 1, PV_PROT_READ), EFAULT);
	CHECK_EQ(try_read(VA + WINDOW * PAGE_BYTES), 14);
	CHECK_EQ(try_read(VA - PAGE_BYTES), 14);
}

/* An owner without vCPU, its window between two frames that hold a nonce; filled through a grant. */
struct owner {
	u64 dom, control, rest;
	u64 view; /* the whole, for the driver */
};
#define OWNER_GFN 8u
#define VIEW_GFN (DRIVER_WINDOW_GFN + 400) /* beside the children's share pages */

static struct owner owner_make(void)
{
	struct owner o = { .dom = empty_domain(WINDOW + 2, 64) };
	u64 va = VIEW_GFN << 12;

	populate(o.dom, OWNER_GFN - 1, WINDOW + 2);
	o.control = TRY(OP(GRANT_CTL, CREATE, o.dom, OWNER_GFN, CONTROL, GRANT_RO));
	o.rest = TRY(OP(GRANT_CTL, CREATE, o.dom, OWNER_GFN + CONTROL, REST, GRANT_RW));
	o.view = TRY(OP(GRANT_CTL, CREATE, o.dom, OWNER_GFN - 1, WINDOW + 2, GRANT_RW));
	CHECK_EQ(OP(GRANT_CTL, MAP, o.view, VIEW_GFN, WINDOW + 2, 1), WINDOW + 2);
	map(PV_SELF, va, VIEW_GFN, WINDOW + 2, RW);
	*word_of(va, 0) = *word_of(va, WINDOW + 1) = NONCE;
	for (u64 page = 0; page < WINDOW; page++)
		*word_of(va, 1 + page) = 1000 + page;
	return o;
}

static void owner_end(struct owner *o)
{
	unmap(PV_SELF, VIEW_GFN << 12, WINDOW + 2);
	for (u64 done = 0; done < WINDOW + 2;)
		done += TRY(OP(GRANT_CTL, UNMAP, 0, VIEW_GFN + done, WINDOW + 2 - done));
	CHECK_OK(dom_destroy(o->dom));
	CHECK_OK(OP(CAP_CTL, DROP, o->control));
	CHECK_OK(OP(CAP_CTL, DROP, o->rest));
	CHECK_OK(OP(CAP_CTL, DROP, o->view));
}

static struct child *child_with_window(u32 part, const struct owner *o)
{
	struct child *c = child_make(part);

	c->share->word[0] = child_give(c, o->control, GRANT_RO);
	c->share->word[1] = child_give(c, o->rest, GRANT_RW);
	child_start(c);
	return c;
}

PV_DRIVER_TEST(vlink_window, "PVABI-VLK-001.1 PVABI-VLK-002.1", PARTS(back_end))
{
	u64 va = VIEW_GFN << 12;
	struct owner o = owner_make();

	child_expect_pass(child_with_window(0, &o));
	CHECK_EQ(*word_of(va, 0), NONCE);
	CHECK_EQ(*word_of(va, WINDOW + 1), NONCE);
	for (u64 page = 0; page < WINDOW; page++)
		CHECK_EQ(*word_of(va, 1 + page), page < CONTROL ? 1000 + page : 2000 + page);
	owner_end(&o);
}

static void leaves_a_mark(void)
{
	map_window(free_gfn());
	*word_of(VA, CONTROL) = 77;
	child_step(1);
	for (;;)
		*word_of(VA, WINDOW - 1) += 1;
}

static void finds_the_mark(void)
{
	map_window(free_gfn());
	CHECK_EQ(*word_of(VA, 0), 1000);
	CHECK_EQ(*word_of(VA, CONTROL), 77);
	*word_of(VA, CONTROL) = 78;
}

PV_DRIVER_TEST(vlink_new_back_end, "PVABI-VLK-003.1", PARTS(leaves_a_mark, finds_the_mark))
{
	u64 va = VIEW_GFN << 12;
	struct owner o = owner_make();
	struct child *c = child_with_window(0, &o);

	driver_await(c, 1);
	child_destroy(c); /* in the middle of its stores */
	u64 last = *word_of(va, WINDOW);

	sleep_ms(2);
	CHECK_EQ(*word_of(va, WINDOW), last);
	child_expect_pass(child_with_window(1, &o));
	CHECK_EQ(*word_of(va, 1 + CONTROL), 78);
	owner_end(&o);
}

static void loses_its_front_end(void)
{
	u64 gfn = free_gfn();

	map_window(gfn);
	events_on(0);
	child_step(1);
	child_await(1); /* the owner is gone */
	for (u64 page = 0; page < WINDOW; page++) {
		CHECK_EQ(try_read(VA + page * PAGE_BYTES), NO_TRAP);
		CHECK(*word_of(VA, page) != 1000 + page);
	}
	CHECK_EQ(try_write(VA + CONTROL * PAGE_BYTES, 5), NO_TRAP);
	unmap(PV_SELF, VA, WINDOW);
	for (u64 done = 0; done < WINDOW;)
		done += TRY(OP(GRANT_CTL, UNMAP, 0, gfn + done, WINDOW - done));
	CHECK_OK(OP(CAP_CTL, DROP, share->word[0]));
	CHECK_OK(OP(CAP_CTL, DROP, share->word[1]));
	child_step(2);
	child_await(2); /* another window in the place of the first */
	share->word[0] = share->word[4];
	share->word[1] = share->word[5];
	map_window(gfn);
	CHECK_EQ(*word_of(VA, 0), 1000);
}

PV_DRIVER_TEST(vlink_new_front_end, "PVABI-VLK-004.1", PARTS(loses_its_front_end))
{
	struct owner o = owner_make();
	struct child *c = child_with_window(0, &o);

	driver_await(c, 1);
	owner_end(&o);
	driver_step(c, 1);
	driver_await(c, 2);
	o = owner_make();
	c->share->word[4] = child_give(c, o.control, GRANT_RO);
	c->share->word[5] = child_give(c, o.rest, GRANT_RW);
	driver_step(c, 2);
	child_expect_pass(c);
	owner_end(&o);
}

/* ---- a page of the creator: one end writes it, the other reads it ---- */

static void device_side(void)
{
	u64 gfn = free_gfn();

	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 1), 1);
	map(PV_SELF, VA, gfn, 1, RW);
	*word_of(VA, 0) = 4711;
}

static void driver_side(void)
{
	u64 gfn = free_gfn();

	CHECK_ERR(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 1), EPERM);
	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 0), 1);
	map(PV_SELF, VA, gfn, 1, PV_PROT_READ);
	CHECK_EQ(*word_of(VA, 0), 4711);
	events_on(0);
	CHECK_EQ(try_write(VA, 1), 14);
}

PV_DRIVER_TEST(vlink_device_page, "PVABI-VLK-005.1", PARTS(device_side, driver_side))
{
	u64 *page = pages_alloc(1);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn_of(page), 1, GRANT_RW));

	for (u32 part = 0; part < 2; part++) {
		struct child *c = child_make(part);

		c->share->word[0] = child_give(c, grant, part == 0 ? GRANT_RW : GRANT_RO);
		child_start(c);
		child_expect_pass(c);
		child_destroy(c); /* the page outlives each of them */
		CHECK_EQ(page[0], 4711);
	}
	CHECK_OK(revoke(grant));
}

/* ---- doorbells ---- */

static void idle(void)
{
	child_step(1);
	for (;;)
		HC(WAIT, 0, PV_FOREVER);
}

static void keeps_its_port(void)
{
	u64 old = share->word[2], new;

	child_step(1);
	child_await(1); /* the other end is destroyed */
	CHECK_EQ(OP(PORT_CTL, STATUS, old), PV_PORT_CLOSED_PEER);
	CHECK(port_page->pending[old / 64] & 1ull << old % 64);
	CHECK_ERR(HC(PORT_SEND, old), EDEAD);
	CHECK_OK(OP(PORT_CTL, CLOSE, old));
	child_step(2);
	child_await(2); /* a new end is connected */
	new = share->word[3];
	CHECK_EQ(OP(PORT_CTL, STATUS, new), PV_PORT_INTERDOMAIN);
	CHECK_OK(HC(PORT_SEND, new));
}

static u64 connect_children(struct child *a, struct child *b)
{
	u64 pa = TRY(OP(PORT_CTL, ALLOC, 0, a->dom));
	u64 pb = TRY(OP(PORT_CTL, ALLOC, 0, b->dom));

	CHECK_OK(OP(PORT_CTL, CONNECT, pa, a->dom, b->dom, pb));
	return pa;
}

PV_DRIVER_TEST(vlink_doorbell, "PVABI-VLK-006.1", PARTS(keeps_its_port, idle))
{
	struct child *front = child_make(0), *back = child_make(1);

	front->share->word[2] = connect_children(front, back);
	child_start(front);
	child_start(back);
	driver_await(front, 1);
	driver_await(back, 1);
	child_destroy(back);
	driver_step(front, 1);
	driver_await(front, 2);
	back = child_make(1);
	child_start(back);
	front->share->word[3] = connect_children(front, back);
	driver_step(front, 2);
	child_expect_pass(front);
}
