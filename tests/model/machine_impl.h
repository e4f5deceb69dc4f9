/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine_impl.h - which domain of the kernel is which of the model.
 */
#ifndef MODEL_MACHINE_IMPL_H
#define MODEL_MACHINE_IMPL_H

#include "domain.h"
#include "machine.h"

extern struct domain_ref machine_refs[M_DOMS];
struct domain *machine_domain(u32 index); /* NULL: it is gone */

#endif
