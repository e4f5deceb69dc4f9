/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start.c - from _start to main(): checks start_info, registers the shared pages, splits the
 * command line. Also starts further vCPUs, which need the same set-up.
 */
#include <pv/libpv.h>
#include <stdlib.h>
#include <string.h>

#define ARGV_MAX 32

const struct pv_start_info *pv_start_info;

static struct pv_cpu boot_cpu;
static char arg_text[PV_CMDLINE_MAX];
static char *arg_vector[ARGV_MAX + 2];

int main(int argc, char **argv);
void pv_start(const struct pv_start_info *info);
void pv_vcpu_main(void *arg, void (*fn)(void *));
extern char pv_vcpu_entry[];

extern void (*__preinit_array_start[])(void);
extern void (*__preinit_array_end[])(void);
extern void (*__init_array_start[])(void);
extern void (*__init_array_end[])(void);

static void run_constructors(void)
{
	void (**fn)(void);

	for (fn = __preinit_array_start; fn != __preinit_array_end; fn++)
		(*fn)();
	for (fn = __init_array_start; fn != __init_array_end; fn++)
		(*fn)();
}

const char *pv_cmdline(void)
{
	return pv_start_info->cmdline_addr ? (const char *)pv_start_info->cmdline_addr : "";
}

/* The value (or "") of a word that is `key` or starts with `key=`; NULL if there is none. */
static const char *find_word(const char *key)
{
	size_t len = strlen(key);
	const char *p = pv_cmdline();

	for (;;) {
		p += strspn(p, " \t\n");
		if (!*p)
			return NULL;
		if (!strncmp(p, key, len)) {
			if (p[len] == '=')
				return p + len + 1;
			if (!p[len] || strchr(" \t\n", p[len]))
				return p + len;
		}
		p += strcspn(p, " \t\n");
	}
}

int pv_cmdline_has(const char *word)
{
	return find_word(word) != NULL;
}

int pv_cmdline_get(const char *key, char *buf, size_t size)
{
	const char *value = find_word(key);
	size_t len;

	if (!value)
		return 0;
	len = strcspn(value, " \t\n");
	if (len >= size)
		len = size - 1;
	memcpy(buf, value, len);
	buf[len] = 0;
	return 1;
}

static int split_arguments(void)
{
	int argc = 0;
	char *save = NULL;
	char *word;

	arg_vector[argc++] = (char *)pv_start_info->name;
	strncpy(arg_text, pv_cmdline(), sizeof(arg_text) - 1);
	for (word = strtok_r(arg_text, " \t\n", &save); word && argc <= ARGV_MAX;
	     word = strtok_r(NULL, " \t\n", &save))
		arg_vector[argc++] = word;
	arg_vector[argc] = NULL;
	return argc;
}

/* There is nobody to tell yet: the code tells the creator which step failed. */
static void must(int64_t result, uint32_t step)
{
	if (result < 0)
		pv_dom_shutdown(PV_REASON_PANIC, step << 8 | (uint32_t)-result);
}

void pv_start(const struct pv_start_info *info)
{
	int64_t r;

	if (info->magic != PV_START_MAGIC || info->version != PV_START_VERSION)
		pv_dom_shutdown(PV_REASON_PANIC, 1u << 8);
	pv_start_info = info;
	boot_cpu.self = &boot_cpu;
	boot_cpu.vcs = (struct pv_vcs *)info->vcs_addr;
	must(pv_setup_kernel_gs((uint64_t)&boot_cpu), 2);
	must(pv_setup_vcs(info->vcs_addr >> PV_PAGE_SHIFT), 3);
	r = pv_setup_port_page(info->port_page_addr >> PV_PAGE_SHIFT);
	if (r != -PV_EBUSY) /* registered by the creator */
		must(r, 4);
	run_constructors();
	exit(main(split_arguments(), arg_vector));
}

void pv_vcpu_main(void *arg, void (*fn)(void *))
{
	struct pv_cpu *cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	must(pv_setup_vcs((uint64_t)cpu->vcs >> PV_PAGE_SHIFT), 5);
	fn(arg);
	pv_dom_shutdown(PV_REASON_PANIC, 6u << 8);
}

int64_t pv_vcpu_spawn(uint64_t vcpu, struct pv_cpu *cpu, struct pv_vcs *vcs, void *stack_top,
		      void (*fn)(void *), void *arg)
{
	struct pv_vcpu_gpr regs = {
		.rip = (uint64_t)pv_vcpu_entry,
		.rsp = (uint64_t)stack_top,
		.rdi = (uint64_t)arg,
		.rsi = (uint64_t)fn,
		.kernel_gs_base = (uint64_t)cpu,
		.root = PV_FOREVER,
	};
	int64_t r = pv_vcpu_create(PV_SELF, vcpu);

	if (r < 0 && r != -PV_EEXIST)
		return r;
	cpu->self = cpu;
	cpu->vcs = vcs;
	r = pv_vcpu_set_regs(PV_SELF, vcpu, &regs);
	return r < 0 ? r : pv_vcpu_start(PV_SELF, vcpu);
}
