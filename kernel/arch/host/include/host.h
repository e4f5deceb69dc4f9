/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h - the machine that tests play on: CPUs, an MMU, memory, and one guest instruction: access.
 *
 * Either one thread plays all CPUs in turn (host_be), then an interrupt is served at once inside
 * arch_ipi_send(); or each thread is a CPU (host_threads = true), then interrupts are polled between
 * guest instructions, as hardware does.
 */
#ifndef RF_HOST_H
#define RF_HOST_H

#include "cpu.h"
#include "types.h"

struct vcpu;
struct domain;
struct cap;

void host_machine_init(u64 ram_bytes, u32 ncpus, const char *cmdline);
void host_be(u32 cpu);
extern bool host_threads;
extern u64 host_race_seed; /* set before the threads start: where they pause */
/* Take the place of serving an interrupt at once, of a spinning CPU's pause, and of polling for interrupts
 * between guest instructions (NULL: they do not). */
extern void (*host_ipi)(u32 cpu, u8 vector);
extern void (*host_relax)(void), (*host_turn)(void);

/* What a domain is made of here; kernel memory for the struct itself comes from the host. Walked ones are fused if
 * host_fused is set. */
extern bool host_fused;
struct domain *host_domain(u32 kind, u64 mem_pages, u64 kmem_pages, u32 vtlb_tables);
struct vcpu *host_vcpu(struct domain *dom, u32 index);
void host_domain_free(struct domain *dom); /* with its vCPUs */

struct cap *host_cap(u64 handle); /* what a handle returned by the code under test stands for */

/* The current CPU switches to v (NULL: idle), enters and leaves the guest. */
void host_run(struct vcpu *v);
void host_enter_guest(void);
void host_leave_guest(void);
void host_set_mode(struct vcpu *v, u32 mode);

enum host_access { HOST_READ, HOST_WRITE, HOST_EXEC };
enum host_result { HOST_OK, HOST_FAULT, HOST_FATAL };
/* One access by the vCPU that runs on this CPU, which is in the guest. HOST_OK: *ptr is the byte in
 * machine memory; HOST_FAULT: *error is what the guest would be told. */
enum host_result host_access(vaddr_t va, enum host_access how, char **ptr, u64 *error);
/* Polls for an interrupt: a guest instruction boundary. */
void host_poll(void);

/* At the nth race point from now on another CPU does something (locked: of those with a lock held; it may take none
 * then). Afterwards: was there one? */
void host_between(u64 nth, bool locked, void (*other)(void));
bool host_between_done(void);
/* Of the points of fail.h passed from now on the nth says that nothing is left; afterwards: which one that was,
 * NULL if fewer were passed. */
struct fail_site;
void host_fail_arm(u64 nth);
void host_fail_all(void); /* each, until it is over */
const struct fail_site *host_fail_disarm(void);

void host_event(struct vcpu *v); /* what every entry that is no hidden fill does */
extern u64 host_ns; /* the clock */
extern u64 host_shown; /* characters the sinks of the log have had */
extern size_t host_shown_at_once; /* how many they take in one piece */
extern __thread u64 host_faults; /* page faults this CPU took */

#endif
