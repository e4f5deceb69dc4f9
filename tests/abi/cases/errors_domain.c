/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * errors_domain.c - tables of flaws for the calls about domains, vCPUs and the machine.
 */
#include <string.h>

#include "../lib/flaws.h"

#define NOT_CANONICAL 0x800000000000ull

FLAWED(info_version, CALL_OP(INFO, VERSION), .flaws = { FLAW(EINVAL, { 1, 1 }), FLAW(EINVAL, { 1, SYM(S_HOST) }) });
FLAWED(info_features, CALL_OP(INFO, FEATURES), .flaws = { FLAW(EINVAL, { 1, 1 }), FLAW(EINVAL, { 1, ~0ull }) });
FLAWED(info_system, CALL_OP(INFO, SYSTEM), .flaws = { FLAW(EINVAL, { 1, 1 }), FLAW(EINVAL, { 1, SYM(S_DOM) }) });
FLAWED(info_counters, CALL_OP(INFO, COUNTERS, SYM(S_HOST)), .right = PV_RIGHT_HOST_TRACE,
       .flaws = { BAD_HOST(1) });

static void dot(void)
{
	vcs0->batch[0] = '\n';
}

FLAWED(console_write, CALL(CONSOLE_WRITE, 1), .batch = dot,
       .flaws = { FLAW(EINVAL, { 0, 0 }), FLAW(EINVAL, { 0, PV_CONSOLE_MAX + 1 }), FLAW(EINVAL, { 0, ~0ull }) });

/* ---- CAP_CTL ---- */

FLAWED(cap_copy, CALL_OP(CAP_CTL, COPY, SYM(S_DOM), SYM(S_DOM), PV_RIGHT_DOM_STATUS), .right = PV_RIGHT_DOM_CAPS,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(EINVAL, { 3, 1ull << 32 | 1 }), FLAW(ECAP, { 1, SYM(S_STALE) }),
		  FLAW(EPERM, { 3, PV_RIGHT_DOM_ALL + 1 }), FLAW(EDEAD, { 1, SYM(S_DEAD) }), BAD_DOMAIN(2) });
FLAWED(cap_drop, CALL_OP(CAP_CTL, DROP, SYM(S_COPY)),
       .flaws = { FLAW(EINVAL, { 1, PV_SELF }), FLAW(EINVAL, { 2, 1 }), FLAW(EINVAL, { 2, SYM(S_DOM) }),
		  FLAW(EINVAL, { 3, 1 }), FLAW(ECAP, { 1, SYM(S_STALE) }), FLAW(ECAP, { 1, ~0ull }) });
FLAWED(cap_inspect, CALL_OP(CAP_CTL, INSPECT, SYM(S_DOM)),
       .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(EINVAL, { 3, 1 }), FLAW(ECAP, { 1, SYM(S_STALE) }),
		  FLAW(ECAP, { 1, 1ull << 40 }) });

/* ---- DOM_CREATE, DOM_CTL ---- */

static void create_arguments(void)
{
	struct pv_dom_create args = dom_defaults();

	batch_put(&args, sizeof(args));
}

FLAWED(dom_create, CALL(DOM_CREATE, SYM(S_HOST)), .yields = true, .right = PV_RIGHT_HOST_CREATE, .batch = create_arguments,
       .flaws = { FLAW(EINVAL, { AT_BATCH64(dom_create, name), 0 }),
		  FLAW(EINVAL, { AT_BATCH32(dom_create, flags), PV_CREATE_FUSED }), /* of an explicit domain */
		  FLAW(EINVAL, { AT_BATCH32(dom_create, flags), 2 }),
		  FLAW(EINVAL, { AT_BATCH32(dom_create, kind), 2 }),
		  FLAW(EINVAL, { AT_BATCH64(dom_create, reserved), 1 }),
		  FLAW(ERANGE, { AT_BATCH64(dom_create, mem_pages), 0 }),
		  FLAW(ERANGE, { AT_BATCH64(dom_create, kmem_pages), 31 }),
		  FLAW(ERANGE, { AT_BATCH32(dom_create, max_vcpus), PV_MAX_VCPUS + 1 }),
		  FLAW(ERANGE, { AT_BATCH32(dom_create, weight), 0 }),
		  FLAW(ERANGE, { AT_BATCH32(dom_create, cap), 100000 }),
		  FLAW(ERANGE, { AT_BATCH64(dom_create, affinity), 1ull << 63 }),
		  FLAW(ENOMEM, { AT_BATCH64(dom_create, mem_pages), PV_MAX_GFN }),
		  FLAW(ENOMEM, { AT_BATCH64(dom_create, kmem_pages), PV_MAX_GFN }), BAD_HOST(0) });

