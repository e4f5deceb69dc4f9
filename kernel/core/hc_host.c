// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_host.c - the machine: HOST_CTL, and CONSOLE_WRITE, a domain's line in the kernel log.
 */
#include "hypercall.h"

#include "arch.h"
#include "bits.h"
#include "cap.h"
#include "console.h"
#include "fail.h"
#include "irq.h"
#include "log.h"
#include "race.h"
#include "string.h"
#include "trace.h"
#include "vcpu.h"

#define MAX_EXIT_CODE 127
#define LOG_READ_MAX (sizeof(((struct pv_vcs *)0)->batch) - sizeof(u64))
#define BATCH_SIZE sizeof(((struct pv_vcs *)0)->batch)
#define MAX_PORT_RANGE 64
#define UART_SPAN 8

i64 hc_console_write(struct vcpu *v, const struct hc_args *args)
{
	u64 len = args->a0;
	char text[CONSOLE_PORTION];
	void __guest *batch = vcpu_batch(v);

	if (!len || len > PV_CONSOLE_MAX)
		return -PV_EINVAL;
	if (!batch)
		return -PV_ESTATE;
	len = MIN(len, sizeof(text));
	guest_read(text, batch, len);
	len = console_portion(text, len);
	if (!console_take_tokens(v->dom, len, clock_now_ns()))
		return -PV_EAGAIN;
	console_write(v->dom, text, len);
	console_notify();
	return (i64)len;
}

/* ---- HOST_CTL ---- */

static u32 right_for(u64 op)
{
	static const u32 rights[] = {
		[PV_HOST_CTL_POWEROFF] = PV_RIGHT_HOST_POWER,
		[PV_HOST_CTL_REBOOT] = PV_RIGHT_HOST_POWER,
		[PV_HOST_CTL_LOG_READ] = PV_RIGHT_HOST_LOG,
		[PV_HOST_CTL_IRQ_CAP] = PV_RIGHT_HOST_DEV,
		[PV_HOST_CTL_IOPORTS] = PV_RIGHT_HOST_DEV,
		[PV_HOST_CTL_TRACE_READ] = PV_RIGHT_HOST_TRACE,
		[PV_HOST_CTL_LOG_WRITE] = PV_RIGHT_HOST_LOG,
	};

	return rights[op];
}

/* Everything that can be said about the arguments alone. */
static int host_check(u64 op, u64 a, u64 b, u64 c)
{
	switch (op) {
	case PV_HOST_CTL_POWEROFF:
		return a > MAX_EXIT_CODE ? -PV_ERANGE : 0;
	case PV_HOST_CTL_LOG_READ:
		if (!b)
			return -PV_EINVAL;
		return b > LOG_READ_MAX ? -PV_ERANGE : 0;
	case PV_HOST_CTL_IRQ_CAP:
		return irq_line_exists(a) ? 0 : -PV_ERANGE;
	case PV_HOST_CTL_IOPORTS:
		if (!c)
			return -PV_EINVAL;
		return b > 0xffff || c > MAX_PORT_RANGE || b + c > 0x10000 ? -PV_ERANGE : 0;
	case PV_HOST_CTL_TRACE_READ:
		return a >= nr_cpus ? -PV_ERANGE : 0;
	case PV_HOST_CTL_LOG_WRITE:
		if (!a)
			return -PV_EINVAL;
		return a > BATCH_SIZE ? -PV_ERANGE : 0;
	}
	return 0;
}

static void __noreturn power_off(const struct domain *dom, u64 code)
{
	log_queue(false);
	log_info("power off asked by %s, code %lu\n", dom->name, code);
	RACE_REPORT();
	arch_debug_exit((u32)code);
	arch_poweroff();
}

static void __noreturn reboot(const struct domain *dom)
{
	log_queue(false);
	log_info("reboot asked by %s\n", dom->name);
	arch_reboot();
}

static i64 read_log(struct vcpu *v, u64 pos, u64 n)
{
	u8 __guest *batch = vcpu_batch(v);

	if (!batch)
		return -PV_ESTATE;
	n = log_read(&pos, (char __own *)batch + sizeof(pos), n);
	guest_write(batch, &pos, sizeof(pos));
	return (i64)n;
}

static i64 write_log(struct vcpu *v, u64 n)
{
	char text[BATCH_SIZE];
	void __guest *batch = vcpu_batch(v);

	if (!batch)
		return -PV_ESTATE;
	guest_read(text, batch, n);
	log_write(text, n);
	console_notify();
	return (i64)n;
}

