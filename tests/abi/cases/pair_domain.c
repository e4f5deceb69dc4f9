/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_domain.c - two vCPUs at one capability, or at one other domain; see lib/pair.h. While a domain is being
 * destroyed its handle still names it, and says PV_EDEAD; afterwards the handle is stale.
 */
#include <string.h>

#include "../lib/pair.h"
#include "../lib/turns.h"

#define DESTROY_IT DO(DOM_CTL, DESTROY, IT(DOM))
#define PAUSE_IT DO(DOM_CTL, PAUSE, IT(DOM))
#define UNPAUSE_IT DO(DOM_CTL, UNPAUSE, IT(DOM))

/* ---- capabilities ---- */

static void handle(void)
{
	domain_empty();
	things[HANDLE] = TRY(OP(CAP_CTL, COPY, things[DOM], PV_SELF, PV_RIGHT_DOM_STATUS));
}

static u64 handle_there(void)
{
	return OP(CAP_CTL, INSPECT, things[HANDLE]) > 0;
}

static void handle_clear(void)
{
	pair_drop(pair_made[0]);
	pair_drop(pair_made[1]);
	pair_drop(things[HANDLE]);
	domain_clear();
}

#define CAP_PAIR(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-003.1", pair_run, \
	       PAIR(.setup = handle, .state = handle_there, .clear = handle_clear, ##__VA_ARGS__))
#define COPY_IT DO(CAP_CTL, COPY, IT(HANDLE), PV_SELF, PV_RIGHT_DOM_STATUS)
#define DROP_IT DO(CAP_CTL, DROP, IT(HANDLE))

CAP_PAIR(cap_drop_drop, .a = DROP_IT, .b = DROP_IT);
CAP_PAIR(cap_copy_drop, .a = COPY_IT, .b = DROP_IT);
CAP_PAIR(cap_inspect_drop, .a = VALUE_OF(CAP_CTL, PV_CAP_CTL_INSPECT, IT(HANDLE)), .b = DROP_IT);
CAP_PAIR(cap_copy_destroy, .a = COPY_IT, .b = DESTROY_IT);
CAP_PAIR(cap_drop_destroy, .a = DROP_IT, .b = DESTROY_IT);
CAP_PAIR(cap_give_destroy, .setup = domain_empty, .state = domain_gone, .clear = domain_clear,
	 .a = DO(CAP_CTL, COPY, PV_SELF, IT(DOM), PV_RIGHT_DOM_STATUS), .b = DESTROY_IT, ALSO(MAY(-PV_EDEAD, 0)));

/* Two copies into two places: both handles are good and differ. */
static u64 copies_differ(void)
{
	return pair_made[0] != pair_made[1] && OP(CAP_CTL, INSPECT, pair_made[0]) > 0 &&
	       OP(CAP_CTL, INSPECT, pair_made[1]) > 0;
}

CAP_PAIR(cap_copy_copy, .a = COPY_IT, .b = COPY_IT, .state = copies_differ);

/* ---- interrupt lines and I/O ports ---- */

#define LINE 11u
#define IO_FIRST 0x1070u

static void line(void)
{
	domain_empty();
	things[HANDLE] = TRY(OP(HOST_CTL, IRQ_CAP, things[HOST], LINE));
}

CAP_PAIR(irqcap_irqcap, .setup = domain_empty, .state = NULL, .a = DO(HOST_CTL, IRQ_CAP, IT(HOST), LINE),
	 .b = DO(HOST_CTL, IRQ_CAP, IT(HOST), LINE));
CAP_PAIR(irqcap_drop, .setup = line, .a = DO(HOST_CTL, IRQ_CAP, IT(HOST), LINE), .b = DROP_IT);
CAP_PAIR(irqcap_copy_drop, .setup = line, .a = DO(CAP_CTL, COPY, IT(HANDLE), PV_SELF, PV_RIGHT_IRQ_BIND), .b = DROP_IT);

/* Ports stay with a domain until its end: each is given to one of two that end with the round. */
static void two_domains(void)
{
	domain_empty();
	things[HANDLE] = empty_domain(16, 64);
}

static void two_domains_clear(void)
{
	pair_end(things[HANDLE]);
	domain_clear();
}

CAP_PAIR(ioports_ioports, .setup = two_domains, .clear = two_domains_clear,
	 .a = DO(HOST_CTL, IOPORTS, IT(HOST), IT(DOM), IO_FIRST, 4),
	 .b = DO(HOST_CTL, IOPORTS, IT(HOST), IT(HANDLE), IO_FIRST, 4));
CAP_PAIR(ioports_destroy, .setup = domain_empty, .clear = domain_clear, .state = domain_gone,
	 .a = DO(HOST_CTL, IOPORTS, IT(HOST), IT(DOM), IO_FIRST, 4), .b = DESTROY_IT, ALSO(MAY(-PV_EDEAD, 0)));

/* ---- life ---- */

/* How often it can be unpaused: how often it was paused, and once more if it never ran. */
static u64 pauses(void)
{
	u64 n = 0;

	while (n < 9 && OP(DOM_CTL, UNPAUSE, things[DOM]) == 0)
		n++;
	return n;
}

#define LIFE_PAIR(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-004.1", pair_run, PAIR(.clear = domain_clear, ##__VA_ARGS__))

LIFE_PAIR(pause_pause, .setup = domain_spinning, .state = pauses, .a = PAUSE_IT, .b = PAUSE_IT);
LIFE_PAIR(pause_unpause, .setup = domain_spinning, .state = pauses, .a = PAUSE_IT, .b = UNPAUSE_IT);
LIFE_PAIR(unpause_unpause, .setup = domain_paused, .state = pauses, .a = UNPAUSE_IT, .b = UNPAUSE_IT);
LIFE_PAIR(unpause_unpause_built, .setup = domain_built, .state = pauses, .a = UNPAUSE_IT, .b = UNPAUSE_IT);
LIFE_PAIR(pause_unpause_built, .setup = domain_built, .state = pauses, .a = PAUSE_IT, .b = UNPAUSE_IT);
/* One that shuts itself down does so at a time of its own. */
LIFE_PAIR(unpause_shutdown_pause, .setup = domain_ending, .a = UNPAUSE_IT, .b = PAUSE_IT,
	  ALSO(MAY(0, 0), MAY(0, -PV_ESTATE)));
LIFE_PAIR(unpause_shutdown_destroy, .setup = domain_ending, .a = UNPAUSE_IT, .b = DESTROY_IT, .state = domain_gone,
	  ALSO(MAY(-PV_EDEAD, 0)));

#define DYING_PAIR(name, before, what, ...) \
	LIFE_PAIR(name##_destroy, .setup = before, .state = domain_gone, .a = what, .b = DESTROY_IT, \
		  ALSO(MAY(-PV_EDEAD, 0)), ##__VA_ARGS__)

DYING_PAIR(pause, domain_spinning, PAUSE_IT);
DYING_PAIR(unpause, domain_paused, UNPAUSE_IT);
DYING_PAIR(unpause_built, domain_built, UNPAUSE_IT);
DYING_PAIR(status, domain_spinning, DO(DOM_CTL, STATUS, IT(DOM)));
DYING_PAIR(populate, domain_built, DO(MEM_CTL, POPULATE, IT(DOM), 40, 4));
DYING_PAIR(release, domain_built, DO(MEM_CTL, RELEASE, IT(DOM), 17, 2));
DYING_PAIR(copy_into, domain_built, DO(MEM_CTL, COPY, IT(DOM), 17, 1, PV_EXPLICIT_BASE >> PV_PAGE_SHIFT));
DYING_PAIR(map, domain_spinning, DO(AS_MAP, MAP, IT(DOM), 0x20000, 17, 2, RW));
DYING_PAIR(unmap, domain_spinning, DO(AS_MAP, UNMAP, IT(DOM), 0x10000, 0, 1));
DYING_PAIR(weight, domain_spinning, DO(SCHED_CTL, SET_WEIGHT, IT(DOM), 512));
DYING_PAIR(affinity, domain_spinning, DO(SCHED_CTL, SET_AFFINITY, IT(DOM), 1));
LIFE_PAIR(destroy_destroy, .setup = domain_spinning, .state = domain_gone, .a = DESTROY_IT, .b = DESTROY_IT,
	  ALSO(MAY(-PV_EDEAD, 0), MAY(0, -PV_EDEAD)));

/* ---- making them ---- */

static i64 make(void)
{
	struct pv_dom_create args = dom_defaults();
	i64 result;

	memcpy(this_abi_cpu()->vcs->batch, &args, sizeof(args));
	result = HC(DOM_CREATE, things[HANDLE]);
	return result;
}

static i64 make_and_end(void)
{
	i64 dom = make();

	return dom < 0 ? dom : dom_destroy((u64)dom);
}

static void host_copy(void)
{
	things[HANDLE] = TRY(OP(CAP_CTL, COPY, things[HOST], PV_SELF, PV_RIGHT_HOST_CREATE));
}

static void host_copy_and_domain(void)
{
	host_copy();
	domain_spinning();
}

static void make_clear(void)
{
	pair_drop(things[HANDLE]);
	domain_clear();
}

LIFE_PAIR(create_create, .setup = host_copy, .clear = make_clear, .a = RUN(make_and_end), .b = RUN(make_and_end));
LIFE_PAIR(create_destroy, .setup = host_copy_and_domain, .clear = make_clear, .state = domain_gone,
	  .a = RUN(make_and_end), .b = DESTROY_IT);
LIFE_PAIR(create_drop, .setup = host_copy, .clear = make_clear, .a = RUN(make_and_end), .b = DROP_IT);

/* ---- scheduling ---- */

static u64 spins_on(void)
{
	struct pv_dom_status before, now;
	u64 end = clock_ns() + 1500 * MS * PATIENCE;

	dom_status(things[DOM], &before);
	do {
		HC(WAIT, 0, clock_ns() + MS / 20);
		dom_status(things[DOM], &now);
	} while (now.run_ns == before.run_ns && clock_ns() < end);
	return now.run_ns != before.run_ns;
}

LIFE_PAIR(affinity_affinity, .setup = domain_spinning, .state = spins_on,
	  .a = DO(SCHED_CTL, SET_AFFINITY, IT(DOM), 1), .b = DO(SCHED_CTL, SET_AFFINITY, IT(DOM), 2));
LIFE_PAIR(affinity_unpause, .setup = domain_paused, .state = spins_on,
	  .a = DO(SCHED_CTL, SET_AFFINITY, IT(DOM), 2), .b = UNPAUSE_IT);
LIFE_PAIR(cap_weight, .setup = domain_spinning, .state = spins_on, .a = DO(SCHED_CTL, SET_CAP, IT(DOM), 50),
	  .b = DO(SCHED_CTL, SET_WEIGHT, IT(DOM), 1000));
