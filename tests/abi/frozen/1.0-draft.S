/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 1.0-draft.S - a program as it was built from pv-abi 1.0 draft. Every later kernel of ABI 1 must run it. It is
 * assembled with the frozen numbers, and its bytes are checked against the digest in programs.toml: it is the same
 * program for ever. It asks nothing that may change within a major version: levels of use, sizes of tables, rights
 * and features that come later, how much of a batch one call completes.
 */
#include "1.0-draft.h"

#define S_START 0
#define S_HOST 1
#define S_VCS 2	/* addresses */
#define S_PORTS 3
#define S_SHADOW 4	/* the batch area */
#define S_PAGE 5	/* a page of the program's own, and its frame */
#define S_PAGE_GFN 6
#define S_CAP 7
#define S_DOM 8
#define S_PORT 9
#define S_PEER 10
#define S_GRANT 11
#define S_IRQ 12
#define S_VIRQ 13
#define S_WORD 14
#define S_DOMAINS 15
#define S_CAPS 16
#define S_GRANTS 17
#define S_WALKED 18
#define S_EVENTS_GFN 19 /* frames of the children's code */
#define S_WALKED_GFN 20

#define HERE SLOT(S_SHADOW)

#include "interpreter.S"

/* What the children find at their start, and where. */
#define CODE 0x400
#define VCS 0x401
#define PORTS 0x402
#define SHARE 0x403
#define STACK 0x404
#define TABLES 0x405 /* five frames of page tables */
#define AT(frame) frame*0x1000 /* without parentheses: it stands in operands */
#define USER 0x10000000000 /* where the walked child's user mode sees its code */
#define WINDOW 0x3000000 /* frames of the root domain that are holes */

#define SELF PV_SELF
#define RW PV_PROT_READ+PV_PROT_WRITE
#define RX PV_PROT_READ+PV_PROT_EXEC
#define HOLE PV_HOLE_START

/* ---- facts ---- */
row GE, PV_HC_INFO, 0x10000, "INFO VERSION: major 1", PV_INFO_VERSION
row LT, PV_HC_INFO, 0x20000, "INFO VERSION: not 2", PV_INFO_VERSION
row EQ, PV_HC_INFO, -PV_EINVAL, "INFO VERSION with a handle", PV_INFO_VERSION, 1
row EQ, PV_HC_INFO, -PV_ENOSYS, "INFO leaf that is none", 1000
row GE, PV_HC_INFO, 0, "INFO FEATURES", PV_INFO_FEATURES
row EQ, PV_HC_INFO, 0, "INFO SYSTEM", PV_INFO_SYSTEM
row EQ, X_GET4, 1, "info_system.abi_major", HERE, PVO_info_system_abi_major
row GE, X_GET4, 1, "info_system.cpus", HERE, PVO_info_system_cpus
row GE, X_GET8, 1000000, "info_system.tsc_hz", HERE, PVO_info_system_tsc_hz
row GE, X_GET8, 1, "info_system.frames_total", HERE, PVO_info_system_frames_total
row EQ, PV_HC_INFO, -PV_ECAP, "INFO COUNTERS of a domain", PV_INFO_COUNTERS, SELF
row EQ, PV_HC_INFO, 0, "INFO COUNTERS", PV_INFO_COUNTERS, SLOT(S_HOST)
row EQ, X_GET8, 0, "counters.audit_findings", HERE, PVO_counters_audit_findings
row GE, X_GET8, 1, "counters.hypercalls", HERE, PVO_counters_hypercalls
row KEEP, X_GET8, S_DOMAINS, "counters.domains", HERE, PVO_counters_domains
row KEEP, X_GET8, S_GRANTS, "counters.grants", HERE, PVO_counters_grants
row KEEP, X_GET8, S_CAPS, "counters.caps", HERE, PVO_counters_caps
row EQ, 1000, -PV_ENOSYS, "a number that is no hypercall"
row EQ, (1<<32)+PV_HC_INFO, -PV_ENOSYS, "a number is compared as 64 bits"
row EQ, X_GET8, PV_START_MAGIC, "start_info.magic", SLOT(S_START), PVO_start_info_magic
row EQ, X_GET4, PV_START_VERSION, "start_info.version", SLOT(S_START), PVO_start_info_version
row GE, X_GET4, 1, "start_info.memmap_count", SLOT(S_START), PVO_start_info_memmap_count
row EQ, X_GET8, PV_ROOT_MODULE_BASE, "start_info.initrd_addr", SLOT(S_START), PVO_start_info_initrd_addr
row KEEP, X_GET8, S_WORD, , SLOT(S_START), PVO_start_info_initrd_addr
row EQ, X_GET8, PV_IMAGE_MAGIC, "image_header.magic", SLOT(S_WORD), PVO_image_header_magic
row EQ, PV_HC_CPUID, 0, "CPUID leaf 0", 0, 0
row GE, X_GET4, 1, "cpuid.eax: the highest leaf", HERE, PVO_cpuid_eax
row EQ, PV_HC_CPUID, -PV_ERANGE, "CPUID leaf above 32 bits", 1<<32, 0

