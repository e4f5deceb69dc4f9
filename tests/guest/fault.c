/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.c - page faults and rights: what is refused is refused with the right signal, address and
 * error code; what is allowed works; and a change of rights is seen by the very next access.
 */
#include <fcntl.h>
#include "gt.h"

#define ERR_PROTECTION 1
#define ERR_WRITE 2
#define ERR_USER 4
#define ERR_FETCH 16

static void read_byte(void *p)
{
	(void)*(volatile char *)p;
}

static void write_byte(void *p)
{
	*(volatile char *)p = 1;
}

static void execute(void *p)
{
	((void (*)(void))p)();
}

static void expect_fault(void (*how)(void *), void *where, int code, int error)
{
	struct caught caught;

	CHECK_EQ(gt_catch(how, where, &caught), SIGSEGV);
	CHECK_EQ((uintptr_t)caught.info.si_addr, (uintptr_t)where);
	CHECK_EQ(caught.info.si_code, code);
	CHECK_EQ(caught.regs[REG_ERR], error);
	CHECK_EQ(caught.regs[REG_TRAPNO], 14);
	CHECK_EQ((uintptr_t)caught.regs[REG_CR2], (uintptr_t)where);
}

static void expect_fine(void (*how)(void *), void *where)
{
	struct caught caught;

	CHECK_EQ(gt_catch(how, where, &caught), 0);
}

static void unmapped(void)
{
	char *p = gt_pages(3 * PAGE, PROT_READ | PROT_WRITE);

	SYS(munmap(p + PAGE, PAGE));
	expect_fine(write_byte, p + PAGE - 1);
	expect_fine(write_byte, p + 2 * PAGE);
	expect_fault(read_byte, p + PAGE, SEGV_MAPERR, ERR_USER);
	expect_fault(write_byte, p + 2 * PAGE - 1, SEGV_MAPERR, ERR_USER | ERR_WRITE);
	expect_fault(read_byte, (void *)8, SEGV_MAPERR, ERR_USER);
	expect_fault(execute, p + PAGE, SEGV_MAPERR, ERR_USER | ERR_FETCH);
}

