/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compat32.c - a 32-bit program without a library: both ways into the kernel, a thread-local
 * segment, signals with changed registers, faults, fork. Its exit status is 0 or the number of the
 * step that went wrong.
 */
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short u16;

#define NR_exit 1
#define NR_fork 2
#define NR_getpid 20
#define NR_kill 37
#define NR_waitpid 7
#define NR_mmap2 192
#define NR_mprotect 125
#define NR_rt_sigaction 174
#define NR_set_thread_area 243
#define NR_getppid 64

static u32 sysinfo;

static int call_int80(int nr, u32 a, u32 b, u32 c)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

static int call_vdso(int nr, u32 a, u32 b, u32 c)
{
	int result;

	__asm__ volatile("call *%5" : "=a"(result)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "m"(sysinfo) : "memory");
	return result;
}

static void fail(int step)
{
	call_int80(NR_exit, (u32)step, 0, 0);
	for (;;)
		;
}

static u32 map_page(int prot)
{
	int result;

	__asm__ volatile("push %%ebp\n\tmov $-1, %%edi\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%ebp"
			 : "=a"(result)
			 : "a"(NR_mmap2), "b"(0), "c"(8192), "d"(prot), "S"(0x22)
			 : "edi", "memory");
	return (u32)result;
}

struct user_desc {
	u32 entry, base, limit, flags;
};

static int tls_entry = -1;

static void check_segment(int step)
{
	static u32 block[4] = { 0x11111111, 0x22222222, 0x33333333, 0x44444444 };
	struct user_desc desc = { (u32)tls_entry, (u32)block, 15, 0x01 };
	u32 value, selector;

	if (tls_entry < 0) {
		if (call_int80(NR_set_thread_area, (u32)&desc, 0, 0) != 0)
			fail(step);
		tls_entry = (int)desc.entry;
	}
	selector = (u32)tls_entry * 8 + 3;
	__asm__ volatile("mov %%gs, %%ecx\n\tmov %1, %%gs\n\tmov %%gs:8, %0\n\tmov %%ecx, %%gs"
			 : "=&a"(value) : "d"(selector) : "ecx");
	if (value != 0x33333333)
		fail(step + 1);
}

struct sigaction32 {
	void *handler;
	u32 flags;
	void *restorer;
	u32 mask[2];
};

/* Registers of a 32-bit signal frame, as the kernel lays them out. */
struct sigcontext32 {
	u32 gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags;
};

struct ucontext32 {
	u32 flags, link, stack[3];
	struct sigcontext32 mc;
};

__asm__(".globl restorer\nrestorer:\n\tmov $173, %eax\n\tint $0x80\n");
void restorer(void);

static volatile u32 fault_address, handled;

static void handler(int signo, u32 *info, struct ucontext32 *uc)
{
	handled++;
	if (signo == 11) {
		fault_address = info[3];
		uc->mc.eip += 2;
		uc->mc.eax = 0xfeed0001;
	} else if (signo == 4) {
		uc->mc.eip += 2;
		uc->mc.esi = 0xfeed0002;
		uc->mc.edi = 0xfeed0003;
	}
}

static void catch(int signo)
{
	struct sigaction32 action = { (void *)handler, 0x04000004, (void *)restorer, { 0, 0 } };
	int result;

	__asm__ volatile("int $0x80" : "=a"(result)
			 : "a"(NR_rt_sigaction), "b"(signo), "c"(&action), "d"(0), "S"(8)
			 : "memory");
	if (result != 0)
		fail(20);
}

static void check_signals(void)
{
	u32 eax, esi, edi;

	catch(11);
	catch(4);
	catch(10);
	/* A load of two bytes' length from the kernel's half as 32-bit programs see it. */
	__asm__ volatile("movl (%%ecx), %%eax" : "=a"(eax) : "c"(0xfffff000u), "a"(0));
	if (eax != 0xfeed0001 || fault_address != 0xfffff000u)
		fail(21);
	__asm__ volatile("ud2" : "=S"(esi), "=D"(edi) : "S"(1), "D"(2));
	if (esi != 0xfeed0002 || edi != 0xfeed0003)
		fail(22);
	if (call_vdso(NR_kill, (u32)call_vdso(NR_getpid, 0, 0, 0), 10, 0) != 0 || handled != 3)
		fail(23);
}

static void check_memory(void)
{
	u32 page = map_page(3);

	if (page > 0xfffff000u)
		fail(30);
	*(volatile u32 *)page = 7;
	*(volatile u32 *)(page + 4096) = 8;
	if (call_vdso(NR_mprotect, page, 4096, 1) != 0)
		fail(31);
	if (*(volatile u32 *)page != 7 || *(volatile u32 *)(page + 4096) != 8)
		fail(32);
}

static void check_fork(void)
{
	static volatile u32 word = 1;
	int pid = call_vdso(NR_fork, 0, 0, 0), status = 0;

	if (pid == 0) {
		word = 2;
		check_segment(40);
		call_vdso(NR_exit, 5, 0, 0);
	}
	if (pid < 0 || call_vdso(NR_waitpid, (u32)pid, (u32)&status, 0) != pid)
		fail(42);
	if (status != 5 << 8 || word != 1)
		fail(43);
}

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n"
	"\tpush %eax\n\tcall begin\n");

void begin(u32 *stack);
void begin(u32 *stack)
{
	u32 *p = stack + 1 + stack[0] + 1;

	while (*p++)
		;
	for (; p[0]; p += 2)
		if (p[0] == 32)
			sysinfo = p[1];
	if (!sysinfo)
		fail(1);
	for (int i = 0; i < 100; i++) {
		int pid = call_int80(NR_getpid, 0, 0, 0);

		if (pid <= 0 || call_vdso(NR_getpid, 0, 0, 0) != pid)
			fail(2);
		if (call_vdso(NR_getppid, 0, 0, 0) != call_int80(NR_getppid, 0, 0, 0))
			fail(3);
	}
	if (call_int80(9999, 0, 0, 0) != -38 || call_vdso(9999, 0, 0, 0) != -38)
		fail(4);
	check_segment(10);
	check_signals();
	check_memory();
	check_fork();
	call_vdso(NR_exit, 0, 0, 0);
}
