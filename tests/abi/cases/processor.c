/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * processor.c - SEG_CTL, DEBUG_REG, MSR, CPUID: the processor as a guest sees it, and what must not
 * pass from one domain to another.
 */
#include <string.h>

#include "../lib/abitest.h"

#define DESC(base, limit, type, flags) \
	(((u64)(base)&0xffffff) << 16 | ((u64)(base) >> 24 & 0xff) << 56 | ((u64)(limit)&0xffff) | \
	 ((u64)(limit) >> 16 & 0xf) << 48 | (u64)(type) << 40 | (u64)(flags) << 52)
#define DATA3 0xf3  /* present, DPL 3, data, writable, accessed */
#define CODE3 0xfb  /* present, DPL 3, code, readable, accessed */
#define FLAG_32 0x4 /* D/B */
#define FLAG_64 0x2 /* L */
#define FLAG_G 0x8
#define TLS_SELECTOR(i) ((PV_TLS_FIRST + (i)) * 8 + 3)

PV_TEST(tls_accepts, "PVABI-SEG-001.1")
{
	u64 data = DESC(0x12345000, 0xfffff, DATA3, FLAG_32 | FLAG_G);
	u16 old, old_ds, got, got_ds;

	CHECK_OK(OP(SEG_CTL, LOAD_TLS, data, 0, DESC(0, 0xfffff, CODE3, FLAG_32 | FLAG_G)));
	__asm__ volatile("mov %%es, %0" : "=r"(old));
	__asm__ volatile("mov %%ds, %0" : "=r"(old_ds));
	__asm__ volatile("mov %0, %%es" ::"r"((u16)TLS_SELECTOR(0)));
	__asm__ volatile("mov %0, %%ds" ::"r"((u16)TLS_SELECTOR(2)));
	HC(WAIT, 0, clock_ns() + MS); /* survives a switch */
	__asm__ volatile("mov %%es, %0" : "=r"(got));
	__asm__ volatile("mov %%ds, %0" : "=r"(got_ds));
	__asm__ volatile("mov %0, %%es" ::"r"(old));
	__asm__ volatile("mov %0, %%ds" ::"r"(old_ds));
	CHECK_EQ(got, TLS_SELECTOR(0));
	CHECK_EQ(got_ds, TLS_SELECTOR(2));
	CHECK_OK(OP(SEG_CTL, LOAD_TLS, 0, 0, 0));
}

PV_TEST(tls_base_is_used, "PVABI-SEG-001.1")
{
	static u64 cell = 0xabcdef;
	u64 got;
	u16 selector = TLS_SELECTOR(1);

	CHECK_OK(OP(SEG_CTL, LOAD_TLS, 0, DESC((u64)&cell, 0xfff, DATA3, FLAG_32 | FLAG_G), 0));
	__asm__ volatile("mov %1, %%fs; mov %%fs:0, %0" : "=r"(got) : "r"(selector));
	CHECK_EQ(got, 0xabcdef);
	__asm__ volatile("mov %0, %%fs" ::"r"((u16)0));
}

PV_TEST(tls_refuses, "PVABI-SEG-002.1")
{
	u64 good = DESC(0, 0xfffff, DATA3, FLAG_32 | FLAG_G);
	static const u8 types[] = { 0x73 /* not present */, 0x93 /* DPL 0 */, 0xd3 /* DPL 2 */,
				    0xe9 /* TSS */,	     0xee /* interrupt gate */,
				    0xec /* call gate */,    0xe2 /* LDT */,
				    0xff /* conforming */ };

	for (u32 i = 0; i < sizeof(types); i++) {
		u64 bad = DESC(0, 0xfffff, types[i], FLAG_32 | FLAG_G);

		if (types[i] == 0xff)
			continue; /* a conforming code segment at DPL 3 gives nothing away */
		CHECK_ERR(OP(SEG_CTL, LOAD_TLS, bad, 0, 0), EINVAL);
		CHECK_ERR(OP(SEG_CTL, LOAD_TLS, good, bad, 0), EINVAL);
		CHECK_ERR(OP(SEG_CTL, LOAD_TLS, good, 0, bad), EINVAL);
	}
	CHECK_ERR(OP(SEG_CTL, LOAD_TLS, DESC(0, 0xfffff, CODE3, FLAG_64 | FLAG_G), 0, 0), EINVAL);
}

