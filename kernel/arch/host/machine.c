// SPDX-License-Identifier: BSD-2-Clause
/*
 * machine.c - the machine below the code under test: boot memory, CPUs, interrupts between them, the
 * clock. What of the kernel is left out above it has files of its own: alone.c (memory code alone),
 * whole.c (nothing left out).
 */
#include "arch.h"
#include "arch_mmu.h"
#include "bits.h"
#include "boot_info.h"
#include "counters.h"
#include "domain.h"
#include "fail.h"
#include "host.h"
#include "mm.h"
#include "panic.h"
#include "race.h"
#include "tlbflush.h"
#include "vcpu.h"

#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

char *host_ram;
__thread struct cpu *host_cpu;
struct cpu cpus[MAX_CPUS];
u32 nr_cpus;
bool host_threads;
u64 host_ns;
void (*host_ipi)(u32 cpu, u8 vector);
void (*host_relax)(void), (*host_turn)(void);

static u32 interrupted[MAX_CPUS]; /* an interrupt waits for this CPU */
static u64 ram_size, boot_next;
static const char *boot_cmdline;

/* ---- boot ---- */

paddr_t boot_mem_top(void)
{
	return ram_size;
}

paddr_t boot_mem_alloc(u64 size, u64 align)
{
	paddr_t at = (boot_next + align - 1) & ~(align - 1);

	boot_next = at + size;
	memset(paddr_to_ptr(at), 0, size);
	return at;
}

bool boot_mem_next_free(paddr_t *start, u64 *size)
{
	if (*start >= ram_size)
		return false;
	if (*start < boot_next)
		*start = boot_next;
	*size = ram_size - *start;
	return *size != 0;
}

bool cmdline_has(const char *word)
{
	return boot_cmdline && strstr(boot_cmdline, word);
}

void host_machine_init(u64 ram_bytes, u32 ncpus, const char *cmdline)
{
	if (host_ram) {
		ASAN_UNPOISON_MEMORY_REGION(host_ram, ram_size);
		munmap(host_ram, ram_size + MIB(2));
	}
	host_ram = mmap(NULL, ram_bytes + MIB(2), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT(host_ram != MAP_FAILED);
	/* Frame 0 is nobody's: who goes on from an entry of zeros comes there. */
	ASSERT(!mprotect(host_ram, PAGE_SIZE, PROT_NONE));
	ram_size = ram_bytes;
	boot_next = KERNEL_HALF_TABLE + PAGE_SIZE;
	boot_cmdline = cmdline;
	nr_cpus = ncpus;
	host_threads = false;
	memset(levels, 0, sizeof(levels));
	memset(domains, 0, sizeof(domains));
	for (u32 i = 0; i < MAX_CPUS; i++) {
		cpus[i] = (struct cpu){ .self = &cpus[i], .id = i };
		interrupted[i] = 0;
	}
	for (u32 i = 0; i < ncpus; i++) {
		host_be(i);
		host_run(NULL);
	}
	host_be(0);
	frame_init();
}

void host_be(u32 cpu)
{
	host_cpu = &cpus[cpu];
}

/* ---- interrupts ---- */

void cpu_relax(void)
{
	if (host_relax)
		host_relax();
	else
		sched_yield();
}

void host_leave_guest(void)
{
	cpu_leave_guest();
}

void host_enter_guest(void)
{
	while (!cpu_enter_guest())
		;
}

static void serve(void)
{
	struct vcpu *v = this_cpu()->current;

	if (!v) {
		cpu_idle_quiesce();
		return;
	}
	cpu_leave_guest();
	flush_serve_mailbox();
	host_enter_guest();
}

void arch_kick(u32 cpu)
{
	arch_ipi_send(cpu, VEC_KICK);
}

void arch_ipi_send(u32 cpu, u8 vector)
{
	struct cpu *self = host_cpu;

	if (host_ipi) {
		host_ipi(cpu, vector);
		return;
	}
	if (host_threads) {
		__atomic_store_n(&interrupted[cpu], 1, __ATOMIC_SEQ_CST);
		return;
	}
	host_be(cpu);
	serve();
	host_cpu = self;
}

void host_poll(void)
{
	u32 id = this_cpu()->id;

	if (host_turn)
		host_turn();
	if (__atomic_exchange_n(&interrupted[id], 0, __ATOMIC_SEQ_CST))
		serve();
}

void host_run(struct vcpu *v)
{
	struct cpu *c = this_cpu();

	cpu_leave_guest();
	c->current = v;
	arch_load_root(v ? (v->mode == MODE_USER ? v->user_cr3 : v->kernel_cr3) : 0);
	if (v)
		host_enter_guest();
	else
		cpu_idle_quiesce();
}

void host_set_mode(struct vcpu *v, u32 mode)
{
	v->mode = mode;
	if (v->user_cr3 != v->kernel_cr3) /* fused: as entry.S, which would forget all with a load */
		arch_load_root(mode == MODE_USER ? v->user_cr3 : v->kernel_cr3);
}

void host_event(struct vcpu *v)
{
	if (mm_wants_events(v->dom))
		mm_guest_event(v);
}

/* ---- the clock, panic ---- */

u64 clock_now_ns(void)
{
	return host_ns;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* ---- what tests decide ---- */

static u64 fail_at; /* points that are still passed before one fails; 0 = none does */
static bool fail_all;
static const struct fail_site *failed;

void host_fail_arm(u64 nth)
{
	fail_at = nth;
	failed = NULL;
}

void host_fail_all(void)
{
	host_fail_arm(1);
	fail_all = true;
}

const struct fail_site *host_fail_disarm(void)
{
	fail_at = 0;
	fail_all = false;
	return failed;
}

bool fail_point(const struct fail_site *site)
{
	if (likely(!fail_at) || --fail_at)
		return false;
	failed = site;
	fail_at = fail_all;
	return true;
}

#ifdef CONFIG_RACE_POINTS
u64 host_race_seed;

static u64 between_at; /* race points that are still passed before somebody else does something */
static bool between_locked;
static void (*between_do)(void);

void host_between(u64 nth, bool locked, void (*other)(void))
{
	between_at = nth;
	between_locked = locked;
	between_do = other;
}

bool host_between_done(void)
{
	bool done = !between_at;

	between_at = 0;
	return done;
}

static void between(void)
{
	struct cpu *self = host_cpu;

	if (!between_at || between_locked != (self->locks != 0) || --between_at)
		return;
	host_be(self->id ? 0 : 1);
	between_do();
	host_cpu = self;
}

void race_point(void)
{
	static __thread u64 state;

	if (!host_threads) {
		between();
		return;
	}
	if (!state)
		state = 0x9e3779b97f4a7c15ull * (host_race_seed * MAX_CPUS + this_cpu()->id + 1);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	if (state % 61 == 0)
		sched_yield();
	else if (state % 1021 == 0)
		usleep(50);
}
#endif
