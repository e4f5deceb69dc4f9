// SPDX-License-Identifier: BSD-2-Clause
/*
 * machine.c - the rest of the machine and of the kernel that the memory code stands on: boot memory,
 * interrupts between CPUs, domains without scheduler and capabilities, log and panic. What is weak
 * gives way to the real thing in tests of domains and capabilities themselves.
 */
#include "arch.h"
#include "arch_mmu.h"
#include "bits.h"
#include "boot_info.h"
#include "cap.h"
#include "counters.h"
#include "domain.h"
#include "grant.h"
#include "host.h"
#include "log.h"
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
__weak struct cpu_counters cpu_counters[MAX_CPUS];
__weak u64 levels[LVL_COUNT];
__weak struct domain *domains[MAX_DOMAINS];

static struct cap caps[256]; /* one table for everybody: handles are its indices */
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
	ram_size = ram_bytes;
	boot_next = PAGE_SIZE;
	boot_cmdline = cmdline;
	nr_cpus = ncpus;
	host_threads = false;
	memset(levels, 0, sizeof(levels));
	memset(domains, 0, sizeof(domains));
	memset(cpu_counters, 0, sizeof(cpu_counters));
	memset(caps, 0, sizeof(caps));
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

void arch_ipi_send(u32 cpu, u8 vector)
{
	struct cpu *self = host_cpu;

	(void)vector;
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

	if (__atomic_exchange_n(&interrupted[id], 0, __ATOMIC_SEQ_CST))
		serve();
}

/* ---- domains ---- */

__weak struct domain *domain_lookup(struct domain_ref ref)
{
	struct domain *dom = ref.slot < MAX_DOMAINS ? domains[ref.slot] : NULL;

	return dom && dom->self.gen == ref.gen ? dom : NULL;
}

__weak i64 cap_reserve(struct domain *dom)
{
	(void)dom;
	for (u32 i = 1; i < ARRAY_SIZE(caps); i++) {
		if (caps[i].type == PV_CAP_NONE) {
			caps[i].type = 0xff;
			return i;
		}
	}
	return -PV_ENOSPC;
}

__weak void cap_fill_nofail(struct domain *dom, u64 handle, const struct cap *cap)
{
	(void)dom;
	caps[handle] = *cap;
}

__weak void cap_unreserve(struct domain *dom, u64 handle)
{
	(void)dom;
	caps[handle].type = PV_CAP_NONE;
}

struct cap *host_cap(u64 handle)
{
	return &caps[handle];
}

struct domain *host_domain(u32 kind, u64 mem_pages, u64 kmem_pages, u32 vtlb_tables)
{
	struct domain *dom = calloc(1, sizeof(*dom));
	static u32 gen;
	u32 slot = 1;

	while (domains[slot])
		slot++;
	dom->self = (struct domain_ref){ slot, ++gen };
	dom->kind = kind;
	dom->state = PV_DOM_RUNNING;
	dom->max_vcpus = PV_MAX_VCPUS;
	snprintf(dom->name, sizeof(dom->name), "test%u", slot);
	if (mm_init(dom, mem_pages, kmem_pages, vtlb_tables)) {
		free(dom);
		return NULL;
	}
	domains[slot] = dom;
	return dom;
}

struct vcpu *host_vcpu(struct domain *dom, u32 index)
{
	struct vcpu *v = calloc(1, sizeof(*v));

	v->dom = dom;
	v->index = index;
	mm_vcpu_init(v);
	dom->vcpus[index] = v;
	return v;
}

void host_domain_free(struct domain *dom)
{
	struct cpu *self = host_cpu;

	for (u32 i = 0; i < nr_cpus; i++) {
		host_be(i);
		if (host_cpu->current && host_cpu->current->dom == dom)
			host_run(NULL);
	}
	host_cpu = self;
	while (!grant_destroy_step(dom))
		;
	while (!mm_destroy_step(dom))
		;
	for (u32 i = 0; i < PV_MAX_VCPUS; i++) {
		if (!dom->vcpus[i])
			continue;
		mm_vcpu_exit(dom->vcpus[i]);
		free(dom->vcpus[i]);
	}
	for (u32 i = 0; i < ARRAY_SIZE(dom->grant_pages); i++)
		if (dom->grant_pages[i])
			kmem_free(dom, dom->grant_pages[i]);
	domains[dom->self.slot] = NULL;
	ASSERT(dom->mm.kmem_used == 0 && dom->mm.mem_used == 0);
	free(dom);
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
	arch_load_root(mode == MODE_USER ? v->user_cr3 : v->kernel_cr3);
}

void host_event(struct vcpu *v)
{
	if (mm_wants_events(v->dom))
		mm_guest_event(v);
}

/* ---- talk ---- */

u64 clock_now_ns(void)
{
	return host_ns;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > LOG_WARN && !getenv("HOST_LOG"))
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
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

#ifdef CONFIG_RACE_POINTS
u64 host_race_seed;

void race_point(void)
{
	static __thread u64 state;

	if (!host_threads)
		return;
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