FLAWED(dom_pause, CALL_OP(DOM_CTL, PAUSE, SYM(S_DOM)), .right = PV_RIGHT_DOM_CTL, .shut = true,
       .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(EINVAL, { 1, PV_SELF }), FLAW(ESTATE, { 1, SYM(S_SHUT) }),
		  BAD_DOMAIN(1) });
FLAWED(dom_unpause, CALL_OP(DOM_CTL, UNPAUSE, SYM(S_DOM)), .right = PV_RIGHT_DOM_CTL, .shut = true,
       .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(EINVAL, { 1, PV_SELF }), FLAW(ESTATE, { 1, SYM(S_SHUT) }),
		  FLAW(ESTATE, { 1, SYM(S_FULL) }), BAD_DOMAIN(1) });
FLAWED(dom_destroy, CALL_OP(DOM_CTL, DESTROY, SYM(S_COPY)), .right = PV_RIGHT_DOM_CTL,
       .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(EINVAL, { 1, PV_SELF }), BAD_DOMAIN(1) });
FLAWED(dom_status, CALL_OP(DOM_CTL, STATUS, SYM(S_DOM)), .right = PV_RIGHT_DOM_STATUS,
       .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(EINVAL, { 2, 1ull << 63 }), BAD_DOMAIN(1) });
FLAWED(dom_shutdown, CALL_OP(DOM_CTL, SHUTDOWN, PV_SELF, (u64)PV_REASON_HALT << 32), .ends = true,
       .flaws = { FLAW(EINVAL, { 1, SYM(S_DOM) }), FLAW(EINVAL, { 1, SYM(S_STALE) }), FLAW(EINVAL, { 2, 0 }),
		  FLAW(EINVAL, { 2, (u64)PV_REASON_FAULT << 32 }), FLAW(EINVAL, { 2, ~0ull }) });

/* ---- VCPU_CTL ---- */

/* max_vcpus is the domain's: it is known only once the handle is good. */
#define BEYOND_MAX_VCPUS FLAW(ERANGE, { 1, SYM(S_DOM) }, { 2, 2 })
#define BAD_VCPU FLAW(ERANGE, { 2, PV_MAX_VCPUS }), FLAW(ERANGE, { 2, ~0ull }), BEYOND_MAX_VCPUS

FLAWED(vcpu_create, CALL_OP(VCPU_CTL, CREATE, SYM(S_DOM), 1), .right = PV_RIGHT_DOM_VCPU, .shut = true,
       .flaws = { FLAW(EINVAL, { 3, 1 }), FLAW(EINVAL, { 3, ~0ull }), BAD_VCPU, FLAW(ESTATE, { 1, SYM(S_SHUT) }),
		  FLAW(EEXIST, { 2, 0 }), BAD_DOMAIN(1) });
FLAWED(vcpu_start, CALL_OP(VCPU_CTL, START, SYM(S_DOM), 0), .right = PV_RIGHT_DOM_VCPU, .shut = true,
       .flaws = { FLAW(EINVAL, { 3, 1 }), FLAW(EINVAL, { 3, ~0ull }), BAD_VCPU,
		  FLAW(ESTATE, { 1, SYM(S_SHUT) }, { 2, 0 }), FLAW(ENOENT, { 2, 1 }), BAD_DOMAIN(1) });
FLAWED(vcpu_stop, CALL_OP(VCPU_CTL, STOP, SYM(S_DOM), 0), .right = PV_RIGHT_DOM_VCPU,
       .flaws = { BAD_VCPU, FLAW(ENOENT, { 2, 1 }), BAD_DOMAIN(1) });
FLAWED(vcpu_status, CALL_OP(VCPU_CTL, STATUS, SYM(S_DOM), 0), .right = PV_RIGHT_DOM_VCPU,
       .flaws = { BAD_VCPU, FLAW(ENOENT, { 2, 1 }), BAD_DOMAIN(1) });
FLAWED(vcpu_kick, CALL_OP(VCPU_CTL, KICK, SYM(S_DOM), 0), .right = PV_RIGHT_DOM_VCPU,
       .flaws = { BAD_VCPU, FLAW(ENOENT, { 2, 1 }), BAD_DOMAIN(1) });
FLAWED(vcpu_yield, CALL_OP(VCPU_CTL, YIELD, PV_SELF),
       .flaws = { FLAW(EINVAL, { 1, SYM(S_DOM) }), FLAW(EINVAL, { 1, SYM(S_STALE) }), FLAW(EINVAL, { 2, 1 }),
		  FLAW(EINVAL, { 3, 1 }) });

