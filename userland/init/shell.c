/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shell.c - the commands of the console's shell that need init: everything about domains.
 * One line in, lines of answer and an end mark out.
 */
#include "init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
	const char *name;
	const char *args;
	const char *help;
	void (*run)(struct guest *guest, char *args);
	bool needs_guest;
};

typedef unsigned long long ull;

static const char *state_name(const struct guest *guest, const struct pv_dom_status *status)
{
	static const char *const names[] = { "built", "running", "paused", "stopped", "dying" };

	if (guest->state == GUEST_NONE)
		return guest->deadline == PV_FOREVER ? "-" : "restarting";
	return status->state < 5 ? names[status->state] : "?";
}

static void cmd_list(struct guest *unused, char *args)
{
	(void)unused;
	(void)args;
	ctl_answer("key name             kind    state      vcpus   mem KiB  cpu ms");
	for (unsigned i = 0; i < init.count; i++) {
		struct guest *guest = &init.guests[i];
		struct pv_dom_status status = { .state = PV_DOM_DYING };

		if (guest->state != GUEST_NONE)
			pv_dom_status(guest->dom, &status);
		ctl_answer(" %c  %-16.31s %-7s %-10s %5u %9llu %7llu",
			   guest->slot && guest->slot < 10 ? (char)('0' + guest->slot) : ' ',
			   (const char *)guest->spec->name,
			   guest->spec->kind == PV_KIND_WALKED ? "linux" : "newlib",
			   state_name(guest, &status), guest->spec->vcpus,
			   (ull)guest->spec->mem_pages * 4,
			   (ull)(status.run_ns / PV_NSEC_PER_MSEC));
	}
}

static void answer_result(const char *what, int64_t r)
{
	if (r < 0)
		ctl_answer("%s: %s", what, pv_strerror(r));
}

static bool running(struct guest *guest)
{
	if (guest->state == GUEST_RUNNING)
		return true;
	ctl_answer("%s is not running", (const char *)guest->spec->name);
	return false;
}

static void cmd_pause(struct guest *guest, char *args)
{
	(void)args;
	if (guest == init.console)
		ctl_answer("that is the one you are talking to");
	else if (running(guest))
		answer_result("pause", pv_dom_pause(guest->dom));
}

static void cmd_unpause(struct guest *guest, char *args)
{
	(void)args;
	if (!running(guest))
		return;
	answer_result("unpause", pv_dom_unpause(guest->dom));
	guest_watch(guest);
}

static void cmd_destroy(struct guest *guest, char *args)
{
	(void)args;
	if (guest == init.console)
		ctl_answer("that is the one you are talking to");
	else if (guest->state == GUEST_NONE)
		guest->deadline = PV_FOREVER; /* forget a delayed restart */
	else if (running(guest))
		guest_kill(guest);
}

static void cmd_create(struct guest *guest, char *args)
{
	(void)args;
	if (guest->state != GUEST_NONE) {
		ctl_answer("%s is there already", (const char *)guest->spec->name);
		return;
	}
	guest->quick_restarts = 0;
	guest_start(guest);
	if (guest->state == GUEST_NONE)
		ctl_answer("%s could not be created: see the log",
			   (const char *)guest->spec->name);
}

static void guest_stats(struct guest *guest)
{
	struct pv_dom_status s;

	if (!running(guest) || pv_dom_status(guest->dom, &s) < 0)
		return;
	ctl_answer("frames %llu of %llu   kmem pages %llu of %llu   vcpus %u   weight %u   cap %u%%",
		   (ull)s.mem_used, (ull)s.mem_quota, (ull)s.kmem_used, (ull)s.kmem_quota, s.vcpus,
		   s.weight, s.cap);
	ctl_answer("cpu %llu ms   stolen %llu ms   hypercalls %llu   page faults %llu   fills %llu",
		   (ull)(s.run_ns / PV_NSEC_PER_MSEC), (ull)(s.steal_ns / PV_NSEC_PER_MSEC),
		   (ull)s.hypercalls, (ull)s.faults, (ull)s.fills);
	if (s.audit_findings)
		ctl_answer("vTLB audit findings %u", s.audit_findings);
}

