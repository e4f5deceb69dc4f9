/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supervise.c - what happens when a domain stops.
 *
 *   RUNNING --stopped or killed--> DETACHING --console has drained it, or a second passed--> NONE
 *
 * Its frames stay until the console has read the last of its output; then it is destroyed and its
 * on_exit decides: nothing, a new start, or the end of the machine. A guest that asked for a reboot
 * is started anew whatever on_exit says, unless its end is the machine's end.
 *
 * A back end with a watchdog is asked over its links whether it still follows them; one that does not
 * answer in time is stopped as if it had crashed.
 */
#include "init.h"

#include <stdio.h>
#include <string.h>

#define DETACH_TIMEOUT (1 * PV_NSEC_PER_SEC)
#define FLUSH_TIMEOUT (2 * PV_NSEC_PER_SEC)
#define QUICK_END (10 * PV_NSEC_PER_SEC) /* a domain that ran shorter is restarted with a delay */
#define RESTART_DELAY (1 * PV_NSEC_PER_SEC)
#define REASON_HUNG (~0u) /* of an outcome, beside PV_REASON_* */
#define LOOKS 2u /* in the time of a watchdog: one alone might follow a stall of the whole machine */

static struct {
	bool pending;
	unsigned code;
	pv_ns_t deadline;
} poweroff = { .deadline = PV_FOREVER };

static unsigned idle_code; /* first bad end, for a headless machine that runs out of domains */

static const char *vector_name(uint64_t vector)
{
	static const char *const names[] = {
		"divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode",
		"no FPU", "double fault", "FPU overrun", "invalid TSS", "segment not present",
		"stack fault", "general protection", "page fault", "reserved", "FPU error",
		"alignment", "machine check", "SIMD error",
	};

	return vector < sizeof(names) / sizeof(names[0]) ? names[vector] : "exception";
}

const char *outcome_text(const struct outcome *o, char *buf, size_t size)
{
	unsigned long long code = o->code, detail = o->detail, rip = o->rip;

	switch (o->reason) {
	case PV_REASON_NONE:
		snprintf(buf, size, "destroyed");
		break;
	case PV_REASON_POWEROFF:
		snprintf(buf, size, code ? "powered off, code %llu" : "powered off", code);
		break;
	case PV_REASON_REBOOT:
		snprintf(buf, size, "asked for a reboot");
		break;
	case PV_REASON_PANIC:
		snprintf(buf, size, "panic, code %llu", code);
		break;
	case PV_REASON_HALT:
		snprintf(buf, size, "halted");
		break;
	case PV_REASON_FAULT:
		snprintf(buf, size, "fault: vector %llu (%s) at address %#llx, rip %#llx", code,
			 vector_name(code), detail, rip);
		break;
	case PV_REASON_DOUBLE_FAULT:
		snprintf(buf, size, "double fault: vector %llu (%s) at address %#llx, rip %#llx",
			 code, vector_name(code), detail, rip);
		break;
	case REASON_HUNG:
		snprintf(buf, size, "hung: it answered nothing for %llu s", detail);
		break;
	case PV_REASON_KMEM:
		snprintf(buf, size, "its kernel memory is exhausted: raise kmem (rip %#llx)", rip);
		break;
	default:
		snprintf(buf, size, "reason %u, code %llu", o->reason, code);
	}
	return buf;
}

static unsigned exit_code(const struct outcome *o)
{
	switch (o->reason) {
	case PV_REASON_NONE:
		return EXIT_KILLED;
	case PV_REASON_POWEROFF:
		return o->code < EXIT_GUEST_MAX ? (unsigned)o->code : EXIT_GUEST_MAX;
	case PV_REASON_REBOOT:
		return 0;
	case PV_REASON_PANIC:
		return EXIT_GUEST_PANIC;
	case PV_REASON_HALT:
		return EXIT_GUEST_HALT;
	default:
		return EXIT_GUEST_FAULT;
	}
}

