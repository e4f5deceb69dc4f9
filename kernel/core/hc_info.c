// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_info.c - INFO: facts about the kernel, and the counters.
 */
#include "hypercall.h"

#include "arch.h"
#include "cap.h"
#include "counters.h"
#include "domain.h"
#include "info.h"
#include "mm.h"
#include "string.h"
#include "vcpu.h"

#define VERSION_TEXT "Ringfence microkernel 0.1"

u64 info_features(const struct domain *dom)
{
	u64 features = PV_FEAT_SMP_GUEST;

	if (mm_audit_enabled)
		features |= PV_FEAT_AUDIT;
	if (clock_params.stable)
		features |= PV_FEAT_STABLE_TSC;
	if (dom->mm.fused)
		features |= PV_FEAT_FUSED;
	return features;
}

static i64 info_system(struct vcpu *v)
{
	struct pv_info_system info;
	void __guest *batch = vcpu_batch(v);

	if (!batch)
		return -PV_ESTATE;
	memset(&info, 0, sizeof(info));
	info.abi_major = PV_ABI_MAJOR;
	info.abi_minor = PV_ABI_MINOR;
	info.features = info_features(v->dom);
	info.tsc_hz = clock_params.tsc_hz;
	info.cpus = nr_cpus;
	info.domain_id = v->dom->self.slot;
	info.xcr0 = arch_xcr0();
	info.uart_port = arch_uart_port();
	info.uart_irq = info.uart_port ? ARCH_UART_IRQ : 0;
	info.frames_total = frame_total();
	memcpy(info.version, VERSION_TEXT, sizeof(VERSION_TEXT));
	guest_write(batch, &info, sizeof(info));
	return 0;
}

static i64 info_counters(struct vcpu *v, u64 handle)
{
	struct pv_counters counters;
	void __guest *batch = vcpu_batch(v);
	int err = cap_host(v->dom, handle, PV_RIGHT_HOST_TRACE);

	if (err)
		return err;
	if (!batch)
		return -PV_ESTATE;
	counters_read(&counters);
	guest_write(batch, &counters, sizeof(counters));
	return 0;
}

static __noinline i64 info_more(struct vcpu *v, u64 leaf, u64 handle)
{
	if (leaf != PV_INFO_COUNTERS && handle)
		return -PV_EINVAL;
	switch (leaf) {
	case PV_INFO_FEATURES:
		return (i64)info_features(v->dom);
	case PV_INFO_SYSTEM:
		return info_system(v);
	case PV_INFO_COUNTERS:
		return info_counters(v, handle);
	}
	return -PV_ENOSYS;
}

/* VERSION is the call that does nothing else: what it costs is what any call costs at least. */
i64 hc_info(struct vcpu *v, const struct hc_args *args)
{
	if (args->a0 == PV_INFO_VERSION && !args->a1)
		return PV_ABI_MAJOR << 16 | PV_ABI_MINOR;
	return info_more(v, args->a0, args->a1);
}
