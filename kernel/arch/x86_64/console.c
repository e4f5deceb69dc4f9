// SPDX-License-Identifier: BSD-2-Clause
/*
 * console.c - the three places the kernel can write to: port 0xE9 (QEMU's debug console, harmless
 * elsewhere), the first serial port if there is one, the VGA text screen if there is one.
 *
 * One caller at a time, see log.c. No sink may hang: a serial port that stops taking bytes is given up.
 */
#include "arch.h"
#include "cpu.h"
#include "platform.h"
#include "string.h"
#include "x86.h"

#define UART 0x3f8
#define VGA_TEXT 0xb8000
#define VGA_COLUMNS 80
#define VGA_ROWS 25
#define VGA_ROW_WORDS (VGA_COLUMNS * 2 / 8)
#define VGA_TEXT_ROWS 200 /* of 32 KiB that the window scrolls over */
#define VGA_CRTC 0x3d4
#define VGA_GREY 0x0700

static bool uart_present, uart_ours, vga_present;
static u32 vga_row, vga_column, vga_top; /* row being written, first row shown: of the 200 */

static bool uart_probe(void)
{
	outb(UART + 7, 0x5a);
	if (inb(UART + 7) != 0x5a)
		return false;
	outb(UART + 1, 0x00); /* no interrupts */
	outb(UART + 3, 0x80); /* 115200, 8N1, FIFO */
	outb(UART + 0, 0x01);
	outb(UART + 1, 0x00);
	outb(UART + 3, 0x03);
	outb(UART + 2, 0xc7);
	outb(UART + 4, 0x0b);
	return true;
}

static bool uart_ready(void)
{
	static u32 asked;

	if (inb(UART + 5) & 0x20) {
		asked = 0;
		return true;
	}
	if (++asked == 1000000)
		uart_present = false;
	cpu_relax();
	return false;
}

/* The line was ready; behind a return it is again after a character's time. */
static void uart_put(char c)
{
	if (c == '\n') {
		outb(UART, '\r');
		while (!uart_ready() && uart_present)
			;
	}
	outb(UART, (u8)c);
}

static volatile u16 *vga_cells(void)
{
	return paddr_to_ptr(VGA_TEXT);
}

/* Rows are cleared and moved four cells at a time: they are most of what a line costs. */
static volatile u64 *vga_row_words(u32 row)
{
	return (volatile u64 *)(vga_cells() + row * VGA_COLUMNS);
}

static void vga_clear_row(u32 row)
{
	volatile u64 *words = vga_row_words(row);

	for (u32 i = 0; i < VGA_ROW_WORDS; i++)
		words[i] = 0x0001000100010001ull * (VGA_GREY | ' ');
}

static void vga_show(u32 top)
{
	u32 start = top * VGA_COLUMNS;

	outb(VGA_CRTC, 0x0c);
	outb(VGA_CRTC + 1, (u8)(start >> 8));
	outb(VGA_CRTC, 0x0d);
	outb(VGA_CRTC + 1, (u8)start);
	vga_top = top;
}

/* Device memory is slow, so the window moves over it, and the text only when the end is reached. */
static void vga_scroll(void)
{
	volatile u64 *to = vga_row_words(0), *from = vga_row_words(vga_top + 1);

	if (vga_row == VGA_TEXT_ROWS) {
		for (u32 i = 0; i < VGA_ROW_WORDS * (VGA_ROWS - 1); i++)
			to[i] = from[i];
		vga_row = VGA_ROWS - 1;
	}
	vga_clear_row(vga_row);
	vga_show(vga_row + 1 - VGA_ROWS);
}

static void vga_put(char c)
{
	if (c == '\r')
		return;
	if (c == '\n' || vga_column == VGA_COLUMNS) {
		vga_column = 0;
		if (++vga_row == vga_top + VGA_ROWS)
			vga_scroll();
		if (c == '\n')
			return;
	}
	vga_cells()[vga_row * VGA_COLUMNS + vga_column++] = (u16)(VGA_GREY | (u8)c);
}

static void vga_probe(void)
{
	volatile u16 *cells = vga_cells();

	cells[0] = VGA_GREY | '#';
	cells[1] = VGA_GREY | '?';
	vga_present = cells[0] == (VGA_GREY | '#') && cells[1] == (VGA_GREY | '?');
	for (u32 i = 0; vga_present && i < VGA_ROWS; i++)
		vga_clear_row(i);
	if (vga_present)
		vga_show(0);
}

void console_no_vga(void)
{
	vga_present = false;
}

void arch_console_init(void)
{
	uart_present = uart_probe();
	uart_ours = true;
	vga_probe();
}

u16 arch_uart_port(void)
{
	return uart_present ? UART : 0;
}

void arch_console_uart(bool use)
{
	if (use && !uart_ours)
		uart_present = uart_probe();
	uart_ours = use;
}

size_t arch_console_write(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (uart_present && uart_ours) {
			if (!uart_ready())
				break;
			uart_put(s[i]);
		}
		outb(0xe9, (u8)s[i]);
		if (vga_present)
			vga_put(s[i]);
	}
	return i;
}
