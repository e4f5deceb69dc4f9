// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_cap.c - CAP_CTL: copying, dropping and looking at capabilities.
 */
#include "hypercall.h"

#include "cap.h"
#include "grant.h"
#include "vcpu.h"

static i64 cap_copy(struct domain *caller, u64 handle, u64 dom_handle, u64 rights)
{
	struct cap cap, dom_cap;
	struct domain *dst;

	if (!rights || rights >> 32)
		return -PV_EINVAL;
	if (cap_get(caller, handle, &cap) || cap_get(caller, dom_handle, &dom_cap) ||
	    dom_cap.type != PV_CAP_DOMAIN)
		return -PV_ECAP;
	if (!(dom_cap.rights & PV_RIGHT_DOM_CAPS) || rights & ~(u64)cap.rights)
		return -PV_EPERM;
	dst = domain_lookup(dom_cap.dom);
	if (!dst || domain_is_dying(dst))
		return -PV_EDEAD;
	if ((cap.type == PV_CAP_DOMAIN && !domain_lookup(cap.dom)) ||
	    (cap.type == PV_CAP_GRANT && !grant_is_live(&cap)))
		return -PV_EDEAD;

	cap.rights = (u32)rights;
	cap_object_get(&cap);
	return cap_insert(dst, &cap);
}

i64 hc_cap_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, handle = args->a1, dom = args->a2, rights = args->a3;
	struct cap cap;
	int err;

	if (op == PV_CAP_CTL_COPY)
		return cap_copy(v->dom, handle, dom, rights);

	if (dom || rights)
		return -PV_EINVAL;
	if (op == PV_CAP_CTL_DROP)
		return handle == PV_SELF ? -PV_EINVAL : cap_drop(v->dom, handle);
	err = cap_get(v->dom, handle, &cap);
	return err ? err : (i64)((u64)cap.type << 32 | cap.rights);
}