static void protected(void)
{
	char *p = gt_pages(PAGE, PROT_READ | PROT_WRITE);

	p[0] = (char)0xc3;
	SYS(mprotect(p, PAGE, PROT_READ));
	expect_fine(read_byte, p);
	expect_fault(write_byte, p, SEGV_ACCERR, ERR_USER | ERR_WRITE | ERR_PROTECTION);
	expect_fault(execute, p, SEGV_ACCERR, ERR_USER | ERR_FETCH | ERR_PROTECTION);
	SYS(mprotect(p, PAGE, PROT_NONE));
	expect_fault(read_byte, p, SEGV_ACCERR, ERR_USER);
	SYS(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	expect_fine(execute, p);
	expect_fault(write_byte, p, SEGV_ACCERR, ERR_USER | ERR_WRITE | ERR_PROTECTION);
	SYS(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	expect_fine(write_byte, p);
	expect_fault(execute, p, SEGV_ACCERR, ERR_USER | ERR_FETCH | ERR_PROTECTION);
}

/* A page that has never been touched: its first use is what the rights forbid. */
static void protected_before_use(void)
{
	char *p = gt_pages(4 * PAGE, PROT_READ);

	expect_fault(write_byte, p, SEGV_ACCERR, ERR_USER | ERR_WRITE);
	expect_fine(read_byte, p);
	expect_fault(write_byte, p, SEGV_ACCERR, ERR_USER | ERR_WRITE | ERR_PROTECTION);
	SYS(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
	expect_fine(write_byte, p + PAGE);
	expect_fault(execute, p + PAGE, SEGV_ACCERR, ERR_USER | ERR_FETCH | ERR_PROTECTION);
	/* Linux brings a page in before it refuses to run it. */
	expect_fault(execute, p + 2 * PAGE, SEGV_ACCERR, ERR_USER | ERR_FETCH | ERR_PROTECTION);
}

static void kernel_memory(void)
{
	static const unsigned long addresses[] = { 0xffffffff81000000ul, 0xffffffff82000000ul,
		0xffff888000000000ul, 0xffff888001000000ul, 0xffff800000000000ul,
		0xffff80007fffffffull, 0xffff87fffffff000ul, 0xffffc90000000000ul,
		0xffffea0000000000ul, 0xfffffe0000000000ul, 0xffffffffff5ff000ul,
		0xfffffffffffff000ul };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		void *p = (void *)addresses[i];

		expect_fault(read_byte, p, SEGV_MAPERR, ERR_USER | ERR_PROTECTION);
		expect_fault(write_byte, p, SEGV_MAPERR, ERR_USER | ERR_WRITE | ERR_PROTECTION);
		expect_fault(execute, p, SEGV_MAPERR, ERR_USER | ERR_FETCH | ERR_PROTECTION);
	}
}

static void noncanonical(void)
{
	static const unsigned long addresses[] = { 0x0000800000000000ul, 0x8000000000000000ul,
		0xffff7ffffffffff8ul };
	struct caught caught;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		CHECK_EQ(gt_catch(read_byte, (void *)addresses[i], &caught), SIGSEGV);
		CHECK_EQ(caught.info.si_code, SI_KERNEL);
		CHECK_EQ(caught.regs[REG_TRAPNO], 13);
		CHECK_EQ(gt_catch(execute, (void *)addresses[i], &caught), SIGSEGV);
	}
	/* The last bytes before the hole belong to the program's half but are never mapped. */
	CHECK_EQ(gt_catch(read_byte, (void *)0x7fffffffffffull, &caught), SIGSEGV);
}

static void program_text(void)
{
	expect_fault(write_byte, (void *)(uintptr_t)read_byte, SEGV_ACCERR,
		     ERR_USER | ERR_WRITE | ERR_PROTECTION);
	expect_fine(read_byte, (void *)(uintptr_t)read_byte);
}

static void program_data_is_no_text(void)
{
	static unsigned char data[16] = { 0xc3 };
	unsigned char stack[16] = { 0xc3 };
	unsigned char *heap = malloc(16);

	heap[0] = 0xc3;
	expect_fault(execute, data, SEGV_ACCERR, ERR_USER | ERR_FETCH | ERR_PROTECTION);
	expect_fault(execute, stack, SEGV_ACCERR, ERR_USER | ERR_FETCH | ERR_PROTECTION);
	expect_fault(execute, heap, SEGV_ACCERR, ERR_USER | ERR_FETCH | ERR_PROTECTION);
	free(heap);
}

/* Fresh memory is zero, page after page, also where other data lay a moment ago. */
static void fresh_memory_is_zero(void)
{
	for (unsigned int round = 0; round < gt_rounds(8); round++) {
		size_t pages = 512;
		unsigned char *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

		for (size_t i = 0; i < pages; i++) {
			const uint64_t *word = (const uint64_t *)(p + i * PAGE);

			for (size_t k = 0; k < PAGE / 8; k += 8)
				CHECK_EQ(word[k], 0);
			memset(p + i * PAGE, 0xa5, PAGE);
		}
		SYS(munmap(p, pages * PAGE));
	}
}

/* Read first: all pages are the one zero page; then written: each becomes its own. */
static void zero_page(void)
{
	size_t pages = 256;
	unsigned char *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(p[i * PAGE], 0);
	for (size_t i = 0; i < pages; i += 2)
		p[i * PAGE] = (unsigned char)i | 1;
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(p[i * PAGE], i & 1 ? 0 : (unsigned char)i | 1);
}

/* Rights up and down, page by page; each new right holds at once, each lost one is lost at once. */
static void rights_up_and_down(void)
{
	size_t pages = 16;
	char *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 1, pages * PAGE);
	for (unsigned int round = 0; round < gt_rounds(24); round++) {
		size_t i = round * 7 % pages;

		SYS(mprotect(p + i * PAGE, PAGE, PROT_READ));
		expect_fault(write_byte, p + i * PAGE, SEGV_ACCERR,
			     ERR_USER | ERR_WRITE | ERR_PROTECTION);
		expect_fine(write_byte, p + (i + 1) % pages * PAGE);
		SYS(mprotect(p + i * PAGE, PAGE, PROT_NONE));
		expect_fault(read_byte, p + i * PAGE, SEGV_ACCERR, ERR_USER);
		SYS(mprotect(p, pages * PAGE, PROT_READ | PROT_WRITE));
		expect_fine(write_byte, p + i * PAGE);
	}
}