/* ---- console, capabilities ---- */
row EQ, X_PUT8, 0, , HERE, 0, 0x0a6e657a6f7266 /* "frozen\n" */
row EQ, PV_HC_CONSOLE_WRITE, 7, "CONSOLE_WRITE", 7
row EQ, PV_HC_CONSOLE_WRITE, -PV_EINVAL, "CONSOLE_WRITE of nothing", 0
row EQ, PV_HC_CONSOLE_WRITE, -PV_EINVAL, "CONSOLE_WRITE of too much", PV_CONSOLE_MAX+1
row EQ, PV_HC_CAP_CTL, (PV_CAP_DOMAIN<<32)+PV_RIGHT_DOM_ALL, "CAP_CTL INSPECT of PV_SELF", PV_CAP_CTL_INSPECT, SELF
row GE, PV_HC_CAP_CTL, (PV_CAP_HOST<<32)+PV_RIGHT_HOST_ALL, "INSPECT of the host", PV_CAP_CTL_INSPECT, SLOT(S_HOST)
row EQ, PV_HC_CAP_CTL, -PV_EINVAL, "COPY without rights", PV_CAP_CTL_COPY, SELF, SELF, 0
row KEEP, PV_HC_CAP_CTL, S_CAP, "COPY", PV_CAP_CTL_COPY, SELF, SELF, PV_RIGHT_DOM_STATUS
row EQ, PV_HC_CAP_CTL, (PV_CAP_DOMAIN<<32)+PV_RIGHT_DOM_STATUS, "INSPECT of the copy", PV_CAP_CTL_INSPECT, SLOT(S_CAP)
row EQ, PV_HC_CAP_CTL, -PV_EPERM, "COPY with a right it lacks", PV_CAP_CTL_COPY, SLOT(S_CAP), SELF, PV_RIGHT_DOM_CTL
row EQ, PV_HC_DOM_CTL, 0, "STATUS by the copy", PV_DOM_CTL_STATUS, SLOT(S_CAP)
row EQ, PV_HC_SCHED_CTL, -PV_EPERM, "SET_WEIGHT by it", PV_SCHED_CTL_SET_WEIGHT, SLOT(S_CAP), 1024
row EQ, PV_HC_SCHED_CTL, -PV_ERANGE, "ERANGE before EPERM", PV_SCHED_CTL_SET_WEIGHT, SLOT(S_CAP), 0
row EQ, PV_HC_CAP_CTL, 0, "DROP", PV_CAP_CTL_DROP, SLOT(S_CAP)
row EQ, PV_HC_CAP_CTL, -PV_ECAP, "INSPECT of a stale handle", PV_CAP_CTL_INSPECT, SLOT(S_CAP)
row EQ, PV_HC_CAP_CTL, -PV_EINVAL, "DROP of PV_SELF", PV_CAP_CTL_DROP, SELF
row EQ, PV_HC_CAP_CTL, -PV_ENOSYS, "an operation that is none", 77, SELF

/* ---- a domain ---- */
row EQ, X_ZERO, 0, , HERE, PV_SIZEOF_dom_create
row EQ, X_PUT8, 0, , HERE, PVO_dom_create_name, 0x646c696863 /* "child" */
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_kind, PV_KIND_EXPLICIT
row EQ, X_PUT8, 0, , HERE, PVO_dom_create_mem_pages, 64
row EQ, X_PUT8, 0, , HERE, PVO_dom_create_kmem_pages, 96
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_max_vcpus, 2
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_vtlb_tables, PV_VTLB_MAX
row EQ, PV_HC_DOM_CREATE, -PV_ERANGE, "DOM_CREATE without weight", SLOT(S_HOST)
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_weight, 256
row EQ, PV_HC_DOM_CREATE, -PV_ECAP, "DOM_CREATE by a domain", SELF
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_flags, 0x80000000
row EQ, PV_HC_DOM_CREATE, -PV_EINVAL, "an unknown flag, before ECAP", SELF
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_flags, 0
row KEEP, PV_HC_DOM_CREATE, S_DOM, "DOM_CREATE", SLOT(S_HOST)
row EQ, PV_HC_DOM_CTL, 0, "STATUS", PV_DOM_CTL_STATUS, SLOT(S_DOM)
row EQ, X_GET4, PV_DOM_BUILT, "dom_status.state", HERE, PVO_dom_status_state
row EQ, X_GET8, 64, "dom_status.mem_quota", HERE, PVO_dom_status_mem_quota
row EQ, X_GET8, 0, "dom_status.mem_used", HERE, PVO_dom_status_mem_used
row EQ, X_GET8, 96, "dom_status.kmem_quota", HERE, PVO_dom_status_kmem_quota
row EQ, X_GET4, 256, "dom_status.weight", HERE, PVO_dom_status_weight
row EQ, PV_HC_DOM_CTL, -PV_ESTATE, "UNPAUSE without a vCPU", PV_DOM_CTL_UNPAUSE, SLOT(S_DOM)
row EQ, PV_HC_DOM_CTL, -PV_EINVAL, "PAUSE of PV_SELF", PV_DOM_CTL_PAUSE, SELF
row EQ, PV_HC_DOM_CTL, -PV_EINVAL, "DESTROY of PV_SELF", PV_DOM_CTL_DESTROY, SELF
row EQ, PV_HC_SCHED_CTL, 0, "SET_WEIGHT", PV_SCHED_CTL_SET_WEIGHT, SLOT(S_DOM), 512
row EQ, PV_HC_SCHED_CTL, 0, "SET_CAP", PV_SCHED_CTL_SET_CAP, SLOT(S_DOM), 0
row EQ, PV_HC_SCHED_CTL, -PV_ERANGE, "SET_CAP beyond all CPUs", PV_SCHED_CTL_SET_CAP, SLOT(S_DOM), 1000000
row EQ, PV_HC_SCHED_CTL, 0, "SET_AFFINITY", PV_SCHED_CTL_SET_AFFINITY, SLOT(S_DOM), 1
row EQ, PV_HC_SCHED_CTL, 0, "SET_AFFINITY to all", PV_SCHED_CTL_SET_AFFINITY, SLOT(S_DOM), 0

