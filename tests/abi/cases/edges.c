/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edges.c - the ends of every range: one argument of a call goes through a list of values, each of which is
 * malformed (I), out of range (R) or accepted (A: done, or refused for a later reason).
 */
#include <string.h>

#include "../lib/flaws.h"

#define LOW_END 0x800000000000ull
#define I PV_EINVAL
#define R PV_ERANGE
#define A 0

struct edge {
	u64 value;
	u8 result;
};

#define MAX_EDGES 16
struct edges {
	struct flawed call;
	u16 at;
	u8 count;
	struct edge edge[MAX_EDGES];
};

/* What a call has made is undone, so that the next one finds the same. */
static void undo(const struct flawed *call, i64 result)
{
	if (result > 0 && call->yields && dom_destroy((u64)result))
		CHECK_OK(OP(CAP_CTL, DROP, (u64)result));
}

static void walk_edges(void)
{
	const struct edges *row = this_case->row;

	stage_set(&row->call);
	for (u32 i = 0; i < row->count; i++) {
		struct flaw flaw = { 0, 1, { { row->at, row->edge[i].value } } };
		i64 got = flaws_call(&row->call, &flaw, NULL);

		if (row->edge[i].result != A)
			CHECK_EQ(got, -(i64)row->edge[i].result);
		else if (got == -PV_EINVAL || got == -PV_ERANGE || got == -PV_ENOSYS)
			abi_fail(__LINE__, "is accepted", row->edge[i].value, (u64)got);
		abi_record->checks++;
		undo(&row->call, got);
	}
	if (!row->call.ends)
		undo(&row->call, flaws_call(&row->call, NULL, NULL));
	stage_clear();
}

#define LIST(...) sizeof((struct edge[]){ __VA_ARGS__ }) / sizeof(struct edge), { __VA_ARGS__ }
#define EDGES(name, where, list, ...) \
	static const struct edges name##_edges = { { __VA_ARGS__ }, where, list }; \
	PV_ROW(edge_##name, "PVABI-GEN-016.1", walk_edges, .row = &name##_edges, .edge = true)

/* ---- addresses and sizes ---- */

#define VA_EDGES LIST({ 0, R }, { 0xfff, I }, { 0x1000, A }, { 0x1001, I }, { LOW_END - 0x1000, A }, \
		      { LOW_END - 1, I }, { LOW_END, R }, { 0xffff7ffffffff000, R }, { PV_HOLE_START, R }, \
		      { PV_HOLE_END, R }, { 0xfffffffffffff000, R }, { ~0ull, I })
EDGES(map_va, 2, VA_EDGES, CALL_OP(AS_MAP, MAP, SYM(S_DOM), 0x20000, 17, 1, PV_PROT_READ));
EDGES(unmap_va, 2, VA_EDGES, CALL_OP(AS_MAP, UNMAP, SYM(S_DOM), 0x20000, 0, 1));
EDGES(protect_va, 2, VA_EDGES, CALL_OP(AS_MAP, PROTECT, SYM(S_DOM), 0x20000, 0, 1, PV_PROT_READ));
/* Two pages: the last must lie inside, too. */
#define VA2_EDGES LIST({ 0x1000, A }, { LOW_END - 0x2000, A }, { LOW_END - 0x1000, R }, { 0xfffffffffffff000, R })
EDGES(map_two_va, 2, VA2_EDGES, CALL_OP(AS_MAP, MAP, SYM(S_DOM), 0x20000, 17, 2, PV_PROT_READ));
EDGES(unmap_two_va, 2, VA2_EDGES, CALL_OP(AS_MAP, UNMAP, SYM(S_DOM), 0x20000, 0, 2));
EDGES(protect_two_va, 2, VA2_EDGES, CALL_OP(AS_MAP, PROTECT, SYM(S_DOM), 0x20000, 0, 2, PV_PROT_READ));
#define N_EDGES LIST({ 0, I }, { 1, A }, { 511, A }, { 512, A }, { 513, R }, { 1ull << 32, R }, { 1ull << 52, R }, \
		     { ~0ull, R })
EDGES(map_n, 4, N_EDGES, CALL_OP(AS_MAP, MAP, SYM(S_DOM), 0x200000, 17, 1, PV_PROT_READ));
EDGES(unmap_n, 4, N_EDGES, CALL_OP(AS_MAP, UNMAP, SYM(S_DOM), 0x200000, 0, 1));
EDGES(protect_n, 4, N_EDGES, CALL_OP(AS_MAP, PROTECT, SYM(S_DOM), 0x200000, 0, 1, PV_PROT_READ));

