/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abitest.h - what a test case is made of.
 *
 * One ELF plays every part. As the root domain it is the driver: it holds the host capability,
 * creates fresh child domains from its own ELF, judges them, and compares the kernel's level
 * counters before and after each case. As a child it runs one part of one case.
 *
 *   PV_TEST(name, "PVABI-X-nnn.r", .vcpus = 2)	{ body runs in one fresh child }
 *   PV_DRIVER_TEST(name, "PVABI-X-nnn.r", parts) { body runs in the driver, which starts parts }
 *   PV_PART(name) { runs in a child that a driver body started with part number PART_name }
 *
 * A failed CHECK ends the case: in a child by shutting the domain down, in the driver by going
 * back to the main loop, which destroys what the case left.
 */
#ifndef ABI_ABITEST_H
#define ABI_ABITEST_H

#include <stdbool.h>
#include <stddef.h>

#include "hc.h"
#include "record.h"

#define MAX_PARTS 4
#define NO_TABLES 0xfffffffe
#define MS 1000000ull /* nanoseconds */
#define PATIENCE 8    /* how much longer a wait may take than it should, before it is a failure */

struct abi_case {
	const char *name;
	const char *clause;
	void (*child)(void);	     /* the one child of a PV_TEST */
	void (*driver)(void);	     /* body of a PV_DRIVER_TEST */
	void (*parts[MAX_PARTS])(void); /* children of a driver body */

	/* options of the child of a PV_TEST, and defaults of child_make() */
	u32 kind;      /* PV_KIND_* */
	u32 flags;     /* PV_CREATE_* */
	u32 vcpus;     /* max_vcpus; 0 = 1 */
	u32 extra;     /* frames of quota beyond what the child is loaded with; 0 = 64 */
	u32 kmem;      /* pages of kernel memory; 0 = 96 */
	u32 heap;      /* pages of heap; 0 = 32, walked 64 */
	u32 tables;    /* walked: vtlb_tables; 0 = PV_VTLB_MAX, NO_TABLES = 0 */
	u64 budget_ms; /* system time it may take; 0 = 2000 */
	u32 cpus;      /* skipped on a machine with fewer */
	bool noise;    /* its children may write anything anywhere: their records count for nothing */
	bool edge;     /* it is about the ends of ranges; only told, for the traceability page */
	const void *row; /* what the case of a table is about */

	/* the end a PV_TEST child must come to; 0 = POWEROFF with code 0 */
	u32 reason;
	u64 code;
};

#define ABI_CASE_POINTER(name) \
	static const struct abi_case *const name##_pointer \
		__attribute__((section("abi_cases"), used)) = &name##_case

#define PV_TEST(name, id, ...) \
	static void name(void); \
	static const struct abi_case name##_case = { #name, id, .child = name, ##__VA_ARGS__ }; \
	ABI_CASE_POINTER(name); \
	static void name(void)

/* One row of a table: a name of its own, a body that many rows share and that reads this_case->row. */
#define PV_ROW(name, id, body, ...) \
	static const struct abi_case name##_case = { #name, id, .driver = body, ##__VA_ARGS__ }; \
	ABI_CASE_POINTER(name)
#define PV_CHILD_ROW(name, id, body, ...) \
	static const struct abi_case name##_case = { #name, id, .child = body, ##__VA_ARGS__ }; \
	ABI_CASE_POINTER(name)

#define PARTS(...) .parts = { __VA_ARGS__ }
#define PV_DRIVER_TEST(name, id, ...) \
	static void name(void); \
	static const struct abi_case name##_case = { #name, id, .driver = name, ##__VA_ARGS__ }; \
	ABI_CASE_POINTER(name); \
	static void name(void)

extern const struct abi_case *const __start_abi_cases[];
extern const struct abi_case *const __stop_abi_cases[];

/* ---- the page a child shares with the driver ---- */

enum verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_SKIP };

struct share {
	u32 case_index;
	u32 part;
	u32 verdict; /* enum verdict */
	u32 line;
	u64 word[64]; /* for the two halves of a case; word[0..] handles and ports by convention */
	char text[512];
	struct record record;
};
_Static_assert(sizeof(struct share) <= 4096, "one page");
extern struct share *share;	      /* in a child; NULL in the driver */
extern const struct pv_start_info *start; /* in both */
extern const struct abi_case *this_case;

/* ---- verdicts ---- */

