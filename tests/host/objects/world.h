/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - what the objects under test see of the rest of the kernel, and what a test may ask it.
 */
#ifndef WORLD_H
#define WORLD_H

#include "domain.h"
#include "types.h"

#define WORLD_LINES 32

/* A fresh machine with a root domain; returns it. */
struct domain *world_start(u64 ram_bytes);
/* A running child of parent, or NULL with the error in *err. */
struct domain *world_child(struct domain *parent, const char *name, int *err);
struct domain *world_child_sized(struct domain *parent, u64 mem, u64 kmem, int *err);
void world_vcpu(struct domain *dom, u32 index);
/* Repeats DESTROY, leaving the kernel between the calls. Steps it took. */
u32 world_destroy(struct domain_ref ref);

bool world_take_event(const struct domain *dom, u32 port); /* was it made pending? forgets it */
extern u32 world_events; /* ever posted */
extern char world_log[65536]; /* what domains wrote */
extern bool world_masked[WORLD_LINES]; /* lines of the interrupt controller */
extern bool world_routed[WORLD_LINES];
void world_interrupt(u32 line); /* the device asserts it */
u8 world_vector_of(u32 line);	/* by which it was routed last */
void world_vector(u8 vector);	/* comes, masked or not: it was on its way */
extern u32 world_lines, world_isa_gsi; /* how many the controllers say they have; where ISA interrupt 0 is wired */
extern bool world_no_route;	/* the controllers have no room left */
extern bool world_root_died;

#endif