static i64 read_trace(struct vcpu *v, u64 cpu)
{
	void __guest *batch = vcpu_batch(v);

	if (!batch)
		return -PV_ESTATE;
	return (i64)trace_read((u32)cpu, (void __own *)batch, BATCH_SIZE / sizeof(struct trace_entry));
}

static i64 make_irq_cap(struct domain *dom, u64 line)
{
	struct cap cap = { .type = PV_CAP_IRQ, .rights = PV_RIGHT_IRQ_BIND };
	i64 key = irq_claim(line);

	if (key < 0)
		return key;
	cap.index = (u32)key;
	return cap_insert(dom, &cap);
}

/* ---- I/O ports ---- */

static bool overlaps(const struct io_range *r, u64 first, u64 count)
{
	return first < (u64)r->first + r->count && r->first < first + count;
}

static bool ports_taken_locked(const struct domain *except, u64 first, u64 count)
{
	for (u32 i = ROOT_SLOT; i < MAX_DOMAINS; i++) {
		const struct domain *dom = domains[i];

		if (!dom || dom == except)
			continue;
		for (u32 r = 0; r < ARRAY_SIZE(dom->ioports); r++)
			if (overlaps(&dom->ioports[r], first, count))
				return true;
	}
	return false;
}

/* domain_table_lock guards every domain's ranges: they exclude each other. */
static int give_ports(struct domain *dom, u64 first, u64 count)
{
	int err = -PV_ENOSPC;

	spin_lock(&domain_table_lock);
	if (domain_is_dying(dom)) {
		err = -PV_EDEAD;
	} else if (ports_taken_locked(dom, first, count)) {
		err = -PV_EBUSY;
	} else if (!FAIL_POINT(PV_ENOSPC)) {
		for (u32 r = 0; r < ARRAY_SIZE(dom->ioports) && err; r++) {
			if (dom->ioports[r].count)
				continue;
			dom->ioports[r] = (struct io_range){ (u16)first, (u16)count };
			err = 0;
		}
	}
	spin_unlock(&domain_table_lock);
	return err;
}

static i64 assign_ports(struct vcpu *v, u64 handle, u64 first, u64 count)
{
	const struct io_range uart = { arch_uart_port(), UART_SPAN };
	const struct io_range pci = { ARCH_PCI_PORT, ARCH_PCI_PORTS };
	struct domain *dom;
	int err = cap_domain(v->dom, handle, PV_RIGHT_DOM_CTL, &dom);

	if (err)
		return err;
	if (overlaps(&pci, first, count))
		return -PV_EBUSY;
	err = give_ports(dom, first, count);
	if (err)
		return err;
	if (uart.first && overlaps(&uart, first, count)) {
		log_info("the serial line belongs to %s now\n", dom->name);
		log_uart_release();
	}
	arch_set_ioports(dom);
	return 0;
}

/* Both handles of a call, so that the error of higher precedence wins. */
static int check_handles(struct vcpu *v, u64 op, u64 host, u64 a)
{
	int err = cap_host(v->dom, host, right_for(op)), other = 0;
	struct cap cap;

	if (op == PV_HOST_CTL_IOPORTS)
		other = cap_lookup(v->dom, a, PV_CAP_DOMAIN, PV_RIGHT_DOM_CTL, &cap);
	return first_error(err, other);
}

i64 hc_host_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, a = args->a2, b = args->a3, c = args->a4;
	int err = host_check(op, a, b, c);

	if (err)
		return err;
	err = check_handles(v, op, args->a1, a);
	if (err)
		return err;
	switch (op) {
	case PV_HOST_CTL_POWEROFF:
		power_off(v->dom, a);
	case PV_HOST_CTL_REBOOT:
		reboot(v->dom);
	case PV_HOST_CTL_LOG_READ:
		return read_log(v, a, b);
	case PV_HOST_CTL_IRQ_CAP:
		return make_irq_cap(v->dom, a);
	case PV_HOST_CTL_IOPORTS:
		return assign_ports(v, a, b, c);
	case PV_HOST_CTL_TRACE_READ:
		return read_trace(v, a);
	case PV_HOST_CTL_LOG_WRITE:
		return write_log(v, a);
	}
	return -PV_ENOSYS;
}