#define GFN_EDGES LIST({ 0, A }, { 1, A }, { PV_MAX_GFN - 1, A }, { PV_MAX_GFN, A }, { PV_MAX_GFN + 1, R }, \
		       { 1ull << 40, R }, { 1ull << 52, R }, { ~0ull - 1, R }, { ~0ull, R })
#define GFN2_EDGES LIST({ 0, A }, { PV_MAX_GFN - 1, A }, { PV_MAX_GFN, R }, { PV_MAX_GFN + 1, R }, { ~0ull - 1, R }, \
			{ ~0ull, R })
EDGES(map_gfn, 3, GFN_EDGES, CALL_OP(AS_MAP, MAP, SYM(S_DOM), 0x20000, 17, 1, PV_PROT_READ));
EDGES(map_two_gfn, 3, GFN2_EDGES, CALL_OP(AS_MAP, MAP, SYM(S_DOM), 0x20000, 17, 2, PV_PROT_READ));
EDGES(populate_gfn, 2, GFN_EDGES, CALL_OP(MEM_CTL, POPULATE, SYM(S_DOM), 100, 1));
EDGES(populate_two_gfn, 2, GFN2_EDGES, CALL_OP(MEM_CTL, POPULATE, SYM(S_DOM), 100, 2));
EDGES(release_gfn, 2, GFN_EDGES, CALL_OP(MEM_CTL, RELEASE, SYM(S_DOM), 100, 1));
EDGES(release_two_gfn, 2, GFN2_EDGES, CALL_OP(MEM_CTL, RELEASE, SYM(S_DOM), 100, 2));
EDGES(copy_gfn, 2, GFN_EDGES, CALL_OP(MEM_CTL, COPY, SYM(S_DOM), 17, 1, SYM(S_OWN)));
EDGES(copy_src, 4, GFN_EDGES, CALL_OP(MEM_CTL, COPY, SYM(S_DOM), 17, 1, SYM(S_OWN)));
EDGES(copy_two_src, 4, GFN2_EDGES, CALL_OP(MEM_CTL, COPY, SYM(S_DOM), 17, 2, SYM(S_OWN)));
#define COUNT_EDGES LIST({ 0, I }, { 1, A }, { 16, A }, { 17, A }, { PV_MAX_GFN - 99, A }, { PV_MAX_GFN - 98, R }, \
			 { 1ull << 52, R }, { ~0ull - 100, R }, { ~0ull, R })
EDGES(populate_n, 3, COUNT_EDGES, CALL_OP(MEM_CTL, POPULATE, SYM(S_DOM), 100, 1));
EDGES(release_n, 3, COUNT_EDGES, CALL_OP(MEM_CTL, RELEASE, SYM(S_DOM), 100, 1));
EDGES(grant_unmap_n, 3, COUNT_EDGES, CALL_OP(GRANT_CTL, UNMAP, 0, 100, 1, 0), .ends = true);
EDGES(grant_unmap_gfn, 2, GFN_EDGES, CALL_OP(GRANT_CTL, UNMAP, 0, 100, 1, 0), .ends = true);
EDGES(grant_gfn, 2, GFN_EDGES, CALL_OP(GRANT_CTL, CREATE, SYM(S_DOM), 17, 1, GRANT_RO), .yields = true);
EDGES(grant_two_gfn, 2, GFN2_EDGES, CALL_OP(GRANT_CTL, CREATE, SYM(S_DOM), 17, 2, GRANT_RO), .yields = true);
EDGES(grant_n, 3, N_EDGES, CALL_OP(GRANT_CTL, CREATE, SYM(S_DOM), 17, 1, GRANT_RO), .yields = true);
EDGES(grant_map_gfn, 2,
      LIST({ 0, A }, { PV_MAX_GFN, R }, { PV_MAX_GFN + 1, R }, { 1ull << 52, R }, { ~0ull - 1, R }, { ~0ull, R }),
      CALL_OP(GRANT_CTL, MAP, SYM(S_STALE), 100, 2, 0), .ends = true);