void abi_fail_at(const char *file, int line, const char *what, u64 got, u64 want) __attribute__((noreturn));
#define abi_fail(line, what, got, want) abi_fail_at(__FILE_NAME__, line, what, got, want)
void abi_skip(const char *why) __attribute__((noreturn));
void abi_pass(void) __attribute__((noreturn));
void abi_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			abi_fail(__LINE__, #cond, 0, 1); \
		abi_record->checks++; \
	} while (0)
/* `text` is the expression as it was written: stringified further down it would be what macros made of it. */
#define CHECK_VALUE(text, expr, want) \
	do { \
		u64 check_got = (u64)(expr); \
		u64 check_want = (u64)(want); \
		if (check_got != check_want) \
			abi_fail(__LINE__, text, check_got, check_want); \
		abi_checked(check_want); \
	} while (0)
#define CHECK_EQ(expr, want) CHECK_VALUE(#expr, expr, want)
#define CHECK_ERR(expr, err) CHECK_VALUE(#expr, expr, -(i64)PV_##err)
#define CHECK_OK(expr) CHECK_VALUE(#expr, expr, 0)
/* The value of a call that must not fail. */
#define TRY(expr) \
	({ \
		i64 try_got = (i64)(expr); \
		if (try_got < 0) \
			abi_fail(__LINE__, #expr " >= 0", (u64)try_got, 0); \
		abi_checked((u64)try_got); \
		(u64)try_got; \
	})

/* ---- children, as the driver sees them ---- */

struct child {
	u64 dom;		   /* handle */
	u64 grant;		   /* of its share page */
	struct share *share;	   /* mapped in the driver */
	struct pv_start_info info; /* what it was given */
	u64 spare_gfn;		   /* first gfn of it that is a hole and stays one */
	bool used;
};

#define MAX_CHILDREN 8

/* A child of this case loaded to run a part, not started. Ends the case on any error. */
struct child *child_make(u32 part);
/* The same with the options of `opt` in place of the case's own. */
struct child *child_make_opt(u32 part, const struct abi_case *opt);
void child_start(struct child *c);
/* Waits until it stopped by itself or budget_ms went by (false), and reads its status. */
bool child_wait(struct child *c, u64 budget_ms, struct pv_dom_status *out);
/* Waits and fails the case unless it passed. */
void child_expect_pass(struct child *c);
void child_destroy(struct child *c);
void child_abandon(struct child *c); /* its domain is destroyed already, or will be by the case */
void child_status(struct child *c, struct pv_dom_status *out);
/* Puts a capability of the driver's into it; result: its handle there. */
u64 child_give(struct child *c, u64 handle, u64 rights);
void children_destroy_all(void);
/* An empty domain without vCPU or memory: quotas only. */
u64 empty_domain(u64 mem, u64 kmem);
/* As DOM_CREATE with the batch area filled with these parameters. */
i64 dom_create(u64 host, const struct pv_dom_create *args);
struct pv_dom_create dom_defaults(void);
i64 dom_destroy(u64 dom);
void dom_status(u64 dom, struct pv_dom_status *out);
void counters_read(struct pv_counters *out);
extern u64 host; /* the driver's host capability */
u64 abi_seed(void); /* boot parameter abi.seed=N: other noise than usual; driver only */

/* Batches repeated until all is done; any error ends the case. Usable in driver and child. */
void populate(u64 dom, u64 gfn, u64 n);
void release(u64 dom, u64 gfn, u64 n);
void copy_frames(u64 dom, u64 gfn, u64 src, u64 n);
void map(u64 dom, u64 va, u64 gfn, u64 n, u64 prot);
void unmap(u64 dom, u64 va, u64 n);
i64 revoke(u64 grant); /* until it is not PV_EAGAIN */
/* A gfn of the own domain with holes from there on, in a child. */
static inline u64 free_gfn(void) { return ((u64)start->heap_end >> PV_PAGE_SHIFT) + 512; }
#define RW (PV_PROT_READ | PV_PROT_WRITE)
#define RX (PV_PROT_READ | PV_PROT_EXEC)
#define GRANT_RO PV_RIGHT_GRANT_READ
#define GRANT_RW (PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE)

/* One page-sized or larger piece of the driver's or child's own heap, page-aligned. */
void *pages_alloc(u64 pages);
static inline u64 gfn_of(const void *p) { return (u64)(uintptr_t)p >> PV_PAGE_SHIFT; }
#define PAGE_BYTES 4096ull
/* Guest frames of the driver that are holes, for grants to be mapped at. */
#define DRIVER_WINDOW_GFN 0x3000000ull

/* ---- this vCPU: time, batch area, events ---- */

#define MAX_VCPU_SLOTS 4
struct abi_cpu {
	struct abi_cpu *self; /* gs:0 */
	u64 kernel_rsp, user_rsp, user_rax, user_how; /* user mode: 1 event, 2 system call */
	u64 event_rsp; /* of events_on_stack() */
	struct pv_vcs *vcs;
	u64 fixup_rip, fixup_rsp; /* where a trapped instruction continues; 0 = none expected */
	u64 vector, error, cr2, rip; /* of the last trap; vector NO_TRAP = none */
	u64 irqs;		     /* deliveries of PV_VEC_IRQ */
	u64 vectors[256];	     /* how often each pend[] vector was taken */
	u64 ports_seen;		     /* bit per port 0..63 taken */
	struct pv_frame frame;	     /* of the last delivery */
	u64 busy_seen, if_seen;	     /* vcs->busy and IF as the entry found them */
};
#define NO_TRAP 0x1000ull

extern struct abi_cpu abi_cpus[MAX_VCPU_SLOTS];
extern struct pv_vcs *vcs0; /* vCPU 0's */
extern struct pv_port_page *port_page;

u64 clock_ns(void);
void delay_ms(u64 ms);		       /* busy */
void sleep_ms(u64 ms);		       /* in WAIT */
bool wait_for(volatile u64 *word, u64 value, u64 ms); /* polls with YIELD */
u64 batch_put(const void *data, u64 len);
void batch_get(void *data, u64 len);

/* From now on this vCPU's traps and interrupts arrive in struct abi_cpu. */
void events_on(u32 slot);
void events_on_vcs(u32 slot, struct pv_vcs *vcs);
/* From then on with this stack, for who has none worth the name; after events_on(). */
void events_on_stack(u64 rsp);
static inline struct abi_cpu *this_abi_cpu(void)
{
	struct abi_cpu *cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}
static inline void irq_disable(void) { vcs0->flags &= ~(u64)PV_VCS_IF; }
void irq_enable(struct pv_vcs *vcs); /* sets IF and delivers what is pending */

/* Runs one instruction; its trap's vector or NO_TRAP. Needs events_on(). */
#define TRAP_OF(insn, ...) \
	({ \
		struct abi_cpu *trap_cpu = this_abi_cpu(); \
		trap_cpu->vector = NO_TRAP; \
		__asm__ volatile("lea 77f(%%rip), %%rax\n\tmov %%rax, %c[rip](%[cpu])\n\t" \
				 "mov %%rsp, %c[rsp](%[cpu])\n\t" insn "\n77:" \
				 : \
				 : [cpu] "b"(trap_cpu), [rip] "i"(offsetof(struct abi_cpu, fixup_rip)), \
				   [rsp] "i"(offsetof(struct abi_cpu, fixup_rsp)), ##__VA_ARGS__ \
				 : "rax", "rcx", "rdx", "rsi", "rdi", "r11", "memory", "cc"); \
		trap_cpu->fixup_rip = 0; \
		trap_cpu->vector; \
	})
void syscalls_off(void); /* after events_on(0): programs have no system calls */
/* Walked domains: runs user code at rip until its next event. 1 event, 2 system call, 3 refused. */
u64 run_user(u64 rip, u64 rsp, u64 rax);
u64 run_user_with(u64 rip, u64 rsp, u64 cs, u64 ss, u64 rflags); /* any frame */
u64 try_read(u64 va);		   /* vector or NO_TRAP */
u64 try_write(u64 va, u64 value);
u64 try_exec(u64 va);

/* Starts vCPU `index` of the own domain at fn, with a stack and a VCS of its own, events on. */
void vcpu_launch(u32 index, void (*fn)(void));
/* The same without registering a VCS. */
void vcpu_launch_bare(u32 index, void (*fn)(void));
/* vCPU 1 reads at va until that is a page fault: does it still read, did it come to that in time? */
void probe_launch(u64 va);
bool probe_reads(void);
bool probe_faulted(void);
/* The registers a vCPU of the own domain needs to run fn. */
struct pv_vcpu_gpr vcpu_gpr_for(u32 index, void (*fn)(void));

#endif
