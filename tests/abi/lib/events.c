/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.c - what a vCPU of a test domain does with traps and interrupts: it counts them, and lets
 * an instruction that was expected to trap continue behind it. Time and further vCPUs live here
 * too, because both need the VCS.
 */
#include <string.h>

#include "abitest.h"

#define STACK_BYTES 16384

extern char abi_event_entry[], abi_event_entry_on_stack[], abi_erets_address[], abi_vcpu_start[];
extern char abi_user_entry[], abi_syscall_entry[], abi_eretu_address[];
extern char abi_user_refused[];
void abi_event(void);
void abi_run_user(struct abi_cpu *cpu);
void abi_vcpu_main(void (*fn)(void), u64 index, u64 bare);

struct abi_cpu abi_cpus[MAX_VCPU_SLOTS];
struct pv_vcs *vcs0;
struct pv_port_page *port_page;

static u8 stacks[MAX_VCPU_SLOTS][STACK_BYTES] __attribute__((aligned(16)));
static struct pv_vcs vcs_pages[MAX_VCPU_SLOTS] __attribute__((aligned(4096)));

static void take_ports(struct abi_cpu *cpu)
{
	u64 sel = __atomic_exchange_n(&cpu->vcs->port_sel, 0, __ATOMIC_ACQ_REL);

	if (!port_page)
		return;
	for (u32 word = 0; word < 64; word++) {
		if (!(sel & (1ull << word)))
			continue;
		u64 bits = __atomic_fetch_and(&port_page->pending[word], port_page->mask[word],
					      __ATOMIC_ACQ_REL);

		if (word == 0)
			cpu->ports_seen |= bits & ~port_page->mask[0];
	}
}

static void take_vectors(struct abi_cpu *cpu)
{
	cpu->irqs++;
	for (u32 word = 0; word < 4; word++) {
		u64 bits = __atomic_exchange_n(&cpu->vcs->pend[word], 0, __ATOMIC_ACQ_REL);

		if (word == 0 && (bits & (1ull << PV_VEC_PORTS)))
			take_ports(cpu);
		for (; bits; bits &= bits - 1)
			cpu->vectors[word * 64 + (u32)__builtin_ctzll(bits)]++;
	}
}

/* Called with virtual IF = 0; leaves in kframe what ERETS shall return to. */
void abi_event(void)
{
	struct abi_cpu *cpu = this_abi_cpu();
	struct pv_vcs *vcs = cpu->vcs;
	struct pv_frame frame = vcs->kframe;

	cpu->busy_seen = vcs->busy;
	cpu->if_seen = vcs->flags & PV_VCS_IF;
	cpu->frame = frame;
	cpu->cr2 = vcs->cr2;
	__atomic_store_n(&vcs->busy, 0, __ATOMIC_RELEASE);
	if (frame.vector == PV_VEC_IRQ) {
		take_vectors(cpu);
	} else {
		cpu->vector = frame.vector;
		cpu->error = frame.error;
		cpu->rip = frame.rip;
		if (!cpu->fixup_rip)
			abi_fail(__LINE__, "a trap nobody expected, at", frame.rip, frame.vector);
		frame.rip = cpu->fixup_rip;
		frame.rflags &= ~0x100ull; /* no further single step */
		frame.rsp = cpu->fixup_rsp;
	}
	vcs->kframe = frame;
}

static void set_entries(struct pv_vcs *vcs, const char *kernel_entry, u64 syscall_entry)
{
	struct pv_entry entry = {
		.kernel_entry = (u64)kernel_entry,
		.erets = (u64)abi_erets_address,
	};

	if (this_case->kind == PV_KIND_WALKED) {
		entry.user_entry = (u64)abi_user_entry;
		entry.syscall_entry = syscall_entry;
		entry.eretu = (u64)abi_eretu_address;
	}
	memcpy(vcs->batch, &entry, sizeof(entry));
	CHECK_OK(OP(VCPU_SETUP, SET_ENTRY, 0));
}

void syscalls_off(void)
{
	set_entries(vcs0, abi_event_entry, 0);
}

void events_on_vcs(u32 slot, struct pv_vcs *vcs)
{
	struct abi_cpu *cpu = &abi_cpus[slot];

	vcs->flags &= ~(u64)PV_VCS_IF;
	memset(cpu, 0, sizeof(*cpu));
	cpu->self = cpu;
	cpu->vcs = vcs;
	cpu->vector = NO_TRAP;
	CHECK_OK(OP(VCPU_SETUP, SET_KERNEL_GS, (u64)cpu));
	set_entries(vcs, abi_event_entry, (u64)abi_syscall_entry);
}

void events_on_stack(u64 rsp)
{
	struct abi_cpu *cpu = this_abi_cpu();

	cpu->event_rsp = rsp;
	set_entries(cpu->vcs, abi_event_entry_on_stack, (u64)abi_syscall_entry);
}

void events_on(u32 slot)
{
	events_on_vcs(slot, slot == 0 ? vcs0 : &vcs_pages[slot]);
}

void irq_enable(struct pv_vcs *vcs)
{
	vcs->flags |= PV_VCS_IF;
	__asm__ volatile("" ::: "memory");
	if (vcs->flags & PV_VCS_IP)
		HC(IRQ_WIN);
}

