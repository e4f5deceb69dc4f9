/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair.h - two operations on one object at the same time, as a table.
 *
 * A pair is played in one child whose vCPU 0 (A) and vCPU 1 (B) run on two CPUs; a third CPU is for the domain they may
 * be dealing with. First A before B and B before A,
 * one after the other: their results and what is there afterwards are what may come out. Then round for
 * round both at once, with delays that boot parameters abi.seed and (in ringfence-race.elf) race decide: each
 * round must come out like one of the two orders, or like an outcome the row names itself.
 *
 *	PV_ROW(pair_map_unmap, "PVABI-PAR-001.1", pair_run,
 *	       PAIR(.setup = frame, .a = DO(AS_MAP, MAP, ...), .b = DO(AS_MAP, UNMAP, ...),
 *		    .state = memory_there, .clear = memory_clear));
 *
 * The child holds a host capability, so it makes the domains it deals with itself.
 */
#ifndef ABI_PAIR_H
#define ABI_PAIR_H

#include "abitest.h"

/* What a round is about: set by setup, read by both. IT(GFN) as an argument stands for the value. */
enum thing { HOST, DOM, GRANT, HANDLE, PORT, PEER, THIRD, GFN, FAR, WINDOW, ROOT, OTHER_ROOT, THINGS };
#define IT(thing) (0x7a7a000000000000ull | (thing))
extern u64 things[THINGS];

/* A hypercall, repeated while it answers PV_EAGAIN; or a function. Success is 0, whatever is returned. */
struct deed {
	u64 nr, args[6];
	bool value; /* the result is told as it is: it names nothing */
	i64 (*fn)(void);
};
#define DO(name, op, ...) { .nr = PV_HC_##name, .args = { PV_##name##_##op, ##__VA_ARGS__ } }
#define DO_CALL(name, ...) { .nr = PV_HC_##name, .args = { __VA_ARGS__ } }
#define VALUE_OF(name, ...) { .nr = PV_HC_##name, .args = { __VA_ARGS__ }, .value = true }
#define RUN(function) { .fn = function }

/* Results that come from neither order: the middle of an operation that others may see. */
struct outcome {
	bool may;
	i64 a, b;
};
#define ALSO(...) .also = { __VA_ARGS__ }
#define MAY(a, b) { true, a, b }

struct pair {
	void (*setup)(void); /* before each round, on vCPU 0 */
	struct deed a, b;
	u64 (*state)(void);    /* what is there afterwards, as a number that names nothing */
	void (*clear)(void);   /* after each round, on vCPU 0; must do whatever came out */
	void (*clear_b)(void); /* before that, on vCPU 1 */
	bool one_order;	       /* B ends only when A is done: B first is not tried */
	struct outcome also[4];
};
extern u64 pair_made[2]; /* what the deeds of A and B returned, handles among it; errors as 0 */

#define PAIR(...) PAIR_OF(PV_KIND_EXPLICIT, __VA_ARGS__)
#define PAIR_OF(k, ...) \
	PARTS(pair_play), .kind = k, .vcpus = 4, .cpus = 3, .extra = 600, .kmem = 160, .heap = 128, \
	.budget_ms = 20000, .row = &(const struct pair){ __VA_ARGS__ }

void pair_run(void);  /* body of the driver */
void pair_play(void); /* of the child */

/* ---- pair_stage.c: what pairs are played on ---- */

#define PAIR_VA 0x20000000ull
#define PAIR_WORD 0x600d600dull /* what the first word of GFN holds */
#define OLD_REGISTERS 0x1111ull
#define NEW_REGISTERS 0x2222ull

void hole(void);	 /* GFN and FAR are holes */
void frame(void);	 /* GFN is a frame, FAR a hole */
void frames(void);	 /* both are frames */
void frame_mapped(void); /* GFN is mapped at PAIR_VA for reading and writing */
u64 frame_exists(u64 gfn);
u64 memory_there(void);	 /* is GFN, is FAR, what can be done at PAIR_VA */
void memory_clear(void);
i64 write_there(void);	 /* stores to PAIR_VA: 0, or the vector as an error */

void domain_empty(void);    /* DOM: quotas alone */
void domain_built(void);    /* DOM with vCPU 0 and code for it that spins; never run */
void domain_ending(void);   /* the same with code that shuts it down */
void domain_spinning(void); /* DOM runs */
void domain_paused(void);   /* it ran and is paused */
void domain_idle(void);	    /* it runs, its vCPU is stopped, with OLD_REGISTERS in all of them */
u64 domain_gone(void);
void domain_clear(void);
void registers_put(u64 pattern);
u64 registers_pattern(const struct pv_vcpu_gpr *gpr); /* the pattern, 0: some of one and some of another */

void ports(void);      /* PORT, PEER, THIRD: unbound */
void connected(void);  /* PORT with PEER, THIRD unbound */
u64 ports_there(void); /* the states of all three */
void ports_clear(void);

void pair_drop(u64 handle); /* if it is there */
void pair_end(u64 dom);	    /* destroys it, or drops what is left of it */

#endif