EDGES(grant_map_n, 3,
      LIST({ 0, I }, { 1, A }, { 2, A }, { 512, A }, { 513, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(GRANT_CTL, MAP, SYM(S_STALE), 100, 2, 0), .ends = true);

#define ROOT_EDGES LIST({ 0, A }, { 0xfff, I }, { 0x1000, A }, { (u64)PV_MAX_GFN << 12, A }, \
			{ (PV_MAX_GFN + 1ull) << 12, R }, { 1ull << 52, R }, { ~0xfffull, R }, { ~0ull - 1, I })
EDGES(load_root, 0, ROOT_EDGES, CALL(AS_LOAD_ROOT, 0, 0), .ends = true);
EDGES(kernel_root, 1, ROOT_EDGES, CALL_OP(AS_CTL, SET_KERNEL_ROOT, 0), .ends = true);
EDGES(drop_root, 1, ROOT_EDGES, CALL_OP(AS_CTL, DROP, 0), .ends = true);
EDGES(destroy_root, 1, ROOT_EDGES, CALL_OP(AS_CTL, DESTROY, 0), .ends = true);
EDGES(flush_root, 0, ROOT_EDGES, CALL(AS_FLUSH, 0, 0, 0, 0), .ends = true);
EDGES(flush_end, 2,
      LIST({ 0, A }, { 0x1000, I }, { 0x2000, A }, { 0x2001, I }, { LOW_END - 0x1000, A }, { LOW_END, A },
	   { LOW_END + 0x1000, R }, { PV_HOLE_START, R }, { ~0xfffull, R }),
      CALL(AS_FLUSH, PV_FOREVER, 0x1000, 0, 0), .ends = true);
EDGES(flush_kernel_start, 1,
      LIST({ 0, R }, { LOW_END, R }, { PV_HOLE_START - 0x1000, R }, { PV_HOLE_START, A }, { PV_HOLE_END, A },
	   { ~0xfffull - 0x1000, A }, { ~0xfffull, I }, { ~0ull, I }),
      CALL(AS_FLUSH, PV_FOREVER, 0, ~0xfffull, PV_FLUSH_KERNEL), .ends = true);

/* ---- vCPUs: S_DOM may have two ---- */

#define VCPU_EDGES LIST({ 0, A }, { 1, A }, { 2, R }, { 15, R }, { 16, R }, { 17, R }, { 255, R }, { 1ull << 32, R }, \
			{ 1ull << 63, R }, { ~0ull, R })
EDGES(vcpu_create, 2, VCPU_EDGES, CALL_OP(VCPU_CTL, CREATE, SYM(S_DOM), 1), .ends = true);
EDGES(vcpu_start, 2, VCPU_EDGES, CALL_OP(VCPU_CTL, START, SYM(S_DOM), 1), .ends = true);
EDGES(vcpu_stop, 2, VCPU_EDGES, CALL_OP(VCPU_CTL, STOP, SYM(S_DOM), 1), .ends = true);
EDGES(vcpu_status, 2, VCPU_EDGES, CALL_OP(VCPU_CTL, STATUS, SYM(S_DOM), 1), .ends = true);
EDGES(vcpu_kick, 2, VCPU_EDGES, CALL_OP(VCPU_CTL, KICK, SYM(S_DOM), 1), .ends = true);
EDGES(regs_get, 2, VCPU_EDGES, CALL_OP(VCPU_REGS, GET, SYM(S_DOM), 1), .ends = true);

static void registers(void)
{
	struct pv_vcpu_gpr gpr = { .rip = 0x400000, .rflags = 0x202, .root = PV_FOREVER };

	batch_put(&gpr, sizeof(gpr));
}

EDGES(regs_set, 2, VCPU_EDGES, CALL_OP(VCPU_REGS, SET, SYM(S_DOM), 0), .batch = registers);
#define ADDRESS_EDGES LIST({ 0, A }, { LOW_END - 1, A }, { LOW_END, I }, { 0xffff7fffffffffff, I }, \
			   { PV_HOLE_START, I }, { PV_HOLE_START + 1, I }, { PV_HOLE_END - 1, I }, { PV_HOLE_END, A }, \
			   { 0xffffffff81000000, A }, { ~0ull, A }, { 1ull << 63, I }, { 1ull << 47 | 1ull << 63, I })
EDGES(regs_rip, AT_BATCH64(vcpu_gpr, rip), ADDRESS_EDGES, CALL_OP(VCPU_REGS, SET, SYM(S_DOM), 0),
      .batch = registers);
