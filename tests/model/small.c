// SPDX-License-Identifier: BSD-2-Clause
/*
 * small.c - every state of a small system that a few calls can reach, on kernel and model at once.
 *
 * Usage: model_small ALPHABET DEPTH
 *
 * Breadth first: from each state not seen before, each step of the alphabet. Result and whole state are compared
 * after every step. The kernel comes to a state by ending the child, giving everything back and playing the path
 * again; a step that changed nothing needs no way back.
 *
 * A kernel lives for LIFE states, in a process of its own: the generation in a handle has 15 bits, so a kernel that goes
 * back often enough gives a handle that it gave before, as it may, and the model still has as the last one of a place.
 */
#include "bits.h"
#include "canon.h"
#include "machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ALPHABET 40
#define MAX_SETUP 16
#define MAX_DEPTH 16
#define LIFE 200u /* states: each is come to 40 times at most, with less than 4 handles of a place each time */

struct node {
	u32 parent;
	u32 letter, depth;
};

static struct step alphabet[MAX_ALPHABET], setup[MAX_SETUP];
static u32 nr_alphabet, nr_setup;
static struct node *nodes;
static u64 nr_nodes, room_nodes;
static u64 *seen, seen_size; /* open hash of canonical numbers; 0 = empty */
static struct model m;

/* What a life of the kernel leaves behind. */
static struct life {
	u64 steps_played, steps_compared;
	u64 first_state;
	u32 nr_found;
	struct found {
		u64 canon;
		u32 node, letter;
	} found[LIFE * MAX_ALPHABET];
} *life;

/* ---- the file ---- */

static void read_alphabet(const char *path)
{
	FILE *f = fopen(path, "r");
	bool in_setup = true;
	char line[200];

	while (f && fgets(line, sizeof(line), f)) {
		struct step *s = in_setup ? &setup[nr_setup] : &alphabet[nr_alphabet];

		if (line[0] == '-')
			in_setup = false;
		if (line[0] != 'd')
			continue;
		if ((in_setup ? nr_setup == MAX_SETUP : nr_alphabet == MAX_ALPHABET) || !step_parse(s, line)) {
			fprintf(stderr, "%s: more than %u steps, or a line that is none: %s\n", path,
				MAX_ALPHABET, line);
			exit(2);
		}
		nr_setup += in_setup;
		nr_alphabet += !in_setup;
	}
	if (!f || !nr_alphabet) {
		fprintf(stderr, "%s: cannot be read, or is empty\n", path);
		exit(2);
	}
	fclose(f);
}

/* ---- states seen ---- */

static void seen_grow(void)
{
	u64 *old = seen, old_size = seen_size;

	seen_size = seen_size ? seen_size * 2 : 1 << 16;
	seen = calloc(seen_size, sizeof(*seen));
	for (u64 i = 0; i < old_size; i++) {
		u64 at = old[i] & (seen_size - 1);

		while (old[i] && seen[at])
			at = (at + 1) & (seen_size - 1);
		if (old[i])
			seen[at] = old[i];
	}
	free(old);
}

/* True if it was not in the set. */
static bool seen_add(u64 canon)
{
	u64 at;

	if (nr_nodes * 2 >= seen_size)
		seen_grow();
	for (at = canon & (seen_size - 1); seen[at]; at = (at + 1) & (seen_size - 1))
		if (seen[at] == canon)
			return false;
	seen[at] = canon;
	return true;
}

static void node_add(u32 parent, u32 letter, u32 depth)
{
	if (nr_nodes == room_nodes) {
		room_nodes = room_nodes ? room_nodes * 2 : 4096;
		nodes = realloc(nodes, room_nodes * sizeof(*nodes));
	}
	nodes[nr_nodes++] = (struct node){ parent, letter, depth };
}

/* ---- playing ---- */

static void print_path(u32 node)
{
	if (nodes[node].depth == 0)
		return;
	print_path(nodes[node].parent);
	step_print(stdout, &alphabet[nodes[node].letter]);
}

static void diverged(u32 node, const struct step *s, const char *wrong)
{
	printf("DIVERGENCE after these steps: %s\n", wrong);
	for (u32 i = 0; i < nr_setup; i++)
		step_print(stdout, &setup[i]);
	printf("----\n");
	print_path(node);
	if (s)
		step_print(stdout, s);
	exit(1);
}

static const char *play(const struct step *s)
{
	struct m_call call;
	i64 result;

	step_resolve(&m, s, &call);
	if (!step_is_possible(&m, s, &call))
		return NULL;
	life->steps_played++;
	return machine_step(&m, s, &result);
}

static void must(u32 node, u64 nr, struct arg a0, struct arg a1, struct arg a2, struct arg a3)
{
	struct step s = { .kind = S_CALL, .dom = M_ROOT, .nr = nr, .a = { a0, a1, a2, a3 } };
	const char *wrong = play(&s);

	if (wrong)
		diverged(node, &s, wrong);
}

#define N(value) ((struct arg){ A_NUMBER, value })
#define CAP(slot) ((struct arg){ A_CAP, slot })

