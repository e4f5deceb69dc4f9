/* SPDX-License-Identifier: BSD-2-Clause */
/* The console: both directions, a sink that fills up, strange chains, at most once over a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <console/console.h>

#include "rig.h"

#define SIZE 16u

static struct rig rig;
static struct console console;
static uint8_t screen[4096];
static size_t shown, room;

static size_t show(void *self, const void *bytes, size_t len)
{
	size_t n = len < room ? len : room;

	(void)self;
	assert_true(shown + n <= sizeof(screen));
	memcpy(screen + shown, bytes, n);
	shown += n;
	room -= n;
	return n;
}

static const struct console_sink sink = { NULL, show };

static void begin(void)
{
	rig_init(&rig);
	shown = 0;
	room = sizeof(screen);
	console_init(&console, &rig.port, &rig.window, &sink, 80, 25);
	rig_start(&rig, &console.dev, VIRTIO_BIT(CONSOLE_F_SIZE), 2, SIZE);
}

static void print(uint32_t off, const char *text, unsigned pieces)
{
	struct drvq_buf bufs[8];
	uint32_t len = (uint32_t)strlen(text), at = 0;

	memcpy(rig_data(&rig, off), text, len);
	for (unsigned i = 0; i < pieces; i++) {
		uint32_t n = i + 1 < pieces ? len / pieces : len - at;

		bufs[i] = (struct drvq_buf){ RIG_DATA + off + at, n };
		at += n;
	}
	assert_true(drvq_add(&rig.queues[1], bufs, pieces, 0, NULL));
}

static unsigned returned(unsigned queue, uint32_t *last)
{
	unsigned n = 0;
	uint32_t written;
	void *token;

	while (drvq_get(&rig.queues[queue], &token, &written)) {
		*last = written;
		n++;
	}
	assert_false(drvq_broken(&rig.queues[queue]));
	return n;
}

static void output(void **state)
{
	uint32_t written;

	(void)state;
	begin();
	print(0, "hello, ", 1);
	print(64, "world in pieces", 5);
	rig_run(&rig);
	assert_int_equal(returned(1, &written), 2);
	assert_int_equal(written, 0);
	assert_int_equal(shown, 22);
	assert_memory_equal(screen, "hello, world in pieces", 22);
	assert_int_equal(rig.notified[1], 1);
	rig_free(&rig);
}

static void full_sink(void **state)
{
	char text[1001];
	uint32_t written;

	(void)state;
	begin();
	for (unsigned i = 0; i < 1000; i++)
		text[i] = (char)('a' + i % 26);
	text[1000] = 0;
	print(0, text, 3);
	room = 300;
	rig_run(&rig);
	assert_int_equal(shown, 300);
	assert_int_equal(returned(1, &written), 0);
	room = 256;
	rig_run(&rig);
	assert_int_equal(shown, 556);
	room = sizeof(screen);
	rig_run(&rig);
	assert_int_equal(returned(1, &written), 1);
	assert_int_equal(shown, 1000);
	assert_memory_equal(screen, text, 1000);
	rig_free(&rig);
}

static void input(void **state)
{
	struct drvq_buf bufs[2] = { { RIG_DATA, 3 }, { RIG_DATA + 64, 100 } };
	uint32_t written;

	(void)state;
	begin();
	assert_int_equal(console_input(&console, "lost", 4), 0); /* no buffer: it stays with the caller */
	assert_true(drvq_add(&rig.queues[0], &bufs[0], 0, 1, NULL));
	assert_true(drvq_should_kick(&rig.queues[0]));
	assert_int_equal(console_input(&console, "abcdef", 6), 3);
	assert_true(drvq_add(&rig.queues[0], &bufs[1], 0, 1, NULL));
	assert_true(drvq_should_kick(&rig.queues[0])); /* somebody waits for it */
	assert_int_equal(console_input(&console, "def", 3), 3);
	rig_run(&rig);
	assert_int_equal(returned(0, &written), 2);
	assert_int_equal(written, 3);
	assert_memory_equal(rig_data(&rig, 0), "abc", 3);
	assert_memory_equal(rig_data(&rig, 64), "def", 3);
	rig_free(&rig);
}

static void strange_chains(void **state)
{
	struct drvq_buf bufs[2] = { { RIG_DATA, 3 }, { RIG_DATA + 64, 100 } };
	uint32_t written;

	(void)state;
	begin();
	assert_true(drvq_add(&rig.queues[1], bufs, 0, 2, NULL)); /* output without output */
	assert_true(drvq_add(&rig.queues[1], bufs, 1, 1, NULL));
	assert_true(drvq_add(&rig.queues[0], bufs, 2, 0, NULL)); /* no room for input */
	assert_int_equal(console_input(&console, "x", 1), 0);
	rig_run(&rig);
	assert_int_equal(returned(1, &written), 2);
	assert_int_equal(shown, 3);
	assert_int_equal(returned(0, &written), 1);
	assert_int_equal(written, 0);
	/* Sixteen of them at once cost sixteen looks. */
	rig_offer(&rig, 0, SIZE, SIZE);
	assert_int_equal(console_input(&console, "x", 1), 0);
	rig_run(&rig);
	assert_true(front_status(&rig.front) & VIRTIO_NEEDS_RESET);
	rig_free(&rig);
}

/* What the predecessor had taken is not shown twice; buffers for input are still good. */
static void successor(void **state)
{
	struct drvq_buf buf = { RIG_DATA + 512, 100 };
	uint32_t written;

	(void)state;
	begin();
	room = 2;
	print(0, "taken", 1);
	print(64, "waiting", 1);
	assert_true(drvq_add(&rig.queues[0], &buf, 0, 1, NULL));
	rig_run(&rig);
	assert_int_equal(shown, 2);
	room = sizeof(screen);
	console_init(&console, &rig.port, &rig.window, &sink, 80, 25);
	rig_attach(&rig, &console.dev);
	rig_run(&rig);
	assert_int_equal(shown, 9);
	assert_memory_equal(screen, "tawaiting", 9);
	assert_int_equal(returned(1, &written), 2);
	assert_int_equal(console_input(&console, "in", 2), 2);
	rig_run(&rig);
	assert_int_equal(returned(0, &written), 1);
	rig_free(&rig);
}

static void size(void **state)
{
	uint16_t config[2];

	(void)state;
	begin();
	assert_true(front_config(&rig.front, 0, config, 4));
	assert_int_equal(config[0], 80);
	console_resize(&console, 132, 50);
	rig.config_notified = 0;
	rig_run(&rig);
	assert_int_equal(rig.config_notified, 1);
	assert_true(front_config(&rig.front, 0, config, 4));
	assert_int_equal(config[0], 132);
	assert_int_equal(config[1], 50);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output),
		cmocka_unit_test(full_sink),
		cmocka_unit_test(input),
		cmocka_unit_test(strange_chains),
		cmocka_unit_test(successor),
		cmocka_unit_test(size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
