/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * types.h - the scalar types of the kernel.
 *
 * Addresses come in kinds that must not be mixed: a guest names memory by gfn or gpa, the
 * machine by mfn or paddr, the kernel's own pointers are vaddr_t or plain pointers. The types
 * are all 64-bit integers; the names are the contract.
 */
#ifndef RF_TYPES_H
#define RF_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

typedef u64 paddr_t; /* machine byte address */
typedef u64 mfn_t;   /* machine frame number */
typedef u64 gpa_t;   /* guest-physical byte address */
typedef u64 gfn_t;   /* guest frame number */
typedef u64 vaddr_t; /* virtual byte address, of a guest or of the kernel */

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ull
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)

#endif
