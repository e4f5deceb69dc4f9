/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evil.h - a domain that tries everything, beside one that keeps secrets and works: attack.c, victim.c, and
 * driver.c, which makes them, watches and destroys them. Built on the child loader of the ABI suite.
 */
#ifndef EVIL_H
#define EVIL_H

#include "../../abi/lib/abitest.h"
#include "../../abi/lib/random.h"

#define ROWS 112 /* of the histogram: operations in the grammar's order, the last one is what is none of them */
#define ERRORS 16
#define SECRET_TAG 0x5ec2e7a1ull /* upper half of every word of the victim's secrets */
#define SECRET_PAGES 8u

/* A page of the attacker's own, mapped by the driver too. Nothing in it is believed. */
struct attack_log {
	u16 calls[ROWS][ERRORS]; /* by operation and error, 0: success */
	u64 step[2];
	u64 leaks, leaked, leaked_at; /* words of the victim's seen: how many, the first, where */
};
_Static_assert(sizeof(struct attack_log) <= 4096, "one page");

/* Words of the share page. The attacker's: */
enum { A_SEED, A_STEPS, A_SIBLING, A_SCRATCH, A_SHOWN, A_PORT, A_VM86, A_KIND };
/* The victim's: its nonce, rounds of work, what it found wrong, a port it shall close. */
enum { V_NONCE, V_ROUNDS, V_WRONG, V_WRONG_AT, V_CLOSE, V_READY };

/* Word i of the victim's secrets. */
static inline u64 secret_word(u64 nonce, u64 i)
{
	u64 x = (nonce + i) * 0x9e3779b97f4a7c15ull;

	return SECRET_TAG << 32 | (x ^ x >> 29) >> 32;
}

/* Where the attacker keeps its log: the first page it takes, right below its stack. */
static inline u64 log_address(const struct pv_start_info *info)
{
	return (info->heap_end & ~(PAGE_BYTES - 1)) - 2 * PAGE_BYTES;
}

#define PLAYGROUND 48u /* guest frames from free_gfn() on, which the attacker plays with */
#define WINDOW_VA 0x20000000ull

void attack(void);
void be_victim(void);

/* mischief.c: what the attacker does without a hypercall. */
void mischief_begin(void);
void mischief_enter(void); /* the second vCPU, into the space the first has built */
void scribble_on_page(struct random *r);
void scribble_on_tables(struct random *r);
void touch_memory(struct random *r, struct attack_log *notes);
void go_to_user_mode(struct random *r);
void do_in_kernel_mode(struct random *r);
void set_vm_flag(void); /* does not return */
u64 clock_kept(void);
u64 some_number(struct random *r);

#endif
