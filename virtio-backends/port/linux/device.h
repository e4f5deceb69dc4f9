/* SPDX-License-Identifier: BSD-2-Clause */
/* device.h - the calls of /dev/ringfence-back, as guest-patches' drivers/virt/ringfence_back.h has them. */
#ifndef VIRTIO_PORT_LINUX_DEVICE_H
#define VIRTIO_PORT_LINUX_DEVICE_H

#include <stdint.h>
#include <sys/ioctl.h>

struct back_link {
	uint32_t index;	 /* in */
	uint32_t handle; /* of the link page */
	uint32_t port;	 /* pending when that has changed */
	uint32_t kind;
};

struct back_map {
	uint32_t handle, pages, write; /* in */
	uint32_t reserved;
	uint64_t offset; /* out: for mmap() */
};

#define BACK_FILE "/dev/ringfence-back"
#define BACK_LINK _IOWR('R', 0xf0, struct back_link)
#define BACK_MAP _IOWR('R', 0xf1, struct back_map)
#define BACK_UNMAP _IO('R', 0xf2)
#define BACK_DROP _IO('R', 0xf3)
#define BACK_BIND _IO('R', 0xf4)
#define BACK_CLOSE _IO('R', 0xf5)
#define BACK_SEND _IO('R', 0xf6)

#endif
