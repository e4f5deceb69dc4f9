/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console.h - a virtio console (virtio 1.x, 5.3) with one port and its size. What the driver writes goes
 * to a sink that may be full; what is typed goes into the buffers the driver has offered, or waits with
 * whoever typed it.
 *
 * At most once over a crash: output a predecessor had taken is returned as written, not written again;
 * buffers for input are used by the successor.
 *
 * The bytes are the driver's and may hold terminal control: who shows them beside others' filters them.
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include "../ring/vdev.h"

#define CONSOLE_F_SIZE 0
#define CONSOLE_QUEUE_SIZE 16u
#define CONSOLE_QUEUE_IN 0u
#define CONSOLE_QUEUE_OUT 1u

/* Takes output; returns how many of the bytes it had room for. When it was short it has the loop call
 * link_run once there is room again. */
struct console_sink {
	void *self;
	size_t (*write)(void *self, const void *bytes, size_t len);
};

struct console {
	struct vdev dev; /* first */
	struct console_sink sink;
	bool writing;	  /* a chain of output is taken and not finished ... */
	uint64_t written; /* ... this much of it is */
	struct devq_chain out;
	struct vr_seg out_segs[CONSOLE_QUEUE_SIZE];
	uint64_t bytes_in, bytes_out;
};

void console_init(struct console *console, const struct port *port, const struct vr_window *window,
		  const struct console_sink *sink, uint16_t columns, uint16_t rows);

/* Input for the driver; returns how many bytes found room. When it was short the driver rings once it has
 * offered more. Call link_run afterwards. */
size_t console_input(struct console *console, const void *bytes, size_t len);

void console_resize(struct console *console, uint16_t columns, uint16_t rows);

#endif
