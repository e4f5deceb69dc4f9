// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_start.c - the first C code and the start of the other CPUs: loaders that hand over nonsense, memory maps that
 * contradict themselves, processors that lack what is needed, CPUs that never come.
 */
#include "board.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "boot_info.h"
#include "cpu.h"
#include "cpu_features.h"
#include "fsgsbase.h"
#include "init.h"
#include "iommu.h"
#include "paging.h"
#include "pci.h"
#include "platform.h"

#define RAM MIB(3)
#define INFO 0x5000u
#define STARTED 3
#define HALTED 4

/* The machine's first megabytes; the kernel's image ends at 2 MiB. */
char arena[RAM] __aligned(PAGE_SIZE);
__asm__(".globl image_end\n.set image_end, arena + 0x200000");
/* The trampoline: two places in it are told where it is. */
const u8 trampoline_start[64] = { [16] = 0x11, [32] = 0x22 };
__asm__(".globl trampoline_end, trampoline_jump32, trampoline_jump64\n"
	".set trampoline_end, trampoline_start + 64\n"
	".set trampoline_jump32, trampoline_start + 16\n"
	".set trampoline_jump64, trampoline_start + 32");

bool lapic_x2;
struct acpi_info acpi_info;

static u64 now;
static void (*on_start)(void);
static u32 start_page, kicks, fsgsbase_inits;
static i64 warp_of[MAX_CPUS], worst_told;

static void all_come(void);
static u64 all_come_after; /* this time; 0: never */

u64 clock_now_ns(void)
{
	now += 1000000;
	if (all_come_after && now > all_come_after)
		all_come();
	return now;
}

void clock_check_master(struct cpu *other)
{
	other->tsc_warp = warp_of[other->id];
}

void clock_decide(i64 worst)
{
	worst_told = worst;
}

void lapic_start_others(u8 page)
{
	start_page = page;
	if (on_start)
		on_start();
}

void arch_ipi_send_others(u8 vector)
{
	assert_int_equal(vector, VEC_KICK);
	kicks++;
}

void arch_halt(void)
{
	siglongjmp(board_end, HALTED);
}

void boot_switch_stack(u64 top, void (*fn)(void))
{
	assert_int_equal(top, cpus[0].stack_top);
	fn();
	abort();
}

void kernel_init(struct boot_info *bi)
{
	assert_ptr_equal(bi, &boot_info);
	siglongjmp(board_end, STARTED);
}

void kernel_init_ap(void)
{
	siglongjmp(board_end, STARTED);
}

void percpu_create(struct cpu *cpu)
{
	cpu->stack_top = 0x1000;
}

void fsgsbase_init(void)
{
	fsgsbase_inits++;
}

static u32 idles;

void arch_idle(void)
{
	if (++idles == 3)
		arch_start_cpus();
}

void multiboot2_parse(paddr_t info)
{
	assert_int_equal(info, INFO);
	boot_info.loader = "multiboot2";
	boot_add_range(0, RAM, BOOT_MEM_USABLE);
}

u32 lapic_id(void)
{
	return 77;
}

/* What happens in between and is tested elsewhere. */
#define NOTHING(name, ...)                                                                         \
	void name(__VA_ARGS__)                                                                     \
	{                                                                                          \
	}
NOTHING(traps_init, void)
NOTHING(traps_load, void)
NOTHING(traps_use_ist, void)
NOTHING(arch_console_init, void)
NOTHING(paging_init, void)
NOTHING(percpu_load, struct cpu *cpu __maybe_unused)
NOTHING(clock_check_slave, struct cpu *self __maybe_unused)
NOTHING(acpi_init, void)
NOTHING(pic_disable, void)
NOTHING(lapic_init, void)
NOTHING(clock_init, void)
NOTHING(pci_init, void)
NOTHING(arch_iommu_init, void)

/* ---- what PVH hands over ---- */

static struct {
	u32 magic, version, flags, nr_modules;
	u64 modules, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
} *pvh;
static struct {
	u64 start, size;
	u32 type, reserved;
} *map;
static struct {
	u64 start, size, cmdline, reserved;
} *modules;

static void add_range(u64 start, u64 size, u32 type)
{
	map[pvh->memmap_entries].start = start;
	map[pvh->memmap_entries].size = size;
	map[pvh->memmap_entries++].type = type;
}

static void add_module(u64 start, u64 size, u64 cmdline)
{
	modules[pvh->nr_modules].start = start;
	modules[pvh->nr_modules].size = size;
	modules[pvh->nr_modules++].cmdline = cmdline;
}