/* ---- VCPU_REGS ---- */

static void good_registers(void)
{
	struct pv_vcpu_gpr gpr = { .rip = 0x400000, .rflags = 0x202, .root = PV_FOREVER };

	batch_put(&gpr, sizeof(gpr));
}

FLAWED(regs_get, CALL_OP(VCPU_REGS, GET, SYM(S_DOM), 0), .right = PV_RIGHT_DOM_VCPU,
       .flaws = { BAD_VCPU, FLAW(ESTATE, { 1, PV_SELF }, { 2, 0 }), FLAW(ENOENT, { 2, 1 }), BAD_DOMAIN(1) });
FLAWED(regs_set, CALL_OP(VCPU_REGS, SET, SYM(S_DOM), 0), .right = PV_RIGHT_DOM_VCPU, .batch = good_registers,
       .flaws = { FLAW(EINVAL, { AT_BATCH64(vcpu_gpr, rip), PV_HOLE_START }),
		  FLAW(EINVAL, { AT_BATCH64(vcpu_gpr, kernel_gs_base), NOT_CANONICAL }),
		  FLAW(EINVAL, { AT_BATCH64(vcpu_gpr, mode), 2 }),
		  FLAW(EINVAL, { AT_BATCH64(vcpu_gpr, reserved), 1 }),
		  FLAW(EINVAL, { AT_BATCH64(vcpu_gpr, root), 0x400001 }), BAD_VCPU,
		  FLAW(ERANGE, { AT_BATCH64(vcpu_gpr, root), (PV_MAX_GFN + 1ull) << 12 }),
		  FLAW(ESTATE, { 1, PV_SELF }, { 2, 0 }), FLAW(ENOENT, { 2, 1 }),
		  FLAW(EFAULT, { 1, SYM(S_WALKED) }, { 2, 0 }, { AT_BATCH64(vcpu_gpr, root), 0x100000 }),
		  BAD_DOMAIN(1) });

/* ---- VCPU_SETUP, of the driver itself ---- */

FLAWED(setup_vcs, CALL_OP(VCPU_SETUP, SET_VCS, SYM(S_VCS)),
       .flaws = { FLAW(ERANGE, { 1, PV_MAX_GFN + 1 }), FLAW(ERANGE, { 1, ~0ull }), FLAW(EFAULT, { 1, SYM(S_HOLE) }),
		  FLAW(EFAULT, { 1, SYM(S_GRANTED) }) });

static void no_entries(void)
{
	memset(vcs0->batch, 0, sizeof(struct pv_entry));
}

FLAWED(setup_entry, CALL_OP(VCPU_SETUP, SET_ENTRY, 0), .batch = no_entries,
       .flaws = { FLAW(EINVAL, { 1, 1 }), FLAW(EINVAL, { AT_BATCH64(entry, user_entry), PV_HOLE_START }),
		  FLAW(EINVAL, { AT_BATCH64(entry, kernel_entry), NOT_CANONICAL }),
		  FLAW(EINVAL, { AT_BATCH64(entry, syscall_entry), PV_HOLE_END - 1 }),
		  FLAW(EINVAL, { AT_BATCH64(entry, eretu), 1ull << 63 }),
		  FLAW(EINVAL, { AT_BATCH64(entry, erets), PV_HOLE_START }) });
FLAWED(setup_gs, CALL_OP(VCPU_SETUP, SET_KERNEL_GS, 0),
       .flaws = { FLAW(EINVAL, { 1, NOT_CANONICAL }), FLAW(EINVAL, { 1, PV_HOLE_START }),
		  FLAW(EINVAL, { 1, PV_HOLE_END - 1 }) });
FLAWED(setup_port_page, CALL_OP(VCPU_SETUP, SET_PORT_PAGE, SYM(S_OWN)), .ambient = PV_EBUSY,
       .flaws = { FLAW(ERANGE, { 1, PV_MAX_GFN + 1 }), FLAW(EFAULT, { 1, SYM(S_HOLE) }),
		  FLAW(EFAULT, { 1, SYM(S_GRANTED) }) });

/* ---- SCHED_CTL ---- */

FLAWED(sched_weight, CALL_OP(SCHED_CTL, SET_WEIGHT, SYM(S_DOM), 256), .right = PV_RIGHT_DOM_CTL,
       .flaws = { FLAW(ERANGE, { 2, 0 }), FLAW(ERANGE, { 2, 65536 }), FLAW(ERANGE, { 2, ~0ull }), BAD_DOMAIN(1) });