PV_TEST(gs_selector, "PVABI-SEG-003.1")
{
	CHECK_EQ(OP(SEG_CTL, LOAD_GS, 0), 0);
	CHECK_EQ(OP(SEG_CTL, LOAD_GS, 3), 0);
	CHECK_ERR(OP(SEG_CTL, LOAD_GS, 0xfff8 | 3), EINVAL);
	CHECK_ERR(OP(SEG_CTL, LOAD_GS, 0, 1, 0), EINVAL);
	CHECK_ERR(OP(SEG_CTL, LOAD_GS, 0, 0, 1), EINVAL);
	CHECK_OK(OP(SEG_CTL, LOAD_TLS, DESC(0x7654000, 0xfffff, DATA3, FLAG_32 | FLAG_G), 0, 0));
	CHECK_EQ(OP(SEG_CTL, LOAD_GS, TLS_SELECTOR(0)), 0x7654000);
	CHECK_EQ(OP(SEG_CTL, LOAD_GS, 0), 0);
}

PV_TEST(cpu_node, "PVABI-SEG-004.1")
{
	u64 limit = 0;
	bool loaded;

	CHECK_OK(OP(SEG_CTL, SET_CPUNODE, DESC(0, 0x5005, DATA3, FLAG_32), 7));
	__asm__ volatile("lsl %2, %0; setz %1"
			 : "+r"(limit), "=qm"(loaded)
			 : "r"((u64)(PV_CPUNODE_SLOT * 8 + 3))
			 : "cc");
	CHECK(loaded);
	CHECK_EQ(limit, 0x5005);
}

/* ---- debug registers ---- */

PV_TEST(debug_round_trip, "PVABI-DBG-001.1")
{
	for (u64 n = 0; n < 4; n++)
		CHECK_OK(OP(DEBUG_REG, WRITE, n, 0x7000000 + n * 0x1000));
	HC(WAIT, 0, clock_ns() + MS);
	for (u64 n = 0; n < 4; n++)
		CHECK_EQ(OP(DEBUG_REG, READ, n), 0x7000000 + n * 0x1000);
}

PV_TEST(debug_numbers, "PVABI-DBG-002.1")
{
	static const u64 bad[] = { 4, 5, 8, 9, 1ull << 32, ~0ull };

	for (u32 i = 0; i < 6; i++) {
		CHECK_ERR(OP(DEBUG_REG, READ, bad[i]), ERANGE);
		CHECK_ERR(OP(DEBUG_REG, WRITE, bad[i], 0), ERANGE);
	}
}

PV_TEST(debug_refuses, "PVABI-DBG-003.1")
{
	CHECK_ERR(OP(DEBUG_REG, WRITE, 0, PV_HOLE_START), EINVAL);
	CHECK_ERR(OP(DEBUG_REG, WRITE, 3, PV_HOLE_END - 1), EINVAL);
	CHECK_ERR(OP(DEBUG_REG, WRITE, 1, PV_HOLE_START - 4), EINVAL); /* 8 bytes may reach it */
	CHECK_ERR(OP(DEBUG_REG, WRITE, 7, 1ull << 13), EINVAL);
	CHECK_ERR(OP(DEBUG_REG, WRITE, 7, 1ull << 32), EINVAL);
	CHECK_EQ(OP(DEBUG_REG, READ, 0), 0);
}

PV_TEST(debug_read_argument, "PVABI-DBG-004.1")
{
	CHECK_ERR(OP(DEBUG_REG, READ, 0, 1), EINVAL);
	CHECK_ERR(OP(DEBUG_REG, READ, 99, 1), EINVAL);
}

