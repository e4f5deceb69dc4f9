// SPDX-License-Identifier: BSD-2-Clause
/*
 * ports.c - see ports.h.
 */
#include "ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "port.h"
#include "world.h"

struct domain *root, *a, *b;

int ports_setup(void **state)
{
	int err;

	(void)state;
	root = world_start(MIB(16));
	a = world_child(root, "a", &err);
	b = world_child(root, "b", &err);
	return root && a && b ? 0 : -1;
}

u64 alloc(struct domain *dom)
{
	i64 port = port_alloc(dom);

	assert_true(port > 0);
	return (u64)port;
}

i64 status(struct domain *dom, u64 port)
{
	return port_status(dom, port) & 0xff;
}