EDGES(regs_gs, AT_BATCH64(vcpu_gpr, kernel_gs_base), ADDRESS_EDGES, CALL_OP(VCPU_REGS, SET, SYM(S_DOM), 0),
      .batch = registers);
EDGES(regs_root, AT_BATCH64(vcpu_gpr, root), ROOT_EDGES, CALL_OP(VCPU_REGS, SET, SYM(S_WALKED), 0),
      .batch = registers);

static void no_entries(void)
{
	memset(vcs0->batch, 0, sizeof(struct pv_entry));
}

EDGES(user_entry, AT_BATCH64(entry, user_entry), ADDRESS_EDGES, CALL_OP(VCPU_SETUP, SET_ENTRY), .batch = no_entries);
EDGES(kernel_entry, AT_BATCH64(entry, kernel_entry), ADDRESS_EDGES, CALL_OP(VCPU_SETUP, SET_ENTRY),
      .batch = no_entries);
EDGES(syscall_entry, AT_BATCH64(entry, syscall_entry), ADDRESS_EDGES, CALL_OP(VCPU_SETUP, SET_ENTRY),
      .batch = no_entries);
EDGES(eretu, AT_BATCH64(entry, eretu), ADDRESS_EDGES, CALL_OP(VCPU_SETUP, SET_ENTRY), .batch = no_entries);
EDGES(erets, AT_BATCH64(entry, erets), ADDRESS_EDGES, CALL_OP(VCPU_SETUP, SET_ENTRY), .batch = no_entries);
EDGES(kernel_gs, 1, ADDRESS_EDGES, CALL_OP(VCPU_SETUP, SET_KERNEL_GS, 0));
EDGES(vcs_gfn, 1, LIST({ 0, A }, { PV_MAX_GFN, A }, { PV_MAX_GFN + 1, R }, { 1ull << 52, R }, { ~0ull, R }),
      CALL_OP(VCPU_SETUP, SET_VCS, SYM(S_VCS)));
EDGES(port_page_gfn, 1, LIST({ 0, A }, { PV_MAX_GFN, A }, { PV_MAX_GFN + 1, R }, { 1ull << 52, R }, { ~0ull, R }),
      CALL_OP(VCPU_SETUP, SET_PORT_PAGE, SYM(S_HOLE)));

/* ---- ports and interrupts ---- */

#define PORT_EDGES LIST({ 0, A }, { PV_MAX_PORTS - 1, A }, { PV_MAX_PORTS, R }, { PV_MAX_PORTS + 1, R }, \
			{ 1ull << 16, R }, { 1ull << 32, R }, { ~0ull, R })
