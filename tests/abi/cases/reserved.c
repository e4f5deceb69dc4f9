/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reserved.c - every bit that has no meaning, one by one: of flags, of reserved fields and of arguments that
 * must be 0 or aligned. And the arguments that an operation does not have: they are ignored.
 */
#include <string.h>

#include "../lib/flaws.h"

#define ALL (~0ull)
#define FROM(bit) (ALL << (bit))
#define LOW12 0xfffull

struct bits {
	struct flawed call; /* right as it is, or wrong in a way that comes later */
	u16 at;
	u64 bits;
};

static void each_bit(void)
{
	const struct bits *row = this_case->row;

	stage_set(&row->call);
	for (u32 bit = 0; bit < 64; bit++) {
		struct flaw flaw = { 0, 1, { { row->at, 0 } } };

		if (!(row->bits >> bit & 1))
			continue;
		if (row->at < 6)
			flaw.change[0].value = stage_value(row->call.args[row->at]) | 1ull << bit;
		else
			flaw.change[0].value = 1ull << bit;
		CHECK_ERR(flaws_call(&row->call, &flaw, NULL), EINVAL);
	}
	stage_clear();
}

#define BITS(name, where, mask, ...) \
	static const struct bits name##_bits = { { __VA_ARGS__ }, where, mask }; \
	PV_ROW(bits_##name, "PVABI-GEN-015.1", each_bit, .row = &name##_bits)

BITS(version_handle, 1, ALL, CALL_OP(INFO, VERSION));
BITS(features_handle, 1, ALL, CALL_OP(INFO, FEATURES));
BITS(system_handle, 1, ALL, CALL_OP(INFO, SYSTEM));
BITS(copy_rights, 3, FROM(32), CALL_OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS));
BITS(drop_dom, 2, ALL, CALL_OP(CAP_CTL, DROP, SYM(S_COPY)));
BITS(drop_rights, 3, ALL, CALL_OP(CAP_CTL, DROP, SYM(S_COPY)));
BITS(inspect_dom, 2, ALL, CALL_OP(CAP_CTL, INSPECT, SYM(S_COPY)));
BITS(inspect_rights, 3, ALL, CALL_OP(CAP_CTL, INSPECT, SYM(S_COPY)));

static void create_arguments(void)
{
	struct pv_dom_create args = dom_defaults();

	batch_put(&args, sizeof(args));
}

BITS(create_flags, AT_BATCH32(dom_create, flags), 0xfffffffe, CALL(DOM_CREATE, SYM(S_HOST)),
     .batch = create_arguments);
BITS(create_kind, AT_BATCH32(dom_create, kind), 0xfffffffe, CALL(DOM_CREATE, SYM(S_HOST)),
     .batch = create_arguments);
BITS(create_reserved, AT_BATCH64(dom_create, reserved[0]), ALL, CALL(DOM_CREATE, SYM(S_HOST)),
     .batch = create_arguments);
BITS(create_reserved_1, AT_BATCH64(dom_create, reserved[1]), ALL, CALL(DOM_CREATE, SYM(S_HOST)),
     .batch = create_arguments);
BITS(pause_arg, 2, ALL, CALL_OP(DOM_CTL, PAUSE, SYM(S_DOM)));
BITS(unpause_arg, 2, ALL, CALL_OP(DOM_CTL, UNPAUSE, SYM(S_DOM)));
BITS(destroy_arg, 2, ALL, CALL_OP(DOM_CTL, DESTROY, SYM(S_DOM)));
BITS(status_arg, 2, ALL, CALL_OP(DOM_CTL, STATUS, SYM(S_DOM)));
BITS(vcpu_create_arg, 3, ALL, CALL_OP(VCPU_CTL, CREATE, SYM(S_DOM), 1));
BITS(vcpu_start_arg, 3, ALL, CALL_OP(VCPU_CTL, START, SYM(S_DOM), 0));
BITS(yield_dom, 1, ALL, CALL_OP(VCPU_CTL, YIELD));
BITS(yield_vcpu, 2, ALL, CALL_OP(VCPU_CTL, YIELD));
BITS(yield_arg, 3, ALL, CALL_OP(VCPU_CTL, YIELD));

static void registers(void)
{
	struct pv_vcpu_gpr gpr = { .rip = 0x400000, .rflags = 0x202, .root = PV_FOREVER };

	batch_put(&gpr, sizeof(gpr));
}

BITS(regs_reserved, AT_BATCH64(vcpu_gpr, reserved), ALL, CALL_OP(VCPU_REGS, SET, SYM(S_DOM), 0),
     .batch = registers);
BITS(regs_mode, AT_BATCH64(vcpu_gpr, mode), ALL, CALL_OP(VCPU_REGS, SET, SYM(S_DOM), 0), .batch = registers);
BITS(regs_root, AT_BATCH64(vcpu_gpr, root), LOW12, CALL_OP(VCPU_REGS, SET, SYM(S_WALKED), 0),
     .batch = registers);
