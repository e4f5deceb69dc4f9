/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the root domain: checks the sealed image, starts what its manifest lists, then supervises.
 *
 * Options on the kernel's command line:
 *   exit-with=NAME     the end of this domain is the end of the machine, with its exit code
 *   accounts           at the end of the machine, what each domain that still runs has used
 *   headless           plain log instead of a terminal; power off when no domain is left
 *   cycle=NAME,N[,MS]  see cycle.c
 *   view=NAME          which console is shown first (read by the console service)
 */
#include "init.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct init init;

static char console_cmdline[PV_CMDLINE_MAX];

void fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("cannot go on: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	pv_host_poweroff(init.host, PV_EXIT_INIT_FAILED);
	pv_dom_shutdown(PV_REASON_PANIC, PV_EXIT_INIT_FAILED);
}

struct guest *guest_find(const char *name)
{
	for (unsigned i = 0; i < init.count; i++)
		if (!strcmp((const char *)init.guests[i].spec->name, name))
			return &init.guests[i];
	return NULL;
}

static void check_image(void)
{
	char text[160];
	struct mf_error err;
	bool good;

	if (!pv_start_info->initrd_addr)
		fatal("the kernel handed over no boot image");
	good = mf_image_open(&init.image, (const void *)pv_start_info->initrd_addr,
			     pv_start_info->initrd_size, &err);
	for (uint32_t i = 0; good && i < init.image.count; i++)
		good = mf_image_verify(&init.image, i, &err);
	good = good && mf_manifest_open(&init.manifest, &init.image, &err);
	if (!good)
		fatal("%s", mf_error_text(&err, text, sizeof(text)));
}

static void check_memory(void)
{
	struct pv_dom_status status;
	uint64_t needs, has = 0;

	needs = links_pages();
	for (unsigned i = 0; i < init.count; i++)
		needs += init.guests[i].spec->mem_pages + init.guests[i].spec->kmem_pages +
			 devices_dma_pages(&init.guests[i]);
	if (pv_dom_status(PV_SELF, &status) == 0 && status.mem_quota > status.mem_used)
		has = status.mem_quota - status.mem_used;
	if (needs > has)
		fatal("not enough memory: the domains of '%s' need %llu KiB, the machine has %llu KiB left",
		      (const char *)init.manifest.header->name, (unsigned long long)needs * 4,
		      (unsigned long long)has * 4);
}

static void list_guests(void)
{
	unsigned slot = 0;

	init.count = init.manifest.count;
	for (unsigned i = 0; i < init.count; i++) {
		struct guest *guest = &init.guests[i];

		guest->spec = &init.manifest.domains[i];
		guest->cmdline = mf_manifest_cmdline(&init.manifest, i);
		guest->deadline = PV_FOREVER;
		if (guest->spec->flags & PV_MDOM_UART)
			init.console = guest;
		else if (guest->spec->flags & PV_MDOM_CONSOLE)
			guest->slot = ++slot;
	}
}

static void read_options(void)
{
	char name[64];

	init.headless = pv_cmdline_has("headless");
	init.accounts = pv_cmdline_has("accounts");
	if (pv_cmdline_get("exit-with", name, sizeof(name))) {
		init.exit_with = guest_find(name);
		if (!init.exit_with)
			fatal("exit-with: there is no domain '%s'", name);
	}
	if (pv_cmdline_get("cycle", name, sizeof(name)) && !cycle_setup(name, true))
		fatal("cycle=%s: want NAME,COUNT[,MILLISECONDS]", name);
	if (pv_cmdline_get("kills", name, sizeof(name)) && !kills_setup(name))
		fatal("kills=%s: want NAME,COUNT,MICROSECONDS[,SEED[,serving]]", name);
	/* the console service reads its own options from the kernel's command line too */
	if (init.console) {
		snprintf(console_cmdline, sizeof(console_cmdline), "%s %s", init.console->cmdline,
			 pv_cmdline());
		init.console->cmdline = console_cmdline;
	}
}

static unsigned start_guests(void)
{
	unsigned started = 0;

	if (init.console && !guest_build(init.console))
		fatal("no console service");
	for (unsigned i = 0; i < init.count; i++) {
		struct guest *guest = &init.guests[i];

		if (guest == init.console || guest->held)
			continue;
		if (guest_build(guest))
			started++;
		else if (guest == init.exit_with)
			fatal("%s did not start", (const char *)guest->spec->name);
	}
	return started;
}

int main(void)
{
	unsigned started;

	init.host = pv_start_info->host_handle;
	setvbuf(stdout, NULL, _IOLBF, 512);
	pv_info_system(&init.system);
	check_image();
	list_guests();
	read_options();
	check_memory();
	links_setup();
	devices_setup();
	supervise_start();
	started = start_guests();
	printf("%u of %u domains of '%s' run\n", started, init.count - (init.console ? 1 : 0),
	       (const char *)init.manifest.header->name);
	if (!started && init.headless && !cycle_active())
		fatal("no domain could be started");
	cycle_begin();
	pv_event_loop();
	return 0;
}