EDGES(connect_port, 1, PORT_EDGES, CALL_OP(PORT_CTL, CONNECT, 0, PV_SELF, SYM(S_DOM), SYM(S_DOM_PORT)), .ends = true);
EDGES(connect_peer, 4, PORT_EDGES, CALL_OP(PORT_CTL, CONNECT, SYM(S_PORT), PV_SELF, SYM(S_DOM), 0), .ends = true);
EDGES(virq_port, 1, PORT_EDGES, CALL_OP(PORT_CTL, BIND_VIRQ, 0, PV_VIRQ_CHILD), .ends = true);
EDGES(irq_port, 1, PORT_EDGES, CALL_OP(PORT_CTL, BIND_IRQ, 0, SYM(S_IRQ)), .ends = true);
EDGES(move_port, 1, PORT_EDGES, CALL_OP(PORT_CTL, MOVE, 0, 0), .ends = true);
EDGES(eoi_port, 1, PORT_EDGES, CALL_OP(PORT_CTL, EOI, 0), .ends = true);
EDGES(close_port, 1, PORT_EDGES, CALL_OP(PORT_CTL, CLOSE, 0), .ends = true);
EDGES(status_port, 1, PORT_EDGES, CALL_OP(PORT_CTL, STATUS, 0));
EDGES(send_port, 0, PORT_EDGES, CALL(PORT_SEND, 0), .ends = true);
EDGES(virq, 2, LIST({ 0, A }, { 2, R }, { 3, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(PORT_CTL, BIND_VIRQ, SYM(S_BOUND), 0), .ends = true);
EDGES(move_vcpu, 2, LIST({ 0, A }, { PV_MAX_VCPUS, R }, { 255, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(PORT_CTL, MOVE, SYM(S_PORT), 0));
/* To a vCPU that does not exist. */
EDGES(ipi_vector, 1,
      LIST({ 0, R }, { 31, R }, { 0x20, R }, { 0x2f, R }, { 0x30, A }, { 255, A }, { 256, R }, { 1ull << 32 | 0x40, R },
	   { ~0ull, R }),
      CALL(SEND_IPI, 1ull << 15, 0x40), .ends = true);

/* ---- domains ---- */

static void create_arguments(void)
{
	struct pv_dom_create args = dom_defaults();

	batch_put(&args, sizeof(args));
}

#define CREATE CALL(DOM_CREATE, SYM(S_HOST)), .batch = create_arguments, .yields = true
#define QUOTA_MAX { PV_MAX_GFN, A }, { PV_MAX_GFN + 1, R }, { 1ull << 52, R }, { ~0ull, R }
EDGES(create_mem, AT_BATCH64(dom_create, mem_pages), LIST({ 0, R }, { 1, A }, QUOTA_MAX), CREATE);
EDGES(create_kmem, AT_BATCH64(dom_create, kmem_pages), LIST({ 0, R }, { 31, R }, { 32, A }, QUOTA_MAX), CREATE);
EDGES(create_vcpus, AT_BATCH32(dom_create, max_vcpus), LIST({ 0, R }, { 1, A }, { 16, A }, { 17, R }, { ~0u, R }),
      CREATE);
EDGES(create_weight, AT_BATCH32(dom_create, weight),
      LIST({ 0, R }, { 1, A }, { 65535, A }, { 65536, R }, { ~0u, R }), CREATE);
EDGES(create_cap, AT_BATCH32(dom_create, cap), LIST({ 0, A }, { 1, A }, { 100, A }, { 6401, R }, { ~0u, R }), CREATE);
EDGES(create_affinity, AT_BATCH64(dom_create, affinity), LIST({ 0, A }, { 1, A }, { ~0ull, A }, { 1ull << 63, R }),
      CREATE);
EDGES(create_vtlb, AT_BATCH32(dom_create, vtlb_tables), LIST({ 0, A }, { 1, A }, { 64, A }, { ~0u, A }), CREATE);
EDGES(create_kind, AT_BATCH32(dom_create, kind), LIST({ 0, A }, { 1, A }, { 2, I }, { ~0u, I }), CREATE);
EDGES(sched_weight, 2, LIST({ 0, R }, { 1, A }, { 65535, A }, { 65536, R }, { 1ull << 32 | 1, R }, { ~0ull, R }),
      CALL_OP(SCHED_CTL, SET_WEIGHT, SYM(S_DOM), 256));
EDGES(sched_cap, 2, LIST({ 0, A }, { 100, A }, { 6401, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(SCHED_CTL, SET_CAP, SYM(S_DOM), 0));
EDGES(sched_affinity, 2, LIST({ 0, A }, { 1, A }, { ~0ull, A }, { 1ull << 63, R }),
      CALL_OP(SCHED_CTL, SET_AFFINITY, SYM(S_DOM), 0));
EDGES(shutdown_reason, 2,
      LIST({ 0, I }, { (u64)PV_REASON_FAULT << 32, I }, { 8ull << 32, I }, { 1ull << 63, I }, { ~0ull, I }),
      CALL_OP(DOM_CTL, SHUTDOWN, PV_SELF, 0), .ends = true);

/* ---- the machine and the processor ---- */

static void newline(void)
{
	memset(vcs0->batch, '\n', 64);
}

EDGES(console_len, 0, LIST({ 0, I }, { 1, A }, { PV_CONSOLE_MAX + 1, I }, { 1ull << 32 | 1, I }, { ~0ull, I }),
      CALL(CONSOLE_WRITE, 1), .batch = newline);
EDGES(log_read_len, 3, LIST({ 0, I }, { 1, A }, { 2040, A }, { 2041, R }, { 1ull << 32 | 1, R }, { ~0ull, R }),
      CALL_OP(HOST_CTL, LOG_READ, SYM(S_HOST), 0, 1));
EDGES(log_read_position, 2, LIST({ 0, A }, { 1, A }, { 1ull << 63, A }, { ~0ull, A }),
      CALL_OP(HOST_CTL, LOG_READ, SYM(S_HOST), 0, 16));
EDGES(log_write_len, 2, LIST({ 0, I }, { 1, A }, { 64, A }, { 2049, R }, { 1ull << 32 | 1, R }, { ~0ull, R }),
      CALL_OP(HOST_CTL, LOG_WRITE, SYM(S_HOST), 1), .batch = newline);
EDGES(trace_cpu, 2, LIST({ 0, A }, { 64, R }, { 255, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(HOST_CTL, TRACE_READ, SYM(S_HOST), 0));
EDGES(irq_line, 2, LIST({ 0, A }, { 11, A }, { 128, R }, { 1ull << 32 | 11, R }, { ~0ull, R }),
      CALL_OP(HOST_CTL, IRQ_CAP, SYM(S_HOST), 11), .yields = true);
EDGES(exit_code, 2, LIST({ 128, R }, { 255, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(HOST_CTL, POWEROFF, SYM(S_HOST), 0), .ends = true);
EDGES(ioport_first, 3, LIST({ 0xffff, A }, { 0x10000, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(HOST_CTL, IOPORTS, SYM(S_HOST), SYM(S_DOM), 0x1000, 1));
EDGES(ioport_count, 4, LIST({ 0, I }, { 1, A }, { 64, A }, { 65, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(HOST_CTL, IOPORTS, SYM(S_HOST), SYM(S_DOM), 0x1000, 1), .ends = true);
EDGES(ioport_end, 3, LIST({ 0xffc0, A }, { 0xffc1, R }, { 0xffff, R }),
      CALL_OP(HOST_CTL, IOPORTS, SYM(S_HOST), SYM(S_DOM), 0x1000, 64), .ends = true);
EDGES(dev_bdf, 2, LIST({ 0, A }, { 0xffff, A }, { 0x10000, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(DEV_CTL, CAP, SYM(S_HOST), 0xffff));
EDGES(dev_cfg_offset, 2, LIST({ 0, A }, { 254, A }, { 255, I }, { 256, R }, { 1ull << 32, R }, { ~0ull, I }),
      CALL_OP(DEV_CTL, CFG_READ, SYM(S_DEV), 0, 2));
EDGES(dev_map_bar, 2, LIST({ 0, A }, { 5, A }, { 6, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(DEV_CTL, MAP, SYM(S_DEV), 4, 0, 48, 1));
EDGES(dev_map_gfn, 4, LIST({ 48, A }, { PV_MAX_GFN + 1, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(DEV_CTL, MAP, SYM(S_DEV), 4, 0, 48, 1));
EDGES(dev_map_count, 5, LIST({ 0, I }, { 1, A }, { 512, A }, { 513, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(DEV_CTL, MAP, SYM(S_DEV), 4, 0, 48, 1));
EDGES(cpuid_leaf, 0, LIST({ 0, A }, { 0x7fffffff, A }, { 0x80000000, A }, { ~0u, A }, { 1ull << 32, R }, { ~0ull, R }),
      CALL(CPUID, 0, 0));
EDGES(cpuid_subleaf, 1, LIST({ 0, A }, { ~0u, A }, { 1ull << 32, R }, { ~0ull, R }), CALL(CPUID, 4, 0));
EDGES(debug_number, 1,
      LIST({ 0, A }, { 3, A }, { 4, R }, { 5, R }, { 6, A }, { 7, A }, { 8, R }, { 1ull << 32, R }, { ~0ull, R }),
      CALL_OP(DEBUG_REG, READ, 0));
EDGES(debug_address, 2,
      LIST({ 0, A }, { LOW_END - 8, A }, { LOW_END, I }, { PV_HOLE_START - 8, I }, { PV_HOLE_START, I },
	   { PV_HOLE_END - 1, I }, { PV_HOLE_END, A }),
      CALL_OP(DEBUG_REG, WRITE, 0, 0));
EDGES(msr_index, 1, LIST({ 0x10, A }, { ~0u, A }, { 1ull << 32, A }, { ~0ull, A }), CALL_OP(MSR, READ, 0x10));
EDGES(load_gs, 1, LIST({ 0, A }, { 3, A }, { 4, I }, { 0x10, I }, { 0xffff, I }, { 0x10000, I }, { ~0ull, I }),
      CALL_OP(SEG_CTL, LOAD_GS, 0));
EDGES(cpunode_aux, 2, LIST({ 0, A }, { ~0u, A }, { 1ull << 32, I }, { ~0ull, I }),
      CALL_OP(SEG_CTL, SET_CPUNODE, 0, 0));
EDGES(wait_flags, 0, LIST({ 0, A }, { 2, I }, { 3, I }, { 1ull << 32, I }, { ~0ull, I }), CALL(WAIT, 0, 0));
