/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of libmanifest share with each other. */
#ifndef MANIFEST_INTERNAL_H
#define MANIFEST_INTERNAL_H

#include "manifest.h"

/* Fills err and returns false. name: PV_NAME_LEN bytes or NULL, shown only if readable. */
bool mf_fail(struct mf_error *err, enum mf_scope scope, uint32_t index, const uint8_t *name,
	     const char *what);

/* PV_NAME_LEN bytes hold 1..31 printable characters without blanks and zeros to the end. */
bool mf_name_ok(const uint8_t *name);

bool mf_zero(const void *data, size_t len);

#endif
