/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * count.so: counts what a machine executes, without its knowledge.
 *
 *   COUNT total=N hole=N user=N high=N cr3=N syscall=N sysret=N iret=N invlpg=N ...
 *       at the end: instructions by address (Ringfence's hole, low half, Linux's kernel half) and how
 *       often the instructions that cost something on hardware ran.
 *   MARK id insns=N cr3=N ...
 *       the same for the stretch between two markers, `nopl 0x52460000+2*id(%rax)` to
 *       `nopl 0x52460001+2*id(%rax)`, which a benchmark plants around an operation.
 *
 *   STEPS lives=N first=N second=N
 *       at the end, if there were any: how often `nopl 0x52480000(%rax)` and `...01(%rax)` ran since the last
 *       `...07(%rax)`, of which there were `lives`. So a guest counts for who watches, even if it dies.
 *
 *   vm86: ...
 *       and the end of QEMU with status 122: see vm86.h.
 *
 *   OWNER id insns=N
 *       at the end, with owner=ADDRESS: instructions of guests by VM, see owner.h. `switch` above are changes
 *       from one vCPU to another then.
 *
 *   AT n insns=N cr3=N ...
 *       with at=ADDRESS, up to 8 times: everything so far when the instruction there runs, the first 256 times.
 *       n counts the options. What else lies at the same address elsewhere is not told apart.
 *
 * Options: budget=N ends QEMU with status 120 once more than N instructions ran; exact=on counts each
 * instruction instead of each translation block (a block that faults half-way is counted whole).
 * Everything is printed on stderr. Inline counters are exact under -icount and with one CPU; with
 * several CPU threads an addition may rarely be lost, which a budget can afford.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "owner.h"
#include "qemu_plugin_api.h"
#include "vm86.h"

#define HOLE_START 0xffff800000000000u
#define HOLE_END 0xffff880000000000u
#define LOW_END 0x0000800000000000u
#define MARK_BASE 0x52460000u
#define MARK_IDS 256
#define PLACES 8
#define PLACE_TIMES 256u
#define STEP_BASE 0x52480000u
#define STEP_RESET 7u
#define BUDGET_STATUS 120
#define POLL_US 20000

enum counter {
	C_HOLE, C_USER, C_HIGH,
	C_CR3, C_SYSCALL, C_SYSRET, C_IRET, C_INVLPG, C_WRMSR, C_RDMSR, C_CPUID, C_SWAPGS,
	C_XSAVE, C_HLT, C_IO, C_LOCK, C_SWITCH,
	C_COUNT,
};

static const char *const names[C_COUNT] = {
	"hole", "user", "high", "cr3", "syscall", "sysret", "iret", "invlpg", "wrmsr", "rdmsr", "cpuid",
	"swapgs", "xsave", "hlt", "io", "lock", "switch",
};

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

static uint64_t counters[C_COUNT];
static uint64_t marks[MARK_IDS][C_COUNT];
static uint64_t steps[2], lives;
static uint64_t budget;
static uint64_t places[PLACES];
static unsigned int n_places, place_times[PLACES];
static bool exact;

static uint64_t total(const uint64_t *values)
{
	return values[C_HOLE] + values[C_USER] + values[C_HIGH];
}

static void print_counters(const char *head, const uint64_t *now, const uint64_t *before)
{
	char line[1024];
	int len = snprintf(line, sizeof(line), "%s%llu", head,
			   (unsigned long long)(total(now) - (before ? total(before) : 0)));

	for (int i = 0; i < C_COUNT; i++)
		len += snprintf(line + len, sizeof(line) - (size_t)len, " %s=%llu", names[i],
				(unsigned long long)(now[i] - (before ? before[i] : 0)));
	fprintf(stderr, "%s\n", line);
}

/* data: the marker's number; even starts, odd ends. */
static void at_mark(unsigned int vcpu, void *data)
{
	unsigned int mark = (unsigned int)(uintptr_t)data, id = mark / 2;
	char head[48];

	(void)vcpu;
	counters[C_SWITCH] = owner_switches();
	if (!(mark & 1)) {
		memcpy(marks[id], counters, sizeof(counters));
		return;
	}
	snprintf(head, sizeof(head), "MARK %u insns=", id);
	print_counters(head, counters, marks[id]);
}

static void at_place(unsigned int vcpu, void *data)
{
	unsigned int place = (unsigned int)(uintptr_t)data;
	char head[48];

	(void)vcpu;
	if (place_times[place]++ >= PLACE_TIMES)
		return;
	snprintf(head, sizeof(head), "AT %u insns=", place);
	print_counters(head, counters, NULL);
}

static void look_for_places(struct qemu_plugin_insn *insn)
{
	for (unsigned int i = 0; i < n_places; i++)
		if (qemu_plugin_insn_vaddr(insn) == places[i])
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_place, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)i);
}

static void at_life(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	steps[0] = steps[1] = 0;
	lives++;
}

static void count_steps(struct qemu_plugin_insn *insn, uint32_t step)
{
	if (step < 2)
		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &steps[step], 1);
	else if (step == STEP_RESET)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, at_life, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static enum counter place_of(uint64_t address)
{
	if (address < LOW_END)
		return C_USER;
	return address >= HOLE_START && address < HOLE_END ? C_HOLE : C_HIGH;
}

