/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ports.h - a root domain with two children, for tests of their ports.
 */
#ifndef TEST_PORTS_H
#define TEST_PORTS_H

#include "domain.h"

extern struct domain *root, *a, *b;

/* A fresh machine with them; for cmocka. */
int ports_setup(void **state);

u64 alloc(struct domain *dom); /* a port, or asserts */
i64 status(struct domain *dom, u64 port); /* its state alone */

#endif
