// SPDX-License-Identifier: BSD-2-Clause
/*
 * whole.c - see whole.h.
 */
#include "whole.h"

#include "arch.h"
#include "cap.h"
#include "host.h"
#include "hypercall.h"
#include "init.h"
#include "log.h"
#include "mm.h"
#include "panic.h"
#include "rootdom.h"
#include "runq.h"
#include "sched.h"
#include "tlbflush.h"
#include "vcpu.h"
#include "whole_devices.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_KMEM 4096
#define ROOT_FRAMES 16

u64 whole_host_handle;

static jmp_buf idle_exit; /* of the CPU that looks for work; none of them nests in another's search */
static jmp_buf machine_off;
static bool in_kernel[MAX_CPUS];
static u32 waiting[MAX_CPUS]; /* interrupts not yet taken: KICK and FLUSH need no more than a look around */
static bool timer_waits[MAX_CPUS];
static u64 timer_at[MAX_CPUS];

/* ---- entering and leaving the kernel ---- */

static u32 idle_turns; /* a wait has taken; a call is over before it takes many */

static void enter_kernel(u32 cpu)
{
	idle_turns = 0;
	host_be(cpu);
	in_kernel[cpu] = true;
	cpu_leave_guest();
}

/* The exit path of the kernel; a CPU without work ends in arch_idle(). */
static void leave_kernel(void)
{
	jmp_buf outer;

	memcpy(&outer, &idle_exit, sizeof(outer));
	if (!setjmp(idle_exit))
		sched_exit_to_guest();
	memcpy(&idle_exit, &outer, sizeof(outer));
	in_kernel[this_cpu()->id] = false;
}

void arch_idle(void)
{
	longjmp(idle_exit, 1);
}

void arch_poweroff(void)
{
	longjmp(machine_off, 1);
}

void arch_reboot(void)
{
	arch_poweroff();
}

void root_domain_died(const struct domain *dom)
{
	(void)dom;
	arch_poweroff();
}

/* ---- interrupts ---- */

static void ipi(u32 cpu, u8 vector)
{
	(void)vector;
	waiting[cpu] = 1;
}

static void take_interrupt(u32 cpu)
{
	bool timer = timer_waits[cpu];

	enter_kernel(cpu);
	waiting[cpu] = 0;
	timer_waits[cpu] = false;
	flush_serve_mailbox();
	log_interrupt(VEC_LOG);
	if (timer)
		timer_interrupt(VEC_TIMER);
	leave_kernel();
}

/* True if some CPU had something to take. */
static bool take_one(void)
{
	struct cpu *self = host_cpu;
	bool any = false;

	for (u32 i = 0; i < nr_cpus; i++) {
		if (in_kernel[i] || !(waiting[i] || timer_waits[i]))
			continue;
		take_interrupt(i);
		any = true;
	}
	host_cpu = self;
	return any;
}

static void relax(void)
{
	idle_turns = take_one() ? 0 : idle_turns + 1;
	if (idle_turns > 1000)
		panic("CPU %u waits for what cannot come", this_cpu()->id);
}

void whole_settle(void)
{
	while (take_one())
		;
}

/* ---- time ---- */

void arch_timer_arm(u64 abs_ns)
{
	timer_at[this_cpu()->id] = abs_ns;
	if (abs_ns <= host_ns)
		timer_waits[this_cpu()->id] = true;
}

void whole_time(u64 ns)
{
	host_ns += ns;
	for (u32 i = 0; i < nr_cpus; i++)
		if (timer_at[i] <= host_ns) {
			timer_at[i] = PV_FOREVER;
			timer_waits[i] = true;
		}
	whole_settle();
}

void whole_interrupt(u32 line)
{
	enter_kernel(0);
	whole_device_assert(line);
	leave_kernel();
	whole_settle();
}

/* ---- running ---- */

