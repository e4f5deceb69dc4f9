// SPDX-License-Identifier: BSD-2-Clause
/*
 * cpu_features.c - which CPU this is, what it must have, what is used where it is there.
 *
 * Decisions are functions of CPUID values alone (see the header); only cpuid_collect() and
 * cpu_features_enable() touch the CPU.
 */
#include "cpu_features.h"

#include "bits.h"
#include "boot_info.h"
#include "log.h"
#include "string.h"

#define MSR_ARCH_CAPABILITIES 0x10a
#define ARCH_CAP_RDCL_NO BIT(0)
#define ARCH_CAP_MDS_NO BIT(5)

struct cpu_features cpu_features;

static void put_text(char *dst, u32 a, u32 b, u32 c)
{
	u32 regs[3] = { a, b, c };

	memcpy(dst, regs, sizeof(regs));
	dst[12] = '\0';
}

void cpuid_collect(struct cpuid_values *v)
{
	struct cpuid_regs r = cpuid(0, 0);

	memset(v, 0, sizeof(*v));
	v->max_basic = r.eax;
	put_text(v->vendor, r.ebx, r.edx, r.ecx);
	v->max_ext = cpuid(0x80000000, 0).eax;
	v->l1 = cpuid(1, 0);
	v->signature = v->l1.eax;
	if (v->max_basic >= 7) {
		v->l7 = cpuid(7, 0);
		if (v->l7.eax >= 1)
			v->l7_1 = cpuid(7, 1);
	}
	if (v->max_basic >= 0xd) {
		v->xs0 = cpuid(0xd, 0);
		v->xs1 = cpuid(0xd, 1);
	}
	if (v->max_ext >= 0x80000001)
		v->lext1 = cpuid(0x80000001, 0);
	if (v->max_ext >= 0x80000007)
		v->lext7 = cpuid(0x80000007, 0);
	if (v->max_ext >= 0x80000008)
		v->lext8 = cpuid(0x80000008, 0);
	if (v->l1.ecx & BIT(31)) {
		r = cpuid(0x40000000, 0);
		put_text(v->hypervisor, r.ebx, r.ecx, r.edx);
	}
	if (v->l7.edx & BIT(29))
		v->arch_capabilities = rdmsr(MSR_ARCH_CAPABILITIES);
}

/* Bytes of FXSAVE's area, or of XSAVE's in standard format: a header, then AVX state, 256 bytes. */
static u32 xsave_area_size(const struct cpu_features *f)
{
	return !f->xsave ? 512 : f->avx ? 832 : 576;
}

void cpu_features_decide(struct cpu_features *f, const struct cpuid_values *v)
{
	bool intel = !strcmp(v->vendor, "GenuineIntel");
	bool amd = !strcmp(v->vendor, "AuthenticAMD") || !strcmp(v->vendor, "HygonGenuine");

	memset(f, 0, sizeof(*f));
	f->nx = v->lext1.edx & BIT(20);
	f->syscall = v->lext1.edx & BIT(11);
	f->gib_pages = v->lext1.edx & BIT(26);
	f->fsgsbase = v->l7.ebx & BIT(0);
	f->smep = v->l7.ebx & BIT(7);
	f->smap = v->l7.ebx & BIT(20);
	f->umip = v->l7.ecx & BIT(2);
	f->invpcid = v->l7.ebx & BIT(10);
	f->pcid = v->l1.ecx & BIT(17);
	f->x2apic = v->l1.ecx & BIT(21);
	f->tsc_deadline = v->l1.ecx & BIT(24);
	f->xsave = v->l1.ecx & BIT(26);
	f->rdrand = v->l1.ecx & BIT(30);
	f->tsc_aux = (v->lext1.edx & BIT(27)) || (v->l7.ecx & BIT(22));
	f->avx = f->xsave && (v->l1.ecx & BIT(28)) && (v->xs0.eax & XCR0_AVX);
	f->xsaveopt = v->xs1.eax & BIT(0);
	f->xsaves = v->xs1.eax & BIT(3);
	f->tsc_invariant = v->lext7.edx & BIT(8);
	f->tcg = !strncmp(v->hypervisor, "TCGTCGTCG", 9);
	f->kvm = !strncmp(v->hypervisor, "KVMKVMKVM", 9);
	f->sysret_ss_attrs = !intel;
	f->x87_pointers_stay = amd && !(v->lext8.ebx & BIT(2));
	f->meltdown = intel && !f->tcg && !(v->arch_capabilities & ARCH_CAP_RDCL_NO);
	f->l1tf = f->meltdown;
	f->mds = intel && !f->tcg && !(v->arch_capabilities & ARCH_CAP_MDS_NO);
	f->xcr0 = XCR0_X87 | XCR0_SSE | (f->avx ? XCR0_AVX : 0);
	f->xsave_size = xsave_area_size(f);
	f->phys_bits = v->lext8.eax ? (u8)v->lext8.eax : 36;
}

const char *cpu_features_missing(const struct cpu_features *f)
{
	if (!f->nx)
		return "no-execute pages (NX)";
	if (!f->syscall)
		return "SYSCALL/SYSRET";
	return NULL;
}

/*
 * QEMU's TCG faults IRETQ at CPL 3 while CR4.SMAP is set, which an unprivileged guest program
 * can provoke, so there it is on only by request. Nothing is lost: the kernel reaches guest
 * memory through its own direct map only.
 */
static bool use_smap(void)
{
	char how[8];

	if (!cpu_features.smap)
		return false;
	return !cpu_features.tcg ||
	       (cmdline_get("smap", how, sizeof(how)) && !strcmp(how, "force"));
}

void cpu_features_enable(void)
{
	const struct cpu_features *f = &cpu_features;
	u64 cr4 = CR4_DE | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (f->fsgsbase)
		cr4 |= CR4_FSGSBASE;
	if (f->xsave)
		cr4 |= CR4_OSXSAVE;
	if (f->smep)
		cr4 |= CR4_SMEP;
	if (f->umip)
		cr4 |= CR4_UMIP;
	if (use_smap())
		cr4 |= CR4_SMAP;
	write_cr0(CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_AM | CR0_PG | 0x10);
	write_cr4(cr4);
	if (f->xsave)
		xsetbv(0, f->xcr0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	wrmsr(MSR_SYSENTER_CS, 0);
	/* SYSCALL loads 0x10/0x18; SYSRET loads 0x23 + 16 = 0x33 and 0x23 + 8 = 0x2b */
	wrmsr(MSR_STAR, (u64)SEL_UCODE32 << 48 | (u64)SEL_KCODE << 32);
	/* the architecture's reset value: index 0 is write-back, 3 is uncached */
	wrmsr(MSR_PAT, 0x0007040600070406ull);
}