BITS(set_entry_arg, 1, ALL, CALL_OP(VCPU_SETUP, SET_ENTRY, 0));
BITS(wait_flags, 0, FROM(1), CALL(WAIT, 0, 0));

BITS(load_root_address, 0, LOW12, CALL(AS_LOAD_ROOT, 0x400000, 0));
BITS(load_root_flags, 1, FROM(1), CALL(AS_LOAD_ROOT, 0x400000, 0));
BITS(flush_root, 0, LOW12, CALL(AS_FLUSH, 0x400000, 0, 0, 0));
BITS(flush_start, 1, LOW12, CALL(AS_FLUSH, PV_FOREVER, 0x1000, 0x3000, 0));
BITS(flush_end, 2, LOW12, CALL(AS_FLUSH, PV_FOREVER, 0x1000, 0x3000, 0));
BITS(flush_flags, 3, FROM(2), CALL(AS_FLUSH, PV_FOREVER, 0x1000, 0x3000, 0));
BITS(set_kernel_root, 1, LOW12, CALL_OP(AS_CTL, SET_KERNEL_ROOT, 0x400000));
BITS(space_drop, 1, LOW12, CALL_OP(AS_CTL, DROP, 0x400000));
BITS(space_destroy, 1, LOW12, CALL_OP(AS_CTL, DESTROY, 0x400000));

BITS(map_va, 2, LOW12, CALL_OP(AS_MAP, MAP, SYM(S_DOM), 0x20000, 17, 1, PV_PROT_READ));
BITS(map_prot, 5, FROM(3), CALL_OP(AS_MAP, MAP, SYM(S_DOM), 0x20000, 17, 1, PV_PROT_READ));
BITS(unmap_va, 2, LOW12, CALL_OP(AS_MAP, UNMAP, SYM(S_DOM), 0x10000, 0, 1));
BITS(unmap_gfn, 3, ALL, CALL_OP(AS_MAP, UNMAP, SYM(S_DOM), 0x10000, 0, 1));
BITS(unmap_prot, 5, ALL, CALL_OP(AS_MAP, UNMAP, SYM(S_DOM), 0x10000, 0, 1));
BITS(protect_va, 2, LOW12, CALL_OP(AS_MAP, PROTECT, SYM(S_DOM), 0x10000, 0, 1, PV_PROT_READ));
BITS(protect_gfn, 3, ALL, CALL_OP(AS_MAP, PROTECT, SYM(S_DOM), 0x10000, 0, 1, PV_PROT_READ));
BITS(protect_prot, 5, FROM(3), CALL_OP(AS_MAP, PROTECT, SYM(S_DOM), 0x10000, 0, 1, PV_PROT_READ));
BITS(populate_src, 4, ALL, CALL_OP(MEM_CTL, POPULATE, SYM(S_DOM), 100, 1));
BITS(release_src, 4, ALL, CALL_OP(MEM_CTL, RELEASE, SYM(S_DOM), 17, 1));
BITS(grant_rights, 4, FROM(2), CALL_OP(GRANT_CTL, CREATE, SYM(S_DOM), 17, 1, GRANT_RO));
BITS(grant_map_arg, 4, FROM(1), CALL_OP(GRANT_CTL, MAP, SYM(S_GRANT), SYM(S_HOLE), 2, 0));
BITS(grant_unmap_handle, 1, ALL, CALL_OP(GRANT_CTL, UNMAP, 0, SYM(S_GRANTED), 1, 0));
BITS(grant_unmap_arg, 4, ALL, CALL_OP(GRANT_CTL, UNMAP, 0, SYM(S_GRANTED), 1, 0));
BITS(revoke_gfn, 2, ALL, CALL_OP(GRANT_CTL, REVOKE, SYM(S_GRANT)));
BITS(revoke_n, 3, ALL, CALL_OP(GRANT_CTL, REVOKE, SYM(S_GRANT)));
BITS(revoke_arg, 4, ALL, CALL_OP(GRANT_CTL, REVOKE, SYM(S_GRANT)));

