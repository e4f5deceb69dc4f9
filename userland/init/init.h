/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init.h - what the rooms of the root domain share: the table of guests and who does what.
 *
 *   main.c       checks the image, reads the options, starts everything, runs the event loop
 *   build.c      one domain from the manifest: creation, capabilities, console, first vCPU
 *   layout.c     where things lie in an explicit and in a walked domain; loading
 *   consoles.c   console rings joined with the console service, again when it is a new one
 *   links.c      virtio links between domains: made, connected, connected anew
 *   devices.c    PCI functions of domains: found, judged, given, silenced
 *   supervise.c  what happens when a domain stops: report, detach, destroy, restart, power off
 *   shell.c      the commands the console's shell sends
 *   ctl.c        the line protocol to the console service
 *   cycle.c      create/run/destroy over and over, with the kernel's counters compared
 *   kills.c      a domain ended at random moments, over and over
 *   seed.c       random bytes for domains
 */
#ifndef INIT_H
#define INIT_H

#include <stdbool.h>
#include <stdint.h>

#include <elfload.h>
#include <manifest.h>
#include <pv/libpv.h>

/*
 * Exit codes of the machine: a guest's own below EXIT_GUEST_MAX, these above it. When init cannot
 * start the system at all it says why and ends with PV_EXIT_INIT_FAILED.
 */
#define EXIT_GUEST_MAX 89  /* larger codes of a guest are shown as this */
#define EXIT_GUEST_FAULT 90 /* the domain asked for by exit-with was stopped by the kernel */
#define EXIT_GUEST_PANIC 91
#define EXIT_GUEST_HALT 92
#define EXIT_KILLED 93 /* destroyed from the shell */
#define EXIT_CYCLE 94  /* counters did not return to their start */
#define EXIT_BUILD 95  /* the domain asked for could not be started again */

enum guest_state {
	GUEST_NONE,	 /* no domain */
	GUEST_RUNNING,	 /* a domain, perhaps paused */
	GUEST_DETACHING, /* stopped; the console drains it */
};

struct outcome {
	uint32_t reason; /* PV_REASON_*; NONE: destroyed by command */
	uint64_t code;
	uint64_t detail;
	uint64_t rip;
};

struct guest {
	const struct pv_manifest_domain *spec;
	const char *cmdline;
	unsigned slot; /* digit at the console, 0 = no console */
	enum guest_state state;
	pv_handle_t dom;
	bool attached; /* the console knows it */
	pv_gfn_t console_gfn; /* its console ring, 0 = it has none */
	pv_port_t console_port;
	bool again;    /* to be started anew whatever its end */
	bool held;     /* not started at boot: the cycle test starts it */
	struct outcome outcome;
	pv_ns_t deadline; /* of detaching, of a delayed restart, of a cycle's run, of the next look whether
			   * it hangs; PV_FOREVER = none */
	pv_ns_t started;
	unsigned missed; /* looks in a row at which it had not answered */
	unsigned quick_restarts;
};

struct init {
	pv_handle_t host;
	struct pv_info_system system;
	struct mf_image image;
	struct mf_manifest manifest;
	struct guest guests[PV_MANIFEST_MAX_DOMAINS];
	unsigned count;
	struct guest *console;	 /* the domain that owns the serial line, or NULL */
	struct guest *exit_with; /* its end is the machine's end, or NULL */
	bool accounts;		 /* say what each has used when the machine ends */
	bool headless;		 /* power off when nothing is left to run */
};

extern struct init init;

/* main.c */
struct guest *guest_find(const char *name);
void fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* build.c: true and running, or false with the reason printed and nothing left behind. */
bool guest_build(struct guest *guest);
/* Destroys it and forgets the handle. */
void guest_destroy(struct guest *guest);

/* layout.c: fill memory and the start registers. NULL or what is wrong. */
struct built {
	struct pv_start_info info; /* handles, ports, console port filled in by build.c */
	struct pv_vcpu_gpr regs;
	pv_gfn_t info_gfn;
	struct elf_image elf;
	uint64_t heap_pages;
};
const char *layout_explicit(struct guest *guest, struct built *built);
const char *layout_walked(struct guest *guest, struct built *built);
const char *load_bytes(pv_handle_t dom, uint64_t gpa, const void *bytes, uint64_t len);

/* consoles.c */
const char *console_prepare(struct guest *guest, struct built *built); /* NULL or what is wrong */
const char *console_attach(struct guest *guest); /* likewise; nothing to do without a service */
void consoles_attach(void);			  /* all that run: the service is a new one */

/* links.c */
void links_setup(void);	   /* before the first domain is built; does not return on failure */
uint64_t links_pages(void); /* memory all of them take */
uint64_t links_window_pages(const struct guest *guest); /* what the front end's quota has on top */
const char *links_prepare(struct guest *guest, struct built *built); /* its ends; NULL or what is wrong */
void links_up(struct guest *guest);   /* it runs */
void links_down(struct guest *guest); /* it is about to be destroyed */
pv_ns_t links_deadline(void);	      /* when links_expire() wants to be called */
void links_expire(pv_ns_t now);
void links_ask(const struct guest *back);      /* to answer, over each link it serves */
bool links_answered(const struct guest *back); /* all it was told so far */
void links_list(void);

/* devices.c */
void devices_setup(void); /* before the first domain is built */
uint64_t devices_dma_pages(const struct guest *guest); /* what its quota has on top for DMA */
const char *devices_prepare(struct guest *guest, struct built *built); /* NULL or what is wrong */
void devices_fence(struct guest *guest); /* it does not run any more and is about to be destroyed */
void devices_list(void);

/* supervise.c */
void supervise_start(void);
void supervise_schedule(void); /* a deadline of some guest changed */
void guest_start(struct guest *guest);
void guest_kill(struct guest *guest); /* by command */
void guest_watch(struct guest *guest); /* it runs, or runs again: look later whether it hangs */
void guest_detached(struct guest *guest);
void machine_poweroff(unsigned code); /* after the console has written everything out */
void machine_flushed(void);
const char *outcome_text(const struct outcome *outcome, char *buf, size_t size);

/* shell.c */
void shell_command(char *line);

/* ctl.c */
bool ctl_prepare(struct guest *console, struct built *built);
void ctl_attach(struct guest *guest, pv_handle_t grant, pv_port_t port);
bool ctl_detach(struct guest *guest); /* false: there is no console to tell */
bool ctl_flush(void);		      /* likewise */
void ctl_lost(void);		      /* the console is gone */
void ctl_answer(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ctl_answer_end(void);
void ctl_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* cycle.c */
bool cycle_setup(const char *text, bool at_boot); /* NAME,COUNT[,MS] */
void cycle_begin(void);
bool cycle_active(void);
bool cycle_owns(const struct guest *guest);
void cycle_ended(struct guest *guest);

/* kills.c */
bool kills_setup(const char *text); /* NAME,COUNT,MAX_US[,SEED[,serving]] */
void kills_started(const struct guest *guest);
void kills_serves(const struct guest *guest); /* it has followed a link that is up */
pv_ns_t kills_deadline(void); /* when kills_expire() wants to be called */
void kills_expire(pv_ns_t now);

/* seed.c */
void seed_fill(uint8_t out[32]);

#endif