/* ---- its memory: one frame a call, because a call may complete fewer than asked ---- */
row EQ, PV_HC_MEM_CTL, -PV_EINVAL, "POPULATE of none", PV_MEM_CTL_POPULATE, SLOT(S_DOM), CODE, 0
row EQ, PV_HC_MEM_CTL, -PV_ERANGE, "POPULATE beyond the end", PV_MEM_CTL_POPULATE, SLOT(S_DOM), PV_MAX_GFN+1, 1
row EQ, PV_HC_MEM_CTL, -PV_EFAULT, "COPY into a hole", PV_MEM_CTL_COPY, SLOT(S_DOM), CODE, 1, SLOT(S_PAGE_GFN)
.irp frame, 0, 1, 2, 3, 4
row EQ, PV_HC_MEM_CTL, 1, "POPULATE", PV_MEM_CTL_POPULATE, SLOT(S_DOM), CODE+\frame, 1
.endr
row EQ, PV_HC_MEM_CTL, -PV_EEXIST, "POPULATE again", PV_MEM_CTL_POPULATE, SLOT(S_DOM), CODE, 1
row EQ, PV_HC_MEM_CTL, 1, "COPY", PV_MEM_CTL_COPY, SLOT(S_DOM), CODE, 1, SLOT(S_EVENTS_GFN)
row EQ, PV_HC_MEM_CTL, 1, "POPULATE of one more", PV_MEM_CTL_POPULATE, SLOT(S_DOM), CODE+100, 1
row EQ, PV_HC_MEM_CTL, 1, "RELEASE", PV_MEM_CTL_RELEASE, SLOT(S_DOM), CODE+100, 1
row EQ, PV_HC_MEM_CTL, -PV_ENOENT, "RELEASE of a hole", PV_MEM_CTL_RELEASE, SLOT(S_DOM), CODE+100, 1
row EQ, PV_HC_AS_MAP, 1, "AS_MAP MAP", PV_AS_MAP_MAP, SLOT(S_DOM), AT(CODE), CODE, 1, RX
.irp frame, 1, 2, 3, 4
row EQ, PV_HC_AS_MAP, 1, "MAP", PV_AS_MAP_MAP, SLOT(S_DOM), AT(CODE)+0x1000*\frame, CODE+\frame, 1, RW
.endr
row EQ, PV_HC_AS_MAP, -PV_EEXIST, "MAP again", PV_AS_MAP_MAP, SLOT(S_DOM), AT(CODE), CODE, 1, RX
row EQ, PV_HC_AS_MAP, -PV_EFAULT, "MAP of a hole", PV_AS_MAP_MAP, SLOT(S_DOM), 0x700000, 0x700, 1, RW
row EQ, PV_HC_AS_MAP, -PV_EINVAL, "MAP to write and execute", PV_AS_MAP_MAP, SLOT(S_DOM), 0x700000, 0x700, 1, RW+PV_PROT_EXEC
row EQ, PV_HC_AS_MAP, -PV_EINVAL, "MAP at half a page", PV_AS_MAP_MAP, SLOT(S_DOM), 0x700800, CODE, 1, RW
row EQ, PV_HC_AS_MAP, -PV_ERANGE, "MAP of page 0", PV_AS_MAP_MAP, SLOT(S_DOM), 0, CODE, 1, RW
row EQ, PV_HC_AS_MAP, -PV_ENOENT, "UNMAP of nothing", PV_AS_MAP_UNMAP, SLOT(S_DOM), 0x700000, 0, 1
row EQ, PV_HC_AS_MAP, -PV_ENOENT, "PROTECT of nothing", PV_AS_MAP_PROTECT, SLOT(S_DOM), 0x700000, 0, 1, RW
row EQ, PV_HC_AS_MAP, 1, "PROTECT", PV_AS_MAP_PROTECT, SLOT(S_DOM), AT(STACK), 0, 1, RW