/* The kernel obeys the program's rights when it copies on its behalf. */
static void kernel_copies_obey(void)
{
	char *p = gt_pages(2 * PAGE, PROT_READ | PROT_WRITE);
	int zero = SYS(open("/dev/zero", O_RDONLY)), fds[2];

	SYS(pipe(fds));
	for (unsigned int i = 0; i < gt_rounds(30); i++) {
		p[0] = 7;
		SYS(mprotect(p, PAGE, PROT_READ));
		CHECK_EQ(read(zero, p, 16), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(p[0], 7);
		CHECK_EQ(write(fds[1], p, 16), 16);
		SYS(mprotect(p, PAGE, PROT_NONE));
		CHECK_EQ(write(fds[1], p, 16), -1);
		CHECK_EQ(errno, EFAULT);
		SYS(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
		CHECK_EQ(read(fds[0], p + PAGE, 16), 16);
		CHECK_EQ(p[PAGE], 7);
		CHECK_EQ(read(zero, p, 16), 16);
		CHECK_EQ(p[0], 0);
	}
}

/* Code written, run, rewritten, run. */
static void rewritten_code(void)
{
	unsigned char *code = gt_pages(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);

	for (unsigned int i = 0; i < gt_rounds(300); i++) {
		code[0] = 0xb8;
		memcpy(code + 1, &i, 4);
		code[5] = 0xc3;
		CHECK_EQ(((unsigned int (*)(void))code)(), i);
	}
	for (unsigned int i = 0; i < gt_rounds(50); i++) {
		SYS(mprotect(code, PAGE, PROT_READ | PROT_WRITE));
		memcpy(code + 1, &i, 4);
		SYS(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
		CHECK_EQ(((unsigned int (*)(void))code)(), i);
	}
}

/* One file page seen through a shared and a private mapping. */
static void file_mappings(void)
{
	char name[] = "/tmp/gtXXXXXX";
	int fd = SYS(mkstemp(name));
	volatile char *shared, *private;
	struct caught caught;

	unlink(name);
	SYS(ftruncate(fd, 2 * PAGE));
	shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	shared[0] = 1;
	CHECK_EQ(private[0], 1);
	shared[0] = 2;
	CHECK_EQ(private[0], 2);
	private[0] = 3;
	shared[0] = 4;
	CHECK_EQ(private[0], 3);
	CHECK_EQ(pwrite(fd, "Z", 1, PAGE), 1);
	CHECK_EQ(shared[PAGE], 'Z');
	CHECK_EQ(private[PAGE], 'Z');
	/* Beyond the file's end is SIGBUS, and truncation takes pages away at once. */
	CHECK_EQ(gt_catch(read_byte, (char *)shared + 2 * PAGE, &caught), SIGBUS);
	SYS(ftruncate(fd, PAGE));
	CHECK_EQ(gt_catch(read_byte, (char *)shared + PAGE, &caught), SIGBUS);
	CHECK_EQ(gt_catch(write_byte, (char *)private + PAGE, &caught), SIGBUS);
	SYS(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(shared[PAGE], 0);
}

ROOM(fault,
	{ "unmapped", unmapped, 0 },
	{ "protected", protected, 0 },
	{ "protected_before_use", protected_before_use, 0 },
	{ "kernel_memory", kernel_memory, GT_KERNEL },
	{ "noncanonical", noncanonical, 0 },
	{ "program_text", program_text, 0 },
	{ "program_data_is_no_text", program_data_is_no_text, 0 },
	{ "fresh_memory_is_zero", fresh_memory_is_zero, 0 },
	{ "zero_page", zero_page, 0 },
	{ "rights_up_and_down", rights_up_and_down, 0 },
	{ "kernel_copies_obey", kernel_copies_obey, 0 },
	{ "rewritten_code", rewritten_code, 0 },
	{ "file_mappings", file_mappings, 0 });
