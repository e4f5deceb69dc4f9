/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot_image.h - reads the boot image.
 */
#ifndef RF_BOOT_IMAGE_H
#define RF_BOOT_IMAGE_H

#include <pv/abi.h>

#include "compiler.h"
#include "types.h"

u32 crc32(const void *data, u64 size); /* IEEE 802.3 */

/* NULL and the root domain's entry, or what is wrong with the image. */
warn_unused_result const char *boot_image_find_init(const void *image, u64 size,
						    struct pv_image_entry *out);

#endif