/* What the kernel has on its account: its vCPUs' time, and the memory of the kernel's own it takes. */
static void print_account(const struct guest *guest)
{
	struct pv_dom_status s;

	if (pv_dom_status(guest->dom, &s) >= 0)
		printf("%s ran %llu ms and waited %llu ms for a processor; %llu of %llu KiB of kmem\n",
		       (const char *)guest->spec->name,
		       (unsigned long long)(s.run_ns / PV_NSEC_PER_MSEC),
		       (unsigned long long)(s.steal_ns / PV_NSEC_PER_MSEC),
		       (unsigned long long)s.kmem_used * 4, (unsigned long long)s.kmem_quota * 4);
}

/* ---- the end of the machine ---- */

void machine_flushed(void)
{
	if (!poweroff.pending)
		return;
	pv_host_poweroff(init.host, PV_EXIT_BASE + poweroff.code);
}

void machine_poweroff(unsigned code)
{
	if (poweroff.pending)
		return;
	for (unsigned i = 0; init.accounts && i < init.count; i++)
		if (init.guests[i].state == GUEST_RUNNING)
			print_account(&init.guests[i]);
	fflush(stdout);
	poweroff.pending = true;
	poweroff.code = code;
	poweroff.deadline = pv_clock_ns() + FLUSH_TIMEOUT;
	if (!ctl_flush())
		machine_flushed();
	supervise_schedule();
}

static bool anything_left(void)
{
	for (unsigned i = 0; i < init.count; i++) {
		const struct guest *guest = &init.guests[i];

		if (guest != init.console &&
		    (guest->state != GUEST_NONE || guest->deadline != PV_FOREVER))
			return true;
	}
	return false;
}

/* ---- the end of a domain ---- */

static void restart(struct guest *guest)
{
	pv_ns_t now = pv_clock_ns(), quick = QUICK_END;

	if (guest->outcome.reason == REASON_HUNG)
		quick += 2 * guest->outcome.detail * PV_NSEC_PER_SEC; /* what it takes to notice */
	if (now - guest->started > quick)
		guest->quick_restarts = 0;
	else if (++guest->quick_restarts > guest->spec->restarts) {
		printf("%s: not started again: %u ends within %llu s of their start\n",
		       (const char *)guest->spec->name, guest->quick_restarts,
		       quick / PV_NSEC_PER_SEC);
		return;
	}
	guest->deadline = now + (guest->quick_restarts > 1 ? RESTART_DELAY : 0);
	supervise_schedule();
}

static void finish(struct guest *guest)
{
	const struct outcome *o = &guest->outcome;

	guest_destroy(guest);
	guest->deadline = PV_FOREVER;
	if (cycle_owns(guest)) {
		cycle_ended(guest);
		return;
	}
	if (guest->again) {
		guest->again = false;
		guest->deadline = pv_clock_ns();
		supervise_schedule();
		return;
	}
	if (!idle_code)
		idle_code = exit_code(o);
	if (guest == init.exit_with || guest->spec->on_exit == PV_ON_EXIT_SHUTDOWN)
		machine_poweroff(exit_code(o));
	else if (o->reason == PV_REASON_REBOOT ||
		 (o->reason != PV_REASON_NONE && guest->spec->on_exit == PV_ON_EXIT_RESTART))
		restart(guest);
	if (init.headless && !init.exit_with && !anything_left())
		machine_poweroff(idle_code);
}

void guest_detached(struct guest *guest)
{
	if (guest->state == GUEST_DETACHING)
		finish(guest);
}

static void stopped(struct guest *guest)
{
	char text[160];

	guest->state = GUEST_DETACHING;
	if (guest == init.console)
		ctl_lost();
	if (!cycle_owns(guest) || exit_code(&guest->outcome)) {
		outcome_text(&guest->outcome, text, sizeof(text));
		printf("%s stopped: %s\n", (const char *)guest->spec->name, text);
		print_account(guest);
		ctl_notice("%s stopped: %s", (const char *)guest->spec->name, text);
	}
	guest->deadline = pv_clock_ns() + DETACH_TIMEOUT;
	if (ctl_detach(guest))
		supervise_schedule();
	else
		finish(guest);
}

