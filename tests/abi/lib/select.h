/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * select.h - which cases a boot runs, by the boot parameters of the driver; docs/abi-tests.md has the list.
 */
#ifndef ABI_SELECT_H
#define ABI_SELECT_H

#include "abitest.h"

/* The value of boot parameter `key`; false if it is not given. */
bool parameter(const char *key, char *out, size_t size);
bool selected(const struct abi_case *c);

#endif
