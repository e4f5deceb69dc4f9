/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uart.h - the serial line: a 16550 at the I/O ports the kernel named, driven by its interrupt.
 */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pv/call.h>

/* Takes the device over; the line's speed stays as the kernel set it. */
void uart_init(uint16_t base);

/* Is a received byte there? Read it with uart_get(). */
bool uart_ready(void);
uint8_t uart_get(void);

/* Room in the transmitter now: 0 or the depth of its FIFO. */
size_t uart_room(void);
void uart_put(const uint8_t *data, size_t len); /* len <= uart_room() */
bool uart_idle(void);				/* the last bit has left */

/* Which interrupts are wanted: received bytes, room to transmit. */
void uart_want(bool receive, bool transmit);

/* Is an interrupt pending? Reading acknowledges the transmitter's. */
bool uart_pending(void);

#endif