/* Ends the child; the root domain gives back what it made. */
static void give_back(u32 node)
{
	struct m_dom *root = &m.doms[M_ROOT];
	const char *wrong;

	for (u32 i = 0; i < M_PORTS; i++)
		if (root->ports[i].state != PV_PORT_FREE)
			must(node, PV_HC_PORT_CTL, N(PV_PORT_CTL_CLOSE), N(i), N(0), N(0));
	for (u32 i = 1; i < M_CAPS; i++) {
		u32 type = root->caps[i].type;

		if (type == PV_CAP_GRANT && root->caps[i].rights & PV_RIGHT_GRANT_REVOKE)
			must(node, PV_HC_GRANT_CTL, N(PV_GRANT_CTL_REVOKE), CAP(i), N(0), N(0));
		else if (type != PV_CAP_NONE)
			must(node, PV_HC_CAP_CTL, N(PV_CAP_CTL_DROP), CAP(i), N(0), N(0));
	}
	wrong = machine_end(&m);
	if (wrong)
		diverged(node, NULL, wrong);
	for (u32 i = 1; i < M_PAGES; i++)
		if (root->pages[i].prot) {
			struct step s = { .kind = S_CALL, .nr = PV_HC_AS_MAP,
					  .a = { N(PV_AS_MAP_UNMAP), N(0), N(i * 4096), N(0), N(1) } };

			wrong = play(&s);
			if (wrong)
				diverged(node, &s, wrong);
		}
	for (u32 i = 4; i < 6; i++) {
		if (root->gfns[i].kind != M_HOLE)
			must(node, PV_HC_MEM_CTL, N(PV_MEM_CTL_RELEASE), N(0), N(i), N(1));
		must(node, PV_HC_MEM_CTL, N(PV_MEM_CTL_POPULATE), N(0), N(i), N(1));
	}
}

static void go_to(u32 node)
{
	u32 path[MAX_DEPTH];
	u32 n = nodes[node].depth;
	struct step take = { .kind = S_TAKE };

	for (u32 at = node, i = n; i; at = nodes[at].parent)
		path[--i] = nodes[at].letter;
	give_back(node);
	(void)play(&take);
	for (u32 i = 0; i < nr_setup; i++) {
		const char *wrong = play(&setup[i]);

		if (wrong)
			diverged(0, &setup[i], wrong);
	}
	if (!life->first_state)
		life->first_state = model_canon(&m);
	if (model_canon(&m) != life->first_state)
		diverged(0, NULL, "giving everything back does not lead to the first state");
	for (u32 i = 0; i < n; i++)
		(void)play(&alphabet[path[i]]);
}

static void expand(u32 node)
{
	u64 here = 0;
	bool there = false;

	for (u32 i = 0; i < nr_alphabet; i++) {
		const char *wrong;
		u64 next;

		if (!there) {
			go_to(node);
			here = model_canon(&m);
			there = true;
		}
		wrong = play(&alphabet[i]);
		life->steps_compared++;
		if (!wrong)
			wrong = machine_compare(&m);
		if (wrong)
			diverged(node, &alphabet[i], wrong);
		next = model_canon(&m);
		there = next == here;
		if (!there)
			life->found[life->nr_found++] = (struct found){ next, node, i };
	}
}

/* The nodes from first to end - 1 in a kernel that lives for them alone; with end 0 only the first state is come to. */
static void live(u32 first, u32 end)
{
	int status;
	pid_t pid;

	fflush(stdout);
	life->nr_found = 0;
	pid = fork();
	if (!pid) {
		if (!machine_start(&m))
			_exit(2);
		if (!end)
			go_to(0);
		for (u32 at = first; at < end; at++)
			expand(at);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status)) {
		printf("a kernel died or diverged between states %u and %u\n", first, end);
		exit(1);
	}
	for (u32 i = 0; i < life->nr_found; i++) {
		const struct found *f = &life->found[i];

		if (seen_add(f->canon))
			node_add(f->node, f->letter, nodes[f->node].depth + 1u);
	}
}

int main(int argc, char **argv)
{
	u32 depth = argc > 2 ? (u32)atoi(argv[2]) : 0;
	u64 begin, end;

	if (argc != 3 || !depth || depth > MAX_DEPTH) {
		fprintf(stderr, "usage: model_small ALPHABET DEPTH\n");
		return 2;
	}
	read_alphabet(argv[1]);
	life = mmap(NULL, sizeof(*life), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (life == MAP_FAILED)
		return 2;
	node_add(0, 0, 0);
	live(0, 0);
	(void)seen_add(life->first_state);
	for (u32 at = 0, level = 0; level < depth; level++) {
		begin = at;
		end = nr_nodes;
		for (u32 until; at < end; at = until) {
			until = (u32)MIN(end, (u64)at + LIFE);
			live(at, until);
		}
		printf("depth %u: %llu states\n", level, (unsigned long long)(end - begin));
	}
	printf("depth %u: %llu states\n", depth, (unsigned long long)(nr_nodes - end));
	printf("%u steps in the alphabet, all sequences to depth %u: %llu distinct states, %llu steps compared "
	       "(%llu played): kernel and model agree\n",
	       nr_alphabet, depth, (unsigned long long)nr_nodes, (unsigned long long)life->steps_compared,
	       (unsigned long long)life->steps_played);
	return 0;
}
