// SPDX-License-Identifier: BSD-2-Clause
/*
 * diff.c - random sequences on kernel and model at once.
 *
 * Usage: model_diff [--calls N] [--seed S] [--episode E] [--steps N] [--every N]
 *   --calls    hypercalls to make in all (default 400000)
 *   --seed     of the whole run; an episode is a fresh kernel and a seed of its own made of it
 *   --episode  replay this one alone
 *   --steps    steps of an episode (default 4000)
 *   --every    calls between two comparisons of the whole state (default 64)
 *   --shrink   0: only say that they disagree
 *   --fail     1: before a step is played, it is tried with each thing it asks for used up (failing.c)
 *
 * Each episode runs in a child process. When the two disagree, or the child dies, the sequence is shrunk by
 * leaving steps out as long as something is still wrong, and printed. The exit status is then 1.
 */
#include "failing.h"
#include "machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* There is one when coverage is measured, which a child would not write. */
void __gcov_dump(void) __attribute__((weak));

#define MAX_STEPS 100000u
#define RESULTS 18 /* ok, progress or handle, the errors, others */
#define MAX_TRIALS 3000

static struct {
	u64 calls, seed, steps, every, shrink, fail;
	i64 episode;
} options = { 400000, 1, 4000, 64, 1, 0, -1 };

/* What a child tells its parent; it may die at any time. */
static struct shared {
	u64 calls, states, nr_steps;
	u64 histogram[PV_HC_COUNT + 1][RESULTS];
	struct failing_count failing[FAILING_MAX];
	char wrong[300];
	i64 last;
	struct step steps[MAX_STEPS];
} *shared;

/* ---- one episode ---- */

static void count_result(u64 nr, i64 r)
{
	u32 column = r == 0 ? 0 : r > 0 ? 1 : r >= -PV_EAGAIN ? 1 + (u32)-r : 17;

	shared->histogram[nr < PV_HC_COUNT ? nr : PV_HC_COUNT][column]++;
	shared->calls++;
}

static const char *one_step(struct model *m, const struct step *s)
{
	i64 result;
	const char *wrong = options.fail ? failing_step(m, s, shared->failing, &result) :
					   machine_step(m, s, &result);

	shared->last = result;
	if (s->kind == S_CALL)
		count_result(s->nr, result);
	return wrong;
}

static bool possible(struct model *m, const struct step *s)
{
	struct m_call call;

	step_resolve(m, s, &call);
	return step_is_possible(m, s, &call);
}

static int finish(const char *wrong, struct model *m)
{
	if (!wrong)
		wrong = machine_end(m);
	if (wrong)
		snprintf(shared->wrong, sizeof(shared->wrong), "%s", wrong);
	return wrong != NULL;
}

/* Generates as it goes, and leaves the steps in shared memory. */
static int explore(u64 seed)
{
	struct random r = { seed };
	const char *wrong = NULL;
	static struct model m;
	u64 since = 0;

	if (!machine_start(&m))
		return finish("the kernel does not start", &m);
	while (!wrong && shared->nr_steps < options.steps) {
		struct step *s = &shared->steps[shared->nr_steps];

		if (!step_generate(&r, &m, s)) {
			wrong = "nobody can run";
			break;
		}
		if (!possible(&m, s))
			continue;
		shared->nr_steps++;
		wrong = one_step(&m, s);
		if (!wrong && ++since >= options.every) {
			since = 0;
			shared->states++;
			wrong = machine_compare(&m);
		}
	}
	return finish(wrong, &m);
}

/* Steps given; the whole state after each. */
static int replay(const struct step *steps, u64 n)
{
	const char *wrong = NULL;
	static struct model m;

	if (!machine_start(&m))
		return 1;
	for (u64 i = 0; i < n && !wrong; i++) {
		if (!possible(&m, &steps[i]))
			continue;
		shared->nr_steps = i + 1;
		wrong = one_step(&m, &steps[i]);
		if (!wrong)
			wrong = machine_compare(&m);
	}
	return finish(wrong, &m);
}

