// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_caps.c - capability tables: handles, rights, reuse, exhaustion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bits.h"
#include "cap.h"
#include "counters.h"
#include "irq.h"
#include "world.h"

static struct domain *root;

static int setup(void **state)
{
	(void)state;
	root = world_start(MIB(16));
	return root ? 0 : -1;
}

static const struct cap host = { .type = PV_CAP_HOST, .rights = PV_RIGHT_HOST_LOG };

static void handles(void **state)
{
	i64 a = cap_insert(root, &host), b = cap_insert(root, &host);
	struct cap cap;

	(void)state;
	assert_true(a > 0 && b > 0 && a != b);
	assert_int_equal(cap_get(root, (u64)a, &cap), 0);
	assert_int_equal(cap_lookup(root, (u64)a, PV_CAP_DOMAIN, 0, &cap), -PV_ECAP);
	assert_int_equal(cap_host(root, (u64)a, PV_RIGHT_HOST_LOG), 0);
	assert_int_equal(cap_host(root, (u64)a, PV_RIGHT_HOST_POWER), -PV_EPERM);
	for (u32 bit = 0; bit < 64; bit++) /* no other handle is this one */
		if ((u64)a != ((u64)b ^ BIT(bit)))
			assert_int_equal(cap_get(root, (u64)a ^ BIT(bit), &cap),
					 ((u64)a ^ BIT(bit)) == (u64)b ? 0 : -PV_ECAP);
	assert_int_equal(cap_drop(root, (u64)a), 0);
	assert_int_equal(cap_get(root, (u64)a, &cap), -PV_ECAP);
	assert_int_equal(cap_drop(root, (u64)a), -PV_ECAP);
	assert_int_equal(cap_host(root, (u64)b, PV_RIGHT_HOST_LOG), 0);
}

static void self(void **state)
{
	struct domain *dom;
	struct cap cap;

	(void)state;
	assert_int_equal(cap_get(root, PV_SELF, &cap), 0);
	assert_int_equal(cap.type, PV_CAP_DOMAIN);
	assert_int_equal(cap.rights, PV_RIGHT_DOM_ALL);
	assert_int_equal(cap_domain(root, PV_SELF, PV_RIGHT_DOM_ALL, &dom), 0);
	assert_ptr_equal(dom, root);
	assert_int_equal(cap_drop(root, PV_SELF), -PV_ECAP);
}

static void full_table(void **state)
{
	u64 before = levels[LVL_CAPS];
	i64 last = 0, h;
	u32 n = 0;

	(void)state;
	while ((h = cap_insert(root, &host)) > 0) {
		last = h;
		n++;
	}
	assert_int_equal(h, -PV_ENOSPC);
	assert_int_equal(n, PV_MAX_CAPS - 1);
	assert_int_equal(cap_drop(root, (u64)last), 0);
	h = cap_insert(root, &host);
	assert_int_equal(h & 0xffff, last & 0xffff); /* same slot, other generation */
	assert_int_not_equal(h, last);
	assert_int_equal(levels[LVL_CAPS] - before, n);
}

static void generation_wraps(void **state)
{
	i64 first = cap_insert(root, &host), h = first;
	struct cap cap;

	(void)state;
	for (u32 i = 0; i < 0x7fff - 1; i++) {
		assert_int_equal(cap_drop(root, (u64)h), 0);
		h = cap_insert(root, &host);
		assert_true(h > 0 && h >> 16 != 0 && h < 1ll << 31);
		assert_int_not_equal(h, first);
	}
	assert_int_equal(cap_get(root, (u64)h, &cap), 0);
}

static void no_kmem(void **state)
{
	struct domain *dom;
	int err;
	i64 h;
	u32 n = 0;

	(void)state;
	dom = world_child_sized(root, 1, 32, &err);
	assert_non_null(dom);
	while (kmem_alloc(dom))
		;
	h = cap_insert(dom, &host);
	assert_int_equal(h, -PV_ENOMEM);
	dom->mm.kmem_quota++;
	while ((h = cap_insert(dom, &host)) > 0)
		n++;
	assert_int_equal(h, -PV_ENOMEM);
	assert_int_equal(n, CAPS_PER_PAGE - 1); /* index 0 is never used */
}

static void dead_domain(void **state)
{
	struct domain *dom, *found;
	struct cap cap = { .type = PV_CAP_DOMAIN, .rights = PV_RIGHT_DOM_STATUS };
	int err;
	i64 h;

	(void)state;
	dom = world_child(root, "victim", &err);
	assert_non_null(dom);
	cap.dom = dom->self;
	h = cap_insert(root, &cap);
	assert_int_equal(cap_domain(root, (u64)h, PV_RIGHT_DOM_STATUS, &found), 0);
	assert_int_equal(cap_domain(root, (u64)h, PV_RIGHT_DOM_CTL, &found), -PV_EPERM);
	assert_int_equal(domain_destroy_step(cap.dom), -PV_EAGAIN);
	assert_int_equal(cap_insert(dom, &host), -PV_EDEAD); /* dying, still there */
	assert_int_equal(cap_domain(root, (u64)h, PV_RIGHT_DOM_STATUS, &found), -PV_EDEAD);
	(void)world_destroy(cap.dom);
	assert_int_equal(cap_domain(root, (u64)h, PV_RIGHT_DOM_STATUS, &found), -PV_EDEAD);
	assert_int_equal(cap_domain(root, (u64)h, PV_RIGHT_DOM_CTL, &found), -PV_EPERM);
}

/* Lines count their capabilities: the last one frees it, by whatever way it goes. */
static void lines(void **state)
{
	struct cap line = { .type = PV_CAP_IRQ, .rights = PV_RIGHT_IRQ_BIND, .index = 5 };
	struct domain *dom;
	i64 mine, theirs;
	int err;

	(void)state;
	dom = world_child(root, "driver", &err);
	assert_int_equal(irq_claim(5), 5);
	mine = cap_insert(root, &line);
	irq_cap_get(5);
	theirs = cap_insert(dom, &line);
	assert_true(mine > 0 && theirs > 0);
	assert_int_equal(cap_drop(root, (u64)mine), 0);
	assert_int_equal(irq_claim(5), -PV_EBUSY);
	(void)world_destroy(dom->self);
	assert_int_equal(irq_claim(5), 5);
	mine = cap_insert(root, &line);
	assert_int_equal(cap_drop(root, (u64)mine), 0);
	assert_int_equal(irq_claim(5), 5);
	irq_cap_put(5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(handles, setup),
		cmocka_unit_test_setup(self, setup),
		cmocka_unit_test_setup(full_table, setup),
		cmocka_unit_test_setup(generation_wraps, setup),
		cmocka_unit_test_setup(no_kmem, setup),
		cmocka_unit_test_setup(dead_domain, setup),
		cmocka_unit_test_setup(lines, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
