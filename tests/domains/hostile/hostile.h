/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile.h - a guest kernel that means harm, on the toy guest's doors and page tables. An actor is one
 * of its vCPUs; a deed is what all actors do again and again, an event in between begins anew.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "../toy/toy.h"

#define ACTOR_EVENT_STACK 80 /* from the gs base, which is struct actor's percpu */

#ifndef __ASSEMBLER__

#define KERNEL_VA 0xffffffff80000000ull
#define DIRECT_VA 0xffff888000000000ull
#define MAX_ACTORS 4u
#define MEMORY (48ull << 20) /* what every hostile domain is given */

struct actor {
	struct pv_vcs vcs __attribute__((aligned(4096)));
	u8 stack[16384] __attribute__((aligned(4096)));
	u8 event_stack[8192] __attribute__((aligned(16)));
	struct percpu percpu;
	u64 event_top; /* where hostile_kernel_entry starts; 0: on the stack it finds */
	struct user_ctx ctx;
	u64 index, noise;
	bool carry_on; /* after an event from kernel mode: at `resume`, with its stack */
	u64 resume[5];
	volatile u64 rounds, ok, errors, events;
};

extern struct actor actors[MAX_ACTORS];
extern u32 actor_count;

/* ---- main.c ---- */
u64 noise(void);
u64 below(u64 n);
u64 argument(void); /* small numbers, limits, addresses of both halves, anything */
struct actor *this_actor(void);
void shutdown(u64 reason, u64 code);
void enter_doors(struct actor *a); /* registers the actor's VCS and entries, on its vCPU */
i64 start_actor(u32 index);
/* A hypercall whose answer is counted. */
i64 call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);
#define CALL(name, op, ...) call_list(PV_HC_##name, (const u64[6]){ PV_##name##_##op, ##__VA_ARGS__ })
static inline i64 call_list(u64 nr, const u64 *a)
{
	return call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- deeds ---- */
struct deed {
	const char *name;
	void (*once)(void);
	void (*prepare)(void); /* before the first round, on vCPU 0; may be NULL */
};
extern const struct deed alone_deeds[], gang_deeds[], memory_deeds[]; /* a NULL name ends each */

void one_careful_call(void);
void one_frame(void);
extern const char hostile_kernel_entry[];

#endif
#endif