FLAWED(sched_cap, CALL_OP(SCHED_CTL, SET_CAP, SYM(S_DOM), 0), .right = PV_RIGHT_DOM_CTL,
       .flaws = { FLAW(ERANGE, { 2, 100000 }), FLAW(ERANGE, { 2, 1ull << 32 }), BAD_DOMAIN(1) });
FLAWED(sched_affinity, CALL_OP(SCHED_CTL, SET_AFFINITY, SYM(S_DOM), 0), .right = PV_RIGHT_DOM_CTL,
       .flaws = { FLAW(ERANGE, { 2, 1ull << 40 }), FLAW(ERANGE, { 2, 1ull << 63 }), BAD_DOMAIN(1) });

/* ---- HOST_CTL ---- */

FLAWED(host_poweroff, CALL_OP(HOST_CTL, POWEROFF, SYM(S_HOST), 1), .right = PV_RIGHT_HOST_POWER, .ends = true,
       .flaws = { FLAW(ERANGE, { 2, 128 }), FLAW(ERANGE, { 2, ~0ull }), BAD_HOST(1) });
FLAWED(host_reboot, CALL_OP(HOST_CTL, REBOOT, SYM(S_HOST)), .right = PV_RIGHT_HOST_POWER, .ends = true,
       .flaws = { BAD_HOST(1) });
FLAWED(host_log_read, CALL_OP(HOST_CTL, LOG_READ, SYM(S_HOST), 0, 1), .right = PV_RIGHT_HOST_LOG,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(ERANGE, { 3, 2041 }), FLAW(ERANGE, { 3, ~0ull }), BAD_HOST(1) });
FLAWED(host_irq_cap, CALL_OP(HOST_CTL, IRQ_CAP, SYM(S_HOST), 11), .right = PV_RIGHT_HOST_DEV, .ambient = PV_EBUSY,
       .flaws = { FLAW(ERANGE, { 2, 100000 }), FLAW(ERANGE, { 2, ~0ull }), BAD_HOST(1) });
FLAWED(host_ioports, CALL_OP(HOST_CTL, IOPORTS, SYM(S_HOST), SYM(S_DOM), 0x1000, 1), .right = PV_RIGHT_HOST_DEV,
       .flaws = { FLAW(EINVAL, { 4, 0 }), FLAW(ERANGE, { 3, 0x10000 }), FLAW(ERANGE, { 4, 65 }), BAD_HOST(1),
		  FLAW(ECAP, { 2, SYM(S_STALE) }), FLAW(ECAP, { 2, SYM(S_HOST) }), FLAW(EDEAD, { 2, SYM(S_DEAD) }),
		  FLAW(EBUSY, { 3, 0x1073 }) });
/* The same with the right on the domain in question. */
FLAWED(host_ioports_domain, CALL_OP(HOST_CTL, IOPORTS, SYM(S_HOST), SYM(S_DOM), 0x1000, 1),
       .right = PV_RIGHT_DOM_CTL,
       .flaws = { FLAW(EINVAL, { 4, 0 }), FLAW(ERANGE, { 3, ~0ull }), FLAW(ECAP, { 1, SYM(S_STALE) }),
		  BAD_DOMAIN(2), FLAW(EBUSY, { 3, 0x1070 }) });
FLAWED(host_trace_read, CALL_OP(HOST_CTL, TRACE_READ, SYM(S_HOST), 0), .right = PV_RIGHT_HOST_TRACE,
       .flaws = { FLAW(ERANGE, { 2, 64 }), FLAW(ERANGE, { 2, ~0ull }), BAD_HOST(1) });
FLAWED(host_log_write, CALL_OP(HOST_CTL, LOG_WRITE, SYM(S_HOST), 1), .right = PV_RIGHT_HOST_LOG, .batch = dot,
       .flaws = { FLAW(EINVAL, { 2, 0 }), FLAW(ERANGE, { 2, 2049 }), FLAW(ERANGE, { 2, ~0ull }), BAD_HOST(1) });

/* ---- DEV_CTL; BIND_MSI, whose caller must have the function, is in device.c ---- */

#define CFG_BAR 0x10
#define CFG_LINE 0x3c

FLAWED(dev_list, CALL_OP(DEV_CTL, LIST, SYM(S_HOST), 0), .right = PV_RIGHT_HOST_DEV,
       .flaws = { BAD_HOST(1), FLAW(ENOENT, { 2, 1000 }), FLAW(ENOENT, { 2, 1ull << 32 }), FLAW(ENOENT, { 2, ~0ull }) });
