/* SPDX-License-Identifier: BSD-2-Clause */
/* Views, switching, flow control and the shell's line of the console multiplexer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mux.h"

static struct mux mux;
static char typed[MUX_SLOTS][64];
static char last_command[256];
static int quits;
static char shown[MUX_QUEUE + 1];

static void guest_input(void *ctx, unsigned slot, uint8_t byte)
{
	size_t n = strlen(typed[slot]);

	(void)ctx;
	typed[slot][n] = (char)byte;
	typed[slot][n + 1] = 0;
}

static void command(void *ctx, const char *line)
{
	(void)ctx;
	strcpy(last_command, line);
	mux_print(&mux, "done\n");
	mux_prompt(&mux);
}

static void quit(void *ctx)
{
	(void)ctx;
	quits++;
}

static const struct mux_ops ops = { guest_input, command, quit };

static void start(bool plain)
{
	memset(typed, 0, sizeof(typed));
	last_command[0] = 0;
	quits = 0;
	mux_init(&mux, &ops, NULL, plain);
	mux_attach(&mux, 1, "vm1");
	mux_attach(&mux, 2, "vm2");
}

static const char *output(void)
{
	size_t n = mux_take(&mux, (uint8_t *)shown, sizeof(shown) - 1);

	shown[n] = 0;
	return shown;
}

static void guest(unsigned slot, const char *text)
{
	mux_guest_output(&mux, slot, (const uint8_t *)text, strlen(text));
}

static void type(const char *text)
{
	for (; *text; text++)
		mux_input(&mux, (uint8_t)*text);
}

static void plain_log(void **state)
{
	(void)state;
	start(true);
	guest(1, "one\r\nhalf ");
	guest(2, "two\n");
	mux_log(&mux, (const uint8_t *)"kernel says\n", 12);
	guest(1, "line\n");
	assert_string_equal(output(), "vm1| one\nvm2| two\nkernel says\nvm1| half line\n");
	guest(1, "prompt # ");
	assert_string_equal(output(), "");
	assert_true(mux_has_unfinished(&mux));
	mux_flush_lines(&mux);
	assert_string_equal(output(), "vm1| prompt # \n");
	assert_false(mux_has_unfinished(&mux));
	type("\x1d" "2ls\r"); /* a log stays a log, the input moves */
	assert_string_equal(typed[2], "ls\r");
	assert_string_equal(output(), "");
}

static void merged_is_filtered(void **state)
{
	(void)state;
	start(false);
	guest(1, "\033[2Ja\033]0;x\007b\n");
	assert_string_equal(output(), "vm1| ab\r\n");
}

static void domain_view_is_raw(void **state)
{
	(void)state;
	start(false);
	guest(2, "\033[6nearly\n"); /* a query is not asked again */
	output();
	type("\x1d" "2");
	assert_non_null(strstr(output(), "early\r\n"));
	assert_null(strstr(shown, "[6n"));
	guest(2, "\033[1mraw\r\n");
	guest(1, "not shown\n");
	assert_string_equal(output(), "\033[1mraw\r\n");
	type("x\x1d\x1d");
	assert_string_equal(typed[2], "x\x1d");
	type("\x1d" "1");
	assert_non_null(strstr(output(), "not shown"));
}

/* The newest history is shown, whole lines, and no more than there is. */
static void history(void **state)
{
	char line[32];

	(void)state;
	start(false);
	type("\x1d" "1");
	output();
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		guest(2, line);
	}
	type("\x1d" "2");
	assert_non_null(strstr(output(), "line 999\r\n"));
	assert_null(strstr(shown, "line 10\r"));
	assert_non_null(strstr(shown, "help)\r\nline "));
}

static void nothing_shown_is_lost(void **state)
{
	uint8_t block[512];
	size_t given = 0, got = 0;

	(void)state;
	start(true);
	memset(block, '\n', sizeof(block));
	for (int round = 0; round < 200; round++) {
		size_t budget;

		while ((budget = mux_budget(&mux, 1))) {
			size_t n = budget < sizeof(block) ? budget : sizeof(block);

			mux_guest_output(&mux, 1, block, n);
			given += n;
		}
		for (const char *p = output(); *p; p++)
			got += *p == '\n';
	}
	assert_true(given > 10000);
	assert_int_equal(given, got);
	start(false);
	type("\x1d" "1");
	output();
	for (given = got = 0; mux_budget(&mux, 1); given += 1)
		guest(1, "\n");
	got = strlen(output());
	assert_int_equal(got, 2 * given);
}

static void background_never_blocks(void **state)
{
	(void)state;
	start(false);
	type("\x1d" "1");
	while (mux_budget(&mux, 1))
		guest(1, "x");
	assert_true(mux_budget(&mux, 2) > MUX_QUEUE);
}

static void shell(void **state)
{
	(void)state;
	start(false);
	type("\x1ds");
	assert_non_null(strstr(output(), "ringfence> "));
	type("lisx\x7ft\r");
	assert_string_equal(last_command, "list");
	assert_string_equal(output(), "lisx\b \bt\r\ndone\r\nringfence> ");
	type("\r");
	assert_string_equal(output(), "\r\nringfence> ");
	type("junk\x15ok\n");
	assert_string_equal(last_command, "ok");
	output();
	for (int i = 0; i < 500; i++)
		type("a");
	type("\r");
	assert_int_equal(strlen(last_command), MUX_COMMAND - 1);
	assert_string_equal(typed[1], "");
}

static void dead_domain(void **state)
{
	(void)state;
	start(false);
	guest(1, "last words");
	mux_detach(&mux, 1);
	assert_string_equal(output(), "vm1| last words\r\n");
	type("lost");
	assert_string_equal(typed[1], "");
	assert_int_equal(mux_input_target(&mux), 0);
	type("\x1d" "1");
	assert_non_null(strstr(output(), "vm1 (not running)"));
	assert_non_null(strstr(shown, "last words"));
	output();
	mux_attach(&mux, 1, "vm1");
	assert_non_null(strstr(output(), "started again"));
	type("x");
	assert_string_equal(typed[1], "x");
	type("\x1d" "9");
	assert_non_null(strstr(output(), "no such console"));
}

static void help_and_quit(void **state)
{
	(void)state;
	start(false);
	type("\x1d?");
	assert_non_null(strstr(output(), "1       vm1"));
	type("\x1dq");
	assert_int_equal(quits, 1);
	mux_notice(&mux, "vm1 stopped"); /* merged: the log says it */
	assert_string_equal(output(), "");
	type("\x1d" "1");
	output();
	mux_notice(&mux, "vm2 stopped");
	assert_string_equal(output(), "\r\n[vm2 stopped]\r\n");
	type("\x1ds" "lis");
	output();
	mux_notice(&mux, "vm2 stopped"); /* what was typed stands in the new line */
	assert_string_equal(output(), "\r\n[vm2 stopped]\r\nringfence> lis");
	type("t\r");
	assert_string_equal(output(), "t\r\ndone\r\nringfence> ");
	mux.answering = true;
	mux_notice(&mux, "vm1 stopped"); /* the prompt comes behind the answer */
	assert_string_equal(output(), "\r\n[vm1 stopped]\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_log),	      cmocka_unit_test(merged_is_filtered),
		cmocka_unit_test(domain_view_is_raw), cmocka_unit_test(history),
		cmocka_unit_test(nothing_shown_is_lost), cmocka_unit_test(background_never_blocks),
		cmocka_unit_test(shell),	      cmocka_unit_test(dead_domain),
		cmocka_unit_test(help_and_quit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
