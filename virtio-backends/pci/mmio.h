/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio.h - registers of a device in memory: each access is one instruction of its width. With
 * VR_TEST_HOOKS a test sees each of them, before a read and after a write, and plays the device.
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include <stdint.h>

#ifdef VR_TEST_HOOKS
void mmio_test_read(const void *reg);
void mmio_test_write(void *reg);
#else
static inline void mmio_test_read(const void *reg) { (void)reg; }
static inline void mmio_test_write(void *reg) { (void)reg; }
#endif

static inline uint8_t mmio_read8(const uint8_t *reg)
{
	mmio_test_read(reg);
	return *(const volatile uint8_t *)reg;
}

static inline uint16_t mmio_read16(const uint16_t *reg)
{
	mmio_test_read(reg);
	return *(const volatile uint16_t *)reg;
}

static inline uint32_t mmio_read32(const uint32_t *reg)
{
	mmio_test_read(reg);
	return *(const volatile uint32_t *)reg;
}

/* What was written to memory before is there when the device sees the write. */
static inline void mmio_write8(uint8_t *reg, uint8_t value)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*(volatile uint8_t *)reg = value;
	mmio_test_write(reg);
}

static inline void mmio_write16(uint16_t *reg, uint16_t value)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*(volatile uint16_t *)reg = value;
	mmio_test_write(reg);
}

static inline void mmio_write32(uint32_t *reg, uint32_t value)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*(volatile uint32_t *)reg = value;
	mmio_test_write(reg);
}

#endif
