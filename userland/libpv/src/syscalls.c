/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscalls.c - what newlib expects of an operating system. Descriptors 0, 1 and 2 are the console;
 * there are no files and no processes. newlib for x86_64-elf calls these names without underscore.
 */
#include <errno.h>
#include <fcntl.h>
#include <pv/libpv.h>
#include <reent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <unistd.h>

int kill(int pid, int sig);

static int fail(int error)
{
	errno = error;
	return -1;
}

/* abort() ends here: the creator sees a panic with the signal as code. */
int kill(int pid, int sig)
{
	(void)pid;
	pv_dom_shutdown(PV_REASON_PANIC, (uint32_t)sig);
}

void _exit(int code)
{
	pv_dom_shutdown(PV_REASON_POWEROFF, (uint32_t)code);
}

int write(int fd, const void *data, size_t len)
{
	if (fd != STDOUT_FILENO && fd != STDERR_FILENO)
		return fail(EBADF);
	pv_console_put(data, len);
	return (int)len;
}

/* One line as a terminal would edit it: echoed, return is newline, backspace erases, ^D ends. */
static size_t edit_line(char *line, size_t size)
{
	size_t len = 0;
	char c;

	while (len < size && pv_console_get(&c, 1)) {
		if (c == 4)
			break;
		if (c == '\r')
			c = '\n';
		if (c == 0x7f || c == '\b') {
			if (len) {
				len--;
				pv_console_put("\b \b", 3);
			}
			continue;
		}
		pv_console_put(&c, 1);
		line[len++] = c;
		if (c == '\n')
			break;
	}
	return len;
}

int read(int fd, void *data, size_t len)
{
	static char line[256];
	static size_t have, taken;

	if (fd != STDIN_FILENO)
		return fail(EBADF);
	if (taken == have) {
		have = edit_line(line, sizeof(line));
		taken = 0;
	}
	if (len > have - taken)
		len = have - taken;
	memcpy(data, line + taken, len);
	taken += len;
	return (int)len;
}

void *sbrk(ptrdiff_t increment)
{
	static uint64_t top;
	uint64_t old;

	if (!top)
		top = pv_start_info->heap_start;
	old = top;
	if (increment > 0 && (uint64_t)increment > pv_start_info->heap_end - top) {
		errno = ENOMEM;
		return (void *)-1;
	}
	if (increment < 0 && 0 - (uint64_t)increment > top - pv_start_info->heap_start) {
		errno = EINVAL;
		return (void *)-1;
	}
	top += (uint64_t)increment;
	return (void *)old;
}

int isatty(int fd)
{
	return fd >= 0 && fd <= STDERR_FILENO ? 1 : fail(EBADF);
}

int fstat(int fd, struct stat *st)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fail(EBADF);
	*st = (struct stat){ .st_mode = S_IFCHR };
	return 0;
}

_off_t lseek(int fd, _off_t offset, int whence)
{
	(void)offset;
	(void)whence;
	return fail(fd >= 0 && fd <= STDERR_FILENO ? ESPIPE : EBADF);
}

int close(int fd)
{
	return fd >= 0 && fd <= STDERR_FILENO ? 0 : fail(EBADF);
}

int open(const char *path, int flags, ...)
{
	(void)path;
	(void)flags;
	return fail(ENOENT);
}

int stat(const char *path, struct stat *st)
{
	(void)path;
	(void)st;
	return fail(ENOENT);
}

int unlink(const char *path)
{
	(void)path;
	return fail(ENOENT);
}

int link(const char *from, const char *to)
{
	(void)from;
	(void)to;
	return fail(ENOENT);
}

int getpid(void)
{
	return 1;
}

clock_t times(struct tms *out)
{
	clock_t ticks = (clock_t)(pv_clock_ns() / (PV_NSEC_PER_SEC / CLOCKS_PER_SEC));

	*out = (struct tms){ .tms_utime = ticks };
	return ticks;
}

int gettimeofday(struct timeval *tv, void *zone)
{
	uint64_t sec;
	uint32_t nsec;

	(void)zone;
	pv_clock_wall(&sec, &nsec);
	tv->tv_sec = (time_t)sec;
	tv->tv_usec = (suseconds_t)(nsec / 1000);
	return 0;
}
