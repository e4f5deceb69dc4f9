/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compiler.h - names for what gcc and clang can be told about code and data.
 */
#ifndef RF_COMPILER_H
#define RF_COMPILER_H

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __section(s) __attribute__((section(s)))
#define __weak __attribute__((weak))
#define __used __attribute__((used))
#define __noinline __attribute__((noinline))
#undef __always_inline /* host tests see the C library's */
#define __always_inline inline __attribute__((always_inline))
#define __noreturn __attribute__((noreturn))
#define __printf_format(fmt, args) __attribute__((format(printf, fmt, args)))
#define __maybe_unused __attribute__((unused))
#define warn_unused_result __attribute__((warn_unused_result))

#define BUILD_ASSERT(cond) _Static_assert(cond, #cond)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* Keeps a pointer in a register: the compiler forgets how it was computed and does not do so again at each use. */
#define keep_pointer(p) __asm__("" : "+r"(p))

/* Stops the compiler, not the CPU, from moving memory accesses across this point. */
#define compiler_barrier() __asm__ volatile("" ::: "memory")

/*
 * Memory that a guest changes at will. The compiler sees nothing of this; sparse refuses to look through
 * such a pointer except by the accesses below, atomic.h, and guest_read() and guest_write() (vcpu.h).
 */
#ifdef __CHECKER__
#define __guest __attribute__((noderef, address_space(__guest)))
#define __own __attribute__((force, address_space(0)))
#else
#define __guest
#define __own
#endif

/* One access, exactly once: for memory that someone else may change at any time. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) __own *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) __own *)&(x) = (v))

#endif