BITS(alloc_port, 1, ALL, CALL_OP(PORT_CTL, ALLOC, 0, SYM(S_DOM)));
BITS(alloc_b, 3, ALL, CALL_OP(PORT_CTL, ALLOC, 0, SYM(S_DOM)));
BITS(alloc_c, 4, ALL, CALL_OP(PORT_CTL, ALLOC, 0, SYM(S_DOM)));
BITS(virq_host, 3, ALL, CALL_OP(PORT_CTL, BIND_VIRQ, SYM(S_PORT), PV_VIRQ_CHILD));
BITS(load_gs_selector, 1, FROM(16), CALL_OP(SEG_CTL, LOAD_GS, 0));
BITS(load_gs_b, 2, ALL, CALL_OP(SEG_CTL, LOAD_GS, 0));
BITS(load_gs_c, 3, ALL, CALL_OP(SEG_CTL, LOAD_GS, 0));
BITS(cpunode_aux, 2, FROM(32), CALL_OP(SEG_CTL, SET_CPUNODE, 0, 0));
BITS(cpunode_c, 3, ALL, CALL_OP(SEG_CTL, SET_CPUNODE, 0, 0));
BITS(debug_read_value, 2, ALL, CALL_OP(DEBUG_REG, READ, 0));
BITS(debug_dr6, 2, FROM(32), CALL_OP(DEBUG_REG, WRITE, 6, 0));
BITS(debug_dr7, 2, FROM(32) | 0xf800, CALL_OP(DEBUG_REG, WRITE, 7, 0));
BITS(msr_read_value, 2, ALL, CALL_OP(MSR, READ, 0x10));

/* ---- arguments an operation does not have ---- */

/* The same result with them as without; `bits` are the arguments, by number. */
static void ignored_arguments(void)
{
	const struct bits *row = this_case->row;

	stage_set(&row->call);
	i64 plain = flaws_call(&row->call, NULL, NULL);

	for (u32 at = 1; at < 6; at++) {
		static const u64 noise[] = { 1, 1ull << 31, 1ull << 32, 1ull << 63, ~0ull };

		for (u32 i = 0; row->bits >> at & 1 && i < sizeof(noise) / sizeof(u64); i++) {
			struct flaw flaw = { 0, 1, { { (u16)at, noise[i] } } };

			CHECK_EQ(flaws_call(&row->call, &flaw, NULL), plain);
		}
	}
	stage_clear();
}

#define A(n) (1u << (n))
#define IGNORES(name, arguments, ...) \
	static const struct bits name##_ignored = { { __VA_ARGS__ }, AT_NONE, arguments }; \
	PV_ROW(ignored_##name, "PVABI-GEN-014.1 PVABI-GEN-005.1", ignored_arguments, .row = &name##_ignored)

IGNORES(vcpu_stop, A(3) | A(4) | A(5), CALL_OP(VCPU_CTL, STOP, SYM(S_DOM), 0));
IGNORES(vcpu_status, A(3) | A(4) | A(5), CALL_OP(VCPU_CTL, STATUS, SYM(S_DOM), 0));
IGNORES(vcpu_kick, A(3) | A(4) | A(5), CALL_OP(VCPU_CTL, KICK, SYM(S_DOM), 0));
IGNORES(regs_get, A(3) | A(4) | A(5), CALL_OP(VCPU_REGS, GET, SYM(S_DOM), 0));
IGNORES(dom_status, A(3) | A(4) | A(5), CALL_OP(DOM_CTL, STATUS, SYM(S_DOM)));
IGNORES(port_status, A(2) | A(3) | A(4) | A(5), CALL_OP(PORT_CTL, STATUS, SYM(S_PORT)));
IGNORES(port_eoi, A(2) | A(3) | A(4) | A(5), CALL_OP(PORT_CTL, EOI, SYM(S_PORT)));
IGNORES(port_move, A(3) | A(4) | A(5), CALL_OP(PORT_CTL, MOVE, SYM(S_PORT), 0));
IGNORES(log_read, A(4) | A(5), CALL_OP(HOST_CTL, LOG_READ, SYM(S_HOST), 0, 1));
IGNORES(trace_read, A(4) | A(5), CALL_OP(HOST_CTL, TRACE_READ, SYM(S_HOST), 63));
IGNORES(irq_cap, A(3) | A(4) | A(5), CALL_OP(HOST_CTL, IRQ_CAP, SYM(S_HOST), 11));
IGNORES(dev_list, A(3) | A(4) | A(5), CALL_OP(DEV_CTL, LIST, SYM(S_HOST), 0));
IGNORES(dev_info, A(2) | A(3) | A(4) | A(5), CALL_OP(DEV_CTL, INFO, SYM(S_DEV)));
IGNORES(dev_cfg_read, A(4) | A(5), CALL_OP(DEV_CTL, CFG_READ, SYM(S_DEV), 0, 4));
IGNORES(dev_dma_addr, A(3) | A(4) | A(5), CALL_OP(DEV_CTL, DMA_ADDR, SYM(S_DEV), 17));
IGNORES(counters, A(2) | A(3) | A(4) | A(5), CALL_OP(INFO, COUNTERS, SYM(S_HOST)));
IGNORES(cpuid, A(2) | A(3) | A(4) | A(5), CALL(CPUID, 0, 0));
IGNORES(send, A(1) | A(2) | A(3) | A(4) | A(5), CALL(PORT_SEND, SYM(S_ORPHAN)));
