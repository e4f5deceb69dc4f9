/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - the two pages of a link: what the driver writes and what the device writes, each read-only
 * to the other, and the device's side of keeping them in step.
 *
 * The driver changes its page, moves req_seq and rings the doorbell; the device copies the page,
 * applies it, answers in its own page and moves ack_seq to the req_seq it has applied. Nothing is a
 * message: whoever comes later reads the same state.
 *
 * The driver writes status last and the device reads it first, so that at any moment, also that in which
 * a successor attaches, what a status bit vouches for is there. A driver that does otherwise gets
 * what it wrote.
 */
#ifndef VIRTIO_LINK_H
#define VIRTIO_LINK_H

#include "vdev.h"

#define LINK_PAGE_BYTES 4096u
#define LINK_MAGIC 0x4b4e4c56u /* "VLNK" */
#define LINK_VERSION 1u
#define LINK_QUEUES 64u
#define LINK_CONFIG_BYTES 1024u

#define LINK_QUEUE_ENABLED 1u

struct link_queue {
	uint16_t size;
	uint16_t flags;
	uint32_t log; /* offsets into the window */
	uint64_t desc;
	uint32_t avail;
	uint32_t used;
};

struct link_driver_page {
	uint32_t magic, version; /* 000 */
	uint64_t req_seq;	 /* 008: moved after any change */
	uint64_t epoch_seen;	 /* 010: read by nobody */
	uint64_t page_seen;	 /* 018: of the front end's transport, not of the driver */
	uint8_t reserved0[0x20];
	uint64_t features[2];	     /* 040 */
	uint8_t reserved1[0x10];
	uint32_t status;	     /* 060 */
	uint8_t reserved2[0x1c];
	uint32_t avail_seq[LINK_QUEUES]; /* 080: moved before a doorbell */
	uint8_t reserved3[0x80];
	struct link_queue queues[LINK_QUEUES]; /* 200 */
	struct {			       /* 800: a write to the configuration */
		uint32_t off, len;
		uint8_t bytes[VDEV_CONFIG_WRITE_MAX];
	} config_write;
	uint8_t reserved4[0x7b8];
};

struct link_device_page {
	uint32_t magic, version; /* 000 */
	uint64_t ack_seq;	 /* 008 */
	uint32_t device_id, vendor; /* 010 */
	uint8_t uuid[16];	    /* 018 */
	uint32_t feature_words, config_size, max_queues, admin_start, admin_count; /* 028 */
	uint32_t reserved0;
	uint64_t features[2]; /* 040 */
	uint8_t reserved1[0x10];
	uint32_t status;     /* 060 */
	uint32_t config_gen; /* 064: odd while the configuration changes */
	uint64_t page_seen;  /* 068: of the back end's end of the link */
	uint8_t reserved2[0x10];
	struct {
		uint16_t max_size, flags;
	} queues[LINK_QUEUES];		/* 080 */
	uint32_t used_seq[LINK_QUEUES]; /* 180: moved before a notification */
	uint8_t reserved3[0x580];
	uint8_t config[LINK_CONFIG_BYTES]; /* 800 */
	uint8_t reserved4[0x400];
};

_Static_assert(sizeof(struct link_queue) == 24, "part of the protocol");
_Static_assert(offsetof(struct link_driver_page, avail_seq) == 0x80, "part of the protocol");
_Static_assert(offsetof(struct link_driver_page, queues) == 0x200, "part of the protocol");
_Static_assert(offsetof(struct link_driver_page, config_write) == 0x800, "part of the protocol");
_Static_assert(sizeof(struct link_driver_page) == LINK_PAGE_BYTES, "one page");
_Static_assert(offsetof(struct link_device_page, status) == 0x60, "part of the protocol");
_Static_assert(offsetof(struct link_device_page, used_seq) == 0x180, "part of the protocol");
_Static_assert(offsetof(struct link_device_page, config) == 0x800, "part of the protocol");
_Static_assert(sizeof(struct link_device_page) == LINK_PAGE_BYTES, "one page");

struct link {
	const struct link_driver_page *driver;
	struct link_device_page *device;
	struct vdev *dev;
	uint64_t applied;   /* req_seq */
	uint32_t published; /* dev->config_gen */
	bool waiting;	    /* a reset is draining */
};

/* Publishes the device and takes over whatever state the driver is in: nothing yet, or a session a
 * dead predecessor served. False: see vdev_attach. */
bool link_attach(struct link *link, const struct link_driver_page *driver,
		 struct link_device_page *device, struct vdev *dev)
	__attribute__((warn_unused_result));

/* Everything there is to do: looks at the driver's page, runs the device, publishes what changed.
 * When to be called again without an event, as vdev_run. */
uint64_t link_run(struct link *link, uint64_t now);

/* Moves used_seq; call it in port.notify before the doorbell. */
void link_count_used(struct link *link, uint32_t queue);

#endif
