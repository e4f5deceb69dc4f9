/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/io.h - I/O port instructions, for domains that were given the ports (HOST_CTL IOPORTS).
 */
#ifndef PV_IO_H
#define PV_IO_H

#include <stdint.h>

static inline uint8_t pv_inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void pv_outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

#endif
