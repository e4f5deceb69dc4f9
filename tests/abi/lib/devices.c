/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices.c - finding the PCI functions the cases play with.
 */
#include "abitest.h"

bool device_is_there(u32 id, struct pv_dev_info *out)
{
	for (u64 i = 0; OP(DEV_CTL, LIST, host, i) >= 0; i++) {
		batch_get(out, sizeof(*out));
		if (((u32)out->device << 16 | out->vendor) == id)
			return true;
	}
	return false;
}

void device_find(u32 id, struct pv_dev_info *out)
{
	if (!device_is_there(id, out))
		abi_skip("the machine has no such device (pvrun.py --devices)");
}

u64 device_bdf(u32 id)
{
	struct pv_dev_info info;

	device_find(id, &info);
	return info.bdf;
}

u64 device_cap(u32 id)
{
	return TRY(OP(DEV_CTL, CAP, host, device_bdf(id)));
}