FLAWED(dev_cap, CALL_OP(DEV_CTL, CAP, SYM(S_HOST), SYM(S_DEV_BDF)), .right = PV_RIGHT_HOST_DEV, .ambient = PV_EBUSY,
       .flaws = { FLAW(ERANGE, { 2, 0x10000 }), FLAW(ERANGE, { 2, ~0ull }), BAD_HOST(1), FLAW(ENOENT, { 2, 0xffff }),
		  FLAW(EBUSY, { 2, 0 }) });
FLAWED(dev_info, CALL_OP(DEV_CTL, INFO, SYM(S_DEV)), .right = PV_RIGHT_DEV_USE, .flaws = { BAD_DEVICE(1) });
FLAWED(dev_assign, CALL_OP(DEV_CTL, ASSIGN, SYM(S_DEV), SYM(S_DOM), 0), .right = PV_RIGHT_DEV_ASSIGN,
       .ambient = PV_EBUSY,
       .flaws = { FLAW(EINVAL, { 3, 2 }), FLAW(EINVAL, { 3, 1ull << 63 }), BAD_DEVICE(1),
		  FLAW(ECAP, { 2, SYM(S_STALE) }), FLAW(ECAP, { 2, SYM(S_GRANT) }), FLAW(EPERM, { 2, SYM(S_WEAK) }),
		  FLAW(EDEAD, { 2, SYM(S_DEAD) }) });
FLAWED(dev_cfg_read, CALL_OP(DEV_CTL, CFG_READ, SYM(S_DEV), 0, 4), .right = PV_RIGHT_DEV_USE,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(EINVAL, { 3, 3 }), FLAW(EINVAL, { 3, 8 }), FLAW(EINVAL, { 2, 2 }),
		  FLAW(ERANGE, { 2, 256 }), FLAW(ERANGE, { 2, 1ull << 32 }), BAD_DEVICE(1) });
FLAWED(dev_cfg_write, CALL_OP(DEV_CTL, CFG_WRITE, SYM(S_DEV), CFG_LINE, 1, 0), .right = PV_RIGHT_DEV_USE,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(EINVAL, { 3, 5 }), FLAW(ERANGE, { 2, 256 }), FLAW(ERANGE, { 4, 256 }),
		  FLAW(ERANGE, { 4, ~0ull }), BAD_DEVICE(1), FLAW(ESTATE, { 1, SYM(S_FREE_DEV) }),
		  FLAW(EBUSY, { 2, CFG_BAR }) });
FLAWED(dev_map, CALL_OP(DEV_CTL, MAP, SYM(S_DEV), 4, 0, 48, 1), .right = PV_RIGHT_DEV_USE, .ambient = PV_EEXIST,
       .flaws = { FLAW(EINVAL, { 5, 0 }), FLAW(ERANGE, { 2, PV_DEV_BARS }), FLAW(ERANGE, { 2, 1ull << 32 | 4 }),
		  FLAW(ERANGE, { 4, PV_MAX_GFN + 1 }), FLAW(ERANGE, { 5, PV_MAX_MAP_PAGES + 1 }), BAD_DEVICE(1),
		  FLAW(ESTATE, { 1, SYM(S_FREE_DEV) }), FLAW(EFAULT, { 2, 1 }), FLAW(ENOENT, { 2, 0 }) });
FLAWED(dev_dma_map, CALL_OP(DEV_CTL, DMA_MAP, SYM(S_DEV), 17, 1), .right = PV_RIGHT_DEV_ASSIGN, .ambient = PV_EEXIST,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(ERANGE, { 2, PV_MAX_GFN + 1 }), FLAW(ERANGE, { 3, PV_MAX_GFN + 1 }),
		  FLAW(ERANGE, { 3, ~0ull }), BAD_DEVICE(1), FLAW(ESTATE, { 1, SYM(S_FREE_DEV) }),
		  FLAW(EFAULT, { 2, 23 }), FLAW(EFAULT, { 2, 48 }) });
FLAWED(dev_dma_addr, CALL_OP(DEV_CTL, DMA_ADDR, SYM(S_DEV), 17), .right = PV_RIGHT_DEV_USE,
       .flaws = { FLAW(ERANGE, { 2, PV_MAX_GFN + 1 }), FLAW(ERANGE, { 2, 1ull << 32 | 17 }), BAD_DEVICE(1),
		  FLAW(ESTATE, { 1, SYM(S_FREE_DEV) }), FLAW(EFAULT, { 2, 18 }), FLAW(EFAULT, { 2, 48 }) });
