/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init.h - the hand-over points of start-up, in the order they happen.
 */
#ifndef RF_INIT_H
#define RF_INIT_H

#include "boot_info.h"
#include "compiler.h"

/* Called by the architecture on the boot CPU's own stack, boot_info filled in and checked. */
void __noreturn kernel_init(struct boot_info *bi);

/* Called by the architecture on each further CPU once it is online. */
void __noreturn kernel_init_ap(void);

void boot_test(void);		     /* debug builds: boottest=NAME */
void __noreturn sched_idle_loop(void); /* every CPU ends here */

#endif