/* ---- a grant of it, seen here ---- */
row EQ, PV_HC_GRANT_CTL, -PV_EINVAL, "CREATE to write only", PV_GRANT_CTL_CREATE, SLOT(S_DOM), SHARE, 1, PV_RIGHT_GRANT_WRITE
row EQ, PV_HC_GRANT_CTL, -PV_EFAULT, "CREATE of a hole", PV_GRANT_CTL_CREATE, SLOT(S_DOM), 0x700, 1, PV_RIGHT_GRANT_READ
row KEEP, PV_HC_GRANT_CTL, S_GRANT, "CREATE", PV_GRANT_CTL_CREATE, SLOT(S_DOM), SHARE, 1, 3
row EQ, PV_HC_CAP_CTL, (PV_CAP_GRANT<<32)+7, "INSPECT of a grant", PV_CAP_CTL_INSPECT, SLOT(S_GRANT)
row EQ, PV_HC_GRANT_CTL, -PV_EINVAL, "MAP of another size", PV_GRANT_CTL_MAP, SLOT(S_GRANT), WINDOW, 2, 1
row EQ, PV_HC_GRANT_CTL, -PV_EEXIST, "MAP over a frame", PV_GRANT_CTL_MAP, SLOT(S_GRANT), SLOT(S_PAGE_GFN), 1, 1
row EQ, PV_HC_GRANT_CTL, 1, "GRANT_CTL MAP", PV_GRANT_CTL_MAP, SLOT(S_GRANT), WINDOW, 1, 1
row EQ, PV_HC_AS_MAP, 1, "MAP of a granted frame", PV_AS_MAP_MAP, SELF, AT(WINDOW), WINDOW, 1, RW
row EQ, X_GET8, 0, "a fresh frame is zero", AT(WINDOW), 0
row EQ, PV_HC_MEM_CTL, -PV_EBUSY, "RELEASE of a granted frame", PV_MEM_CTL_RELEASE, SLOT(S_DOM), SHARE, 1
row EQ, PV_HC_GRANT_CTL, -PV_ENOENT, "UNMAP of a hole", PV_GRANT_CTL_UNMAP, 0, WINDOW+1, 1, 0

/* ---- its vCPU ---- */
row EQ, PV_HC_VCPU_CTL, 0, "VCPU_CTL CREATE", PV_VCPU_CTL_CREATE, SLOT(S_DOM), 0
row EQ, PV_HC_VCPU_CTL, -PV_EEXIST, "CREATE again", PV_VCPU_CTL_CREATE, SLOT(S_DOM), 0
row EQ, PV_HC_VCPU_CTL, -PV_ERANGE, "CREATE beyond max_vcpus", PV_VCPU_CTL_CREATE, SLOT(S_DOM), 2
row EQ, PV_HC_VCPU_CTL, -PV_ENOENT, "START of none", PV_VCPU_CTL_START, SLOT(S_DOM), 1
row EQ, PV_HC_VCPU_CTL, -PV_ENOENT, "KICK of none", PV_VCPU_CTL_KICK, SLOT(S_DOM), 1
row EQ, PV_HC_VCPU_CTL, 0, "VCPU_CTL STATUS", PV_VCPU_CTL_STATUS, SLOT(S_DOM), 0
row EQ, X_GET4, 0, "runstate.state: stopped", HERE, PVO_runstate_state
row EQ, PV_HC_VCPU_CTL, 0, "YIELD", PV_VCPU_CTL_YIELD, SELF, 0
row EQ, X_ZERO, 0, , HERE, PV_SIZEOF_vcpu_gpr
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_root, PV_FOREVER
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rsp, AT(STACK)+0xff0
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rdi, 0x1234
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rflags, 0x202
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rip, HOLE
row EQ, PV_HC_VCPU_REGS, -PV_EINVAL, "SET to the hole", PV_VCPU_REGS_SET, SLOT(S_DOM), 0
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rip, AT(CODE)

