// SPDX-License-Identifier: BSD-2-Clause
/*
 * seg.c - segments, debug registers and port bitmaps of the vCPU that runs on this CPU.
 *
 * A selector and the base behind it are two things since WRFSBASE exists: both are saved, and the
 * base is loaded after the selector. The descriptors a guest may change are the three TLS slots and
 * the CPU number slot; what they hold is checked when the guest hands it over, and a selector that
 * cannot be loaded any more becomes null.
 */
#include "bits.h"
#include "cpu.h"
#include "cpu_features.h"
#include "domain.h"
#include "extable.h"
#include "guest.h"
#include "nospec.h"
#include "string.h"

/* Descriptor bits */
#define DESC_TYPE(d) ((d) >> 40 & 0xf)
#define DESC_S BIT(44)
#define DESC_DPL3 (3ull << 45)
#define DESC_P BIT(47)
#define DESC_L BIT(53)
#define DESC_CODE 8u
#define DESC_CONFORMING 4u

#define DR7_FIXED 0x400ull
#define DR7_WRITABLE 0xffff03ffull /* without GD and the bits that read as zero */
#define DR6_FIXED 0xffff0ff0ull
#define DR6_WRITABLE 0xe00full

static struct loaded *this_loaded(void)
{
	return &loaded[this_cpu()->id];
}

#define LOAD_SELECTOR(reg, sel)                                                                    \
	({                                                                                         \
		u32 sel_ = (sel), ok_ = 1;                                                         \
		__asm__ volatile("1: movl %k0, %%" #reg "\n\tjmp 3f\n"                             \
				 "2: xorl %k0, %k0\n\tmovl %k0, %%" #reg "\n\txorl %k1, %k1\n"     \
				 "3:\n\t" EX_TABLE(1b, 2b)                                         \
				 : "+r"(sel_), "+r"(ok_)::"memory");                               \
		ok_ != 0;                                                                          \
	})

