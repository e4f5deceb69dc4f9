/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/start.h - what the domain found at its start, checked by the start code before main().
 */
#ifndef PV_START_H
#define PV_START_H

#include <pv/call.h>

/* The domain's start_info; never NULL in main(). */
extern const struct pv_start_info *pv_start_info;

/* The command line, zero-terminated. main()'s argv is a copy of it split at blanks, after the name. */
const char *pv_cmdline(void);

/* Is the word on the command line? */
int pv_cmdline_has(const char *word);

/* Value of "key=value" in buf (at most size - 1 bytes); 0 if the key is not there. */
int pv_cmdline_get(const char *key, char *buf, size_t size);

#endif