/* ---- ports ---- */
row EQ, PV_HC_PORT_CTL, -PV_EINVAL, "ALLOC with a number", PV_PORT_CTL_ALLOC, 1, SELF
row KEEP, PV_HC_PORT_CTL, S_PORT, "ALLOC", PV_PORT_CTL_ALLOC, 0, SELF
row EQ, PV_HC_PORT_CTL, PV_PORT_UNBOUND, "STATUS: unbound", PV_PORT_CTL_STATUS, SLOT(S_PORT)
row EQ, PV_HC_PORT_SEND, -PV_ESTATE, "PORT_SEND on it", SLOT(S_PORT)
row KEEP, PV_HC_PORT_CTL, S_PEER, "ALLOC for the child", PV_PORT_CTL_ALLOC, 0, SLOT(S_DOM)
row EQ, PV_HC_PORT_CTL, 0, "CONNECT", PV_PORT_CTL_CONNECT, SLOT(S_PORT), SELF, SLOT(S_DOM), SLOT(S_PEER)
row EQ, PV_HC_PORT_CTL, -PV_EBUSY, "CONNECT again", PV_PORT_CTL_CONNECT, SLOT(S_PORT), SELF, SLOT(S_DOM), SLOT(S_PEER)
row EQ, PV_HC_PORT_CTL, PV_PORT_INTERDOMAIN, "STATUS: interdomain", PV_PORT_CTL_STATUS, SLOT(S_PORT)
row EQ, PV_HC_PORT_CTL, 0, "MOVE", PV_PORT_CTL_MOVE, SLOT(S_PORT), 0
row EQ, PV_HC_PORT_CTL, -PV_ERANGE, "MOVE to no vCPU", PV_PORT_CTL_MOVE, SLOT(S_PORT), PV_MAX_VCPUS
row EQ, PV_HC_PORT_CTL, -PV_ESTATE, "EOI of no interrupt", PV_PORT_CTL_EOI, SLOT(S_PORT)
row EQ, PV_HC_PORT_CTL, -PV_ERANGE, "STATUS beyond the table", PV_PORT_CTL_STATUS, PV_MAX_PORTS
row EQ, PV_HC_PORT_SEND, -PV_ERANGE, "PORT_SEND beyond the table", PV_MAX_PORTS
row EQ, PV_HC_PORT_SEND, 0, "PORT_SEND without a port page", SLOT(S_PORT)
row KEEP, PV_HC_HOST_CTL, S_IRQ, "IRQ_CAP", PV_HOST_CTL_IRQ_CAP, SLOT(S_HOST), 11
row EQ, PV_HC_CAP_CTL, (PV_CAP_IRQ<<32)+PV_RIGHT_IRQ_BIND, "INSPECT of an interrupt", PV_CAP_CTL_INSPECT, SLOT(S_IRQ)
row EQ, PV_HC_HOST_CTL, -PV_EBUSY, "IRQ_CAP again", PV_HOST_CTL_IRQ_CAP, SLOT(S_HOST), 11
row KEEP, PV_HC_PORT_CTL, S_VIRQ, "ALLOC for an interrupt", PV_PORT_CTL_ALLOC, 0, SELF
row EQ, PV_HC_PORT_CTL, 0, "BIND_IRQ", PV_PORT_CTL_BIND_IRQ, SLOT(S_VIRQ), SLOT(S_IRQ)
row EQ, PV_HC_PORT_CTL, PV_PORT_IRQ, "STATUS: interrupt", PV_PORT_CTL_STATUS, SLOT(S_VIRQ)
row EQ, PV_HC_PORT_CTL, 0, "CLOSE", PV_PORT_CTL_CLOSE, SLOT(S_VIRQ)
row EQ, PV_HC_PORT_CTL, PV_PORT_FREE, "STATUS: free", PV_PORT_CTL_STATUS, SLOT(S_VIRQ)
row EQ, PV_HC_PORT_SEND, -PV_ENOENT, "PORT_SEND on a free port", SLOT(S_VIRQ)
row EQ, PV_HC_CAP_CTL, 0, "DROP of an interrupt", PV_CAP_CTL_DROP, SLOT(S_IRQ)

/* ---- this vCPU ---- */
row EQ, PV_HC_TIMER_SET, 0, "TIMER_SET: disarm", PV_FOREVER
row EQ, X_PUT8, 0, , SLOT(S_VCS), PVO_vcs_pend, 0
row EQ, X_PUT8, 0, , SLOT(S_VCS), PVO_vcs_pend+8, 0
row EQ, PV_HC_WAIT, 1, "WAIT polls", 0, 0
row EQ, PV_HC_WAIT, -PV_EINVAL, "WAIT with an unknown flag", 0x8000, 0
row EQ, PV_HC_IRQ_WIN, -PV_ESTATE, "IRQ_WIN while IF is clear"
row EQ, PV_HC_SEND_IPI, -PV_EINVAL, "SEND_IPI to nobody", 0, 0x40
row EQ, PV_HC_SEND_IPI, -PV_ERANGE, "SEND_IPI of an exception", 1, 0x0e
row EQ, PV_HC_SEND_IPI, -PV_ENOENT, "SEND_IPI to a vCPU that is none", 0x8001, 0x40
row EQ, X_GET8, 0, "and nobody was told", SLOT(S_VCS), PVO_vcs_pend+8
row EQ, PV_HC_SEND_IPI, 0, "SEND_IPI to itself", 1, 0x40
row EQ, X_GET8, 1, "vcs.pend", SLOT(S_VCS), PVO_vcs_pend+8
row EQ, PV_HC_WAIT, 0, "WAIT with something pending", 0, PV_FOREVER
row EQ, X_PUT8, 0, , SLOT(S_VCS), PVO_vcs_pend+8, 0
row EQ, PV_HC_DEBUG_REG, 0, "DEBUG_REG WRITE", PV_DEBUG_REG_WRITE, 1, 0x7000000
row EQ, PV_HC_DEBUG_REG, 0x7000000, "DEBUG_REG READ", PV_DEBUG_REG_READ, 1, 0
row EQ, PV_HC_DEBUG_REG, -PV_ERANGE, "DEBUG_REG 5", PV_DEBUG_REG_READ, 5, 0
row EQ, PV_HC_DEBUG_REG, -PV_EINVAL, "a breakpoint in the hole", PV_DEBUG_REG_WRITE, 0, HOLE
row EQ, PV_HC_DEBUG_REG, 0, "DEBUG_REG WRITE 0", PV_DEBUG_REG_WRITE, 1, 0
row EQ, PV_HC_MSR, -PV_ENOENT, "MSR READ of none", PV_MSR_READ, 0xdead, 0
row EQ, PV_HC_MSR, -PV_ENOENT, "MSR WRITE of none", PV_MSR_WRITE, 0xdead, 0
row EQ, PV_HC_MSR, -PV_EINVAL, "MSR READ with a value", PV_MSR_READ, 0x10, 1
row EQ, PV_HC_MSR, 0, "MSR READ of the TSC", PV_MSR_READ, 0x10, 0
row EQ, PV_HC_SEG_CTL, 0, "LOAD_TLS", PV_SEG_CTL_LOAD_TLS, 0x00cff3000000ffff, 0, 0
row EQ, PV_HC_SEG_CTL, -PV_EINVAL, "LOAD_TLS of 64-bit code", PV_SEG_CTL_LOAD_TLS, 0x00affb000000ffff, 0, 0
row EQ, PV_HC_SEG_CTL, 0, "LOAD_GS of nothing", PV_SEG_CTL_LOAD_GS, 0, 0, 0
row EQ, PV_HC_SEG_CTL, 0, "SET_CPUNODE", PV_SEG_CTL_SET_CPUNODE, 0x0040f30000005005, 7
row EQ, PV_HC_VCPU_SETUP, -PV_EFAULT, "SET_VCS to a hole", PV_VCPU_SETUP_SET_VCS, WINDOW+1
row EQ, PV_HC_VCPU_SETUP, -PV_ERANGE, "SET_VCS beyond the end", PV_VCPU_SETUP_SET_VCS, PV_MAX_GFN+1
row EQ, PV_HC_VCPU_SETUP, -PV_EBUSY, "SET_PORT_PAGE again", PV_VCPU_SETUP_SET_PORT_PAGE, SLOT(S_PAGE_GFN)
row EQ, PV_HC_VCPU_SETUP, -PV_EINVAL, "SET_KERNEL_GS to the hole", PV_VCPU_SETUP_SET_KERNEL_GS, HOLE
row EQ, PV_HC_VCPU_SETUP, 0, "SET_KERNEL_GS", PV_VCPU_SETUP_SET_KERNEL_GS, SLOT(S_PAGE)
row EQ, PV_HC_AS_LOAD_ROOT, -PV_ESTATE, "AS_LOAD_ROOT here", 0x400000, 0
row EQ, PV_HC_AS_FLUSH, -PV_ESTATE, "AS_FLUSH here", PV_FOREVER, 0, 0, 0
row EQ, PV_HC_AS_CTL, -PV_ESTATE, "AS_CTL here", PV_AS_CTL_DROP, 0x400000

