/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * errors_event.c - tables of flaws for ports, interrupts, waiting, and the calls that stand for instructions.
 */
#include "../lib/flaws.h"

#define FAR PV_MAX_PORTS
#define FREE 4000
#define SYSTEM_DESCRIPTOR 0x0000890000000067ull /* a task-state segment */

FLAWED(port_alloc, CALL_OP(PORT_CTL, ALLOC, 0, SYM(S_DOM)), .right = PV_RIGHT_DOM_PORT,
       .flaws = { FLAW(EINVAL, { 1, 1 }), FLAW(EINVAL, { 3, 1 }), FLAW(EINVAL, { 4, 1 }), BAD_DOMAIN(2) });
FLAWED(port_connect, CALL_OP(PORT_CTL, CONNECT, SYM(S_PORT), PV_SELF, SYM(S_DOM), SYM(S_DOM_PORT)),
       .right = PV_RIGHT_DOM_PORT,
       .flaws = { FLAW(EINVAL, { 1, SYM(S_PORT) }, { 2, PV_SELF }, { 3, PV_SELF }, { 4, SYM(S_PORT) }),
		  FLAW(ERANGE, { 1, FAR }), FLAW(ERANGE, { 4, FAR }), FLAW(ERANGE, { 4, ~0ull }),
		  FLAW(ECAP, { 2, SYM(S_STALE) }), FLAW(EPERM, { 2, SYM(S_WEAK) }), FLAW(EDEAD, { 2, SYM(S_DEAD) }),
		  FLAW(ENOENT, { 1, FREE }), FLAW(ENOENT, { 4, FREE }),
		  FLAW(EBUSY, { 1, SYM(S_BOUND) }), BAD_DOMAIN(3) });
FLAWED(port_virq, CALL_OP(PORT_CTL, BIND_VIRQ, SYM(S_PORT), PV_VIRQ_CHILD), .right = PV_RIGHT_HOST_LOG,
       .flaws = { FLAW(EINVAL, { 3, 1 }), FLAW(ERANGE, { 1, FAR }), FLAW(ERANGE, { 2, PV_VIRQ_LOG + 1 }),
		  FLAW(ENOENT, { 1, FREE }), FLAW(EBUSY, { 1, SYM(S_BOUND) }) });
FLAWED(port_virq_log, CALL_OP(PORT_CTL, BIND_VIRQ, SYM(S_PORT), PV_VIRQ_LOG, SYM(S_HOST)),
       .right = PV_RIGHT_HOST_LOG,
       .flaws = { FLAW(ERANGE, { 1, FAR }), FLAW(ENOENT, { 1, FREE }), FLAW(EBUSY, { 1, SYM(S_BOUND) }), BAD_HOST(3) });
FLAWED(port_irq, CALL_OP(PORT_CTL, BIND_IRQ, SYM(S_PORT), SYM(S_IRQ)),
       .flaws = { FLAW(ERANGE, { 1, FAR }), FLAW(ECAP, { 2, SYM(S_STALE) }), FLAW(ECAP, { 2, SYM(S_HOST) }),
		  FLAW(ECAP, { 2, PV_SELF }), FLAW(ENOENT, { 1, FREE }), FLAW(EBUSY, { 1, SYM(S_BOUND) }) });
FLAWED(port_move, CALL_OP(PORT_CTL, MOVE, SYM(S_PORT), 0),
       .flaws = { FLAW(ERANGE, { 1, FAR }), FLAW(ERANGE, { 2, PV_MAX_VCPUS }), FLAW(ERANGE, { 2, ~0ull }),
		  FLAW(ENOENT, { 1, FREE }) });
FLAWED(port_eoi, CALL_OP(PORT_CTL, EOI, SYM(S_PORT)), .ambient = PV_ESTATE, .flaws = { FLAW(ERANGE, { 1, FAR }) });
FLAWED(port_eoi_free, CALL_OP(PORT_CTL, EOI, FREE), .ambient = PV_ENOENT, .flaws = { FLAW(ERANGE, { 1, ~0ull }) });
FLAWED(port_close, CALL_OP(PORT_CTL, CLOSE, SYM(S_PORT)),
       .flaws = { FLAW(ERANGE, { 1, FAR }), FLAW(ERANGE, { 1, 1ull << 32 }), FLAW(ENOENT, { 1, FREE }) });
