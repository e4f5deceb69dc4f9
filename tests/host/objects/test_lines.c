// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_lines.c - interrupt lines bound to ports: who is told, and when the line is open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "console.h"
#include "counters.h"
#include "host.h"
#include "irq.h"
#include "port.h"
#include "ports.h"
#include "world.h"

static void edge_line(void **state)
{
	u64 p = alloc(a), q = alloc(a);
	i64 key = irq_claim(4);

	(void)state;
	assert_int_equal(key, 4);
	assert_int_equal(irq_claim(4), -PV_EBUSY);
	assert_true(irq_line_exists(WORLD_LINES - 1));
	assert_false(irq_line_exists(WORLD_LINES));
	assert_int_equal(port_bind_irq(a, p, (u32)key), 0);
	assert_int_equal(port_bind_irq(a, q, (u32)key), -PV_EBUSY);
	world_interrupt(4);
	assert_true(world_take_event(a, (u32)p));
	assert_false(world_masked[4]);
	world_interrupt(4);
	assert_true(world_take_event(a, (u32)p));
	assert_int_equal(port_eoi(a, p), 0);
	assert_int_equal(port_eoi(a, q), -PV_ESTATE);
	assert_int_equal(port_close(a, p), 0);
	assert_true(world_masked[4]);
	irq_cap_put((u32)key);
	assert_int_equal(irq_claim(4), 4);
	irq_cap_put(4);
}

static void level_line(void **state)
{
	u64 p = alloc(a);
	i64 key = irq_claim(9);

	(void)state;
	assert_int_equal(port_bind_irq(a, p, (u32)key), 0);
	world_interrupt(9);
	assert_true(world_take_event(a, (u32)p));
	assert_true(world_masked[9]);
	world_interrupt(9);
	assert_false(world_take_event(a, (u32)p)); /* until it is served */
	assert_int_equal(port_eoi(a, p), 0);
	assert_false(world_masked[9]);
	world_interrupt(9);
	assert_true(world_take_event(a, (u32)p));
	irq_cap_put((u32)key);
	assert_int_equal(irq_claim(9), -PV_EBUSY); /* no capability, but bound */
	(void)world_destroy(a->self);
	assert_true(world_masked[9]);
	assert_int_equal(irq_claim(9), 9);
	irq_cap_put(9);
	assert_int_equal(irq_claim(0), 2); /* ISA 0 is wired to GSI 2 */
	assert_int_equal(irq_claim(2), -PV_EBUSY);
	irq_cap_put(2);
}

/* An interrupt that was on its way when its line was let go reaches nobody, and the next owner only once it is his. */
static void late_interrupt(void **state)
{
	u64 p = alloc(a), q = alloc(b);
	i64 key = irq_claim(4);
	u8 vector;

	(void)state;
	assert_int_equal(port_bind_irq(a, p, (u32)key), 0);
	vector = world_vector_of(4);
	assert_int_equal(port_close(a, p), 0);
	world_vector(vector);
	assert_false(world_take_event(a, (u32)p));
	irq_eoi((u32)key); /* for a line that is not bound any more: nothing is opened */
	irq_unbind((u32)key);
	assert_true(world_masked[4]);
	assert_int_equal(port_bind_irq(b, q, (u32)key), 0);
	world_interrupt(4);
	assert_false(world_take_event(a, (u32)p));
	assert_true(world_take_event(b, (u32)q));
	assert_int_equal(port_close(b, q), 0);
	irq_cap_put((u32)key);
}

/* Controllers with no room for the line: the port is as before, and so is the line. */
static void no_route(void **state)
{
	u64 p = alloc(a);
	i64 key = irq_claim(5);

	(void)state;
	world_no_route = true;
	for (u32 i = 0; i < 300; i++) /* no vector is lost either */
		assert_int_equal(port_bind_irq(a, p, (u32)key), -PV_ENOSPC);
	assert_int_equal(status(a, p), PV_PORT_UNBOUND);
	world_no_route = false;
	assert_int_equal(port_bind_irq(a, p, (u32)key), 0);
	world_interrupt(5);
	assert_true(world_take_event(a, (u32)p));
	assert_int_equal(port_close(a, p), 0);
	irq_cap_put((u32)key);
}

/* More lines than the kernel keeps, and an ISA interrupt that firmware says is wired to one of those. */
static void lines_too_many(void **state)
{
	(void)state;
	world_lines = 300;
	assert_true(irq_line_exists(127));
	assert_false(irq_line_exists(128));
	assert_false(irq_line_exists(299));
	assert_false(irq_line_exists(~0ull));
	assert_true(irq_line_exists(0));
	world_isa_gsi = 127;
	assert_true(irq_line_exists(0));
	world_isa_gsi = 128;
	assert_false(irq_line_exists(0));
	world_lines = 10;
	assert_false(irq_line_exists(10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(edge_line, ports_setup),
		cmocka_unit_test_setup(level_line, ports_setup),
		cmocka_unit_test_setup(late_interrupt, ports_setup),
		cmocka_unit_test_setup(no_route, ports_setup),
		cmocka_unit_test_setup(lines_too_many, ports_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
