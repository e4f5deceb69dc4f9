/* SPDX-License-Identifier: BSD-2-Clause */
/* scan.h - all a back end can read, searched for a secret that its VM holds. */
#ifndef EVILBACK_SCAN_H
#define EVILBACK_SCAN_H

#include <port/newlib/end.h>

#define SCAN_EVERY (300 * PV_NSEC_PER_MSEC)

/* One line: pages that could be read, where the secret was found, and calls that should not have worked. */
void scan(const struct end *end);

#endif
