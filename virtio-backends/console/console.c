/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio console; see console.h. */
#include "console.h"

#define RUN_MAX 16u
#define CHUNK 256u

/* Goes on with the chain at hand. False: the sink is full. */
static bool write_out(struct console *console)
{
	uint8_t bytes[CHUNK];

	for (;;) {
		size_t len = vr_gather(bytes, console->out_segs, console->out.readable,
				       console->written, sizeof(bytes));
		size_t took = len ? console->sink.write(console->sink.self, bytes, len) : 0;

		console->written += took;
		console->bytes_out += took;
		if (took < len)
			return false;
		if (len < sizeof(bytes))
			break;
	}
	console->writing = false;
	vdev_push(&console->dev, CONSOLE_QUEUE_OUT, console->out.head, 0);
	return true;
}

static uint64_t serve(struct console *console, uint64_t now)
{
	for (unsigned i = 0; i < RUN_MAX; i++) {
		if (!console->writing && !vdev_pop(&console->dev, CONSOLE_QUEUE_OUT, &console->out)) {
			if (!vdev_sleep(&console->dev, CONSOLE_QUEUE_OUT))
				return VDEV_IDLE;
			continue;
		}
		if (!console->writing && console->out.replayed) {
			/* Perhaps written, perhaps not: not twice. */
			vdev_push(&console->dev, CONSOLE_QUEUE_OUT, console->out.head, 0);
			continue;
		}
		if (!console->writing) {
			console->writing = true;
			console->written = 0;
		}
		if (!write_out(console))
			return VDEV_IDLE; /* the sink will call */
	}
	return now;
}

static uint64_t console_run(struct vdev *dev, uint64_t now)
{
	struct console *console = (struct console *)dev;
	uint64_t wake = VDEV_IDLE;

	if (vdev_queue_live(dev, CONSOLE_QUEUE_OUT)) {
		devq_no_kick(&dev->queues[CONSOLE_QUEUE_OUT]);
		wake = serve(console, now);
		vdev_flush(dev, CONSOLE_QUEUE_OUT);
	}
	vdev_flush(dev, CONSOLE_QUEUE_IN);
	return wake;
}

size_t console_input(struct console *console, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;
	struct vr_seg segs[CONSOLE_QUEUE_SIZE];
	struct devq_chain chain = { .segs = segs, .max = CONSOLE_QUEUE_SIZE };
	size_t done = 0;

	/* At most as many chains as the queue holds, also if each takes nothing. */
	for (unsigned i = 0; i < CONSOLE_QUEUE_SIZE && done < len; i++) {
		size_t took;

		if (!vdev_pop(&console->dev, CONSOLE_QUEUE_IN, &chain)) {
			/* Whoever typed waits for a buffer: the driver has to say when there is one. */
			if (!vdev_sleep(&console->dev, CONSOLE_QUEUE_IN))
				break;
			continue;
		}
		took = vr_scatter(segs + chain.readable, chain.writable, 0, from + done, len - done);
		done += took;
		vdev_push(&console->dev, CONSOLE_QUEUE_IN, chain.head, (uint32_t)took);
	}
	console->bytes_in += done;
	return done;
}

static void console_stop(struct vdev *dev)
{
	((struct console *)dev)->writing = false;
}

static const struct vdev_class console_class = {
	.name = "console",
	.device_id = 3,
	.queues = 2,
	.run = console_run,
	.stop = console_stop,
};

void console_resize(struct console *console, uint16_t columns, uint16_t rows)
{
	/* cols, rows, max_nr_ports (only with MULTIPORT, which is not offered), emerg_wr */
	const uint16_t config[6] = { columns, rows };

	vdev_config_set(&console->dev, 0, config, sizeof(config));
}

void console_init(struct console *console, const struct port *port, const struct vr_window *window,
		  const struct console_sink *sink, uint16_t columns, uint16_t rows)
{
	*console = (struct console){ .sink = *sink, .out = { .max = CONSOLE_QUEUE_SIZE } };
	console->out.segs = console->out_segs;
	vdev_init(&console->dev, &console_class, port, window, VIRTIO_BIT(CONSOLE_F_SIZE),
		  CONSOLE_QUEUE_SIZE);
	console_resize(console, columns, rows);
}