/* In a child of its own; true if something was wrong. */
static bool in_child(u64 seed, const struct step *steps, u64 n, bool quiet)
{
	pid_t pid;
	int status;

	shared->nr_steps = 0;
	shared->wrong[0] = 0;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return true;
	if (!pid) {
		alarm(60);
		if (quiet && !freopen("/dev/null", "w", stderr))
			_exit(2);
		status = steps ? replay(steps, n) : explore(seed);
		if (__gcov_dump)
			__gcov_dump();
		_exit(status);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		snprintf(shared->wrong, sizeof(shared->wrong), "the kernel died by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) && !shared->wrong[0])
		snprintf(shared->wrong, sizeof(shared->wrong), "a sanitizer stopped it");
	return status != 0;
}

/* ---- shrinking ---- */

static u64 without(struct step *to, const struct step *from, u64 n, u64 at, u64 len)
{
	u64 kept = 0;

	for (u64 i = 0; i < n; i++)
		if (i < at || i >= at + len)
			to[kept++] = from[i];
	return kept;
}

/* Leaves out ever smaller pieces; what is left is wrong as well. */
static u64 shrink(struct step *steps, u64 n)
{
	struct step *fewer = malloc(n * sizeof(*fewer));
	u32 trials = 0;

	if (in_child(0, steps, n, true))
		n = shared->nr_steps;
	else
		return n; /* it needs the comparisons to be rarer: leave it whole */
	for (u64 len = n / 2; len; len = len > 1 ? len / 2 : 0) {
		for (u64 at = 0; at < n && trials++ < MAX_TRIALS;) {
			u64 left = without(fewer, steps, n, at, len);

			if (in_child(0, fewer, left, true)) {
				n = shared->nr_steps < left ? shared->nr_steps : left;
				memcpy(steps, fewer, n * sizeof(*steps));
			} else {
				at += len;
			}
		}
	}
	free(fewer);
	return n;
}

static void report(u64 episode, u64 seed)
{
	u64 n = shared->nr_steps;
	struct step *steps = malloc(n * sizeof(*steps) + 1);

	printf("DIVERGENCE seed %llu episode %llu step %llu: %s\n", (unsigned long long)options.seed,
	       (unsigned long long)episode, (unsigned long long)n, shared->wrong);
	printf("replay: model_diff --seed %llu --episode %llu --steps %llu --every %llu%s\n",
	       (unsigned long long)options.seed, (unsigned long long)episode,
	       (unsigned long long)options.steps, (unsigned long long)options.every,
	       options.fail ? " --fail 1" : "");
	(void)seed;
	if (!options.shrink) {
		free(steps);
		return;
	}
	memcpy(steps, shared->steps, n * sizeof(*steps));
	n = shrink(steps, n);
	(void)in_child(0, steps, n, false);
	printf("shrunk to %llu steps: %s\n", (unsigned long long)n, shared->wrong);
	for (u64 i = 0; i < n; i++) {
		printf("%4llu  ", (unsigned long long)i);
		step_print(stdout, &steps[i]);
	}
	free(steps);
}

/* ---- all ---- */

static void print_histogram(void)
{
	static const char *const columns[RESULTS] = { "0", ">0", "NOSYS", "INVAL", "RANGE", "CAP", "PERM", "DEAD",
						      "STATE", "FAULT", "NOENT", "EXIST", "BUSY", "NOSPC", "NOMEM",
						      "AGAIN", "", "other" };

	printf("%-14s", "");
	for (u32 c = 0; c < RESULTS; c++)
		if (c != 16)
			printf("%9s", columns[c]);
	for (u32 nr = 0; nr <= PV_HC_COUNT; nr++) {
		printf("\n%-14s", step_name(nr));
		for (u32 c = 0; c < RESULTS; c++)
			if (c != 16)
				printf("%9llu", (unsigned long long)shared->histogram[nr][c]);
	}
	printf("\n");
}

static u64 seed_of(u64 episode)
{
	struct random r = { (options.seed + 1) * 0x9e3779b97f4a7c15ull ^ (episode + 1) * 0xbf58476d1ce4e5b9ull };

	return random_next(&r) | 1;
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		u64 value = strtoull(argv[i + 1], NULL, 0);

		if (!strcmp(argv[i], "--calls"))
			options.calls = value;
		else if (!strcmp(argv[i], "--seed"))
			options.seed = value;
		else if (!strcmp(argv[i], "--steps"))
			options.steps = value < MAX_STEPS ? value : MAX_STEPS;
		else if (!strcmp(argv[i], "--every"))
			options.every = value ? value : 1;
		else if (!strcmp(argv[i], "--shrink"))
			options.shrink = value;
		else if (!strcmp(argv[i], "--fail"))
			options.fail = value;
		else if (!strcmp(argv[i], "--episode"))
			options.episode = (i64)value;
	}
}

int main(int argc, char **argv)
{
	struct rusage used;
	double seconds;
	u64 episode = 0;

	parse(argc, argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	if (options.episode >= 0)
		episode = (u64)options.episode;
	do {
		if (in_child(seed_of(episode), NULL, 0, false)) {
			report(episode, seed_of(episode));
			return 1;
		}
		episode++;
	} while (shared->calls < options.calls && options.episode < 0);
	getrusage(RUSAGE_CHILDREN, &used);
	seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		  (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	print_histogram();
	printf("seed %llu: %llu calls in %llu episodes, %llu whole states compared, %.1f s of CPU, %.0f calls/s: "
	       "kernel and model agree\n",
	       (unsigned long long)options.seed, (unsigned long long)shared->calls, (unsigned long long)episode,
	       (unsigned long long)shared->states, seconds, (double)shared->calls / seconds);
	return options.fail && options.episode < 0 && !failing_report(shared->failing);
}