/* ---- the machine ---- */
row EQ, PV_HC_HOST_CTL, -PV_EINVAL, "LOG_READ of nothing", PV_HOST_CTL_LOG_READ, SLOT(S_HOST), 0, 0
row EQ, PV_HC_HOST_CTL, -PV_ERANGE, "LOG_READ of too much", PV_HOST_CTL_LOG_READ, SLOT(S_HOST), 0, 2041
row GE, PV_HC_HOST_CTL, 1, "LOG_READ", PV_HOST_CTL_LOG_READ, SLOT(S_HOST), 0, 16
row EQ, PV_HC_HOST_CTL, -PV_EINVAL, "LOG_WRITE of nothing", PV_HOST_CTL_LOG_WRITE, SLOT(S_HOST), 0
row EQ, PV_HC_HOST_CTL, -PV_ERANGE, "POWEROFF with a code too large", PV_HOST_CTL_POWEROFF, SLOT(S_HOST), 128
row EQ, PV_HC_HOST_CTL, -PV_ECAP, "REBOOT by a domain", PV_HOST_CTL_REBOOT, SELF
row EQ, PV_HC_HOST_CTL, -PV_ERANGE, "TRACE_READ of no CPU", PV_HOST_CTL_TRACE_READ, SLOT(S_HOST), 100000
row EQ, PV_HC_HOST_CTL, -PV_EINVAL, "IOPORTS of none", PV_HOST_CTL_IOPORTS, SLOT(S_HOST), SELF, 0x80, 0
row EQ, PV_HC_HOST_CTL, 0, "IOPORTS", PV_HOST_CTL_IOPORTS, SLOT(S_HOST), SELF, 0x80, 1

