// SPDX-License-Identifier: BSD-2-Clause
/*
 * hello.c - the smallest root domain: no library, no allocator, one file. It says hello, tries each
 * kind of hypercall once, builds a child out of its own program, destroys it, and powers off with
 * the number of failed checks as exit code. When the kernel is too young for newlib and init, this
 * still tells what works.
 */
#include <pv/abi.h>
#include <stddef.h>

typedef uint64_t u64;
typedef int64_t i64;

static struct pv_start_info *info;
static struct pv_vcs *vcs;
static unsigned failed, checks;

static i64 call6(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	i64 result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define CALL0(nr) call6(nr, 0, 0, 0, 0, 0, 0)
#define CALL1(nr, a) call6(nr, a, 0, 0, 0, 0, 0)
#define CALL2(nr, a, b) call6(nr, a, b, 0, 0, 0, 0)
#define CALL3(nr, a, b, c) call6(nr, a, b, c, 0, 0, 0)
#define CALL4(nr, a, b, c, d) call6(nr, a, b, c, d, 0, 0)
#define CALL5(nr, a, b, c, d, e) call6(nr, a, b, c, d, e, 0)

void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
void start(struct pv_start_info *si);
void child_main(struct pv_start_info *si);

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
	return d;
}

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(c) : "memory");
	return d;
}

static size_t append(char *to, size_t at, const char *text)
{
	while (*text)
		to[at++] = *text++;
	return at;
}

static size_t append_number(char *to, size_t at, i64 n)
{
	char digits[20];
	size_t len = 0;
	u64 u = n < 0 ? -(u64)n : (u64)n;

	if (n < 0)
		to[at++] = '-';
	do
		digits[len++] = (char)('0' + u % 10);
	while (u /= 10);
	while (len)
		to[at++] = digits[--len];
	return at;
}

static void print(const char *text)
{
	CALL1(PV_HC_CONSOLE_WRITE, append((char *)vcs->batch, 0, text));
}

static void check(const char *what, i64 got, i64 want)
{
	char line[160];
	size_t n;

	checks++;
	n = append(line, 0, got == want ? "ok " : "not ok ");
	n = append_number(line, n, checks);
	n = append(line, n, " - ");
	n = append(line, n, what);
	if (got != want) {
		failed++;
		n = append(line, n, ": got ");
		n = append_number(line, n, got);
		n = append(line, n, ", want ");
		n = append_number(line, n, want);
	}
	n = append(line, n, "\n");
	memcpy(vcs->batch, line, n);
	CALL1(PV_HC_CONSOLE_WRITE, n);
}

static void read_counters(struct pv_counters *out)
{
	CALL2(PV_HC_INFO, PV_INFO_COUNTERS, info->host_handle);
	memcpy(out, vcs->batch, sizeof(*out));
}