static int setup(void **state)
{
	(void)state;
	board_reset();
	host_ram = arena;
	memset(arena, 0, sizeof(arena));
	memset(&boot_info, 0, sizeof(boot_info));
	memset(&acpi_info, 0, sizeof(acpi_info));
	memset(&cpu_features, 0, sizeof(cpu_features));
	memset(warp_of, 0, sizeof(warp_of));
	pvh = paddr_to_ptr(INFO);
	map = paddr_to_ptr(INFO + 0x1000);
	modules = paddr_to_ptr(INFO + 0x2000);
	pvh->magic = 0x336ec578;
	pvh->version = 1;
	pvh->memmap = INFO + 0x1000;
	pvh->modules = INFO + 0x2000;
	on_start = NULL;
	all_come_after = now = start_page = kicks = fsgsbase_inits = idles = 0;
	worst_told = 1;
	lapic_x2 = false;
	board_cpuid_set(0x80000000, 0, 0x80000008, 0, 0, 0);
	board_cpuid_set(0x80000001, 0, 0, 0, 0, (u32)(BIT(20) | BIT(11)));
	return 0;
}

static void start_by(u32 magic)
{
	boot_main(magic, INFO);
}

static void test_good_loaders(void **state)
{
	(void)state;
	assert_int_equal(ENDS(start_by(MB2_LOADER_MAGIC)), STARTED);
	assert_string_equal(boot_info.loader, "multiboot2");
	setup(NULL);
	add_range(0, 0x9f000, BOOT_MEM_USABLE);
	add_range(MIB(1), MIB(2), BOOT_MEM_USABLE);
	add_module(0x280000, 0x1000, INFO + 0x3000);
	add_module(0x290000, 0, 0);
	add_module(0x50000, 0x1000, 0); /* below the kernel */
	strcpy(paddr_to_ptr(INFO + 0x3000), "one two");
	strcpy(paddr_to_ptr(INFO + 0x4000), "quiet fast");
	pvh->cmdline = INFO + 0x4000;
	pvh->rsdp = 0xf0000;
	assert_int_equal(ENDS(start_by(0)), STARTED);
	assert_string_equal(boot_info.modules[0].cmdline, "one two");
	assert_string_equal(boot_info.modules[1].cmdline, "");
	assert_string_equal(boot_info.cmdline, "quiet fast");
	assert_int_equal(boot_info.rsdp, 0xf0000);
	assert_int_equal(cpus[0].state, CPU_ONLINE);
	assert_int_equal(fsgsbase_inits, 1);
}

static void test_bad_loaders(void **state)
{
	static const u64 far = 0x100000000ull;

	(void)state;
	PANICS("start information at 0 is out of reach", boot_main(0, 0));
	pvh->magic = 1;
	PANICS("neither multiboot2 nor PVH", start_by(0));
	setup(NULL);
	PANICS("no memory map (version 1)", start_by(0));
	add_range(0, RAM, BOOT_MEM_USABLE);
	pvh->version = 0;
	PANICS("no memory map (version 0)", start_by(0));
	pvh->version = 1;
	pvh->nr_modules = BOOT_MAX_MODULES + 1;
	PANICS("make no sense", start_by(0));
	pvh->nr_modules = 0;
	pvh->memmap_entries = BOOT_MAX_RANGES + 1;
	PANICS("make no sense", start_by(0));
	pvh->memmap_entries = 1;
	pvh->memmap = far;
	PANICS("memory map at 100000000 is out of reach", start_by(0));
	pvh->memmap = far - 8;
	PANICS("memory map at fffffff8 is out of reach", start_by(0));
	setup(NULL);
	add_range(0, RAM, BOOT_MEM_RESERVED);
	PANICS("gave no usable memory", start_by(0));
}

static void test_bad_maps(void **state)
{
	u64 size;
	paddr_t at = 0x250000;

	(void)state;
	add_range(0, RAM, BOOT_MEM_USABLE);
	add_module(0x1ff000, 0x1000, 0);
	PANICS("module 0 lies over the kernel", start_by(0));
	setup(NULL);
	add_range(0, RAM, BOOT_MEM_USABLE);
	add_module(0x80000, 0x80001, 0);
	PANICS("module 0 lies over the kernel", start_by(0));
	setup(NULL);
	add_range(0, 0x280000, BOOT_MEM_USABLE);
	add_range(0x270000, 0x90000, BOOT_MEM_USABLE);
	PANICS("usable memory listed twice at 270000", start_by(0));
	setup(NULL);
	add_range(0, 0x280000, BOOT_MEM_USABLE);
	add_range(0x260000, 0x1000, BOOT_MEM_RESERVED); /* inside: the more careful reading wins */
	add_range(0x27f000, 0x2000, BOOT_MEM_ACPI);
	add_range(0x290000, 0x2000, BOOT_MEM_NVS);
	add_range(0x291000, 0x10000, BOOT_MEM_USABLE);
	assert_int_equal(ENDS(start_by(0)), STARTED);
	assert_true(boot_mem_next_free(&at, &size));
	assert_true(at == 0x250000 && size == 0x10000);
	at += size;
	assert_true(boot_mem_next_free(&at, &size));
	assert_true(at == 0x261000 && size == 0x1e000);
	at += size;
	assert_true(boot_mem_next_free(&at, &size));
	assert_true(at == 0x292000 && size == 0xf000);
}

