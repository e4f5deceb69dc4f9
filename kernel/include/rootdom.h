/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rootdom.h - the first domain: all quota, the host capability, the boot image.
 */
#ifndef RF_ROOTDOM_H
#define RF_ROOTDOM_H

#include "boot_info.h"
#include "compiler.h"
#include "types.h"

struct domain;

/* Exit status of the emulator when the root domain ends by itself: 2 * code + 1. */
#define ROOT_DIED_EXIT_CODE 0x7e

/* Finds init in the boot image, builds its domain as abi.toml's start_info says, starts it.
 * Wrong input ends in panic() with a message that names the culprit and what was needed. */
void root_domain_start(const struct boot_info *boot);

/* The root domain has stopped: nothing is left to do for anyone. */
void __noreturn root_domain_died(const struct domain *dom);

#endif