/* ---- the child runs ---- */
row EQ, X_ZERO, 0, , HERE, PV_SIZEOF_vcpu_gpr
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_root, PV_FOREVER
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rsp, AT(STACK)+0xff0
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rdi, 0x1234
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rsi, SLOT(S_PEER)
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rflags, 0x202
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rip, AT(CODE)
row EQ, PV_HC_VCPU_REGS, 0, "VCPU_REGS SET", PV_VCPU_REGS_SET, SLOT(S_DOM), 0
row EQ, X_ZERO, 0, , HERE, PV_SIZEOF_vcpu_gpr
row EQ, PV_HC_VCPU_REGS, 0, "VCPU_REGS GET", PV_VCPU_REGS_GET, SLOT(S_DOM), 0
row EQ, X_GET8, AT(CODE), "vcpu_gpr.rip", HERE, PVO_vcpu_gpr_rip
row EQ, X_GET8, 0x1234, "vcpu_gpr.rdi", HERE, PVO_vcpu_gpr_rdi
row EQ, PV_HC_DOM_CTL, 0, "UNPAUSE", PV_DOM_CTL_UNPAUSE, SLOT(S_DOM)
row EQ, PV_HC_WAIT, 0, "WAIT for the child's event", 0, PV_FOREVER
row EQ, X_GET8, 0x200000000, "VEC_PORTS is pending", SLOT(S_VCS), PVO_vcs_pend
row GE, X_GET8, 1, "vcs.port_sel", SLOT(S_VCS), PVO_vcs_port_sel
row EQ, X_PUT8, 0, , SLOT(S_VCS), PVO_vcs_port_sel, 0
row EQ, X_ZERO, 0, , SLOT(S_PORTS), 512
row EQ, PV_HC_PORT_SEND, 0, "PORT_SEND to the child", SLOT(S_PORT)
row EQ, X_DOWN, PV_DOM_SHUTDOWN, "it shuts down", SLOT(S_DOM)
row EQ, PV_HC_DOM_CTL, 0, "STATUS afterwards", PV_DOM_CTL_STATUS, SLOT(S_DOM)
row EQ, X_GET4, PV_REASON_POWEROFF, "dom_status.reason", HERE, PVO_dom_status_reason
row EQ, X_GET8, 7, "dom_status.code", HERE, PVO_dom_status_code
#define SEEN(n, want, what) row EQ, X_GET8, want, what, AT(WINDOW), 8*n
SEEN(0, 0x1234, "rdi was what SET said")
SEEN(1, 0, "SET_VCS")
SEEN(2, 0, "SET_PORT_PAGE")
SEEN(3, 0, "SET_KERNEL_GS of the child")
SEEN(4, 0x1234, "gs reaches its page")
SEEN(5, 0, "SET_ENTRY")
SEEN(6, 6, "ud2: vector")
SEEN(7, AT(CODE)+(events_ud2-events_child), "ud2: rip")
SEEN(8, 1, "vcs.busy at an event")
SEEN(9, 14, "page fault: vector")
SEEN(10, 0x600000, "page fault: cr2")
SEEN(11, 2, "page fault: error code of a store")
SEEN(12, 0, "WAIT with WAIT_ENABLE: woken by an IPI")
SEEN(13, PV_VEC_IRQ, "interrupt: vector")
SEEN(14, 2, "interrupt: pend")
SEEN(15, 0, "WAIT: woken by the timer")
SEEN(16, 0x400000000, "VEC_TIMER in pend")
SEEN(17, 0, "PORT_SEND to the parent")
SEEN(18, 0x200000000, "VEC_PORTS in pend")
row EQ, PV_HC_GRANT_CTL, 1, "UNMAP", PV_GRANT_CTL_UNMAP, 0, WINDOW, 1, 0
row KEEP, PV_HC_CAP_CTL, S_CAP, "COPY of a grant", PV_CAP_CTL_COPY, SLOT(S_GRANT), SELF, PV_RIGHT_GRANT_READ
row EQ, PV_HC_GRANT_CTL, -PV_EPERM, "MAP to write with a copy to read", PV_GRANT_CTL_MAP, SLOT(S_CAP), WINDOW, 1, 1
row UNTIL, PV_HC_GRANT_CTL, 0, "REVOKE", PV_GRANT_CTL_REVOKE, SLOT(S_GRANT)
row EQ, PV_HC_GRANT_CTL, -PV_EDEAD, "MAP of a dead grant", PV_GRANT_CTL_MAP, SLOT(S_CAP), WINDOW, 1, 0
row EQ, PV_HC_CAP_CTL, 0, "DROP of a dead grant", PV_CAP_CTL_DROP, SLOT(S_CAP)
row EQ, PV_HC_AS_MAP, 1, "AS_MAP UNMAP", PV_AS_MAP_UNMAP, SELF, AT(WINDOW), 0, 1, 0
row UNTIL, PV_HC_DOM_CTL, 0, "DESTROY", PV_DOM_CTL_DESTROY, SLOT(S_DOM)
row EQ, PV_HC_DOM_CTL, -PV_ECAP, "STATUS of it", PV_DOM_CTL_STATUS, SLOT(S_DOM)
row EQ, PV_HC_PORT_CTL, PV_PORT_CLOSED_PEER, "STATUS: closed peer", PV_PORT_CTL_STATUS, SLOT(S_PORT)
row EQ, PV_HC_PORT_SEND, -PV_EDEAD, "PORT_SEND to the dead", SLOT(S_PORT)
row EQ, PV_HC_PORT_CTL, 0, "CLOSE afterwards", PV_PORT_CTL_CLOSE, SLOT(S_PORT)

