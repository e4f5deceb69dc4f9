// SPDX-License-Identifier: BSD-2-Clause
/*
 * msr.c - the model-specific registers of the virtual processor: the MSR hypercall and RDMSR/WRMSR
 * caught by the emulator. What is not listed does not exist and is a #GP to the guest.
 *
 * Few have an effect: the bases of FS and GS, TSC_AUX. Those that describe what this ABI fixes
 * (syscall targets, EFER, PAT) read as set up and swallow writes, so that unmodified set-up code
 * of a guest runs through.
 */
#include "bits.h"
#include "cpu_features.h"
#include "guest.h"
#include "nospec.h"

#define MSR_TSC 0x10
#define MSR_PLATFORM_ID 0x17
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_UCODE_REV 0x8b
#define MSR_PLATFORM_INFO 0xce
#define MSR_MTRRCAP 0xfe
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MISC_FEATURES 0x140
#define MSR_MISC_ENABLE 0x1a0
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MSR_AMD_HWCR 0xc0010015
#define MSR_AMD_PATCH_LEVEL 0x8b
#define MSR_AMD_DE_CFG 0xc0011029

/* Linux's layout: WB WC UC- UC WB WP UC- WT; the ABI fixes it. */
#define PAT_GUEST 0x0407050600070106ull
#define EFER_GUEST 0xd01ull /* SCE LME LMA NXE */
#define APIC_BASE_GUEST 0xfee00800ull
#define ARCH_CAP_RDCL_NO BIT(0)
#define ARCH_CAP_SKIP_L1DFL BIT(3)
#define MTRR_DEF_WB 0xc06ull
#define MISC_ENABLE_FAST_STRING BIT(0)

static i64 read_base(struct vcpu *v, u32 index, u64 *value)
{
	switch (index) {
	case MSR_FS_BASE:
		*value = read_fs_base();
		return 0;
	case MSR_GS_BASE:
		*value = guest_gs_read();
		return 0;
	default:
		*value = READ_ONCE(v->vcs->user_gs_base);
		return 0;
	}
}

i64 msr_read(struct vcpu *v, u32 index, u64 *value)
{
	*value = 0;
	switch (index) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		return read_base(v, index, value);
	case MSR_TSC:
		*value = rdtsc();
		return 0;
	case MSR_TSC_AUX:
		*value = v->tsc_aux;
		return 0;
	case MSR_EFER:
		*value = EFER_GUEST;
		return 0;
	case MSR_PAT:
		*value = PAT_GUEST;
		return 0;
	case MSR_APIC_BASE:
		*value = APIC_BASE_GUEST | (v->index ? 0 : BIT(8));
		return 0;
	case MSR_STAR:
		*value = (u64)SEL_UCODE32 << 48 | (u64)SEL_KCODE << 32;
		return 0;
	case MSR_LSTAR:
		*value = v->syscall_entry;
		return 0;
	case MSR_ARCH_CAPABILITIES: /* the kernel separates the two modes by roots: no work for the guest */
		*value = ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFL;
		return 0;
	case MSR_MTRR_DEF_TYPE:
		*value = MTRR_DEF_WB;
		return 0;
	case MSR_MISC_ENABLE: /* else Linux on Intel copies without REP */
		*value = MISC_ENABLE_FAST_STRING;
		return 0;
	case MSR_CSTAR:
	case MSR_FMASK:
	case MSR_SYSENTER_CS:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
	case MSR_PLATFORM_ID:
	case MSR_PLATFORM_INFO:
	case MSR_FEATURE_CONTROL:
	case MSR_UCODE_REV:
	case MSR_MTRRCAP:
	case MSR_MISC_FEATURES:
	case MSR_AMD_HWCR:
	case MSR_AMD_DE_CFG:
		return 0;
	}
	return -PV_ENOENT;
}

static i64 write_base(struct vcpu *v, u32 index, u64 value)
{
	if (!addr_is_canonical(value))
		return -PV_ENOENT;
	switch (index) {
	case MSR_FS_BASE:
		write_fs_base(value);
		return 0;
	case MSR_GS_BASE:
		v->kernel_gs = value;
		guest_gs_write(value);
		return 0;
	default:
		WRITE_ONCE(v->vcs->user_gs_base, value);
		return 0;
	}
}

i64 msr_write(struct vcpu *v, u32 index, u64 value)
{
	switch (index) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		return write_base(v, index, value);
	case MSR_TSC_AUX:
		return arch_seg_ctl(v, PV_SEG_CTL_SET_CPUNODE, v->cpunode, value, 0) ? -PV_ENOENT : 0;
	case MSR_EFER:
	case MSR_PAT:
	case MSR_APIC_BASE:
	case MSR_STAR:
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_FMASK:
	case MSR_SYSENTER_CS:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
	case MSR_UCODE_REV:
	case MSR_MISC_FEATURES:
	case MSR_MISC_ENABLE:
	case MSR_AMD_HWCR:
	case MSR_AMD_DE_CFG:
		return 0;
	}
	return -PV_ENOENT;
}

i64 arch_msr(struct vcpu *v, u64 op, u64 index, u64 value)
{
	void __guest *batch = vcpu_batch(v);
	u64 answer;
	i64 err;

	if (op > PV_MSR_WRITE)
		return -PV_ENOSYS;
	if (index > 0xffffffff || (op == PV_MSR_READ && (value || !batch)))
		return -PV_EINVAL;
	if (op == PV_MSR_WRITE)
		return msr_write(v, (u32)index, value);
	err = msr_read(v, (u32)index, &answer);
	if (!err)
		guest_write(batch, &answer, sizeof(answer));
	return err;
}

/* x87 always; AVX needs SSE; nothing beyond what the kernel saves. */
bool xcr0_is_valid(u64 value)
{
	return (value & XCR0_X87) && !(value & ~cpu_features.xcr0) &&
	       (!(value & XCR0_AVX) || (value & XCR0_SSE));
}
