// SPDX-License-Identifier: BSD-2-Clause
/*
 * victim.c - a domain that minds its own business: it keeps secrets in memory and registers, looks whether they
 * are what they were, and works. What is wrong it says in its share page and goes on.
 */
#include "evil.h"

static void complain(u64 what, u64 at)
{
	if (!share->word[V_WRONG])
		share->word[V_WRONG_AT] = at;
	__atomic_store_n(&share->word[V_WRONG], what, __ATOMIC_RELEASE);
}

static void check_memory(const volatile u64 *secrets, u64 nonce)
{
	for (u64 i = 0; i < SECRET_PAGES * 512; i++)
		if (secrets[i] != secret_word(nonce, i)) {
			complain(1, i);
			return;
		}
}

/* Across a hypercall that lets others run; rcx and r11 are the call's. */
static void check_registers(u64 nonce)
{
	u64 secret = secret_word(nonce, 1 << 20), differs;
	register u64 nr __asm__("rax") = PV_HC_VCPU_CTL;

	__asm__ volatile("mov %[secret], %%r12\n\tmov %[secret], %%r13\n\tmov %[secret], %%r14\n\t"
			 "movq %[secret], %%xmm0\n\tmovq %[secret], %%xmm7\n\tmovq %[secret], %%xmm15\n\t"
			 "xor %%r10d, %%r10d\n\tsyscall\n\t"
			 "movq %%xmm0, %%rax\n\txor %[secret], %%rax\n\t"
			 "xor %[secret], %%r12\n\tor %%r12, %%rax\n\txor %[secret], %%r13\n\tor %%r13, %%rax\n\t"
			 "xor %[secret], %%r14\n\tor %%r14, %%rax\n\t"
			 "movq %%xmm7, %%r12\n\txor %[secret], %%r12\n\tor %%r12, %%rax\n\t"
			 "movq %%xmm15, %%r12\n\txor %[secret], %%r12\n\tor %%r12, %%rax\n\t"
			 : "+a"(nr)
			 : [secret] "b"(secret), "D"(PV_VCPU_CTL_YIELD), "S"(PV_SELF), "d"(0)
			 : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "xmm0", "xmm7", "xmm15", "memory", "cc");
	differs = nr;
	if (differs)
		complain(2, differs);
}

/* An amount of work with a known result. */
static void do_some_work(void)
{
	u64 a = 1, b = 1;

	for (u32 i = 0; i < 90; i++) {
		u64 next = a + b;

		a = b;
		b = next;
	}
	if (b != 7540113804746346429ull)
		complain(3, b);
}

static void close_what_is_over(void)
{
	u64 port = __atomic_load_n(&share->word[V_CLOSE], __ATOMIC_ACQUIRE);

	if (!port)
		return;
	if (OP(PORT_CTL, CLOSE, port))
		complain(4, port);
	__atomic_store_n(&share->word[V_CLOSE], 0, __ATOMIC_RELEASE);
}

void be_victim(void)
{
	volatile u64 *secrets = pages_alloc(SECRET_PAGES);
	u64 nonce = share->word[V_NONCE], irqs;

	for (u64 i = 0; i < SECRET_PAGES * 512; i++)
		secrets[i] = secret_word(nonce, i);
	share->word[V_READY] = gfn_of((void *)secrets);
	events_on(0);
	for (;;) {
		check_memory(secrets, nonce);
		check_registers(nonce);
		do_some_work();
		close_what_is_over();
		/* Sleeps until its timer, whatever else arrives. */
		irqs = abi_cpus[0].vectors[PV_VEC_TIMER];
		HC(TIMER_SET, clock_ns() + MS / 2);
		for (u32 i = 0; i < 1000000 && abi_cpus[0].vectors[PV_VEC_TIMER] == irqs; i++) {
			HC(WAIT, PV_WAIT_ENABLE, PV_FOREVER);
			irq_enable(vcs0);
			irq_disable();
		}
		__atomic_fetch_add(&share->word[V_ROUNDS], 1, __ATOMIC_ACQ_REL);
	}
}
