// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_emulate.c - the emulator of privileged instructions, fed with bytes: each form it knows, each that is cut
 * short, and forms that are not its own. A port that the domain owns is a real IN or OUT, which the build machine
 * forbids: that it came so far is what is seen.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch.h"
#include "counters.h"
#include "cpu_features.h"
#include "domain.h"
#include "guest.h"
#include "mm.h"
#include "sched.h"
#include "trace.h"

#define RIP 0x401000ull
#define ARCH_SET_GS 0x1001

struct cpu cpus[MAX_CPUS];
u32 nr_cpus = 1;

static struct domain dom;
static struct vcpu vcpu;
static struct pv_vcs vcs;
static u8 code[16];
static size_t code_len;
static bool own_ports;
static struct {
	u32 waits, roots;
	u64 root, flags, msr, msr_value, dr, dr_value, xcr0;
} seen;
static i64 answer; /* of what may refuse */

size_t mm_guest_read(struct vcpu *v, vaddr_t va, void *buf, size_t n)
{
	(void)v;
	assert_int_equal(va, RIP);
	n = n < code_len ? n : code_len;
	memcpy(buf, code, n);
	return n;
}

gpa_t aspace_root(const struct vcpu *v)
{
	(void)v;
	return 0x7000;
}

int aspace_load_root(struct vcpu *v, gpa_t root, u64 flags)
{
	(void)v;
	seen.roots++;
	seen.root = root;
	seen.flags = flags;
	return (int)answer;
}

i64 arch_debug_reg(struct vcpu *v, u64 op, u64 n, u64 value)
{
	(void)v;
	if (op == PV_DEBUG_REG_READ)
		return (i64)(0xd0 + n);
	seen.dr = n;
	seen.dr_value = value;
	return answer;
}

i64 msr_read(struct vcpu *v, u32 index, u64 *value)
{
	(void)v;
	*value = 0x1122334455667788ull;
	return index == 0x10 ? 0 : -PV_ENOENT;
}

i64 msr_write(struct vcpu *v, u32 index, u64 value)
{
	(void)v;
	seen.msr = index;
	seen.msr_value = value;
	return index == 0x10 ? 0 : -PV_ENOENT;
}

struct cpu_features cpu_features = { .fsgsbase = true };

bool xcr0_is_valid(u64 value)
{
	return value == 7;
}

void xcr0_set(struct vcpu *v, u64 value)
{
	(void)v;
	seen.xcr0 = value;
}

bool ioports_owns(const struct domain *d, u32 port, u32 size)
{
	(void)d, (void)port, (void)size;
	return own_ports;
}

i64 vcpu_wait(struct vcpu *v, u64 flags, u64 deadline_ns)
{
	(void)flags, (void)deadline_ns;
	v->regs.rax = 1;
	seen.waits++;
	return 0;
}

void trace(enum trace_event event, u64 a, u64 b)
{
	(void)event, (void)a, (void)b;
}

/* ---- */

static int setup(void **state)
{
	(void)state;
	cpus[0].self = &cpus[0];
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpus[0]), 0);
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vcs, 0, sizeof(vcs));
	memset(&seen, 0, sizeof(seen));
	dom.kind = PV_KIND_WALKED;
	vcpu.dom = &dom;
	vcpu.vcs = &vcs;
	vcpu.regs.cs = SEL_UCODE;
	own_ports = false;
	answer = 0;
	return 0;
}

static bool run(const void *bytes, size_t n)
{
	memset(code, 0xcc, sizeof(code));
	memcpy(code, bytes, n);
	code_len = n;
	vcpu.regs.rip = RIP;
	return emulate_privileged(&vcpu);
}

#define INSN(...) ((const u8[]){ __VA_ARGS__ }), sizeof((const u8[]){ __VA_ARGS__ })
/* It is done, and all of its bytes are passed; cut short by any number of bytes it is the guest's fault. */
#define DONE(...)                                                                                  \
	do {                                                                                       \
		size_t n_ = sizeof((const u8[]){ __VA_ARGS__ });                                   \
                                                                                                   \
		for (size_t cut_ = 0; cut_ < n_; cut_++) {                                         \
			assert_false(run(((const u8[]){ __VA_ARGS__ }), cut_));                    \
			assert_int_equal(vcpu.regs.rip, RIP);                                      \
		}                                                                                  \
		assert_true(run(INSN(__VA_ARGS__)));                                               \
		assert_int_equal(vcpu.regs.rip, RIP + n_);                                         \
	} while (0)
