/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/console.h - the guest's side of its console ring: bytes out, bytes in. stdio sits on it.
 * Without a ring, output goes to the kernel log and there is no input.
 */
#ifndef PV_CONSOLE_H
#define PV_CONSOLE_H

#include <pv/call.h>
#include <stddef.h>

/* Writes everything, waiting for room. */
void pv_console_put(const void *data, size_t len);

/* Reads 1..len bytes, waiting for the first; 0 = there is no console to read from. */
size_t pv_console_get(void *data, size_t len);

/* Bytes that pv_console_get() would return without waiting. */
size_t pv_console_available(void);

/* The port that becomes pending when input arrives; 0 = no ring. */
pv_port_t pv_console_port(void);

#endif
