/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flaws.h - the errors of an operation as a table: arguments that are right, and flaws, each of which makes
 * one argument wrong in a way that must return one error. flaws_each() tries every flaw alone,
 * flaws_pairs() every two that can stand together: the error that stands first in abi.toml wins. Around
 * every call the kernel's levels, the target and the caller are compared: a failed call changes nothing.
 */
#ifndef ABI_FLAWS_H
#define ABI_FLAWS_H

#include "abitest.h"

/* Where a flaw lies: an argument 0..5, or a field of the structure in the batch area. */
#define AT_BATCH64(type, field) (0x1000 + offsetof(struct pv_##type, field))
#define AT_BATCH32(type, field) (0x2000 + offsetof(struct pv_##type, field))
#define AT_NONE 0xffff

/* Values that are known only when the stage is set (stage.c): SYM(S_DOM). */
enum symbol {
	S_DOM,		/* a domain of kind explicit, built, never run; see stage.c for what it holds */
	S_WEAK,		/* the same, without the right the row is about */
	S_WALKED,	/* a walked one, which has the I/O ports 0x1070..0x1073 */
	S_SHUT,		/* one that has shut down, with vCPU 0 */
	S_FULL,		/* one whose quota of one frame is used, by gfn 16 */
	S_DEAD,		/* one that has been destroyed */
	S_STALE,	/* a handle that was dropped */
	S_COPY,		/* one that may be dropped */
	S_HOST,
	S_WEAK_HOST,
	S_GRANT,	/* of two frames of S_DOM, all rights, mapped nowhere */
	S_WEAK_GRANT,	/* the same, without the right the row is about */
	S_DEAD_GRANT,
	S_GRANTED,	/* gfn of the caller where two frames of another grant are mapped */
	S_OWN,		/* gfn of a frame of the caller */
	S_HOLE,		/* gfn of the caller with nothing there */
	S_VCS,		/* gfn of the caller's VCS */
	S_PORT,		/* an unbound port of the caller */
	S_BOUND,	/* one connected to S_DOM */
	S_ORPHAN,	/* one whose peer is gone */
	S_DOM_PORT,	/* an unbound port of S_DOM */
	S_IRQ,		/* capability for line 11 */
	S_DEV,		/* DEV_CTL rows: a function with MSI-X, trusted, S_DOM's; see stage.c */
	S_WEAK_DEV,	/* the same, without the right the row is about */
	S_DEV_BDF,	/* where it is */
	S_FREE_DEV,	/* a function that is nobody's */
	S_ROOT,		/* a walked child's: guest-physical address of a new root */
	S_COUNT,
};
#define SYM(s) (0x5a5a000000000000ull | (s))

struct change {
	u16 at;
	u64 value;
};

#define MAX_CHANGES 4
struct flaw {
	u8 error; /* 0 ends the table */
	u8 changes;
	struct change change[MAX_CHANGES];
};
#define FLAW(error, ...) { PV_##error, sizeof((struct change[]){ __VA_ARGS__ }) / sizeof(struct change), \
			   { __VA_ARGS__ } }
#define MAX_FLAWS 20

struct flawed {
	u64 nr;
	u64 args[6];
	u32 right;   /* S_WEAK, S_WEAK_HOST and S_WEAK_GRANT lack it */
	u8 ambient;  /* the error of the right arguments; 0 = they work */
	bool ends;   /* does not return when it works: never tried */
	bool yields; /* a handle of the caller, to be given up again */
	bool shut;   /* S_SHUT is needed */
	void (*batch)(void); /* fills the batch area */
	struct flaw flaws[MAX_FLAWS];
};

/* The call with none, one or two flaws, on the stage that is set. */
i64 flaws_call(const struct flawed *row, const struct flaw *a, const struct flaw *b);
void flaws_each(void);
void flaws_pairs(void);

/* An operation as two cases of the driver: its errors one by one, and their order. */
#define FLAWED(name, ...) \
	static const struct flawed name##_row = { __VA_ARGS__ }; \
	PV_ROW(errors_##name, "PVABI-GEN-012.1 PVABI-GEN-010.1", flaws_each, .row = &name##_row); \
	PV_ROW(order_##name, "PVABI-GEN-013.1 PVABI-GEN-010.1", flaws_pairs, .row = &name##_row)
/* The same in a walked child. */
#define FLAWED_WALKED(name, ...) \
	static const struct flawed name##_row = { __VA_ARGS__ }; \
	PV_CHILD_ROW(errors_##name, "PVABI-GEN-012.1 PVABI-GEN-010.1", flaws_each, .row = &name##_row, \
		     .kind = PV_KIND_WALKED); \
	PV_CHILD_ROW(order_##name, "PVABI-GEN-013.1 PVABI-GEN-010.1", flaws_pairs, .row = &name##_row, \
		     .kind = PV_KIND_WALKED)

/* The first words of a row: number and operation. */
#define CALL_OP(name, op, ...) .nr = PV_HC_##name, .args = { PV_##name##_##op, __VA_ARGS__ }
#define CALL(name, ...) .nr = PV_HC_##name, .args = { __VA_ARGS__ }

/* The flaws every handle of a domain in argument n can have. */
#define BAD_DOMAIN(n) \
	FLAW(ECAP, { n, SYM(S_STALE) }), FLAW(ECAP, { n, SYM(S_GRANT) }), FLAW(ECAP, { n, SYM(S_HOST) }), \
	FLAW(EPERM, { n, SYM(S_WEAK) }), FLAW(EDEAD, { n, SYM(S_DEAD) })
#define BAD_HOST(n) \
	FLAW(ECAP, { n, SYM(S_STALE) }), FLAW(ECAP, { n, SYM(S_DOM) }), FLAW(ECAP, { n, PV_SELF }), \
	FLAW(EPERM, { n, SYM(S_WEAK_HOST) })
#define BAD_DEVICE(n) \
	FLAW(ECAP, { n, SYM(S_STALE) }), FLAW(ECAP, { n, SYM(S_HOST) }), FLAW(ECAP, { n, PV_SELF }), \
	FLAW(EPERM, { n, SYM(S_WEAK_DEV) })

/* stage.c */
void stage_set(const struct flawed *row);
void stage_set_walked(void); /* in a walked child: S_ROOT, S_OWN, S_HOLE */
void stage_clear(void);
u64 stage_value(u64 value); /* what a symbol stands for */

#endif
