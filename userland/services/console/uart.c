/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uart.c - registers of the 16550.
 */
#include "uart.h"

#include <pv/io.h>

#define DATA 0
#define IER 1
#define IIR 2
#define FCR 2
#define LCR 3
#define MCR 4
#define LSR 5

#define IER_RX 0x01
#define IER_TX 0x02
#define FCR_ENABLE 0x07 /* on, both FIFOs empty, interrupt at the first byte */
#define LCR_8N1 0x03
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 lets the interrupt out of the chip */
#define LSR_READY 0x01
#define LSR_ROOM 0x20
#define LSR_IDLE 0x40
#define LSR_ABSENT 0xff
#define IIR_NONE 0x01
#define FIFO_DEPTH 16

static uint16_t base;
static uint8_t wanted;

void uart_init(uint16_t first_port)
{
	base = first_port;
	wanted = 0;
	pv_outb(base + IER, 0);
	pv_outb(base + LCR, LCR_8N1);
	pv_outb(base + FCR, FCR_ENABLE);
	pv_outb(base + MCR, MCR_DTR_RTS_OUT2);
	uart_want(true, false);
}

bool uart_ready(void)
{
	uint8_t lsr = pv_inb(base + LSR);

	return lsr != LSR_ABSENT && (lsr & LSR_READY);
}

uint8_t uart_get(void)
{
	return pv_inb(base + DATA);
}

size_t uart_room(void)
{
	return pv_inb(base + LSR) & LSR_ROOM ? FIFO_DEPTH : 0;
}

void uart_put(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		pv_outb(base + DATA, data[i]);
}

bool uart_idle(void)
{
	return pv_inb(base + LSR) & LSR_IDLE;
}

void uart_want(bool receive, bool transmit)
{
	uint8_t want = (receive ? IER_RX : 0) | (transmit ? IER_TX : 0);

	if (want == wanted)
		return;
	wanted = want;
	pv_outb(base + IER, want);
}

bool uart_pending(void)
{
	return !(pv_inb(base + IIR) & IIR_NONE);
}