#define READ_SELECTOR(reg)                                                                         \
	({                                                                                         \
		u32 sel_;                                                                          \
		__asm__ volatile("movl %%" #reg ", %0" : "=r"(sel_));                              \
		(u16) sel_;                                                                        \
	})

/* Loading gs replaces the active base, which is the kernel's: put it back at once. */
static bool load_gs_selector(u16 sel, u64 *base)
{
	struct cpu *cpu = this_cpu();
	bool ok = LOAD_SELECTOR(gs, sel);

	if (base)
		*base = read_gs_base();
	write_gs_base((u64)cpu);
	return ok;
}

/* Returns this CPU's GDT. */
static u64 *load_tls(const struct vcpu *v)
{
	u64 *gdt = this_cpu()->gdt;

	for (u32 i = 0; i < GDT_TLS_COUNT; i++)
		gdt[GDT_TLS_FIRST + i] = v->tls[i];
	return gdt;
}

static inline void load_tsc_aux(struct loaded *l, u64 aux)
{
	if (likely(l->tsc_aux == aux) || !cpu_features.tsc_aux)
		return;
	wrmsr(MSR_TSC_AUX, aux);
	l->tsc_aux = aux;
}

void seg_save(struct vcpu *v)
{
	v->ds = READ_SELECTOR(ds);
	v->es = READ_SELECTOR(es);
	v->fs = READ_SELECTOR(fs);
	v->gs = READ_SELECTOR(gs);
	v->fs_base = read_fs_base();
	v->gs_base = guest_gs_read();
}

/* Null before and after: nothing to load, and the base is written anyway. */
#define IS_NULL(reg, sel) likely(!(u16)(READ_SELECTOR(reg) | (sel)))

void seg_load(struct vcpu *v, struct loaded *l)
{
	u64 *gdt = load_tls(v);

	gdt[GDT_CPUNODE] = v->cpunode;
	load_tsc_aux(l, v->tsc_aux);
	if (!IS_NULL(ds, v->ds))
		(void)LOAD_SELECTOR(ds, v->ds);
	if (!IS_NULL(es, v->es))
		(void)LOAD_SELECTOR(es, v->es);
	if (!IS_NULL(fs, v->fs))
		(void)LOAD_SELECTOR(fs, v->fs);
	write_fs_base(v->fs_base);
	if (!IS_NULL(gs, v->gs))
		(void)load_gs_selector(v->gs, NULL);
	guest_gs_write(v->gs_base);
}

/* ---- SEG_CTL ---- */

/* 0, or a present ring-3 segment that cannot be 64-bit code: nothing that widens anyone's rights. */
static bool descriptor_is_safe(u64 d)
{
	if (!d)
		return true;
	if ((d & (DESC_S | DESC_DPL3 | DESC_P)) != (DESC_S | DESC_DPL3 | DESC_P) || (d & DESC_L))
		return false;
	return !(DESC_TYPE(d) & DESC_CODE) || !(DESC_TYPE(d) & DESC_CONFORMING);
}

/*
 * Selector 0..3 is null and has no base; what the CPU leaves in the register then is not said. The load is
 * made at CPL 0, which may load the kernel's own segments: as RPL 3 first, which may not.
 */
static i64 seg_load_gs(u64 sel)
{
	u64 base = 0;

	if (sel > 0xffff || (sel > 3 && !load_gs_selector((u16)(sel | 3), NULL)) ||
	    !load_gs_selector((u16)sel, &base))
		return -PV_EINVAL;
	return sel > 3 ? (i64)base : 0;
}

i64 arch_seg_ctl(struct vcpu *v, u64 op, u64 a, u64 b, u64 c)
{
	switch (op) {
	case PV_SEG_CTL_LOAD_TLS:
		if (!descriptor_is_safe(a) || !descriptor_is_safe(b) || !descriptor_is_safe(c))
			return -PV_EINVAL;
		v->tls[0] = a;
		v->tls[1] = b;
		v->tls[2] = c;
		(void)load_tls(v);
		return 0;
	case PV_SEG_CTL_LOAD_GS:
		return seg_load_gs(a); /* hc_seg_ctl() has seen that b and c are 0 */
	case PV_SEG_CTL_SET_CPUNODE:
		if (c || !descriptor_is_safe(a) || b > 0xffffffff)
			return -PV_EINVAL;
		v->cpunode = a;
		v->tsc_aux = b;
		this_cpu()->gdt[GDT_CPUNODE] = a;
		load_tsc_aux(this_loaded(), b);
		return 0;
	}
	return -PV_ENOSYS;
}

/* ---- debug registers ---- */

static void write_dr7(u64 value)
{
	__asm__ volatile("movq %0, %%dr7" ::"r"(value) : "memory");
}

void debug_regs_load(struct vcpu *v)
{
	struct loaded *l = this_loaded();
	bool live = (v->dr7 & DR7_ENABLED) != 0;

	if (!live) {
		if (l->dr7_live)
			write_dr7(DR7_FIXED);
		l->dr7_live = false;
		return;
	}
	write_dr7(DR7_FIXED);
	__asm__ volatile("movq %0, %%dr0" ::"r"(v->dr[0]));
	__asm__ volatile("movq %0, %%dr1" ::"r"(v->dr[1]));
	__asm__ volatile("movq %0, %%dr2" ::"r"(v->dr[2]));
	__asm__ volatile("movq %0, %%dr3" ::"r"(v->dr[3]));
	write_dr7(v->dr7);
	l->dr7_live = true;
}

static i64 debug_write(struct vcpu *v, u64 n, u64 value)
{
	if (n < 4) {
		if (!addr_is_guests(value))
			return -PV_EINVAL;
		v->dr[idx_nospec(n, 4)] = value;
	} else if (value >> 32) {
		return -PV_EINVAL;
	} else if (n == 6) {
		v->dr6 = value & DR6_WRITABLE;
		return 0;
	} else {
		if (value & ~(DR7_WRITABLE | DR7_FIXED))
			return -PV_EINVAL;
		v->dr7 = (value & DR7_WRITABLE) | DR7_FIXED;
	}
	debug_regs_load(v);
	return 0;
}

i64 arch_debug_reg(struct vcpu *v, u64 op, u64 n, u64 value)
{
	if (n > 7 || n == 4 || n == 5)
		return -PV_ERANGE;
	if (op == PV_DEBUG_REG_WRITE)
		return debug_write(v, n, value);
	if (op != PV_DEBUG_REG_READ)
		return -PV_ENOSYS;
	if (value)
		return -PV_EINVAL;
	if (n == 6)
		return (i64)(v->dr6 | DR6_FIXED);
	return (i64)(n == 7 ? v->dr7 | DR7_FIXED : v->dr[idx_nospec(n, 4)]);
}

/* ---- port bitmaps ---- */

static void io_open(struct tss *tss, const struct io_range *ranges, bool open)
{
	for (u32 r = 0; r < 4; r++)
		for (u32 p = ranges[r].first; p < (u32)ranges[r].first + ranges[r].count; p++) {
			u8 bit = (u8)(1u << p % 8);

			if (open)
				tss->iomap[p / 8 & 8191] &= (u8)~bit;
			else
				tss->iomap[p / 8 & 8191] |= bit;
		}
}

/* Only explicit domains: the user mode of a walked one would inherit the ports of its kernel. */
__noinline void ioports_change(const struct domain *dom, struct loaded *l)
{
	static const struct io_range none[4];
	const struct io_range *want = dom->kind == PV_KIND_EXPLICIT ? dom->ioports : none;

	if (!memcmp(l->io, want, sizeof(l->io)))
		return;
	io_open(this_cpu()->tss, l->io, false);
	memcpy(l->io, want, sizeof(l->io));
	io_open(this_cpu()->tss, l->io, true);
	l->io_open = memcmp(l->io, none, sizeof(l->io)) != 0;
}

void arch_set_ioports(struct domain *dom)
{
	const struct vcpu *v = this_cpu()->current;

	if (v && v->dom == dom)
		ioports_load(dom, this_loaded());
}

bool ioports_owns(const struct domain *dom, u32 port, u32 size)
{
	for (u32 r = 0; r < 4; r++) {
		const struct io_range *range = &dom->ioports[r];

		if (range->count && port >= range->first &&
		    port + size <= (u32)range->first + range->count)
			return true;
	}
	return false;
}
