// SPDX-License-Identifier: BSD-2-Clause
/*
 * driver.c - one episode: random steps of a seed on the model and on this kernel at once. Boot parameters:
 * oracle.seed=N, oracle.steps=N; oracle.plant=result|state does at step oracle.at=N what the comparison must find:
 * another result than the kernel's, or a port that the model knows nothing of. oracle.verbose=1 shows each step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../abi/lib/driver.h"
#include "../../abi/lib/select.h"
#include "oracle.h"

#define EVERY 64u  /* calls between two comparisons of the whole state */
#define SHOWN 12u  /* steps before the one that differs */
#define RESULTS 17 /* ok, progress or handle, the errors, others */

static struct model m;
static struct step shown[SHOWN];
static bool verbose;
static u64 histogram[PV_HC_COUNT + 1][RESULTS], calls, states, accesses, by_puppets;

static u64 number(const char *key, u64 otherwise)
{
	char text[24];

	return parameter(key, text, sizeof(text)) ? strtoull(text, NULL, 0) : otherwise;
}

static void count(const struct step *s, i64 r)
{
	by_puppets += s->dom != M_ROOT;
	if (s->kind != S_CALL) {
		accesses++;
		return;
	}
	histogram[s->nr < PV_HC_COUNT ? s->nr : PV_HC_COUNT][r == 0 ? 0 : r > 0 ? 1 : r >= -PV_EAGAIN ? 1 + -r : 16]++;
	calls++;
}

static void show(const struct step *s)
{
	char line[200] = "";
	FILE *out = fmemopen(line, sizeof(line), "w");

	if (!out)
		return;
	step_print(out, s);
	fclose(out);
	line[strcspn(line, "\n")] = 0;
	report_line("#   %s", line);
}

static void diverged(u64 seed, u64 step, const char *wrong)
{
	for (u64 i = step < SHOWN ? 0 : step - SHOWN + 1; i <= step; i++)
		show(&shown[i % SHOWN]);
	report_line("# DIVERGENCE seed %llu step %llu: %s", (unsigned long long)seed, (unsigned long long)step, wrong);
	abi_fail(__LINE__, "kernel and model agree, step", step, 0);
}

static void tell(u64 seed)
{
	for (u32 nr = 0; nr <= PV_HC_COUNT; nr++) {
		char text[RESULTS * 10];
		u64 all = 0;
		u32 n = 0;

		for (u32 i = 0; i < RESULTS; i++) {
			n += (u32)snprintf(text + n, sizeof(text) - n, " %llu", (unsigned long long)histogram[nr][i]);
			all += histogram[nr][i];
		}
		if (all)
			report_line("# results %s%s", step_name(nr), text);
	}
	report_line("# oracle seed=%llu calls=%llu accesses=%llu states=%llu puppets=%llu away=%llu", (unsigned long long)seed,
		    (unsigned long long)calls, (unsigned long long)accesses, (unsigned long long)states,
		    (unsigned long long)by_puppets, (unsigned long long)play_away);
}

/* ---- where steps come from ---- */

/* So that there is somebody: three domains of two vCPUs, one walked, each with frames, and a VCS and a port page. */
static const struct step beginning[] = {
#define CALL(who, number, ...) { .kind = S_CALL, .dom = who, .nr = PV_HC_##number, .a = { __VA_ARGS__ } }
#define NUMBER(n) { A_NUMBER, n }
#define MADE(who, its_kind) \
	{ .kind = S_CALL, .nr = PV_HC_DOM_CREATE, .a = { { A_CAP, 0 } }, .batch = { 0, 64, 128, 2, its_kind, 0 } }, \
	CALL(0, VCPU_CTL, NUMBER(PV_VCPU_CTL_CREATE), { A_CAP, who }, NUMBER(0)), \
	CALL(0, VCPU_CTL, NUMBER(PV_VCPU_CTL_CREATE), { A_CAP, who }, NUMBER(1)), \
	CALL(0, MEM_CTL, NUMBER(PV_MEM_CTL_POPULATE), { A_CAP, who }, NUMBER(0), NUMBER(4)), \
	CALL(0, DOM_CTL, NUMBER(PV_DOM_CTL_UNPAUSE), { A_CAP, who }), \
	CALL(0, VCPU_CTL, NUMBER(PV_VCPU_CTL_START), { A_CAP, who }, NUMBER(1)), \
	CALL(who, VCPU_SETUP, NUMBER(PV_VCPU_SETUP_SET_VCS), NUMBER(0)), \
	CALL(who, VCPU_SETUP, NUMBER(PV_VCPU_SETUP_SET_PORT_PAGE), NUMBER(1))
	MADE(1, PV_KIND_EXPLICIT), MADE(2, PV_KIND_EXPLICIT), MADE(3, PV_KIND_WALKED),
};
#define BEGINNING (sizeof(beginning) / sizeof(beginning[0]))

