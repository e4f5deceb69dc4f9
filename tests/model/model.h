/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - what the ABI says a system of domains is, as plain tables: the reference model.
 *
 * It is written from the clauses and operations in abi.toml. It knows no kernel header, no lock, no page
 * table and no CPU. Where the ABI leaves a choice (a handle's number, how much of a call is done at once) the
 * model looks at the result and takes it over if it is one of those allowed.
 */
#ifndef MODEL_H
#define MODEL_H

#include <pv/abi.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#define M_DOMS 6
#define M_CAPS 24
#define M_PORTS 8 /* numbers below; see struct m_frame */
#define M_GFNS 32
#define M_PAGES 16 /* virtual pages below; page 0 is never mapped */
#define M_VCPUS 4
#define M_FRAMES (M_DOMS * M_GFNS)
#define M_GRANTS 24
#define M_USES 4
#define M_LINES 24
#define M_ROOT 0 /* index of the root domain */
#define M_TIGHT 64 /* kernel memory below which ENOMEM may come at any time */

/* Of a frame's bytes those that calls and accesses of the tests touch. Words 0 to 5 are flags, pend and
 * port_sel of a VCS, word 0 and `mask` are those of a port page: so ports beyond 7 would meet IP and IF. */
struct m_frame {
	bool used;
	u32 grants, pins;
	u64 word[6];
	u64 mask;
	u64 tag; /* last eight bytes of the page */
};

enum m_kind { M_HOLE, M_PRIVATE, M_GRANTED, M_DUMMY };
struct m_gfn {
	enum m_kind kind;
	bool writable;
	u32 frame; /* PRIVATE, GRANTED */
	u32 use;   /* GRANTED: serial of the use it came by */
};

struct m_page {
	u32 prot; /* 0 = not mapped */
	u32 gfn;
};

struct m_cap {
	u32 type; /* PV_CAP_NONE = unused */
	u32 rights;
	u64 handle;
	u32 object; /* serial of a domain or a grant; line */
};

struct m_port {
	u32 state, vcpu;
	u32 peer; /* serial of a domain */
	u32 peer_port, line;
};

enum m_run { M_STOPPED, M_READY, M_BLOCKED };
struct m_vcpu {
	bool exists, kicked;
	enum m_run run;
	i64 vcs; /* gfn, -1 = none */
	struct m_frame none; /* what stands in for a VCS */
	u64 timer, deadline;
	i64 answer; /* what its WAIT returns when it runs again, -1 = it is not in one */
	bool rewritten; /* its registers were set while it waited: the answer is not told */
	u64 rip, rbx;
};

struct m_dom {
	u32 serial; /* 0 = free */
	u32 parent;
	u32 kind, flags, state, pauses, reason;
	u64 code;
	u64 quota, used, kmem;
	u32 max_vcpus, weight, cap;
	u64 affinity;
	struct m_vcpu vcpus[M_VCPUS];
	struct m_cap caps[M_CAPS];
	struct m_port ports[M_PORTS];
	i64 port_page; /* gfn, -1 = none */
	u32 virq[2];
	u32 io_first[4], io_count[4];
	struct m_gfn gfns[M_GFNS];
	struct m_page pages[M_PAGES];
	u64 dummy; /* tag of its dummy page */
};

struct m_use {
	u32 serial; /* 0 = unused */
	u32 holder, left;
};

struct m_grant {
	u32 serial; /* 0 = never or not any more */
	u32 owner;
	u32 gfn, n;
	struct m_use uses[M_USES];
};

struct model {
	u64 now;
	u32 cpus, last_serial;
	struct m_dom doms[M_DOMS];
	struct m_frame frames[M_FRAMES];
	struct m_grant grants[M_GRANTS];
	bool line_bound[M_LINES];
};

/* One hypercall with what it found in the batch area. */
struct m_call {
	u32 dom, vcpu;
	u64 nr, a[6];
	union {
		struct pv_dom_create create;
		struct pv_vcpu_gpr gpr;
		unsigned char bytes[176];
	} batch;
};

/* A system of the root domain alone, as whole_start() leaves it. */
void model_start(struct model *m, u32 cpus, u64 root_frames, u64 root_kmem, u64 host_handle);

/* May the kernel answer so? NULL, and the state is what it is after the call; else what was expected.
 * DESTROY and REVOKE are told when they are done: repeat them while they answer EAGAIN. */
const char *model_call(struct model *m, const struct m_call *call, i64 result);

bool model_can_run(const struct model *m, u32 dom, u32 vcpu);
void model_time(struct model *m, u64 ns);
/* Is an access of a domain's vCPU allowed, and where does it go? */
u64 *model_access(struct model *m, u32 dom, u32 page, bool write);
/* The guest takes what is pending: pend, port_sel, the port page's first word. */
void model_take(struct model *m, u32 dom, u32 vcpu);
void model_set_if(struct model *m, u32 dom, u32 vcpu, bool on);
void model_mask(struct model *m, u32 dom, u32 ports);

/* ---- between the files of the model ---- */
#define E(name) (1u << PV_##name)
struct m_dom *m_dom_by(struct model *m, u32 serial);
struct m_cap *m_cap_by(struct m_dom *dom, u64 handle);
/* Errors of using a handle; the domain it names, if there are none. */
u32 m_need(struct m_dom *dom, u64 handle, u32 type, u32 rights, struct m_cap *out);
u32 m_need_dom(struct model *m, struct m_dom *caller, u64 handle, u32 rights, struct m_dom **out);
u32 m_need_host(struct m_dom *caller, u64 handle, u32 rights);
/* errs is what applies: the first of the table is expected; with none, anything from lo to hi. */
const char *m_expect(u32 errs, i64 result, i64 lo, i64 hi);
const char *m_new_handle(struct m_dom *holder, const struct m_cap *cap, i64 result);
/* n items of which `good` at the front would work, and the error of the next. */
const char *m_items(u32 errs, i64 result, u64 n, u64 good, u32 item_err);
struct m_frame *m_frame(struct model *m, struct m_dom *dom, i64 gfn);
struct m_frame *m_vcs(struct model *m, struct m_dom *dom, struct m_vcpu *v);
bool m_has_vcs(const struct m_vcpu *v);
void m_post(struct model *m, struct m_dom *dom, u32 vcpu, u32 vector);
void m_tell_virq(struct model *m, struct m_dom *dom, u32 virq);
void m_tell_log(struct model *m);
i64 m_raise(struct model *m, struct m_dom *dom, u32 port); /* 1: was pending */
void m_port_close(struct model *m, struct m_dom *dom, u32 port);
void m_grant_end(struct model *m, struct m_grant *g);
void m_destroy(struct model *m, struct m_dom *dom);
void m_wake(struct m_vcpu *v, i64 answer);
bool m_enough(const struct m_dom *dom); /* kernel memory is no question */
bool m_gfns_valid(u64 gfn, u64 n);

const char *m_call_cap(struct model *m, const struct m_call *c, i64 r);
const char *m_call_domain(struct model *m, const struct m_call *c, i64 r);
const char *m_call_vcpu(struct model *m, const struct m_call *c, i64 r);
const char *m_call_memory(struct model *m, const struct m_call *c, i64 r);
const char *m_call_port(struct model *m, const struct m_call *c, i64 r);
const char *m_call_host(struct model *m, const struct m_call *c, i64 r);

#endif
