/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fail.h - points at which something limited is asked for: frames, kernel memory, quotas, places in tables. A
 * test build can say at any of them that nothing is left. In any other build they are nothing.
 */
#ifndef RF_FAIL_H
#define RF_FAIL_H

#include <pv/abi.h>

#include "compiler.h"
#include "types.h"

#ifdef CONFIG_FAIL_POINTS
struct fail_site {
	const char *function;
	u32 line;
	u32 error; /* PV_E*: what the call has to say, unless it does without */
};
bool fail_point(const struct fail_site *site);
/* True: behave as if it were used up. */
#define FAIL_POINT(error)                                                                          \
	({                                                                                         \
		static const struct fail_site site_ __section("fail_sites") __used = {             \
			__func__, __LINE__, error                                                  \
		};                                                                                 \
		fail_point(&site_);                                                                \
	})
#else
#define FAIL_POINT(error) false
#endif

#endif