/* The hand that leads the scheduler: v has had less than anybody, and nobody holds it back. */
static void make_first(struct vcpu *v)
{
	struct runq *rq = runq_lock_of(v);

	runq_remove(rq, v);
	for (struct vcpu *other = rq->first; other; other = other->rq_next)
		other->vruntime++;
	v->vruntime = 0;
	v->dom->cap_used_ns = 0;
	runq_insert(rq, v);
	spin_unlock(&rq->lock);
}

bool whole_run(struct vcpu *v)
{
	if (v->state == VCPU_RUNNING) {
		host_be(v->cpu);
		return true;
	}
	if (v->state != VCPU_RUNNABLE || !v->queued)
		return false;
	enter_kernel(v->cpu);
	make_first(v);
	sched_yield_current();
	leave_kernel();
	whole_settle();
	if (v->state != VCPU_RUNNING)
		return false;
	host_be(v->cpu);
	return true;
}

i64 whole_call(struct vcpu *v, u64 nr, const u64 args[6])
{
	struct cpu_regs *r = &v->regs;
	u32 cpu = v->cpu;
	i64 result;

	if (setjmp(machine_off))
		return WHOLE_OFF;
	ASSERT(cpus[cpu].current == v);
	enter_kernel(cpu);
	host_event(v);
	r->rax = nr;
	r->rdi = args[0];
	r->rsi = args[1];
	r->rdx = args[2];
	r->r10 = args[3];
	r->r8 = args[4];
	r->r9 = args[5];
	result = hypercall_dispatch(v);
	r->rax = (u64)result;
	leave_kernel();
	whole_settle();
	return result;
}

void whole_destroy(struct domain_ref ref)
{
	int err = -PV_EAGAIN;

	while (err == -PV_EAGAIN) {
		enter_kernel(this_cpu()->id);
		err = domain_destroy_step(ref);
		leave_kernel();
		whole_settle();
	}
}

/* ---- the start ---- */

static struct domain *root_make(void)
{
	struct pv_dom_create args = {
		.name = "root",
		.kind = PV_KIND_EXPLICIT,
		.mem_pages = frame_free_count() - ROOT_KMEM,
		.kmem_pages = ROOT_KMEM,
		.max_vcpus = 4,
		.vtlb_tables = PV_VTLB_MAX,
		.weight = 256,
	};
	const struct cap host = { .type = PV_CAP_HOST, .rights = PV_RIGHT_HOST_ALL };
	struct domain *root;
	i64 handle, n;
	u64 done = 0;

	if (domain_create(NULL, &args, &root))
		return NULL;
	handle = cap_insert(root, &host);
	while (done < ROOT_FRAMES && (n = mem_populate(root, done, ROOT_FRAMES - done)) > 0)
		done += (u64)n;
	if (handle < 0 || done != ROOT_FRAMES)
		return NULL;
	whole_host_handle = (u64)handle;
	spin_lock(&root->lock);
	if (vcpu_create(root, 0))
		root = NULL;
	else
		spin_unlock(&root->lock);
	return root;
}

struct domain *whole_start(u64 ram_bytes, u32 ncpus)
{
	struct domain *root;

	host_machine_init(ram_bytes, ncpus, "");
	host_ipi = ipi;
	host_relax = relax;
	host_turn = whole_settle;
	for (u32 i = 0; i < ncpus; i++) {
		timer_at[i] = PV_FOREVER;
		enter_kernel(i);
		sched_init_cpu();
		leave_kernel();
	}
	enter_kernel(0);
	root = root_make();
	if (!root || domain_unpause(root))
		return NULL;
	leave_kernel();
	whole_settle();
	if (!whole_run(root->vcpus[0]) ||
	    whole_call(root->vcpus[0], PV_HC_VCPU_SETUP, (u64[6]){ PV_VCPU_SETUP_SET_VCS, 0 }) ||
	    whole_call(root->vcpus[0], PV_HC_VCPU_SETUP, (u64[6]){ PV_VCPU_SETUP_SET_PORT_PAGE, 1 }))
		return NULL;
	return root;
}
