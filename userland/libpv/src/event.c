/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event.c - takes pending events from the VCS and the port page and calls their handlers.
 *
 * Two levels, as the kernel sets them: port page bit, then port_sel bit, then pend[] vector. They are
 * taken in the opposite order, each with one exchange, so a send between two steps is never lost.
 * What a blocking wait takes but does not want is kept in `deferred` for the loop.
 */
#include <pv/libpv.h>
#include <stdlib.h>
#include <string.h>

struct handler {
	pv_event_fn fn;
	void *arg;
};

#define VEC_BIT(v) (1ull << ((v) % 64))
#define VEC_WORD (PV_VEC_PORTS / 64)

_Static_assert(PV_VEC_TIMER / 64 == VEC_WORD, "both vectors in one word of pend[]");

static struct handler *handlers; /* by port number */
static size_t nr_handlers;
static struct handler timer;
static int stopping;
static struct {
	uint64_t pend;
	uint64_t sel;
} deferred;

static struct pv_port_page *port_page(void)
{
	return (struct pv_port_page *)pv_start_info->port_page_addr;
}

int pv_event_bind(pv_port_t port, pv_event_fn fn, void *arg)
{
	if (port >= PV_MAX_PORTS)
		return -PV_ERANGE;
	if (port >= nr_handlers) {
		size_t want = (port + 32) & ~31ul;
		struct handler *grown = realloc(handlers, want * sizeof(*grown));

		if (!grown)
			return -PV_ENOMEM;
		memset(grown + nr_handlers, 0, (want - nr_handlers) * sizeof(*grown));
		handlers = grown;
		nr_handlers = want;
	}
	handlers[port] = (struct handler){ fn, arg };
	return 0;
}

void pv_event_unbind(pv_port_t port)
{
	if (port < nr_handlers)
		handlers[port].fn = NULL;
}

void pv_event_timer(pv_ns_t deadline, pv_event_fn fn, void *arg)
{
	timer = (struct handler){ deadline == PV_FOREVER ? NULL : fn, arg };
	pv_timer_set(deadline);
}

static void collect(void)
{
	struct pv_vcs *vcs = pv_vcs();
	uint64_t pend = __atomic_exchange_n(&vcs->pend[VEC_WORD], 0, __ATOMIC_ACQ_REL);

	deferred.pend |= pend;
	if (pend & VEC_BIT(PV_VEC_PORTS))
		deferred.sel |= __atomic_exchange_n(&vcs->port_sel, 0, __ATOMIC_ACQ_REL);
}

static unsigned dispatch_word(unsigned word)
{
	struct pv_port_page *page = port_page();
	uint64_t wanted = ~__atomic_load_n(&page->mask[word], __ATOMIC_RELAXED);
	uint64_t bits = __atomic_fetch_and(&page->pending[word], ~wanted, __ATOMIC_ACQ_REL) & wanted;
	unsigned called = 0;

	while (bits) {
		unsigned port = word * 64 + (unsigned)__builtin_ctzll(bits);

		bits &= bits - 1;
		if (port < nr_handlers && handlers[port].fn) {
			handlers[port].fn(port, handlers[port].arg);
			called++;
		}
	}
	return called;
}

static unsigned dispatch(void)
{
	unsigned called = 0;
	uint64_t pend, sel;

	collect();
	pend = deferred.pend;
	sel = deferred.sel;
	deferred.pend = 0;
	deferred.sel = 0;
	if ((pend & VEC_BIT(PV_VEC_TIMER)) && timer.fn) {
		struct handler now = timer;

		timer.fn = NULL;
		now.fn(0, now.arg);
		called++;
	}
	while (sel) {
		unsigned word = (unsigned)__builtin_ctzll(sel);

		sel &= sel - 1;
		called += dispatch_word(word);
	}
	return called;
}

unsigned pv_event_run_once(pv_ns_t deadline)
{
	unsigned called = dispatch();

	if (called || !deadline)
		return called;
	pv_wait(0, deadline);
	return dispatch();
}

void pv_event_loop(void)
{
	stopping = 0;
	while (!stopping)
		pv_event_run_once(PV_FOREVER);
}

void pv_event_stop(void)
{
	stopping = 1;
}

int pv_event_wait_port(pv_port_t port, pv_ns_t deadline)
{
	uint64_t *word = &port_page()->pending[port / 64];
	uint64_t bit = 1ull << (port % 64);

	for (;;) {
		collect();
		if (__atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL) & bit)
			return 1;
		if (pv_wait(0, deadline) == 1)
			return 0;
	}
}

void pv_sleep_until(pv_ns_t deadline)
{
	do {
		collect();
	} while (pv_wait(0, deadline) == 0 && pv_clock_ns() < deadline);
}