/* ---- a domain with page tables of its own ---- */
row KEEP, PV_HC_PORT_CTL, S_VIRQ, "ALLOC for VIRQ_CHILD", PV_PORT_CTL_ALLOC, 0, SELF
row EQ, PV_HC_PORT_CTL, -PV_ERANGE, "BIND_VIRQ of none", PV_PORT_CTL_BIND_VIRQ, SLOT(S_VIRQ), 1000, 0
row EQ, PV_HC_PORT_CTL, 0, "BIND_VIRQ", PV_PORT_CTL_BIND_VIRQ, SLOT(S_VIRQ), PV_VIRQ_CHILD, 0
row EQ, PV_HC_PORT_CTL, PV_PORT_VIRQ, "STATUS: virq", PV_PORT_CTL_STATUS, SLOT(S_VIRQ)
row EQ, X_ZERO, 0, , HERE, PV_SIZEOF_dom_create
row EQ, X_PUT8, 0, , HERE, PVO_dom_create_name, 0x64656b6c6177 /* "walked" */
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_kind, PV_KIND_WALKED
row EQ, X_PUT8, 0, , HERE, PVO_dom_create_mem_pages, 64
row EQ, X_PUT8, 0, , HERE, PVO_dom_create_kmem_pages, 96
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_max_vcpus, 1
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_vtlb_tables, PV_VTLB_MAX
row EQ, X_PUT4, 0, , HERE, PVO_dom_create_weight, 256
row KEEP, PV_HC_DOM_CREATE, S_WALKED, "DOM_CREATE of a walked domain", SLOT(S_HOST)
.irp frame, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
row EQ, PV_HC_MEM_CTL, 1, "POPULATE", PV_MEM_CTL_POPULATE, SLOT(S_WALKED), CODE+\frame, 1
.endr
row EQ, PV_HC_MEM_CTL, 1, "COPY", PV_MEM_CTL_COPY, SLOT(S_WALKED), CODE, 1, SLOT(S_WALKED_GFN)
row EQ, PV_HC_AS_MAP, -PV_ESTATE, "AS_MAP of it", PV_AS_MAP_MAP, SLOT(S_WALKED), AT(CODE), CODE, 1, RX
row KEEP, PV_HC_GRANT_CTL, S_GRANT, "CREATE", PV_GRANT_CTL_CREATE, SLOT(S_WALKED), SHARE, 1, 3
row EQ, PV_HC_GRANT_CTL, 1, "MAP", PV_GRANT_CTL_MAP, SLOT(S_GRANT), WINDOW, 1, 1
row EQ, PV_HC_AS_MAP, 1, "MAP of its page", PV_AS_MAP_MAP, SELF, AT(WINDOW), WINDOW, 1, RW
row EQ, PV_HC_VCPU_CTL, 0, "CREATE", PV_VCPU_CTL_CREATE, SLOT(S_WALKED), 0
row EQ, X_ZERO, 0, , HERE, PV_SIZEOF_vcpu_gpr
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_root, PV_FOREVER
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rsp, AT(STACK)+0xff0
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rflags, 0x202
row EQ, X_PUT8, 0, , HERE, PVO_vcpu_gpr_rip, AT(CODE)
row EQ, PV_HC_VCPU_REGS, 0, "VCPU_REGS SET", PV_VCPU_REGS_SET, SLOT(S_WALKED), 0
row EQ, X_PUT8, 0, , SLOT(S_VCS), PVO_vcs_pend, 0
row EQ, X_ZERO, 0, , SLOT(S_PORTS), 512
row EQ, PV_HC_DOM_CTL, 0, "UNPAUSE", PV_DOM_CTL_UNPAUSE, SLOT(S_WALKED)
row EQ, X_DOWN, PV_DOM_SHUTDOWN, "it shuts down", SLOT(S_WALKED)
row EQ, PV_HC_DOM_CTL, 0, "STATUS afterwards", PV_DOM_CTL_STATUS, SLOT(S_WALKED)
row EQ, X_GET4, PV_REASON_HALT, "dom_status.reason", HERE, PVO_dom_status_reason
row EQ, X_GET8, 9, "dom_status.code", HERE, PVO_dom_status_code
row EQ, X_GET8, 0x200000000, "VIRQ_CHILD told so", SLOT(S_VCS), PVO_vcs_pend
SEEN(0, 0, "SET_VCS in linear translation")
SEEN(1, 0, "SET_ENTRY")
SEEN(2, -PV_EINVAL, "AS_LOAD_ROOT of half a page")
SEEN(3, -PV_EFAULT, "AS_LOAD_ROOT of a hole")
SEEN(4, 0, "AS_LOAD_ROOT")
SEEN(5, 0x77, "a system call of user mode: rdi")
SEEN(6, USER+(walked_after-walked_child), "a system call of user mode: rcx")
SEEN(7, 14, "user mode touches the kernel: vector")
SEEN(8, 7, "user mode touches the kernel: error code")
SEEN(9, AT(SHARE), "user mode touches the kernel: cr2")
SEEN(10, PV_USER_CS, "user mode touches the kernel: cs")
SEEN(11, 0x60, "the walk has set A and D")
SEEN(12, 0, "AS_FLUSH")
SEEN(13, 0, "AS_CTL DROP of an unknown root")
row EQ, PV_HC_PORT_CTL, 0, "CLOSE", PV_PORT_CTL_CLOSE, SLOT(S_VIRQ)
row EQ, PV_HC_AS_MAP, 1, "UNMAP", PV_AS_MAP_UNMAP, SELF, AT(WINDOW), 0, 1, 0
row EQ, PV_HC_GRANT_CTL, 1, "UNMAP", PV_GRANT_CTL_UNMAP, 0, WINDOW, 1, 0
row EQ, PV_HC_CAP_CTL, 0, "DROP of the grant", PV_CAP_CTL_DROP, SLOT(S_GRANT)
row UNTIL, PV_HC_DOM_CTL, 0, "DESTROY", PV_DOM_CTL_DESTROY, SLOT(S_WALKED)
row EQ, PV_HC_INFO, 0, "INFO COUNTERS at the end", PV_INFO_COUNTERS, SLOT(S_HOST)
row EQ, X_GET8, SLOT(S_DOMAINS), "no domain is left", HERE, PVO_counters_domains
row EQ, X_GET8, SLOT(S_GRANTS), "no grant", HERE, PVO_counters_grants
row EQ, X_GET8, SLOT(S_CAPS), "no capability", HERE, PVO_counters_caps

	.section .rows, "a", @progbits
rows_end:
	.set rows_reported, reported

#include "children.S"
