/* SPDX-License-Identifier: BSD-2-Clause */
/* compat.h - addresses below 4 GiB that compat_asm.S and compat.c agree on. */
#ifndef COMPAT_H
#define COMPAT_H

#define COMPAT_BASE		0x30000000
#define COMPAT_SAVED_RSP	0x30000800
#define COMPAT_TARGET		0x30000808
#define COMPAT_RETURN		0x30000810
#define COMPAT_STACK		0x30002000

#endif
