/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * info.h - what the kernel says about itself.
 */
#ifndef RF_INFO_H
#define RF_INFO_H

#include "types.h"

struct domain;

u64 info_features(const struct domain *dom); /* PV_FEAT_*, as the domain sees them */

#endif