static void try_info(void)
{
	check("version", CALL2(PV_HC_INFO, PV_INFO_VERSION, 0), PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
	check("unknown call", CALL0(PV_HC_COUNT), -PV_ENOSYS);
	check("unknown operation", CALL1(PV_HC_CAP_CTL, 99), -PV_ENOSYS);
	check("system", CALL2(PV_HC_INFO, PV_INFO_SYSTEM, 0), 0);
	check("cpuid", CALL2(PV_HC_CPUID, 0, 0), 0);
}

static void try_caps(void)
{
	i64 copy = CALL4(PV_HC_CAP_CTL, PV_CAP_CTL_COPY, info->host_handle, PV_SELF,
			 PV_RIGHT_HOST_LOG);

	check("copy", copy > 0, 1);
	check("inspect", CALL2(PV_HC_CAP_CTL, PV_CAP_CTL_INSPECT, (u64)copy),
	      (i64)PV_CAP_HOST << 32 | PV_RIGHT_HOST_LOG);
	check("right missing",
	      CALL3(PV_HC_HOST_CTL, PV_HOST_CTL_TRACE_READ, (u64)copy, 0), -PV_EPERM);
	check("drop", CALL2(PV_HC_CAP_CTL, PV_CAP_CTL_DROP, (u64)copy), 0);
	check("stale", CALL2(PV_HC_CAP_CTL, PV_CAP_CTL_INSPECT, (u64)copy), -PV_ECAP);
}

static void try_ports(void)
{
	struct pv_port_page *page = (struct pv_port_page *)info->port_page_addr;
	u64 a = (u64)CALL3(PV_HC_PORT_CTL, PV_PORT_CTL_ALLOC, 0, PV_SELF);
	u64 b = (u64)CALL3(PV_HC_PORT_CTL, PV_PORT_CTL_ALLOC, 0, PV_SELF);

	check("send unbound", CALL1(PV_HC_PORT_SEND, a), -PV_ESTATE);
	check("connect", CALL5(PV_HC_PORT_CTL, PV_PORT_CTL_CONNECT, a, PV_SELF, PV_SELF, b), 0);
	check("send", CALL1(PV_HC_PORT_SEND, a), 0);
	check("send again", CALL1(PV_HC_PORT_SEND, a), 1);
	check("pending", (i64)(page->pending[b / 64] >> b % 64 & 1), 1);
	check("wait", CALL2(PV_HC_WAIT, 0, PV_FOREVER), 0);
	page->pending[b / 64] = 0;
	vcs->pend[0] = 0;
	vcs->port_sel = 0;
	check("close", CALL2(PV_HC_PORT_CTL, PV_PORT_CTL_CLOSE, a), 0);
	check("peer closed", CALL1(PV_HC_PORT_SEND, b), -PV_EDEAD);
	check("close peer", CALL2(PV_HC_PORT_CTL, PV_PORT_CTL_CLOSE, b), 0);
	page->pending[b / 64] = 0;
	vcs->pend[0] = 0;
	vcs->port_sel = 0;
}

static u64 now_ns(void)
{
	volatile struct pv_clock *c = &vcs->clock;
	uint32_t lo, hi;
	u64 d;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	d = ((u64)hi << 32 | lo) - c->tsc0;
	d = c->shift < 0 ? d >> -c->shift : d << c->shift;
	return c->ns0 + (u64)((unsigned __int128)d * c->mul >> 32);
}

static void try_time(void)
{
	u64 end = now_ns() + 20000000;

	check("wait times out", CALL2(PV_HC_WAIT, 0, end), 1);
	check("not early", now_ns() >= end, 1);
	CALL1(PV_HC_TIMER_SET, now_ns() + 1000000);
	check("timer wakes", CALL2(PV_HC_WAIT, 0, PV_FOREVER), 0);
	vcs->pend[0] = 0;
}

/* ---- a child made of this program's own pages, at the same addresses ---- */

#define CHILD_STACK_PAGES 4

static u64 copy_range(u64 child, u64 from, u64 to, u64 prot)
{
	u64 gfn = from >> 12, n = (to - from) >> 12, done = 0;

	while (done < n) {
		i64 r = CALL4(PV_HC_MEM_CTL, PV_MEM_CTL_POPULATE, child, gfn + done, n - done);

		if (r <= 0)
			return (u64)r;
		done += (u64)r;
	}
	for (done = 0; done < n;) {
		i64 r = CALL5(PV_HC_MEM_CTL, PV_MEM_CTL_COPY, child, gfn + done, n - done,
			      gfn + done);

		if (r <= 0)
			return (u64)r;
		done += (u64)r;
	}
	for (done = 0; done < n;) {
		i64 r = call6(PV_HC_AS_MAP, PV_AS_MAP_MAP, child, from + done * 4096, gfn + done,
			      n - done, prot);

		if (r <= 0)
			return (u64)r;
		done += (u64)r;
	}
	return 0;
}

static i64 create_child(u64 *child)
{
	struct pv_dom_create *c = (struct pv_dom_create *)vcs->batch;
	i64 r;

	memset(c, 0, sizeof(*c));
	append((char *)c->name, 0, "child");
	c->kind = PV_KIND_EXPLICIT;
	c->mem_pages = 256;
	c->kmem_pages = 64;
	c->max_vcpus = 1;
	c->weight = 256;
	c->vtlb_tables = PV_VTLB_MAX;
	r = CALL1(PV_HC_DOM_CREATE, info->host_handle);
	*child = (u64)r;
	return r;
}

static i64 start_child(u64 child)
{
	struct pv_vcpu_gpr *gpr = (struct pv_vcpu_gpr *)vcs->batch;
	i64 r = CALL3(PV_HC_VCPU_CTL, PV_VCPU_CTL_CREATE, child, 0);

	if (r)
		return r;
	memset(gpr, 0, sizeof(*gpr));
	gpr->rip = (u64)child_main;
	gpr->rsp = info->memmap[2].base + info->memmap[2].size - 8;
	gpr->rdi = (u64)info;
	gpr->root = PV_FOREVER;
	r = CALL3(PV_HC_VCPU_REGS, PV_VCPU_REGS_SET, child, 0);
	return r ? r : CALL2(PV_HC_DOM_CTL, PV_DOM_CTL_UNPAUSE, child);
}

static i64 destroy(u64 child)
{
	i64 r;

	do
		r = CALL2(PV_HC_DOM_CTL, PV_DOM_CTL_DESTROY, child);
	while (r == -PV_EAGAIN);
	return r;
}

static i64 wait_for_end(u64 child)
{
	struct pv_dom_status status = { .state = 0 };

	for (unsigned i = 0; i < 1000 && status.state != PV_DOM_SHUTDOWN; i++) {
		if (CALL2(PV_HC_DOM_CTL, PV_DOM_CTL_STATUS, child))
			return -1;
		memcpy(&status, vcs->batch, sizeof(status));
		CALL2(PV_HC_WAIT, 0, now_ns() + 1000000);
	}
	return (i64)((u64)status.reason << 32 | status.code);
}

static i64 copy_self(u64 child)
{
	const u64 writable = PV_PROT_READ | PV_PROT_WRITE;
	u64 bss = (u64)&info & -4096ull; /* the first writable page: .data is empty */
	u64 r = copy_range(child, info->memmap[0].base, bss, PV_PROT_READ | PV_PROT_EXEC);

	if (!r)
		r = copy_range(child, bss, info->memmap[0].base + info->memmap[0].size, writable);
	for (unsigned i = 1; i < 3 && !r; i++)
		r = copy_range(child, info->memmap[i].base,
			       info->memmap[i].base + info->memmap[i].size, writable);
	return (i64)r;
}

static void try_child(int verbose)
{
	u64 child;
	i64 r = create_child(&child);

	if (verbose || r < 0)
		check("create", r > 0, 1);
	if (r < 0)
		return;
	r = copy_self(child);
	if (verbose || r)
		check("fill", r, 0);
	r = start_child(child);
	if (verbose || r)
		check("start", r, 0);
	r = wait_for_end(child);
	if (verbose || r != ((i64)PV_REASON_POWEROFF << 32 | 42))
		check("its end", r, (i64)PV_REASON_POWEROFF << 32 | 42);
	r = destroy(child);
	if (verbose || r)
		check("destroy", r, 0);
	if (verbose)
		check("stale handle", CALL2(PV_HC_DOM_CTL, PV_DOM_CTL_STATUS, child), -PV_ECAP);
}

/* cycles=N on the command line; 20 without. */
static unsigned cycles_wanted(const char *p)
{
	static const char key[] = "cycles=";
	unsigned n = 0;

	for (unsigned at = 0; *p && at < sizeof(key) - 1; p++)
		at = *p == key[at] ? at + 1 : 0;
	for (; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (unsigned)(*p - '0');
	return n ? n : 20;
}

/* Levels, not sums: they are the first twelve counters. */
static void try_cycles(unsigned n)
{
	struct pv_counters before, after;
	const u64 *b = (const u64 *)&before, *a = (const u64 *)&after;

	try_child(0); /* what the kernel keeps for later is kept from here on */
	read_counters(&before);
	while (n--)
		try_child(0);
	read_counters(&after);
	for (unsigned i = 0; i < 12; i++)
		if (a[i] != b[i])
			check("counter came back", (i64)(a[i] - b[i]), (i64)i + 1000);
	check("cycles", 0, 0);
}

/* Runs in the child: same addresses, its own memory. */
void child_main(struct pv_start_info *si)
{
	info = si;
	vcs = (struct pv_vcs *)si->vcs_addr;
	if (CALL2(PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, si->vcs_addr >> 12) ||
	    CALL2(PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_PORT_PAGE, si->port_page_addr >> 12))
		CALL3(PV_HC_DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, (u64)PV_REASON_PANIC << 32 | 1);
	if (si->cmdline_len)
		print("hello from the child\n");
	CALL3(PV_HC_DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, (u64)PV_REASON_POWEROFF << 32 | 42);
}

void start(struct pv_start_info *si)
{
	info = si;
	vcs = (struct pv_vcs *)si->vcs_addr;
	print("hello from the root domain\n");
	try_info();
	try_caps();
	try_ports();
	try_time();
	try_child(1);
	si->cmdline_len = 0; /* further children keep quiet */
	try_cycles(cycles_wanted((const char *)si->cmdline_addr));
	print(failed ? "FAILED\n" : "all passed\n");
	call6(PV_HC_HOST_CTL, PV_HOST_CTL_POWEROFF, si->host_handle, failed > 99 ? 99 : failed, 0, 0,
	      0);
}

__asm__(".pushsection .text.start, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	mov %rsi, %rdi\n"
	"	xor %ebp, %ebp\n"
	"	call start\n"
	"	ud2\n"
	".popsection\n");