/* ---- processors ---- */

static void test_processors(void **state)
{
	(void)state;
	board_cpuid_set(0, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69);
	board_cpuid_set(0x80000001, 0, 0, 0, 0, (u32)BIT(11));
	PANICS("this CPU (GenuineIntel) lacks no-execute pages", start_by(MB2_LOADER_MAGIC));
	setup(NULL);
	board_cpuid_set(0x80000000, 0, 0x80000000, 0, 0, 0); /* what lies beyond does not count */
	PANICS("lacks no-execute pages", start_by(MB2_LOADER_MAGIC));
	setup(NULL);
	assert_int_equal(ENDS(start_by(MB2_LOADER_MAGIC)), STARTED);
	assert_int_equal(board_cr4, CR4_DE | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	assert_int_equal(board_xcr0, 0);
	assert_int_equal(cpu_features.xsave_size, 512);
	assert_int_equal(cpu_features.phys_bits, 36);
	arch_init_platform();
	LOGGED("cpu: native, 36-bit physical");
	assert_int_equal(cpus[0].apic_id, 77);
}

/* Everything, natively on a processor of Meltdown's time. */
static void test_native_intel(void **state)
{
	(void)state;
	board_cpuid_set(0, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69);
	board_cpuid_set(1, 0, 0x306c3, 0, (u32)(BIT(26) | BIT(28) | BIT(31)), 0);
	board_cpuid_set(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d); /* KVMKVMKVM */
	board_cpuid_set(7, 0, 1, (u32)(BIT(0) | BIT(7) | BIT(20)), (u32)BIT(2), (u32)BIT(29));
	board_cpuid_set(0xd, 0, 7, 0, 0, 0);
	board_cpuid_set(0x80000001, 0, 0, 0, 0, (u32)(BIT(20) | BIT(11) | BIT(26)));
	board_cpuid_set(0x80000008, 0, 39, 0, 0, 0);
	assert_int_equal(ENDS(start_by(MB2_LOADER_MAGIC)), STARTED);
	assert_int_equal(board_cr4, CR4_DE | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE |
					    CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_UMIP);
	assert_int_equal(board_xcr0, 7);
	arch_init_platform();
	LOGGED("cpu: KVM AVX SMEP SMAP UMIP 1G, 39-bit physical");
	LOGGED("NOT isolated");
	board_msr_set(0x10a, BIT(0) | BIT(5));
	boot_info.nr_ranges = boot_info.nr_reserved = 0;
	assert_int_equal(ENDS(start_by(MB2_LOADER_MAGIC)), STARTED);
	assert_false(cpu_features.meltdown || cpu_features.mds);
}

/* Under TCG SMAP is for who asks. */
static void test_smap_by_request(void **state)
{
	static const char *const words[] = { "", "smap=force", "smap=off" };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		setup(NULL);
		board_cpuid_set(0, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69);
		board_cpuid_set(1, 0, 0, 0, (u32)(BIT(31) | BIT(26) | BIT(28)), 0);
		board_cpuid_set(0xd, 0, 3, 0, 0, 0); /* AVX, but not its state */
		board_cpuid_set(0x40000000, 0, 0x40000001, 0x54474354, 0x43544743, 0x47435447); /* TCGTCGTCGTCG */
		board_cpuid_set(7, 0, 0, (u32)BIT(20), 0, 0);
		strcpy(boot_info.cmdline, words[i]);
		assert_int_equal(ENDS(start_by(MB2_LOADER_MAGIC)), STARTED);
		assert_int_equal(!!(board_cr4 & CR4_SMAP), i == 1);
		board_log[0] = '\0';
		arch_init_platform();
		LOGGED("cpu: TCG");
		assert_false(cpu_features.avx || cpu_features.meltdown);
	}
}

/* ---- the other CPUs ---- */

static void machine(u32 n)
{
	acpi_info.nr_cpus = n;
	for (u32 i = 0; i < n; i++)
		acpi_info.cpu_apic_ids[i] = 2 * i;
	boot_add_range(0, 0xa0000, BOOT_MEM_USABLE);
	boot_add_range(MIB(1), MIB(2), BOOT_MEM_USABLE);
	boot_add_range(0xf0000, 0x10000, BOOT_MEM_RESERVED);
	nr_cpus = 0;
}

static void all_come(void)
{
	for (u32 i = 1; i < MAX_CPUS; i++)
		if (cpus[i].state == CPU_STARTING)
			cpus[i].state = CPU_ONLINE;
}

static void some_come(void)
{
	all_come();
	cpus[2].state = CPU_STARTING;
}

