/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rootdom.h - the first domain: all quota, the host capability, the boot image; and the ELF loader.
 */
#ifndef RF_ROOTDOM_H
#define RF_ROOTDOM_H

#include "boot_info.h"

/* Finds init in the boot image, builds its domain as abi.toml's start_info says, starts it.
 * Wrong input ends in panic() with a message that names the culprit and what was needed. */
void root_domain_start(const struct boot_info *boot);

#endif
