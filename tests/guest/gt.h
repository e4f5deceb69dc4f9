/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gt.h - what the rooms of the guest test program share.
 *
 * A case is a function. It runs in a process (and process group) of its own, so that whatever it
 * breaks ends with it. It passes by returning, and leaves early through CHECK, CHECK_EQ, SYS or
 * gt_skip. Nothing here measures wall time: clocks are only compared with each other.
 */
#ifndef GT_H
#define GT_H

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define GT_LONG 1u	/* left out of the quick set */
#define GT_LAST 2u	/* runs after all other cases: may leave the machine short of memory */

#define GT_KERNEL 4u	/* about being kept from the kernel's memory: left out where nobody is */

struct test_case {
	const char *name;
	void (*run)(void);
	unsigned int flags;
};

struct room {
	const char *name;
	const struct test_case *cases;
};

#define ROOM(id, ...) const struct test_case room_##id[] = { __VA_ARGS__, { NULL, NULL, 0 } }

extern const struct test_case room_entry[], room_compat[], room_traps[], room_signals[];
extern const struct test_case room_trace[], room_fpu[], room_segs[], room_debugreg[];
extern const struct test_case room_fault[], room_map[], room_share[], room_process[];
extern const struct test_case room_thread[], room_ipc[], room_net[], room_time[], room_system[];
extern const struct test_case room_abuse[];

/* Set once from the command line. */
extern bool gt_vm;		/* inside a Ringfence VM, not native */
extern unsigned int gt_scale;	/* loops run 1/gt_scale of their usual rounds */

/* Rounds of a loop that usually makes @n, at least one. */
unsigned int gt_rounds(unsigned int n);

__attribute__((noreturn, format(printf, 3, 4)))
void gt_fail(const char *file, int line, const char *fmt, ...);
__attribute__((noreturn, format(printf, 1, 2)))
void gt_skip(const char *fmt, ...);

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			gt_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

#define CHECK_EQ(got, want) \
	do { \
		long long got_ = (long long)(got), want_ = (long long)(want); \
		if (got_ != want_) \
			gt_fail(__FILE__, __LINE__, "%s is %#llx, not %s = %#llx", \
				#got, got_, #want, want_); \
	} while (0)

/* The value of a call that returns -1 on error. */
#define SYS(call) \
	({ \
		__auto_type sys_ = (call); \
		if (sys_ == (typeof(sys_))-1) \
			gt_fail(__FILE__, __LINE__, "%s: %s", #call, strerror(errno)); \
		sys_; \
	})

/* Runs fn(arg) in a child process; the child exits 0 when fn returns. */
pid_t gt_fork(void (*fn)(void *), void *arg);
/* Waits for @pid and fails the case unless it exited 0. */
void gt_join(pid_t pid);
/* The wait status of @pid. */
int gt_wait(pid_t pid);

/* What the last signal brought. */
struct caught {
	int signo;
	siginfo_t info;
	greg_t regs[NGREG];
};

/*
 * Calls fn(arg) and returns the number of the synchronous signal it raised, 0 for none. The
 * handler runs on a stack of its own and jumps out, so the registers may be in any state.
 */
int gt_catch(void (*fn)(void *), void *arg, struct caught *caught);

/* Anonymous private memory, or a failed case. */
void *gt_pages(size_t bytes, int prot);
void *gt_shared(size_t bytes);

/* Ready and go between processes and threads: a futex in shared memory. */
void gt_wait_for(volatile uint32_t *word, uint32_t value);
void gt_set(volatile uint32_t *word, uint32_t value);

static inline uint64_t gt_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ (x >> 33);
}

#define PAGE 4096ul

#endif