/* The counter of an 0F-opcode, or C_COUNT. `code` starts after the 0F byte. */
static enum counter event_of_0f(const uint8_t *code, size_t size)
{
	switch (code[0]) {
	case 0x05:
		return C_SYSCALL;
	case 0x07:
		return C_SYSRET;
	case 0x22:
		return size > 1 && (code[1] >> 3 & 7) == 3 ? C_CR3 : C_COUNT;
	case 0x30:
		return C_WRMSR;
	case 0x32:
		return C_RDMSR;
	case 0xa2:
		return C_CPUID;
	case 0x01:
		if (size > 1 && code[1] == 0xf8)
			return C_SWAPGS;
		return size > 1 && code[1] < 0xc0 && (code[1] >> 3 & 7) == 7 ? C_INVLPG : C_COUNT;
	case 0xae: /* xsave /4, xrstor /5, xsaveopt /6 with a memory operand */
		return size > 1 && code[1] < 0xc0 && (code[1] >> 3 & 7) >= 4 &&
		       (code[1] >> 3 & 7) <= 6 ? C_XSAVE : C_COUNT;
	default:
		return C_COUNT;
	}
}

/* Which costly event an instruction is, or C_COUNT. */
static enum counter event_of(const uint8_t *code, size_t size)
{
	while (size > 1 && (code[0] == 0x66 || code[0] == 0xf2 || code[0] == 0xf3 || code[0] == 0x2e ||
			    code[0] == 0x3e || code[0] == 0x64 || code[0] == 0x65 ||
			    (code[0] & 0xf0) == 0x40)) {
		code++;
		size--;
	}
	if (size > 1 && code[0] == 0x0f)
		return event_of_0f(code + 1, size - 1);
	switch (code[0]) {
	case 0xcf:
		return C_IRET;
	case 0xf4:
		return C_HLT;
	case 0xf0:
		return C_LOCK;
	case 0xe4: case 0xe5: case 0xe6: case 0xe7: case 0xec: case 0xed: case 0xee: case 0xef:
		return C_IO;
	default:
		return C_COUNT;
	}
}

/* The displacement of `nopl disp32(%rax)`, which says something to us; 0 of all other instructions. */
static uint32_t displacement_of(const uint8_t *code, size_t size)
{
	uint32_t value = 0;

	if (size == 7 && code[0] == 0x0f && code[1] == 0x1f && code[2] == 0x80)
		memcpy(&value, code + 3, sizeof(value));
	return value;
}

static void print_all(void);

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	enum counter where = place_of(qemu_plugin_tb_vaddr(tb));
	uint64_t *place = &counters[where];

	(void)id;
	if (owner_watching() && where != C_HOLE)
		owner_count_block(tb, n);
	if (!exact)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, place, n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		enum counter event = event_of(code, size);
		uint32_t displacement = displacement_of(code, size), mark = displacement - MARK_BASE;

		if (exact)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
								   place, 1);
		if (event != C_COUNT)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
								   &counters[event], 1);
		if (owner_watching())
			owner_look_at(insn, displacement);
		count_steps(insn, displacement - STEP_BASE);
		look_for_places(insn);
		if (where != C_HOLE)
			vm86_look_at(insn, code, size, print_all);
		if (mark < 2 * MARK_IDS)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)mark);
	}
}

static void print_all(void)
{
	print_counters("COUNT total=", counters, NULL);
	if (lives)
		fprintf(stderr, "STEPS lives=%llu first=%llu second=%llu\n", (unsigned long long)lives,
			(unsigned long long)steps[0], (unsigned long long)steps[1]);
	if (owner_watching())
		owner_print();
	fflush(stderr);
}

static void at_end(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	print_all();
	if (budget && total(counters) > budget)
		_exit(BUDGET_STATUS);
}

/* Ends a machine that will not end by itself; the verdict depends on the count, not on the time. */
static void *watch(void *data)
{
	(void)data;
	for (;;) {
		usleep(POLL_US);
		if (total(*(uint64_t (*volatile)[C_COUNT])&counters) > budget) {
			print_all();
			_exit(BUDGET_STATUS);
		}
	}
	return NULL;
}

PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
				      char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	pthread_t thread;

	if (strcmp(info->target_name, "x86_64")) {
		fprintf(stderr, "count: made for x86_64, not %s\n", info->target_name);
		return -1;
	}
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "budget=", 7)) {
			budget = strtoull(argv[i] + 7, NULL, 0);
		} else if (!strncmp(argv[i], "owner=", 6)) {
			owner_watch(strtoull(argv[i] + 6, NULL, 0));
		} else if (!strncmp(argv[i], "at=", 3) && n_places < PLACES) {
			places[n_places++] = strtoull(argv[i] + 3, NULL, 0);
		} else if (!strcmp(argv[i], "exact=on")) {
			exact = true;
		} else {
			fprintf(stderr, "count: unknown option '%s'\n", argv[i]);
			return -1;
		}
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, at_end, NULL);
	if (budget && pthread_create(&thread, NULL, watch, NULL))
		return -1;
	return 0;
}
