/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/libpv.h - all of libpv: the ABI as C for newlib domains.
 */
#ifndef PV_LIBPV_H
#define PV_LIBPV_H

#include <pv/cap.h>
#include <pv/clock.h>
#include <pv/console.h>
#include <pv/dev.h>
#include <pv/dom.h>
#include <pv/event.h>
#include <pv/host.h>
#include <pv/info.h>
#include <pv/io.h>
#include <pv/mem.h>
#include <pv/port.h>
#include <pv/start.h>
#include <pv/vcpu.h>

#endif