#define REFUSED(...)                                                                               \
	do {                                                                                       \
		assert_false(run(INSN(__VA_ARGS__)));                                              \
		assert_int_equal(vcpu.regs.rip, RIP);                                              \
	} while (0)

static void whose(void **state)
{
	(void)state;
	dom.kind = PV_KIND_EXPLICIT;
	REFUSED(0xf4);
	dom.kind = PV_KIND_WALKED;
	vcpu.regs.cs = SEL_UCODE32;
	REFUSED(0xf4);
	vcpu.regs.cs = SEL_UCODE;
	REFUSED(0x90);
	REFUSED(0x0f, 0xff);
	assert_int_equal(cpus[0].counters[CNT_EMULATED], 0);
	DONE(0xf4);
	assert_int_equal(seen.waits, 1);
	assert_int_equal(vcpu.regs.rax, 0); /* HLT changes nothing */
	assert_int_equal(cpus[0].counters[CNT_EMULATED], 1);
}

static void flags(void **state)
{
	(void)state;
	DONE(0xfb);
	assert_int_equal(vcs.flags & PV_VCS_IF, PV_VCS_IF);
	assert_int_equal(vcpu.exit_work, WORK_EVENTS);
	DONE(0xfa);
	assert_int_equal(vcs.flags & PV_VCS_IF, 0);
	DONE(0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x48, 0xfa);
	DONE(0x0f, 0x06);
	DONE(0x0f, 0x08);
	DONE(0x0f, 0x09);
}

static void control_registers(void **state)
{
	(void)state;
	vcs.cr2 = 0x1234;
	DONE(0x0f, 0x20, 0xc0);
	assert_int_equal(vcpu.regs.rax, 0x80050033);
	DONE(0x0f, 0x20, 0xd1); /* cr2 -> rcx */
	assert_int_equal(vcpu.regs.rcx, 0x1234);
	DONE(0x41, 0x0f, 0x20, 0xd9); /* cr3 -> r9 */
	assert_int_equal(vcpu.regs.r9, 0x7000);
	DONE(0x0f, 0x20, 0xe3);
	assert_true(vcpu.regs.rbx & CR4_PAE);
	assert_int_equal(vcpu.regs.rbx & (CR4_FSGSBASE | CR4_OSXSAVE), CR4_FSGSBASE);
	vcpu.regs.rdi = 9;
	DONE(0x44, 0x0f, 0x20, 0xc7); /* cr8 -> rdi */
	assert_int_equal(vcpu.regs.rdi, 0);
	REFUSED(0x0f, 0x20, 0xc8); /* cr1 */
	REFUSED(0x44, 0x0f, 0x20, 0xc8);
	DONE(0x0f, 0x22, 0xc0);
	DONE(0x0f, 0x22, 0xe0);
	DONE(0x44, 0x0f, 0x22, 0xc0);
	vcpu.regs.rsi = 0x5678;
	DONE(0x0f, 0x22, 0xd6); /* rsi -> cr2 */
	assert_int_equal(vcs.cr2, 0x5678);
	vcpu.regs.rdx = 0x9000 | 0x18;
	DONE(0x0f, 0x22, 0xda); /* rdx -> cr3 */
	assert_int_equal(seen.root, 0x9000);
	assert_int_equal(seen.flags, 0);
	vcpu.regs.rdx = 0x9000 | 1ull << 63;
	DONE(0x0f, 0x22, 0xda);
	assert_int_equal(seen.flags, PV_ROOT_KEEP);
	answer = -PV_EFAULT;
	REFUSED(0x0f, 0x22, 0xda);
	REFUSED(0x0f, 0x22, 0xc8);
}

static void debug_registers(void **state)
{
	(void)state;
	DONE(0x0f, 0x21, 0xf8); /* dr7 -> rax */
	assert_int_equal(vcpu.regs.rax, 0xd7);
	DONE(0x41, 0x0f, 0x21, 0xc0); /* dr0 -> r8 */
	assert_int_equal(vcpu.regs.r8, 0xd0);
	REFUSED(0x0f, 0x21, 0xe0); /* dr4 */
	REFUSED(0x0f, 0x21, 0xe8);
	vcpu.regs.r10 = 0x400;
	DONE(0x41, 0x0f, 0x23, 0xfa); /* r10 -> dr7 */
	assert_int_equal(seen.dr, 7);
	assert_int_equal(seen.dr_value, 0x400);
	answer = -PV_EINVAL;
	REFUSED(0x0f, 0x23, 0xf8);
}