_Static_assert(offsetof(struct abi_cpu, kernel_rsp) == 8, "events_entry.S");
_Static_assert(offsetof(struct abi_cpu, user_rsp) == 16, "events_entry.S");
_Static_assert(offsetof(struct abi_cpu, user_rax) == 24, "events_entry.S");
_Static_assert(offsetof(struct abi_cpu, user_how) == 32, "events_entry.S");
_Static_assert(offsetof(struct abi_cpu, event_rsp) == 40, "events_entry.S");

u64 run_user_with(u64 rip, u64 rsp, u64 cs, u64 ss, u64 rflags)
{
	struct abi_cpu *cpu = this_abi_cpu();
	struct pv_frame *frame = &cpu->vcs->uframe;

	memset(frame, 0, sizeof(*frame));
	frame->rip = rip;
	frame->cs = cs;
	frame->ss = ss;
	frame->rflags = rflags;
	frame->rsp = rsp;
	frame->rcx = rip;
	frame->r11 = rflags;
	cpu->user_rsp = rsp;
	cpu->fixup_rip = (u64)abi_user_refused;
	cpu->fixup_rsp = rsp;
	abi_run_user(cpu);
	cpu->fixup_rip = 0;
	return cpu->user_how;
}

u64 run_user(u64 rip, u64 rsp, u64 rax)
{
	this_abi_cpu()->user_rax = rax;
	return run_user_with(rip, rsp, PV_USER_CS, PV_USER_SS, 0x202);
}

u64 try_read(u64 va)
{
	return TRAP_OF("mov (%[va]), %%rdx", [va] "r"(va));
}

u64 try_write(u64 va, u64 value)
{
	return TRAP_OF("mov %[value], (%[va])", [va] "r"(va), [value] "r"(value));
}

u64 try_exec(u64 va)
{
	return TRAP_OF("call *%[va]", [va] "r"(va));
}

/* ---- time ---- */

u64 clock_ns(void)
{
	const volatile struct pv_clock *clock = &vcs0->clock;
	u32 seq;
	u64 ns;

	do {
		seq = clock->seq;
		u32 low, high;

		__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
		u64 delta = ((u64)high << 32 | low) - clock->tsc0;

		delta = clock->shift >= 0 ? delta << clock->shift : delta >> -clock->shift;
		ns = clock->ns0 + (u64)(((unsigned __int128)delta * clock->mul) >> 32);
	} while ((seq & 1) || seq != clock->seq);
	return ns;
}

void delay_ms(u64 ms)
{
	u64 end = clock_ns() + ms * MS;

	while (clock_ns() < end)
		__asm__ volatile("pause");
}

void sleep_ms(u64 ms)
{
	u64 end = clock_ns() + ms * MS;

	while (clock_ns() < end)
		HC(WAIT, 0, end);
}

/* Its calls are not recorded: the record knows one last call, which is that of who is waited for. */
bool wait_for(volatile u64 *word, u64 value, u64 ms)
{
	static const u64 yield[6] = { PV_VCPU_CTL_YIELD, PV_SELF };
	u64 end = clock_ns() + ms * MS * PATIENCE;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value) {
		if (clock_ns() > end)
			return false;
		(void)hc_call(PV_HC_VCPU_CTL, yield);
	}
	return true;
}

/* ---- further vCPUs ---- */

struct pv_vcpu_gpr vcpu_gpr_for(u32 index, void (*fn)(void))
{
	struct pv_vcpu_gpr gpr = {
		.rip = (u64)abi_vcpu_start,
		.rsp = (u64)&stacks[index][STACK_BYTES - 16],
		.rdi = (u64)fn,
		.rsi = index,
		.rdx = 1,
		.rflags = 0x202,
		.root = PV_FOREVER,
	};
	return gpr;
}

void abi_vcpu_main(void (*fn)(void), u64 index, u64 bare)
{
	if (!bare) {
		CHECK_OK(OP(VCPU_SETUP, SET_VCS, gfn_of(&vcs_pages[index])));
		events_on((u32)index);
	}
	fn();
	for (;;)
		OP(VCPU_CTL, STOP, PV_SELF, index);
}

static void launch(u32 index, void (*fn)(void), u64 bare)
{
	struct pv_vcpu_gpr gpr = vcpu_gpr_for(index, fn);

	gpr.rdx = bare;
	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, index));
	batch_put(&gpr, sizeof(gpr));
	CHECK_OK(OP(VCPU_REGS, SET, PV_SELF, index));
	CHECK_OK(OP(VCPU_CTL, START, PV_SELF, index));
}

void vcpu_launch(u32 index, void (*fn)(void))
{
	launch(index, fn, 0);
}

void vcpu_launch_bare(u32 index, void (*fn)(void))
{
	launch(index, fn, 1);
}

static volatile u64 probe_va, probe_state; /* 1 reading, 2 faulted */

static void probe(void)
{
	probe_state = 1;
	while (try_read(probe_va) != 14)
		;
	probe_state = 2;
}

void probe_launch(u64 va)
{
	probe_va = va;
	vcpu_launch(1, probe);
	CHECK(wait_for(&probe_state, 1, 500));
}

bool probe_reads(void)
{
	return probe_state == 1;
}

bool probe_faulted(void)
{
	return wait_for(&probe_state, 2, 500);
}

/* ---- batch area of vCPU 0 ---- */

u64 batch_put(const void *data, u64 len)
{
	memcpy(vcs0->batch, data, len);
	return len;
}

void batch_get(void *data, u64 len)
{
	memcpy(data, vcs0->batch, len);
}