static u32 broken_here(void) __attribute__((noinline));
static u32 broken_here(void)
{
	u32 value = 5;

	__asm__ volatile("break_here: add $1, %0" : "+r"(value));
	return value;
}
extern char break_here[];

static void hit_breakpoint(void)
{
	struct abi_cpu *cpu = this_abi_cpu();

	cpu->vector = NO_TRAP;
	TRAP_OF("call *%[fn]", [fn] "r"(broken_here));
}

PV_TEST(debug_breakpoint, "PVABI-DBG-005.1")
{
	events_on(0);
	CHECK_OK(OP(DEBUG_REG, WRITE, 0, (u64)break_here));
	CHECK_OK(OP(DEBUG_REG, WRITE, 7, 1));
	hit_breakpoint();
	CHECK_EQ(abi_cpus[0].vector, 1);
	CHECK_EQ(abi_cpus[0].rip, (u64)break_here);
	CHECK_EQ(OP(DEBUG_REG, READ, 6) & 1, 1);
	CHECK_OK(OP(DEBUG_REG, WRITE, 7, 0));
	CHECK_EQ(broken_here(), 6);
}

static void runs_over_breakpoint(void)
{
	for (u64 n = 0; n < 4; n++)
		CHECK_EQ(OP(DEBUG_REG, READ, n), 0);
	for (u32 i = 0; i < 50; i++) {
		CHECK_EQ(broken_here(), 6);
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
}

static void sets_breakpoint(void)
{
	CHECK_OK(OP(DEBUG_REG, WRITE, 0, (u64)break_here));
	CHECK_OK(OP(DEBUG_REG, WRITE, 7, 1));
	share->word[0] = 1;
	for (u32 i = 0; i < 100; i++)
		OP(VCPU_CTL, YIELD, PV_SELF);
	CHECK_EQ(OP(DEBUG_REG, READ, 0), (u64)break_here);
}

PV_DRIVER_TEST(debug_not_shared, "PVABI-DBG-006.1", PARTS(sets_breakpoint, runs_over_breakpoint))
{
	struct child *a = child_make(0), *b = child_make(1);

	child_start(a);
	CHECK(wait_for(&a->share->word[0], 1, 500));
	child_start(b);
	child_expect_pass(b);
	child_expect_pass(a);
}

/* ---- MSR, CPUID ---- */

PV_TEST(msr_unknown, "PVABI-MSR-001.1")
{
	static const u64 unknown[] = { 0xdead, 0xc0001234, 0x40000000, 0xffffffff, 1ull << 32, ~0ull };

	for (u32 i = 0; i < 6; i++) {
		CHECK_ERR(OP(MSR, READ, unknown[i]), ENOENT);
		CHECK_ERR(OP(MSR, WRITE, unknown[i], 0), ENOENT);
	}
}

static u64 read_msr(u32 index)
{
	u64 value;

	CHECK_OK(OP(MSR, READ, index));
	batch_get(&value, sizeof(value));
	return value;
}

/* Each that is there is read; written if it may be; its neighbours are not there. */
PV_TEST(msr_listed, "PVABI-MSR-001.1")
{
	static const struct {
		u32 index;
		bool writes;
	} listed[] = {
		{ 0x10, false },       { 0x17, false },	      { 0x1b, true },	     { 0x3a, false },
		{ 0x8b, true },	       { 0xce, false },	      { 0xfe, false },	     { 0x10a, false },
		{ 0x140, true },       { 0x174, true },	      { 0x175, true },	     { 0x176, true },
		{ 0x1a0, true },       { 0x277, true },	      { 0x2ff, false },	     { 0xc0000080, true },
		{ 0xc0000081, true },  { 0xc0000082, true },  { 0xc0000083, true },  { 0xc0000084, true },
		{ 0xc0000100, false }, { 0xc0000101, false }, { 0xc0000102, true },  { 0xc0000103, true },
		{ 0xc0010015, true },  { 0xc0011029, true },
	};
	static const u32 n = sizeof(listed) / sizeof(listed[0]);

	for (u32 i = 0; i < n; i++) {
		u32 index = listed[i].index;

		CHECK_OK(OP(MSR, READ, index));
		if (listed[i].writes)
			CHECK_OK(OP(MSR, WRITE, index, 1));
		else if (index < 0xc0000100) /* fs and gs are this program's */
			CHECK_ERR(OP(MSR, WRITE, index, 1), ENOENT);
		if (!i || listed[i - 1].index != index - 1) {
			CHECK_ERR(OP(MSR, READ, index - 1), ENOENT);
			CHECK_ERR(OP(MSR, WRITE, index - 1, 1), ENOENT);
		}
		if (i == n - 1 || listed[i + 1].index != index + 1) {
			CHECK_ERR(OP(MSR, READ, index + 1), ENOENT);
			CHECK_ERR(OP(MSR, WRITE, index + 1, 1), ENOENT);
		}
	}
	CHECK_EQ(read_msr(0xc0000103), 1); /* TSC_AUX, the one of these that keeps what is written */
	CHECK_ERR(OP(MSR, WRITE, 0xc0000103, 1ull << 32), ENOENT);
	CHECK_ERR(OP(MSR, WRITE, 0xc0000102, 1ull << 63), ENOENT);
	CHECK_EQ(read_msr(0xc0000080), 0xd01);
	CHECK_EQ(read_msr(0x277), 0x0407050600070106);
	CHECK_EQ(read_msr(0x1b), 0xfee00900); /* this vCPU is the one the machine started with */
}

PV_TEST(msr_read_argument, "PVABI-MSR-002.1")
{
	CHECK_ERR(OP(MSR, READ, 0x10, 1), EINVAL);
	CHECK_ERR(OP(MSR, READ, 0xdead, 1), EINVAL);
}

/* The only way to a base where the processor has no FSGSBASE. */
PV_TEST(msr_bases, "PVABI-MSR-003.1")
{
	static const u32 fs_base = 0xc0000100, gs_base = 0xc0000101;
	static u64 fs_cell = 0x3333, gs_cell = 0x4444;
	u64 old_fs = read_msr(fs_base), old_gs = read_msr(gs_base), in_fs, in_gs;

	CHECK_OK(OP(MSR, WRITE, fs_base, (u64)&fs_cell));
	CHECK_OK(OP(MSR, WRITE, gs_base, (u64)&gs_cell));
	CHECK_ERR(OP(MSR, WRITE, fs_base, 1ull << 47), ENOENT);
	CHECK_ERR(OP(MSR, WRITE, gs_base, 1ull << 63), ENOENT);
	for (u32 i = 0; i < 2; i++) {
		__asm__ volatile("mov %%fs:0, %0" : "=r"(in_fs));
		__asm__ volatile("mov %%gs:0, %0" : "=r"(in_gs));
		CHECK_EQ(in_fs, 0x3333);
		CHECK_EQ(in_gs, 0x4444);
		CHECK_EQ(read_msr(fs_base), (u64)&fs_cell);
		CHECK_EQ(read_msr(gs_base), (u64)&gs_cell);
		HC(WAIT, 0, clock_ns() + MS); /* survives a switch */
	}
	CHECK_OK(OP(MSR, WRITE, gs_base, old_gs));
	CHECK_OK(OP(MSR, WRITE, fs_base, old_fs));
}

static struct pv_cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct pv_cpuid out;

	CHECK_OK(HC(CPUID, leaf, subleaf));
	batch_get(&out, sizeof(out));
	return out;
}