void guest_kill(struct guest *guest)
{
	pv_dom_pause(guest->dom);
	guest->outcome = (struct outcome){ .reason = PV_REASON_NONE };
	stopped(guest);
}

void guest_start(struct guest *guest)
{
	guest->deadline = PV_FOREVER;
	if (!guest_build(guest) && guest == init.exit_with)
		machine_poweroff(EXIT_BUILD);
}

/* ---- back ends that hang ---- */

void guest_watch(struct guest *guest)
{
	pv_ns_t patience = cycle_owns(guest) ? 0 : guest->spec->watchdog_s * PV_NSEC_PER_SEC;

	guest->missed = 0;
	guest->deadline = patience ? pv_clock_ns() + patience / LOOKS : PV_FOREVER;
	supervise_schedule();
}

static void look(struct guest *guest)
{
	unsigned missed = guest->missed;
	struct pv_dom_status status;

	guest_watch(guest);
	if (pv_dom_status(guest->dom, &status) < 0 || status.state != PV_DOM_RUNNING)
		return;
	if (links_answered(guest)) {
		links_ask(guest);
		return;
	}
	guest->missed = missed + 1;
	if (guest->missed < LOOKS)
		return;
	pv_dom_pause(guest->dom);
	guest->outcome = (struct outcome){ .reason = REASON_HUNG, .detail = guest->spec->watchdog_s };
	stopped(guest);
}

/* ---- events ---- */

static void on_child(pv_port_t port, void *arg)
{
	(void)port;
	(void)arg;
	for (unsigned i = 0; i < init.count; i++) {
		struct guest *guest = &init.guests[i];
		struct pv_dom_status status;

		if (guest->state != GUEST_RUNNING || pv_dom_status(guest->dom, &status) < 0 ||
		    status.state != PV_DOM_SHUTDOWN)
			continue;
		guest->outcome = (struct outcome){ status.reason, status.code, status.detail,
						   status.fault_rip };
		stopped(guest);
	}
}

static void expired(struct guest *guest)
{
	guest->deadline = PV_FOREVER;
	if (guest->state == GUEST_DETACHING) {
		printf("%s: the console did not let go of it in time\n",
		       (const char *)guest->spec->name);
		finish(guest);
	} else if (guest->state == GUEST_NONE) {
		guest_start(guest);
	} else if (cycle_owns(guest)) {
		guest_kill(guest);
	} else {
		look(guest);
	}
}

static void on_timer(pv_port_t port, void *arg)
{
	pv_ns_t now = pv_clock_ns();

	(void)port;
	(void)arg;
	if (poweroff.deadline <= now)
		machine_flushed();
	for (unsigned i = 0; i < init.count; i++)
		if (init.guests[i].deadline <= now)
			expired(&init.guests[i]);
	links_expire(now);
	kills_expire(now);
	supervise_schedule();
}

void supervise_schedule(void)
{
	pv_ns_t next = links_deadline();

	if (kills_deadline() < next)
		next = kills_deadline();
	if (poweroff.deadline < next)
		next = poweroff.deadline;
	for (unsigned i = 0; i < init.count; i++)
		if (init.guests[i].deadline < next)
			next = init.guests[i].deadline;
	pv_event_timer(next, on_timer, NULL);
}

void supervise_start(void)
{
	int64_t port = pv_port_alloc(PV_SELF);

	if (port < 0 || pv_port_bind_virq((pv_port_t)port, PV_VIRQ_CHILD, 0) < 0 ||
	    pv_event_bind((pv_port_t)port, on_child, NULL) < 0)
		fatal("the end of domains cannot be watched");
}
