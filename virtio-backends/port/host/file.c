/* SPDX-License-Identifier: BSD-2-Clause */
/* A storage in a file; see file.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file.h"

#define PIECES 64 /* of one call */

/* All bytes of the list at off, however few the kernel does at a time. */
static bool transfer(int fd, bool writing, const struct vr_seg *segs, unsigned count, uint64_t off)
{
	uint64_t skip = 0;

	while (count) {
		struct iovec pieces[PIECES];
		int n = 0;
		ssize_t done;

		for (unsigned i = 0; i < count && n < PIECES; i++, n++) {
			pieces[n].iov_base = segs[i].at + (i ? 0 : skip);
			pieces[n].iov_len = segs[i].len - (i ? 0 : (size_t)skip);
		}
		done = writing ? pwritev(fd, pieces, n, (off_t)off) :
				 preadv(fd, pieces, n, (off_t)off);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		off += (uint64_t)done;
		skip += (uint64_t)done;
		for (; count && skip >= segs->len; segs++, count--)
			skip -= segs->len;
	}
	return true;
}

static bool write_zeroes(int fd, uint64_t off, uint64_t len)
{
	static uint8_t zeroes[4096];
	struct vr_seg seg = { zeroes, 0, 0 };

	for (; len; off += seg.len, len -= seg.len) {
		seg.len = len < sizeof(zeroes) ? (uint32_t)len : (uint32_t)sizeof(zeroes);
		if (!transfer(fd, true, &seg, 1, off))
			return false;
	}
	return true;
}

static bool punch(int fd, uint64_t off, uint64_t len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) == 0;
}

static bool file_submit(struct storage *storage, struct storage_request *request)
{
	struct file_storage *file = (struct file_storage *)storage;
	bool ok = false;

	switch (request->op) {
	case STORAGE_READ:
	case STORAGE_WRITE:
		ok = transfer(file->fd, request->op == STORAGE_WRITE, request->segs, request->count,
			      request->off);
		break;
	case STORAGE_FLUSH:
		ok = fdatasync(file->fd) == 0;
		break;
	case STORAGE_DISCARD:
	case STORAGE_ZERO:
		ok = punch(file->fd, request->off, request->len) ||
		     write_zeroes(file->fd, request->off, request->len);
		break;
	}
	request->done(request, ok);
	return true;
}

int file_storage_open(struct file_storage *file, const char *path, bool read_only)
{
	off_t size;
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	if (fd < 0)
		return errno;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0) {
		int error = errno;

		close(fd);
		return error;
	}
	*file = (struct file_storage){
		.storage = {
			.sectors = (uint64_t)size / STORAGE_SECTOR,
			.read_only = read_only,
			.can_discard = true,
			.can_zero = true,
			.submit = file_submit,
		},
		.fd = fd,
	};
	return 0;
}

void file_storage_close(struct file_storage *file)
{
	close(file->fd);
	file->fd = -1;
}
