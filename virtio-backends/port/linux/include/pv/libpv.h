/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/libpv.h - of libpv what a back end uses, for a process of a Linux driver VM.
 *
 * The files of port/newlib/ that follow links are compiled against this: the process is one domain's
 * back end like any other. What a newlib domain does by hypercall goes to /dev/ringfence-back
 * (guest-patches), errors come back as the same numbers. The process needs root's right to that file
 * and nothing else of the hypervisor.
 */
#ifndef PV_LIBPV_H
#define PV_LIBPV_H

#include <pv/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t pv_handle_t;
typedef uint64_t pv_port_t;
typedef uint64_t pv_ns_t; /* CLOCK_MONOTONIC */

#define PV_PAGE_SIZE (1ul << PV_PAGE_SHIFT)

/* Of it links[] and link_count, back ends only, device_count and seed. */
extern const struct pv_start_info *pv_start_info;

const char *pv_strerror(int64_t result);
pv_ns_t pv_clock_ns(void);
void pv_yield(void);

struct pv_grant_piece {
	pv_handle_t grant;
	uint64_t pages;
	int writable;
};

int64_t pv_grant_attach(pv_handle_t grant, uint64_t n, int writable, void **addr);
int64_t pv_grant_attach_pieces(const struct pv_grant_piece *pieces, unsigned count, void **addr);
int64_t pv_grant_detach(void *addr, uint64_t n);
int64_t pv_cap_drop(pv_handle_t handle);
int64_t pv_port_send(pv_port_t port);
int64_t pv_port_close(pv_port_t port);

typedef void (*pv_event_fn)(pv_port_t port, void *arg);

int pv_event_bind(pv_port_t port, pv_event_fn fn, void *arg);
void pv_event_unbind(pv_port_t port);
unsigned pv_event_run_once(pv_ns_t deadline);

/* Calls fn(0, arg) when the event file descriptor has been written to; one of them. */
void pv_event_file(int fd, pv_event_fn fn, void *arg);

#endif