PV_TEST(cpuid_basic, "PVABI-CPU-001.1")
{
	struct pv_cpuid leaf = cpuid(0, 0);

	CHECK(leaf.eax >= 1);
	CHECK(leaf.ebx != 0 && leaf.ecx != 0 && leaf.edx != 0);
	leaf = cpuid(1, 0);
	CHECK(leaf.edx & 1);	   /* FPU */
	CHECK(leaf.edx & 1u << 26); /* SSE2 */
	leaf = cpuid(0x80000001, 0);
	CHECK(leaf.edx & 1u << 29); /* long mode */
}

PV_TEST(cpuid_range, "PVABI-CPU-002.1")
{
	CHECK_ERR(HC(CPUID, 1ull << 32, 0), ERANGE);
	CHECK_ERR(HC(CPUID, 0, 1ull << 32), ERANGE);
	CHECK_ERR(HC(CPUID, ~0ull, ~0ull), ERANGE);
	CHECK_OK(HC(CPUID, 0xffffffff, 0xffffffff));
}

PV_TEST(cpuid_hides, "PVABI-CPU-003.1")
{
	struct pv_cpuid leaf = cpuid(1, 0);

	CHECK_EQ(leaf.ecx & 1u << 3, 0);  /* MONITOR */
	CHECK_EQ(leaf.ecx & 1u << 5, 0);  /* VMX */
	CHECK_EQ(leaf.ecx & 1u << 21, 0); /* x2APIC */
	leaf = cpuid(0x80000001, 0);
	CHECK_EQ(leaf.ecx & 1u << 2, 0); /* SVM */
}