FLAWED(port_status, CALL_OP(PORT_CTL, STATUS, SYM(S_PORT)),
       .flaws = { FLAW(ERANGE, { 1, FAR }), FLAW(ERANGE, { 1, ~0ull }) });
FLAWED(port_send, CALL(PORT_SEND, SYM(S_BOUND)),
       .flaws = { FLAW(ERANGE, { 0, FAR }), FLAW(EDEAD, { 0, SYM(S_ORPHAN) }), FLAW(ESTATE, { 0, SYM(S_PORT) }),
		  FLAW(ENOENT, { 0, FREE }) });

FLAWED(send_ipi, CALL(SEND_IPI, 1, 0x40), .ends = true, /* the driver waits a lot: nothing may be pending */
       .flaws = { FLAW(EINVAL, { 0, 0 }), FLAW(ERANGE, { 1, PV_VEC_IPI_MIN - 1 }), FLAW(ERANGE, { 1, 256 }),
		  FLAW(ERANGE, { 1, ~0ull }), FLAW(ENOENT, { 0, 2 }), FLAW(ENOENT, { 0, 1ull << 63 | 1 }) });
FLAWED(wait, CALL(WAIT, 0, 0), .flaws = { FLAW(EINVAL, { 0, 2 }), FLAW(EINVAL, { 0, ~0ull }) });
FLAWED(irq_win, CALL(IRQ_WIN), .ambient = PV_ESTATE, .flaws = { { 0 } });

/* ---- instructions ---- */

FLAWED(load_tls, CALL_OP(SEG_CTL, LOAD_TLS, 0, 0, 0),
       .flaws = { FLAW(EINVAL, { 1, SYSTEM_DESCRIPTOR }), FLAW(EINVAL, { 2, SYSTEM_DESCRIPTOR }),
		  FLAW(EINVAL, { 3, SYSTEM_DESCRIPTOR }) });
FLAWED(load_gs, CALL_OP(SEG_CTL, LOAD_GS, 0),
       .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(EINVAL, { 3, 1 }), FLAW(EINVAL, { 1, 0x10000 }),
		  FLAW(EINVAL, { 1, 0xfffb }) });
FLAWED(cpunode, CALL_OP(SEG_CTL, SET_CPUNODE, 0, 0),
       .flaws = { FLAW(EINVAL, { 1, SYSTEM_DESCRIPTOR }), FLAW(EINVAL, { 2, 1ull << 32 }), FLAW(EINVAL, { 3, 1 }) });
FLAWED(debug_read, CALL_OP(DEBUG_REG, READ, 0),
       .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(ERANGE, { 1, 4 }), FLAW(ERANGE, { 1, 8 }) });
/* What a value may be depends on the register, so the two are wrong together. */
FLAWED(debug_write, CALL_OP(DEBUG_REG, WRITE, 0, 0),
       .flaws = { FLAW(EINVAL, { 1, 0 }, { 2, PV_HOLE_START }), FLAW(EINVAL, { 1, 7 }, { 2, 1ull << 13 }),
		  FLAW(EINVAL, { 1, 6 }, { 2, 1ull << 32 }), FLAW(ERANGE, { 1, 5 }), FLAW(ERANGE, { 1, ~0ull }) });
FLAWED(msr_read, CALL_OP(MSR, READ, 0x10), .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(ENOENT, { 1, 0xdead }) });
FLAWED(msr_write, CALL_OP(MSR, WRITE, 0xc0000080, 0),
       .flaws = { FLAW(ENOENT, { 1, 0xdead }), FLAW(ENOENT, { 1, 1ull << 32 }) });
FLAWED(cpuid, CALL(CPUID, 0, 0), .flaws = { FLAW(ERANGE, { 0, 1ull << 32 }), FLAW(ERANGE, { 1, ~0ull }) });
