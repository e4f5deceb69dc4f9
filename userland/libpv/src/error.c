/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error.c - names of the ABI's errors, for messages.
 */
#include <pv/call.h>

const char *pv_strerror(int64_t result)
{
	static const char *const names[] = {
		"ok", "ENOSYS", "EINVAL", "ERANGE", "ECAP", "EPERM", "EDEAD", "ESTATE",
		"EFAULT", "ENOENT", "EEXIST", "EBUSY", "ENOSPC", "ENOMEM", "EAGAIN",
	};

	if (result >= 0)
		return names[0];
	if (result < -PV_EAGAIN)
		return "unknown error";
	return names[-result];
}
