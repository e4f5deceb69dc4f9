/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress.h - what the parts of the stress program share. Each operation checks what it did and ends the
 * program with a message when anything is wrong; none measures time.
 */
#ifndef STRESS_H
#define STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096ul

struct worker {
	unsigned int number;
	uint64_t random;
};

struct operation {
	const char *name;
	void (*run)(struct worker *w);
	unsigned int share; /* how often, relative to the others */
};

extern const struct operation process_operations[], memory_operations[], race_operations[];
extern const char *stress_program; /* path of this program, for exec */

uint64_t next_random(struct worker *w);
static inline uint64_t below(struct worker *w, uint64_t n)
{
	return next_random(w) % n;
}

__attribute__((noreturn, format(printf, 1, 2))) void wrong(const char *fmt, ...);
/* The value of a call that returns -1 on error. */
#define SYS(call)                                                                                  \
	({                                                                                         \
		__auto_type sys_ = (call);                                                         \
		if (sys_ == (typeof(sys_))-1)                                                      \
			wrong("%s: %m", #call);                                                    \
		sys_;                                                                              \
	})

void *pages(size_t n);	       /* anonymous, private, writable */
void *shared_pages(size_t n);  /* the same, shared with children */
void expect_exit(pid_t pid, int code);
/* A word two sides wait on, in shared or thread-shared memory. */
void wait_for(volatile uint32_t *word, uint32_t value);
void set(volatile uint32_t *word, uint32_t value);

#endif