/* Of what a processor may lack a guest learns here alone: the instruction itself says it with #UD. */
PV_TEST(cpuid_tells_truth, "PVABI-CPU-004.1")
{
	u32 fsgsbase = cpuid(7, 0).ebx & 1, osxsave = cpuid(1, 0).ecx & 1u << 27;

	events_on(0);
	CHECK_EQ(TRAP_OF("rdfsbase %%rax"), fsgsbase ? NO_TRAP : 6);
	CHECK_EQ(TRAP_OF("rdgsbase %%rax"), fsgsbase ? NO_TRAP : 6);
	CHECK_EQ(TRAP_OF("xor %%ecx, %%ecx; xgetbv"), osxsave ? NO_TRAP : 6);
	if (!osxsave) {
		CHECK_EQ(cpuid(1, 0).ecx & 1u << 28, 0); /* AVX */
		CHECK_EQ(cpuid(0xd, 0).eax, 0);
	} else {
		u32 enabled, high;

		__asm__ volatile("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
		CHECK_EQ(enabled, cpuid(0xd, 0).eax); /* a domain without a kernel of its own has all of it at once */
	}
}

/* ---- isolation of state ---- */

static void fill_vector_state(void)
{
	static u8 pattern[16] = { 0x5e, 0xc2, 0xe7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };
	static u8 back[16];

	share->word[0] = 1;
	for (u32 i = 0; i < 300; i++) {
		__asm__ volatile("movdqu %0, %%xmm3; movdqu %0, %%xmm9" ::"m"(pattern)
				 : "xmm3", "xmm9");
		OP(VCPU_CTL, YIELD, PV_SELF);
		__asm__ volatile("movdqu %%xmm9, %0" : "=m"(back));
		CHECK(!memcmp(back, pattern, 16));
	}
}

static void look_at_vector_state(void)
{
	static u64 area[64] __attribute__((aligned(64)));

	__asm__ volatile("fxsave %0" : "=m"(area));
	for (u32 i = 20; i < 52; i++) /* xmm0..15 */
		CHECK((area[i] & 0xffffff) != 0xe7c25e);
	for (u32 i = 0; i < 300; i++) {
		__asm__ volatile("pcmpeqd %%xmm9, %%xmm9; pcmpeqd %%xmm3, %%xmm3" ::: "xmm3", "xmm9");
		OP(VCPU_CTL, YIELD, PV_SELF);
		__asm__ volatile("fxsave %0" : "=m"(area));
		CHECK_EQ(area[20 + 9 * 2], ~0ull);
	}
}

/* Parts 0 and 1 take turns on one CPU, from when part 0 has its state. */
static void side_by_side(void)
{
	struct child *a = child_make(0), *b = child_make(1);

	OP(SCHED_CTL, SET_AFFINITY, a->dom, 1);
	OP(SCHED_CTL, SET_AFFINITY, b->dom, 1);
	child_start(a);
	CHECK(wait_for(&a->share->word[0], 1, 500));
	child_start(b);
	child_expect_pass(a);
	child_expect_pass(b);
}

PV_DRIVER_TEST(vector_state_private, "PVABI-ISO-002.1",
	       PARTS(fill_vector_state, look_at_vector_state), .budget_ms = 6000)
{
	side_by_side();
}

static bool tls_there(void)
{
	u64 limit;
	bool loaded;

	__asm__ volatile("lsl %2, %0; setz %1" : "=r"(limit), "=qm"(loaded) : "r"((u64)TLS_SELECTOR(0)) : "cc");
	return loaded;
}

/* What RDTSCP says, where the processor has it. */
static u32 tsc_aux(u32 otherwise)
{
	u32 aux;

	if (!(cpuid(0x80000001, 0).edx >> 27 & 1))
		return otherwise;
	__asm__ volatile("rdtscp" : "=c"(aux)::"eax", "edx");
	return aux;
}

static void set_segments(void)
{
	static u64 cell = 0x1111;
	u64 got;

	CHECK_OK(OP(SEG_CTL, SET_CPUNODE, 0, 7));
	CHECK_OK(OP(SEG_CTL, LOAD_TLS, DESC((u64)&cell, 0xfff, DATA3, FLAG_32 | FLAG_G), 0, 0));
	__asm__ volatile("mov %0, %%fs" ::"r"((u16)TLS_SELECTOR(0)));
	CHECK_OK(OP(VCPU_SETUP, SET_KERNEL_GS, (u64)&cell));
	share->word[0] = 1;
	for (u32 i = 0; i < 300; i++) {
		__asm__ volatile("mov %%fs:0, %0" : "=r"(got));
		CHECK_EQ(got, 0x1111);
		__asm__ volatile("mov %%gs:0, %0" : "=r"(got));
		CHECK_EQ(got, 0x1111);
		CHECK(tls_there());
		CHECK_EQ(tsc_aux(7), 7);
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
}

static void use_other_segments(void)
{
	static u64 cell = 0x2222;
	u64 got;
	u16 selector;

	__asm__ volatile("mov %%fs, %0" : "=r"(selector));
	CHECK_EQ(selector & ~3, 0);
	CHECK_OK(OP(VCPU_SETUP, SET_KERNEL_GS, (u64)&cell));
	CHECK_EQ(tsc_aux(0), 0);
	CHECK_OK(OP(SEG_CTL, SET_CPUNODE, 0, 9));
	for (u32 i = 0; i < 300; i++) {
		__asm__ volatile("mov %%gs:0, %0" : "=r"(got));
		CHECK_EQ(got, 0x2222);
		CHECK(!tls_there());
		CHECK_EQ(tsc_aux(9), 9);
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
}

PV_DRIVER_TEST(segments_private, "PVABI-ISO-003.1 PVABI-ISO-007.1",
	       PARTS(set_segments, use_other_segments), .budget_ms = 6000)
{
	side_by_side();
}

/* A vCPU whose creator set nothing starts with zeros, whatever ran here before. */
extern u64 fresh_registers[8];
u64 fresh_registers[8];
void fresh_entry(void);
__asm__(".pushsection .text\nfresh_entry:\n"
	"mov %rax, fresh_registers\nmov %rbx, fresh_registers+8\nmov %rdx, fresh_registers+16\n"
	"mov %rbp, fresh_registers+24\nmov %r8, fresh_registers+32\nmov %r12, fresh_registers+40\n"
	"mov %r15, fresh_registers+48\nmovq $1, fresh_registers+56\n1: pause\njmp 1b\n.popsection");

PV_TEST(registers_start_clean, "PVABI-ISO-001.1", .vcpus = 2)
{
	struct pv_vcpu_gpr gpr = { .rip = (u64)fresh_entry, .root = ~0ull };

	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	batch_put(&gpr, sizeof(gpr));
	CHECK_OK(OP(VCPU_REGS, SET, PV_SELF, 1));
	CHECK_OK(OP(VCPU_CTL, START, PV_SELF, 1));
	CHECK(wait_for(&fresh_registers[7], 1, 500));
	for (u32 i = 0; i < 7; i++)
		CHECK_EQ(fresh_registers[i], 0);
}

PV_TEST(kernel_hole_closed, "PVABI-ISO-004.1")
{
	static const u64 offsets[] = { 0, 0x1000, 0x100000, 0x40000000, 0x8000000000,
				       0x10000000000, 0x7fffffff000, 0x7fffffffff8 };

	events_on(0);
	for (u32 i = 0; i < sizeof(offsets) / sizeof(u64); i++) {
		u64 va = PV_HOLE_START + offsets[i];

		CHECK_EQ(try_read(va), 14);
		CHECK_EQ(try_write(va, 1), 14);
		CHECK_EQ(try_exec(va), 14);
	}
	CHECK_EQ(try_read(PV_HOLE_END), 14); /* and the high half of an explicit domain is empty */
	CHECK_EQ(try_read(0xffffffff81000000), 14);
	CHECK_EQ(try_read(0xfffffffffffffff8), 14);
}

PV_TEST(privileged_instructions, "PVABI-ISO-005.1 PVABI-HST-006.1")
{
	events_on(0);
	CHECK_EQ(TRAP_OF("hlt"), 13);
	CHECK_EQ(TRAP_OF("cli"), 13);
	CHECK_EQ(TRAP_OF("sti"), 13);
	CHECK_EQ(TRAP_OF("mov %%cr3, %%rax"), 13);
	CHECK_EQ(TRAP_OF("mov %%rax, %%cr3"), 13);
	CHECK_EQ(TRAP_OF("mov %%cr0, %%rax"), 13);
	CHECK_EQ(TRAP_OF("mov %%cr4, %%rax"), 13);
	CHECK_EQ(TRAP_OF("mov %%dr7, %%rax"), 13);
	CHECK_EQ(TRAP_OF("lgdt (%%rsp)"), 13);
	CHECK_EQ(TRAP_OF("lidt (%%rsp)"), 13);
	CHECK_EQ(TRAP_OF("ltr %%ax"), 13);
	CHECK_EQ(TRAP_OF("lldt %%ax"), 13);
	CHECK_EQ(TRAP_OF("clts"), 13);
	CHECK_EQ(TRAP_OF("invlpg (%%rsp)"), 13);
	CHECK_EQ(TRAP_OF("wbinvd"), 13);
	CHECK_EQ(TRAP_OF("swapgs"), 13);
	CHECK_EQ(TRAP_OF("sysretq"), 13);
	CHECK_EQ(TRAP_OF("mov $0x3f8, %%edx; in %%dx, %%al"), 13);
	CHECK_EQ(TRAP_OF("mov $0xe9, %%edx; out %%al, %%dx"), 13);
	CHECK_EQ(TRAP_OF("mov $0x80, %%edx; out %%eax, %%dx"), 13);
	CHECK_EQ(TRAP_OF("in $0x60, %%al"), 13);
}

static void write_own_memory(void)
{
	volatile u64 *cell = (volatile u64 *)start->heap_start;

	*cell = share->word[2];
	share->word[0] = 1;
	CHECK(wait_for(&share->word[1], 1, 1000));
	CHECK_EQ(*cell, share->word[2]);
}

PV_DRIVER_TEST(same_gfn_other_memory, "PVABI-ISO-006.1", PARTS(write_own_memory))
{
	struct child *a = child_make(0), *b = child_make(0);

	CHECK_EQ(a->info.heap_start, b->info.heap_start);
	a->share->word[2] = 0xaaaa;
	b->share->word[2] = 0xbbbb;
	child_start(a);
	child_start(b);
	CHECK(wait_for(&a->share->word[0], 1, 500));
	CHECK(wait_for(&b->share->word[0], 1, 500));
	a->share->word[1] = 1;
	b->share->word[1] = 1;
	child_expect_pass(a);
	child_expect_pass(b);
}