static void test_all_come(void **state)
{
	(void)state;
	machine(4);
	on_start = all_come;
	warp_of[2] = -30;
	warp_of[3] = -20;
	arch_start_cpus();
	assert_int_equal(nr_cpus, 4);
	assert_int_equal(start_page, 0x9e);
	assert_int_equal(arena[0x9e000 + 16] & 0xff, 0x11);
	assert_int_equal(*(u32 *)(arena + 0x9e000 + 32), 0x9e022);
	assert_int_equal(worst_told, -30);
	assert_int_equal(kicks, 1);
	assert_int_equal(cpus[3].apic_id, 6);
}

static void test_some_do_not_come(void **state)
{
	(void)state;
	machine(4);
	on_start = some_come;
	arch_start_cpus();
	assert_int_equal(nr_cpus, 2); /* CPU 3 came, but numbers have no gaps */
	LOGGED("CPU with APIC id 4 did not start");
	assert_int_equal(cpus[2].state, CPU_FAILED);
	assert_int_equal(cpus[3].state, CPU_ONLINE);
}

/* It comes while the kernel sees that the time is up. */
static void test_one_is_late(void **state)
{
	(void)state;
	machine(2);
	all_come_after = 2001000000;
	arch_start_cpus();
	assert_int_equal(nr_cpus, 2);
	assert_null(strstr(board_log, "did not start"));
}

static void test_who_is_started(void **state)
{
	(void)state;
	machine(20);
	on_start = all_come;
	arch_start_cpus();
	assert_int_equal(nr_cpus, MAX_CPUS);
	LOGGED("only 16 of 20 CPUs are used");
	setup(NULL);
	machine(3);
	acpi_info.cpu_apic_ids[1] = 0x1ff; /* cannot be addressed */
	on_start = all_come;
	arch_start_cpus();
	assert_int_equal(nr_cpus, 2);
	setup(NULL);
	machine(3);
	acpi_info.cpu_apic_ids[1] = 0x1ff;
	lapic_x2 = true;
	on_start = all_come;
	arch_start_cpus();
	assert_int_equal(nr_cpus, 3);
	setup(NULL);
	machine(3);
	strcpy(boot_info.cmdline, "nosmp");
	arch_start_cpus();
	assert_int_equal(nr_cpus, 1);
	assert_int_equal(kicks, 0);
	setup(NULL);
	machine(1);
	arch_start_cpus();
	assert_int_equal(nr_cpus, 1);
	assert_int_equal(start_page, 0);
}

static void test_where_it_starts(void **state)
{
	(void)state;
	machine(2); /* a module where the trampoline would be */
	boot_add_module(0x9d800, 0x1000, "", 1);
	boot_add_module(0x10000, 0x1000, "", 1);
	boot_add_module(0x9f000, 0x1000, "", 1);
	on_start = all_come;
	arch_start_cpus();
	assert_int_equal(start_page, 0x9c);
	setup(NULL);
	machine(2);
	boot_add_module(0x1000, 0x9f000, "", 1); /* no page below 640 KiB but the first */
	arch_start_cpus();
	assert_int_equal(nr_cpus, 1);
	setup(NULL);
	machine(2);
	memset(&boot_info, 0, sizeof(boot_info));
	boot_add_range(0x8000, 0x1000, BOOT_MEM_USABLE);
	on_start = all_come;
	arch_start_cpus();
	assert_int_equal(start_page, 8);
}

static void comes_up(void)
{
	machine(2);
	on_start = all_come;
	host_cpu = &cpus[1];
	cpus[1].state = CPU_STARTING;
	assert_int_equal(ENDS(ap_main()), STARTED); /* once CPU 0 has counted them: the third time it looks */
	assert_int_equal(idles, 3);
}

static void comes_too_late(void)
{
	host_cpu = &cpus[1];
	cpus[1].state = CPU_FAILED;
	assert_int_equal(ENDS(ap_main()), HALTED);
}

static void test_the_others_side(void **state)
{
	(void)state;
	board_alone(comes_up);
	board_alone(comes_too_late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_others_side, setup),
		cmocka_unit_test_setup(test_good_loaders, setup),
		cmocka_unit_test_setup(test_bad_loaders, setup),
		cmocka_unit_test_setup(test_bad_maps, setup),
		cmocka_unit_test_setup(test_processors, setup),
		cmocka_unit_test_setup(test_native_intel, setup),
		cmocka_unit_test_setup(test_smap_by_request, setup),
		cmocka_unit_test_setup(test_all_come, setup),
		cmocka_unit_test_setup(test_some_do_not_come, setup),
		cmocka_unit_test_setup(test_one_is_late, setup),
		cmocka_unit_test_setup(test_who_is_started, setup),
		cmocka_unit_test_setup(test_where_it_starts, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