static void machine_stats(void)
{
	struct pv_counters c;

	if (pv_info_counters(init.host, &c) < 0)
		return;
	ctl_answer("frames %llu   free %llu   limbo %llu   kmem pages %llu   tables %llu",
		   (ull)c.frames_total, (ull)c.frames_free, (ull)c.frames_limbo, (ull)c.kmem_pages,
		   (ull)c.tables);
	ctl_answer("domains %llu   vcpus %llu   aspaces %llu   ports %llu   grants %llu (%llu frames)   "
		   "caps %llu",
		   (ull)c.domains, (ull)c.vcpus, (ull)c.aspaces, (ull)c.ports, (ull)c.grants,
		   (ull)c.grant_maps, (ull)c.caps);
	ctl_answer("hypercalls %llu   page faults %llu   fills %llu   injections %llu   emulated %llu",
		   (ull)c.hypercalls, (ull)c.page_faults, (ull)c.fills, (ull)c.injections,
		   (ull)c.emulated);
	ctl_answer("switches %llu   root loads %llu   flushes %llu   shootdowns %llu   irqs %llu",
		   (ull)c.switches, (ull)c.root_loads, (ull)c.flushes, (ull)c.shootdowns,
		   (ull)c.irqs);
	ctl_answer("audit checks %llu   findings %llu   reclaims %llu   port sends %llu   timers %llu",
		   (ull)c.audit_checks, (ull)c.audit_findings, (ull)c.reclaims, (ull)c.port_sends,
		   (ull)c.timer_fires);
}

static void cmd_stats(struct guest *unused, char *args)
{
	struct guest *guest;

	(void)unused;
	if (!*args) {
		machine_stats();
		return;
	}
	guest = guest_find(args);
	if (guest)
		guest_stats(guest);
	else
		ctl_answer("there is no domain '%s'", args);
}

/* As after a crash, but at once and whatever on_exit says. */
static void cmd_restart(struct guest *guest, char *args)
{
	(void)args;
	if (guest->state != GUEST_RUNNING) {
		ctl_answer("%s is not running", (const char *)guest->spec->name);
		return;
	}
	guest->again = true;
	guest_kill(guest);
}

static void cmd_links(struct guest *unused, char *args)
{
	(void)unused;
	(void)args;
	links_list();
}

static void cmd_devices(struct guest *unused, char *args)
{
	(void)unused;
	(void)args;
	devices_list();
}

static void cmd_cycle(struct guest *unused, char *args)
{
	(void)unused;
	if (cycle_setup(args, false))
		cycle_begin();
	else
		ctl_answer("cycle NAME,COUNT[,MILLISECONDS]: the domain must exist and not run");
}

static void cmd_poweroff(struct guest *unused, char *args)
{
	(void)unused;
	machine_poweroff((unsigned)strtoul(args, NULL, 10) % (EXIT_GUEST_MAX + 1));
}

static void cmd_help(struct guest *unused, char *args);

static const struct command commands[] = {
	{ "list", "", "the domains", cmd_list, false },
	{ "pause", "NAME", "stop running it for now", cmd_pause, true },
	{ "unpause", "NAME", "go on", cmd_unpause, true },
	{ "destroy", "NAME", "end it and free everything", cmd_destroy, true },
	{ "create", "NAME", "start it as the manifest says", cmd_create, true },
	{ "restart", "NAME", "end it and start it anew", cmd_restart, true },
	{ "links", "", "the links between domains", cmd_links, false },
	{ "devices", "", "the PCI functions and whose they are", cmd_devices, false },
	{ "stats", "[NAME]", "counters of the machine or of a domain", cmd_stats, false },
	{ "cycle", "NAME,N[,MS]", "create and destroy N times, compare counters", cmd_cycle, false },
	{ "poweroff", "[CODE]", "switch the machine off", cmd_poweroff, false },
	{ "help", "", "this list", cmd_help, false },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void cmd_help(struct guest *unused, char *args)
{
	(void)unused;
	(void)args;
	for (unsigned i = 0; i < NR_COMMANDS; i++)
		ctl_answer("%-9s %-12s %s", commands[i].name, commands[i].args, commands[i].help);
	ctl_answer("%-9s %-12s %s", "log", "", "the kernel log");
}

static void run(const struct command *command, char *args)
{
	struct guest *guest = NULL;

	if (command->needs_guest) {
		guest = guest_find(args);
		if (!guest) {
			ctl_answer(*args ? "there is no domain '%s'" : "of which domain?%s", args);
			return;
		}
	}
	command->run(guest, args);
}

void shell_command(char *line)
{
	char *args = line + strcspn(line, " ");
	unsigned i;

	if (*args)
		*args++ = 0;
	args += strspn(args, " ");
	args[strcspn(args, " ")] = 0;
	for (i = 0; i < NR_COMMANDS && strcmp(line, commands[i].name); i++)
		;
	if (i < NR_COMMANDS)
		run(&commands[i], args);
	else
		ctl_answer("there is no command '%s'; try help", line);
	ctl_answer_end();
}
