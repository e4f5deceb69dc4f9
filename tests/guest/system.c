/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * system.c - the machine as programs see it: processor flags, kernel text that changes while it runs,
 * memory that runs short.
 */
#include <cpuid.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include "gt.h"

static char *read_file(const char *name)
{
	static char text[65536];
	int fd = SYS(open(name, O_RDONLY));
	size_t length = 0;
	ssize_t n;

	while ((n = SYS(read(fd, text + length, sizeof(text) - 1 - length))) > 0)
		length += (size_t)n;
	close(fd);
	text[length] = 0;
	return text;
}

static bool has_flag(const char *flags, const char *name)
{
	size_t length = strlen(name);

	for (const char *p = flags; (p = strstr(p, name)) != NULL; p += length)
		if (p[-1] == ' ' && (p[length] == ' ' || p[length] == '\n'))
			return true;
	return false;
}

/* Features a guest in ring 3 cannot have are not offered; what it needs is. */
static void processor_flags(void)
{
	static const char *const never[] = { "smap", "smep", "xsaves", "pku", "ospke", "la57",
		"x2apic", "tsc_deadline_timer", "vmx", "svm", "mtrr", "mce", "monitor", "pcid",
		"invpcid" };
	static const char *const always[] = { "fpu", "tsc", "msr", "cx8", "cmov", "fxsr", "sse",
		"sse2", "syscall", "nx", "lm", "rep_good" };
	const char *flags = strstr(read_file("/proc/cpuinfo"), "flags");

	CHECK(flags != NULL);
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (!has_flag(flags, always[i]))
			gt_fail(__FILE__, __LINE__, "no %s", always[i]);
	CHECK(has_flag(flags, "hypervisor"));
	if (!gt_vm)
		return;
	for (size_t i = 0; i < 13; i++)
		if (has_flag(flags, never[i]))
			gt_fail(__FILE__, __LINE__, "%s is offered", never[i]);
}

/* What the processor offers programs and the kernel lists must work: SIGILL here is a wrong list. */
static void use_avx(void *arg)
{
	(void)arg;
	__asm__ volatile("vxorps %%ymm0, %%ymm0, %%ymm0\n\tvzeroupper" : : : "xmm0");
}

static void use_avx2(void *arg)
{
	(void)arg;
	__asm__ volatile("vpxor %%ymm0, %%ymm0, %%ymm0\n\tvzeroupper" : : : "xmm0");
}

static void use_rdrand(void *arg)
{
	(void)arg;
	__asm__ volatile("rdrand %%rax" : : : "rax", "cc");
}

static void use_fsgsbase(void *arg)
{
	(void)arg;
	__asm__ volatile("rdfsbase %%rax" : : : "rax");
}

static void use_rdpid(void *arg)
{
	(void)arg;
	__asm__ volatile("rdpid %%rax" : : : "rax");
}

static void use_xsaveopt(void *arg)
{
	static char area[8192] __attribute__((aligned(64)));

	(void)arg;
	__asm__ volatile("xsaveopt (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
}

static void use_xsavec(void *arg)
{
	static char area[8192] __attribute__((aligned(64)));

	(void)arg;
	__asm__ volatile("xsavec (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
}

static void use_rdtscp(void *arg)
{
	(void)arg;
	__asm__ volatile("rdtscp" : : : "rax", "rcx", "rdx");
}

static void listed_features_work(void)
{
	static const struct {
		const char *flag;
		void (*use)(void *);
	} features[] = {
		{ "avx", use_avx }, { "avx2", use_avx2 }, { "rdrand", use_rdrand },
		{ "fsgsbase", use_fsgsbase }, { "rdpid", use_rdpid },
		{ "xsaveopt", use_xsaveopt }, { "xsavec", use_xsavec }, { "rdtscp", use_rdtscp },
	};
	const char *flags = strstr(read_file("/proc/cpuinfo"), "flags");
	struct caught caught;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (!has_flag(flags, features[i].flag))
			continue;
		if (gt_catch(features[i].use, NULL, &caught))
			gt_fail(__FILE__, __LINE__, "%s: signal %d", features[i].flag, caught.signo);
	}
}

static int perf_counter(unsigned int type, unsigned long config)
{
	struct perf_event_attr attr = { .type = type, .size = sizeof(attr), .config = config };

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/*
 * Software counters switch static branches in the scheduler and the fault path: kernel text is
 * patched through an int3 while other processes run over it.
 */
static void counters_patch_kernel(void)
{
	volatile uint32_t *stop = gt_shared(PAGE);
	pid_t pids[2];
	int fd = perf_counter(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES);

	if (fd < 0)
		gt_skip("perf_event_open: %s", strerror(errno));
	close(fd);
	for (int i = 0; i < 2; i++) {
		pids[i] = SYS(fork());
		if (pids[i] == 0) {
			while (!*stop) {
				char *p = gt_pages(2 * PAGE, PROT_READ | PROT_WRITE);

				p[0] = p[PAGE] = 1;
				munmap(p, 2 * PAGE);
				sched_yield();
			}
			_exit(0);
		}
	}
	for (unsigned int i = 0; i < gt_rounds(20); i++) {
		uint64_t count = 0;
		char *p = gt_pages(8 * PAGE, PROT_READ | PROT_WRITE);

		fd = SYS(perf_counter(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS));
		for (size_t k = 0; k < 8; k++)
			p[k * PAGE] = 1;
		CHECK_EQ(read(fd, &count, 8), 8);
		CHECK(count >= 8);
		close(fd);
		fd = SYS(perf_counter(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES));
		sched_yield();
		close(fd);
		munmap(p, 8 * PAGE);
	}
	*stop = 1;
	for (int i = 0; i < 2; i++)
		gt_join(pids[i]);
}

static void random_numbers(void)
{
	uint64_t a[4] = { 0 }, b[4] = { 0 };

	CHECK_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
	CHECK_EQ(getrandom(b, sizeof(b), 0), sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	CHECK(a[0] && a[1] && b[0] && b[1]);
}

static void identity(void)
{
	struct utsname name;
	struct sysinfo info;

	SYS(uname(&name));
	CHECK_EQ(strcmp(name.machine, "x86_64"), 0);
	SYS(sysinfo(&info));
	CHECK(info.totalram * info.mem_unit > 32ul << 20);
	CHECK(info.uptime >= 0);
	CHECK_EQ(sysconf(_SC_PAGESIZE), PAGE);
}

/* Every file of /proc and a good part of /sys can be read without harm. */
static void walk(const char *path, int depth)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[512], data[4096];

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "kmsg") == 0 ||
		    strcmp(entry->d_name, "kcore") == 0)
			continue;
		if (depth == 0 && entry->d_name[0] >= '0' && entry->d_name[0] <= '9' &&
		    atoi(entry->d_name) != getpid())
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR && depth < 3) {
			walk(name, depth + 1);
		} else if (entry->d_type == DT_REG) {
			int fd = open(name, O_RDONLY | O_NONBLOCK);

			if (fd < 0)
				continue;
			for (int i = 0; i < 8 && read(fd, data, sizeof(data)) > 0; i++)
				;
			close(fd);
		}
	}
	closedir(dir);
}