static bool somebody_else(void)
{
	bool found = false;

	for (u32 d = 1; d < M_DOMS; d++)
		for (u32 v = 0; v < M_VCPUS; v++)
			found |= model_can_run(&m, d, v);
	return found;
}

/* After which there is less to do for all the rest of the episode. */
static bool takes_away(const struct step *s)
{
	u64 op = s->a[0].value;

	if (s->kind != S_CALL)
		return false;
	return (s->nr == PV_HC_DOM_CTL && op != PV_DOM_CTL_UNPAUSE && op != PV_DOM_CTL_STATUS) ||
	       (s->nr == PV_HC_VCPU_CTL && op == PV_VCPU_CTL_STOP) ||
	       (s->nr == PV_HC_CAP_CTL && op == PV_CAP_CTL_DROP && s->dom == M_ROOT);
}

/* A step that can be played; the generator is asked until there is one. The root domain has its say often enough. */
static void next_step(struct random *r, struct step *s, u64 seed, u64 at)
{
	bool others = somebody_else() && random_below(r, 4);

	if (at < BEGINNING) {
		*s = beginning[at];
		return;
	}
	do
		if (!step_generate(r, &m, s))
			diverged(seed, at, "nobody can run");
	while ((others && s->dom == M_ROOT) || (takes_away(s) && random_below(r, 4)) || !play_can(&m, s));
}

/* ---- the episode ---- */

static void play(u64 seed, u64 steps, const char *plant, u64 plant_at)
{
	struct random r = { (seed + 1) * 0x9e3779b97f4a7c15ull };

	for (u64 at = 0; at < steps; at++) {
		struct step *s = &shown[at % SHOWN];
		bool is_time = plant && at >= plant_at;
		const char *wrong;
		i64 result;

		next_step(&r, s, seed, at);
		if (verbose)
			show(s);
		wrong = play_step(&m, s, is_time && !strcmp(plant, "result") && s->kind == S_CALL, &result);
		count(s, result);
		if (is_time && at == plant_at && !strcmp(plant, "state"))
			TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
		if (!wrong && at % EVERY == EVERY - 1) {
			states++;
			wrong = compare(&m);
		}
		if (wrong)
			diverged(seed, at, wrong);
	}
}

/* What an episode leaves in the root domain's tables cannot all be given back: the machine ends with it. */
PV_DRIVER_TEST(oracle, "PVABI-HOS-009.1")
{
	u64 seed = number("oracle.seed", 1), steps = number("oracle.steps", 5000);
	struct pv_info_system system;
	static char plant[16];
	const char *wrong;
	bool planted = parameter("oracle.plant", plant, sizeof(plant));

	verbose = number("oracle.verbose", 0);
	CHECK_OK(OP(INFO, SYSTEM, 0));
	batch_get(&system, sizeof(system));
	play_begin(&m, system.cpus);
	compare_begin(&m);
	play(seed, steps, planted ? plant : NULL, number("oracle.at", steps / 2));
	wrong = play_end(&m);
	if (wrong)
		diverged(seed, steps - 1, wrong);
	tell(seed);
	report_line("ok 1 oracle");
	for (;;)
		OP(HOST_CTL, POWEROFF, host, PV_EXIT_BASE);
}
