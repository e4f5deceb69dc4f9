// SPDX-License-Identifier: BSD-2-Clause
/*
 * small.c - every state of a small system that a few calls can reach, on kernel and model at once.
 *
 * Usage: model_small ALPHABET DEPTH
 *
 * Breadth first: from each state not seen before, each step of the alphabet. Result and whole state are compared
 * after every step. The kernel comes to a state by ending the child, giving everything back and playing the path
 * again; a step that changed nothing needs no way back.
 */
#include "canon.h"
#include "machine.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ALPHABET 40
#define MAX_SETUP 16
#define MAX_DEPTH 16

struct node {
	u32 parent;
	u32 letter, depth;
};

static struct step alphabet[MAX_ALPHABET], setup[MAX_SETUP];
static u32 nr_alphabet, nr_setup;
static struct node *nodes;
static u64 nr_nodes, room_nodes;
static u64 *seen, seen_size; /* open hash of canonical numbers; 0 = empty */
static u64 steps_played, steps_compared;
static u64 first_state;
static struct model m;

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
	steps_played++;
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
	if (!first_state)
		first_state = model_canon(&m);
	if (model_canon(&m) != first_state)
		diverged(0, NULL, "giving everything back does not lead to the first state");
	for (u32 i = 0; i < n; i++)
		(void)play(&alphabet[path[i]]);
}

static void expand(u32 node, u32 depth)
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
		steps_compared++;
		if (!wrong)
			wrong = machine_compare(&m);
		if (wrong)
			diverged(node, &alphabet[i], wrong);
		next = model_canon(&m);
		there = next == here;
		if (!there && seen_add(next) && nodes[node].depth + 1u <= depth)
			node_add(node, i, nodes[node].depth + 1u);
	}
}

int main(int argc, char **argv)
{
	u32 depth = argc > 2 ? (u32)atoi(argv[2]) : 0;
	u64 at, level_start = 0;

	if (argc != 3 || !depth || depth > MAX_DEPTH) {
		fprintf(stderr, "usage: model_small ALPHABET DEPTH\n");
		return 2;
	}
	read_alphabet(argv[1]);
	if (!machine_start(&m))
		return 2;
	node_add(0, 0, 0);
	go_to(0);
	(void)seen_add(model_canon(&m));
	for (at = 0; at < nr_nodes && nodes[at].depth < depth; at++) {
		if (nodes[at].depth != nodes[level_start].depth) {
			printf("depth %u: %llu states\n", nodes[level_start].depth,
			       (unsigned long long)(at - level_start));
			fflush(stdout);
			level_start = at;
		}
		expand((u32)at, depth);
	}
	printf("depth %u: %llu states\ndepth %u: %llu states\n", nodes[level_start].depth,
	       (unsigned long long)(at - level_start), depth, (unsigned long long)(nr_nodes - at));
	printf("%u steps in the alphabet, all sequences to depth %u: %llu distinct states, %llu steps compared "
	       "(%llu played): kernel and model agree\n",
	       nr_alphabet, depth, (unsigned long long)nr_nodes, (unsigned long long)steps_compared,
	       (unsigned long long)steps_played);
	return 0;
}
