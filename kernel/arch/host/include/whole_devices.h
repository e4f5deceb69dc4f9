/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whole_devices.h - what whole.c asks of the fake devices.
 */
#ifndef RF_WHOLE_DEVICES_H
#define RF_WHOLE_DEVICES_H

#include "types.h"

void whole_device_assert(u32 line); /* in the kernel of CPU 0 */

#endif
