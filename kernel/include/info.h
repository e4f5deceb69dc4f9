/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * info.h - what the kernel says about itself.
 */
#ifndef RF_INFO_H
#define RF_INFO_H

#include "types.h"

u64 info_features(void); /* PV_FEAT_* */

#endif