static void read_proc_and_sys(void)
{
	walk("/proc", 0);
	walk("/sys", 1);
}

static unsigned long free_pages(void)
{
	struct sysinfo info;

	SYS(sysinfo(&info));
	return info.freeram * info.mem_unit / PAGE;
}

/* Files in memory until much of it is full, read back, removed; thrice, so all of it must come back. */
static void fill_memory_with_files(void)
{
	unsigned long pages = free_pages() * 2 / 5;
	static uint64_t block[PAGE / 8];

	for (uint64_t round = 0; round < 3; round++) {
		int fd = SYS(memfd_create("gt", 0));

		for (unsigned long i = 0; i < pages; i++) {
			block[0] = gt_mix(round * pages + i);
			block[511] = ~block[0];
			CHECK_EQ(write(fd, block, PAGE), PAGE);
		}
		for (unsigned long i = 0; i < pages; i++) {
			CHECK_EQ(pread(fd, block, PAGE, (off_t)(i * PAGE)), PAGE);
			CHECK_EQ(block[0], gt_mix(round * pages + i));
			CHECK_EQ(block[511], ~block[0]);
		}
		close(fd);
	}
}

static void drop_caches(void)
{
	int fd = SYS(open("/proc/sys/vm/drop_caches", O_WRONLY));

	for (unsigned int i = 0; i < gt_rounds(5); i++) {
		char name[32];
		int file;

		snprintf(name, sizeof(name), "/tmp/cache%u", i);
		file = SYS(open(name, O_CREAT | O_RDWR, 0600));
		CHECK_EQ(write(file, name, sizeof(name)), sizeof(name));
		CHECK_EQ(write(fd, "3", 1), 1);
		CHECK_EQ(pread(file, name, 10, 0), 10);
		CHECK_EQ(memcmp(name, "/tmp/cache", 10), 0);
		unlink(name);
		close(file);
	}
}

/* A program that takes all memory is ended by the kernel; the machine and the others go on. */
static void out_of_memory(void)
{
	unsigned long before = free_pages();
	uint64_t *keep = gt_pages(64 * PAGE, PROT_READ | PROT_WRITE);
	int status, fd;
	pid_t pid;

	for (uint64_t i = 0; i < 64; i++)
		keep[i * PAGE / 8] = gt_mix(i);
	pid = SYS(fork());
	if (pid == 0) {
		fd = open("/proc/self/oom_score_adj", O_WRONLY);
		if (fd < 0 || write(fd, "1000", 4) != 4)
			_exit(1);
		for (;;) {
			char *p = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

			if (p == MAP_FAILED)
				_exit(2);
			for (size_t i = 0; i < 256; i++)
				p[i * PAGE] = 1;
		}
	}
	status = gt_wait(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	for (uint64_t i = 0; i < 64; i++)
		CHECK_EQ(keep[i * PAGE / 8], gt_mix(i));
	for (int i = 0; i < 100 && free_pages() < before / 2; i++)
		usleep(10000);
	CHECK(free_pages() > before / 2);
}

ROOM(system,
	{ "processor_flags", processor_flags, 0 },
	{ "listed_features_work", listed_features_work, 0 },
	{ "counters_patch_kernel", counters_patch_kernel, 0 },
	{ "random_numbers", random_numbers, 0 },
	{ "identity", identity, 0 },
	{ "read_proc_and_sys", read_proc_and_sys, GT_LONG },
	{ "fill_memory_with_files", fill_memory_with_files, GT_LONG },
	{ "drop_caches", drop_caches, 0 },
	{ "out_of_memory", out_of_memory, GT_LONG | GT_LAST });
