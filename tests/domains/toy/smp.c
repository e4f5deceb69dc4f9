// SPDX-License-Identifier: BSD-2-Clause
/*
 * smp.c - the other vCPUs of the toy guest: starting and stopping them, interrupts between them, and
 * translations that all of them must have forgotten when a flush returns.
 */
#include "toy.h"

#define KERNEL_VA 0xffffffff80000000ull
#define MAX 4u
#define PING 0x60u
#define ROUNDS 200u
#define SHARED (USER_DATA + 0x800000)

enum command { IDLE, ECHO, READ, COUNT, QUIT };

static struct ap {
	struct pv_vcs vcs __attribute__((aligned(4096)));
	u8 stack[8192] __attribute__((aligned(16)));
	struct percpu percpu;
	volatile u64 command, answer, ready;
} aps[MAX];

static u64 load(const volatile u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(volatile u64 *p, u64 value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static void relax(void)
{
	(void)HC3(VCPU_CTL, PV_VCPU_CTL_YIELD, PV_SELF, 0);
}

/* ROUNDS times: wait for a PING and send one. */
static void echo(void)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		irq_off();
		while (!took(PING)) {
			(void)HC2(WAIT, PV_WAIT_ENABLE, PV_FOREVER);
			irq_off();
		}
		irq_on();
		(void)HC2(SEND_IPI, 1, PING);
	}
}

/* One command at a time; READ: what is mapped at SHARED now. */
static void obey(struct ap *ap)
{
	u64 command = load(&ap->command);

	switch (command) {
	case READ:
		ap->answer = *(volatile u64 *)SHARED;
		store(&ap->command, IDLE);
		break;
	case ECHO:
		echo();
		store(&ap->command, IDLE);
		break;
	case COUNT:
		ap->answer++;
		break;
	default:
		relax();
	}
}

void ap_main(u64 index)
{
	struct ap *ap = &aps[index];
	struct pv_entry *e = (struct pv_entry *)ap->vcs.batch;

	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, ((u64)&ap->vcs - KERNEL_VA) >> 12);
	*e = (struct pv_entry){
		.user_entry = (u64)toy_user_entry,
		.kernel_entry = (u64)toy_kernel_entry,
		.syscall_entry = (u64)toy_syscall_entry,
		.eretu = (u64)toy_eretu,
		.erets = (u64)toy_erets,
	};
	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY, 0);
	irq_on();
	store(&ap->ready, 1);
	while (load(&ap->command) != QUIT)
		obey(ap);
	store(&ap->ready, 0);
	for (;;)
		(void)HC3(VCPU_CTL, PV_VCPU_CTL_STOP, PV_SELF, index);
}

static i64 start(u32 i)
{
	struct pv_vcpu_gpr *r = (struct pv_vcpu_gpr *)vcs.batch;
	struct ap *ap = &aps[i];
	i64 err = HC3(VCPU_CTL, PV_VCPU_CTL_CREATE, PV_SELF, i);

	if (err)
		return err;
	ap->percpu.vcs = &ap->vcs;
	ap->percpu.self = &ap->percpu;
	*r = (struct pv_vcpu_gpr){
		.rip = (u64)toy_ap_start,
		.rsp = (u64)ap->stack + sizeof(ap->stack),
		.rdi = i,
		.kernel_gs_base = (u64)&ap->percpu,
		.root = root_gpa,
	};
	err = HC3(VCPU_REGS, PV_VCPU_REGS_SET, PV_SELF, i);
	return err ? err : HC3(VCPU_CTL, PV_VCPU_CTL_START, PV_SELF, i);
}

static u32 state_of(u32 i)
{
	return HC3(VCPU_CTL, PV_VCPU_CTL_STATUS, PV_SELF, i) ? 99 :
							       ((struct pv_runstate *)vcs.batch)->state;
}

static void test_ping(struct ap *ap, u32 i)
{
	u64 rounds = 0;

	store(&ap->command, ECHO);
	irq_off();
	for (; rounds < ROUNDS; rounds++) {
		(void)HC2(SEND_IPI, 1ull << i, PING);
		while (!took(PING)) {
			(void)HC2(WAIT, PV_WAIT_ENABLE, PV_FOREVER);
			irq_off();
		}
	}
	check_eq(rounds, ROUNDS, "interrupts to and fro between two vCPUs that sleep");
	while (load(&ap->command) != IDLE)
		relax();
}

/* Each round maps another page and flushes; then every vCPU reads. */
static void test_shootdown(u32 n)
{
	u64 pages[2] = { page_alloc(), page_alloc() }, wrong = 0;

	*(u64 *)gpa_ptr(pages[0]) = 0;
	*(u64 *)gpa_ptr(pages[1]) = 1;
	for (u64 round = 0; round < ROUNDS; round++) {
		map(SHARED, pages[round & 1], PTE_P | PTE_W | PTE_A | PTE_D);
		(void)HC4(AS_FLUSH, PV_FOREVER, SHARED, SHARED + 4096, PV_FLUSH_ALL);
		for (u32 i = 1; i < n; i++)
			store(&aps[i].command, READ);
		for (u32 i = 1; i < n; i++) {
			while (load(&aps[i].command) != IDLE)
				relax();
			wrong += aps[i].answer != (round & 1);
		}
	}
	check_eq(wrong, 0, "no vCPU sees the old page after a flush of all");
}

static void test_stop(struct ap *ap, u32 i)
{
	struct pv_vcpu_gpr *r = (struct pv_vcpu_gpr *)vcs.batch;
	u64 before, bad = 0;

	store(&ap->command, COUNT);
	for (u32 round = 0; round < 100; round++) {
		before = load(&ap->answer);
		while (load(&ap->answer) == before)
			relax();
		bad += HC3(VCPU_CTL, PV_VCPU_CTL_STOP, PV_SELF, i) != 0;
		before = load(&ap->answer);
		bad += HC3(VCPU_REGS, PV_VCPU_REGS_GET, PV_SELF, i) != 0;
		bad += r->rip < KERNEL_VA || r->kernel_gs_base != (u64)&ap->percpu;
		bad += load(&ap->answer) != before;
		bad += HC3(VCPU_CTL, PV_VCPU_CTL_START, PV_SELF, i) != 0;
	}
	check_eq(bad, 0, "a hundred times stopped, read and started");
	store(&ap->command, QUIT);
	while (load(&ap->ready) || state_of(i))
		relax();
	check_eq((u64)HC3(VCPU_CTL, PV_VCPU_CTL_STOP, PV_SELF, i), 0, "STOP of a stopped vCPU");
}

void test_smp(void)
{
	u32 n = start_info->vcpus < MAX ? start_info->vcpus : MAX;

	check_eq((u64)HC3(VCPU_CTL, PV_VCPU_CTL_CREATE, PV_SELF, 0), (u64)-PV_EEXIST, "CREATE of vCPU 0");
	check_eq((u64)HC3(VCPU_CTL, PV_VCPU_CTL_START, PV_SELF, 0), (u64)-PV_ESTATE, "START of oneself");
	for (u32 i = 1; i < n; i++) {
		check_eq((u64)start(i), 0, "another vCPU starts");
		while (!load(&aps[i].ready))
			relax();
		check_eq((u64)start(i), (u64)-PV_EEXIST, "only once");
	}
	if (n < 2)
		return;
	for (u32 i = 1; i < n; i++)
		test_ping(&aps[i], i);
	test_shootdown(n);
	for (u32 i = 1; i < n; i++)
		test_stop(&aps[i], i);
}
