/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/cap.h - capabilities: copy, drop, inspect. ABI: CAP_CTL (2).
 */
#ifndef PV_CAP_H
#define PV_CAP_H

#include <pv/call.h>

/*
 * Puts a capability to the same object with `rights` (a subset of the handle's, not empty) into the
 * table of dom (PV_RIGHT_DOM_CAPS; PV_SELF = own). Result: its handle there.
 * ECAP, EPERM (right not held), EDEAD, ENOSPC (table full).
 */
static inline int64_t pv_cap_copy(pv_handle_t handle, pv_handle_t dom, uint64_t rights)
{
	return pv_call4(PV_HC_CAP_CTL, PV_CAP_CTL_COPY, handle, dom, rights);
}

/* Empties the slot; what it named lives on. EINVAL: PV_SELF; ECAP. */
static inline int64_t pv_cap_drop(pv_handle_t handle)
{
	return pv_call4(PV_HC_CAP_CTL, PV_CAP_CTL_DROP, handle, 0, 0);
}

/* Result: type << 32 | rights. ECAP. */
static inline int64_t pv_cap_inspect(pv_handle_t handle)
{
	return pv_call4(PV_HC_CAP_CTL, PV_CAP_CTL_INSPECT, handle, 0, 0);
}

/* Does the handle name a capability of this type (PV_CAP_*) with all these rights? */
static inline int pv_cap_has(pv_handle_t handle, uint64_t type, uint64_t rights)
{
	int64_t r = pv_cap_inspect(handle);

	return r >= 0 && (uint64_t)r >> 32 == type && ((uint64_t)r & rights) == rights;
}

#endif