static void model_registers(void **state)
{
	(void)state;
	vcpu.regs.rcx = 0x10;
	DONE(0x0f, 0x32);
	assert_int_equal(vcpu.regs.rax, 0x55667788);
	assert_int_equal(vcpu.regs.rdx, 0x11223344);
	vcpu.regs.rax = 5;
	vcpu.regs.rdx = 6;
	DONE(0x0f, 0x30);
	assert_int_equal(seen.msr_value, 6ull << 32 | 5);
	vcpu.regs.rcx = 0x11;
	REFUSED(0x0f, 0x32);
	REFUSED(0x0f, 0x30);
}

static void groups(void **state)
{
	(void)state;
	vcpu.regs.rax = 7;
	DONE(0x0f, 0x01, 0xd1); /* XSETBV */
	assert_int_equal(seen.xcr0, 7);
	vcpu.regs.rcx = 1;
	REFUSED(0x0f, 0x01, 0xd1);
	vcpu.regs.rcx = 0;
	vcpu.regs.rax = 8;
	REFUSED(0x0f, 0x01, 0xd1);
	DONE(0x0f, 0x01, 0xe3); /* SMSW rbx */
	assert_int_equal(vcpu.regs.rbx, 0x80050033);
	DONE(0x41, 0x0f, 0x01, 0xe0);
	assert_int_equal(vcpu.regs.r8, 0x80050033);
	DONE(0x0f, 0x01, 0xf0); /* LMSW */
	DONE(0x0f, 0x01, 0xf7);
	REFUSED(0x0f, 0x01, 0xe8);
	REFUSED(0x0f, 0x01, 0xf8);
	REFUSED(0x0f, 0x01, 0x10); /* LGDT of memory */
	DONE(0x0f, 0x00, 0xc3); /* SLDT */
	assert_int_equal(vcpu.regs.rbx, 0);
	DONE(0x41, 0x0f, 0x00, 0xc8); /* STR */
	assert_int_equal(vcpu.regs.r8, 0);
	REFUSED(0x0f, 0x00, 0xd0);
	REFUSED(0x0f, 0x00, 0x00);
}

static void ports(void **state)
{
	(void)state;
	vcpu.regs.rax = 0x1122334455667788ull;
	vcpu.regs.rdx = 0x3f8;
	DONE(0xec); /* in al, dx: an empty bus */
	assert_int_equal(vcpu.regs.rax, 0x11223344556677ffull);
	DONE(0x66, 0xed);
	assert_int_equal(vcpu.regs.rax, 0x112233445566ffffull);
	DONE(0xed);
	assert_int_equal(vcpu.regs.rax, 0xffffffff);
	DONE(0xe4, 0x70);
	DONE(0xe5, 0x70);
	vcpu.regs.rax = 0x1234;
	DONE(0xe6, 0x70); /* an OUT changes nothing */
	DONE(0xe7, 0x70);
	DONE(0xee);
	DONE(0xef);
	assert_int_equal(vcpu.regs.rax, 0x1234);
}

static sigjmp_buf forbidden;

static void on_signal(int number)
{
	(void)number;
	siglongjmp(forbidden, 1);
}

static void own(void **state)
{
	static const u8 insns[][2] = { { 0xec }, { 0x66, 0xed }, { 0xed }, { 0xee }, { 0x66, 0xef }, { 0xef } };
	struct sigaction action = { .sa_handler = on_signal }, old;

	(void)state;
	own_ports = true;
	vcpu.regs.rdx = 0x80;
	sigaction(SIGSEGV, &action, &old);
	for (volatile u32 i = 0; i < ARRAY_SIZE(insns); i++) {
		if (!sigsetjmp(forbidden, 1)) {
			(void)run(insns[i], 2);
			fail_msg("no port was touched");
		}
	}
	sigaction(SIGSEGV, &old, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(whose, setup),
		cmocka_unit_test_setup(flags, setup),
		cmocka_unit_test_setup(control_registers, setup),
		cmocka_unit_test_setup(debug_registers, setup),
		cmocka_unit_test_setup(model_registers, setup),
		cmocka_unit_test_setup(groups, setup),
		cmocka_unit_test_setup(ports, setup),
		cmocka_unit_test_setup(own, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
