/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/event.h - the event loop of a service: handlers for ports and one timer, called in turn from
 * pv_event_loop(). Nothing is ever interrupted, so handlers need no locks. vCPU 0 only.
 */
#ifndef PV_EVENT_H
#define PV_EVENT_H

#include <pv/call.h>

typedef void (*pv_event_fn)(pv_port_t port, void *arg);

/* Calls fn(port, arg) whenever the port has become pending. 0, -PV_ERANGE or -PV_ENOMEM. */
int pv_event_bind(pv_port_t port, pv_event_fn fn, void *arg);
void pv_event_unbind(pv_port_t port);

/* Calls fn(0, arg) once when system time reaches deadline; PV_FOREVER: no more. One timer. */
void pv_event_timer(pv_ns_t deadline, pv_event_fn fn, void *arg);

/* Dispatches what is pending; waits for something until deadline (0 = does not wait) if nothing is.
 * Returns how many handlers were called. */
unsigned pv_event_run_once(pv_ns_t deadline);

/* Dispatches until pv_event_stop(). */
void pv_event_loop(void);
void pv_event_stop(void);

/* Waits until this port is pending (then clears it) or until deadline, leaving every other event for
 * the loop. Returns 1 if the port was pending. For blocking I/O below stdio and for tests. */
int pv_event_wait_port(pv_port_t port, pv_ns_t deadline);

/* Sleeps; events are kept for the loop. */
void pv_sleep_until(pv_ns_t deadline);

#endif
