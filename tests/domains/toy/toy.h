/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toy.h - the toy guest: a walked domain with page tables, a user mode and events of its own, that
 * tests what a kernel port relies on. Its report is KTAP on the kernel log.
 */
#ifndef TOY_H
#define TOY_H

#define PERCPU_VCS 0
#define PERCPU_KSP 8
#define PERCPU_USP 16
#define PERCPU_CTX 24
#define PERCPU_SELF 32

#define CTX_RAX 0
#define CTX_RBX 8
#define CTX_RDX 16
#define CTX_RSI 24
#define CTX_RDI 32
#define CTX_RBP 40
#define CTX_R8 48
#define CTX_R9 56
#define CTX_R10 64
#define CTX_R12 72
#define CTX_R13 80
#define CTX_R14 88
#define CTX_R15 96
#define CTX_RSP 104
#define CTX_KIND 112

#ifndef __ASSEMBLER__

#include <pv/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

struct user_ctx {
	u64 rax, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15, rsp;
	u64 kind; /* how user mode was left */
	u64 rip, rflags, rcx, r11, cs, ss; /* not touched by assembly: they travel in the frame */
};

enum { LEFT_BY_EVENT = 1, LEFT_BY_SYSCALL = 2, LEFT_BY_REFUSAL = 3 };

struct percpu {
	struct pv_vcs *vcs;
	u64 ksp, usp;
	struct user_ctx *ctx;
	struct percpu *self;
	u64 irqs;    /* PV_VEC_IRQ taken in kernel mode */
	u64 pend[4]; /* vectors taken from pend[] by them */
};

static inline struct percpu *me(void)
{
	struct percpu *p;

	__asm__ volatile("movq %%gs:%c1, %0" : "=r"(p) : "i"(PERCPU_SELF));
	return p;
}

#define CR4_FSGSBASE 0x10000ull
#define CR4_OSXSAVE 0x40000ull

static inline u64 read_cr4(void)
{
	u64 value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

/* What toy_kernel_entry pushed. */
struct kernel_regs {
	u64 vector, error, rip, cs, rflags, rsp, ss, rcx, r11;
	u64 r15, r14, r13, r12, r10, r9, r8, rbp, rdi, rsi, rdx, rbx, rax;
};

/* ---- head.S ---- */
i64 hypercall(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);
u64 user_run(struct user_ctx *ctx);
void __attribute__((noreturn)) user_run_abort(u64 kind);
extern const char toy_eretu[], toy_erets[], toy_syscall_entry[], toy_user_entry[], toy_kernel_entry[];
void __attribute__((noreturn)) toy_main(u64 start_info_gpa);
void kernel_event(struct kernel_regs *regs);

#define HC0(nr) hypercall(PV_HC_##nr, 0, 0, 0, 0, 0, 0)
#define HC1(nr, a) hypercall(PV_HC_##nr, (u64)(a), 0, 0, 0, 0, 0)
#define HC2(nr, a, b) hypercall(PV_HC_##nr, (u64)(a), (u64)(b), 0, 0, 0, 0)
#define HC3(nr, a, b, c) hypercall(PV_HC_##nr, (u64)(a), (u64)(b), (u64)(c), 0, 0, 0)
#define HC4(nr, a, b, c, d) hypercall(PV_HC_##nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0, 0)

/* ---- main.c ---- */
extern struct pv_vcs vcs;
extern struct percpu percpu;
extern const struct pv_start_info *start_info;
void print(const char *fmt, ...); /* %s %d %x (64-bit) */
void check(bool ok, const char *what); /* one result line */
/* The same, showing both numbers if they differ. */
void check_eq(u64 got, u64 want, const char *what);

/* ---- event.c: what events from kernel mode left behind, and what to do with them ---- */
struct kernel_seen {
	u64 count;
	struct kernel_regs last; /* but for interrupts */
	u64 cr2;
};
extern struct kernel_seen seen;
extern u64 kernel_fixup; /* rip to go on at after the next synchronous event; 0: where it was */
void take_pend(void);	 /* moves pend[] to me()->pend */
bool took(u32 vector);	 /* was it in there? forgets it */
void irq_off(void);
void irq_on(void);
bool irqs_are_on(void);

/* ---- user.c: excursions ---- */
void user_setup(struct user_ctx *ctx, const void *code, size_t len); /* copies code to USER_CODE */
u64 user_go(struct user_ctx *ctx); /* fills the frame, runs, takes the frame back: LEFT_BY_* */

/* ---- mem.c ---- */
#define USER_CODE 0x400000ull
#define USER_STACK 0x7ffff0000000ull /* end */
#define USER_DATA 0x10000000ull
#define PTE_P 1ull
#define PTE_W 2ull
#define PTE_U 4ull
#define PTE_A 0x20ull
#define PTE_D 0x40ull
#define PTE_PS 0x80ull
#define PTE_NX (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull
void mem_init(void);			 /* tables made, root loaded */
u64 *pte_of(u64 va);			 /* makes the tables on the way */
u64 page_alloc(void);			 /* guest-physical, zeroed */
void *gpa_ptr(u64 gpa);			 /* once the root is loaded */
void map(u64 va, u64 gpa, u64 flags);	 /* no flush */
i64 flush(u64 start, u64 end);
extern u64 root_gpa;

/* ---- smp.c ---- */
void __attribute__((noreturn)) ap_main(u64 index);
extern const char toy_ap_start[]; /* head.S: stack and rdi = index are in place */

/* ---- the tests ---- */
void test_calls(void);
void test_user(void);
void test_faults(void);
void test_irqs(void);
void test_frames(void);
void test_emulator(void);
void test_vtlb(void);
void test_state(void);
void test_smp(void); /* leaves the other vCPUs stopped */
void bench(void);

#endif
#endif
